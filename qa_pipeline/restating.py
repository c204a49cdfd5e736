"""Rebuilding facts and tallies of exactly the dates that a changed partition made stale.

The order of the nodes, and what a rebuilt node makes stale in turn, belongs here. What a new partition makes stale is
`staleness`.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import duckdb

from qa_pipeline import quarantining, staleness
from qa_pipeline.config import Config
from qa_pipeline.settings import project_root
from qa_pipeline.suites import load_suite, suite_fingerprint
from qa_pipeline.validation import RuleOutcome, run_suite
from qa_pipeline.warehouse import SqlFile, sql_file


@dataclass(frozen=True)
class Node:
    """One fact or tally: its SQL file, the suite that judges the rows of `feed`, and the nodes it reads."""

    layer: str
    name: str
    reads: tuple[str, ...] = ()
    feed: str | None = None


# In the order in which they are rebuilt.
NODES: tuple[Node, ...] = (
    Node("facts", "rejected_labels", feed="labels"),
    Node("facts", "reviews", reads=("rejected_labels",), feed="reviews"),
    Node("facts", "appeals", reads=("rejected_labels",), feed="appeals"),
    Node("facts", "reference_events", reads=("rejected_labels", "reviews")),
    Node("facts", "ratings", reads=("rejected_labels",)),
    Node("facts", "human_model", reads=("ratings",)),
    Node("facts", "repeats", reads=("rejected_labels",)),
    Node("facts", "gold_decisions", reads=("rejected_labels",)),
    Node("facts", "label_outcomes", reads=("ratings", "reference_events", "reviews")),
    Node("facts", "prediction_outcomes", reads=("reference_events", "reviews")),
    Node("ops", "late", reads=("rejected_labels", "reviews", "appeals")),
    Node("tallies", "label_counts", reads=("rejected_labels",)),
    Node("tallies", "score_hist"),
    Node("tallies", "unit_patterns", reads=("ratings", "human_model")),
    Node("tallies", "pair_counts", reads=("ratings", "human_model")),
    Node("tallies", "rater_patterns", reads=("ratings",)),
    Node("tallies", "repeat_counts", reads=("repeats",)),
    Node("tallies", "suggestion_counts", reads=("rejected_labels",)),
    Node("tallies", "outcome_counts", reads=("label_outcomes", "prediction_outcomes")),
    Node("tallies", "annotator_label_counts", reads=("rejected_labels",)),
    Node("tallies", "gold_counts", reads=("gold_decisions",)),
    Node("tallies", "review_counts", reads=("reviews",)),
    Node("tallies", "reviewer_outcomes", reads=("reviews",)),
    Node("tallies", "lot_counts", reads=("rejected_labels", "reviews")),
    Node("tallies", "appeal_counts", reads=("appeals",)),
)
# Views of schema facts that nodes may read. Nothing of them is stored, so they are never stale.
VIEWS = ("decisions",)
# Facts whose rows of a date are read for the same date: what reads them is stale where they were rebuilt.
_SAME_DATE = frozenset({"ratings", "human_model", "repeats", "gold_decisions", "label_outcomes", "prediction_outcomes"})
# This one reads ratings of other dates too; `staleness` marks it by the items that changed.
_OTHER_DATES = frozenset({"label_outcomes"})


@dataclass(frozen=True)
class Rebuilt:
    """One node rebuilt for one date, with the rows that it has now."""

    node: str
    business_date: date
    rows: int


@dataclass(frozen=True)
class RestateResult:
    """Everything that one restatement rebuilt, and what the cross-date rules found: rule id -> rows."""

    rebuilt: tuple[Rebuilt, ...]
    failed_rules: dict[str, int]
    blocked_by: tuple[str, ...]


def cross_suite_path(feed: str) -> Path:
    """The suite of the rules that look across dates."""
    return project_root() / "expectations" / f"cross_{feed}.json"


def ensure_tables(con: duckdb.DuckDBPyConnection, *, restate_days: int) -> None:
    """Create facts and tallies that do not exist yet, and mark those whose definition changed since they were built."""
    con.execute("create or replace temp table failing_labels (business_date date, row_id bigint)")
    fingerprints: dict[str, str] = {}
    for node in NODES:
        text = sql_file(node.layer, node.name).text
        parts = [text, *views_read(text).values(), str(restate_days), *(fingerprints[name] for name in node.reads)]
        if node.feed:
            parts.append(suite_fingerprint(cross_suite_path(node.feed)))
        fingerprints[node.name] = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    known = dict(con.execute("select node, fingerprint from ops.definitions").fetchall())
    for node in NODES:
        select = sql_file(node.layer, node.name)
        changed = known.get(node.name) not in (None, fingerprints[node.name])
        if changed and node.layer != "ops":
            con.execute(f"drop table if exists {select.name}")
        for view, text in views_read(select.text).items():
            con.execute(f"create or replace view {view} as {text}")
        parameters = _parameters(select, date.min, date.min, restate_days)
        con.execute(f"create table if not exists {select.name} as select * from ({select.text}) limit 0", parameters)
    staleness.mark_changed_definitions(con, fingerprints)


def views_read(text: str) -> dict[str, str]:
    """Qualified name and SELECT of every view that a SQL text reads."""
    return {f"facts.{name}": sql_file("facts", name).text for name in VIEWS if f"facts.{name} " in text}


def restate(
    con: duckdb.DuckDBPyConnection, *, config: Config, layers: Iterable[str] = ("facts", "ops", "tallies")
) -> RestateResult:
    """Rebuild every stale node of `layers` at its stale dates, neighbours in one query; marks are cleared as it goes.

    Running it again right away rebuilds nothing. Facts must be rebuilt before tallies.
    """
    restate_days = config.pipeline.restate_days
    ensure_tables(con, restate_days=restate_days)
    drop_unfinished(con, restate_days=restate_days)
    rebuilt: list[Rebuilt] = []
    failed: dict[str, int] = {}
    blocked: list[str] = []
    wanted = tuple(layers)
    for node in NODES:
        if node.layer not in wanted:
            continue
        for start, end in runs(stale_dates(con, node.name)):
            outcomes = _rebuild(con, node, start=start, end=end, restate_days=restate_days)
            for outcome in outcomes:
                if outcome.message is not None:
                    blocked.append(f"{outcome.rule.rule_id}: could not be evaluated ({outcome.message})")
                elif outcome.rows_failed:
                    failed[outcome.rule.rule_id] = failed.get(outcome.rule.rule_id, 0) + outcome.rows_failed
            rebuilt += _rows(con, node, start=start, end=end)
    return RestateResult(tuple(rebuilt), failed, tuple(blocked))


def drop_unfinished(con: duckdb.DuckDBPyConnection, *, restate_days: int) -> list[tuple[str, date]]:
    """Take out the rows of partitions whose load ended half-way: they were not judged, so no figure may rest on them.

    Their files leave the ledger with them, because it counts rows that are somewhere. Returns feed and date of each.
    They stay `loading`, so that the next run loads them again.
    """
    unfinished = con.execute(
        "select feed, business_date from ops.partitions where status = 'loading' order by all"
    ).fetchall()
    for feed, day in unfinished:
        staleness.mark_partition(con, feed=feed, business_date=day, restate_days=restate_days)
        for table in (f"validated.valid_{feed}", f"quarantine.quarantined_{feed}"):
            con.execute(f"delete from {table} where business_date = ?", [day])
        for table in ("ops.superseded", "ops.ledger", "quarantine.quarantined_files"):
            con.execute(f"delete from {table} where feed = ? and business_date = ?", [feed, day])
    return [(feed, day) for feed, day in unfinished]


def stale_dates(con: duckdb.DuckDBPyConnection, node: str) -> list[date]:
    """Dates at which a node is marked stale, in order."""
    rows = con.execute(
        "select distinct business_date from ops.dirty where node = ? order by business_date", [node]
    ).fetchall()
    return [row[0] for row in rows]


def runs(dates: Iterable[date]) -> list[tuple[date, date]]:
    """First and last day of every stretch of neighbouring dates; `dates` must be sorted.

    >>> runs([date(2026, 1, 1), date(2026, 1, 2), date(2026, 1, 5)])[0]
    (datetime.date(2026, 1, 1), datetime.date(2026, 1, 2))
    """
    stretches: list[tuple[date, date]] = []
    for day in dates:
        if stretches and day - stretches[-1][1] == timedelta(days=1):
            stretches[-1] = (stretches[-1][0], day)
        else:
            stretches.append((day, day))
    return stretches


def _parameters(select: SqlFile, start: date, end: date, restate_days: int) -> dict[str, object]:
    return select.parameters({"start_date": start, "end_date": end, "restate_days": restate_days})


def _rebuild(
    con: duckdb.DuckDBPyConnection, node: Node, *, start: date, end: date, restate_days: int
) -> list[RuleOutcome]:
    outcomes: list[RuleOutcome] = []
    if node.name == "rejected_labels":
        return _judge_labels(con, node, start=start, end=end, restate_days=restate_days)
    if node.name in ("reviews", "appeals"):
        _mark_targets(con, node.name, start=start, end=end, restate_days=restate_days)
        _fill(con, node, start=start, end=end, restate_days=restate_days)
        outcomes = _judge_facts(con, node, start=start, end=end)
        _mark_targets(con, node.name, start=start, end=end, restate_days=restate_days)
        _mark_arbitrated(con, start=start, end=end, restate_days=restate_days)
        _mark_range(con, ("late", "reference_events", "reviewer_outcomes"), start=start, end=end)
    else:
        _fill(con, node, start=start, end=end, restate_days=restate_days)
    if node.name in _SAME_DATE:
        readers = tuple(
            reader.name for reader in NODES if node.name in reader.reads and reader.name not in _OTHER_DATES
        )
        _mark_range(con, readers, start=start, end=end)
    _finish(con, node.name, outcomes, start=start, end=end)
    return outcomes


def _fill(con: duckdb.DuckDBPyConnection, node: Node, *, start: date, end: date, restate_days: int) -> None:
    select = sql_file(node.layer, node.name)
    con.execute("begin")
    con.execute(f"delete from {select.name} where business_date between ? and ?", [start, end])
    con.execute(f"insert into {select.name} by name {select.text}", _parameters(select, start, end, restate_days))
    con.execute("commit")


def _finish(con: duckdb.DuckDBPyConnection, node: str, outcomes: list[RuleOutcome], *, start: date, end: date) -> None:
    """Take the node's marks away, unless a rule could not be evaluated: then it is judged again next time."""
    if any(outcome.message is not None for outcome in outcomes):
        return
    con.execute("delete from ops.dirty where node = ? and business_date between ? and ?", [node, start, end])


