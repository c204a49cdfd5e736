"""`qa-pipeline sql`: one query on the published warehouse, which reads nothing else and writes nothing."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from qa_pipeline.errors import UsageError
from qa_pipeline.messages import as_sentence
from qa_pipeline.printing import print_rows
from qa_pipeline.publishing import open_published
from qa_pipeline.settings import Home
from qa_pipeline.state import check_home

STANDARD_INPUT = "-"


def read_query(query: str | None, *, file: Path | None) -> str:
    """The text of a query: as typed, from a file, or from standard input if `query` is "-".

    Raises UsageError when neither or both are given, or when the file is no text that can be read.
    """
    if (query is None) == (file is None):
        message = (
            'Give one query: qa-pipeline sql "from marts.agreement limit 10", or --file query.sql, or - to read it.'
        )
        raise UsageError(message)
    if file is not None:
        try:
            return file.read_text(encoding="utf-8")
        except OSError as err:
            message = f"{file} cannot be read ({err.strerror}): name a file with one query."
            raise UsageError(message) from err
        except UnicodeDecodeError as err:
            message = f"{file} is not UTF-8 text: name a file with one query."
            raise UsageError(message) from err
    return sys.stdin.read() if query == STANDARD_INPUT else str(query)


def query_published(home: Home, *, query: str, as_format: str) -> None:
    """Run `query` and print its rows, times in UTC.

    Raises HomeError when there is no home or nothing is published, UsageError with DuckDB's reason when the query
    cannot be run, and when it is not one statement.
    """
    check_home(home)
    with open_published(home) as con, _killable():
        try:
            con.execute("set timezone = 'UTC'")
            con.execute(_only_statement(con, query))
            rows = con.fetchall() if con.description else []
            columns = _unique([column[0] for column in con.description or []])
        except duckdb.Error as err:
            raise UsageError(_sentence(err)) from err
        print_rows(columns, rows, as_format=as_format)


def _only_statement(con: duckdb.DuckDBPyConnection, query: str) -> duckdb.Statement:
    """The one statement of a query, because only one result can be printed."""
    statements = con.extract_statements(query)
    if not statements:
        message = 'The query is empty: give one, such as qa-pipeline sql "from marts.agreement limit 10".'
        raise UsageError(message)
    if len(statements) > 1:
        message = f"{len(statements)} queries were given, but sql prints the rows of one: give them one by one."
        raise UsageError(message)
    return statements[0]


@contextmanager
def _killable() -> Iterator[None]:
    """Let ctrl-C end the process at once: DuckDB notices Python's own handler only between long steps (25 s seen).

    The file is open for reading alone, so there is nothing to put in order.
    """
    earlier = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, earlier)


def _unique(names: list[str]) -> list[str]:
    """Column names with a number behind a repeated one, because an object of JSON has each key once."""
    seen: dict[str, int] = {}
    result = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        result.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return result


def _sentence(err: duckdb.Error) -> str:
    """DuckDB's reason in one line, with what it suggests but without its drawing of the query."""
    lines = [line.strip() for line in str(err).splitlines() if line.strip()]
    told = " ".join(line for line in lines if not line.startswith(("LINE ", "^")))
    if isinstance(err, duckdb.PermissionException):
        what = told.removeprefix("Permission Error: ").split(" - ")[0].rstrip(".")
        return (
            f"{what}: sql reads the published warehouse and nothing else; to write rows into a file, use "
            "--format csv > rows.csv."
        )
    return as_sentence(told)
