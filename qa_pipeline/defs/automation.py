"""What starts runs by itself: the nightly schedule and the sensor on the landing folder.

Both start the job `nightly`. No `from __future__ import annotations` here: Dagster reads annotations.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import date, timedelta

import dagster as dg
import duckdb

from qa_pipeline import landing
from qa_pipeline.defs.jobs import NIGHTLY
from qa_pipeline.defs.partitions import daily
from qa_pipeline.errors import QaError
from qa_pipeline.loading import stat_fingerprint
from qa_pipeline.nights import is_running
from qa_pipeline.publishing import open_published
from qa_pipeline.settings import Home

# By 12:00 UTC a calendar day has ended in every time zone of the world; half an hour for the last files to arrive.
NIGHTLY_CRON = "30 12 * * *"
SECONDS_BETWEEN_LOOKS = 60
# A night is one writer, so more would only queue; what is left over is started by the next looks.
RUNS_PER_LOOK = 5
_HASH_LENGTH = 12
_UNDER_WAY = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
Hashes = dict[str, str]


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
    job_name=NIGHTLY,
    minimum_interval_seconds=SECONDS_BETWEEN_LOOKS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Starts the partition of every landing folder that changed and has been still for one look: new, "
    "re-delivered and removed files alike. It reads names, sizes and times only.",
)
def landing_changes(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Look at the landing folder once.

    The cursor holds two JSON objects, date -> hash of its files' names, sizes and times: `done`, the state that a run
    was started for or that is published already, and `seen`, the changed state of the last look.
    """
    home = Home.resolve()
    if is_running(home) or context.instance.get_runs_count(dg.RunsFilter(statuses=_UNDER_WAY)):
        return dg.SkipReason("A run is under way; landing is looked at again when it has ended.")
    cursor = json.loads(context.cursor) if context.cursor else {"done": {}, "seen": {}}
    now = folder_hashes(home)
    changed = {day: value for day, value in now.items() if cursor["done"].get(day) != value}
    changed |= {day: _hash([]) for day in cursor["done"] if day not in now}
    published = published_hashes(home) if changed else {}
    current = {day for day, value in changed.items() if day in now and published.get(day) == value}
    partitions = daily()
    outside = [day for day in changed if not partitions.has_partition_key(day)]
    waiting = {day: value for day, value in changed.items() if day not in current and day not in outside}
    still = sorted(day for day, value in waiting.items() if cursor["seen"].get(day) == value)
    chosen = still[:RUNS_PER_LOOK]
    settled = {*current, *chosen}
    done = {day: value for day, value in cursor["done"].items() if day not in settled}
    done |= {day: now[day] for day in settled if day in now}
    seen = {day: value for day, value in waiting.items() if day not in settled}
    following = json.dumps({"done": done, "seen": seen}, sort_keys=True)
    if not chosen:
        reason = dg.SkipReason(_reason(home, known=len(now), waiting=waiting, outside=outside))
        return dg.SensorResult(skip_reason=reason, cursor=following)
    requests = [dg.RunRequest(run_key=f"{day}:{waiting[day]}", partition_key=day) for day in chosen]
    return dg.SensorResult(run_requests=requests, cursor=following)


def folder_hashes(home: Home) -> Hashes:
    """Date -> hash of the names, sizes and times of its files of all feeds; dates without files are left out."""
    by_day: dict[str, dict[str, str]] = {}
    for (feed, day), files in landing.landed_partitions(home).items():
        if files:
            by_day.setdefault(day.isoformat(), {})[feed] = stat_fingerprint(files)
    return {day: _hash(feeds.items()) for day, feeds in by_day.items()}


def published_hashes(home: Home) -> Hashes:
    """What `folder_hashes` was when the published state of each date was loaded; empty when nothing is published."""
    try:
        with open_published(home) as con:
            rows: list[tuple[str, date, str]] = con.execute(
                "select feed, business_date, stat from ops.partitions"
            ).fetchall()
    except (QaError, duckdb.Error):
        return {}  # Nothing readable is published, so every date counts as changed.
    by_day: dict[str, dict[str, str]] = {}
    for feed, day, stat in rows:
        by_day.setdefault(day.isoformat(), {})[feed] = stat
    return {day: _hash(feeds.items()) for day, feeds in by_day.items()}


def _hash(parts: Iterable[tuple[str, str]]) -> str:
    text = "\n".join(f"{feed}:{stat}" for feed, stat in sorted(parts))
    return hashlib.sha256(text.encode()).hexdigest()[:_HASH_LENGTH]


def _reason(home: Home, *, known: int, waiting: Mapping[str, str], outside: list[str]) -> str:
    if waiting:
        days = ", ".join(sorted(waiting)[:RUNS_PER_LOOK])
        return f"Files of {days} changed; a run starts when they have been still for one look."
    if outside:
        return (
            f"Nothing changed but {len(outside)} dates that have no partition, such as {min(outside)}: restart "
            "`qa-pipeline ui`, which widens the partitions."
        )
    if not known:
        return f"Nothing has landed in {home.landing} yet."
    return f"Nothing changed in {known} dates since the last look."
