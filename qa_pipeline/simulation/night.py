"""One simulated day after the other: what happens on it, and what is held back for the days on which it falls.

The rows come from `items`, `labels`, `models` and `quality`; files are written by `delivery`. What is carried from day
to day (decisions, reviews and appeals still to be made, who has met which test) lives here and nowhere else.
"""

import datetime as dt
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

from qa_pipeline.simulation.arrays import Rows, Stream, day_bounds, join, take
from qa_pipeline.simulation.blind_tests import SeenTests, decide_tests, tests_entering
from qa_pipeline.simulation.delivery import Delivery
from qa_pipeline.simulation.dirt import DirtMaker, Memory
from qa_pipeline.simulation.items import gold_of_day, items_of_day
from qa_pipeline.simulation.labels import calibration_ratings, ratings_of_items
from qa_pipeline.simulation.operation import TIME_ZONES
from qa_pipeline.simulation.plan import Plan
from qa_pipeline.simulation.quality import (
    OF_LABEL,
    OF_PREDICTION,
    appealed_targets,
    appeals_of,
    arbitrations_of,
    label_targets,
    reviews_of,
)
from qa_pipeline.simulation.tables import (
    appeal_table,
    gold_table,
    item_table,
    review_table,
    roster_table,
    timesheet_table,
)
from qa_pipeline.simulation.truth import TruthBook

# A day's review ids are counted apart per reason, so that one reason's volume leaves the others' ids alone.
LABEL_REVIEWS, PREDICTION_REVIEWS, ARBITRATIONS, APPEAL_REVIEWS = 0, 30_000_000, 60_000_000, 80_000_000


@dataclass
class Pending:
    """Rows waiting for the day they fall on."""

    by_day: dict[dt.date, list[Rows]] = field(default_factory=dict)

    def add(self, rows: Rows, *, day: dt.date) -> Rows:
        """Hold back the rows whose `offset` isn't 0 and return those of the day itself."""
        if not rows:
            return rows
        for offset in np.unique(rows["offset"]).tolist():
            if offset:
                later = take(rows, rows["offset"] == offset)
                self.by_day.setdefault(day + dt.timedelta(days=offset), []).append(later)
        return take(rows, rows["offset"] == 0)

    def due(self, day: dt.date) -> list[Rows]:
        """Return and forget what falls on the day."""
        return self.by_day.pop(day, [])


@dataclass
class Night:
    """Writes the landing files of consecutive days."""

    plan: Plan
    book: TruthBook
    landing: Path
    labels: Pending = field(default_factory=Pending)
    reviews: Pending = field(default_factory=Pending)
    appeals: Pending = field(default_factory=Pending)
    seen_tests: SeenTests = field(init=False)
    memory: Memory = field(default_factory=Memory)

    def __post_init__(self) -> None:
        self.seen_tests = SeenTests(len(self.plan.world.ids))

    def write_day(self, day: dt.date) -> None:
        """Write all files of a day; days must come in order."""
        plan = self.plan
        dirt = DirtMaker(plan=plan, day=day, memory=self.memory)
        files = Delivery(plan=plan, book=self.book, landing=self.landing, day=day, dirt=dirt)
        tests = tests_entering(plan, day)
        items = join([items_of_day(plan, day), tests])
        items["suggested"], decisions = files.deliver_predictions(items)
        labels = self._labels_of(items, day=day)
        files.deliver_labels(labels)
        files.deliver("items", item_table(items))
        files.deliver("gold", self._gold(tests, day=day))
        reviews, appeals = self._quality(labels, decisions, day=day)
        files.deliver("reviews", review_table(reviews, plan.world))
        files.deliver("appeals", appeal_table(appeals))
        files.deliver("roster", roster_table(plan.world, day=day))
        sheets = timesheet_table(plan.world, plan.rng(Stream.STAFF + 1000, day), day=day)
        files.deliver("timesheets", sheets)

    def _labels_of(self, items: Rows, *, day: dt.date) -> Rows:
        own = self.labels.add(ratings_of_items(self.plan, items, day=day), day=day)
        tested = decide_tests(self.plan, self.seen_tests, day=day)
        self.book.quality.add_tests(tested, day=day)
        return join([own, *self.labels.due(day), calibration_ratings(self.plan, day=day), tested])

    def _gold(self, tests: Rows, *, day: dt.date) -> pa.Table:
        rows = join([gold_of_day(self.plan, day), tests])
        in_force = [
            self.plan.timeline.guidelines(dt.date.fromordinal(made))[queue]
            for made, queue in zip(rows["made"].tolist(), rows["queue"].tolist(), strict=True)
        ]
        starts, _ = day_bounds(day, TIME_ZONES)
        return gold_table(rows, starts=starts, guidelines=np.array(in_force, dtype=np.int64))

    def _quality(self, labels: Rows, decisions: Rows, *, day: dt.date) -> tuple[Rows, Rows]:
        """Return the reviews and appeals that are made on the day."""
        plan = self.plan
        rng = plan.rng(Stream.APPEALS, day)
        appeals = join(
            [self.appeals.add(appeals_of(plan, rng, labels, decisions, day=day), day=day), *self.appeals.due(day)]
        )
        appealed = appealed_targets(rng, appeals)
        rng = plan.rng(Stream.REVIEWS, day)
        targets = label_targets(plan, rng, labels, answers_right=labels["answer"] == labels["truth"])
        made = [
            reviews_of(plan, rng, targets, day=day, kind=OF_LABEL, first=LABEL_REVIEWS),
            reviews_of(plan, rng, appealed, day=day, kind=OF_LABEL, first=APPEAL_REVIEWS),
        ]
        if decisions:
            made.append(reviews_of(plan, rng, decisions, day=day, kind=OF_PREDICTION, first=PREDICTION_REVIEWS))
        today = join([self.reviews.add(join(made), day=day), *self.reviews.due(day)])
        # Arbitrations due today were made from earlier reviews; those of today's reviews may come today or later.
        arbitrated = self.reviews.add(arbitrations_of(plan, rng, today, day=day, first=ARBITRATIONS), day=day)
        self.book.quality.add_reviews(today)
        self.book.quality.add_appeals(appeals)
        return join([today, arbitrated]), appeals
