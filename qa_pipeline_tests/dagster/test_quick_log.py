"""The quicker event log writes the same events, and leaves nothing behind."""

import sqlite3
from pathlib import Path

import dagster as dg
from sqlalchemy import create_engine, text
from sqlalchemy.engine import Engine
from sqlalchemy.pool import NullPool

from qa_pipeline.defs.quick_log import quick_event_log
from qa_pipeline.instance import settle
from qa_pipeline.settings import Home
from qa_pipeline_tests.small_home import kept_environment


def _database(path: Path) -> Engine:
    with sqlite3.connect(path) as con:
        con.execute("pragma journal_mode = wal")
        con.execute("create table t (a integer)")
    con.close()
    return create_engine(f"sqlite:///{path}", poolclass=NullPool)


def test_a_log_is_kept_open_while_it_is_written_and_whole_afterwards(tmp_path: Path) -> None:
    """Stops a spare connection that has no effect, or an event that stays in a file beside the log."""
    engine = _database(tmp_path / "log.db")
    side_file = tmp_path / "log.db-wal"
    with quick_event_log():
        for number in range(3):
            with engine.begin() as con:
                con.execute(text("insert into t values (:n)"), {"n": number})
                # 1 is NORMAL: a commit does not wait for the disk.
                assert con.execute(text("pragma synchronous")).scalar() == 1
            assert side_file.exists()
    assert not side_file.exists()
    plain = sqlite3.connect(tmp_path / "log.db")
    assert plain.execute("select count(*) from t").fetchone() == (3,)
    plain.close()


def test_nothing_is_changed_outside_the_block(tmp_path: Path) -> None:
    """Stops the setting from leaking to other databases of the process."""
    engine = _database(tmp_path / "log.db")
    with quick_event_log():
        pass
    with engine.begin() as con:
        assert con.execute(text("pragma synchronous")).scalar() == 2
    plain = sqlite3.connect(tmp_path / "rollback.db")
    plain.execute("create table t (a integer)")
    plain.close()
    other = create_engine(f"sqlite:///{tmp_path / 'rollback.db'}", poolclass=NullPool)
    with quick_event_log(), other.begin() as con:
        assert con.execute(text("pragma synchronous")).scalar() == 2


def test_dagsters_own_log_is_one_that_it_serves(tmp_path: Path) -> None:
    """Stops the quicker log from silently doing nothing after an upgrade of Dagster."""

    @dg.op
    def nothing() -> None:
        """Do nothing."""

    @dg.job
    def empty() -> None:
        nothing()

    with kept_environment():
        settle(Home(tmp_path))
        with dg.DagsterInstance.get() as instance:
            with quick_event_log():
                result = empty.execute_in_process(instance=instance)
                logs = list((tmp_path / "dagster").rglob("*.db-wal"))
            assert result.success
            assert {path.name for path in logs} >= {"index.db-wal", f"{result.run_id}.db-wal"}
            assert list((tmp_path / "dagster").rglob("*.db-wal")) == []
            assert instance.all_logs(result.run_id)[-1].dagster_event is not None
