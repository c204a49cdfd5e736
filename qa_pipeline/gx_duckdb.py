"""The datasource and engine that let Great Expectations speak to the pipeline's own DuckDB connection.

Imported only by `validation`, when a suite runs: importing this module imports Great Expectations. Delete it when
GX ships a DuckDB datasource.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import duckdb
import duckdb_engine
import pydantic.v1 as pydantic_v1
import sqlalchemy as sa
from great_expectations.datasource.fluent.sql_datasource import SQLDatasource
from great_expectations.execution_engine import SqlAlchemyExecutionEngine
from sqlalchemy.pool import StaticPool

# Named here because `type` is a field in the body of the datasource below.
EngineClass = type[SqlAlchemyExecutionEngine]


class BorrowedConnection(duckdb_engine.ConnectionWrapper):  # type: ignore[misc] # the library has no types
    """A connection that is the pipeline's: SQLAlchemy may neither close it nor steer its transactions."""

    def begin(self) -> None:
        """Do nothing: each statement commits by itself."""

    def commit(self) -> None:
        """Do nothing: each statement commits by itself."""

    def rollback(self) -> None:
        """Do nothing: there is no transaction to roll back."""

    def close(self) -> None:
        """Do nothing: whoever opened the connection closes it."""


class DuckDBExecutionEngine(SqlAlchemyExecutionEngine):
    """Keeps one connection open, so that a returned cursor can still be read."""

    _kept: sa.Connection | None = None

    @contextmanager
    def get_connection(self) -> Iterator[sa.Connection]:
        """Yield the one connection."""
        if self._kept is None:
            self._kept = self.engine.connect()
        yield self._kept


class DuckDBDatasource(SQLDatasource):
    """A datasource over a connection that is already open."""

    type: Literal["duckdb"] = "duckdb"  # type: ignore[assignment] # as GX's own subclasses do
    _borrowed: duckdb.DuckDBPyConnection | None = pydantic_v1.PrivateAttr(None)

    @property
    def execution_engine_type(self) -> EngineClass:
        """The engine class of this datasource."""
        return DuckDBExecutionEngine

    def get_engine(self) -> sa.Engine:
        """SQLAlchemy engine whose only connection is the borrowed one."""
        if self._engine is None:
            self._engine = sa.create_engine(
                "duckdb://", creator=lambda: BorrowedConnection(self._borrowed), poolclass=StaticPool
            )
        return self._engine

    def get_execution_engine(self) -> SqlAlchemyExecutionEngine:
        """GX engine over `get_engine`; never creates temporary tables."""
        if self._execution_engine is None:
            self._execution_engine = DuckDBExecutionEngine(engine=self.get_engine(), create_temp_table=False)
        return self._execution_engine


def datasource(con: duckdb.DuckDBPyConnection) -> DuckDBDatasource:
    """Datasource over `con`, which stays the caller's to close."""
    source = DuckDBDatasource(name="duckdb", connection_string="duckdb:///:memory:", create_temp_table=False)
    source._borrowed = con  # noqa: SLF001 - our own class
    return source
