"""The sensor and the schedule: what they start, and what they say when they start nothing."""

import functools
import json
import os
import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
import pytest

from qa_pipeline import definitions, loading, nights, provenance, warehouse
from qa_pipeline.config import load_config
from qa_pipeline.defs.automation import DATES_PER_LOOK, landing_changes, nightly_schedule
from qa_pipeline.instance import settle
from qa_pipeline.publishing import publish
from qa_pipeline.settings import Home
from qa_pipeline_tests.small_home import (
    kept_environment,
    land,
    land_blocked,
    partition_folder,
    small_days,
    small_rows,
    write_small_home,
)

DAY = small_days(1)[0]
WAITS = "2026-10-01: files, settings or code changed; a run starts if they are still at the next look."
NOTHING_DUE = "What is published is made from the present files and settings."


@pytest.fixture(autouse=True)
def _same_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever edits a file of the package while the tests run changes what is published; not here."""
    monkeypatch.setattr(provenance, "code_fingerprint", lambda: "code")


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


def _started(requests: list[dg.RunRequest]) -> list[tuple[str | None, str | None]]:
    """Job and partition of each request."""
    return [(request.job_name, request.partition_key) for request in requests]


def _publish(home: Home) -> None:
    """What a green run leaves, as far as the sensor can see: everything due loaded and published."""
    config = load_config(home)
    with warehouse.working(home, config) as con:
        for feed, day in loading.pending(con, home=home, config=config):
            loading.load_partition(con, home=home, config=config, feed=feed, business_date=day)
        con.execute("delete from ops.dirty")
        provenance.note(con, config)
        publish(con, home)


def test_a_new_folder_starts_its_partition_once_it_is_still(home: Home, instance: dg.DagsterInstance) -> None:
    """Stops a run of a delivery that is still being copied, and a second run of what is published."""
    requests, reason, cursor = _look(instance, None)
    assert (requests, reason) == ([], WAITS)
    requests, _, cursor = _look(instance, cursor)
    assert _started(requests) == [("nightly", "2026-10-01")]
    _publish(home)
    requests, reason, cursor = _look(instance, cursor)
    assert (requests, reason) == ([], NOTHING_DUE)
    assert json.loads(cursor or "") == {}


def test_a_file_that_still_grows_starts_nothing(home: Home, instance: dg.DagsterInstance) -> None:
    """Stops a run over half a file."""
    _, _, cursor = _look(instance, None)
    land(home, feed="labels", day=DAY, rows=small_rows("labels", DAY)[:5])
    requests, _, cursor = _look(instance, cursor)
    assert requests == []
    assert len(_look(instance, cursor)[0]) == 1


def test_a_corrected_removed_or_restored_file_starts_its_partition_again(
    home: Home, instance: dg.DagsterInstance
) -> None:
    """Stops late data from waiting for somebody to notice; a removed file's rows have to go too.

    A file that comes back as it was before is a change like any other: a run key made of the state would refuse it.
    """
    folder = partition_folder(home, feed="labels", day=DAY)
    original = folder / "part.csv"
    kept = home.root / "kept.csv"
    shutil.copy2(original, kept)
    cursor: str | None = None
    for change in (
        lambda: None,
        lambda: land(home, feed="labels", day=DAY, rows=small_rows("labels", DAY)[:7]),
        lambda: shutil.copy2(kept, original),
        lambda: shutil.rmtree(folder),
    ):
        change()
        requests, _, cursor = _looks(instance, cursor, 2)
        assert _started(requests) == [("nightly", "2026-10-01")]
        assert requests[0].run_key is None
        _publish(home)
        assert _looks(instance, cursor, 2)[0] == []


def test_a_run_that_failed_is_started_again_twice_and_then_told(home: Home, instance: dg.DagsterInstance) -> None:
    """Stops a date that a failed or broken-off run left unpublished from being forgotten, and an endless loop."""
    _, _, cursor = _look(instance, None)
    for _ in range(3):
        requests, _, cursor = _look(instance, cursor)
        assert _started(requests) == [("nightly", "2026-10-01")]
    for _ in range(3):
        requests, reason, cursor = _look(instance, cursor)
        assert requests == []
        assert reason.startswith("2026-10-01: 3 runs of the same files, settings and code did not get as far as pub")
    # Another date is started all the same, and so is the failed one when its files change.
    land(home, feed="gold", day=small_days(2)[1], rows=small_rows("gold", small_days(2)[1]))
    settle(home)
    requests, _, cursor = _looks(instance, cursor, 2)
    assert _started(requests) == [("nightly", "2026-10-02")]
    land(home, feed="labels", day=DAY, rows=small_rows("labels", DAY)[:7])
    assert ("load_day", "2026-10-01") in _started(_looks(instance, cursor, 2)[0])


def test_a_load_that_broke_off_is_started_again(home: Home, instance: dg.DagsterInstance) -> None:
    """Stops a date that is published as half loaded from passing for loaded."""
    _publish(home)
    config = load_config(home)
    with warehouse.working(home, config) as con:
        con.execute("update ops.partitions set status = 'loading'")
        provenance.note(con, config)
        publish(con, home)
    assert _started(_looks(instance, None, 2)[0]) == [("nightly", "2026-10-01")]


def test_a_partition_on_hold_is_not_started_again(home: Home, instance: dg.DagsterInstance) -> None:
    """Stops runs of a delivery that was judged already: the command line has published why it is on hold."""
    land_blocked(home, feed="labels", day=DAY)
    _publish(home)
    assert _looks(instance, None, 2)[:2] == ([], NOTHING_DUE)


@pytest.mark.parametrize("what", ["config", "suite", "sql"])
def test_a_changed_definition_starts_every_date_again(
    home: Home, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """Stops rows that were judged by other rules from staying published until somebody runs the command line."""
    land(home, feed="gold", day=small_days(2)[1], rows=small_rows("gold", small_days(2)[1]))
    settle(home)
    _publish(home)
    if what == "config":
        taxonomy = home.config / "taxonomy.toml"
        taxonomy.write_text(taxonomy.read_text(encoding="utf-8").replace("2026-10", "2026-11"), encoding="utf-8")
    elif what == "suite":
        monkeypatch.setattr(loading, "suite_fingerprint", lambda _path: "another suite")
    else:
        monkeypatch.setattr(loading, "definition_fingerprint", lambda feed, _config: f"other SQL of {feed}")
    requests, _, cursor = _looks(instance, None, 2)
    after = ("restate_and_publish", "2026-10-02")
    assert _started(requests) == [("load_day", "2026-10-01"), ("load_day", "2026-10-02"), after]
    _publish(home)
    assert _looks(instance, cursor, 2)[:2] == ([], NOTHING_DUE)


def test_changed_targets_start_figures_and_pages_alone(home: Home, instance: dg.DagsterInstance) -> None:
    """Stops pages that show last month's targets, and a reload of rows that targets have no part in."""
    _publish(home)
    targets = '[[targets]]\nmetric = "accuracy"\nvalue = 0.9\n'
    (home.config / "targets.toml").write_text(targets, encoding="utf-8")
    requests, _, cursor = _looks(instance, None, 2)
    assert _started(requests) == [("restate_and_publish", "2026-10-01")]
    _publish(home)
    assert _looks(instance, cursor, 2)[:2] == ([], NOTHING_DUE)


