"""`marts.lot_decisions` once more from the landed rows, with an excerpt of ISO 2859-1's tables typed from print.

Naive pandas and loops: it shares no code with the product. The plans are those of AQL 4.0 and level II, the default.
"""

from collections import Counter
from hashlib import md5
from typing import Any

import pandas as pd

from qa_pipeline_tests.recomputed.judged import weights

# Largest lot size: sample size and acceptance number under normal and under tightened inspection. ISO 2859-1, tables 1,
# 2-A and 2-B at AQL 4.0, arrows followed; rejection numbers as printed in MIL-STD-105E are one more.
PLANS = (
    (8, (3, 0), (5, 0)),
    (15, (3, 0), (5, 0)),
    (25, (3, 0), (5, 0)),
    (50, (13, 1), (20, 1)),
    (90, (13, 1), (20, 1)),
    (150, (20, 2), (20, 1)),
    (280, (32, 3), (32, 2)),
    (500, (50, 5), (50, 3)),
    (1_200, (80, 7), (80, 5)),
    (3_200, (125, 10), (125, 8)),
    (10_000, (200, 14), (200, 12)),
    (35_000, (315, 21), (315, 18)),
    (float("inf"), (315, 21), (315, 18)),
)
LOT = ["business_date", "market", "queue", "vendor", "batch_id"]
SHARES = {"accept": "lots_accepted_share", "reject": "lots_rejected_share", "open": "lots_open_share"}
COLUMNS = ["market", "queue", "subject_kind", "subject", "metric", "reference_kind", "estimate", "n_items"]
PERIOD = ["period", "period_start", "period_end"]
EXTRA = ["lot_size", "defects", "decision", "inspection"]


