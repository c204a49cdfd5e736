"""Reads what the pages show: typed rows out of marts, tallies, ops and quarantine. Read-only queries, no judgement.

A table that is absent or empty gives no rows; the pages then say what is missing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal, NamedTuple, TypeVar, get_args

import duckdb

from qa_pipeline.marts.verdicts import VERDICT_MARTS

Parameters = dict[str, Any]
Mart = Literal[
    "agreement",
    "agreement_change",
    "rater_vitality",
    "confusion_pairs",
    "self_consistency",
    "anchoring",
    "calibration",
    "accuracy",
    "defect_rate",
    "drift",
    "qa_accuracy",
    "gold_health",
]
MARTS: tuple[Mart, ...] = get_args(Mart)
# Those that have every market, queue and day there is.
DAILY: tuple[Mart, ...] = ("agreement", "accuracy", "defect_rate", "drift")

_MART_SELECT = """
select
    period, period_start, period_end, market, queue, subject_kind, subject, metric, reference_kind, method,
    case when isfinite(estimate) then estimate end as estimate,
    case when isfinite(ci_low) then ci_low end as ci_low,
    case when isfinite(ci_high) then ci_high end as ci_high,
    coalesce(n_items, 0) as n_items,
    coalesce(n_ratings, 0) as n_ratings,
    coalesce(is_provisional, false) as is_provisional,
    reason,
    the_columns,
from marts.the_mart
where
    ($markets::varchar[] is null or list_contains($markets::varchar[], market))
    and list_contains($periods::varchar[], period)
    and list_contains($metrics::varchar[], metric)
    and list_contains($subject_kinds::varchar[], subject_kind)
    and ($since::date is null or period_end >= $since::date)
order by period_end, market, queue, subject_kind, subject, metric, reference_kind
"""


def mart_query(mart: str, columns: Sequence[str]) -> str:
    """The select of one mart. Identifiers are our words, never data."""
    return _MART_SELECT.replace("the_mart", mart).replace("the_columns", ", ".join(columns))


_MART_QUERIES: dict[str, str] = {
    mart: mart_query(mart, ["verdict" if mart in VERDICT_MARTS else "null"]) for mart in MARTS
}

_NEWEST_DAY = "select max(period_end) from marts.the_mart where period = 'day' and n_ratings > 0"
_NEWEST_QUERIES: dict[str, str] = {mart: _NEWEST_DAY.replace("the_mart", mart) for mart in DAILY}
_MARKET_CODES = "select distinct market, queue from marts.the_mart where period = 'day'"
_CODE_QUERIES: dict[str, str] = {mart: _MARKET_CODES.replace("the_mart", mart) for mart in DAILY}

_VOLUME = """
with decided as (
    select
        business_date,
        market,
        queue,
        sum(n) filter (where rater_kind = 'human') as n_human,
        sum(n) filter (where rater_kind = 'model') as n_model,
    from tallies.label_counts
    where business_date >= $since::date and market <> 'CROSS'
    group by all
),
reviewed as (
    select business_date, market, queue, sum(n) as n_reviewed,
    from tallies.review_counts
    where business_date >= $since::date and target_kind = 'label'
    group by all
)
select
    coalesce(decided.business_date, reviewed.business_date) as business_date,
    coalesce(decided.market, reviewed.market) as market,
    coalesce(decided.queue, reviewed.queue) as queue,
    coalesce(n_human, 0)::bigint,
    coalesce(n_model, 0)::bigint,
    coalesce(n_reviewed, 0)::bigint,
from decided
full join reviewed
    on
        decided.business_date = reviewed.business_date
        and decided.market = reviewed.market
        and decided.queue = reviewed.queue
order by 1, 2, 3
"""

_GUIDELINES = """
with days as (
    select market, queue, business_date, guideline_version, sum(n) as n,
    from tallies.label_counts
    where rater_kind = 'human' and guideline_version <> ''
    group by all
),
usual as (
    select market, queue, business_date, guideline_version,
    from days
    qualify row_number() over (partition by market, queue, business_date order by n desc, guideline_version desc) = 1
)
select
    market, queue, business_date, guideline_version,
