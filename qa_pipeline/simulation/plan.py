"""One simulation's arguments with what follows from them: volumes, world, timeline.

Derived quantities that several feeds need belong here; drawing rows doesn't.
"""

import datetime as dt
from dataclasses import dataclass

import numpy as np

from qa_pipeline.simulation.arrays import generator
from qa_pipeline.simulation.operation import IN_HOUSE, MARKETS, MODELS, QUEUES
from qa_pipeline.simulation.timeline import Timeline
from qa_pipeline.simulation.world import World

# Ratings per decided item: 60 % one, 30 % two, 10 % three, and what experts, QA, revisions and repeats add.
RATINGS_PER_ITEM = 1.54
MOST_PER_DAY = 50_000_000
# Blind tests: this part of all decisions, each test decided about this often over its life.
SHARE_TESTED = 0.03
RATINGS_PER_TEST = 15
# Decisions in a lot of the largest market and queue; a vendor's day is cut into as many batches as that needs.
LOT_SIZE = 150
MOST_BATCHES = 500


@dataclass(frozen=True)
class Plan:
    """What is simulated; `days` counts from `start`, and a day's rows don't depend on how many follow."""

    seed: int
    labels_per_day: int
    predictions_per_day: int
    world: World
    timeline: Timeline
    has_dirt: bool

    def rng(self, stream: int, day: dt.date) -> np.random.Generator:
        """Return the random stream of one purpose on one day."""
        return generator(self.seed, stream, day)

    @property
    def items_per_day(self) -> int:
        """Items that enter a human queue on a day, blind tests apart."""
        return max(1, round((self.labels_per_day - RATINGS_PER_TEST * self.tests_per_day) / RATINGS_PER_ITEM))

    @property
    def tests_per_day(self) -> int:
        """Blind tests that enter the pool on a day."""
        return max(1, round(SHARE_TESTED * self.labels_per_day / RATINGS_PER_TEST))

    @property
    def batches_per_day(self) -> int:
        """Batches that a vendor's local day is cut into; a smaller operation delivers its day in one."""
        largest = max(market.share for market in MARKETS) * max(queue.share for queue in QUEUES) / IN_HOUSE
        return min(MOST_BATCHES, max(1, round(self.labels_per_day * largest / LOT_SIZE)))

    @property
    def gold_per_day(self) -> int:
        """Items a day with a known answer: about 1.3 %."""
        return min(self.items_per_day, max(12, round(0.013 * self.items_per_day)))

    @property
    def predicted_items_per_day(self) -> int:
        """Items a day that models look at, so that rows (item x version x label) come to the number asked for."""
        served = [queue for queue in QUEUES if queue.separation > 0]
        labels = sum(queue.share * len(queue.labels) for queue in served) / sum(queue.share for queue in served)
        versions = sum(model.share for model in MODELS)
        return round(self.predictions_per_day / (labels * versions))

    def review_rate(self) -> float:
        """Return the base chance of a random review of a label; smaller operations review a larger part."""
        return min(0.15, max(0.01, 600 / self.labels_per_day))

    def prediction_review_rate(self) -> float:
        """Return the base chance of a random review of a model's decision."""
        decisions = self.predicted_items_per_day * sum(model.share for model in MODELS)
        return min(0.15, max(0.003, 150 / max(decisions, 1)))

    def appeal_rate(self) -> float:
        """Return the base chance that a correct violating decision is appealed (twice that if it is wrong)."""
        return min(0.2, max(0.004, 55 / self.labels_per_day))
