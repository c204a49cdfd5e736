"""Rows of the marts that have columns of their own: control charts, signals, funnels, lots, keys. No judgement.

A mart that is absent or empty gives no rows.
"""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any, NamedTuple, Protocol, TypeVar

from qa_pipeline.charts.reading import MartRow, Reader, mart_query, wanted


class ControlPoint(NamedTuple):
    """One day of one control chart: `row.metric` is the chart, `row.estimate` the plotted value.

    `phase` is baseline, monitored or no_baseline; `direction` worse, better or empty; `patterns` Nelson's run rules
    that the day completes, never alarms. `baseline_days` are those that the chart's baseline has so far.
    """

    row: MartRow
    phase: str
    centre: float | None
    lower: float | None
    upper: float | None
    p_value: float | None
    p_adjusted: float | None
    direction: str
    is_alarm: bool
    patterns: str
    baseline_days: int


class Signal(NamedTuple):
    """What a control chart noticed on one day: `row.metric` is the rule; run rules are never alarms.

    `change_date` lies between `change_from` and `change_to`; all are None where it is not known. `rate_since` is the
    defect rate from then on.
    """

    row: MartRow
    is_alarm: bool
    direction: str
    p_value: float | None
    p_adjusted: float | None
    centre: float | None
    change_date: date | None
    change_from: date | None
    change_to: date | None
    rate_since: float | None
    action: str


class FunnelRow(NamedTuple):
    """A vendor in a funnel: its rate adjusted for the mix of its decisions, and where it lies by the limits.

    `overdispersion` widens the limits; `position` is empty where the vendor is not judged.
    """

    row: MartRow
    effective_n: float | None
    centre: float | None
    overdispersion: float | None
    position: str


class Lot(NamedTuple):
    """A lot, its plan, what was found in its sample, what is decided, and what it means to be wrong about it.

    Decisions are accept, reject or continue, or empty with a `decision_reason`; `decision` binds. `sampled` counts the
    reviews that the plan may use, `sample_defects` the defects of as many as it asks for, `defects` those of all
    reviews.
    """

    row: MartRow
    vendor: str
    inspection: str
    code_letter: str
    lot_size: int
    sample_size: int
    accept_number: int
    sampled: int
    defects: int
    sample_defects: int
    decision: str
    sequential_decision: str
    decision_reason: str
    producer_risk: float | None
    consumer_risk: float | None
    needless_reviews: float | None
    passed_defects: float | None
    quality_accepted_95: float | None
    quality_accepted_50: float | None
    quality_accepted_10: float | None


class DoubtfulKey(NamedTuple):
    """An item with a known answer (`row.reference_kind`) and the label that good annotators chose in its place."""

    row: MartRow
    alternative_label: str
    suspected: bool


_KEY_QUERY = mart_query("gold_health", ["coalesce(alternative_label, '')", "coalesce(suspected, false)"])
_POINT_QUERY = mart_query(
    "control_chart",
    [
        *("phase", "centre", "lower_limit", "upper_limit", "p_value", "p_adjusted"),
        *("coalesce(direction, '')", "coalesce(is_alarm, false)", "coalesce(patterns, '')"),
        "baseline_days",
    ],
)
_SIGNAL_QUERY = mart_query(
    "signals",
    [
        *("coalesce(is_alarm, false)", "coalesce(direction, '')", "p_value", "p_adjusted", "centre"),
        *("change_date", "change_from", "change_to", "rate_since", "coalesce(action, '')"),
    ],
)
_FUNNEL_QUERY = mart_query(
    "vendor_funnel",
    ["effective_n", "centre", "overdispersion", "coalesce(position, '')"],
)
_LOT_QUERY = mart_query(
    "lot_decisions",
    [
        *("vendor", "inspection", "code_letter", "lot_size", "sample_size", "accept_number", "sampled", "defects"),
        *("sample_defects", "coalesce(decision, '')", "coalesce(sequential_decision, '')"),
        *("coalesce(decision_reason, '')", "producer_risk", "consumer_risk", "needless_reviews", "passed_defects"),
        *("quality_accepted_95", "quality_accepted_50", "quality_accepted_10"),
    ],
)
CHARTS = ("p_chart", "g_chart", "ewma")
ALARM_RULES = ("rule_1", "ewma")
RULES = (*ALARM_RULES, "nelson_2", "nelson_3", "nelson_4")


class _HasRow(Protocol):
    @property
    def row(self) -> MartRow: ...


WithRow = TypeVar("WithRow", bound=_HasRow)
_SHARED = len(MartRow._fields) - 1


def read_points(
    reader: Reader, *, subject_kinds: Sequence[str], since: date, markets: Sequence[str] | None = None
) -> list[ControlPoint]:
    """Days of control charts, in order of time."""
    asked = wanted(CHARTS, subject_kinds, periods=["day"], markets=markets, since=since)
    found = reader.rows(_POINT_QUERY, needs=["marts.control_chart"], parameters=asked)
    return [ControlPoint(*_split(row)) for row in found]


def read_signals(
    reader: Reader,
    *,
    subject_kinds: Sequence[str],
    since: date,
    rules: Sequence[str] = ALARM_RULES,
    markets: Sequence[str] | None = None,
) -> list[Signal]:
    """What control charts noticed, in order of time."""
    asked = wanted(rules, subject_kinds, periods=["day"], markets=markets, since=since)
    return [Signal(*_split(row)) for row in reader.rows(_SIGNAL_QUERY, needs=["marts.signals"], parameters=asked)]


def read_funnel(
    reader: Reader, *, periods: Sequence[str], since: date, markets: Sequence[str] | None = None
) -> list[FunnelRow]:
    """Vendors with their funnel limits, in order of time."""
    asked = wanted(["defect_rate_adjusted"], ["vendor"], periods=periods, markets=markets, since=since)
    found = reader.rows(_FUNNEL_QUERY, needs=["marts.vendor_funnel"], parameters=asked)
    return [FunnelRow(*_split(row)) for row in found]


def read_lots(reader: Reader, *, since: date, markets: Sequence[str] | None = None) -> list[Lot]:
    """Lots of the days from `since` on, in order of time."""
    asked = wanted(["defect_rate"], ["lot"], periods=["day"], markets=markets, since=since)
    found = reader.rows(_LOT_QUERY, needs=["marts.lot_decisions"], parameters=asked)
    return [Lot(*_split(row)) for row in found]


def read_doubtful_keys(reader: Reader, *, since: date, markets: Sequence[str] | None = None) -> list[DoubtfulKey]:
    """Items whose key most good annotators would not choose, in the 28 days to each day from `since` on."""
    asked = wanted(["disagreement_with_key"], ["item"], periods=["trailing_28d"], markets=markets, since=since)
    found = reader.rows(_KEY_QUERY, needs=["marts.gold_health"], parameters=asked)
    return [key for key in (DoubtfulKey(*_split(row)) for row in found) if key.suspected]


def by_queue_of(found: Iterable[WithRow]) -> dict[str, list[WithRow]]:
    """What has a row by its queue, in its order."""
    queues: dict[str, list[WithRow]] = {}
    for one in found:
        queues.setdefault(one.row.queue, []).append(one)
    return queues


def _split(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """The common columns as one row, then the others."""
    return (MartRow(*row[:_SHARED]), *row[_SHARED:])
