"""Running the jobs in this process, for the command line: the same jobs and the same instance as the UI's.

Which days to run, and what to print, is `qa_pipeline.nights`'s business.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

import dagster as dg

from qa_pipeline import definitions
from qa_pipeline.contracts import FEEDS
from qa_pipeline.defs.feed_checks import quarantined_key, raw_key, valid_key
from qa_pipeline.defs.feeds import load_step
from qa_pipeline.defs.jobs import LOAD_DAY, PUBLISH, RESTATE
from qa_pipeline.defs.quick_log import quick_event_log
from qa_pipeline.defs.resources import kept_open
from qa_pipeline.errors import WarehouseError
from qa_pipeline.instance import settle
from qa_pipeline.settings import Home

ORIGIN_TAG = "qa/started_by"
COMMAND_LINE = "command line"
_UNDER_WAY = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
_ABANDONED = "The process that ran it ended without saying so; the next `qa-pipeline run` closed it."


@dataclass(frozen=True)
class JobOutcome:
    """One finished run; `failures` are sentences, none when it succeeded."""

    run_id: str
    failures: tuple[str, ...]


class JobRunner:
    """Runs the pipeline's jobs one after the other against one home's Dagster instance."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance
        self._definitions = definitions.defs()

    def load_day(self, day: date, *, feeds: Sequence[str], force: bool) -> JobOutcome:
        """Load `feeds` of one business date, also when their files did not change if `force` is set."""
        chosen = [FEEDS[name] for name in feeds]
        keys = [key(feed) for feed in chosen for key in (raw_key, valid_key, quarantined_key)]
        config = {"ops": {load_step(feed): {"config": {"force": force}} for feed in chosen}}
        return self._run(LOAD_DAY, partition=day, selection=keys, config=config)

    def restate(self, day: date) -> JobOutcome:
        """Rebuild what is stale; `day` is the partition that the run is filed under."""
        return self._run(RESTATE, partition=day)

    def publish(self) -> JobOutcome:
        """Build marts, pages and the warehouse for readers."""
        return self._run(PUBLISH)

    def _run(
        self,
        job: str,
        *,
        partition: date | None = None,
        selection: Sequence[dg.AssetKey] | None = None,
        config: Mapping[str, Any] | None = None,
    ) -> JobOutcome:
        with quick_event_log():
            result = self._definitions.resolve_job_def(job).execute_in_process(
                instance=self._instance,
                partition_key=partition.isoformat() if partition else None,
                asset_selection=selection,
                # The console is the progress bar's; what a run says goes to the event log, which the UI shows.
                run_config={**(config or {}), "loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
                raise_on_error=False,
                tags={ORIGIN_TAG: COMMAND_LINE},
            )
        if _is_interrupted(result):
            raise KeyboardInterrupt
        return JobOutcome(result.run_id, () if result.success else tuple(_failures(result)))


@contextmanager
def job_runner(home: Home) -> Iterator[JobRunner]:
    """A runner for `home`, whose instance gets the shipped settings first.

    Only one command line may run a home at a time (the caller holds a lock), so a run that an earlier command line left
    open is dead: it is closed here and its slot in the pool is freed, or the next run would wait for it for ever.
    Raises WarehouseError when a run started elsewhere, in the UI say, is under way.
    """
    settle(home)
    logging.getLogger("dagster").setLevel(logging.ERROR)
    # An interrupt that comes while a connection of the event log is closed would be told with a traceback.
    logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)
    with dg.DagsterInstance.get() as instance:
        for run in instance.get_runs(dg.RunsFilter(statuses=_UNDER_WAY)):
            if run.tags.get(ORIGIN_TAG) != COMMAND_LINE:
                what = " of ".join(filter(None, [run.job_name, run.tags.get("dagster/partition")]))
                message = (
                    f"Dagster run {run.run_id[:8]} ({what}) is under way in this home: wait for it to end or terminate "
                    "it in the UI, then run again."
                )
                raise WarehouseError(message)
            instance.report_run_failed(run, _ABANDONED)
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
        with kept_open(home):
            yield JobRunner(instance)


def _is_interrupted(result: dg.ExecuteInProcessResult) -> bool:
    """Whether ctrl-C ended a step: Dagster makes a failed step of it and would let the caller go on.

    It shows as Dagster's own error or, when it came while a query ran, as DuckDB's.
    """
    for event in result.all_events:
        error = event.step_failure_data.error if event.is_step_failure else None
        while error:
            if error.cls_name == dg.DagsterExecutionInterruptedError.__name__ or "Query interrupted" in error.message:
                return True
            error = error.cause
    return False


def _failures(result: dg.ExecuteInProcessResult) -> Iterator[str]:
    """Why a run failed: what its blocking checks say, and for every other failed step the error's own words."""
    told = set()
    for event in result.all_events:
        if event.event_type_value == "ASSET_CHECK_EVALUATION":
            check = event.asset_check_evaluation_data
            if check.blocking and not check.passed and check.severity == dg.AssetCheckSeverity.ERROR:
                told.add(event.step_key)
                yield check.description or f"{check.asset_key.path[-1]}: the check {check.check_name} failed."
    for event in result.all_events:
        if event.is_step_failure and event.step_key not in told:
            failure = event.step_failure_data
            if failure.user_failure_data and failure.user_failure_data.description:
                yield failure.user_failure_data.description
            else:
                error = failure.error
                while error and error.cause:
                    error = error.cause
                yield f"{event.step_key}: {error.message.strip() if error else 'failed without an error'}"
