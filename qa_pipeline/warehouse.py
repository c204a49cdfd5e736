"""The working warehouse: open it, give it its schemas and configuration, and run the project's `.sql` files.

Connections, table definitions and the running of SQL files belong here. What is loaded, and when, does not.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb

from qa_pipeline.config import Config
from qa_pipeline.contracts import FEEDS, SQL_TYPES, Feed
from qa_pipeline.errors import WarehouseError
from qa_pipeline.settings import Home, project_root

SCHEMAS = ("config", "raw", "validated", "quarantine", "facts", "tallies", "marts", "ops")
Parameters = Mapping[str, object]

_OPS_TABLES = """
create table if not exists ops.ledger (
    feed varchar not null, business_date date not null, file_name varchar not null, sha256 varchar, bytes bigint,
    rows_landed bigint not null, rows_validated bigint not null, rows_quarantined bigint not null,
    rows_superseded bigint not null, status varchar not null, message varchar
);
create table if not exists ops.rule_results (
    feed varchar not null, business_date date not null, layer varchar not null, rule_id varchar not null,
    action varchar not null, severity varchar not null, description varchar not null, rows_checked bigint not null,
    rows_failed bigint not null, is_success boolean not null, message varchar
);
create table if not exists ops.partitions (
    feed varchar not null, business_date date not null, fingerprint varchar not null, stat varchar not null,
    definition varchar not null, status varchar not null, message varchar
);
create table if not exists ops.superseded (
    feed varchar not null, business_date date not null, file_name varchar not null, row_number bigint not null,
    row_id bigint not null
);
create table if not exists ops.late (
    kind varchar not null, business_date date not null, market varchar not null, queue varchar not null,
    n bigint not null
);
create table if not exists ops.dirty (node varchar not null, business_date date not null);
create table if not exists ops.definitions (node varchar not null, fingerprint varchar not null);
create table if not exists ops.made_from (fingerprint varchar not null);
create table if not exists quarantine.quarantined_files (
    feed varchar not null, business_date date not null, file_name varchar not null, rule_id varchar not null,
    message varchar not null, rows_landed bigint not null
);
"""


@dataclass(frozen=True)
class SqlFile:
    """One SELECT of `sql/<layer>/<table>.sql`."""

    layer: str
    table: str
    text: str

    @property
    def name(self) -> str:
        """Qualified name of the table that the SELECT fills."""
        return f"{self.layer}.{self.table}"

    @property
    def fingerprint(self) -> str:
        """Hash of the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def parameters(self, available: Parameters) -> dict[str, object]:
        """Those of the available `$parameters` that the text uses (DuckDB refuses unused ones)."""
        return {key: value for key, value in available.items() if f"${key}" in self.text}


def sql_file(layer: str, table: str, *, root: Path | None = None) -> SqlFile:
    """Read `sql/<layer>/<table>.sql`. Raises WarehouseError when it is missing."""
    path = (root or project_root()) / "sql" / layer / f"{table}.sql"
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as err:
        message = f"{path} is missing: restore it from the repository."
        raise WarehouseError(message) from err
    return SqlFile(layer=layer, table=table, text=text)


def validated_columns(feed: Feed) -> dict[str, str]:
    """Columns of `validated.valid_<feed>` and their DuckDB types."""
    columns = {"business_date": "DATE", "file_name": "VARCHAR", "row_number": "BIGINT", "row_id": "BIGINT"}
    columns |= {column.name: SQL_TYPES[column.type] for column in feed.columns}
    if feed.item_column:
        columns["replicate"] = "BIGINT"
    return columns | {"missing_values": "VARCHAR", "type_errors": "VARCHAR"}


def open_working(home: Home, config: Config) -> duckdb.DuckDBPyConnection:
    """Open the working warehouse for writing, with every schema, prelude and the home's configuration in place.

    Raises WarehouseError when another process is writing to it or when the file is not a warehouse.
    """
    try:
        con = duckdb.connect(str(home.warehouse))
    except duckdb.Error as err:
        reason = str(err).strip().splitlines()[0]
        if "lock" in reason.lower():
            message = (
                f"{home.warehouse} is being written by another run: wait for it to end (readers use {home.published})."
            )
        else:
            message = f"{home.warehouse} cannot be opened as a DuckDB file: {reason}"
        raise WarehouseError(message) from err
    try:
        prepare(con, config)
    except BaseException:
        con.close()
        raise
    return con


