"""`qa-pipeline run`: which days there are to load, and the walk over them, one run a day and the rest once at the end.

The jobs themselves are Dagster's (`defs/in_process`), what is printed is `printing`'s.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date

import duckdb

from qa_pipeline import landing, provenance
from qa_pipeline.config import Config, load_config
from qa_pipeline.contracts import FEEDS
from qa_pipeline.errors import UsageError, WarehouseError
from qa_pipeline.loading import pending
from qa_pipeline.messages import counted
from qa_pipeline.progress import Bar
from qa_pipeline.settings import Home
from qa_pipeline.warehouse import working

_LOCK_FILE = ".run.lock"


@dataclass(frozen=True)
class Plan:
    """Feeds to load by date, in order of date; `others` are changed dates that the asked range leaves out."""

    days: dict[date, tuple[str, ...]]
    others: int


@dataclass
class Walk:
    """What became of a walk.

    `failures` by what failed ('2026-01-31', 'facts and tallies', 'marts and pages'); `is_published`: whether what
    readers have is now made from what is loaded.
    """

    failures: dict[str, tuple[str, ...]] = field(default_factory=dict)
    is_published: bool = False


def plan_run(home: Home, *, config: Config, start: date | None, end: date | None, force: bool) -> Plan:
    """Find the partitions with new or changed files (all landed ones if `force`) from `start` to `end`, inclusive.

    Raises UsageError when the range is empty, or when nothing has landed in it.
    """
    if start and end and start > end:
        message = f"--from {start} is after --to {end}: swap them."
        raise UsageError(message)
    landed = {key for key, files in landing.landed_partitions(home).items() if files}
    with working(home, config) as con:
        due = set(pending(con, home=home, config=config))
        recorded = set(con.execute("select feed, business_date from ops.partitions").fetchall())
    _check_range(home, days=sorted({day for _, day in landed | recorded}), start=start, end=end)
    wanted = due | landed if force else due
    chosen = {key for key in wanted if _within(key[1], start, end)}
    days = {day: tuple(feed for feed in FEEDS if (feed, day) in chosen) for day in sorted({day for _, day in chosen})}
    # A required feed that did not come is part of its day: its check has to say so.
    missing = {feed.name for feed in FEEDS.values() if feed.is_required}
    days = {
        day: tuple(feed for feed in FEEDS if feed in feeds or (feed in missing and (feed, day) not in landed))
        for day, feeds in days.items()
    }
    return Plan(days=days, others=len({day for _, day in due if not _within(day, start, end)}))


def _within(day: date, start: date | None, end: date | None) -> bool:
    return (start is None or day >= start) and (end is None or day <= end)


def _check_range(home: Home, *, days: list[date], start: date | None, end: date | None) -> None:
    if not days:
        message = f"Nothing has landed in {home.landing} yet: `qa-pipeline simulate` or `qa-pipeline import` fills it."
        raise UsageError(message)
    if not any(_within(day, start, end) for day in days):
        asked = " ".join(f"{name} {day}" for name, day in (("from", start), ("to", end)) if day is not None)
        message = f"Nothing landed {asked}: {counted(len(days), 'date')} landed, from {days[0]} to {days[-1]}."
        raise UsageError(message)


@contextmanager
def only_run(home: Home) -> Iterator[None]:
    """Hold the home's run lock. Raises WarehouseError when another `qa-pipeline run` holds it."""
    with (home.dagster / _LOCK_FILE).open("w", encoding="utf-8") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as err:
            message = f"Another `qa-pipeline run` is under way in {home.root}: wait for it to end."
            raise WarehouseError(message) from err
        yield


def is_running(home: Home) -> bool:
    """Whether a `qa-pipeline run` of the home is under way, which holds its warehouse from beginning to end."""
    if not (home.dagster / _LOCK_FILE).exists():
        return False
    try:
        with only_run(home):
            return False
    except WarehouseError:
        return True


def walk(home: Home, *, plan: Plan, force: bool, step: Bar) -> Walk:
    """Load the planned days one by one, then rebuild what they made stale, then publish once.

    `step` is told of each part. A day that fails does not stop the others; when the rebuilding fails,
    the published state stays as it was. With no day to load, nothing runs at all when what is published is already
    made from the present files, settings and code.
    """
    config = load_config(home)
    if not plan.days and _is_current(home, config):
        return Walk(is_published=True)
    from qa_pipeline.defs.in_process import job_runner  # noqa: PLC0415 - Dagster costs a second

    done = Walk()
    with job_runner(home) as runner:
        for day, feeds in plan.days.items():
            step.begin(f"loading {day}")
            outcome = runner.load_day(day, feeds=feeds, force=force)
            step.done()
            if outcome.failures:
                done.failures[day.isoformat()] = outcome.failures
        step.begin("rebuilding facts and tallies")
        with working(home, config) as con:
            newest = newest_stale(con)
        if newest is not None:
            outcome = runner.restate(newest)
            if outcome.failures:
                done.failures["facts and tallies"] = outcome.failures
                return done
        step.done()
        step.begin("building marts, pages and the warehouse for readers")
        outcome = runner.publish()
        step.done()
        if outcome.failures:
            done.failures["marts and pages"] = outcome.failures
        done.is_published = not outcome.failures
    return done


def _is_current(home: Home, config: Config) -> bool:
    with working(home, config) as con:
        return provenance.is_current(con, home=home, config=config)


def newest_stale(con: duckdb.DuckDBPyConnection) -> date | None:
    """Newest date with something to rebuild, else the newest landed date; None when there is none."""
    rows = con.execute(
        "select coalesce((select max(business_date) from ops.dirty), (select max(business_date) from ops.partitions))"
    ).fetchall()
    found: date | None = rows[0][0]
    return found
