"""Blind tests: items with a known answer that are slipped into many annotators' work for ten days.

Which tests there are, their keys (some are wrong, some outlived by a guideline), who decides on them and what a leak
of the answers does belong here. Known answers of ordinary items are in `items`.
"""

import datetime as dt
from dataclasses import dataclass, field

import numpy as np

from qa_pipeline.simulation.arrays import (
    IDS_PER_DAY,
    TEST_IDS,
    Ints,
    Rows,
    Stream,
    count,
    day_bounds,
    join,
    numbers,
    take,
)
from qa_pipeline.simulation.items import draw_items
from qa_pipeline.simulation.labels import PRODUCTION, complete, pick_raters
from qa_pipeline.simulation.operation import QUEUES, TIME_ZONES
from qa_pipeline.simulation.plan import RATINGS_PER_TEST, Plan
from qa_pipeline.simulation.timeline import (
    GUIDELINE_FROM,
    GUIDELINE_QUEUE,
    GUIDELINE_SHARE,
    GUIDELINE_TO,
    LEAK_KNOWN_SHARE,
    LEAK_QUEUE,
    LEAK_SPEED_FACTOR,
    WRONG_KEY_QUEUES,
)

# Once or twice a day (RATINGS_PER_TEST in all), so that who is at work meets some tests again.
TEST_DAYS = 10
MOST_PER_TEST_AND_DAY = 2 * RATINGS_PER_TEST // TEST_DAYS - 1
# Tests are made of border cases: before the guideline changes this part of its queue's is about the label it moves.
SHARE_ON_BORDER = 0.3


def new_tests(plan: Plan, made: dt.date) -> Rows:
    """Return the tests made on a day: item columns, those of `items.gold_of_day`, `is_moved`.

    `key` is the answer that is held to be known, `truth` the right one when the test was made; `is_moved` says whether
    a changed guideline gives the test another answer. The pool is full on the first day: tests may be made before it.
    """
    rng = plan.rng(Stream.TESTS, made)
    size = plan.tests_per_day
    rows = draw_items(plan, rng, day=made, ids=numbers(made, size, first=TEST_IDS))
    changed = plan.timeline.guideline_from
    if changed is not None and made < changed:
        is_border = (rows["queue"] == GUIDELINE_QUEUE) & (rng.random(size) < SHARE_ON_BORDER)
        rows["truth"] = np.where(is_border, GUIDELINE_FROM, rows["truth"])
    rows["key"] = rows["truth"].copy()
    rows["is_moved"] = rng.random(size) < GUIDELINE_SHARE
    rows["is_everywhere"] = rng.random(size) < 0.1
    rows["is_dated"] = rng.random(size) < 0.7
    rows["source"] = rng.integers(0, 3, size)
    rows["made"] = np.full(size, made.toordinal())
    rows["delivered"] = np.full(size, max(made, plan.timeline.start).toordinal())
    suited = np.flatnonzero(np.isin(rows["queue"], WRONG_KEY_QUEUES))
    if plan.timeline.has_wrong_key(made) and len(suited):
        first = suited[0]
        rows["key"][first] = (rows["truth"][first] + 1) % len(QUEUES[rows["queue"][first]].categories)
    return rows


def tests_in_use(plan: Plan, day: dt.date) -> Rows:
    """Return the tests of a day's pool, with the `truth` that holds on the day."""
    tests = join([new_tests(plan, day - dt.timedelta(days=age)) for age in reversed(range(TEST_DAYS))])
    changed = plan.timeline.guideline_from
    if changed is not None and day >= changed:
        is_old = (tests["made"] < changed.toordinal()) & (tests["queue"] == GUIDELINE_QUEUE)
        has_moved = is_old & (tests["truth"] == GUIDELINE_FROM) & tests["is_moved"]
        tests["truth"] = np.where(has_moved, GUIDELINE_TO, tests["truth"])
    return tests


def tests_entering(plan: Plan, day: dt.date) -> Rows:
    """Return the tests that enter the pool on a day (on the first day all of it), as items nobody else decides."""
    tests = tests_in_use(plan, day) if day == plan.timeline.start else new_tests(plan, day)
    start, end = day_bounds(day, TIME_ZONES)
    tests["enqueued"] = (start + (end - start) // 100)[tests["market"]]
    tests["decided"] = tests["enqueued"].copy()
    tests["first_offset"] = np.zeros(count(tests), dtype=np.int64)
    tests["ratings"] = np.zeros(count(tests), dtype=np.int64)
    return tests


@dataclass
class SeenTests:
    """Who has met which test of the pool; grows with every day and forgets tests that are no longer used."""

    people: int
    pairs: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    def note(self, rows: Rows) -> Ints:
        """Return per decision of a day 1 if it is the rater's first on the test, else 2, and keep who has met what."""
        test = rows["made"] * IDS_PER_DAY + rows["item"] % IDS_PER_DAY
        pairs = test * self.people + rows["rater"]
        exposure = 1 + np.isin(pairs, self.pairs).astype(np.int64)
        made = self.pairs // self.people // IDS_PER_DAY
        in_use = self.pairs[made > rows["made"].max() - TEST_DAYS]
        self.pairs = np.union1d(in_use, pairs)
        return exposure


def decide_tests(plan: Plan, seen: SeenTests, *, day: dt.date) -> Rows:
    """Return the decisions of a day on blind tests, with `key` and `exposure` (1: the rater's first on it, else 2).

    Days must come in order. From the day of the leak on, whoever meets a test of its queue again gives the key with
    chance LEAK_KNOWN_SHARE (else as before) and takes LEAK_SPEED_FACTOR of the time.
    """
    rng = plan.rng(Stream.TESTS + 1000, day)
    tests = tests_in_use(plan, day)
    tests["ratings"] = rng.integers(1, MOST_PER_TEST_AND_DAY + 1, count(tests))
    raters = pick_raters(plan, rng, tests, day=day)
    chosen = np.arange(raters.shape[1])[None, :] < tests["ratings"][:, None]
    rows = take(tests, np.nonzero(chosen)[0])
    size = count(rows)
    rows["rater"] = raters[chosen]
    rows["stage"] = np.full(size, PRODUCTION)
    rows["suggested"] = np.full(size, -1, dtype=np.int64)
    start, end = (bounds[rows["market"]] for bounds in day_bounds(day, TIME_ZONES))
    rows["submitted"] = (start + (end - start) * (0.025 + 0.9 * rng.beta(1.6, 1.4, size))).astype(np.int64)
    for name in ("offset", "first_offset", "decided", "enqueued"):
        rows[name] = np.zeros(size, dtype=np.int64)
    rows["exposure"] = seen.note(rows)
    rows = complete(plan, rng, rows, day=day, first_id=TEST_IDS)
    if plan.timeline.has_leaked(day):
        is_told = (rows["exposure"] > 1) & (rows["queue"] == LEAK_QUEUE)
        rows["answer"] = np.where(is_told & (rng.random(size) < LEAK_KNOWN_SHARE), rows["key"], rows["answer"])
        rows["handle"] = np.where(is_told, np.round(rows["handle"] * LEAK_SPEED_FACTOR, 2), rows["handle"])
    return rows
