"""One feed, one business date: landed files in, validated and quarantined rows and a ledger out.

The order of events of a load belongs here. How a file is read is `landing`, how rules run is `validation`, what a
changed partition makes stale is `staleness`.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import duckdb

from qa_pipeline import landed_rows, landing, quarantining, staleness
from qa_pipeline.config import Config
from qa_pipeline.contracts import FEEDS, Feed
from qa_pipeline.errors import LandingFileError
from qa_pipeline.settings import Home, project_root
from qa_pipeline.suites import Rule, Suite, load_suite, suite_fingerprint
from qa_pipeline.validation import RuleOutcome, run_suite
from qa_pipeline.warehouse import set_market_days, sql_file, validated_columns


@dataclass
class FileRecord:
    """What became of one landed file; the row counts are the ledger's."""

    file: landing.LandedFile
    sha256: str
    status: str = "loaded"
    message: str | None = None
    rule_id: str | None = None
    rows_landed: int = 0
    reader: landed_rows.FileReader | None = None
    remarks: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class LoadResult:
    """One loaded partition. `blocked_by` names the rules that stopped it (empty when it may go on)."""

    feed: str
    business_date: date
    rows_landed: int
    rows_validated: int
    rows_quarantined: int
    rows_superseded: int
    files: tuple[FileRecord, ...]
    outcomes: tuple[RuleOutcome, ...]
    blocked_by: tuple[str, ...]
    was_fresh: bool = False


def suite_path(feed: str) -> Path:
    """The expectation suite of a feed."""
    return project_root() / "expectations" / f"{feed}.json"


def definition_fingerprint(feed: str, config: Config) -> str:
    """Hash of everything but the files that a validated partition is made from."""
    parts = (
        repr(FEEDS[feed]),
        sql_file("validated", f"valid_{feed}").fingerprint,
        suite_fingerprint(suite_path(feed)),
        config.fingerprint(),
    )
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def stat_fingerprint(files: Sequence[landing.LandedFile]) -> str:
    """Hash of names, sizes and modification times: equal means that no file need be read to see a change."""
    return hashlib.sha256("\n".join(file.stat for file in files).encode()).hexdigest()


def load_partition(
    con: duckdb.DuckDBPyConnection, *, home: Home, config: Config, feed: str, business_date: date, force: bool = False
) -> LoadResult:
    """Load one partition from its folder, whole. Loading the same files again changes nothing.

    A file that cannot be read is quarantined whole and the others are loaded. When a rule of action `block` fails, or
    any rule cannot be evaluated, every row of the partition is quarantined with its file and nothing is validated.
    """
    files = landing.scan(home, feed=feed, business_date=business_date)
    records = [FileRecord(file=file, sha256=landing.content_hash(file)) for file in files]
    content = "\n".join(f"{record.file.name}:{record.sha256}" for record in records)
    definition = definition_fingerprint(feed, config)
    fingerprint = hashlib.sha256(f"{definition}\n{content}".encode()).hexdigest()
    if not force and _is_current(con, feed=feed, business_date=business_date, fingerprint=fingerprint):
        con.execute(
            "update ops.partitions set stat = ? where feed = ? and business_date = ?",
            [stat_fingerprint(files), feed, business_date],
        )
        return _recorded(con, feed=feed, business_date=business_date, records=records)
    set_market_days(con, config, business_date=business_date)
    staleness.mark_partition(con, feed=feed, business_date=business_date, restate_days=config.pipeline.restate_days)
    _clear(con, feed=feed, business_date=business_date)
    _stage(con, contract=FEEDS[feed], business_date=business_date, records=records)
    outcomes, blocked = _judge(con, feed=feed, business_date=business_date, records=records)
    staleness.mark_partition(con, feed=feed, business_date=business_date, restate_days=config.pipeline.restate_days)
    _record(con, feed=feed, business_date=business_date, records=records, outcomes=outcomes, blocked=blocked)
    con.execute(
        "update ops.partitions set fingerprint = ?, stat = ?, definition = ?, status = ?, message = ? "
        "where feed = ? and business_date = ?",
        [
            fingerprint,
            stat_fingerprint(files),
            definition,
            "blocked" if blocked else "loaded",
            "; ".join(blocked) or None,
            feed,
            business_date,
        ],
    )
    if not files:
        con.execute("delete from ops.partitions where feed = ? and business_date = ?", [feed, business_date])
    return _result(con, feed=feed, business_date=business_date, records=records, outcomes=outcomes, blocked=blocked)


def _is_current(con: duckdb.DuckDBPyConnection, *, feed: str, business_date: date, fingerprint: str) -> bool:
    found = con.execute(
        "select fingerprint from ops.partitions where feed = ? and business_date = ? and status <> 'loading'",
        [feed, business_date],
    ).fetchall()
    return bool(found) and found[0][0] == fingerprint


