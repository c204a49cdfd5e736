"""Rows about defects, control, known answers and lots of one market: each mart read once, sorted by queue."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from qa_pipeline.charts import defect_types, truth
from qa_pipeline.charts.agreement_rows import ByQueue
from qa_pipeline.charts.alarms import SUBJECT_KINDS
from qa_pipeline.charts.quality_rows import (
    ControlPoint,
    DoubtfulKey,
    FunnelRow,
    Lot,
    Signal,
    by_queue_of,
    read_doubtful_keys,
    read_funnel,
    read_lots,
    read_points,
    read_signals,
)
from qa_pipeline.charts.reading import Reader, by_queue, newest_only


@dataclass(frozen=True)
class QualityRows:
    """What the marts of defects and control say of a market, by queue (`ALL` too where there is such a row).

    `types` are defects by sort and the corrected rate, `qa` how well QA judges, `gold` the health of known answers with
    `keys` that are perhaps wrong, `funnel` the vendors beside each other: all of the newest 28 days. `points` and
    `signals` are of every day shown, `lots` too.
    """

    points: Mapping[str, list[ControlPoint]]
    signals: Mapping[str, list[Signal]]
    funnel: Mapping[str, list[FunnelRow]]
    types: ByQueue
    qa: ByQueue
    gold: ByQueue
    keys: Mapping[str, list[DoubtfulKey]]
    lots: Mapping[str, list[Lot]]


def read_quality(reader: Reader, *, market: str, first: date, last: date) -> QualityRows:
    """Read what a market's page shows of defects and control; `first` and `last` are its days."""
    markets, window = [market], ["trailing_28d"]
    types = reader.mart(
        "defect_rate",
        metrics=[*defect_types.METRICS, truth.CORRECTED],
        subject_kinds=["rater_kind"],
        periods=window,
        markets=markets,
        since=last,
    )
    qa = reader.mart(
        "qa_accuracy",
        metrics=truth.QA_METRICS,
        subject_kinds=["target_kind"],
        periods=window,
        markets=markets,
        since=first,
    )
    gold = reader.mart(
        "gold_health",
        metrics=truth.GOLD_METRICS,
        subject_kinds=["rater_kind", "label"],
        periods=window,
        markets=markets,
        since=last,
    )
    return QualityRows(
        points=by_queue_of(read_points(reader, subject_kinds=SUBJECT_KINDS, since=first, markets=markets)),
        signals=by_queue_of(read_signals(reader, subject_kinds=SUBJECT_KINDS, since=first, markets=markets)),
        funnel=by_queue_of(read_funnel(reader, periods=window, since=first, markets=markets)),
        types=by_queue(newest_only(row for row in types if row.subject == "human")),
        qa=by_queue(newest_only(row for row in qa if row.subject == "label")),
        gold=by_queue(newest_only(row for row in gold if row.subject_kind == "label" or row.subject == "human")),
        keys=by_queue_of(read_doubtful_keys(reader, since=last, markets=markets)),
        lots=by_queue_of(read_lots(reader, since=first, markets=markets)),
    )
