"""The sensor and the schedule: what they start, and what they say when they start nothing."""

import functools
import json
import os
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
import pytest

from qa_pipeline import definitions, nights, warehouse
from qa_pipeline.config import load_config
from qa_pipeline.defs.automation import RUNS_PER_LOOK, landing_changes, nightly_schedule
from qa_pipeline.instance import settle
from qa_pipeline.loading import load_partition
from qa_pipeline.publishing import publish
from qa_pipeline.settings import Home
from qa_pipeline_tests.small_home import (
    kept_environment,
    land,
    partition_folder,
    small_days,
    small_rows,
    write_small_home,
)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """A home with one landed date, in force."""
    with kept_environment():
        home = write_small_home(tmp_path, days=1, feeds=["labels"])
        settle(home)
        yield home


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@functools.cache
def _definitions(_bounds: tuple[str, str]) -> dg.Definitions:
    """The code location with the partitions that the environment says, which the daemon checks run requests against."""
    return definitions.defs()


def _look(instance: dg.DagsterInstance, cursor: str | None) -> tuple[list[dg.RunRequest], str, str | None]:
    """One look of the sensor, as the daemon makes it: run requests, why there are none, and the next cursor."""
    bounds = os.environ["QA_FIRST_DATE"], os.environ["QA_END_OFFSET"]
    with dg.build_sensor_context(instance=instance, cursor=cursor, definitions=_definitions(bounds)) as context:
        tick = landing_changes.evaluate_tick(context)
    return list(tick.run_requests or []), tick.skip_message or "", tick.cursor


def _looks(instance: dg.DagsterInstance, cursor: str | None, count: int) -> tuple[list[dg.RunRequest], str, str | None]:
    requests: list[dg.RunRequest] = []
    reason = ""
    for _ in range(count):
        requests, reason, cursor = _look(instance, cursor)
    return requests, reason, cursor


@pytest.mark.usefixtures("home")
def test_a_new_folder_starts_its_partition_once_it_is_still(instance: dg.DagsterInstance) -> None:
    """Stops a run of a delivery that is still being copied, and a second run of the same files."""
    requests, reason, cursor = _look(instance, None)
    assert requests == []
    assert reason == "Files of 2026-10-01 changed; a run starts when they have been still for one look."
    requests, _, cursor = _look(instance, cursor)
    assert [request.partition_key for request in requests] == ["2026-10-01"]
    value = json.loads(cursor or "")["done"]["2026-10-01"]
    assert requests[0].run_key == f"2026-10-01:{value}"
    requests, reason, _ = _look(instance, cursor)
    assert requests == []
    assert reason == "Nothing changed in 1 dates since the last look."


def test_a_file_that_still_grows_starts_nothing(home: Home, instance: dg.DagsterInstance) -> None:
    """Stops a run over half a file."""
    _, _, cursor = _look(instance, None)
    land(home, feed="labels", day=small_days(1)[0], rows=small_rows("labels", small_days(1)[0])[:5])
    requests, _, cursor = _look(instance, cursor)
    assert requests == []
    assert len(_look(instance, cursor)[0]) == 1


def test_a_corrected_or_removed_file_starts_its_partition_again(home: Home, instance: dg.DagsterInstance) -> None:
    """Stops late data from waiting for somebody to notice; a removed file's rows have to go too."""
    day = small_days(1)[0]
    first, _, cursor = _looks(instance, None, 2)
    land(home, feed="labels", day=day, rows=small_rows("labels", day)[:7])
    second, _, cursor = _looks(instance, cursor, 2)
    assert second[0].run_key != first[0].run_key
    (partition_folder(home, feed="labels", day=day) / "part.csv").unlink()
    third, _, cursor = _looks(instance, cursor, 2)
    assert [request.partition_key for request in third] == [str(day)]
    assert len({request.run_key for request in (*first, *second, *third)}) == 3
    assert _looks(instance, cursor, 2)[0] == []


def test_a_look_starts_a_few_runs_and_the_next_ones_the_rest(home: Home, instance: dg.DagsterInstance) -> None:
    """Stops a month of deliveries from starting a month of runs at once, or from being forgotten."""
    for day in small_days(RUNS_PER_LOOK + 2):
        land(home, feed="labels", day=day, rows=small_rows("labels", day))
    settle(home)
    first, _, cursor = _looks(instance, None, 2)
    second, _, cursor = _look(instance, cursor)
    assert [len(first), len(second)] == [RUNS_PER_LOOK, 2]
    started = [str(request.partition_key) for request in (*first, *second)]
    assert started == sorted(set(started))
    assert _look(instance, cursor)[0] == []


def test_what_is_published_already_is_not_run_again(home: Home, instance: dg.DagsterInstance) -> None:
    """Stops the first look from running a whole history that the command line has loaded."""
    config = load_config(home)
    with warehouse.working(home, config) as con:
        load_partition(con, home=home, config=config, feed="labels", business_date=small_days(1)[0])
        publish(con, home)
    requests, reason, cursor = _looks(instance, None, 2)
    assert requests == []
    assert reason == "Nothing changed in 1 dates since the last look."
    assert list(json.loads(cursor or "")["done"]) == ["2026-10-01"]


def test_nothing_is_started_beside_a_run(home: Home, instance: dg.DagsterInstance) -> None:
    """Stops runs that would only wait for the one writer, or fail beside the command line's."""
    _, _, cursor = _look(instance, None)
    with nights.only_run(home):
        requests, reason, cursor = _look(instance, cursor)
    assert requests == []
    assert reason == "A run is under way; landing is looked at again when it has ended."
    assert len(_look(instance, cursor)[0]) == 1


@pytest.mark.usefixtures("home")
def test_dates_without_a_partition_are_told(instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stops a failing sensor when a date landed that the running UI has no partition for."""
    monkeypatch.setitem(os.environ, "QA_FIRST_DATE", "2026-10-15")
    requests, reason, _ = _looks(instance, None, 2)
    assert requests == []
    assert reason.startswith("Nothing changed but 1 dates that have no partition, such as 2026-10-01: restart")


def test_an_empty_landing_folder_is_told(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    """Stops a reason that leaves one guessing where files belong."""
    with kept_environment():
        settle(Home(tmp_path))
        assert _look(instance, None)[1] == f"Nothing has landed in {tmp_path / 'landing'} yet."


def test_the_sensor_looks_by_default_and_starts_the_night() -> None:
    """Stops a sensor that has to be switched on before a delivered file does anything."""
    assert landing_changes.default_status is dg.DefaultSensorStatus.RUNNING
    assert landing_changes.minimum_interval_seconds == 60
    assert landing_changes.job_name == "nightly"


def test_the_schedule_runs_yesterday() -> None:
    """Stops a night that runs the date which has only just begun."""
    with dg.build_schedule_context(scheduled_execution_time=datetime(2026, 10, 2, 12, 30, tzinfo=UTC)) as context:
        request = nightly_schedule(context)
    assert isinstance(request, dg.RunRequest)
    assert request.partition_key == date(2026, 10, 1).isoformat()
    assert request.run_key == "2026-10-01"
    assert nightly_schedule.cron_schedule == "30 12 * * *"
    assert nightly_schedule.execution_timezone == "UTC"
