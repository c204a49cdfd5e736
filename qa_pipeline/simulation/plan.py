"""One simulation's arguments with what follows from them: volumes, world, timeline.

Derived quantities that several feeds need belong here; drawing rows doesn't.
"""

import datetime as dt
from dataclasses import dataclass

import numpy as np

from qa_pipeline.simulation.arrays import generator
from qa_pipeline.simulation.operation import MODELS, QUEUES
from qa_pipeline.simulation.timeline import Timeline
from qa_pipeline.simulation.world import World

# Ratings per decided item: 60 % one, 30 % two, 10 % three, and what experts, QA, revisions and repeats add.
RATINGS_PER_ITEM = 1.54
MOST_PER_DAY = 50_000_000


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
        """Items that enter a human queue on a day."""
        return max(1, round(self.labels_per_day / RATINGS_PER_ITEM))

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
        return min(0.15, max(0.01, 400 / self.labels_per_day))

    def prediction_review_rate(self) -> float:
        """Return the base chance of a random review of a model's decision."""
        decisions = self.predicted_items_per_day * sum(model.share for model in MODELS)
        return min(0.15, max(0.003, 150 / max(decisions, 1)))

    def appeal_rate(self) -> float:
        """Return the base chance that a correct violating decision is appealed (four times that if it is wrong)."""
        return min(0.2, max(0.004, 40 / self.labels_per_day))
