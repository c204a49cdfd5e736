"""Human decisions: who rates an item, when, and what they answer.

Rows leave this module as integer columns with their truth; `tables` turns them into the feed. Decisions that fall on
a later day than the item are handed back with an offset, and the caller holds them until that day.
"""

import datetime as dt

import numpy as np

from qa_pipeline.simulation.arrays import (
    CALIBRATION_IDS,
    REPEAT_IDS,
    Bools,
    Floats,
    Ints,
    Rows,
    Stream,
    count,
    day_bounds,
    draw,
    join,
    numbers,
    take,
)
from qa_pipeline.simulation.items import calibration_items
from qa_pipeline.simulation.operation import MARKETS, QUEUES, TIME_ZONES
from qa_pipeline.simulation.plan import Plan
from qa_pipeline.simulation.world import EXPERT, REVIEWER, confusion

PRODUCTION, QA, EXPERT_STAGE, CALIBRATION = range(4)
SHARE_LATE = 0.05
SHARE_REVISED = 0.01
SHARE_REPEATED = 0.015
SHARE_EXPERT = 0.015
SHARE_QA = 0.003
CALIBRATION_WEEKDAY = 2
CALIBRATION_RATERS = 5
REPEATED_WITHIN = 3
# first decision a day later, then up to three days more
LONGEST_OFFSET = 4


def answer_table(plan: Plan, day: dt.date) -> Floats:
    """Return persons x queues x truth x answer, cumulative, as it holds on a day."""
    factor = plan.timeline.error_factor(plan.world, day)
    cumulative = np.cumsum(confusion(plan.world.errors, factor=factor[:, None, None, None]), axis=-1)
    for index, queue in enumerate(QUEUES):
        cumulative[:, index, :, len(queue.categories) - 1 :] = 1.0
    return np.asarray(cumulative)


def pick_raters(plan: Plan, rng: np.random.Generator, items: Rows, *, day: dt.date) -> Ints:
    """Return items x 3 distinct annotators of each item's pool."""
    pools, sizes = plan.world.pools(day)
    size = sizes[items["market"], items["queue"]]
    first = (rng.random(len(size)) * size).astype(np.int64)
    second = 1 + (rng.random(len(size)) * (size - 1)).astype(np.int64)
    third = 1 + (rng.random(len(size)) * (size - 2)).astype(np.int64)
    third += third >= second
    places = np.stack([first, (first + second) % size, (first + third) % size], axis=1)
    return np.asarray(pools[items["market"][:, None], items["queue"][:, None], places])


def _times(rng: np.random.Generator, rows: Rows, *, day: dt.date, is_first: Bools) -> Ints:
    """Return when each rating is made: the first at `decided`, others later that day or on their own day."""
    found = rows["decided"].copy()
    for offset in range(LONGEST_OFFSET + 1):
        start, end = day_bounds(day + dt.timedelta(days=offset), TIME_ZONES)
        mine = (rows["offset"] == offset) & ~is_first
        market = rows["market"][mine]
        limit = start[market] + 0.985 * (end[market] - start[market])
        begin = np.maximum(rows["decided"][mine] + 1000, start[market] + 0.02 * (end[market] - start[market]))
        found[mine] = (begin + (limit - begin) * rng.random(len(market)) ** 2).astype(np.int64)
    return found


def _ratings(plan: Plan, rng: np.random.Generator, items: Rows, *, day: dt.date) -> tuple[Rows, Bools]:
    """Return the production ratings without answers, and which are the first of their item."""
    raters = pick_raters(plan, rng, items, day=day)
    chosen = np.arange(3)[None, :] < items["ratings"][:, None]
    index, slot = np.nonzero(chosen)
    rows = take(items, index)
    rows["rater"] = raters[chosen]
    rows["stage"] = np.full(len(index), PRODUCTION)
    is_late = (slot > 0) & (rng.random(len(index)) < SHARE_LATE)
    rows["offset"] = rows["first_offset"] + is_late * rng.integers(1, 4, len(index))
    return rows, slot == 0


def _senior_ratings(plan: Plan, rng: np.random.Generator, items: Rows) -> Rows:
    """Return the ratings of experts and QA reviewers, on the day of the item's first decision."""
    parts = []
    decided = np.flatnonzero(items["ratings"] > 0)
    for role, stage, share in ((EXPERT, EXPERT_STAGE, SHARE_EXPERT), (REVIEWER, QA, SHARE_QA)):
        rows = take(items, decided[rng.random(len(decided)) < share])
        people = np.flatnonzero(plan.world.role == role).reshape(len(MARKETS), -1)
        rows["rater"] = people[rows["market"], rng.integers(0, people.shape[1], count(rows))]
        rows["stage"] = np.full(count(rows), stage)
        rows["offset"] = rows["first_offset"].copy()
        parts.append(rows)
    return join(parts)


def _revisions(rng: np.random.Generator, rows: Rows) -> Rows:
    """Return second decisions by the same annotator, later on the same day."""
    again = take(rows, (rng.random(count(rows)) < SHARE_REVISED) & (rows["stage"] == PRODUCTION))
    again["submitted"] = again["submitted"] + 1000 + rng.integers(0, 600_000, count(again))
    return again