def _clear(con: duckdb.DuckDBPyConnection, *, feed: str, business_date: date) -> None:
    """Take the partition's earlier version out; until the end of the load its state says so."""
    con.execute("begin")
    for table in (f"validated.valid_{feed}", f"quarantine.quarantined_{feed}"):
        con.execute(f"delete from {table} where business_date = ?", [business_date])
    for table in ("quarantine.quarantined_files", "ops.superseded", "ops.ledger", "ops.rule_results", "ops.partitions"):
        con.execute(f"delete from {table} where feed = ? and business_date = ?", [feed, business_date])
    con.execute("insert into ops.partitions values (?, ?, '', '', '', 'loading', null)", [feed, business_date])
    con.execute("commit")


def _stage(con: duckdb.DuckDBPyConnection, *, contract: Feed, business_date: date, records: list[FileRecord]) -> None:
    """Insert the rows of every readable file into the validated table, still unjudged."""
    for record in records:
        try:
            record.reader = landed_rows.open_file(con, record.file)
        except LandingFileError as err:
            _refuse(record, rule_id=err.rule_id, message=str(err))
            record.rows_landed = err.rows
            continue
        record.rows_landed = record.reader.rows
        record.remarks = landed_rows.remarks(contract, record.reader)
    readable = [record for record in records if record.reader is not None]
    try:
        _insert(con, contract=contract, business_date=business_date, records=records, chosen=readable)
    except duckdb.Error:
        # One of the files is broken further in than its header: find which by reading each alone.
        good = [record for record in readable if _reads_through(con, contract, record)]
        _insert(con, contract=contract, business_date=business_date, records=records, chosen=good)


def _refuse(record: FileRecord, *, rule_id: str, message: str) -> None:
    record.status, record.rule_id, record.message, record.reader = "quarantined", rule_id, message, None


def _reads_through(con: duckdb.DuckDBPyConnection, contract: Feed, record: FileRecord) -> bool:
    if record.reader is None:
        return False
    sql = landed_rows.conform_sql(contract, record.reader, file_name=record.file.name, ordinal=0)
    try:
        con.execute(f"create or replace temp table reading as {sql}")
        con.execute("drop table reading")
    except duckdb.Error as err:
        _refuse(record, rule_id="FIL-001", message=str(landed_rows.unreadable(record.file, err)))
        return False
    return True


def _insert(
    con: duckdb.DuckDBPyConnection,
    *,
    contract: Feed,
    business_date: date,
    records: list[FileRecord],
    chosen: list[FileRecord],
) -> None:
    ordinals = {record.file.name: number for number, record in enumerate(records, start=1)}
    parts = [
        landed_rows.conform_sql(contract, record.reader, file_name=record.file.name, ordinal=ordinals[record.file.name])
        for record in chosen
        if record.reader is not None
    ]
    if not parts:
        return
    # Text files carry no row numbers of their own, so their order must be kept while they are read.
    has_text = any(not record.file.name.endswith(".parquet") for record in chosen)
    con.execute(f"set preserve_insertion_order = {str(has_text).lower()}")
    try:
        con.execute(f"create or replace temp view staged_{contract.name} as {' union all '.join(parts)}")
        select = sql_file("validated", f"valid_{contract.name}")
        columns = ", ".join(validated_columns(contract))
        con.execute(
            f"insert into validated.valid_{contract.name} ({columns}) select {columns} from ({select.text})",
            select.parameters({"business_date": business_date}),
        )
    finally:
        con.execute("set preserve_insertion_order = false")


def _judge(
    con: duckdb.DuckDBPyConnection, *, feed: str, business_date: date, records: list[FileRecord]
) -> tuple[list[RuleOutcome], list[str]]:
    """Run the suite over the staged partition and move what fails; returns outcomes and the blocking rules."""
    table, batch = f"validated.valid_{feed}", f"batch_{feed}"
    suite: Suite = load_suite(suite_path(feed))
    day = business_date.isoformat()
    con.execute(f"create or replace temp view {batch} as select * from {table} where business_date = date '{day}'")
    staged = con.execute(f"select count(*) from {batch}").fetchall()[0][0]
    if staged == 0:
        return [RuleOutcome(rule, 0, is_success=True, message=None, failing_rows_sql=None) for rule in suite.rules], []
    outcomes = run_suite(con, suite=suite, batch=batch)
    blocked = [_blocking_reason(outcome) for outcome in outcomes if _blocks(outcome)]
    if blocked:
        con.execute(f"delete from {table} where business_date = ?", [business_date])
        for record in records:
            if record.reader is not None:
                _refuse(record, rule_id=blocked[0].split(":")[0], message=f"partition on hold: {'; '.join(blocked)}")
        return outcomes, blocked
    readers = {record.file.name: record.reader for record in records if record.reader is not None}
    quarantining.take_out(con, feed=feed, outcomes=outcomes, readers=readers, layer="validated")
    return quarantining.supersede(con, feed=feed, outcomes=outcomes), []


def _blocks(outcome: RuleOutcome) -> bool:
    """A failed block rule blocks, and so does any rule that could not be evaluated."""
    return outcome.message is not None or (outcome.rule.action == "block" and not outcome.is_success)


