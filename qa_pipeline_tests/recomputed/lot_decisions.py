"""`marts.lot_decisions` once more from the landed rows, with an excerpt of ISO 2859-1's tables typed from print.

Naive pandas and loops: it shares no code with the product. The plans are those of AQL 4.0 and level II, the default.
"""

from collections import Counter
from datetime import timedelta
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
    reviews = _thinned(reviews)
    lots = [
        _lot(lot, group, reviews=reviews[reviews["label_id"].isin(group["label_id"])])
        for lot, group in labels.groupby(LOT, sort=True)
    ]
    _decide(lots)
    dates = {day for name in ("labels", "predictions") for day in feeds[name].get("business_date", [])}
    return pd.DataFrame(_lot_rows(lots) + _vendor_rows(lots, min(dates), max(dates)), columns=COLUMNS + PERIOD + EXTRA)


def _first_reviews(reviews: pd.DataFrame, labels: pd.DataFrame) -> pd.DataFrame:
    """The first random review of each of these decisions."""
    columns = [*LOT[:4], "label_id", "reviewed_on", "reviewed_at", "hash", "error_category", "chance"]
    if reviews.empty:
        return pd.DataFrame(columns=columns)
    chosen = reviews[(reviews["target_kind"] == "label") & (reviews["sampling"] == "random")]
    keys = labels[["label_id", "annotator_id", "item_id", "market", "queue", "business_date", "vendor"]]
    found = chosen.merge(keys, left_on="target_id", right_on="label_id", suffixes=("", "_label"))
    is_right = (found["business_date"] >= found["business_date_label"]) & (
        found["reviewer_id"] != found["annotator_id"]
    )
    for name in ("item_id", "market", "queue"):
        is_right &= found[name] == found[f"{name}_label"]
    found = found[is_right].sort_values(["business_date", "reviewed_at"], kind="stable").drop_duplicates("label_id")
    return found.assign(
        reviewed_on=found["business_date"],
        business_date=found["business_date_label"],
        hash=[_hash(each) for each in found["label_id"]],
        chance=found["inclusion_probability"].astype(float),
    )[columns]


def _hash(text: str) -> str:
    return md5(text.encode(), usedforsecurity=False).hexdigest()


def _thinned(reviews: pd.DataFrame) -> pd.DataFrame:
    """With `is_sampled`, of which every decision had the same chance, and `is_decidable`, whether that could be had."""
    sampled, decidable = pd.Series(data=False, index=reviews.index), pd.Series(data=True, index=reviews.index)
    for _, group in reviews.groupby(LOT[:4]):
        chances = group["chance"]
        if chances.isna().any() and chances.notna().any():
            decidable[group.index] = False
            continue
        keep = (chances.min() / chances).fillna(1.0)
        uniform = [int(_hash(f"lot|{each}")[:15], 16) % 1_000_000 / 1_000_000 for each in group["label_id"]]
        sampled[group.index] = uniform < keep
    return reviews.assign(is_sampled=sampled, is_decidable=decidable, weight=weights(reviews["chance"]))


def _lot(lot: tuple[Any, ...], decisions: pd.DataFrame, *, reviews: pd.DataFrame) -> dict[str, Any]:
    ordered = reviews.sort_values(["reviewed_on", "reviewed_at", "hash"])
    sampled = ordered[ordered["is_sampled"].astype(bool)]
    return dict(zip(LOT, lot, strict=True)) | {
        "size": len(decisions),
        "defects": [category != "none" for category in ordered["error_category"]],
        "weights": list(ordered["weight"]),
        "sample": [category != "none" for category in sampled["error_category"]],
        "sample_days": list(sampled["reviewed_on"]),
        "is_decidable": bool(ordered["is_decidable"].all()),
    }


def _decide(lots: list[dict[str, Any]]) -> None:
    """Day by day: lots of the day come under the inspection that lots settled before have led their series to."""
    if not lots:
        return
    lots = sorted(lots, key=lambda each: (each["business_date"], each["batch_id"]))
    states: dict[tuple[str, ...], dict[str, Any]] = {}
    open_lots: list[dict[str, Any]] = []
    day = lots[0]["business_date"]
    while day <= lots[-1]["business_date"]:
        for lot in sorted(open_lots, key=lambda each: each["settled_on"]):
            if lot["settled_on"] < day:
                _switch(states[_series(lot)], lot)
        open_lots = [lot for lot in open_lots if lot["settled_on"] >= day]
        for lot in lots:
            if lot["business_date"] == day:
                fresh = {"inspection": "normal", "newest": [], "rejected": 0, "switches": 0}
                state = states.setdefault(_series(lot), fresh)
                lot["inspection"], lot["switches"] = state["inspection"], state["switches"]
                lot["decision"], lot["settled_on"] = _decision(lot)
                if lot["decision"] in ("accept", "reject"):
                    open_lots.append(lot)
        day += timedelta(days=1)


def _series(lot: dict[str, Any]) -> tuple[str, ...]:
    return lot["market"], lot["queue"], lot["vendor"]


def _decision(lot: dict[str, Any]) -> tuple[str | None, Any]:
    """Decision and the date of the review that settled it, by adding review after review."""
    if not lot["is_decidable"]:
        return None, None
    normal, tightened = next(row[1:] for row in PLANS if lot["size"] <= row[0])
    n, accept = normal if lot["inspection"] == "normal" else tightened
    n = min(n, lot["size"])
    for made in range(1, min(n, len(lot["sample"])) + 1):
        found = sum(lot["sample"][:made])
        if found > accept:
            return "reject", lot["sample_days"][made - 1]
        if found + n - made <= accept:
            return "accept", lot["sample_days"][made - 1]
    return "continue", None


def _switch(state: dict[str, Any], lot: dict[str, Any]) -> None:
    """Take in a lot that was settled; one made before the last switch says nothing any more."""
    if lot["switches"] != state["switches"]:
        return
    is_accepted = lot["decision"] == "accept"
    if state["inspection"] == "discontinued":
        state["inspection"] = "tightened"
    state["newest"] = [*state["newest"], is_accepted][-5:]
    state["rejected"] += not is_accepted
    switched = None
    if state["inspection"] == "normal" and state["newest"].count(False) >= 2:
        switched = "tightened"
    elif state["inspection"] == "tightened" and state["newest"] == [True] * 5:
        switched = "normal"
    elif state["inspection"] == "tightened" and state["rejected"] == 5:
        switched = "discontinued"
    if switched:
        state.update(inspection=switched, newest=[], rejected=0, switches=state["switches"] + 1)


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
