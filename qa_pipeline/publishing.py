"""The published warehouse: a read-only copy for readers, replaced whole by an atomic rename.

Readers that hold the earlier copy open keep it, because the rename leaves their file in place until they close it.
"""

from pathlib import Path

import duckdb

from qa_pipeline.contracts import FEEDS
from qa_pipeline.errors import HomeError
from qa_pipeline.landing import quote_name, quote_text
from qa_pipeline.settings import Home

PUBLISHED_SCHEMAS = ("marts", "tallies", "ops", "quarantine", "config")
_PRIVATE_TABLES = frozenset({"ops.dirty", "ops.definitions"})

DESCRIPTIONS: dict[str, str] = {
    "ops.ledger": "One row per landed file: where its rows are. rows_landed = validated + quarantined + superseded.",
    "ops.rule_results": "One row per rule and partition: how many rows it checked and how many failed it.",
    "ops.partitions": "One row per landed partition: loaded, or blocked with the rule that stopped it.",
    "ops.superseded": "Rows that a later delivery of the same key in the same partition replaced.",
    "ops.made_from": "One hash of the code, the settings and the files that these figures were made from.",
    "ops.late": "Rows that came more than restate_days after the decision they belong to, and change no figure.",
    "quarantine.quarantined_rows": "Every row in quarantine, of all feeds, verbatim, with the rules that it fails.",
    "quarantine.quarantined_files": "Files that were quarantined whole: unreadable, or in a partition on hold.",
    "tallies.label_counts": "Decisions per day, market, queue, rater kind, vendor, model version and label.",
    "tallies.unit_patterns": "Units of agreement per day, market, queue and pattern of ratings (sorted, by commas).",
    "tallies.pair_counts": "Items that two raters both rated, per day, market, queue, pair and their two labels.",
    "tallies.rater_patterns": "Units per day, market, queue, annotator or vendor, their own and the others' ratings.",
    "tallies.repeat_counts": "Decisions on items that the annotator had decided before, per day and outcome.",
    "tallies.suggestion_counts": "Decisions on items with a suggested label, shown or hidden, per day and outcome.",
    "tallies.annotator_label_counts": "Decisions per day, vendor, annotator and label.",
    "tallies.gold_counts": "Decisions on items with a known answer, per day, item, annotator, label and exposure.",
    "tallies.reviewer_outcomes": "QA's verdicts per day and reviewer, and what arbitration found; weights in ppm.",
    "tallies.lot_counts": "Decisions, random reviews and defects of each lot (batch_id on a date); weights in ppm.",
    "tallies.outcome_counts": "Decisions per day, rater, label and reference label; weights are sums of 1/p in ppm.",
    "tallies.score_hist": "Scores per day, model version, label and log-linear bin; sums in parts per million.",
    "tallies.review_counts": "QA reviews (of random ones the first) per date of the decision, rater, error; in ppm.",
    "tallies.appeal_counts": "Appeals per date of the decision appealed, vendor, label and outcome.",
    **{f"quarantine.quarantined_{feed}": f"Rows of feed {feed} in quarantine, verbatim." for feed in FEEDS},
    "config.market_days": "UTC bounds of each business date in each market.",
    "config.settings": "Settings that the figures depend on.",
    "config.markets": "Markets and the time zone whose date is the business date.",
    "config.queues": "Queues and the scale of their labels.",
    "config.labels": "Labels of each queue, whether they violate policy, and their severity weight.",
    "config.targets": "Targets by metric; * stands for every market, queue or vendor.",
}
COLUMN_DESCRIPTIONS: dict[str, str] = {
    "business_date": "Market-local date of the decision (rows: of the folder they were delivered in).",
    "market": "Market code; ALL and CROSS are roll-ups.",
    "queue": "Queue code; ALL is the roll-up.",
    "replicate": "Jackknife group of the item, 0 to 19.",
    "n": "Count.",
    "weight_ppm": "Sum of 1/inclusion probability (reviewer_outcomes: of being reviewed and arbitrated), in 1e-6.",
    "weight_sq_ppm": "Sum of 1/inclusion probability squared, parts per million.",
    "lot": "batch_id of the decisions; another lot on every business date.",
    "place": "Rank of a defect among the sampled reviews of its lot, as they were completed; 0 where none is.",
    "sort": "decision; review: in the lot's sample; left_out: not, to make chances equal; unstated: chances unknown.",
    "is_defect": "Whether the review found a defect.",
    "reviewed_on": "Business date of the review; of decisions their own.",
    "max_weight_ppm": "Largest 1/inclusion probability of the row, parts per million.",
    "rule_ids": "Rules that the row fails; see docs/rules.md.",
    "row_json": "The row as it was delivered.",
    "layer": "validated: a rule of its own partition; facts: a rule across dates.",
    "file_name": "Landed file.",
    "row_number": "Row of the file, from 1, header not counted.",
    "rows_landed": "Rows that the file holds.",
    "rows_validated": "Rows that figures are made from.",
    "rows_quarantined": "Rows that a rule took out.",
    "rows_superseded": "Rows replaced by a later delivery of the same key.",
    "pattern": "The unit's ratings, sorted and joined by commas.",
    "n_raters": "Ratings of the unit.",
    "own": "The subject's ratings of the unit, sorted and joined by commas.",
    "others": "The others' ratings of the unit, sorted and joined by commas; empty when there are none.",
    "is_same": "Whether the decision equals the earlier one, or the label suggested.",
    "is_blind": "Whether the reviewer did not see the decision.",
    "is_shown": "Whether the annotator saw the suggested label.",
    "bin": "Log-linear score bin, 0 to 2047, rising with the score.",
}