def _mark_range(con: duckdb.DuckDBPyConnection, nodes: tuple[str, ...], *, start: date, end: date) -> None:
    days = "select cast(g.day as date) from generate_series($start, $end, interval 1 day) as g(day)"
    staleness.mark(con, nodes, days, {"start": start, "end": end})


def _mark_targets(con: duckdb.DuckDBPyConnection, name: str, *, start: date, end: date, restate_days: int) -> None:
    """Mark what depends on the decisions that these reviews or appeals judge, as they are at this moment."""
    dates = (
        f"select distinct target_date from facts.{name} "
        "where business_date between $start and $end and target_date is not null"
    )
    of_reviews = ("review_counts", "reviewer_outcomes", "lot_counts", "label_outcomes", "prediction_outcomes")
    nodes = of_reviews if name == "reviews" else ("appeal_counts",)
    span: dict[str, object] = {"start": start, "end": end}
    staleness.mark(con, nodes, dates, span)
    if name == "reviews":
        # One verdict of a decision counts: another may take its place.
        same = "o.target_kind = v.target_kind and o.target_id = v.target_id and o.target_date = v.target_date"
        others = (
            "select distinct o.business_date from facts.reviews as o where o.business_date between $first and $last "
            f"and exists (select 1 from facts.reviews as v where {same} and v.business_date between $start and $end)"
        )
        around = {"first": start - timedelta(days=restate_days), "last": end + timedelta(days=restate_days)}
        staleness.mark(con, ("reviewer_outcomes",), others, span | around)


