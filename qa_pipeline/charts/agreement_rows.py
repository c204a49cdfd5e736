"""Rows about who agrees with whom and why not, of one market: each mart read once, sorted by queue."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from qa_pipeline.charts.naming import CROSS
from qa_pipeline.charts.reading import Mart, MartRow, Reader, by_queue, newest_only

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

    def over(period: str, mart: Mart, metrics: Sequence[str], kinds: Sequence[str]) -> list[MartRow]:
        return reader.mart(mart, metrics=metrics, subject_kinds=kinds, periods=[period], markets=[market], since=first)

    def newest(mart: Mart, metrics: Sequence[str], kinds: Sequence[str], *more: str) -> ByQueue:
        """The newest 28 days. Another tally may reach a day further than the page, so one window each."""
        rows = reader.mart(
            mart,
            metrics=metrics,
            subject_kinds=kinds,
            periods=["trailing_28d"],
            markets=[market, *more],
            since=last,
        )
        return by_queue(newest_only(row for row in rows if row.n_items))

    groups, raters = ["pool", "vendor", "model_version"], ["rater_kind", "vendor"]
    return AgreementRows(
        whom=newest("agreement", COEFFICIENTS, groups, CROSS),
        changes=by_queue(over("week", "agreement_change", [CHANGE], groups)),
        confusions=newest("confusion_pairs", [SHARE, GAIN], ["label_pair"]),
        vitality=newest("rater_vitality", ["vitality"], ["annotator", "vendor"]),
        repeats=newest("self_consistency", ["self_consistency"], raters),
        suggestions=newest("anchoring", ["anchoring", "suggestion_agreement"], raters),
        sessions=by_queue(over("day", "calibration", SESSION_METRICS, ["pool", "vendor"])),
    )