def publish(con: duckdb.DuckDBPyConnection, home: Home) -> Path:
    """Copy marts, tallies, ops, quarantine and config into a new file and rename it to `published/warehouse.duckdb`.

    Raises HomeError when the folder cannot be written.
    """
    target = home.published
    fresh = target.with_name(".warehouse.duckdb.new")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh.unlink(missing_ok=True)
    except OSError as err:
        message = f"{target.parent} cannot be written ({err.strerror}): mend it and run again."
        raise HomeError(message) from err
    try:
        con.execute(f"attach {quote_text(str(fresh))} as published")
    except duckdb.Error as err:
        reason = str(err).strip().splitlines()[0]
        message = f"{target.parent} cannot be written: {reason}"
        raise HomeError(message) from err
    try:
        _copy(con)
    finally:
        con.execute("detach published")
    fresh.replace(target)
    fresh.with_name(fresh.name + ".wal").unlink(missing_ok=True)
    return target


def _copy(con: duckdb.DuckDBPyConnection) -> None:
    tables = con.execute(
        "select schema_name, table_name, comment from duckdb_tables() where database_name = current_database() "
        "and not temporary order by all"
    ).fetchall()
    for schema in PUBLISHED_SCHEMAS:
        con.execute(f"create schema if not exists published.{schema}")
    for schema, table, comment in tables:
        name = f"{schema}.{table}"
        if schema not in PUBLISHED_SCHEMAS or name in _PRIVATE_TABLES:
            continue
        # Tallies grow with the history; sorting them took most of a night's publication and saved 5 % of the file.
        order = "" if schema == "tallies" else "order by all"
        con.execute(f"create table published.{name} as select * from {name} {order}")
        _comment(con, "table", f"published.{name}", DESCRIPTIONS.get(name) or comment)
        _comment_columns(con, schema=schema, table=table)
    views = con.execute(
        "select sql from duckdb_views() where schema_name = 'quarantine' and database_name = current_database()"
    ).fetchall()
    for (sql,) in views:
        con.execute("use published")
        try:
            con.execute(sql)
        finally:
            con.execute("use warehouse")
    _comment(con, "view", "published.quarantine.quarantined_rows", DESCRIPTIONS["quarantine.quarantined_rows"])


def _comment_columns(con: duckdb.DuckDBPyConnection, *, schema: str, table: str) -> None:
    columns = con.execute(
        "select column_name, comment from duckdb_columns() where database_name = current_database() "
        "and schema_name = ? and table_name = ?",
        [schema, table],
    ).fetchall()
    for column, comment in columns:
        text = comment or COLUMN_DESCRIPTIONS.get(column)
        _comment(con, "column", f"published.{schema}.{table}.{quote_name(column)}", text)


def _comment(con: duckdb.DuckDBPyConnection, kind: str, name: str, text: str | None) -> None:
    if text:
        con.execute(f"comment on {kind} {name} is {quote_text(text)}")


def open_published(home: Home) -> duckdb.DuckDBPyConnection:
    """Open the published warehouse for reading; the connection opens no other file, for reading or writing.

    Raises HomeError when nothing was published yet, or when the file is no warehouse.
    """
    if not home.published.exists():
        message = f"{home.published} does not exist yet: run `qa-pipeline run` first."
        raise HomeError(message)
    try:
        return duckdb.connect(str(home.published), read_only=True, config={"enable_external_access": "false"})
    except duckdb.Error as err:
        reason = str(err).strip().splitlines()[0].rstrip(".")
        message = f"{home.published} cannot be opened ({reason}): `qa-pipeline run` publishes it anew."
        raise HomeError(message) from err
