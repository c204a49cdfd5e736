"""The decisions that reviewers get next, as a file in the shape in which their reviews come back.

Reading what was picked and writing the file belong here; how many of whom is `marts.review_plan`'s, and which ones
`sql/reports/review_sample.sql`'s.
"""

import csv
import io
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from qa_pipeline.charts.publishing import publish
from qa_pipeline.warehouse import sql_file

# Columns of feed reviews, so that the rows can be landed once the reviewer's own are added.
COLUMNS = (
    "target_kind",
    "target_id",
    "item_id",
    "market",
    "queue",
    "sampling",
    "inclusion_probability",
    "is_blind",
)


@dataclass(frozen=True)
class ReviewSample:
    """A written sample: the date of its decisions, the file and its number of rows."""

    plan_date: date
    path: Path
    rows: int


def sample_path(reports: Path, *, plan_date: date) -> Path:
    """File of the sample of a date."""
    return reports / f"review_sample-{plan_date}.csv"


def write_review_sample(con: duckdb.DuckDBPyConnection, *, reports: Path) -> ReviewSample | None:
    """Write `<reports>/review_sample-<plan date>.csv`, replacing that of the same date; None without a plan.

    A row is a decision to review, with COLUMNS; the same bytes whenever the plan and the decisions are the same. There
    is no annotator, vendor or label in it, so that a reviewer who gets the file is blind. Files of other dates stay:
    they say what was asked for. Raises HomeError when the folder cannot be written.
    """
    found = con.execute(sql_file("reports", "review_sample").text)
    names = [name for name, *_ in found.description]
    rows = found.fetchall()
    if not rows:
        return None
    plan_date: date = rows[0][names.index("plan_date")]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    places = [names.index(column) for column in COLUMNS]
    writer.writerows([_text(row[place]) for place in places] for row in rows)
    path = sample_path(reports, plan_date=plan_date)
    publish({path.name: text.getvalue()}, folder=reports, obsolete=())
    return ReviewSample(plan_date=plan_date, path=path, rows=len(rows))


def newest_sample(con: duckdb.DuckDBPyConnection, *, reports: Path) -> Path | None:
    """File of the sample that the present plan led to; None when there is none."""
    planned = con.execute("select max(period_end) from marts.review_plan").fetchall()[0][0]
    path = sample_path(reports, plan_date=planned) if planned is not None else None
    return path if path is not None and path.exists() else None


def _text(value: object) -> str:
    """A value as feeds write it; a float has as many digits as identify it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
