"""Source files as rows of one table, and what that table says: counts per rule and reason, and the codes in it.

The table `staged` has a row for every row that the mapping makes, good or not, in the order of the files:
`_file INTEGER` (index of the source), the columns of `compiler.compile_select`, in insertion order (`rowid`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from qa_pipeline.config_plan import Seen
from qa_pipeline.contracts import FEEDS
from qa_pipeline.errors import MappingError
from qa_pipeline.importing.compiler import compile_select, zoned_columns
from qa_pipeline.importing.mapping import Mapping
from qa_pipeline.importing.sources import SourceFile, explain, open_source
from qa_pipeline.importing.summary import SAMPLES, Drop, Reject, Sample, SourceCounts
from qa_pipeline.messages import counted

IS_GOOD = "_dropped is null and _reasons is null"
LABEL_COLUMNS = {
    "labels": ("label",),
    "predictions": ("label",),
    "gold": ("label",),
    "reviews": ("verdict_label",),
    "appeals": ("original_label", "final_label"),
}
_COUNTS = f"""
select _file, coalesce(max(_row), 0), count(*), count(_dropped), count(_reasons), count(*) filter (where {IS_GOOD})
from staged group by _file
"""  # noqa: S608 - a constant of this module
_DROPS = "select _dropped, count(*) as n from staged where _dropped is not null group by _dropped order by n desc, 1"
_REJECTS = """
with failed as (
    select unnest(_reasons) as bad, _file, _place, rowid as position from staged where _reasons is not null
),
by_value as (
    select
        bad."column" as name, bad.reason as reason, bad."value" as shown, count(*) as n, min(position) as first_seen,
        arg_min(_place, position) as place, arg_min(_file, position) as file
    from failed group by all
)
select
    name, reason, cast(sum(n) as bigint) as n,
    list([shown, place, cast(file as varchar)] order by first_seen)[:$samples] as samples
from by_value group by name, reason order by n desc, name, reason
"""


@dataclass(frozen=True)
class Staged:
    """Counts of the staged rows: per source (without landed names), per dropping rule and per reason of rejection."""

    sources: tuple[SourceCounts, ...]
    drops: tuple[Drop, ...]
    rejects: tuple[Reject, ...]


def stage(
    con: duckdb.DuckDBPyConnection, *, mapping: Mapping, files: Sequence[Path], scratch: Path
) -> tuple[list[SourceFile], list[str]]:
    """Create the table `staged` from the files; returns the opened files and remarks.

    Raises MappingError with a sentence for the first file that cannot be read as the mapping says.
    """
    sources: list[SourceFile] = []
    notes: list[str] = []
    for number, path in enumerate(files):
        source = open_source(con, path, source=mapping.source, scratch=scratch, number=number)
        compiled = compile_select(mapping, source)
        verb = "insert into staged" if number else "create table staged as"
        try:
            con.execute(f"{verb} select cast({number} as integer) as _file, * from ({compiled.sql})")  # noqa: S608 - compiled
        except duckdb.Error as err:
            raise MappingError(explain(path, source=mapping.source, error=err)) from err
        if compiled.absent:
            notes.append(f"{source.name} has no column for {', '.join(compiled.absent)}: left empty.")
        sources.append(source)
    return sources, notes


def count_staged(con: duckdb.DuckDBPyConnection, sources: Sequence[SourceFile]) -> Staged:
    """Count the table `staged`."""
    by_file = {int(row[0]): row[1:] for row in con.execute(_COUNTS).fetchall()}
    counts = []
    for number, source in enumerate(sources):
        read, exploded, dropped, rejected, good = (int(n) for n in by_file.get(number, (0,) * 5))
        counts.append(
            SourceCounts(
                name=source.name,
                sha256=source.sha256,
                rows_read=read,
                rows_exploded=exploded,
                rows_dropped=dropped,
                rows_rejected=rejected,
                rows_written=good,
                landed_name="",
            )
        )
    drops = tuple(Drop(rule=str(row[0]), rows=int(row[1])) for row in con.execute(_DROPS).fetchall())
    rejects = []
    for name, reason, n, samples in con.execute(_REJECTS, {"samples": SAMPLES}).fetchall():
        shown = tuple(Sample(value, f"{place} of {sources[int(file)].name}") for value, place, file in samples)
        rejects.append(Reject(column=name, reason=reason, rows=int(n), samples=shown))
    return Staged(sources=tuple(counts), drops=drops, rejects=tuple(rejects))


def local_times(con: duckdb.DuckDBPyConnection, mapping: Mapping) -> list[str]:
    """A remark for each column of times of which some had no zone and took the mapping's."""
    notes = []
    for name in zoned_columns(mapping):
        sql = f"select count(*) from staged where {IS_GOOD} and _local_{name}"  # noqa: S608 - names of the contract
        rows = int(con.execute(sql).fetchall()[0][0])
        if rows:
            zone = mapping.columns[name].timezone
            notes.append(f"Times without a zone were taken as {zone}: {name} in {counted(rows, 'row')}.")
    return notes


def seen_codes(con: duckdb.DuckDBPyConnection, feed: str) -> Seen:
    """Markets, queues and labels of the good rows, with their numbers."""
    names = FEEDS[feed].names
    labels: dict[str, dict[str, int]] = {}
    for column in LABEL_COLUMNS.get(feed, ()):
        for queue, label, n in _group(con, "queue", column):
            found = labels.setdefault(queue, {})
            found[label] = found.get(label, 0) + n
    return Seen(
        markets={market: n for market, _, n in _group(con, "market")} if "market" in names else {},
        queues={queue: n for queue, _, n in _group(con, "queue")} if "queue" in names else {},
        labels=labels,
        has_labels=feed in LABEL_COLUMNS,
    )


def _group(con: duckdb.DuckDBPyConnection, *columns: str) -> list[tuple[str, str, int]]:
    """First and last of the columns, with the number of good rows that have both."""
    first, last = columns[0], columns[-1]
    sql = f"""
        select {first}, {last}, count(*) from staged
        where {IS_GOOD} and {first} is not null and {last} is not null group by all order by all
    """  # noqa: S608 - names of the contract
    return [(str(row[0]), str(row[1]), int(row[2])) for row in con.execute(sql).fetchall()]