from usual
qualify guideline_version <> lag(guideline_version) over (partition by market, queue order by business_date)
order by 1, 2, 3
"""


class MartRow(NamedTuple):
    """One row of a mart; `low` and `high` are the ends of its 95 % interval, `verdict` is the mart's on a coefficient.

    A tuple, not a dataclass: pages read tens of thousands, and making them took a third of the time.
    """

    period: str
    start: date
    end: date
    market: str
    queue: str
    subject_kind: str
    subject: str
    metric: str
    reference_kind: str
    method: str
    estimate: float | None
    low: float | None
    high: float | None
    n_items: int
    n_ratings: int
    is_provisional: bool
    reason: str | None
    verdict: str | None = None


@dataclass(frozen=True)
class Volume:
    """Decisions and audits of one market, queue and day."""

    day: date
    market: str
    queue: str
    human: int
    model: int
    reviewed: int


@dataclass(frozen=True)
class GuidelineChange:
    """From `day` on most human decisions of the market and queue were made under `version`."""

    market: str
    queue: str
    day: date
    version: str


OfQueue = TypeVar("OfQueue", MartRow, Volume, GuidelineChange)


class Reader:
    """Read-only look at a warehouse; remembers which tables there are."""

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        self._con = con
        found = con.execute("select table_schema, table_name from information_schema.tables").fetchall()
        self._tables = {f"{schema}.{name}" for schema, name in found}

    def rows(self, sql: str, *, needs: Sequence[str], parameters: Parameters | None = None) -> list[tuple[Any, ...]]:
        """Rows of `sql`, or none when a table that it `needs` is absent."""
        if any(table not in self._tables for table in needs):
            return []
        return self._con.execute(sql, parameters or {}).fetchall()

    def mart(
        self,
        mart: Mart,
        *,
        metrics: Sequence[str],
        subject_kinds: Sequence[str],
        periods: Sequence[str],
        markets: Sequence[str] | None = None,
        since: date | None = None,
    ) -> list[MartRow]:
        """Rows of a mart by metric, subject kind, period, market (None: all) and earliest period_end."""
        asked = wanted(metrics, subject_kinds, periods=periods, markets=markets, since=since)
        found = self.rows(_MART_QUERIES[mart], needs=[f"marts.{mart}"], parameters=asked)
        return [MartRow._make(row) for row in found]

    def newest_day(self) -> date | None:
        """Newest business date that any mart speaks of, else that the ledger knows."""
        days = [self.rows(_NEWEST_QUERIES[mart], needs=[f"marts.{mart}"]) for mart in DAILY]
        known = [day[0][0] for day in days if day and day[0][0] is not None]
        if not known:
            ledger = self.rows("select max(business_date) from ops.ledger", needs=["ops.ledger"])
            known = [day for (day,) in ledger if day is not None]
        return max(known) if known else None

    def codes(self) -> set[tuple[str, str]]:
        """Every market and queue that a mart has a row for, roll-ups too."""
        found: set[tuple[str, str]] = set()
        for mart in DAILY:
            found.update((row[0], row[1]) for row in self.rows(_CODE_QUERIES[mart], needs=[f"marts.{mart}"]))
        return found

    def volumes(self, since: date | None) -> list[Volume]:
        """Daily decisions (human production, model) and audits of human decisions, by market and queue."""
        needs = ["tallies.label_counts", "tallies.review_counts"]
        found = self.rows(_VOLUME, needs=needs, parameters={"since": since or date.min})
        return [Volume(*row) for row in found]

    def guideline_changes(self) -> list[GuidelineChange]:
        """Days on which another guideline became the usual one."""
        found = self.rows(_GUIDELINES, needs=["tallies.label_counts"])
        return [GuidelineChange(*row) for row in found]


def wanted(
    metrics: Sequence[str],
    subject_kinds: Sequence[str],
    *,
    periods: Sequence[str],
    markets: Sequence[str] | None,
    since: date | None,
) -> Parameters:
    """Parameters of a mart's select."""
    return {
        "markets": None if markets is None else list(markets),
        "periods": list(periods),
        "metrics": list(metrics),
        "subject_kinds": list(subject_kinds),
        "since": since,
    }


def by_queue(rows: Iterable[OfQueue]) -> dict[str, list[OfQueue]]:
    """Rows by their queue, in their order."""
    found: dict[str, list[OfQueue]] = {}
    for row in rows:
        found.setdefault(row.queue, []).append(row)
    return found


def newest_only(rows: Iterable[MartRow]) -> list[MartRow]:
    """Of each series the row that ends last."""
    found: dict[tuple[str, ...], MartRow] = {}
    for row in rows:
        key = (row.market, row.queue, row.subject_kind, row.subject, row.metric, row.reference_kind)
        if key not in found or row.end > found[key].end:
            found[key] = row
    return list(found.values())


def newest(rows: Iterable[MartRow], *, period: str = "trailing_28d") -> MartRow | None:
    """The row of `period` that ends last, or None."""
    return max((row for row in rows if row.period == period), key=lambda row: row.end, default=None)


def choose_grain(rows: Iterable[MartRow]) -> str:
    """Days or weeks, the first of which most points have an interval and 50 items; else what there is.

    A daily line through twelve audits a day shows noise; a weekly one shows the trend. Trailing windows share most of
    their items with their neighbours, so they come last.
    """
    by_period: dict[str, list[MartRow]] = {"day": [], "week": [], "trailing_28d": []}
    for row in rows:
        if row.period in by_period:
            by_period[row.period].append(row)
    for grain in ("day", "week"):
        points = by_period[grain]
        solid = [row for row in points if row.low is not None and row.n_items >= 50]
        if len(solid) >= 3 and len(solid) >= 0.6 * len(points):
            return grain
    filled = {grain: sum(row.estimate is not None for row in by_period[grain]) for grain in by_period}
    for grain, least in (("week", 3), ("day", 2), ("week", 2), ("trailing_28d", 2), ("day", 1), ("week", 1)):
        if filled[grain] >= least:
            return grain
    return next((grain for grain, points in by_period.items() if points), "day")
