"""The state of a home in numbers, for the command line: what landed, what is pending or on hold, what was found.

Only read here: nothing is printed and nothing is decided.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import duckdb

from qa_pipeline import landing, warehouse
from qa_pipeline.config import Config
from qa_pipeline.contracts import FEEDS
from qa_pipeline.errors import HomeError
from qa_pipeline.loading import pending
from qa_pipeline.messages import counted
from qa_pipeline.publishing import open_published
from qa_pipeline.settings import Home


@dataclass(frozen=True)
class FeedState:
    """One feed: its landed dates, how many are pending, and where its rows are (by the ledger)."""

    feed: str
    days: int
    first: date | None
    last: date | None
    pending: int
    files_quarantined: int
    rows_landed: int
    rows_validated: int
    rows_quarantined: int
    rows_superseded: int


@dataclass(frozen=True)
class Hold:
    """A partition on hold, a file that could not be read, or one with a remark, and why."""

    feed: str
    business_date: date
    file_name: str
    reason: str


@dataclass(frozen=True)
class QueueFigure:
    """The 28-day defect rate of one queue, as shares from 0 to 1; the interval is None where there is none."""

    market: str
    queue: str
    estimate: float
    ci_low: float | None
    ci_high: float | None
    n_items: int


@dataclass(frozen=True)
class Status:
    """What `qa-pipeline status` tells. `source` says what the counts were read from."""

    feeds: list[FeedState]
    blocked: list[Hold]
    unreadable: list[Hold]
    strays: list[str]
    ahead: list[str]
    pending_days: list[date]
    newest: date | None
    published_at: datetime | None
    source: str

    @property
    def is_clean(self) -> bool:
        """Whether all that landed is loaded: nothing pending, on hold, unreadable, out of place or in the future."""
        return not (self.blocked or self.unreadable or self.strays or self.pending_days or self.ahead)


def check_home(home: Home) -> None:
    """Raise HomeError when there is no folder at the home."""
    if not home.root.exists():
        message = f"{home.root} does not exist yet: `qa-pipeline simulate` or `qa-pipeline import` makes a home."
        raise HomeError(message)
    if not home.root.is_dir():
        message = f"{home.root} is a file, but a folder is needed there: move it away or choose another --home."
        raise HomeError(message)


def read_status(home: Home, config: Config) -> Status:
    """Read the state of `home`.

    The working warehouse if no run holds it, else the published one; before the first run, landing alone.
    Raises HomeError when a run holds the working warehouse and nothing is published yet.
    """
    con, source = _open(home, config)
    with con:
        due = pending(con, home=home, config=config)
        landed = [key for key, files in landing.landed_partitions(home).items() if files]
        return Status(
            feeds=[_feed_state(con, feed=feed, landed=landed, due=due) for feed in FEEDS],
            blocked=blocked_partitions(con),
            unreadable=unreadable_files(con),
            strays=[str(reason) for _, _, reason in landing.misplaced(home)],
            ahead=ahead_of_clock(con, home=home, today=datetime.now(UTC).date()),
            pending_days=sorted({day for _, day in due}),
            newest=max((day for _, day in landed), default=None),
            published_at=_modified(home),
            source=source,
        )


def _open(home: Home, config: Config) -> tuple[duckdb.DuckDBPyConnection, str]:
    if home.warehouse.exists():
        try:
            return duckdb.connect(str(home.warehouse), read_only=True), "the working warehouse"
        except duckdb.Error:
            if home.published.exists():
                return open_published(home), "the published warehouse, because a run is writing"
            message = f"{home.warehouse} is being written by a run and nothing is published yet: wait for it to end."
            raise HomeError(message) from None
    con = duckdb.connect()
    warehouse.prepare(con, config)
    return con, "landing alone, because nothing was run yet"


def _modified(home: Home) -> datetime | None:
    if not home.published.exists():
        return None
    return datetime.fromtimestamp(home.published.stat().st_mtime, tz=UTC)


def _feed_state(
    con: duckdb.DuckDBPyConnection, *, feed: str, landed: list[tuple[str, date]], due: list[tuple[str, date]]
) -> FeedState:
    days = sorted(day for name, day in landed if name == feed)
    return FeedState(
        feed=feed,
        days=len(days),
        first=days[0] if days else None,
        last=days[-1] if days else None,
        pending=sum(name == feed for name, _ in due),
        **_ledger_counts(con, feed=feed, days=None),
    )


def loaded_rows(con: duckdb.DuckDBPyConnection, *, feed: str, days: Sequence[date]) -> FeedState:
    """Where the rows of a feed are that landed on `days`."""
    counts = _ledger_counts(con, feed=feed, days=days)
    return FeedState(
        feed=feed, days=len(days), first=min(days, default=None), last=max(days, default=None), pending=0, **counts
    )


def _ledger_counts(con: duckdb.DuckDBPyConnection, *, feed: str, days: Sequence[date] | None) -> dict[str, int]:
    """Files quarantined and rows landed, validated, quarantined and superseded of a feed, on `days` or on all."""
    row = con.execute(
        "select count(*) filter (where status = 'quarantined'), coalesce(sum(rows_landed), 0), "
        "coalesce(sum(rows_validated), 0), coalesce(sum(rows_quarantined), 0), coalesce(sum(rows_superseded), 0) "
        "from ops.ledger where feed = $feed and ($days is null or business_date in (select unnest($days)))",
        {"feed": feed, "days": list(days) if days is not None else None},
    ).fetchall()[0]
    names = ("files_quarantined", "rows_landed", "rows_validated", "rows_quarantined", "rows_superseded")
    return {name: int(value) for name, value in zip(names, row, strict=True)}


def blocked_partitions(con: duckdb.DuckDBPyConnection) -> list[Hold]:
    """Partitions on hold, by date."""
    rows = con.execute(
        "select feed, business_date, '', coalesce(message, '') from ops.partitions where status = 'blocked' "
        "order by business_date, feed"
    ).fetchall()
    return [Hold(*row) for row in rows]


def unreadable_files(con: duckdb.DuckDBPyConnection) -> list[Hold]:
    """Files that were quarantined whole because they could not be read, by date."""
    rows = con.execute(
        "select feed, business_date, file_name, message from quarantine.quarantined_files "
        "where starts_with(rule_id, 'FIL-') order by business_date, feed, file_name"
    ).fetchall()
    return [Hold(*row) for row in rows]


def remarked_files(con: duckdb.DuckDBPyConnection) -> list[Hold]:
    """Files that were loaded with a remark (an unknown column, times without a zone), by date."""
    rows = con.execute(
        "select feed, business_date, file_name, file_name || ': ' || message from ops.ledger "
        "where status = 'loaded' and message is not null order by business_date, feed, file_name"
    ).fetchall()
    return [Hold(*row) for row in rows]


def quarantine_reasons(con: duckdb.DuckDBPyConnection, *, days: Sequence[date]) -> list[str]:
    """Why rows of `days` are in quarantine: a clause for each rule, the most frequent first, with its first row."""
    rows = con.execute(
        """
        with failing as (
            select feed, business_date, file_name, row_number, unnest(rule_ids) as rule_id
            from quarantine.quarantined_rows
            where business_date in (select unnest($days))
        ),
        rules as (select rule_id, min(description) as description from ops.rule_results group by rule_id)
        select f.feed, f.rule_id, min(r.description), count(*) as n,
            min(struct_pack(business_date, file_name, row_number)) as first_row
        from failing as f
        left join rules as r on f.rule_id = r.rule_id
        group by f.feed, f.rule_id
        order by n desc, f.feed, f.rule_id
        """,
        {"days": list(days)},
    ).fetchall()
    return [
        f"{feed}: {rule_id}, {description}: {counted(n, 'row')}, the first is row {first['row_number']} of "
        f"{first['file_name']} of {first['business_date']}"
        for feed, rule_id, description, n, first in rows
    ]


def ahead_of_clock(con: duckdb.DuckDBPyConnection, *, home: Home, today: date) -> list[str]:
    """What to say of every landed folder dated later than the day after `today` (UTC), which is today somewhere.

    Rules and figures know no clock, so a misdated folder passes them. Made-up dates may lie anywhere.
    """
    from qa_pipeline.defs.synthetic import is_synthetic  # noqa: PLC0415 - the simulator costs 0.2 s

    landed = landing.landed_partitions(home)
    ahead = [(day, feed) for (feed, day), files in landed.items() if files and day > today + timedelta(days=1)]
    if not ahead or is_synthetic(con, home):
        return []
    return [
        f"landing/{feed}/date={day} lies in the future: move its files to the folder of their date; while its rows "
        "count, figures of every earlier date show as final"
        for day, feed in sorted(ahead)
    ]


def days_without(con: duckdb.DuckDBPyConnection, *, days: Sequence[date]) -> list[tuple[str, date]]:
    """Required feeds that did not land on one of `days`."""
    have = set(con.execute("select feed, business_date from ops.partitions").fetchall())
    required = [feed.name for feed in FEEDS.values() if feed.is_required]
    return [(feed, day) for day in days for feed in required if (feed, day) not in have]


def worst_defect_rates(con: duckdb.DuckDBPyConnection, *, limit: int) -> list[QueueFigure]:
    """Queues with the highest defect rate of people over the newest 28 days; empty before marts exist."""
    exists = con.execute(
        "select count(*) from duckdb_tables() where schema_name = 'marts' and table_name = 'defect_rate' "
        "and database_name = current_database()"
    ).fetchall()
    if not exists[0][0]:
        return []
    rows = con.execute(
        """
        with cells as (
            select market, queue, period_end, estimate, ci_low, ci_high, n_items
            from marts.defect_rate
            where period = 'trailing_28d' and metric = 'defect_rate' and subject_kind = 'rater_kind'
                and subject = 'human' and market not in ('ALL', 'CROSS') and queue <> 'ALL' and estimate is not null
        )
        select market, queue, estimate, ci_low, ci_high, n_items
        from cells
        where period_end = (select max(period_end) from cells)
        order by estimate desc, market, queue
        limit $limit
        """,
        {"limit": limit},
    ).fetchall()
    return [QueueFigure(*row) for row in rows]
