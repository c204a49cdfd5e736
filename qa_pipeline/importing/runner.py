"""Importing source files into the landing contract: stage, count, date, write.

The steps and their order belong here. All files are staged, counted and written to a scratch folder before anything is
put in place by renames, so that a bad file leaves the home as it was.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import duckdb

from qa_pipeline.contracts import FEEDS
from qa_pipeline.drafting import plan_config, write_plan
from qa_pipeline.errors import MappingError
from qa_pipeline.importing.dating import add_business_dates
from qa_pipeline.importing.mapping import Mapping, find_mapping, load_mapping
from qa_pipeline.importing.sources import SourceFile
from qa_pipeline.importing.staging import IS_GOOD, Staged, count_staged, seen_codes, stage
from qa_pipeline.importing.summary import ImportSummary
from qa_pipeline.importing.writing import log_import, name_deliveries, put_in_place, write_scratch
from qa_pipeline.messages import counted
from qa_pipeline.settings import Home

MEMORY_LIMIT = "2500MB"


def import_files(
    home: Home, *, feed: str, mapping: Path | str, files: Sequence[Path], extend_config: bool = False
) -> ImportSummary:
    """Import source files into `<home>/landing/<feed>/date=YYYY-MM-DD/` with a mapping file or a shipped mapping.

    On a home without configuration it is drafted from what was seen; an existing one is only ever added to, and only
    with `extend_config`. Rejected rows go, verbatim, to `<home>/rejected/<feed>/`; each import is noted in
    `<home>/config/imports.jsonl`. The same files and mapping again replace what they wrote before.

    Returns the counts: every row that the mapping makes is written, dropped by one of its rules or rejected.
    Raises MappingError (mapping, file or rows do not fit), ConfigError or HomeError; nothing is landed then.
    """
    path = find_mapping(mapping)
    if feed not in FEEDS:
        message = f"{feed!r} is not a feed: the feeds are {', '.join(FEEDS)}."
        raise MappingError(message)
    loaded = load_mapping(path)
    if loaded.target != feed:
        message = f"{path}: its target is {loaded.target!r}, but {feed!r} was asked for: correct --feed or the mapping."
        raise MappingError(message)
    if not files:
        message = "No file to import was given: name at least one."
        raise MappingError(message)
    home.prepare()
    # Renames are atomic within one file system only, so the scratch folder stands in the home.
    with tempfile.TemporaryDirectory(prefix=".import-", dir=home.root) as name:
        scratch = Path(name)
        with duckdb.connect(config=_settings(scratch)) as con:
            con.execute("set TimeZone = 'UTC'")
            return _import(con, home, mapping=loaded, path=path, files=files, extend=extend_config, scratch=scratch)


def _settings(scratch: Path) -> dict[str, str | bool | int | float | list[str]]:
    return {
        "memory_limit": MEMORY_LIMIT,
        "temp_directory": str(scratch / "spill"),
        "preserve_insertion_order": "true",
        # Everything needed is built in; nothing may be fetched while somebody's data is read.
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
    }


def _import(
    con: duckdb.DuckDBPyConnection,
    home: Home,
    *,
    mapping: Mapping,
    path: Path,
    files: Sequence[Path],
    extend: bool,
    scratch: Path,
) -> ImportSummary:
    sources, notes = stage(con, mapping=mapping, files=files, scratch=scratch)
    staged = count_staged(con, sources)
    for number, source in enumerate(sources):
        counts = staged.sources[number]
        if counts.rows_read and not counts.rows_written:
            raise MappingError(_nothing_left(mapping, source, staged))
        if not counts.rows_read:
            notes.append(f"{source.name} has no rows.")
    plan = plan_config(home, seen=seen_codes(con, mapping.target), extend=extend)
    notes += _repeated_keys(con, mapping)
    notes += add_business_dates(con, mapping=mapping, time_zones=plan.time_zones)
    deliveries = name_deliveries(home, mapping=mapping, mapping_stem=path.stem, sources=sources)
    written = write_scratch(con, home, mapping=mapping, deliveries=deliveries, counts=staged.sources, scratch=scratch)
    write_plan(home, plan)
    replaced = put_in_place(home, feed=mapping.target, deliveries=deliveries, moves=written.moves)
    targets = [target for _, target in written.moves]
    summary = ImportSummary(
        feed=mapping.target,
        mapping=mapping.name,
        is_synthetic=mapping.synthetic is not None,
        sources=written.counts,
        drops=staged.drops,
        rejects=staged.rejects,
        rows_per_date=written.rows_per_date,
        files=tuple(target for target in targets if target.suffix == ".parquet"),
        replaced=replaced,
        rejected_files=tuple(target for target in targets if target.suffix == ".jsonl"),
        config_notes=tuple(plan.notes),
        notes=tuple(notes),
    )
    log_import(home, mapping=mapping, path=path, summary=summary)
    return summary


def _nothing_left(mapping: Mapping, source: SourceFile, staged: Staged) -> str:
    """Why a file with records gave no row, with the most frequent reasons (of all files of the import)."""
    reasons = [f"{drop.rows:,} dropped by {drop.rule}" for drop in staged.drops[:2]]
    reasons += [f"rejected because {reject.sentence()}" for reject in staged.rejects[:2]]
    read = next(counts.rows_read for counts in staged.sources if counts.sha256 == source.sha256)
    records = counted(read, "record")
    return (
        f"{source.path}: none of its {records} became a row of {mapping.target} ({'; '.join(reasons)}). "
        "Correct the mapping; nothing was imported."
    )


def _repeated_keys(con: duckdb.DuckDBPyConnection, mapping: Mapping) -> list[str]:
    """A remark when rows share the feed's key: the mapping's template is then usually too short."""
    feed = FEEDS[mapping.target]
    by_date = ["business_date"] if feed.event_at is None and mapping.synthetic is None else []
    key = ", ".join([*feed.key, *by_date])
    sql = f"select cast(sum(n) as bigint) from (select count(*) - 1 as n from staged where {IS_GOOD} group by {key})"  # noqa: S608 - names of the contract
    extra = con.execute(sql).fetchall()[0][0] or 0
    if not extra:
        return []
    told = (
        f"Rows that repeat the {' + '.join(feed.key)} of another: {extra:,}. The pipeline keeps the last of each only; "
        "if they are rows of their own, make the key longer in the mapping."
    )
    return [told]
