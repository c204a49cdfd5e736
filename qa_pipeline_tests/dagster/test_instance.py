"""The shipped dagster.yaml is in force in the home's own instance."""

import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from qa_pipeline.defs.partitions import WRITER_POOL
from qa_pipeline.errors import HomeError, UsageError
from qa_pipeline.instance import environment, settle
from qa_pipeline.settings import Home, project_root
from qa_pipeline_tests.small_home import kept_environment, write_small_home


def test_shipped_settings_hold_on_the_instance_in_use(tmp_path: Path) -> None:
    """Stops a dagster.yaml that lies where Dagster never looks: pools without a limit, telemetry on."""
    with kept_environment():
        settle(Home(tmp_path / "home"))
        with dg.DagsterInstance.get() as instance:
            assert instance.root_directory == str(tmp_path / "home" / "dagster")
            assert instance.telemetry_enabled is False
            assert instance.nux_enabled is False
            assert instance.run_monitoring_enabled is True
            assert instance.python_log_level == "WARNING"
            pools = instance.get_concurrency_config().pool_config
            assert pools.default_pool_limit == 1
            assert pools.pool_granularity is not None
            assert pools.pool_granularity.value == "op"
            limits = instance.event_log_storage.get_concurrency_info(WRITER_POOL)
            assert limits.slot_count in (0, 1)
            assert instance.get_settings("retention")["sensor"]["purge_after_days"]["skipped"] == 1


def test_a_changed_copy_is_put_right(tmp_path: Path) -> None:
    """Stops settings that were in force once and then drifted."""
    with kept_environment():
        home = Home(tmp_path)
        settle(home)
        target = home.dagster / "dagster.yaml"
        target.write_text("telemetry:\n  enabled: true\n", encoding="utf-8")
        settle(home)
    assert target.read_bytes() == (project_root() / "dagster.yaml").read_bytes()


def test_settling_sets_what_dagster_reads(tmp_path: Path) -> None:
    """Stops a run that takes another home than the one asked for."""
    home = write_small_home(tmp_path, days=1, feeds=["labels"])
    with kept_environment():
        settle(home)
        assert os.environ["QA_HOME"] == str(tmp_path)
        assert os.environ["DAGSTER_HOME"] == str(tmp_path / "dagster")
        assert os.environ["QA_FIRST_DATE"] == "2026-10-01"


@pytest.mark.parametrize(
    ("landed", "named", "first"),
    [
        ([], None, "2024-01-01"),
        ([date(2026, 3, 1), date(2026, 2, 1)], None, "2026-02-01"),
        ([date(2026, 3, 1)], "2026-01-01", "2026-01-01"),
        ([date(2019, 3, 1)], "2026-01-01", "2019-03-01"),
    ],
)
def test_partitions_begin_early_enough(tmp_path: Path, landed: list[date], named: str | None, first: str) -> None:
    """Stops a landed date that has no partition, and years of empty partitions before the first."""
    with kept_environment(), pytest.MonkeyPatch.context() as patch:
        if named:
            patch.setenv("QA_FIRST_DATE", named)
        assert environment(Home(tmp_path), days=landed)["QA_FIRST_DATE"] == first


def test_partitions_reach_dates_ahead_of_the_clock(tmp_path: Path) -> None:
    """Stops synthetic dates after today from having no partition."""
    today = datetime.now(UTC).date()
    assert environment(Home(tmp_path), days=[today - timedelta(days=9)])["QA_END_OFFSET"] == "1"
    assert environment(Home(tmp_path), days=[today + timedelta(days=3)])["QA_END_OFFSET"] == "4"


def test_a_first_date_that_is_none_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stops a traceback from the environment."""
    monkeypatch.setenv("QA_FIRST_DATE", "soon")
    with pytest.raises(UsageError, match="QA_FIRST_DATE is 'soon'"):
        environment(Home(tmp_path), days=[])


def test_a_file_where_dagsters_folder_should_be_is_told(tmp_path: Path) -> None:
    """Stops a traceback where a sentence says which path stands in the way."""
    (tmp_path / "dagster").write_text("not a folder", encoding="utf-8")
    with kept_environment(), pytest.raises(HomeError, match=r"dagster is a file, but a folder is needed"):
        settle(Home(tmp_path))
