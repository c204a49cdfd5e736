"""What facts and tallies share: a step that rebuilds the stale dates of its layers and records each as a partition.

Which dates are stale, and the rebuilding, is `qa_pipeline.restating`.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import date
from typing import Any

import dagster as dg
import duckdb

from qa_pipeline.defs import describing
from qa_pipeline.defs.partitions import OWNERS, WRITER_POOL, Told, daily, run_date
from qa_pipeline.defs.resources import Warehouse
from qa_pipeline.restating import NODES, Node, RestateResult, cross_suite_path, restate, views_read
from qa_pipeline.suites import load_suite
from qa_pipeline.warehouse import sql_file

Checks = Callable[[duckdb.DuckDBPyConnection, set[date]], list[dg.AssetCheckResult]]


def node_key(node: Node) -> dg.AssetKey:
    """Asset key of a fact or tally."""
    return dg.AssetKey([node.layer, node.name])


def nodes_of(layers: Iterable[str]) -> list[Node]:
    """Facts or tallies of the given layers, in the order in which they are rebuilt."""
    wanted = set(layers)
    return [node for node in NODES if node.layer in wanted]


def node_spec(node: Node, *, group: str) -> dg.AssetSpec:
    """Asset of one fact or tally; it depends on what its SELECT and its suite read."""
    select = sql_file(node.layer, node.name)
    text = select.text
    kinds = {"duckdb", "sql"}
    if node.feed:
        rules = load_suite(cross_suite_path(node.feed)).rules
        text += "\n".join(str(rule.kwargs.get("unexpected_rows_query", "")) for rule in rules)
        kinds.add("greatexpectations")
    views = views_read(text)
    text += "\n".join(views.values())
    read = describing.tables_read(text) | {(_layer(name), name) for name in node.reads}
    return dg.AssetSpec(
        node_key(node),
        deps=[dg.AssetKey(list(table)) for table in sorted(read) if ".".join(table) not in {select.name, *views}],
        description=describing.sql_description(select),
        group_name=group,
        kinds=kinds,
        owners=OWNERS,
        metadata=describing.table_name(node.layer, node.name),
    )


def _layer(name: str) -> str:
    return next(node.layer for node in NODES if node.name == name)


def restated_assets(
    *,
    name: str,
    description: str,
    layers: tuple[str, ...],
    group: str,
    check_specs: list[dg.AssetCheckSpec],
    checks: Checks,
) -> dg.AssetsDefinition:
    """One step over all nodes of `layers`. `checks` is called with the dates that the step speaks of."""
    nodes = nodes_of(layers)

    @dg.multi_asset(
        name=name,
        description=description,
        specs=[node_spec(node, group=group) for node in nodes],
        check_specs=check_specs,
        partitions_def=daily(),
        pool=WRITER_POOL,
    )
    def rebuild(context: dg.AssetExecutionContext, warehouse: Warehouse) -> Iterator[Told]:
        day = run_date(context)
        with warehouse.opened() as work:
            result = restate(work.con, config=work.config, layers=layers)
            own = [_materialize_result(work.con, node=node, day=day, result=result) for node in nodes]
            judged = checks(work.con, {day} | {rebuilt.business_date for rebuilt in result.rebuilt})
        for event in other_dates(result, day=day, nodes=nodes):
            context.log_event(event)
        yield from own
        yield from judged

    return rebuild


def other_dates(result: RestateResult, *, day: date, nodes: list[Node]) -> Iterator[dg.AssetMaterialization]:
    """Every rebuilt date but the run's own, each as its own partition; of a date rebuilt twice the last count."""
    keys = {node.name: node_key(node) for node in nodes}
    counts = {(rebuilt.node, rebuilt.business_date): rebuilt.rows for rebuilt in result.rebuilt}
    for (node, other), rows in counts.items():
        if other != day:
            yield dg.AssetMaterialization(
                asset_key=keys[node], partition=other.isoformat(), metadata={"dagster/partition_row_count": rows}
            )


def _materialize_result(
    con: duckdb.DuckDBPyConnection, *, node: Node, day: date, result: RestateResult
) -> dg.MaterializeResult[Any]:
    table = f"{node.layer}.{node.name}"
    dates = {rebuilt.business_date for rebuilt in result.rebuilt if rebuilt.node == node.name}
    counts = con.execute(
        f"select count(*) filter (where business_date = ?), count(*) from {table}",  # noqa: S608 - our nodes
        [day],
    ).fetchall()[0]
    return dg.MaterializeResult(
        asset_key=node_key(node),
        metadata={
            "dagster/partition_row_count": int(counts[0]),
            "dagster/row_count": int(counts[1]),
            "dagster/column_schema": describing.stored_schema(con, node.layer, node.name),
            "dates rebuilt": len(dates),
            **({"rebuilt from": min(dates).isoformat(), "rebuilt to": max(dates).isoformat()} if dates else {}),
        },
    )