def _blocking_reason(outcome: RuleOutcome) -> str:
    rule: Rule = outcome.rule
    if outcome.message is not None:
        return f"{rule.rule_id}: could not be evaluated ({outcome.message})"
    return f"{rule.rule_id}: {rule.description} ({outcome.rows_failed} rows)"


def _record(
    con: duckdb.DuckDBPyConnection,
    *,
    feed: str,
    business_date: date,
    records: list[FileRecord],
    outcomes: list[RuleOutcome],
    blocked: list[str],
) -> None:
    """Write quarantined files, ledger and rule results of the partition."""
    con.execute("begin")
    for record in records:
        if record.status == "quarantined":
            con.execute(
                "insert into quarantine.quarantined_files values (?, ?, ?, ?, ?, ?)",
                [feed, business_date, record.file.name, record.rule_id, record.message, record.rows_landed],
            )
        message = "; ".join(filter(None, [record.message, *record.remarks])) or None
        con.execute(
            "insert into ops.ledger values (?, ?, ?, ?, ?, ?, 0, 0, 0, ?, ?)",
            [
                feed,
                business_date,
                record.file.name,
                record.sha256,
                record.file.bytes,
                record.rows_landed,
                "blocked" if blocked and record.status == "quarantined" else record.status,
                message,
            ],
        )
    staged = sum(record.rows_landed for record in records)
    for outcome in outcomes:
        rule = outcome.rule
        con.execute(
            "insert into ops.rule_results values (?, ?, 'validated', ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                feed,
                business_date,
                rule.rule_id,
                rule.action,
                rule.severity,
                rule.description,
                staged,
                outcome.rows_failed,
                outcome.is_success,
                outcome.message,
            ],
        )
    quarantining.refresh_ledger(con, feed=feed, start_date=business_date, end_date=business_date)
    con.execute("commit")


def _recorded(
    con: duckdb.DuckDBPyConnection, *, feed: str, business_date: date, records: list[FileRecord]
) -> LoadResult:
    """Result of a partition that is already as its files are."""
    suite = load_suite(suite_path(feed))
    rows = con.execute(
        "select rule_id, rows_failed, is_success, message from ops.rule_results "
        "where feed = ? and business_date = ? and layer = 'validated'",
        [feed, business_date],
    ).fetchall()
    by_rule = {row[0]: row for row in rows}
    outcomes = [
        RuleOutcome(rule, found[1], is_success=found[2], message=found[3], failing_rows_sql=None)
        for rule in suite.rules
        if (found := by_rule.get(rule.rule_id)) is not None
    ]
    blocked = [_blocking_reason(outcome) for outcome in outcomes if _blocks(outcome)]
    result = _result(con, feed=feed, business_date=business_date, records=records, outcomes=outcomes, blocked=blocked)
    return LoadResult(**{**result.__dict__, "was_fresh": True})


def _result(
    con: duckdb.DuckDBPyConnection,
    *,
    feed: str,
    business_date: date,
    records: list[FileRecord],
    outcomes: list[RuleOutcome],
    blocked: list[str],
) -> LoadResult:
    sums = con.execute(
        "select coalesce(sum(rows_landed), 0), coalesce(sum(rows_validated), 0), coalesce(sum(rows_quarantined), 0), "
        "coalesce(sum(rows_superseded), 0) from ops.ledger where feed = ? and business_date = ?",
        [feed, business_date],
    ).fetchall()[0]
    return LoadResult(
        feed=feed,
        business_date=business_date,
        rows_landed=int(sums[0]),
        rows_validated=int(sums[1]),
        rows_quarantined=int(sums[2]),
        rows_superseded=int(sums[3]),
        files=tuple(records),
        outcomes=tuple(outcomes),
        blocked_by=tuple(blocked),
    )


def pending(con: duckdb.DuckDBPyConnection, *, home: Home, config: Config) -> list[tuple[str, date]]:
    """Partitions whose files, suite, SQL or configuration are not those of their last load, by date and feed.

    Files are compared by name, size and modification time; whether their bytes changed is seen when they are loaded.
    A partition whose folder vanished is pending too: its rows have to go.
    """
    return list(pending_states(con, home=home, config=config))


def pending_states(con: duckdb.DuckDBPyConnection, *, home: Home, config: Config) -> dict[tuple[str, date], str]:
    """The partitions of `pending`, in its order, with a hash of what each would be loaded from (empty: of no files)."""
    recorded = {
        (feed, day): (stat, definition, status)
        for feed, day, stat, definition, status in con.execute(
            "select feed, business_date, stat, definition, status from ops.partitions"
        ).fetchall()
    }
    definitions = {feed: definition_fingerprint(feed, config) for feed in FEEDS}
    landed = landing.landed_partitions(home)
    due = {key: "" for key in recorded if key not in landed}
    for key, files in landed.items():
        known = recorded.get(key)
        wanted = (stat_fingerprint(files), definitions[key[0]])
        if (known is None and files) or (known is not None and (known[2] == "loading" or known[:2] != wanted)):
            due[key] = hashlib.sha256("\n".join(wanted).encode()).hexdigest()
    return dict(sorted(due.items(), key=lambda item: (item[0][1], item[0][0])))