@contextmanager
def working(home: Home, config: Config) -> Iterator[duckdb.DuckDBPyConnection]:
    """`open_working`, closed when the block ends, however it ends."""
    con = open_working(home, config)
    try:
        yield con
    finally:
        con.close()


def prepare(con: duckdb.DuckDBPyConnection, config: Config) -> None:
    """Give a connection its settings, prelude, schemas, tables and configuration tables."""
    con.execute("set timezone = 'UTC'")
    con.execute(f"set memory_limit = '{config.pipeline.memory_limit}'")
    con.execute(f"set threads = {config.pipeline.threads or _cores()}")
    # Order within a file is kept by row_number, so the engine need not keep it.
    con.execute("set preserve_insertion_order = false")
    con.execute("set enable_progress_bar = false")
    con.execute((project_root() / "sql" / "prelude.sql").read_text(encoding="utf-8"))
    for schema in SCHEMAS:
        con.execute(f"create schema if not exists {schema}")
    con.execute(_OPS_TABLES)
    for feed in FEEDS.values():
        columns = ", ".join(f"{name} {type_}" for name, type_ in validated_columns(feed).items())
        con.execute(f"create table if not exists validated.valid_{feed.name} ({columns})")
        con.execute(
            f"create table if not exists quarantine.quarantined_{feed.name} (business_date date, file_name varchar, "
            "row_number bigint, row_id bigint, layer varchar, rule_ids varchar[], row_json varchar)"
        )
    union = " union all by name ".join(
        f"select '{name}' as feed, * from quarantine.quarantined_{name}" for name in FEEDS
    )
    con.execute(f"create or replace view quarantine.quarantined_rows as {union}")
    write_config(con, config)


def _cores() -> int:
    """Cores that this process may use; macOS cannot say, so there it is all of them."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def write_config(con: duckdb.DuckDBPyConnection, config: Config) -> None:
    """Fill the tables of schema `config` from the home's configuration."""
    queues = config.taxonomy.queues
    tables: dict[str, tuple[str, list[tuple[object, ...]]]] = {
        "settings": (
            "restate_days integer, taxonomy_version varchar",
            [(config.pipeline.restate_days, config.taxonomy.version)],
        ),
        "markets": (
            "market varchar, name varchar, time_zone varchar",
            [(code, market.name or code, market.time_zone) for code, market in config.markets.markets.items()],
        ),
        "queues": (
            "queue varchar, name varchar, scale varchar, is_multi_select boolean",
            [(code, queue.name or code, queue.scale, queue.is_multi_select) for code, queue in queues.items()],
        ),
        "labels": (
            (
                "queue varchar, label varchar, name varchar, is_violating boolean, severity_weight double, "
                "position integer"
            ),
            [
                (code, label.code, label.name or label.code, label.is_violating, label.severity_weight, position)
                for code, queue in queues.items()
                for position, label in enumerate(queue.labels)
            ],
        ),
        "targets": (
            "metric varchar, market varchar, queue varchar, vendor varchar, value double",
            [(t.metric, t.market, t.queue, t.vendor, t.value) for t in config.targets.targets],
        ),
    }
    for name, (columns, rows) in tables.items():
        con.execute(f"create or replace table config.{name} ({columns})")
        if rows:
            marks = ", ".join("?" for _ in rows[0])
            con.executemany(f"insert into config.{name} values ({marks})", rows)
    con.execute(
        "create table if not exists config.market_days "
        "(market varchar, business_date date, starts_at timestamp with time zone, ends_at timestamp with time zone)"
    )


def set_market_days(con: duckdb.DuckDBPyConnection, config: Config, *, business_date: date) -> None:
    """Write the UTC bounds of one business date in every market into `config.market_days`."""
    con.execute("delete from config.market_days where business_date = ?", [business_date])
    rows = []
    for code, market in config.markets.markets.items():
        zone = ZoneInfo(market.time_zone)
        starts = datetime.combine(business_date, time.min, tzinfo=zone).astimezone(UTC)
        ends = datetime.combine(business_date + timedelta(days=1), time.min, tzinfo=zone).astimezone(UTC)
        rows.append((code, business_date, starts, ends))
    if rows:
        con.executemany("insert into config.market_days values (?, ?, ?, ?)", rows)