def _mark_arbitrated(con: duckdb.DuckDBPyConnection, *, start: date, end: date, restate_days: int) -> None:
    """An arbitration is a reference for its item: mark the dates on which the item was decided."""
    for table, node in (("valid_labels", "label_outcomes"), ("valid_predictions", "prediction_outcomes")):
        dates = (
            f"select distinct v.business_date from validated.{table} as v where v.business_date >= $first "
            "and exists (select 1 from validated.valid_reviews as a where a.business_date between $start and $end "
            "and a.target_kind = 'review' and a.item_id = v.item_id and a.queue = v.queue)"
        )
        first = start - timedelta(days=restate_days)
        staleness.mark(con, (node,), dates, {"start": start, "end": end, "first": first})


def _judge_labels(
    con: duckdb.DuckDBPyConnection, node: Node, *, start: date, end: date, restate_days: int
) -> list[RuleOutcome]:
    """Run the cross-date rules over validated labels; a changed verdict makes its date stale like a new delivery."""
    select = sql_file(node.layer, node.name)
    con.execute(
        "create or replace temp view batch_cross_labels as select * from validated.valid_labels "
        f"where business_date between date '{start}' and date '{end}'"
    )
    outcomes = _run_cross(con, feed="labels", batch="batch_cross_labels", start=start, end=end)
    quarantining.quarantine_later(con, feed="labels", outcomes=outcomes, start_date=start, end_date=end)
    con.execute("create or replace temp table failing_labels as select business_date, row_id from failing_rows")
    difference = (
        "select distinct business_date from ((select business_date, row_id from facts.rejected_labels "
        f"where business_date between date '{start}' and date '{end}' except select * from failing_labels) union all "
        "(select * from failing_labels except select business_date, row_id from facts.rejected_labels))"
    )
    changed = [row[0] for row in con.execute(difference).fetchall()]
    _fill(con, Node(select.layer, select.table), start=start, end=end, restate_days=restate_days)
    for day in changed:
        staleness.mark_partition(con, feed="labels", business_date=day, restate_days=restate_days)
    _finish(con, node.name, outcomes, start=start, end=end)
    return outcomes


