"""The checks of a loaded feed: what the suite, the files and the ledger said, with counts and a few rows to look at.

The rules themselves are the suites' in `expectations/`; only how their outcome is shown, and what stops a run, is here.
"""

from collections.abc import Iterable
from datetime import date

import dagster as dg
import duckdb

from qa_pipeline import quarantining
from qa_pipeline.contracts import Feed
from qa_pipeline.defs.describing import SAMPLE_ROWS, metadata, rows_table
from qa_pipeline.defs.partitions import daily
from qa_pipeline.loading import LoadResult
from qa_pipeline.validation import RuleOutcome

# Above this share of quarantined rows a delivery wants a look, though every row is accounted for.
QUARANTINE_SHARE_LIMIT = 0.02


def raw_key(feed: Feed) -> dg.AssetKey:
    """The files of a feed."""
    return dg.AssetKey(["raw", f"raw_{feed.name}"])


def valid_key(feed: Feed) -> dg.AssetKey:
    """The rows of a feed that passed."""
    return dg.AssetKey(["validated", f"valid_{feed.name}"])


def quarantined_key(feed: Feed) -> dg.AssetKey:
    """The rows of a feed that did not pass."""
    return dg.AssetKey(["quarantine", f"quarantined_{feed.name}"])


def check_specs(feed: Feed) -> list[dg.AssetCheckSpec]:
    """The checks that belong to the load of `feed`; each says what it is for."""
    name, partitions = feed.name, daily()
    specs = [
        dg.AssetCheckSpec(
            f"{name}_files_readable",
            asset=raw_key(feed),
            description="Every landed file could be read. One that could not is quarantined whole; the rest is loaded.",
            partitions_def=partitions,
        ),
        dg.AssetCheckSpec(
            f"{name}_block_rules",
            asset=valid_key(feed),
            blocking=True,
            description="No rule of action `block` failed and every rule could be evaluated. Otherwise nothing of the "
            "partition is loaded and whatever depends on it is skipped.",
            partitions_def=partitions,
        ),
        dg.AssetCheckSpec(
            f"{name}_ledger_adds_up",
            asset=valid_key(feed),
            blocking=True,
            description="Of every file: rows landed = validated + quarantined + superseded. Nothing is lost.",
            partitions_def=partitions,
        ),
        dg.AssetCheckSpec(
            f"{name}_warn_rules",
            asset=valid_key(feed),
            description="Rules of action `warn`: the rows stay, somebody should look.",
            partitions_def=partitions,
        ),
        dg.AssetCheckSpec(
            f"{name}_quarantine_share",
            asset=quarantined_key(feed),
            description=f"At most {QUARANTINE_SHARE_LIMIT:.0%} of the landed rows are in quarantine.",
            partitions_def=partitions,
        ),
    ]
    if feed.is_required:
        specs.append(
            dg.AssetCheckSpec(
                f"{name}_landed",
                asset=raw_key(feed),
                description="The feed is required: its folder of the day has files.",
                partitions_def=partitions,
            )
        )
    return specs


def check_results(
    con: duckdb.DuckDBPyConnection, *, feed: Feed, day: date, result: LoadResult
) -> list[dg.AssetCheckResult]:
    """Results of every check of `check_specs`, read while the warehouse is open."""
    results = [
        _files_readable(con, feed=feed, day=day, files=len(result.files)),
        _block_rules(feed, day, result),
        _ledger_adds_up(con, feed=feed, day=day, result=result),
        _warn_rules(con, feed=feed, day=day, result=result),
        _quarantine_share(con, feed=feed, day=day, result=result),
    ]
    if feed.is_required:
        results.append(
            dg.AssetCheckResult(
                asset_key=raw_key(feed),
                check_name=f"{feed.name}_landed",
                passed=bool(result.files),
                metadata=metadata(files=len(result.files)),
                description=None if result.files else f"Nothing landed in {feed.name}/date={day}: ask its sender.",
            )
        )
    return results


def _files_readable(con: duckdb.DuckDBPyConnection, *, feed: Feed, day: date, files: int) -> dg.AssetCheckResult:
    bad = con.execute(
        "select file_name, rule_id, message from quarantine.quarantined_files where feed = ? and business_date = ? "
        "and starts_with(rule_id, 'FIL-') order by file_name",
        [feed.name, day],
    ).fetchall()
    return dg.AssetCheckResult(
        asset_key=raw_key(feed),
        check_name=f"{feed.name}_files_readable",
        passed=not bad,
        severity=dg.AssetCheckSeverity.WARN,
        metadata=metadata(
            files=files,
            files_quarantined=len(bad),
            examples=rows_table(("file", "rule", "message"), bad[:SAMPLE_ROWS]) if bad else None,
        ),
    )


