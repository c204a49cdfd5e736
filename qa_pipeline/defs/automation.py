"""What starts runs by itself: the nightly schedule, and the sensor on landing folder and configuration.

Which dates are due is `loading.pending`, compared with what is published. No `from __future__ import annotations` here:
Dagster reads annotations.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

import dagster as dg
import duckdb

from qa_pipeline import landing, provenance, warehouse
from qa_pipeline.config import Config, load_config
from qa_pipeline.defs.jobs import LOAD_DAY, NIGHTLY, RESTATE_AND_PUBLISH, load_day, nightly, restate_and_publish
from qa_pipeline.defs.partitions import daily
from qa_pipeline.errors import HomeError, QaError
from qa_pipeline.loading import pending_states
from qa_pipeline.nights import is_running
from qa_pipeline.publishing import open_published
from qa_pipeline.settings import Home

# By 12:00 UTC a calendar day has ended in every time zone of the world; half an hour for the last files to arrive.
NIGHTLY_CRON = "30 12 * * *"
SECONDS_BETWEEN_LOOKS = 60
# One look starts the runs of so many dates: a month and its newest day. The next looks start the others.
DATES_PER_LOOK = 31
# A state that does not reach the published warehouse is run again twice; then somebody has to look.
MOST_RUNS = 3
# Runs wait in the order of their priority, then of their start: the loads of a look come before what follows them.
_AFTER_THE_LOADS = {"dagster/priority": "-1"}
# The state that is not a date's: what figures and pages are made from besides the loaded rows.
_FIGURES = "figures"
_NAMED_DATES = 5
_HASH_LENGTH = 12
_UNDER_WAY = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
# Date (or `figures`) -> hash of what it would be made from.
States = dict[str, str]
# Date (or `figures`) -> that hash, and how many runs were started for it.
Cursor = dict[str, tuple[str, int]]


@dg.schedule(
    name="nightly_schedule",
    job_name=NIGHTLY,
    cron_schedule=NIGHTLY_CRON,
    execution_timezone="UTC",
    description="Runs yesterday's partition at 12:30 UTC, when the day is over in every market, whether or not files "
    "landed: a required feed that did not come fails its check.",
)
def nightly_schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """One run, of the day before the scheduled time."""
    yesterday = (context.scheduled_execution_time.date() - timedelta(days=1)).isoformat()
    return dg.RunRequest(run_key=yesterday, partition_key=yesterday)


@dg.sensor(
    name="landing_changes",
    jobs=[nightly, load_day, restate_and_publish],
    minimum_interval_seconds=SECONDS_BETWEEN_LOOKS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Starts every date whose files, suite, SQL or configuration are not those of the published state and "
    "have been still for one look: new, re-delivered and removed files alike. It reads names, sizes and times only. "
    f"What fails is run again {MOST_RUNS - 1} times, then told as the reason for starting nothing.",
)
def landing_changes(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Look once at what is due.

    The cursor holds what was due at the last look. Whatever is due again in the same state, while nothing runs, was
    still for one look, and every run that was started for it has failed. Run keys are left out: Dagster would refuse to
    run a state that comes back, and the cursor is stored with the requests.
    """
    home = Home.resolve()
    if is_running(home) or context.instance.get_runs_count(dg.RunsFilter(statuses=_UNDER_WAY)):
        return dg.SkipReason("A run is under way; landing is looked at again when it has ended.")
    if not home.published.exists() and not any(landing.landed_partitions(home).values()):
        return dg.SkipReason(f"Nothing has landed in {home.landing} yet.")
    try:
        due = due_states(home, load_config(home))
    except QaError as err:
        return dg.SkipReason(f"Nothing can be started: {err}")
    partitions = daily()
    outside = [key for key in due if key != _FIGURES and not partitions.has_partition_key(key)]
    startable = {key: state for key, state in due.items() if key not in outside}
    cursor, chosen = _choose(startable, earlier=json.loads(context.cursor) if context.cursor else {})
    following = json.dumps(cursor)
    if not chosen:
        return dg.SensorResult(skip_reason=dg.SkipReason(_reason(cursor, outside)), cursor=following)
    return dg.SensorResult(run_requests=_requests(home, chosen), cursor=following)


