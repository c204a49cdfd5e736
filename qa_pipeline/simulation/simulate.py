"""The simulator's entry: a home's configuration, landing files of all feeds and truth.json.

Walking the days belongs here; each feed's rows come from the modules beside this one.
"""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from qa_pipeline.contracts import FEEDS
from qa_pipeline.errors import HomeError, UsageError
from qa_pipeline.settings import Home
from qa_pipeline.simulation.config_files import config_texts
from qa_pipeline.simulation.night import Night
from qa_pipeline.simulation.plan import MOST_PER_DAY, Plan
from qa_pipeline.simulation.timeline import plan_timeline
from qa_pipeline.simulation.truth import TruthBook
from qa_pipeline.simulation.world import build_world

# The last simulated day unless a start is given. A constant, because the clock must not decide what is simulated.
LAST_DAY = dt.date(2026, 11, 19)
TRUTH_FILE = "truth.json"
LEAST_LABELS = 200
LEAST_PREDICTIONS = 100
MOST_DAYS = 3660


@dataclass(frozen=True)
class SimulationSummary:
    """What was written: the period, files, rows per feed, broken rows among them, and where the truth is."""

    start: dt.date
    end: dt.date
    files: int
    rows: dict[str, int]
    dirty_rows: int
    truth: Path


def simulate(  # noqa: PLR0913 - the arguments are the options of the command line
    home: Home,
    *,
    days: int,
    seed: int,
    labels_per_day: int,
    predictions_per_day: int,
    start: dt.date | None = None,
    progress: Callable[[dt.date], None] | None = None,
    incidents: bool = True,
    dirty: bool = True,
) -> SimulationSummary:
    """Simulate a moderation operation into `home`: `config/*.toml`, `landing/<feed>/date=…/*` and `truth.json`.

    The same arguments give byte-equal text files and row-equal Parquet files. A day depends on the seed, the start and
    its date, not on how many days follow it (incidents, which lie at fractions of the period, excepted). Volumes are
    approximate (within 5 %, calibration days 3 % more). Without `start` the last day is LAST_DAY. Incidents need at
    least six days; with fewer, there are none. `progress` is called with each day when its files are written.

    Raises UsageError if an argument is out of range or the home already has other configuration or landed files, and
    HomeError if the home cannot be written. Example:
    `simulate(Home.resolve("var"), days=30, seed=7, labels_per_day=20_000, predictions_per_day=100_000)`.
    """
    _check_volumes(days=days, seed=seed, labels=labels_per_day, predictions=predictions_per_day)
    first = start or LAST_DAY - dt.timedelta(days=days - 1)
    if not dt.date(2000, 1, 1) <= first <= dt.date(2100, 1, 1):
        message = f"start {first} is out of range: choose a day from 2000-01-01 to 2100-01-01."
        raise UsageError(message)
    _check_home(home)
    home.prepare()
    plan = Plan(
        seed=seed,
        labels_per_day=labels_per_day,
        predictions_per_day=predictions_per_day,
        world=build_world(seed, first),
        timeline=plan_timeline(first, days=days, incidents=incidents),
        has_dirt=dirty,
    )
    book = TruthBook(plan)
    try:
        for name, text in config_texts().items():
            (home.config / name).write_text(text, encoding="utf-8")
        night = Night(plan=plan, book=book, landing=home.landing)
        for offset in range(days):
            day = first + dt.timedelta(days=offset)
            night.write_day(day)
            if progress:
                progress(day)
        book.write(home.root / TRUTH_FILE)
    except OSError as err:
        message = f"{home.root} cannot be written ({err.strerror}): free some space or choose another --home."
        raise HomeError(message) from err
    return SimulationSummary(
        start=first,
        end=plan.timeline.end,
        files=book.file_count,
        rows={feed: sum(by_day.values()) for feed, by_day in book.rows.items()},
        dirty_rows=len(book.dirty_rows),
        truth=home.root / TRUTH_FILE,
    )


def _check_volumes(*, days: int, seed: int, labels: int, predictions: int) -> None:
    if not 1 <= days <= MOST_DAYS:
        message = f"{days} days cannot be simulated: choose from 1 to {MOST_DAYS}."
        raise UsageError(message)
    if seed < 0:
        message = f"seed {seed} is negative: choose 0 or a larger whole number."
        raise UsageError(message)
    if not LEAST_LABELS <= labels <= MOST_PER_DAY:
        message = f"{labels} labels a day cannot be simulated: choose from {LEAST_LABELS} to {MOST_PER_DAY}."
        raise UsageError(message)
    if predictions != 0 and not LEAST_PREDICTIONS <= predictions <= MOST_PER_DAY:
        message = (
            f"{predictions} predictions a day cannot be simulated: choose 0 or from {LEAST_PREDICTIONS} to "
            f"{MOST_PER_DAY}."
        )
        raise UsageError(message)


def _check_home(home: Home) -> None:
    for name, text in config_texts().items():
        path = home.config / name
        if path.is_file() and path.read_text(encoding="utf-8", errors="replace") != text:
            message = (
                f"{path} belongs to another operation and is not overwritten: choose an empty --home for a simulation."
            )
            raise UsageError(message)
    for feed in FEEDS:
        folder = home.landing / feed
        landed = next((path for path in folder.rglob("*") if path.is_file()), None) if folder.is_dir() else None
        if landed is not None:
            message = f"{landed} has already landed: choose an empty --home for a simulation, or remove {home.landing}."
            raise UsageError(message)