def test_a_look_loads_a_month_makes_figures_once_and_leaves_the_rest_to_the_next(
    home: Home, instance: dg.DagsterInstance
) -> None:
    """Stops a month of deliveries from making marts and pages thirty times, years from starting at once, and a load
    from coming after what needs it."""
    days = small_days(DATES_PER_LOOK + 2)
    for day in days:
        land(home, feed="labels", day=day, rows=small_rows("labels", day))
    settle(home)
    first, _, cursor = _looks(instance, None, 2)
    names = [str(day) for day in days[:DATES_PER_LOOK]]
    expected = [*(("load_day", day) for day in names), ("restate_and_publish", names[-1])]
    assert _started(first) == expected
    assert [request.tags.get("dagster/priority") for request in first] == [None] * DATES_PER_LOOK + ["-1"]
    entries = json.loads(cursor or "")
    assert {runs for _, runs in entries.values()} == {0, 1}
    # What did not reach the published warehouse comes again, with what was left out.
    assert len(entries) == len(days)


def test_what_the_command_line_published_is_not_run_again(home: Home, instance: dg.DagsterInstance) -> None:
    """Stops the first look from running a whole history that the command line has loaded."""
    _publish(home)
    assert _looks(instance, None, 2)[:2] == ([], NOTHING_DUE)


def test_an_unreadable_published_warehouse_is_made_again(home: Home, instance: dg.DagsterInstance) -> None:
    """Stops a broken file from stopping the nights that would replace it."""
    home.published.write_text("no database" * 1000, encoding="utf-8")
    assert _started(_looks(instance, None, 2)[0]) == [("nightly", "2026-10-01")]


def test_a_broken_configuration_is_told(home: Home, instance: dg.DagsterInstance) -> None:
    """Stops a traceback every minute where a sentence says which file and key to mend."""
    (home.config / "markets.toml").write_text("[markets.de]\ntime_zone = 'Nowhere'\n", encoding="utf-8")
    requests, reason, _ = _look(instance, None)
    assert requests == []
    assert reason.startswith("Nothing can be started: ")
    assert "markets.toml: key markets.de.time_zone" in reason


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
    assert reason.startswith("Dates without a partition: 2026-10-01. Restart `qa-pipeline ui`")


def test_an_empty_landing_folder_is_told(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    """Stops a reason that leaves one guessing where files belong."""
    with kept_environment():
        settle(Home(tmp_path))
        assert _look(instance, None)[1] == f"Nothing has landed in {tmp_path / 'landing'} yet."


def test_the_sensor_looks_by_default_and_starts_the_night() -> None:
    """Stops a sensor that has to be switched on before a delivered file does anything."""
    assert landing_changes.default_status is dg.DefaultSensorStatus.RUNNING
    assert landing_changes.minimum_interval_seconds == 60
    assert [job.name for job in landing_changes.jobs] == ["nightly", "load_day", "restate_and_publish"]


def test_the_schedule_runs_yesterday() -> None:
    """Stops a night that runs the date which has only just begun."""
    with dg.build_schedule_context(scheduled_execution_time=datetime(2026, 10, 2, 12, 30, tzinfo=UTC)) as context:
        request = nightly_schedule(context)
    assert isinstance(request, dg.RunRequest)
    assert request.partition_key == date(2026, 10, 1).isoformat()
    assert request.run_key == "2026-10-01"
    assert nightly_schedule.cron_schedule == "30 12 * * *"
    assert nightly_schedule.execution_timezone == "UTC"
