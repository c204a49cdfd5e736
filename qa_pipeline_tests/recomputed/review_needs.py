"""`marts.review_needs` from the landed rows: the sample sizes by trying numbers one after the other."""

import math

import pandas as pd
from scipy import stats

from qa_pipeline_tests.recomputed.judged import effective_number, weights

DAYS, PRIOR, ALPHA = 28, 20, 0.05
HALF_WIDTH, CHANGE, POWER = 0.02, 1.5, 0.8


def recompute(feeds: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """The needs of the newest 28 days under the settings that quality.toml has without being there."""
    labels = feeds["labels"]
    if labels.empty:
        return pd.DataFrame()
    labels = labels[labels["stage"] == "production"]
    labels = labels.assign(business_date=pd.to_datetime(labels["business_date"]))
    newest = labels["business_date"].max()
    others = [pd.to_datetime(frame["business_date"]).max() for frame in (labels, feeds["predictions"]) if len(frame)]
    end = max(others)
    recent = labels[labels["business_date"].between(end - pd.Timedelta(days=DAYS - 1), newest)]
    reviews = feeds["reviews"]
    if len(reviews):
        reviews = reviews[(reviews["sampling"] == "random") & (reviews["target_kind"] == "label")]
        reviews = reviews.sort_values(["reviewed_at", "business_date"], kind="stable").drop_duplicates("target_id")
        reviews = reviews[["target_id", "error_category", "inclusion_probability"]].merge(
            recent, left_on="target_id", right_on="label_id"
        )
    else:
        reviews = recent.head(0).assign(error_category="", inclusion_probability=1.0)
    rows = []
    for market in ["ALL", *sorted(recent["market"].unique())]:
        for queue in ["ALL", *sorted(recent["queue"].unique())]:
            decided, judged = (_within(frame, market, queue) for frame in (recent, reviews))
            if decided.empty:
                continue
            defects, n = 0.0, 0.0
            for _, own in judged.groupby("vendor"):
                kish, share = _effective(own)
                defects, n = defects + kish * share, n + kish
            kish, share = _effective(judged)
            cell = {"market": market, "queue": queue}
            expected = (kish * share + 0.5) / (kish + 1)
            rows += _needs(cell | {"subject_kind": "rater_kind", "subject": "human"}, decided, judged, expected)
            for vendor, own in decided.groupby("vendor"):
                found = judged[judged["vendor"] == vendor]
                kish, share = _effective(found)
                expected = (kish * share + PRIOR * (defects + 0.5) / (n + 1)) / (kish + PRIOR)
                rows += _needs(cell | {"subject_kind": "vendor", "subject": vendor}, own, found, expected)
    start = end - pd.Timedelta(days=DAYS - 1)
    return pd.DataFrame(rows).assign(period="trailing_28d", period_start=start, period_end=end, reference_kind="")


def _within(frame: pd.DataFrame, market: str, queue: str) -> pd.DataFrame:
    chosen = frame if market == "ALL" else frame[frame["market"] == market]
    return chosen if queue == "ALL" else chosen[chosen["queue"] == queue]


def _effective(judged: pd.DataFrame) -> tuple[float, float]:
    """Kish's number of the reviews and Hajek's share of defects among them."""
    if judged.empty:
        return 0.0, 0.0
    weight = weights(judged["inclusion_probability"])
    share = weight[judged["error_category"] != "none"].sum() / weight.sum()
    return effective_number(judged["inclusion_probability"]), float(share)


def _needs(
    subject: dict[str, object], decided: pd.DataFrame, judged: pd.DataFrame, expected: float
) -> list[dict[str, object]]:
    n = len(judged)
    values = dict.fromkeys(("reviews_for_half_width", "reviews_for_change", "visible_defect_rate"), math.nan)
    if n:
        kish, _ = _effective(judged)
        size = len(decided)
        simple = next(tried for tried in range(1, size + 1) if _half(expected, tried, size) <= HALF_WIDTH)
        values["reviews_for_half_width"] = min(math.ceil(round(simple * n / kish, 6)), size)
        risen = min(CHANGE * expected, 1.0)
        tried = 1
        while _power(tried, expected, risen) < POWER:
            tried = tried + 1
        values["reviews_for_change"] = math.ceil(round(tried * n / kish, 6))
        values["visible_defect_rate"] = _visible(kish, expected)
    return [subject | {"metric": metric, "estimate": value, "n_items": n} for metric, value in values.items()]


def _half(share: float, n: int, size: int) -> float:
    """Half of Wilson's interval as `marts.defect_rate` gives it: its variance is p (1 - p) / n (1 - n / N)."""
    if n >= size:
        return 0.0
    n_infinite = n / (1 - n / size)
    z = -_Z_LOW
    inner = share * (1 - share) / n_infinite + z * z / (4 * n_infinite**2)
    return z / (1 + z * z / n_infinite) * math.sqrt(inner)


def _power(n: float, before: float, after: float) -> float:
    middle = (before + after) / 2
    spread = math.sqrt((before * (1 - before) + after * (1 - after)) / n)
    limit = -_Z_LOW * math.sqrt(2 * middle * (1 - middle) / n)
    change = abs(after - before)
    return _upper((limit - change) / spread) + _upper((limit + change) / spread)


def _visible(n: float, before: float) -> float:
    if _power(n, before, 1.0) < POWER:
        return math.nan
    low, high = before, 1.0
    while high - low > 1e-12:
        middle = (low + high) / 2
        low, high = (low, middle) if _power(n, before, middle) >= POWER else (middle, high)
    return high


def _upper(z: float) -> float:
    return math.erfc(z / math.sqrt(2)) / 2


_Z_LOW = float(stats.norm.ppf(ALPHA / 2))
