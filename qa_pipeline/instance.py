"""Dagster's folder in a home: the shipped `dagster.yaml` put in force there, and the environment that runs read.

Dagster itself is not imported here (1 s): commands that never run it must stay quick.
"""

import os
from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb

from qa_pipeline import landing
from qa_pipeline.errors import HomeError, UsageError
from qa_pipeline.settings import HOME_VARIABLE, Home, project_root

INSTANCE_FILE = "dagster.yaml"
DAGSTER_HOME_VARIABLE = "DAGSTER_HOME"
FIRST_DATE_VARIABLE = "QA_FIRST_DATE"
END_OFFSET_VARIABLE = "QA_END_OFFSET"
PAGES_URL_VARIABLE = "QA_PAGES_URL"
DEFAULT_FIRST_DATE = date(2024, 1, 1)
# Pages have a port of their own: a page must not share the origin of Dagster's webserver, which can start runs.
DEFAULT_PAGES_PORT = 3001
# Today's partition exists, so that a run can load what has landed of it so far.
LEAST_END_OFFSET = 1


def settle(home: Home) -> Path:
    """Make the home's folders, put the shipped `dagster.yaml` in force there and set this process's environment.

    Returns Dagster's folder. Raises HomeError when a folder or the file cannot be written.
    """
    home.prepare()
    target = home.dagster / INSTANCE_FILE
    source = project_root() / INSTANCE_FILE
    try:
        shipped = source.read_bytes()
        if not target.is_file() or target.read_bytes() != shipped:
            fresh = target.with_name(f".{INSTANCE_FILE}.new")
            fresh.write_bytes(shipped)
            fresh.replace(target)
    except OSError as err:
        message = f"{err.filename or target}: {err.strerror}, so {source} cannot be copied to {target}: mend it."
        raise HomeError(message) from err
    os.environ.update(environment(home, days=known_days(home)))
    return home.dagster


def environment(home: Home, *, days: Iterable[date]) -> dict[str, str]:
    """Variables by which Dagster's processes know the home, and the partitions that `days` need.

    Partitions begin with the first of `days` or at `QA_FIRST_DATE`, whichever is earlier (2024-01-01 without either),
    and end with today, or with the last of `days` if that is later: synthetic dates may lie anywhere.
    Raises UsageError when `QA_FIRST_DATE` is not a date.
    """
    known = list(days)
    named = os.environ.get(FIRST_DATE_VARIABLE)
    try:
        begin = [date.fromisoformat(named)] if named else [DEFAULT_FIRST_DATE][: not known]
    except ValueError as err:
        message = f"{FIRST_DATE_VARIABLE} is {named!r}, which is not a date that exists: write it as YYYY-MM-DD."
        raise UsageError(message) from err
    ahead = (max(known) - datetime.now(UTC).date()).days + 1 if known else LEAST_END_OFFSET
    return {
        HOME_VARIABLE: str(home.root),
        DAGSTER_HOME_VARIABLE: str(home.dagster),
        FIRST_DATE_VARIABLE: min([*begin, *known]).isoformat(),
        END_OFFSET_VARIABLE: str(max(ahead, LEAST_END_OFFSET)),
    }


def known_days(home: Home) -> list[date]:
    """Business dates that have a folder in landing or rows in the warehouse, whatever the feed, in order.

    A folder that was removed needs its partition until its rows are gone and what they touched is rebuilt.
    """
    return sorted({day for _, day in landing.landed_partitions(home)} | _recorded_days(home))


def _recorded_days(home: Home) -> set[date]:
    """Dates that were loaded or wait to be rebuilt, by the working warehouse, else (a run holds it) the published."""
    for path in (home.warehouse, home.published):
        try:
            with duckdb.connect(str(path), read_only=True) as con:
                days = set(con.execute("select business_date from ops.partitions").fetchall())
                if path == home.warehouse:
                    days |= set(con.execute("select business_date from ops.dirty").fetchall())
        except duckdb.Error:
            continue  # Not there yet, held by a run, or no warehouse: who opens it next says so.
        return {day for (day,) in days}
    return set()


def pages_url() -> str:
    """Where the pages are served, without a slash at its end: `QA_PAGES_URL`, else where `qa-pipeline ui` does."""
    return (os.environ.get(PAGES_URL_VARIABLE) or f"http://127.0.0.1:{DEFAULT_PAGES_PORT}").rstrip("/")