def _judge_facts(con: duckdb.DuckDBPyConnection, node: Node, *, start: date, end: date) -> list[RuleOutcome]:
    """Run the cross-date rules over reviews or appeals and take the failing rows out of the fact."""
    batch = f"batch_cross_{node.name}"
    con.execute(
        f"create or replace temp view {batch} as select * from facts.{node.name} "
        f"where business_date between date '{start}' and date '{end}'"
    )
    outcomes = _run_cross(con, feed=node.name, batch=batch, start=start, end=end)
    if quarantining.quarantine_later(con, feed=node.name, outcomes=outcomes, start_date=start, end_date=end):
        con.execute(
            f"delete from facts.{node.name} as v using failing_rows as f "
            "where v.business_date = f.business_date and v.row_id = f.row_id"
        )
    return outcomes


def _run_cross(con: duckdb.DuckDBPyConnection, *, feed: str, batch: str, start: date, end: date) -> list[RuleOutcome]:
    suite = load_suite(cross_suite_path(feed))
    counts = dict(con.execute(f"select business_date, count(*) from {batch} group by all").fetchall())
    outcomes = run_suite(con, suite=suite, batch=batch) if counts else []
    con.execute(
        "delete from ops.rule_results where feed = ? and layer = 'facts' and business_date between ? and ?",
        [feed, start, end],
    )
    for outcome in outcomes:
        by_date: dict[date, int] = {}
        if outcome.failing_rows_sql is not None:
            sql = f"select business_date, count(*) from ({outcome.failing_rows_sql}) group by all"
            by_date = dict(con.execute(sql).fetchall())
        rule = outcome.rule
        con.executemany(
            "insert into ops.rule_results values (?, ?, 'facts', ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                [
                    feed,
                    day,
                    rule.rule_id,
                    rule.action,
                    rule.severity,
                    rule.description,
                    checked,
                    by_date.get(day, 0),
                    outcome.message is None and by_date.get(day, 0) == 0,
                    outcome.message,
                ]
                for day, checked in sorted(counts.items())
            ],
        )
    return outcomes


def _rows(con: duckdb.DuckDBPyConnection, node: Node, *, start: date, end: date) -> list[Rebuilt]:
    counts = dict(
        con.execute(
            f"select business_date, count(*) from {node.layer}.{node.name} "
            "where business_date between ? and ? group by all",
            [start, end],
        ).fetchall()
    )
    days = [start + timedelta(days=offset) for offset in range((end - start).days + 1)]
    return [Rebuilt(node.name, day, int(counts.get(day, 0))) for day in days]
