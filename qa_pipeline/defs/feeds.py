"""raw, validated and quarantine: one step a feed, which loads one business date from its folder.

The loading itself is `qa_pipeline.loading`. No `from __future__ import annotations` here: Dagster reads annotations.
"""

from collections.abc import Iterator
from datetime import date

import dagster as dg
import duckdb

from qa_pipeline.contracts import FEEDS, Feed
from qa_pipeline.defs import describing
from qa_pipeline.defs.feed_checks import check_results, check_specs, quarantined_key, raw_key, valid_key
from qa_pipeline.defs.partitions import (
    OWNERS,
    QUARANTINE_GROUP,
    RAW_GROUP,
    VALIDATED_GROUP,
    WRITER_POOL,
    Told,
    daily,
    run_date,
)
from qa_pipeline.defs.resources import Warehouse
from qa_pipeline.loading import LoadResult, load_partition
from qa_pipeline.settings import Home

# A table of more files makes the asset's page hard to read; the ledger has them all.
SHOWN_FILES = 20


class LoadConfig(dg.Config):
    """How a partition is loaded."""

    force: bool = False


def load_step(feed: Feed) -> str:
    """Name of the step that loads `feed`."""
    return f"load_{feed.name}"


def asset_specs(feed: Feed) -> list[dg.AssetSpec]:
    """The three assets of a feed. A partition on hold leaves `valid_` out, so that it shows as failed, not as made."""
    grain = feed.grain.removeprefix("an ").removeprefix("a ")
    return [
        dg.AssetSpec(
            raw_key(feed),
            description=f"Files in `landing/{feed.name}/date=…`, as delivered: one row is {feed.grain}. Nothing is "
            "copied or interpreted; the ledger (`ops.ledger`) holds each file's hash and row count.",
            group_name=RAW_GROUP,
            kinds={"parquet", "csv", "json"},
            owners=OWNERS,
            metadata={"dagster/column_schema": describing.raw_schema(feed)},
        ),
        dg.AssetSpec(
            valid_key(feed),
            deps=[raw_key(feed)],
            description=f"Typed rows of `{feed.name}` that no rule of `expectations/{feed.name}.json` takes out, "
            f"one per {grain}; key: {', '.join(feed.key)}. Rebuilt whole from its folder.",
            group_name=VALIDATED_GROUP,
            kinds={"duckdb", "greatexpectations"},
            owners=OWNERS,
            skippable=True,
            metadata={
                "dagster/column_schema": describing.validated_schema(feed),
                **describing.table_name("validated", f"valid_{feed.name}"),
            },
        ),
        dg.AssetSpec(
            quarantined_key(feed),
            deps=[raw_key(feed)],
            description=f"Rows of `{feed.name}` that failed a rule: verbatim, with rule ids, file and row number. "
            "A later delivery of the partition redeems them.",
            group_name=QUARANTINE_GROUP,
            kinds={"duckdb", "greatexpectations"},
            owners=OWNERS,
            metadata={
                "dagster/column_schema": describing.quarantine_schema(),
                **describing.table_name("quarantine", f"quarantined_{feed.name}"),
            },
        ),
    ]


def feed_assets(feed: Feed) -> dg.AssetsDefinition:
    """The step that loads one date of `feed`."""

    @dg.multi_asset(
        name=load_step(feed),
        description=f"Load one business date of {feed.name}.",
        specs=asset_specs(feed),
        check_specs=check_specs(feed),
        partitions_def=daily(),
        pool=WRITER_POOL,
    )
    def load(context: dg.AssetExecutionContext, config: LoadConfig, warehouse: Warehouse) -> Iterator[Told]:
        day = run_date(context)
        with warehouse.opened() as work:
            result = load_partition(
                work.con, home=work.home, config=work.config, feed=feed.name, business_date=day, force=config.force
            )
            told = [*_materializations(work.con, feed=feed, home=work.home, day=day, result=result)]
            told += check_results(work.con, feed=feed, day=day, result=result)
        yield from told

    return load


def _materializations(
    con: duckdb.DuckDBPyConnection, *, feed: Feed, home: Home, day: date, result: LoadResult
) -> Iterator[Told]:
    files = con.execute(
        "select file_name, rows_landed, bytes, status from ops.ledger where feed = ? and business_date = ? "
        "order by file_name",
        [feed.name, day],
    ).fetchall()
    yield dg.MaterializeResult(
        asset_key=raw_key(feed),
        metadata={
            "dagster/partition_row_count": result.rows_landed,
            "files": len(files),
            "megabytes": round(sum(row[2] for row in files) / 1e6, 3),
            "folder": dg.MetadataValue.path(home.landing / feed.name / f"date={day}"),
            "landed": describing.rows_table(("file", "rows", "bytes", "status"), files[:SHOWN_FILES]),
        },
    )
    yield dg.MaterializeResult(
        asset_key=quarantined_key(feed),
        metadata={
            "dagster/partition_row_count": result.rows_quarantined,
            "dagster/row_count": _row_count(con, f"quarantine.quarantined_{feed.name}"),
        },
    )
    if result.blocked_by:
        return
    table = f"validated.valid_{feed.name}"
    by_market = (
        describing.counts_by(con, table=table, day=day, column="market") if "market" in feed.required_names else {}
    )
    yield dg.MaterializeResult(
        asset_key=valid_key(feed),
        metadata={
            "dagster/partition_row_count": result.rows_validated,
            "dagster/row_count": _row_count(con, table),
            "rows superseded": result.rows_superseded,
            "unchanged since the last load": result.was_fresh,
            **by_market,
        },
    )


def _row_count(con: duckdb.DuckDBPyConnection, table: str) -> int:
    return int(con.execute(f"select count(*) from {table}").fetchall()[0][0])  # noqa: S608 - our feeds


@dg.definitions
def feeds() -> dg.Definitions:
    """Every feed of the contract."""
    return dg.Definitions(assets=[feed_assets(feed) for feed in FEEDS.values()])
