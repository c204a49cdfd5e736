"""Business dates of staged rows: the table `landed`, in the order in which it will be written.

Which folder a row belongs to is decided here and nowhere else: the market-local date of the feed's event time, a
mapped `business_date`, or a synthetic one.
"""

from collections.abc import Mapping as Dictionary

import duckdb

from qa_pipeline.contracts import FEEDS
from qa_pipeline.importing.mapping import Mapping
from qa_pipeline.importing.staging import IS_GOOD
from qa_pipeline.importing.synthetic import date_sql, windows
from qa_pipeline.messages import counted

FALLBACK_ZONE = "UTC"


def add_business_dates(
    con: duckdb.DuckDBPyConnection, *, mapping: Mapping, time_zones: Dictionary[str, str]
) -> list[str]:
    """Create the table `landed`: `_file`, `_position` (order of the source), `business_date` and the feed's columns.

    A market without a known time zone takes the UTC date, and that is told in the returned remarks.
    """
    feed = FEEDS[mapping.target]
    columns = [f"s.{name}" for name in feed.names]
    if feed.event_at is None:
        day = "s.business_date" if mapping.synthetic is None else date_sql(mapping.synthetic, item_column=None)
        _create_landed(con, columns=columns, day=day, join="")
        return []
    notes = _add_zones(con, time_zones)
    if mapping.synthetic is None:
        day = f"cast(timezone(z.time_zone, s.{feed.event_at}) as date)"
        _create_landed(con, columns=columns, day=day, join="join zones as z on z.market = s.market")
        return notes
    day = date_sql(mapping.synthetic, item_column="s.item_id" if feed.item_column else None)
    _add_windows(con, day=day)
    # Rows are numbered over the whole import; the number's share of the window is the time.
    total = con.execute(f"select count(*) from staged where {IS_GOOD}").fetchall()[0][0]  # noqa: S608 - a constant
    passed = f"to_microseconds(cast(cast(s._ordinal as hugeint) * w.span // {int(total)} as bigint))"
    columns[feed.names.index(feed.event_at)] = f"w.starts_at + {passed} as {feed.event_at}"
    _create_landed(
        con, columns=columns, day=day, join=f"join windows as w on w.market = s.market and w.business_date = {day}"
    )
    return notes


def _create_landed(con: duckdb.DuckDBPyConnection, *, columns: list[str], day: str, join: str) -> None:
    # Sorted once, so that each folder's file is one stretch of the table; the rows of `staged` come in their order.
    con.execute(
        f"""
        create table landed as
        select s._file, s._ordinal as _position, {day} as business_date, {", ".join(columns)}
        from (select *, row_number() over () - 1 as _ordinal from staged where {IS_GOOD}) as s
        {join}
        order by business_date, _file, _position
        """  # noqa: S608 - names of the contract, a typed date and integers
    )


def _add_zones(con: duckdb.DuckDBPyConnection, time_zones: Dictionary[str, str]) -> list[str]:
    """Create `zones(market, time_zone)` for every market in the rows."""
    con.execute("create table zones (market varchar, time_zone varchar)")
    found = con.execute(
        f"select market, count(*) from staged where {IS_GOOD} group by market order by market"  # noqa: S608 - constant
    ).fetchall()
    notes = []
    for market, rows in found:
        con.execute("insert into zones values (?, ?)", [market, time_zones.get(market, FALLBACK_ZONE)])
        if market not in time_zones:
            notes.append(
                f"Market {market} is not configured: {counted(rows, 'row')} went into folders by the UTC date."
            )
    return notes


def _add_windows(con: duckdb.DuckDBPyConnection, *, day: str) -> None:
    """Create `windows(business_date, market, starts_at, span)`: where synthetic times start, and their microseconds."""
    zones = dict(con.execute("select market, time_zone from zones").fetchall())
    pairs = con.execute(
        f"select distinct {day}, s.market from staged as s where {IS_GOOD}"  # noqa: S608 - a typed date and an integer
    ).fetchall()
    con.execute("create table windows (business_date date, market varchar, starts_at timestamptz, span bigint)")
    for row in windows(pairs, zones):
        con.execute("insert into windows values (?, ?, ?, ?)", list(row))
