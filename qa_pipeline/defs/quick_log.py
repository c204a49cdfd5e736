"""Lets a run in this process write Dagster's SQLite event log without waiting for the disk at every event.

Dagster opens and closes a connection for each of some 1,300 reads and writes of a small night. Each close of the last
connection makes SQLite fold its write-ahead log back and wait for the disk, and so does each commit: 650 writes took
12 s on a slow disk, and 0.3 s with a spare connection held open and `synchronous = normal`. A lost power supply can
then cost the last events of a log, never its integrity; the warehouse is not concerned. Only public hooks of SQLAlchemy
are used. Delete when Dagster keeps its connections open.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import event
from sqlalchemy.engine import Engine


class _Spares:
    """One idle connection to every SQLite file with a write-ahead log that SQLAlchemy has connected to."""

    def __init__(self) -> None:
        self._open: dict[str, sqlite3.Connection] = {}

    def connected(self, connection: object, _record: object) -> None:
        """Called by SQLAlchemy with every new connection of its drivers."""
        if not isinstance(connection, sqlite3.Connection):
            return
        path = connection.execute("pragma database_list").fetchone()[2]
        if not path or connection.execute("pragma journal_mode").fetchone()[0] != "wal":
            return
        connection.execute("pragma synchronous = normal")
        if path not in self._open:
            spare = sqlite3.connect(path, check_same_thread=False)
            # Only a connection that has read takes part in the log.
            spare.execute("select count(*) from sqlite_master").fetchone()
            self._open[path] = spare

    def close(self) -> None:
        """Close them all; SQLite then folds each log back into its file."""
        for spare in self._open.values():
            spare.close()
        self._open.clear()


@contextmanager
def quick_event_log() -> Iterator[None]:
    """Write SQLite logs without waiting for the disk while the block runs; at its end everything is in the files."""
    spares = _Spares()
    event.listen(Engine, "connect", spares.connected)
    try:
        yield
    finally:
        event.remove(Engine, "connect", spares.connected)
        spares.close()
