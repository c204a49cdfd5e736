"""marts.vendor_funnel of period `all`, a second time: from landed rows, with plain loops over vendors."""

import itertools

import pandas as pd

from qa_pipeline_tests.recomputed.judged import weights

COLUMNS = ["market", "queue", "subject_kind", "subject", "metric", "reference_kind", "estimate", "n_items"]


def recompute(feeds: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Adjusted defect rates: the rate of all on a vendor's own work is what is expected of it."""
    reviews, labels = feeds["reviews"], feeds["labels"]
    rows: list[dict[str, object]] = []
    if reviews.empty or labels.empty:
        return pd.DataFrame(rows, columns=COLUMNS)
    # Refused rows: with an identifier that was used before, of another unit than the decision, of one's own decision.
    labels = labels.sort_values("business_date", kind="stable").drop_duplicates("label_id")
    reviews = reviews.sort_values("business_date", kind="stable").drop_duplicates("review_id")
    made = labels[(labels["stage"] == "production") & (labels["vendor"].fillna("") != "")]
    drawn = reviews[(reviews["sampling"] == "random") & (reviews["target_kind"] == "label")]
    drawn = drawn.sort_values(["reviewed_at", "business_date"], kind="stable")
    unit = ["item_id", "market", "queue"]
    joined = drawn[["target_id", *unit, "reviewer_id", "error_category", "inclusion_probability"]].merge(
        made[["label_id", *unit, "annotator_id", "vendor"]],
        left_on=["target_id", *unit],
        right_on=["label_id", *unit],
    )
    joined = joined[joined["reviewer_id"] != joined["annotator_id"]].drop_duplicates("label_id")
    joined["weight"] = weights(joined["inclusion_probability"])
    joined["defects"] = joined["weight"] * (joined["error_category"] != "none")
    own = joined.groupby(["market", "queue", "vendor"], as_index=False).agg(
        weight=("weight", "sum"), defects=("defects", "sum"), n=("weight", "size")
    )
    cell = own.groupby(["market", "queue"])
    own["rate_of_all"] = cell["defects"].transform("sum") / cell["weight"].transform("sum")
    own["vendors"] = cell["vendor"].transform("size")
    markets, queues = sorted(own["market"].unique()), sorted(own["queue"].unique())
    for market, queue in itertools.product([*markets, "ALL"], [*queues, "ALL"]):
        place = own
        if market != "ALL":
            place = place[place["market"] == market]
        if queue != "ALL":
            place = place[place["queue"] == queue]
        for vendor in sorted(place["vendor"].unique()):
            estimate, n = _adjusted(place, vendor)
            rows.append(
                {
                    "market": market,
                    "queue": queue,
                    "subject_kind": "vendor",
                    "subject": vendor,
                    "metric": "defect_rate_adjusted",
                    "reference_kind": "qa",
                    "estimate": estimate,
                    "n_items": n,
                }
            )
    return pd.DataFrame(rows, columns=COLUMNS)


def _adjusted(place: pd.DataFrame, vendor: str) -> tuple[float, int]:
    """Rate and reviews of one vendor of a roll-up."""
    mine = place[place["vendor"] == vendor]
    if set(place["vendor"]) == {vendor}:
        return float(mine["defects"].sum() / mine["weight"].sum()), int(mine["n"].sum())
    if len(place[["market", "queue"]].drop_duplicates()) == 1:
        return float(mine["defects"].sum() / mine["weight"].sum()), int(mine["n"].sum())
    compared = place[place["vendors"] > 1]
    mine = compared[compared["vendor"] == vendor]
    if mine.empty:
        return float("nan"), 0
    observed = mine["defects"].sum()
    expected = (mine["weight"] * mine["rate_of_all"]).sum()
    centre = compared["defects"].sum() / compared["weight"].sum()
    if centre == 0:
        return 0.0, int(mine["n"].sum())
    if expected == 0:
        return float("nan"), int(mine["n"].sum())
    return float(centre * observed / expected), int(mine["n"].sum())