def _choose(due: Mapping[str, str], *, earlier: Cursor) -> tuple[Cursor, list[str]]:
    """The next cursor, and what to start now: what is still, as often as it may be run, so many dates a look."""
    cursor: Cursor = {}
    still = []
    for key, state in due.items():
        seen, runs = earlier.get(key, ("", 0))
        cursor[key] = (state, runs if seen == state else 0)
        if seen == state and runs < MOST_RUNS:
            still.append(key)
    chosen = still[:DATES_PER_LOOK]
    for key in chosen:
        state, runs = cursor[key]
        cursor[key] = (state, runs + 1)
    return cursor, chosen


def due_states(home: Home, config: Config) -> States:
    """What is published in another state than it would be made in now, in order of date, then `figures`."""
    try:
        with open_published(home) as con:
            due = _due_dates(con, home, config)
            if not provenance.is_self_consistent(con, config):
                due[_FIGURES] = _hash([provenance.state_fingerprint(con, config)])
            return due
    except (HomeError, duckdb.Error):
        # Nothing readable is published, so every landed date is due. The working warehouse is not asked: a run could
        # not open it meanwhile.
        with duckdb.connect() as empty:
            warehouse.prepare(empty, config)
            return _due_dates(empty, home, config)


def _due_dates(con: duckdb.DuckDBPyConnection, home: Home, config: Config) -> States:
    by_day: dict[str, list[str]] = {}
    for (feed, day), state in pending_states(con, home=home, config=config).items():
        by_day.setdefault(day.isoformat(), []).append(f"{feed}:{state}")
    return {day: _hash(states) for day, states in by_day.items()}


def _hash(parts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:_HASH_LENGTH]


def _requests(home: Home, chosen: Sequence[str]) -> list[dg.RunRequest]:
    """One date is a night. Several are loaded one by one, then figures and pages are made once: they take longest.

    What follows the loads does not wait for a date that failed, so neither do figures that other settings made stale.
    """
    days = [key for key in chosen if key != _FIGURES]
    if chosen == days[:1]:
        return [dg.RunRequest(partition_key=days[0], job_name=NIGHTLY)]
    loads = [dg.RunRequest(partition_key=day, job_name=LOAD_DAY) for day in days]
    filed_under = days[-1] if days else _newest_partition(home)
    return [*loads, dg.RunRequest(partition_key=filed_under, job_name=RESTATE_AND_PUBLISH, tags=_AFTER_THE_LOADS)]


def _newest_partition(home: Home) -> str:
    """Newest published date, as far as there are partitions."""
    last: str = daily().get_partition_keys()[-1]
    with open_published(home) as con:
        newest = con.execute("select max(business_date) from ops.partitions").fetchall()[0][0]
    return min(last, newest.isoformat()) if newest else last


def _reason(cursor: Mapping[str, tuple[str, int]], outside: Sequence[str]) -> str:
    """Why nothing is started."""
    failed = [key for key, (_, runs) in cursor.items() if runs >= MOST_RUNS]
    waiting = [key for key in cursor if key not in failed]
    told = []
    if waiting:
        told.append(
            f"{_named(waiting)}: files, settings or code changed; a run starts if they are still at the next look."
        )
    if failed:
        told.append(
            f"{_named(failed)}: {MOST_RUNS} runs of the same files, settings and code did not get as far as "
            "publishing. Read in the last of them why, mend it and deliver the files again, or start the date by hand."
        )
    if outside:
        told.append(
            f"Dates without a partition: {_named(outside)}. Restart `qa-pipeline ui`, which widens the partitions."
        )
    return " ".join(told) or "What is published is made from the present files and settings."


def _named(keys: Sequence[str]) -> str:
    more = f" and {len(keys) - _NAMED_DATES} more" if len(keys) > _NAMED_DATES else ""
    return ", ".join(keys[:_NAMED_DATES]) + more