def recompute(feeds: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Rows about lots (period day) and vendors (period all); those about lots also say what EXTRA says."""
    labels = feeds["labels"]
    if labels.empty:
        return pd.DataFrame(columns=COLUMNS + PERIOD + EXTRA)
    batch = labels["batch_id"].fillna("") if "batch_id" in labels else ""
    labels = labels.assign(batch_id=batch)
    labels = labels[(labels["stage"] == "production") & (labels["batch_id"] != "")]
    reviews = _first_reviews(feeds["reviews"], labels)
    lots = [
        _lot(lot, group, reviews=reviews[reviews["label_id"].isin(group["label_id"])])
        for lot, group in labels.groupby(LOT, sort=True)
    ]
    _forbid(lots)
    _decide(lots)
    dates = {day for name in ("labels", "predictions") for day in feeds[name].get("business_date", [])}
    return pd.DataFrame(_lot_rows(lots) + _vendor_rows(lots, min(dates), max(dates)), columns=COLUMNS + PERIOD + EXTRA)


def _first_reviews(reviews: pd.DataFrame, labels: pd.DataFrame) -> pd.DataFrame:
    """The first random review of each of these decisions."""
    columns = ["label_id", "place", "error_category", "weight"]
    if reviews.empty:
        return pd.DataFrame(columns=columns)
    chosen = reviews[(reviews["target_kind"] == "label") & (reviews["sampling"] == "random")]
    keys = labels[["label_id", "annotator_id", "item_id", "market", "queue", "business_date"]]
    found = chosen.merge(keys, left_on="target_id", right_on="label_id", suffixes=("", "_label"))
    is_right = (found["business_date"] >= found["business_date_label"]) & (
        found["reviewer_id"] != found["annotator_id"]
    )
    for name in ("item_id", "market", "queue"):
        is_right &= found[name] == found[f"{name}_label"]
    found = found[is_right].sort_values(["reviewed_at", "business_date"], kind="stable").drop_duplicates("label_id")
    hashed = [md5(each.encode(), usedforsecurity=False).hexdigest() for each in found["label_id"]]
    return found.assign(place=hashed, weight=weights(found["inclusion_probability"]))[columns]


def _lot(lot: tuple[Any, ...], decisions: pd.DataFrame, *, reviews: pd.DataFrame) -> dict[str, Any]:
    ordered = reviews.sort_values(["place", "label_id"])
    weights = list(ordered["weight"])
    return dict(zip(LOT, lot, strict=True)) | {
        "size": len(decisions),
        "defects": [category != "none" for category in ordered["error_category"]],
        "weights": weights,
        "is_unequal": bool(weights) and max(weights) > min(weights) * (1 + 1e-9),
    }


def _forbid(lots: list[dict[str, Any]]) -> None:
    """No decision where some lot of the market and queue was reviewed with unequal chances, up to 28 days before."""
    unequal = [lot for lot in lots if lot["is_unequal"]]
    for lot in lots:
        lot["is_decidable"] = not any(
            (other["market"], other["queue"]) == (lot["market"], lot["queue"])
            and 0 <= (lot["business_date"] - other["business_date"]).days <= 28
            for other in unequal
        )


def _decide(lots: list[dict[str, Any]]) -> None:
    """Decisions in the order of date and batch, with the inspection that each series has come to."""
    states: dict[tuple[str, ...], dict[str, Any]] = {}
    for lot in sorted(lots, key=lambda each: (each["business_date"], each["batch_id"])):
        fresh = {"inspection": "normal", "newest": [], "rejected": 0}
        state = states.setdefault((lot["market"], lot["queue"], lot["vendor"]), fresh)
        lot["inspection"] = state["inspection"]
        lot["decision"] = _decision(lot)
        if lot["decision"] in ("accept", "reject"):
            _switch(state, is_accepted=lot["decision"] == "accept")


def _decision(lot: dict[str, Any]) -> str | None:
    if not lot["is_decidable"]:
        return None
    normal, tightened = next(row[1:] for row in PLANS if lot["size"] <= row[0])
    n, accept = normal if lot["inspection"] == "normal" else tightened
    n = min(n, lot["size"])
    sample = lot["defects"][:n]
    missing = n - len(sample)
    if sum(sample) > accept:
        return "reject"
    return "accept" if sample and sum(sample) + missing <= accept else "continue"


def _switch(state: dict[str, Any], *, is_accepted: bool) -> None:
    if state["inspection"] == "discontinued":
        state.update(inspection="tightened", newest=[], rejected=0)
    state["newest"] = [*state["newest"], is_accepted][-5:]
    state["rejected"] += not is_accepted
    if state["inspection"] == "normal" and state["newest"].count(False) >= 2:
        state.update(inspection="tightened", newest=[], rejected=0)
    elif state["inspection"] == "tightened" and state["newest"] == [True] * 5:
        state.update(inspection="normal", newest=[], rejected=0)
    elif state["inspection"] == "tightened" and state["rejected"] == 5:
        state.update(inspection="discontinued")


def _lot_rows(lots: list[dict[str, Any]]) -> list[dict[str, Any]]:
    rows = []
    for lot in lots:
        weighted = [weight * defect for weight, defect in zip(lot["weights"], lot["defects"], strict=True)]
        row = {name: lot[name] for name in ("market", "queue", "decision", "inspection")}
        row |= {"subject_kind": "lot", "subject": f"{lot['vendor']}/{lot['batch_id']}", "metric": "defect_rate"}
        row |= {"period": "day", "period_start": lot["business_date"], "period_end": lot["business_date"]}
        row |= {"reference_kind": "qa", "n_items": len(weighted), "lot_size": lot["size"]}
        row["defects"] = sum(lot["defects"])
        row["estimate"] = sum(weighted) / sum(lot["weights"]) if weighted else None
        rows.append(row)
    return rows


def _vendor_rows(lots: list[dict[str, Any]], first: Any, last: Any) -> list[dict[str, Any]]:
    counts: dict[tuple[str, ...], Counter[str]] = {}
    for lot in lots:
        outcome = lot["decision"] if lot["decision"] in ("accept", "reject") else "open"
        for market in (lot["market"], "ALL"):
            for queue in (lot["queue"], "ALL"):
                counts.setdefault((market, queue, lot["vendor"]), Counter())[outcome] += 1
    rows = []
    for (market, queue, vendor), counted in counts.items():
        for outcome, metric in SHARES.items():
            is_known = outcome == "open" or counted["open"] < counted.total()
            row: dict[str, Any] = {
                "market": market,
                "queue": queue,
                "subject_kind": "vendor",
                "subject": vendor,
                "metric": metric,
            }
            row |= {"reference_kind": "qa", "period": "all", "period_start": first, "period_end": last}
            row["estimate"] = counted[outcome] / counted.total() if is_known else None
            rows.append(row | {"n_items": counted.total()})
    return rows
