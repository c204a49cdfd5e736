"""marts.control_chart a second time: p' charts and moving averages of queues and vendors, from landed rows, in loops.

Left out: p-values, g-charts, models and annotators. Baselines are the first 28 days with reviews. A moving average is
left out where a day has more than 300 defects, found or expected: the product then uses an approximation.
"""

import datetime as dt
import itertools
import math
from typing import Any

import pandas as pd
from scipy.stats import norm

COLUMNS = ["period", "period_start", "period_end", "market", "queue", "subject_kind", "subject", "metric"]
COLUMNS += ["reference_kind", "estimate", "n_items", "centre", "lower_limit", "upper_limit"]
NOTHING = float("nan")


def recompute(feeds: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """A row a day of each chart of people and vendors, market x queue and rolled up."""
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
        people = place[place["is_human"]]
        series = [("rater_kind", "human", people)]
        series += [("vendor", name, people[people["vendor"] == name]) for name in people["vendor"].unique() if name]
        for kind, subject, own in series:
            named = {"market": market, "queue": queue, "subject_kind": kind, "subject": subject}
            rows += [{"period": "day", "reference_kind": "qa", **named, **row} for row in _chart(own, newest)]
    return pd.DataFrame(rows, columns=COLUMNS)


def _drawn(feeds: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Random reviews of production labels and of predictions: day of the decision, place, vendor, weight, defect."""
    reviews, labels, predictions = (feeds[name] for name in ("reviews", "labels", "predictions"))
    columns = ["day", "market", "queue", "vendor", "is_human", "weight", "is_defect"]
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
        kept = made.assign(kind="prediction", target=made["prediction_id"], rater=made["model_id"], vendor="")
        parts.append(kept[["kind", "target", "rater", "vendor", "business_date", *place]])
    decided = pd.concat(parts).rename(columns={"business_date": "day"})
    given = reviews.drop_duplicates(["business_date", "review_id"], keep="last")
    given = given.sort_values("business_date", kind="stable").drop_duplicates("review_id")
    given = given[given["sampling"] == "random"]
    joined = given.merge(decided, left_on=["target_kind", "target_id", *place], right_on=["kind", "target", *place])
    joined = joined[(joined["reviewer_id"] != joined["rater"]) & (joined["day"] <= joined["business_date"])]
    joined = joined.sort_values("day").drop_duplicates("review_id", keep="last")
    return joined.assign(
        vendor=joined["vendor"].fillna(""),
        is_human=joined["kind"] == "label",
        weight=1 / joined["inclusion_probability"].astype(float).fillna(1.0),
        is_defect=joined["error_category"] != "none",
    )[columns]


def _chart(own: pd.DataFrame, newest: dt.date) -> list[dict[str, Any]]:
    """Rows of one series: rates with the limits of Laney's p' chart, then the moving average of normal scores."""
    points = []
    for day, some in sorted(own.groupby("day")):
        weight = some["weight"].sum()
        rate = min(1.0, some.loc[some["is_defect"], "weight"].sum() / weight)
        effective = weight**2 / (some["weight"] ** 2).sum()
        points.append({"day": day, "rate": rate, "n": effective, "reviews": len(some)})
    baseline = [point for point in points if point["day"] != newest][:28]
    fitted = _fit(baseline) if len(baseline) >= 14 else {}
    is_rare = bool(fitted) and fitted["defects"] / len(baseline) < 5
    rows = []
    for point in [] if is_rare else points:
        limits = {"centre": NOTHING, "lower_limit": NOTHING, "upper_limit": NOTHING}
        if fitted:
            share = fitted["share"]
            half = 3 * max(fitted["sigma_z"], 1) * math.sqrt(share * (1 - share) / point["n"])
            limits = {"centre": share, "lower_limit": max(0, share - half), "upper_limit": min(1, share + half)}
        rows.append(_row(point, "p_chart", point["rate"], limits))
    return rows + (_average(points[len(baseline) :], fitted) if fitted else [])


def _row(point: dict[str, Any], metric: str, estimate: float, limits: dict[str, float]) -> dict[str, Any]:
    dates = {"period_start": point["day"], "period_end": point["day"]}
    return {**dates, "metric": metric, "estimate": estimate, "n_items": point["reviews"], **limits}


def _fit(points: list[dict[str, Any]]) -> dict[str, float]:
    """Pooled rate, Laney's sigma_z, the correlation between two reviews of a day, and what the baseline predicts."""
    total = sum(point["n"] for point in points)
    defects = sum(point["n"] * point["rate"] for point in points)
    share = defects / total
    scores = [(point["rate"] - share) / math.sqrt(share * (1 - share) / point["n"]) for point in points]
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
    if any(point["n"] * max(point["rate"], fitted["predicted"]) > 300 for point in points):
        return []
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
    """P(X < x) + P(X = x) / 2 of a beta-binomial, term by term; linear between whole counts."""
    a, b = p * (1 / rho - 1), (1 - p) * (1 / rho - 1)

    def chance(k: int) -> float:
        if k > n:
            return 0.0
        parts = (n + 1, k + a, n - k + b, a + b), (k + 1, n - k + 1, n + a + b, a, b)
        return math.exp(sum(map(math.lgamma, parts[0])) - sum(map(math.lgamma, parts[1])))

    whole = math.floor(x + 1e-9)
    last, following, part = chance(whole), chance(whole + 1), max(0.0, x - whole)
    until = sum(chance(k) for k in range(whole + 1))
    return until - last / 2 + part * (last + following) / 2
