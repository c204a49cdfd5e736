"""marts.control_chart a second time: p' charts and moving averages, from landed rows, in loops.

Left out: p-values and g-charts. Baselines are the first BASELINE_DAYS days with reviews, and there are no limits and
averages before a day follows them. No day may have more than 300 defects, found or expected: the product then
approximates.
"""

import datetime as dt
import itertools
import math
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import digamma
from scipy.stats import norm

from qa_pipeline_tests.recomputed.judged import effective_number, weights

COLUMNS = ["period", "period_start", "period_end", "market", "queue", "subject_kind", "subject", "metric"]
COLUMNS += ["reference_kind", "estimate", "n_items", "centre", "lower_limit", "upper_limit"]
LEFT_OUT = {(kind, "g_chart") for kind in ("rater_kind", "vendor", "model_version", "annotator")}
BASELINE_DAYS = 14
NOTHING = float("nan")


def recompute(feeds: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """A row a day of each chart: rater kinds and vendors, market x queue and rolled up; models by both; annotators."""
    drawn = _drawn(feeds)
    rows: list[dict[str, Any]] = []
    if drawn.empty:
        return pd.DataFrame(rows, columns=COLUMNS)
    newest = drawn["day"].max()
    markets, queues = sorted(drawn["market"].unique()), sorted(drawn["queue"].unique())
    for market, queue in itertools.product([*markets, "ALL"], [*queues, "ALL"]):
        place = drawn
        if market != "ALL":
            place = place[place["market"] == market]
        if queue != "ALL":
            place = place[place["queue"] == queue]
        named = {"period": "day", "reference_kind": "qa", "market": market, "queue": queue}
        for (kind, subject), own in _series(place, market, queue).items():
            subject_named = named | {"subject_kind": kind, "subject": subject}
            # Annotators, being many, are shown for the newest 28 days alone.
            first = newest - pd.Timedelta(days=27) if kind == "annotator" else drawn["day"].min()
            rows += [subject_named | row for row in _chart(own, newest) if row["period_start"] >= first]
    return pd.DataFrame(rows, columns=COLUMNS)


def _series(place: pd.DataFrame, market: str, queue: str) -> dict[tuple[str, str], pd.DataFrame]:
    """Reviews of each kind of subject and subject that has charts in this market and queue (or ALL)."""
    people, models = place[place["is_human"]], place[~place["is_human"]]
    found = {("rater_kind", "human"): people, ("rater_kind", "model"): models}
    found |= {("vendor", str(name)): own for name, own in people.groupby("vendor") if name}
    if "ALL" not in (market, queue):
        found |= {("model_version", str(name)): own for name, own in models.groupby("rater")}
    if market == queue == "ALL":
        found |= {("annotator", str(name)): own for name, own in people.groupby("rater")}
    return {subject: own for subject, own in found.items() if len(own)}


def _drawn(feeds: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Random reviews of production labels and of predictions: day of the decision, place, vendor, weight, defect."""
    reviews, labels, predictions = (feeds[name] for name in ("reviews", "labels", "predictions"))
    columns = ["day", "market", "queue", "vendor", "rater", "is_human", "weight", "chance", "is_defect"]
    if reviews.empty:
        return pd.DataFrame(columns=columns)
    place = ["item_id", "market", "queue"]
    parts = []
    if not labels.empty:
        made = labels.drop_duplicates(["business_date", "label_id"], keep="last")
        made = made.sort_values("business_date", kind="stable").drop_duplicates("label_id")
        made = made[made["stage"] == "production"]
        kept = made.assign(kind="label", target=made["label_id"], rater=made["annotator_id"])
        parts.append(kept[["kind", "target", "rater", "vendor", "business_date", *place]])
    if not predictions.empty:
        made = predictions.drop_duplicates(["business_date", "prediction_id"], keep="last")
        kept = made.assign(kind="prediction", target=made["prediction_id"], vendor="")
        kept["rater"] = made["model_id"] + "@" + made["model_version"]
        parts.append(kept[["kind", "target", "rater", "vendor", "business_date", *place]])
    decided = pd.concat(parts).rename(columns={"business_date": "day"})
    given = reviews.drop_duplicates(["business_date", "review_id"], keep="last")
    given = given.sort_values("business_date", kind="stable").drop_duplicates("review_id")
    given = given[given["sampling"] == "random"]
    joined = given.merge(decided, left_on=["target_kind", "target_id", *place], right_on=["kind", "target", *place])
    joined = joined[(joined["reviewer_id"] != joined["rater"]) & (joined["day"] <= joined["business_date"])]
    joined = joined.sort_values("day").drop_duplicates("review_id", keep="last")
    joined = joined.sort_values(["reviewed_at", "business_date"], kind="stable")
    joined = joined.drop_duplicates(["kind", "target", "day"])
    return joined.assign(
        vendor=joined["vendor"].fillna(""),
        is_human=joined["kind"] == "label",
        weight=weights(joined["inclusion_probability"]),
        chance=joined["inclusion_probability"],
        is_defect=joined["error_category"] != "none",
    )[columns]


def _chart(own: pd.DataFrame, newest: dt.date) -> list[dict[str, Any]]:
    """Rows of one series: rates with the limits of Laney's p' chart, then the moving average of normal scores."""
    points = []
    for day, some in sorted(own.groupby("day")):
        weight = some["weight"].sum()
        rate = min(1.0, some.loc[some["is_defect"], "weight"].sum() / weight)
        points.append({"day": day, "rate": rate, "n": effective_number(some["chance"]), "reviews": len(some)})
    baseline = [point for point in points if point["day"] != newest][:BASELINE_DAYS]
    fitted = _fit(baseline) if len(baseline) == BASELINE_DAYS else {}
    is_rare = bool(fitted) and fitted["defects"] / len(baseline) < 5
    rows = []
    for point in [] if is_rare else points:
        limits = {"centre": NOTHING, "lower_limit": NOTHING, "upper_limit": NOTHING}
        if fitted:
            share = fitted["share"]
            half = 3 * max(fitted["sigma_z"], 1) * math.sqrt(share * (1 - share) / point["n"])
            limits = {"centre": share, "lower_limit": max(0, share - half), "upper_limit": min(1, share + half)}
        rows.append(_row(point, "p_chart", point["rate"], limits))
    if fitted:
        return rows + _average(points[len(baseline) :], fitted)
    nothing = dict.fromkeys(("centre", "lower_limit", "upper_limit"), NOTHING)
    return [*rows, _row(points[-1], "ewma", NOTHING, nothing)]


def _row(point: dict[str, Any], metric: str, estimate: float, limits: dict[str, float]) -> dict[str, Any]:
    dates = {"period_start": point["day"], "period_end": point["day"]}
    return {**dates, "metric": metric, "estimate": estimate, "n_items": point["reviews"], **limits}


def _fit(points: list[dict[str, Any]]) -> dict[str, float]:
    """Pooled rate, Laney's sigma_z, the correlation between two reviews of a day, and what the baseline predicts."""
    total = sum(point["n"] for point in points)
    defects = sum(point["n"] * point["rate"] for point in points)
    share = defects / total
    spread = math.sqrt(share * (1 - share))
    scores = [(point["rate"] - share) / spread * math.sqrt(point["n"]) if spread else 0.0 for point in points]
    ranges = [abs(later - before) for before, later in itertools.pairwise(scores)]
    chi_square = sum(score**2 for score in scores)
    room = total - len(points) - sum(point["n"] ** 2 for point in points) / total + 1
    correlation = min(0.5, max(0.0, (chi_square - len(points) + 1) / room))
    design = sum(point["n"] * (1 + max(point["n"] - 1, 0) * correlation) for point in points) / total
    worth = total / design
    return {
        "share": share,
        "defects": defects,
        "sigma_z": sum(ranges) / len(ranges) / 1.128,
        "correlation": correlation,
        "predicted": (share * worth + 0.5) / (worth + 1),
        "predicted_correlation": 1 / (worth + 2),
    }


def _average(points: list[dict[str, Any]], fitted: dict[str, float]) -> list[dict[str, Any]]:
    assert all(point["n"] * max(point["rate"], fitted["predicted"]) <= 300 for point in points)
    value = pull = 0.0
    rows = []
    for place, point in enumerate(points, start=1):
        n = point["n"]
        below = _middle(n * point["rate"], n, fitted["predicted"], max(fitted["correlation"], 1e-8))
        value = 0.2 * float(norm.ppf(below)) + 0.8 * value
        pull = 0.2 * math.sqrt(n / (1 + max(n - 1, 0) * fitted["correlation"])) + 0.8 * pull
        variance = 0.2 / 1.8 * (1 - 0.8 ** (2 * place)) + pull**2 * fitted["predicted_correlation"]
        half = 3 * math.sqrt(variance)
        rows.append(_row(point, "ewma", value, {"centre": 0.0, "lower_limit": -half, "upper_limit": half}))
    return rows


def _middle(x: float, n: float, p: float, rho: float) -> float:
    """P(X < x) + P(X = x) / 2 of a beta-binomial, term by term; linear between whole counts of the rarer outcome."""
    if p > 0.5:
        return 1 - _middle(n - x, n, 1 - p, rho)
    a, b = p * (1 / rho - 1), (1 - p) * (1 / rho - 1)
    whole = math.floor(x + 1e-9)
    chances = [math.exp(_log_rising(b, n) - _log_rising(a + b, n))]
    for k in range(whole + 1):
        left = n - k
        chances.append(chances[-1] * left * (a + k) / ((k + 1) * (b + left - 1)) if left > 0 else 0.0)
    last, following = chances[-2:]
    return sum(chances[:-1]) - last / 2 + max(0.0, x - whole) * (last + following) / 2


def _log_rising(start: float, steps: float) -> float:
    """log Gamma(start + steps) - log Gamma(start); of large ones, whose difference has no digits, by quadrature."""
    if start < 1000:
        return math.lgamma(start + steps) - math.lgamma(start)
    place, share = np.polynomial.legendre.leggauss(20)
    return float((share * digamma(start + steps * (place + 1) / 2)).sum() * steps / 2)
