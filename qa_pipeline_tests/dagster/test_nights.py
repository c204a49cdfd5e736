"""Nights run by Dagster in this process: what is recorded, what a blocked partition stops, what a dead run leaves."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from qa_pipeline import definitions, nights
from qa_pipeline.config import load_config
from qa_pipeline.contracts import FEEDS as ALL_FEEDS
from qa_pipeline.defs.in_process import COMMAND_LINE, ORIGIN_TAG, JobOutcome, JobRunner, job_runner
from qa_pipeline.defs.partitions import WRITER_POOL
from qa_pipeline.errors import WarehouseError
from qa_pipeline.instance import settle
from qa_pipeline.progress import Bar
from qa_pipeline.publishing import open_published
from qa_pipeline.settings import Home
from qa_pipeline.warehouse import working
from qa_pipeline_tests.small_home import (
    kept_environment,
    land,
    land_blocked,
    partition_folder,
    small_days,
    small_rows,
    write_small_home,
)

pytestmark = pytest.mark.xdist_group("nights")

FEEDS = ("labels", "gold", "reviews")
DAYS = small_days(3)
GOLD_ASSETS = (["raw", "raw_gold"], ["validated", "valid_gold"], ["quarantine", "quarantined_gold"])


@dataclass(frozen=True)
class Nights:
    """Two green nights in three parts, and a third whose labels are blocked."""

    home: Home
    loads: tuple[JobOutcome, ...]
    restated: JobOutcome
    published: JobOutcome
    blocked: dg.ExecuteInProcessResult
    published_before: int

    def instance(self) -> dg.DagsterInstance:
        return dg.DagsterInstance.get()


def _break_some(home: Home) -> None:
    """A warn rule and a quarantine rule fail on the second day, one of its files is empty, one folder is no date."""
    rows = small_rows("labels", DAYS[1])
    rows[0]["handle_seconds"] = 0.1
    rows[1]["label"] = "nonsense"
    land(home, feed="labels", day=DAYS[1], rows=rows)
    (partition_folder(home, feed="labels", day=DAYS[1]) / "zzz.csv").touch()
    (home.landing / "labels" / "date=2026-02-30").mkdir()


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nights]:
    home = write_small_home(tmp_path_factory.mktemp("nights"), days=3, feeds=FEEDS)
    _break_some(home)
    land_blocked(home, feed="labels", day=DAYS[2])
    with kept_environment():
        with job_runner(home) as runner:
            loads = tuple(runner.load_day(day, feeds=FEEDS, force=False) for day in DAYS[:2])
            restated, published = runner.restate(DAYS[1]), runner.publish()
        before = home.published.stat().st_ino
        with dg.DagsterInstance.get() as instance:
            blocked = _nightly(instance, partition=str(DAYS[2]))
        yield Nights(home, loads, restated, published, blocked, before)


def _nightly(instance: dg.DagsterInstance, *, partition: str) -> dg.ExecuteInProcessResult:
    job = definitions.defs().resolve_job_def("nightly")
    loggers = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    return job.execute_in_process(instance=instance, partition_key=partition, raise_on_error=False, run_config=loggers)


def _failed_steps(result: dg.ExecuteInProcessResult) -> dict[str | None, str]:
    """Failed steps with their errors, so that a step that should not have failed says why."""
    failed = [event for event in result.all_events if event.is_step_failure]
    return {event.step_key: str(event.step_failure_data.error_display_string) for event in failed}


def _made(instance: dg.DagsterInstance, *path: str, partition: str | None = None) -> tuple[str | None, dict[str, Any]]:
    """Partition and metadata values of the latest materialization of an asset, of one partition if it is given."""
    wanted = dg.AssetRecordsFilter(asset_key=dg.AssetKey(path), asset_partitions=[partition] if partition else None)
    made = instance.fetch_materializations(wanted, limit=1).records[0].asset_materialization
    assert made is not None
    return made.partition, _values(made.metadata)


def _values(metadata: Mapping[str, dg.MetadataValue[Any]]) -> dict[str, Any]:
    return {name: value.value for name, value in metadata.items()}


def _checks(instance: dg.DagsterInstance, run_id: str) -> dict[str, dg.AssetCheckEvaluation]:
    logs = instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    found = [entry.get_dagster_event().asset_check_evaluation_data for entry in logs]
    return {check.check_name: check for check in found}


def test_a_loaded_day_is_recorded_with_its_counts(ran: Nights) -> None:
    """Stops a materialization without row counts, or one that is filed under no date."""
    assert [load.failures for load in ran.loads] == [(), ()]
    with ran.instance() as instance:
        _, metadata = _made(instance, "validated", "valid_gold", partition=str(DAYS[1]))
        assert metadata["dagster/partition_row_count"] == 3
        assert metadata["dagster/row_count"] == 6
        assert instance.get_materialized_partitions(dg.AssetKey(["validated", "valid_labels"])) == {
            str(day) for day in DAYS[:2]
        }


def test_checks_of_a_load_count_and_show_rows(ran: Nights) -> None:
    """Stops a check whose outcome says how many but not which, or is filed under no date."""
    with ran.instance() as instance:
        first, second = (_checks(instance, load.run_id) for load in ran.loads)
    assert {name for name, check in first.items() if not check.passed} == set()
    assert {name for name, check in second.items() if not check.passed} == {
        "labels_files_readable",
        "labels_quarantine_share",
        "labels_warn_rules",
    }
    assert {check.partition for check in second.values()} == {str(DAYS[1])}
    assert {check.severity for check in second.values() if not check.passed} == {dg.AssetCheckSeverity.WARN}
    share = _values(second["labels_quarantine_share"].metadata)
    assert share["quarantine share"] == pytest.approx(1 / 36)
    assert "nonsense" in str(share["examples"])
    assert "zzz.csv is empty (0 bytes)" in str(_values(second["labels_files_readable"].metadata)["examples"])
    assert "LBL-012" in str(_values(second["labels_warn_rules"].metadata)["examples"])


def test_tables_in_checks_are_small_enough_for_the_panel(ran: Nights) -> None:
    """Stops a sample table that the UI cuts off: five rows and four columns fit."""
    with ran.instance() as instance:
        for load in ran.loads:
            for check in _checks(instance, load.run_id).values():
                for value in check.metadata.values():
                    if isinstance(value, dg.TableMetadataValue):
                        assert len(value.records) <= 5
                        assert len(value.schema.columns) <= 4


def test_every_rebuilt_date_is_a_partition_of_its_own(ran: Nights) -> None:
    """Stops a rebuild of many dates that shows in the UI as one."""
    assert ran.restated.failures == ()
    with ran.instance() as instance:
        for path in (["facts", "ratings"], ["tallies", "label_counts"], ["tallies", "review_counts"]):
            assert instance.get_materialized_partitions(dg.AssetKey(path)) == {str(day) for day in DAYS[:2]}, path
        _, metadata = _made(instance, "tallies", "unit_patterns", partition=str(DAYS[1]))
    columns = metadata["dagster/column_schema"].columns
    assert {column.name: column.description for column in columns}[
        "replicate"
    ] == "Jackknife group of the item, 0 to 19."


def test_marts_and_pages_are_unpartitioned_and_linked(ran: Nights) -> None:
    """Stops marts filed under one date, and pages that nobody finds from the UI."""
    assert ran.published.failures == ()
    with ran.instance() as instance:
        assert _made(instance, "marts", "agreement")[0] is None
        _, pages = _made(instance, "reports", "pages")
        checks = _checks(instance, ran.published.run_id)
    assert pages["report"] == "http://127.0.0.1:3001/index.html"
    assert "[all markets](http://127.0.0.1:3001/index.html) · [" in pages["open"]
    assert {name for name, check in checks.items() if not check.passed} == {
        "newest_partition_present",
        "landing_has_no_strays",
    }
    strays = str(_values(checks["landing_has_no_strays"].metadata)["examples"])
    assert "date=2026-02-30 names a date that does not exist" in strays


def test_a_mart_shows_its_worst_queues(ran: Nights) -> None:
    """Stops metadata that makes one open the warehouse to see where it is bad."""
    with ran.instance() as instance:
        _, metadata = _made(instance, "marts", "defect_rate")
    table = metadata["worst queues by defect rate of people (28 days)"]
    # Of the 6 reviewed items a day, all in the German market, those with a number divisible by 4 are defects.
    worst = table.records[0].data
    assert (worst["market"], worst["queue"], worst["estimate"]) == ("de", "hate", 0.5)
    assert metadata["defect_rate de hate"] == pytest.approx(0.5)


def test_a_blocked_partition_skips_what_depends_on_it(ran: Nights) -> None:
    """Stops figures made of a partition on hold, and a publication after a red night."""
    assert not ran.blocked.success
    failed = _failed_steps(ran.blocked)
    assert list(failed) == ["load_labels"], failed
    started = {event.step_key for event in ran.blocked.all_events if event.event_type_value == "STEP_START"}
    assert started == {f"load_{feed}" for feed in ALL_FEEDS}
    assert ran.home.published.stat().st_ino == ran.published_before
    with ran.instance() as instance:
        check = _checks(instance, ran.blocked.run_id)["labels_block_rules"]
        made = instance.get_materialized_partitions(dg.AssetKey(["validated", "valid_labels"]))
    assert check.blocking
    assert check.partition == str(DAYS[2])
    assert str(check.description).startswith("labels of 2026-10-03 is on hold: LBL-090")
    assert str(DAYS[2]) not in made


def test_a_whole_night_runs_in_one_run(ran: Nights) -> None:
    """Stops a job that cannot mix daily and unpartitioned assets; unchanged files are not loaded again."""
    with ran.instance() as instance:
        result = _nightly(instance, partition=str(DAYS[0]))
        assert result.success, _failed_steps(result)
        assert _made(instance, "marts", "drift")[0] is None
        partition, metadata = _made(instance, "validated", "valid_labels")
    assert partition == str(DAYS[0])
    assert metadata["unchanged since the last load"] is True
    assert ran.home.published.stat().st_ino != ran.published_before


def test_an_unchanged_day_still_says_what_was_wrong_with_it(ran: Nights) -> None:
    """Stops a second run from turning the warnings of the first one green."""
    with kept_environment(), job_runner(ran.home) as runner:
        again = runner.load_day(DAYS[1], feeds=["labels"], force=False)
    settle(ran.home)
    with ran.instance() as instance:
        failed = {name for name, check in _checks(instance, again.run_id).items() if not check.passed}
        _, metadata = _made(instance, "raw", "raw_labels", partition=str(DAYS[1]))
    assert failed == {"labels_files_readable", "labels_quarantine_share", "labels_warn_rules"}
    files = [record.data for record in metadata["landed"].records]
    assert [(file["file"], file["rows"], file["status"]) for file in files] == [
        ("part.csv", 36, "loaded"),
        ("zzz.csv", 0, "quarantined"),
    ]


def test_force_loads_unchanged_files_again(ran: Nights) -> None:
    """Stops --force from being forgotten on its way to the loader."""
    with kept_environment(), job_runner(ran.home) as runner:
        assert runner.load_day(DAYS[0], feeds=["gold"], force=True).failures == ()
    settle(ran.home)
    with ran.instance() as instance:
        _, metadata = _made(instance, "validated", "valid_gold")
        assert metadata["unchanged since the last load"] is False
        # Only what was asked for ran.
        forced = instance.get_runs(limit=1)[0]
        assert forced.asset_selection == {dg.AssetKey(path) for path in GOLD_ASSETS}


def test_a_dead_command_line_run_is_closed_and_its_slot_freed(ran: Nights) -> None:
    """Stops the next run from waiting for ever for the pool slot of a process that was killed."""
    settle(ran.home)
    with ran.instance() as instance:
        run = _open_run(instance, tags={ORIGIN_TAG: COMMAND_LINE})
        instance.event_log_storage.initialize_concurrency_limit_to_default(WRITER_POOL)
        claim = instance.event_log_storage.claim_concurrency_slot(WRITER_POOL, run.run_id, "load_labels")
        assert claim.is_claimed
    with job_runner(ran.home) as runner:
        assert isinstance(runner, JobRunner)
    with ran.instance() as instance:
        closed = instance.get_run_by_id(run.run_id)
        assert closed is not None
        assert closed.status is dg.DagsterRunStatus.FAILURE
        assert instance.event_log_storage.get_concurrency_info(WRITER_POOL).active_slot_count == 0


def test_a_run_of_the_ui_under_way_is_told(ran: Nights) -> None:
    """Stops the command line from failing step by step beside a run that holds the warehouse."""
    settle(ran.home)
    with ran.instance() as instance:
        run = _open_run(instance, tags={"dagster/partition": "2026-10-02"})
        expected = rf"Dagster run {run.run_id[:8]} \(nightly of 2026-10-02\) is under way in this home: wait"
        with pytest.raises(WarehouseError, match=expected), job_runner(ran.home):
            pass
        instance.report_run_failed(run)


def _open_run(instance: dg.DagsterInstance, *, tags: dict[str, str]) -> dg.DagsterRun:
    """A run that was begun and whose end nobody reports."""
    return instance.create_run_for_job(definitions.defs().resolve_job_def("nightly"), tags=tags)


def test_a_day_that_fails_does_not_stop_the_others(tmp_path: Path) -> None:
    """Stops one bad delivery from costing the whole week, and its reason from getting lost."""
    home = write_small_home(tmp_path, days=2, feeds=["labels"])
    land_blocked(home, feed="labels", day=DAYS[0])
    with kept_environment():
        settle(home)
        config = load_config(home)
        plan = nights.plan_run(home, config=config, start=None, end=None, force=False)
        done = nights.walk(home, plan=plan, force=False, step=Bar(None, words="", total=0))
        assert list(done.failures) == [str(DAYS[0])]
        assert done.failures[str(DAYS[0])][0].startswith("labels of 2026-10-01 is on hold: LBL-090")
        assert done.is_published
        with working(home, config) as con:
            assert con.execute("select distinct business_date from validated.valid_labels").fetchall() == [(DAYS[1],)]
        with open_published(home) as con:
            assert con.execute("select feed, status from ops.partitions order by all").fetchall() == [
                ("labels", "blocked"),
                ("labels", "loaded"),
            ]
