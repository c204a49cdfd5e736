"""`qa-pipeline sql`: one query on the published warehouse."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from qa_pipeline.errors import UsageError
from qa_pipeline.printing import print_rows
from qa_pipeline.publishing import open_published
from qa_pipeline.settings import Home


def query_published(home: Home, *, query: str, as_format: str) -> None:
    """Run `query` read-only and print its rows. Raises UsageError with DuckDB's reason when it cannot be run."""
    with open_published(home) as con, _killable():
        try:
            con.execute(query)
            rows = con.fetchall() if con.description else []
            columns = _unique([column[0] for column in con.description or []])
        except duckdb.Error as err:
            raise UsageError(_sentence(err)) from err
        print_rows(columns, rows, as_format=as_format)


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
    told = [line for line in lines if not line.startswith(("LINE ", "^"))]
    sentence = " ".join(told)
    return sentence if sentence.endswith((".", "?", "!")) else f"{sentence}."
