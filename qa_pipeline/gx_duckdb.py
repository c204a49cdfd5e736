"""The datasource and engine that let Great Expectations speak to the pipeline's own DuckDB connection.

Imported only by `validation`, when a suite runs: importing this module imports Great Expectations. Delete it when
GX ships a DuckDB datasource.
"""

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Literal

import duckdb
import duckdb_engine
import great_expectations as gx
import pydantic.v1 as pydantic_v1
import sqlalchemy as sa
from great_expectations.data_context.types.base import ProgressBarsConfig
from great_expectations.datasource.fluent.interfaces import Batch
from great_expectations.datasource.fluent.sql_datasource import SQLDatasource
from great_expectations.execution_engine.execution_engine import ExecutionEngine
from great_expectations.execution_engine.sqlalchemy_execution_engine import SqlAlchemyExecutionEngine
from great_expectations.expectations.core.unexpected_rows_expectation import UnexpectedRowsExpectation
from sqlalchemy.pool import StaticPool

# Named here because `type` is a field in the body of the datasource below.
EngineClass = type[SqlAlchemyExecutionEngine]


class BorrowedConnection(duckdb_engine.ConnectionWrapper):
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

    def lend(self, con: duckdb.DuckDBPyConnection | None) -> None:
        """Work on `con` from now on; None lets go of the last one."""
        self._borrowed = con
        self._engine = None
        self._execution_engine = None

    def get_engine(self) -> sa.Engine:
        """SQLAlchemy engine whose only connection is the borrowed one."""
        if self._engine is None:
            con = self._borrowed
            if con is None:
                message = "the datasource was not given a connection"
                raise ValueError(message)
            self._engine = sa.create_engine("duckdb://", creator=lambda: BorrowedConnection(con), poolclass=StaticPool)
        return self._engine

    def get_execution_engine(self) -> SqlAlchemyExecutionEngine:
        """GX engine over `get_engine`; never creates temporary tables."""
        if self._execution_engine is None:
            self._execution_engine = DuckDBExecutionEngine(engine=self.get_engine(), create_temp_table=False)
        return self._execution_engine


class CountedRows(UnexpectedRowsExpectation):
    """An UnexpectedRowsExpectation that runs its query once, for the count.

    GX's own runs it twice, the second time for sample rows that nobody reads here: 3.0 s instead of 1.5 s over the
    ten million rows of a night's predictions.
    """

    metric_dependencies: ClassVar[tuple[str, ...]] = ("unexpected_rows_query.row_count",)

    def _validate(
        self,
        metrics: dict[str, Any],
        runtime_configuration: dict[str, Any] | None = None,  # noqa: ARG002 - GX's signature
        execution_engine: ExecutionEngine[Any] | None = None,  # noqa: ARG002 - GX's signature
    ) -> dict[str, Any]:
        count = metrics["unexpected_rows_query.row_count"]
        return {"success": count == 0, "result": {"observed_value": count}}


@contextmanager
def borrowed(con: duckdb.DuckDBPyConnection, *, table: str) -> Iterator[Batch]:
    """Batch over the table or view `table`, for as long as the block lasts; `con` stays the caller's to close."""
    source = _datasource()
    source.lend(con)
    try:
        names = {asset.name for asset in source.assets}
        asset = source.get_asset(table) if table in names else source.add_table_asset(table, table_name=table)
        yield asset.get_batch(asset.build_batch_request())
    finally:
        source.lend(None)


@functools.cache
def _datasource() -> DuckDBDatasource:
    """The one datasource of this process, in the one context: making them anew costs 50 ms a suite."""
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    source = DuckDBDatasource(name="duckdb", connection_string="duckdb:///:memory:", create_temp_table=False)
    # The public `data_sources.add_…` methods know only GX's own types; this is the one way in for a subclass.
    added = context._add_fluent_datasource(datasource=source)  # noqa: SLF001
    if not isinstance(added, DuckDBDatasource):
        message = f"Great Expectations returned a {type(added).__name__}, not the datasource it was given"
        raise TypeError(message)
    return added
