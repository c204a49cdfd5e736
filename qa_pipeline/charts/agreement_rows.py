"""Rows about who agrees with whom and why not, of one market: each mart read once, sorted by queue."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from qa_pipeline.charts.naming import CROSS
from qa_pipeline.charts.reading import MartRow, Reader, by_queue

ByQueue = Mapping[str, list[MartRow]]
# The coefficient that speaks: alpha, or AC1 where queues with different scales are rolled up.
COEFFICIENTS = ("krippendorff_alpha", "gwet_ac1")
CHANGE = "change_krippendorff_alpha"
SHARE, GAIN = "share_of_disagreement", "alpha_gain_if_merged"
_SESSION = ("session", "before", "after", "change")
SESSION_METRICS = [f"{part}_{metric}" for part in _SESSION for metric in ("krippendorff_alpha", "percent_agreement")]


@dataclass(frozen=True)
class AgreementRows:
    """What the marts of agreement say of a market, by queue (`ALL` too where there is such a row).

    `whom`: coefficients of pools, vendors and model versions, newest 28 days, and those across markets. `changes`:
    weeks against the four weeks before. `confusions`, `vitality`, `repeats`, `suggestions`: newest 28 days.
    `sessions`: calibration sessions.
    """

    whom: ByQueue
    changes: ByQueue
    confusions: ByQueue
    vitality: ByQueue
    repeats: ByQueue
    suggestions: ByQueue
    sessions: ByQueue


def read_agreement(reader: Reader, *, market: str, first: date, last: date) -> AgreementRows:
    """Read what a market's page shows beside the trends, one query a mart; `first` and `last` are its days."""
    newest, raters = ["trailing_28d"], ["rater_kind", "vendor"]
    whom = reader.mart(
        "agreement",
        metrics=COEFFICIENTS,
        subject_kinds=["pool", "vendor", "model_version"],
        periods=newest,
        markets=[market, CROSS],
        since=last,
    )
    changes = reader.mart(
        "agreement_change",
        metrics=[CHANGE],
        subject_kinds=["pool", "vendor", "model_version"],
        periods=["week"],
        markets=[market],
        since=first,
    )
    confusions = reader.mart(
        "confusion_pairs",
        metrics=[SHARE, GAIN],
        subject_kinds=["label_pair"],
        periods=newest,
        markets=[market],
        since=last,
    )
    vitality = reader.mart(
        "rater_vitality",
        metrics=["vitality"],
        subject_kinds=["annotator", "vendor"],
        periods=newest,
        markets=[market],
        since=last,
    )
    repeats = reader.mart(
        "self_consistency",
        metrics=["self_consistency"],
        subject_kinds=raters,
        periods=newest,
        markets=[market],
        since=last,
    )
    suggestions = reader.mart(
        "anchoring",
        metrics=["anchoring", "suggestion_agreement"],
        subject_kinds=raters,
        periods=newest,
        markets=[market],
        since=last,
    )
    sessions = reader.mart(
        "calibration",
        metrics=SESSION_METRICS,
        subject_kinds=["pool", "vendor"],
        periods=["day"],
        markets=[market],
        since=first,
    )
    return AgreementRows(
        whom=by_queue(whom),
        changes=by_queue(changes),
        confusions=by_queue(confusions),
        vitality=by_queue(vitality),
        repeats=by_queue(row for row in repeats if row.n_items),
        suggestions=by_queue(row for row in suggestions if row.n_items),
        sessions=by_queue(sessions),
    )
