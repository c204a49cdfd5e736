"""Moving rows out: to quarantine, or aside as superseded, and keeping the ledger's account of both.

Which rows fail is decided by the suites; nothing is judged here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

import duckdb

from qa_pipeline.contracts import FEEDS
from qa_pipeline.landed_rows import ROW_NUMBER, FileReader
from qa_pipeline.landing import quote_name, quote_text
from qa_pipeline.validation import RuleOutcome


def list_failing(con: duckdb.DuckDBPyConnection, outcomes: Sequence[RuleOutcome]) -> int:
    """Collect the failing rows of all `quarantine` rules into temp table `failing_rows`.

    Grain: business_date, row_id; `rule_ids` sorted. Returns the number of rows.
    """
    con.execute("create or replace temp table failing (business_date date, row_id bigint, rule_id varchar)")
    for outcome in outcomes:
        if outcome.rule.action == "quarantine" and outcome.failing_rows_sql is not None:
            con.execute(
                f"insert into failing select f.business_date, f.row_id, ? from ({outcome.failing_rows_sql}) as f",
                [outcome.rule.rule_id],
            )
    con.execute(
        "create or replace temp table failing_rows as select business_date, row_id, "
        "list_sort(list(distinct rule_id)) as rule_ids from failing group by business_date, row_id"
    )
    return int(con.execute("select count(*) from failing_rows").fetchall()[0][0])


def take_out(
    con: duckdb.DuckDBPyConnection,
    *,
    feed: str,
    outcomes: Sequence[RuleOutcome],
    readers: Mapping[str, FileReader],
    layer: str,
) -> int:
    """Move the rows that fail a `quarantine` rule from the validated table to quarantine, verbatim.

    `readers` says how each file of the partition is read: the verbatim row comes from the file. Returns the number of
    rows moved.
    """
    moved = list_failing(con, outcomes)
    if moved == 0:
        return 0
    table = f"validated.valid_{feed}"
    con.execute(
        "create or replace temp table failing_places as select v.business_date, v.file_name, v.row_number, v.row_id, "
        f"f.rule_ids from {table} as v inner join failing_rows as f "
        "on v.business_date = f.business_date and v.row_id = f.row_id"
    )
    files = [row[0] for row in con.execute("select distinct file_name from failing_places order by all").fetchall()]
    con.execute("set preserve_insertion_order = true")
    for file_name in files:
        reader = readers[file_name]
        pairs = ", ".join(f"{quote_text(name)}, d.{quote_name(name)}" for name in reader.types)
        con.execute(
            f"insert into quarantine.quarantined_{feed} select p.business_date, p.file_name, p.row_number, p.row_id, "
            f"?, p.rule_ids, cast(json_object({pairs}) as varchar) from ({reader.relation_sql}) as d "
            f"inner join failing_places as p on d.{ROW_NUMBER} = p.row_number where p.file_name = ?",
            [layer, file_name],
        )
    con.execute("set preserve_insertion_order = false")
    con.execute(
        f"delete from {table} as v using failing_rows as f "
        "where v.business_date = f.business_date and v.row_id = f.row_id"
    )
    return moved


def supersede(con: duckdb.DuckDBPyConnection, *, feed: str, outcomes: Sequence[RuleOutcome]) -> list[RuleOutcome]:
    """Set aside every row whose key a later delivery of the partition repeats, among the rows still validated.

    Runs after `take_out`: a row that is in quarantine supersedes nothing and is superseded by none. So the rule, which
    was counted before, is counted anew: returns the outcomes with the rows that were really set aside.
    """
    counted = []
    for outcome in outcomes:
        if outcome.rule.action != "supersede" or outcome.failing_rows_sql is None:
            counted.append(outcome)
            continue
        con.execute(f"create or replace temp table superseded_rows as {outcome.failing_rows_sql}")
        con.execute(
            "insert into ops.superseded select ?, v.business_date, v.file_name, v.row_number, v.row_id "
            f"from validated.valid_{feed} as v inner join superseded_rows as s "
            "on v.business_date = s.business_date and v.row_id = s.row_id",
            [feed],
        )
        con.execute(
            f"delete from validated.valid_{feed} as v using superseded_rows as s "
            "where v.business_date = s.business_date and v.row_id = s.row_id"
        )
        moved = int(con.execute("select count(*) from superseded_rows").fetchall()[0][0])
        counted.append(replace(outcome, rows_failed=moved, is_success=moved == 0))
    return counted


def quarantine_later(
    con: duckdb.DuckDBPyConnection,
    *,
    feed: str,
    outcomes: Sequence[RuleOutcome],
    start_date: date,
    end_date: date,
) -> int:
    """Record rows that a cross-date rule rejects; what the rules said of these dates before is replaced.

    The rows stay in the validated table, because a later delivery can redeem them; facts leave them out. Their verbatim
    row is the validated one. Returns the number of rows.
    """
    con.execute(
        f"delete from quarantine.quarantined_{feed} where layer = 'facts' and business_date between ? and ?",
        [start_date, end_date],
    )
    count = list_failing(con, outcomes)
    if count:
        pairs = ", ".join(f"'{name}', v.{name}" for name in FEEDS[feed].names)
        con.execute(
            f"insert into quarantine.quarantined_{feed} select v.business_date, v.file_name, v.row_number, v.row_id, "
            f"'facts', f.rule_ids, cast(json_object({pairs}) as varchar) from validated.valid_{feed} as v "
            "inner join failing_rows as f on v.business_date = f.business_date and v.row_id = f.row_id"
        )
    refresh_ledger(con, feed=feed, start_date=start_date, end_date=end_date)
    return count


def refresh_ledger(con: duckdb.DuckDBPyConnection, *, feed: str, start_date: date, end_date: date) -> None:
    """Count anew where the rows of each landed file are, 0 where none is left.

    `rows_landed`, the file's own count, is left as it is: the two must agree, and `unbalanced_files` says where not.
    """
    con.execute(
        f"""
        with places as (
            select v.business_date, v.file_name, count(*) as validated, 0 as quarantined, 0 as superseded
            from validated.valid_{feed} as v
            anti join quarantine.quarantined_{feed} as q
                on v.business_date = q.business_date and v.row_id = q.row_id and q.layer = 'facts'
            where v.business_date between $start_date and $end_date
            group by all
            union all
            select q.business_date, q.file_name, 0, count(*), 0
            from quarantine.quarantined_{feed} as q
            where q.business_date between $start_date and $end_date
            group by all
            union all
            select f.business_date, f.file_name, 0, f.rows_landed, 0
            from quarantine.quarantined_files as f
            where f.feed = $feed and f.business_date between $start_date and $end_date
            union all
            select s.business_date, s.file_name, 0, 0, count(*)
            from ops.superseded as s
            where s.feed = $feed and s.business_date between $start_date and $end_date
            group by all
        ),
        counted as (
            select l.business_date, l.file_name, coalesce(sum(p.validated), 0) as validated,
                coalesce(sum(p.quarantined), 0) as quarantined, coalesce(sum(p.superseded), 0) as superseded
            from ops.ledger as l
            left join places as p on p.business_date = l.business_date and p.file_name = l.file_name
            where l.feed = $feed and l.business_date between $start_date and $end_date
            group by all
        )
        update ops.ledger as l
        set rows_validated = c.validated, rows_quarantined = c.quarantined, rows_superseded = c.superseded
        from counted as c
        where l.feed = $feed and l.business_date = c.business_date and l.file_name = c.file_name
        """,
        {"feed": feed, "start_date": start_date, "end_date": end_date},
    )


def unbalanced_files(con: duckdb.DuckDBPyConnection) -> list[tuple[str, date, str, int, int]]:
    """Files whose rows are not all accounted for: feed, date, file name, rows landed, rows found.

    The identity landed = validated + quarantined + superseded is a blocking check: an empty list is the only good one.
    """
    return con.execute(
        "select feed, business_date, file_name, rows_landed, rows_validated + rows_quarantined + rows_superseded "
        "from ops.ledger where rows_landed <> rows_validated + rows_quarantined + rows_superseded order by all"
    ).fetchall()
