"""`marts.review_plan` from the landed rows: what must hold of it, without doing the allocation again.

The takes are an optimum over whole numbers, so a second implementation would be the same algorithm. What is recomputed
per annotator, market and queue is what they stand on: the cells and the reviews of each stratum. `faults` checks the
takes of a finished plan.
"""

import pandas as pd

DAYS = 28
# The estimate, a take, is checked by `faults`.
KEY = ["market", "queue", "vendor", "annotator_id"]


def recompute(feeds: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """A row per cell of the newest date, with its `decisions` and, as n_items, the reviews of its stratum."""
    labels, reviews = _decisions(feeds["labels"]), _reviews(feeds)
    if labels.empty:
        return pd.DataFrame()
    newest = labels["business_date"].max()
    own = labels[labels["business_date"] == newest]
    recent = reviews[reviews["business_date"] > newest - pd.Timedelta(days=DAYS)]
    sizes = own.groupby(KEY).size().rename("decisions").reset_index()
    # The vendor of most decisions, the first by name of several.
    sizes = sizes.sort_values(["market", "queue", "annotator_id", "decisions", "vendor"], ascending=[1, 1, 1, 0, 1])
    cells = sizes.groupby(["market", "queue", "annotator_id"], as_index=False).agg(
        vendor=("vendor", "first"), decisions=("decisions", "sum")
    )
    made = recent.groupby(["market", "queue", "vendor"]).size().rename("n_items").reset_index()
    cells = cells.merge(made, how="left", on=["market", "queue", "vendor"]).fillna({"n_items": 0})
    cells["n_items"] = cells["n_items"].astype(int)
    named: pd.DataFrame = cells.rename(columns={"annotator_id": "subject"})
    return named.assign(
        period="day",
        period_start=newest,
        period_end=newest,
        subject_kind="annotator",
        metric="reviews",
        reference_kind="",
    ).drop(columns="vendor")


def faults(feeds: dict[str, pd.DataFrame], plan: pd.DataFrame) -> list[str]:
    """What is wrong with the rows of a finished plan; empty if nothing is."""
    return _pool_faults(plan, budget=_budget(feeds))


def _budget(feeds: dict[str, pd.DataFrame]) -> int:
    """Reviews of a plan without `reviews_per_day`: the mean of days with decisions up to the newest reviewed."""
    labels, reviews = _decisions(feeds["labels"]), _reviews(feeds)
    since = labels["business_date"].max() - pd.Timedelta(days=DAYS)
    recent = reviews[reviews["business_date"] > since]
    if recent.empty:
        return 1
    days = labels.loc[labels["business_date"] > since, "business_date"].drop_duplicates()
    days = days[days <= recent["business_date"].max()]
    return max(int(len(recent) / len(days) + 0.5), 1)


def _pool_faults(plan: pd.DataFrame, *, budget: int) -> list[str]:
    pools = plan.groupby("pool").agg(
        take=("estimate", "first"),
        size=("pool_size", "first"),
        chance=("inclusion_probability", "first"),
        decisions=("decisions", "sum"),
        takes=("estimate", "nunique"),
    )
    faults = []
    if (pools["takes"] != 1).any():
        faults.append("a pool with two takes")
    if (pools["decisions"] != pools["size"]).any():
        faults.append("a pool is not the sum of its cells")
    if pools["take"].sum() != min(budget, pools["size"].sum()):
        faults.append("the takes do not add up to the budget")
    drawn = pools[pools["take"] > 0]
    if ((drawn["take"] / drawn["chance"] - drawn["size"]).abs() > 1e-6).any():
        faults.append("take / chance is not the size of the pool")
    return faults


def _decisions(labels: pd.DataFrame) -> pd.DataFrame:
    if labels.empty:
        return labels
    rows = labels[labels["stage"] == "production"]
    return rows.assign(business_date=pd.to_datetime(rows["business_date"]))


def _reviews(feeds: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Production decisions with a random review, on their own date."""
    labels, reviews = _decisions(feeds["labels"]), feeds["reviews"]
    decisions = labels[["label_id", "market", "queue", "vendor", "business_date"]] if len(labels) else pd.DataFrame()
    if reviews.empty or decisions.empty:
        return pd.DataFrame(
            {"business_date": pd.Series(dtype="datetime64[ns]"), "market": [], "queue": [], "vendor": []}
        )
    chosen = reviews[(reviews["sampling"] == "random") & (reviews["target_kind"] == "label")]
    return chosen[["target_id"]].drop_duplicates().merge(decisions, left_on="target_id", right_on="label_id")
