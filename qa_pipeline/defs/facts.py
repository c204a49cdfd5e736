"""facts and ops.late: one step that rebuilds the dates that the night's deliveries made stale.

The rules across dates are judged here, because their verdict on a date can change when another date is delivered.
"""

from collections.abc import Sequence
from datetime import date

import dagster as dg
import duckdb

from qa_pipeline.defs import describing
from qa_pipeline.defs.partitions import FACTS_GROUP, daily
from qa_pipeline.defs.restated import node_key, nodes_of, restated_assets
from qa_pipeline.restating import Node

LAYERS = ("facts", "ops")


def judged_nodes() -> list[Node]:
    """The facts whose rows are judged by a suite of rules across dates."""
    return [node for node in nodes_of(LAYERS) if node.feed]


def cross_check_spec(node: Node) -> dg.AssetCheckSpec:
    """Check of a feed's rules across dates; it stops the run only when a rule could not be evaluated."""
    return dg.AssetCheckSpec(
        f"{node.feed}_cross_date_rules",
        asset=node_key(node),
        blocking=True,
        description=f"Rules of `expectations/cross_{node.feed}.json`, which look across dates. Rows that fail are in "
        "quarantine (layer `facts`) and warn; a rule that cannot be evaluated stops what depends on it.",
        partitions_def=daily(),
    )


def cross_check_result(con: duckdb.DuckDBPyConnection, *, node: Node, days: Sequence[date]) -> dg.AssetCheckResult:
    """Outcome of the rules at the given dates."""
    parameters = {"feed": node.feed, "days": list(days)}
    rules = con.execute(
        "select rule_id, sum(rows_failed), any_value(coalesce(message, description)), count(message) "
        "from ops.rule_results where feed = $feed and layer = 'facts' and business_date in (select unnest($days)) "
        "and not is_success group by rule_id order by rule_id",
        parameters,
    ).fetchall()
    rows = con.execute(
        f"select rule_ids, business_date, file_name, row_json from quarantine.quarantined_{node.feed} "  # noqa: S608
        "where layer = 'facts' and business_date in (select unnest($days)) order by business_date, row_id limit $most",
        {"days": list(days), "most": describing.SAMPLE_ROWS},
    ).fetchall()
    unevaluated = [row[0] for row in rules if row[3]]
    return dg.AssetCheckResult(
        asset_key=node_key(node),
        check_name=f"{node.feed}_cross_date_rules",
        passed=not rules,
        severity=dg.AssetCheckSeverity.ERROR if unevaluated else dg.AssetCheckSeverity.WARN,
        metadata=describing.metadata(
            dates_judged=len(days),
            rows=sum(int(row[1]) for row in rules),
            rules=describing.rows_table(("rule", "rows", "what is wrong"), [row[:3] for row in rules])
            if rules
            else None,
            examples=describing.rows_table(("rules", "date", "file", "content"), rows) if rows else None,
        ),
        description=f"Could not be evaluated: {', '.join(unevaluated)}." if unevaluated else None,
    )


@dg.definitions
def facts() -> dg.Definitions:
    """The facts, and what came too late to change them."""
    nodes = judged_nodes()
    step = restated_assets(
        name="rebuild_facts",
        description="Rebuild the facts of every stale date and judge the rules across dates.",
        layers=LAYERS,
        group=FACTS_GROUP,
        check_specs=[cross_check_spec(node) for node in nodes],
        checks=lambda con, days: [cross_check_result(con, node=node, days=sorted(days)) for node in nodes],
    )
    return dg.Definitions(assets=[step])
