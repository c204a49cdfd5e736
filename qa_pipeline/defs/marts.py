"""marts: one step that rebuilds the tables people read from all tallies, and the checks that stand before publishing.

The figures are `qa_pipeline.marts`'s; here is only how they are shown and what stops a run.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import duckdb

from qa_pipeline import provenance
from qa_pipeline.defs import describing
from qa_pipeline.defs.control_tables import control_metadata
from qa_pipeline.defs.mart_tables import floats_by_queue, worst_queues, worst_rows
from qa_pipeline.defs.partitions import MARTS_GROUP, OWNERS, WRITER_POOL, Told
from qa_pipeline.defs.resources import Warehouse, Workspace
from qa_pipeline.defs.synthetic import is_synthetic
from qa_pipeline.marts.build import MARTS, build_marts
from qa_pipeline.marts.mart import Source
from qa_pipeline.marts.reading import sql_text
from qa_pipeline.marts.records import KEY
from qa_pipeline.settings import project_root

# One night missed is a warning, two are a failure: the sensor or the schedule should have run.
FRESHNESS = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=50), warn_window=timedelta(hours=26))
NEWEST = "newest_partition_present"


def mart_key(name: str) -> dg.AssetKey:
    """Asset key of a mart."""
    return dg.AssetKey(["marts", name])


def asset_spec(name: str) -> dg.AssetSpec:
    """One mart; it depends on the tallies that its SQL files read."""
    read: set[tuple[str, str]] = set()
    for query in MARTS[name].queries:
        read |= describing.tables_read(sql_text(project_root() / "sql", query))
    return dg.AssetSpec(
        mart_key(name),
        deps=[dg.AssetKey(list(table)) for table in sorted(read)],
        description=f"{describing.markdown(MARTS[name].comment)}\n\nKey: {', '.join(KEY)}.",
        group_name=MARTS_GROUP,
        kinds={"duckdb", "python"},
        owners=OWNERS,
        freshness_policy=FRESHNESS,
        metadata={
            **describing.table_name("marts", name),
            "dagster/column_schema": dg.TableSchema(
                columns=[
                    dg.TableColumn(name=column, type=type_, description=text)
                    for column, (type_, text) in MARTS[name].columns.items()
                ]
            ),
        },
    )


def check_specs() -> list[dg.AssetCheckSpec]:
    """The checks of the marts; those that block keep a wrong table from being published."""
    specs = []
    for name, mart in MARTS.items():
        if mart.source is not None:
            specs.append(
                dg.AssetCheckSpec(
                    f"{name}_not_empty",
                    asset=mart_key(name),
                    blocking=True,
                    description=f"The mart has rows when tallies.{mart.source.tally} has any.",
                )
            )
        specs += [
            dg.AssetCheckSpec(
                f"{name}_keys_unique", asset=mart_key(name), blocking=True, description="No key occurs twice."
            ),
            dg.AssetCheckSpec(
                f"{name}_intervals_in_order",
                asset=mart_key(name),
                blocking=True,
                description="ci_low <= estimate <= ci_high wherever there is an interval, and a reason wherever an "
                "estimate or an interval is missing.",
            ),
        ]
    specs.append(
        dg.AssetCheckSpec(
            NEWEST,
            asset=mart_key("agreement"),
            description="The labels of the day before the run are there. A freshness policy only sees that something "
            "ran.",
        )
    )
    return specs


@dg.definitions
def marts() -> dg.Definitions:
    """The marts."""

    @dg.multi_asset(
        name="build_marts",
        description="Rebuild every mart from all tallies.",
        specs=[asset_spec(name) for name in MARTS],
        check_specs=check_specs(),
        pool=WRITER_POOL,
    )
    def build(context: dg.AssetExecutionContext, warehouse: Warehouse) -> Iterator[Told]:
        started = started_at(context)
        with warehouse.opened() as work:
            provenance.note(work.con, work.config)
            rows = build_marts(work.con, sql_root=project_root() / "sql", config=work.config)
            told: list[Told] = []
            for name in MARTS:
                told.append(_materialization(work.con, name=name, rows=rows[name]))
                source = MARTS[name].source
                if source is not None:
                    told.append(_not_empty(work.con, name, source=source))
                told += [_keys_unique(work.con, name), _intervals(work.con, name)]
            told.append(newest_partition(work, started=started))
        yield from told

    return dg.Definitions(assets=[build])


def started_at(context: dg.AssetExecutionContext) -> datetime:
    """When the run was created, in UTC: the one clock that a run has, the same for each of its steps."""
    record = context.instance.get_run_record_by_id(context.run.run_id)
    if record is None:
        message = f"Dagster has no record of its own run {context.run.run_id}"
        raise RuntimeError(message)
    created: datetime = record.create_timestamp
    return created.astimezone(UTC)


def _materialization(con: duckdb.DuckDBPyConnection, *, name: str, rows: int) -> dg.MaterializeResult[Any]:
    newest = con.execute(f"select max(period_end) from marts.{name} where period = 'day'").fetchall()[0][0]  # noqa: S608
    return dg.MaterializeResult(
        asset_key=mart_key(name),
        metadata={
            "dagster/row_count": rows,
            **({"newest day": newest.isoformat()} if newest else {}),
            **worst_queues(con, name),
            **worst_rows(con, name),
            **floats_by_queue(con, name),
            **control_metadata(con, name),
        },
    )


def _not_empty(con: duckdb.DuckDBPyConnection, name: str, *, source: Source) -> dg.AssetCheckResult:
    rows = _count(con, f"marts.{name}")
    expected = _count(con, f"tallies.{source.tally} where {source.where}") > 0
    return dg.AssetCheckResult(
        asset_key=mart_key(name),
        check_name=f"{name}_not_empty",
        passed=rows > 0 or not expected,
        metadata=describing.metadata(rows=rows, has_source_rows=expected),
        description=None if expected else f"tallies.{source.tally} has no rows to make figures of.",
    )


def _keys_unique(con: duckdb.DuckDBPyConnection, name: str) -> dg.AssetCheckResult:
    key = ", ".join(KEY)
    repeated = con.execute(
        f"select concat_ws(' ', {key}), count(*) from marts.{name} group by {key} having count(*) > 1 order by all"  # noqa: S608
    ).fetchall()
    return dg.AssetCheckResult(
        asset_key=mart_key(name),
        check_name=f"{name}_keys_unique",
        passed=not repeated,
        metadata=describing.metadata(
            repeated_keys=len(repeated),
            examples=describing.rows_table(("key", "rows"), repeated[: describing.SAMPLE_ROWS]) if repeated else None,
        ),
    )


def _intervals(con: duckdb.DuckDBPyConnection, name: str) -> dg.AssetCheckResult:
    wrong = con.execute(
        f"select concat_ws(' ', {', '.join(KEY)}), estimate, "  # noqa: S608
        "'[' || coalesce(ci_low::varchar, 'NULL') || ', ' || coalesce(ci_high::varchar, 'NULL') || ']', reason "
        f"from marts.{name} "
        "where not coalesce(ci_low <= estimate and estimate <= ci_high, reason is not null) order by all"
    ).fetchall()
    return dg.AssetCheckResult(
        asset_key=mart_key(name),
        check_name=f"{name}_intervals_in_order",
        passed=not wrong,
        metadata=describing.metadata(
            rows_out_of_order=len(wrong),
            examples=describing.rows_table(("key", "estimate", "interval", "reason"), wrong[: describing.SAMPLE_ROWS])
            if wrong
            else None,
        ),
    )


def newest_partition(work: Workspace, *, started: datetime) -> dg.AssetCheckResult:
    """Whether the labels of the day before `started` were loaded; made-up dates are not held against the clock."""
    expected = started.date() - timedelta(days=1)
    newest = work.con.execute(
        "select max(business_date) from ops.partitions where feed = 'labels' and status = 'loaded'"
    ).fetchall()[0][0]
    synthetic = is_synthetic(work.con, work.home)
    late = newest is None or newest < expected
    return dg.AssetCheckResult(
        asset_key=mart_key("agreement"),
        check_name=NEWEST,
        passed=synthetic or not late,
        severity=dg.AssetCheckSeverity.WARN,
        metadata=describing.metadata(
            newest_labels=newest.isoformat() if newest else "none",
            expected=expected.isoformat(),
            dates_are_synthetic=synthetic,
        ),
        description=f"The newest labels are of {newest or 'no day'}, those of {expected} were due."
        if late and not synthetic
        else None,
    )


def _count(con: duckdb.DuckDBPyConnection, table: str) -> int:
    return int(con.execute(f"select count(*) from {table}").fetchall()[0][0])  # noqa: S608 - our tables
