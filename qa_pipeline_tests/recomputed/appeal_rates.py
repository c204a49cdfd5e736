"""marts.appeal_rates once more, from landed rows with plain pandas, for period all.

Nothing of the pipeline is used. overturn_rate_all has no estimate. Where the mart says `contradicted` or
`no_comparison` it has none either, and here there is one.
"""

from itertools import product

import numpy as np
import pandas as pd

from qa_pipeline_tests.recomputed.defect_rate import recompute as corrected

COLUMNS = ["market", "queue", "subject_kind", "subject", "metric", "reference_kind", "estimate", "n_items"]
CORRECTED = ("rater_kind", "vendor")
KINDS = {"rater_kind": "rater_kind", "vendor": "vendor", "label": "label", "model_label": "label"}


def recompute(feeds: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Rows of period all: COLUMNS, one a market x queue (or ALL), subject, metric and reference_kind."""
    decided = _decisions(feeds["labels"], feeds["predictions"])
    appeals = _appeals(feeds["appeals"], feeds["labels"], feeds["predictions"])
    rows: list[tuple[object, ...]] = []
    rates = corrected(feeds)
    rates = rates[rates["metric"] == "defect_rate_corrected"]
    wrong = rates.set_index(["market", "queue", "subject_kind", "subject"])["estimate"].to_dict()
    if appeals.empty:
        return pd.DataFrame(columns=COLUMNS)
    markets, queues = ([*sorted(decided[name].unique()), "ALL"] for name in ("market", "queue"))
    for market, queue, (kind, column) in product(markets, queues, KINDS.items()):
        parts = [_about(_in(each, market, queue), kind) for each in (decided, appeals)]
        with_appeals = set(parts[1]["rater_kind"])
        chosen = [part[part["rater_kind"].isin(with_appeals)] for part in parts]
        for subject in sorted(set(chosen[0][column]) | set(chosen[1][column])):
            own = [part[part[column] == subject] for part in chosen]
            rate = wrong.get((market, queue, kind, subject), np.nan)
            for metric, reference, estimate, n in _figures(own[0], own[1], rate):
                if reference == "qa" and kind not in CORRECTED:
                    continue
                rows.append((market, queue, kind, subject, metric, reference, estimate, n))
    return pd.DataFrame(rows, columns=COLUMNS)


def _figures(decided: pd.DataFrame, appeals: pd.DataFrame, wrong: float) -> list[tuple[str, str, float, int]]:
    n = len(decided)
    last = appeals[appeals["is_last"]]
    low = last["is_overturned"].sum() / n if n else np.nan
    high = (last["is_overturned"].sum() + n - len(last)) / n if n else np.nan
    narrowed = np.nan if np.isnan(wrong) else max(wrong, low) if wrong < high else high
    return [
        ("overturn_rate", "", appeals["is_overturned"].mean() if len(appeals) else np.nan, len(appeals)),
        ("appeal_rate", "", len(last) / n if n else np.nan, n),
        ("overturn_at_least", "", low, n),
        ("overturn_at_most", "", high, n),
        ("overturn_at_most", "qa", narrowed, n),
        ("overturn_rate_all", "", np.nan, n),
        ("overturn_rate_all", "qa", np.nan, n),
    ]


def _about(rows: pd.DataFrame, kind: str) -> pd.DataFrame:
    if kind == "rater_kind":
        return rows
    if kind == "model_label":
        return rows[rows["rater_kind"] == "model"]
    humans = rows[rows["rater_kind"] == "human"]
    return humans[humans["vendor"] != ""] if kind == "vendor" else humans


def _in(rows: pd.DataFrame, market: str, queue: str) -> pd.DataFrame:
    return rows[((market == "ALL") | (rows["market"] == market)) & ((queue == "ALL") | (rows["queue"] == queue))]


def _targets(labels: pd.DataFrame, predictions: pd.DataFrame) -> pd.DataFrame:
    """Production labels and all predictions: target_kind, target_id, rater_kind, vendor, label, market, queue."""
    parts = []
    if len(labels):
        ours = labels[labels["stage"] == "production"]
        parts.append(ours.assign(target_kind="label", target_id=ours["label_id"], rater_kind="human", chosen=True))
    if len(predictions):
        ids = predictions["prediction_id"]
        chosen = predictions["is_decision"].astype(str).str.lower() == "true"
        parts.append(predictions.assign(target_kind="prediction", target_id=ids, rater_kind="model", chosen=chosen))
    names = ["target_kind", "target_id", "rater_kind", "vendor", "label", "market", "queue", "chosen"]
    return pd.concat([part.assign(vendor=part.get("vendor", ""))[names] for part in parts], ignore_index=True)


def _decisions(labels: pd.DataFrame, predictions: pd.DataFrame) -> pd.DataFrame:
    targets = _targets(labels, predictions)
    return targets[targets["chosen"]]


def _appeals(appeals: pd.DataFrame, labels: pd.DataFrame, predictions: pd.DataFrame) -> pd.DataFrame:
    if appeals.empty:
        return appeals
    found = appeals.drop(columns=["market", "queue"]).merge(
        _targets(labels, predictions).drop(columns="label"), on=["target_kind", "target_id"]
    )
    found["label"] = found["original_label"]
    found["is_overturned"] = found["outcome"].isin(["overturned", "partial"])
    found = found.sort_values(["business_date", "filed_at"], kind="stable")
    found["is_last"] = ~found.duplicated(["target_kind", "target_id"], keep="last")
    return found
