"""Small tools that every part of the simulator shares: column batches, seeded streams, local days, ids.

Nothing about moderation belongs here.
"""

import datetime as dt
from enum import IntEnum
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Rows = dict[str, npt.NDArray[Any]]

IDS_PER_DAY = 100_000_000
# Rows that do not come from the day's main stream take their numbers from the end of the day's range.
REPEAT_IDS = 80_000_000
TEST_IDS = 85_000_000
CALIBRATION_IDS = 90_000_000
CORRECTION_IDS = 99_000_000


class Stream(IntEnum):
    """Purposes with a random stream of their own, so that a change to one part leaves the others' draws alone."""

    WORLD = 1
    STAFF = 2
    GOLD = 3
    ITEMS = 4
    LABELS = 5
    CALIBRATION = 6
    REVIEWS = 7
    APPEALS = 8
    DIRT = 9
    REPEATS = 10
    TESTS = 11
    MODELS = 100


def generator(seed: int, stream: int, day: dt.date | None = None) -> np.random.Generator:
    """Return the stream of `seed` for one purpose and day; the same arguments give the same draws."""
    return np.random.default_rng(np.random.SeedSequence([seed, day.toordinal() if day else 0, stream]))


def count(rows: Rows) -> int:
    """Return the number of rows of a batch (0 for a batch without columns)."""
    return len(next(iter(rows.values()))) if rows else 0


def take(rows: Rows, index: npt.NDArray[Any]) -> Rows:
    """Return the rows of `index` (positions or a mask) as a new batch."""
    return {name: values[index] for name, values in rows.items()}


def join(parts: list[Rows]) -> Rows:
    """Return the batches one below the other; they must have the same columns."""
    filled = [part for part in parts if part]
    if not filled:
        return {}
    return {name: np.concatenate([part[name] for part in filled]) for name in filled[0]}


def draw(cumulative: Floats, uniform: Floats) -> Ints:
    """Return per row the category that `uniform` falls in; `cumulative` is rows x categories and ends in 1."""
    return np.asarray((uniform[:, None] >= cumulative).sum(axis=1), dtype=np.int64)


def day_number(day: dt.date) -> int:
    """Return the day as the integer yyyymmdd, the leading part of every id made on it."""
    return day.year * 10_000 + day.month * 100 + day.day


def numbers(day: dt.date, size: int, *, first: int = 0) -> Ints:
    """Return `size` ids of the day, counted from `first`."""
    return day_number(day) * IDS_PER_DAY + first + np.arange(size, dtype=np.int64)


@cache
def midnight_ms(day: dt.date, time_zone: str) -> int:
    """Return the first instant of a zone's local day in milliseconds since 1970 UTC."""
    start = dt.datetime.combine(day, dt.time(), tzinfo=ZoneInfo(time_zone))
    return round(start.timestamp() * 1000)


def day_bounds(day: dt.date, time_zones: tuple[str, ...]) -> tuple[Ints, Ints]:
    """Return start and end (exclusive) of the local day per zone, in milliseconds since 1970 UTC."""
    after = day + dt.timedelta(days=1)
    starts = np.array([midnight_ms(day, zone) for zone in time_zones], dtype=np.int64)
    ends = np.array([midnight_ms(after, zone) for zone in time_zones], dtype=np.int64)
    return starts, ends
