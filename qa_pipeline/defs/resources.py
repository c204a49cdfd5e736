"""The working warehouse as a Dagster resource, the executor, and how an error of the user's reaches the UI.

No `from __future__ import annotations` here: Dagster reads the annotations of resources.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import duckdb
from dagster_duckdb import DuckDBResource

from qa_pipeline.config import Config, load_config
from qa_pipeline.errors import QaError
from qa_pipeline.quiet import quiet_exit
from qa_pipeline.settings import Home
from qa_pipeline.warehouse import working


@dataclass(frozen=True)
class Workspace:
    """What a step works with: the open working warehouse, the home and its configuration."""

    con: duckdb.DuckDBPyConnection
    home: Home
    config: Config


class _Loan:
    """A warehouse kept open between the steps of one process; opened when first asked for."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._open: tuple[ExitStack, Workspace] | None = None

    def workspace(self) -> Workspace:
        """The open warehouse."""
        if self._open is None:
            with ExitStack() as stack:
                workspace = stack.enter_context(_open(self._home))
                self._open = stack.pop_all(), workspace
        return self._open[1]

    def drop(self) -> None:
        """Close it: after a failure its transaction may be broken, and the next step opens it anew."""
        if self._open is not None:
            stack, self._open = self._open[0], None
            stack.close()


_loans: dict[Path, _Loan] = {}


@contextmanager
def _open(home: Home) -> Iterator[Workspace]:
    quiet_exit()
    config = load_config(home)
    with working(home, config) as con:
        yield Workspace(con=con, home=home, config=config)


@contextmanager
def kept_open(home: Home) -> Iterator[None]:
    """Keep the warehouse of `home` open between the steps of this process while the block runs.

    Opening and closing costs 0.2 s a step, 2 s of a small night. Only for a caller that lets nobody else run the home:
    another process finds the file locked from the first step to the end of the block.
    """
    loan = _loans[home.warehouse] = _Loan(home)
    try:
        yield
    finally:
        del _loans[home.warehouse]
        loan.drop()


class Warehouse(DuckDBResource):
    """The home's working warehouse; whatever asks for a DuckDBResource gets it.

    Only the opening is ours: the inherited one leaves the connection open when the step fails, so that the next step
    would find the file locked, retries for minutes instead of saying who holds it, and knows nothing of the settings,
    macros and tables that every SQL file of the project relies on.
    """

    @property
    def home(self) -> Home:
        """The home that the database lies in."""
        return Home(Path(self.database).parent)

    @contextmanager
    def get_connection(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open the warehouse for writing; closed when the block ends, however it ends."""
        with self.opened() as workspace:
            yield workspace.con

    @contextmanager
    def opened(self) -> Iterator[Workspace]:
        """Open the warehouse together with its home and configuration.

        An error that is the user's to mend becomes a failure whose description is its one sentence.
        """
        loan = _loans.get(Path(self.database))
        try:
            if loan is None:
                with _open(self.home) as workspace:
                    yield workspace
            else:
                yield loan.workspace()
        except BaseException as err:
            if loan is not None:
                loan.drop()
            if isinstance(err, QaError):
                raise dg.Failure(description=str(err), allow_retries=False) from err
            raise


@dg.definitions
def resources() -> dg.Definitions:
    """The warehouse of the home in force (`QA_HOME`), and one process a run: DuckDB itself uses every core."""
    return dg.Definitions(
        resources={"warehouse": Warehouse(database=str(Home.resolve().warehouse))},
        executor=dg.in_process_executor,
    )