def _block_rules(feed: Feed, day: date, result: LoadResult) -> dg.AssetCheckResult:
    judged = [outcome for outcome in result.outcomes if outcome.rule.action == "block" or outcome.message]
    return dg.AssetCheckResult(
        asset_key=valid_key(feed),
        check_name=f"{feed.name}_block_rules",
        passed=not result.blocked_by,
        metadata=metadata(
            rows_landed=result.rows_landed,
            rows_failed=max((outcome.rows_failed for outcome in judged), default=0),
            reason="; ".join(result.blocked_by) or None,
            examples=_rules_table(outcome for outcome in judged if outcome.message or not outcome.is_success)
            if result.blocked_by
            else None,
        ),
        description=f"{feed.name} of {day} is on hold: {'; '.join(result.blocked_by)}." if result.blocked_by else None,
    )


def _ledger_adds_up(
    con: duckdb.DuckDBPyConnection, *, feed: Feed, day: date, result: LoadResult
) -> dg.AssetCheckResult:
    unbalanced = [row for row in quarantining.unbalanced_files(con) if row[:2] == (feed.name, day)]
    return dg.AssetCheckResult(
        asset_key=valid_key(feed),
        check_name=f"{feed.name}_ledger_adds_up",
        passed=not unbalanced,
        metadata=metadata(
            rows_landed=result.rows_landed,
            rows_validated=result.rows_validated,
            rows_quarantined=result.rows_quarantined,
            rows_superseded=result.rows_superseded,
            files_that_do_not_add_up=len(unbalanced),
            examples=rows_table(("file", "rows landed", "rows found"), [row[2:] for row in unbalanced[:SAMPLE_ROWS]])
            if unbalanced
            else None,
        ),
    )


def _warn_rules(con: duckdb.DuckDBPyConnection, *, feed: Feed, day: date, result: LoadResult) -> dg.AssetCheckResult:
    failed = [outcome for outcome in result.outcomes if outcome.rule.action == "warn" and outcome.rows_failed]
    remarks = con.execute(
        "select file_name || ': ' || message from ops.ledger where feed = ? and business_date = ? "
        "and status = 'loaded' and message is not null order by file_name",
        [feed.name, day],
    ).fetchall()
    return dg.AssetCheckResult(
        asset_key=valid_key(feed),
        check_name=f"{feed.name}_warn_rules",
        passed=not failed and not remarks,
        severity=dg.AssetCheckSeverity.WARN,
        metadata=metadata(
            rows=sum(outcome.rows_failed for outcome in failed),
            columns="; ".join(row[0] for row in remarks[:SAMPLE_ROWS]) or None,
            rules=_rules_table(failed) if failed else None,
            examples=_warned_rows(con, feed=feed, day=day, failed=failed),
        ),
    )


def _rules_table(outcomes: Iterable[RuleOutcome]) -> dg.TableMetadataValue:
    return rows_table(
        ("rule", "rows", "what is wrong", "what to do"),
        [
            (
                outcome.rule.rule_id,
                outcome.rows_failed,
                outcome.message or outcome.rule.description,
                outcome.rule.what_to_do,
            )
            for outcome in outcomes
        ],
    )


def _warned_rows(
    con: duckdb.DuckDBPyConnection, *, feed: Feed, day: date, failed: list[RuleOutcome]
) -> dg.TableMetadataValue | None:
    """A few rows that a warn rule found; None when an earlier run loaded the partition: its check shows them."""
    key = " || ' ' || ".join(f"coalesce(v.{name}, '')" for name in feed.key)
    rows: list[tuple[object, ...]] = []
    for outcome in failed:
        if outcome.failing_rows_sql is None or len(rows) >= SAMPLE_ROWS:
            continue
        found = con.execute(
            f"select v.file_name, v.row_number, {key} from validated.valid_{feed.name} as v "  # noqa: S608 - our feeds
            f"where v.business_date = ? and v.row_id in (select row_id from ({outcome.failing_rows_sql})) "
            "order by v.row_id limit ?",
            [day, SAMPLE_ROWS - len(rows)],
        ).fetchall()
        rows += [(outcome.rule.rule_id, *row) for row in found]
    return rows_table(("rule", "file", "row", "key"), rows) if rows else None


def _quarantine_share(
    con: duckdb.DuckDBPyConnection, *, feed: Feed, day: date, result: LoadResult
) -> dg.AssetCheckResult:
    share = result.rows_quarantined / result.rows_landed if result.rows_landed else 0.0
    rows = con.execute(
        f"select rule_ids, file_name, row_number, row_json from quarantine.quarantined_{feed.name} "  # noqa: S608
        "where business_date = ? order by file_name, row_number limit ?",
        [day, SAMPLE_ROWS],
    ).fetchall()
    return dg.AssetCheckResult(
        asset_key=quarantined_key(feed),
        check_name=f"{feed.name}_quarantine_share",
        passed=share <= QUARANTINE_SHARE_LIMIT,
        severity=dg.AssetCheckSeverity.WARN,
        metadata=metadata(
            quarantine_share=share,
            rows_quarantined=result.rows_quarantined,
            rows_landed=result.rows_landed,
            examples=rows_table(("rules", "file", "row", "content"), rows) if rows else None,
        ),
    )
