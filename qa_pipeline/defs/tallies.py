"""tallies: one step that recounts the dates whose facts or rows changed."""

from datetime import date

import dagster as dg
import duckdb

from qa_pipeline.defs import describing
from qa_pipeline.defs.partitions import TALLIES_GROUP, daily
from qa_pipeline.defs.restated import node_key, nodes_of, restated_assets

LAYERS = ("tallies",)
CURRENT = "tallies_are_current"


def current_check_spec() -> dg.AssetCheckSpec:
    """Check that no date is left stale."""
    return dg.AssetCheckSpec(
        CURRENT,
        asset=node_key(nodes_of(LAYERS)[0]),
        description="No fact or tally of any date is left to rebuild, so marts are made from all that was loaded. The "
        "next run rebuilds what is left.",
        partitions_def=daily(),
    )


def current_check_result(con: duckdb.DuckDBPyConnection) -> dg.AssetCheckResult:
    """Outcome of `current_check_spec`."""
    left = con.execute(
        "select node, count(*), min(business_date), max(business_date) from ops.dirty group by node order by node"
    ).fetchall()
    return dg.AssetCheckResult(
        asset_key=node_key(nodes_of(LAYERS)[0]),
        check_name=CURRENT,
        passed=not left,
        metadata=describing.metadata(
            stale_dates=sum(row[1] for row in left),
            examples=describing.rows_table(("table", "dates", "from", "to"), left[: describing.SAMPLE_ROWS])
            if left
            else None,
        ),
    )


def _checks(con: duckdb.DuckDBPyConnection, _days: set[date]) -> list[dg.AssetCheckResult]:
    return [current_check_result(con)]


@dg.definitions
def tallies() -> dg.Definitions:
    """The tallies."""
    step = restated_assets(
        name="rebuild_tallies",
        description="Recount the tallies of every date whose facts or rows changed.",
        layers=LAYERS,
        group=TALLIES_GROUP,
        check_specs=[current_check_spec()],
        checks=_checks,
    )
    return dg.Definitions(assets=[step])