def _repeats(plan: Plan, rows: Rows, *, day: dt.date) -> Rows:
    """Return decisions of the same annotators on the same items, one to three days later; the first is forgotten."""
    rng = plan.rng(Stream.REPEATS, day)
    is_early = (rows["stage"] == PRODUCTION) & (rows["offset"] <= LONGEST_OFFSET - REPEATED_WITHIN)
    again = take(rows, is_early & (rng.random(count(rows)) < SHARE_REPEATED))
    again["offset"] = again["offset"] + rng.integers(1, REPEATED_WITHIN + 1, count(again))
    again["submitted"] = _times(rng, again, day=day, is_first=np.zeros(count(again), dtype=np.bool_))
    return complete(plan, rng, again, day=day, first_id=REPEAT_IDS)


def complete(plan: Plan, rng: np.random.Generator, rows: Rows, *, day: dt.date, first_id: int = 0) -> Rows:
    """Add answers, ids and the optional columns to decisions that have an item, a rater, a stage and a time."""
    size = count(rows)
    rows["answer"] = np.zeros(size, dtype=np.int64)
    rows["guideline"] = np.zeros(size, dtype=np.int64)
    uniform = rng.random(size)
    for offset in range(LONGEST_OFFSET + 1):
        mine = np.flatnonzero(rows["offset"] == offset)
        date = day + dt.timedelta(days=offset)
        table = answer_table(plan, date)[rows["rater"][mine], rows["queue"][mine], rows["truth"][mine]]
        rows["answer"][mine] = draw(table, uniform[mine])
        rows["guideline"][mine] = np.array(plan.timeline.guidelines(date))[rows["queue"][mine]]
    pace = np.array([queue.handle_seconds for queue in QUEUES])[rows["queue"]] * plan.world.speed[rows["rater"]]
    rows["handle"] = np.round(np.clip(pace * np.exp(rng.normal(0.0, 0.5, size)), 1.5, 1500.0), 2)
    waited = rng.integers(0, 60_000, size)
    rows["assigned"] = rows["submitted"] - (rows["handle"] * 1000).astype(np.int64) - waited
    rows["is_blind"] = rng.random(size) < 0.85
    rows["is_shown"] = rng.random(size) < 0.5
    rows["label_id"] = numbers(day, size, first=first_id)
    return rows


def ratings_of_items(plan: Plan, items: Rows, *, day: dt.date) -> Rows:
    """Return every decision on the items that entered on `day`, with `offset` days to the day it falls on.

    Beside the item's columns: label_id, rater (person), stage, offset, submitted, assigned (ms), answer, guideline,
    handle (seconds), is_blind, is_shown.
    """
    rng = plan.rng(Stream.LABELS, day)
    production, is_first = _ratings(plan, rng, items, day=day)
    senior = _senior_ratings(plan, rng, items)
    rows = join([production, senior])
    is_first = np.concatenate([is_first, np.zeros(count(senior), dtype=np.bool_)])
    rows["submitted"] = _times(rng, rows, day=day, is_first=is_first)
    revised = join([rows, _revisions(rng, rows)])
    return join([complete(plan, rng, revised, day=day), _repeats(plan, rows, day=day)])


def calibration_ratings(plan: Plan, *, day: dt.date) -> Rows:
    """Return the decisions of the weekly calibration session (Wednesdays); no columns on other days.

    About 2.5 % of a day's labels: each item goes to five people of its pool, or to all of a smaller one.
    """
    if day.weekday() != CALIBRATION_WEEKDAY:
        return {}
    rng = plan.rng(Stream.CALIBRATION + 1000, day)
    size = max(5, plan.labels_per_day // 200)
    items = calibration_items(plan, day, ids=numbers(day, size, first=CALIBRATION_IDS))
    items["suggested"] = np.full(size, -1, dtype=np.int64)
    pools, sizes = plan.world.pools(day)
    pool_size = sizes[items["market"], items["queue"]]
    chosen = np.arange(CALIBRATION_RATERS)[None, :] < pool_size[:, None]
    first = (rng.random(size) * pool_size).astype(np.int64)
    places = (first[:, None] + np.arange(CALIBRATION_RATERS)) % pool_size[:, None]
    raters = pools[items["market"][:, None], items["queue"][:, None], places]
    start, end = day_bounds(day, TIME_ZONES)
    index = np.nonzero(chosen)[0]
    rows = take(items, index)
    rows["rater"] = raters[chosen]
    rows["stage"] = np.full(len(index), CALIBRATION)
    rows["offset"] = np.zeros(len(index), dtype=np.int64)
    begin, length = start[rows["market"]], (end - start)[rows["market"]]
    rows["submitted"] = (begin + length * (0.3 + 0.3 * rng.random(len(index)))).astype(np.int64)
    for name in ("ratings", "first_offset", "decided", "enqueued"):
        rows[name] = rows["submitted"] * 0
    return complete(plan, rng, rows, day=day, first_id=CALIBRATION_IDS)
