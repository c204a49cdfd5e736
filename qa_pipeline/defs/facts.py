"""facts and ops.late: one step that rebuilds the dates that the night's deliveries made stale.

The rules across dates are judged here, because their verdict on a date can change when another date is delivered.
"""

from collections.abc import Sequence
from datetime import date

import dagster as dg
import duckdb

from qa_pipeline import quarantining
from qa_pipeline.defs import describing
from qa_pipeline.defs.partitions import FACTS_GROUP, daily
from qa_pipeline.defs.restated import node_key, nodes_of, restated_assets
from qa_pipeline.restating import Node

LAYERS = ("facts", "ops")
LEDGER = "ledger_still_adds_up"


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


def ledger_check_spec() -> dg.AssetCheckSpec:
    """Check that the rules across dates, which quarantine rows that were loaded, lost none."""
    return dg.AssetCheckSpec(
        LEDGER,
        asset=node_key(judged_nodes()[0]),
        blocking=True,
        description="Of every file of every feed and date: rows landed = validated + quarantined + superseded, after "
        "the rules across dates moved rows to quarantine. Otherwise nothing is made of the facts.",
        partitions_def=daily(),
    )


def ledger_check_result(con: duckdb.DuckDBPyConnection) -> dg.AssetCheckResult:
    """Outcome of `ledger_check_spec`."""
    unbalanced = quarantining.unbalanced_files(con)
    return dg.AssetCheckResult(
        asset_key=node_key(judged_nodes()[0]),
        check_name=LEDGER,
        passed=not unbalanced,
        metadata=describing.metadata(
            files_that_do_not_add_up=len(unbalanced),
            examples=describing.rows_table(
                ("feed and date", "file", "rows landed", "rows found"),
                [(f"{feed} of {day}", *rest) for feed, day, *rest in unbalanced[: describing.SAMPLE_ROWS]],
            )
            if unbalanced
            else None,
        ),
        description=_lost(unbalanced[0], files=len(unbalanced)) if unbalanced else None,
    )


def _lost(first: tuple[str, date, str, int, int], *, files: int) -> str:
    """What to say of files whose rows are not all accounted for, by the first of them."""
    feed, day, file_name, landed, found = first
    more = f" ({files - 1} more files like this)" if files > 1 else ""
    return (
        f"{file_name} of {feed} of {day} landed {landed:,} rows, but {found:,} are accounted for{more}. That is a "
        f"defect of the pipeline: report it; `qa-pipeline run --force --from {day} --to {day}` loads the date again."
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
        check_specs=[*(cross_check_spec(node) for node in nodes), ledger_check_spec()],
        checks=lambda con, days: [
            *(cross_check_result(con, node=node, days=sorted(days)) for node in nodes),
            ledger_check_result(con),
        ],
    )
    return dg.Definitions(assets=[step])
