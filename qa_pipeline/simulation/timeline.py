"""What changes with the date: the incidents that are put into the data, and their effect on truth and errors.

Choosing the days of incidents and answering "what holds on day d" belongs here; writing rows doesn't. Each incident
is a plain record that goes into truth.json as it stands.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Any

import numpy as np

from qa_pipeline.simulation.arrays import Floats
from qa_pipeline.simulation.operation import GUIDELINES, MARKETS, MODELS, QUEUES, VENDORS
from qa_pipeline.simulation.world import World

# With fewer days there is no room for a before and an after.
LEAST_DAYS_FOR_INCIDENTS = 6
DRIFT_MARKET, DRIFT_QUEUE, DRIFT_FROM, DRIFT_TO, DRIFT_SHARE = 0, 0, 0, 2, 0.22
DIP_VENDOR, DIP_FACTOR = 2, 2.4
GUIDELINE_QUEUE, GUIDELINE_FROM, GUIDELINE_TO, GUIDELINE_SHARE = 1, 1, 0, 0.6
OVERCONFIDENT_MODEL, OVERCONFIDENT_POWER = 1, 2.2
LATE_MARKET, LATE_DAYS = 4, 3
DUPLICATED_VENDOR = 1


@dataclass(frozen=True)
class Timeline:
    """The period and the first (and last) days of its incidents; None: the incident doesn't happen."""

    start: dt.date
    days: int
    guideline_from: dt.date | None = None
    late_day: dt.date | None = None
    duplicated_day: dt.date | None = None
    dip_from: dt.date | None = None
    dip_to: dt.date | None = None
    drift_from: dt.date | None = None

    @property
    def end(self) -> dt.date:
        """The last simulated day."""
        return self.start + dt.timedelta(days=self.days - 1)

    @property
    def late_arrival(self) -> dt.date | None:
        """The day on which the late file of `late_day` arrives."""
        return self.late_day + dt.timedelta(days=LATE_DAYS) if self.late_day else None

    def prevalence(self, world: World, day: dt.date) -> Floats:
        """Return the true prevalence of the day (markets x queues x categories)."""
        found = world.prevalence.copy()
        if self.guideline_from and day >= self.guideline_from:
            moved = found[:, GUIDELINE_QUEUE, GUIDELINE_FROM] * GUIDELINE_SHARE
            found[:, GUIDELINE_QUEUE, GUIDELINE_FROM] -= moved
            found[:, GUIDELINE_QUEUE, GUIDELINE_TO] += moved
        if self.drift_from and day >= self.drift_from:
            found[DRIFT_MARKET, DRIFT_QUEUE, DRIFT_FROM] -= DRIFT_SHARE
            found[DRIFT_MARKET, DRIFT_QUEUE, DRIFT_TO] += DRIFT_SHARE
        return found

    def error_factor(self, world: World, day: dt.date) -> Floats:
        """Return per person the factor on errors of the day: short tenure times the vendor's dip."""
        factor = world.learning_factor(day)
        if self.dip_from and self.dip_to and self.dip_from <= day <= self.dip_to:
            factor = np.where(world.vendor == DIP_VENDOR, factor * DIP_FACTOR, factor)
        return factor

    def guidelines(self, day: dt.date) -> list[int]:
        """Return per queue the guideline in force, as a place in GUIDELINES."""
        changed = self.guideline_from is not None and day >= self.guideline_from
        return [int(changed and queue == GUIDELINE_QUEUE) for queue in range(len(QUEUES))]

    def score_power(self, model: int) -> float:
        """Return the power that a model version's true posteriors are raised to (1: calibrated)."""
        return OVERCONFIDENT_POWER if self.drift_from and model == OVERCONFIDENT_MODEL else 1.0


def plan_timeline(start: dt.date, *, days: int, incidents: bool) -> Timeline:
    """Return the timeline of a period; incidents need at least six days and lie at fractions of the period."""
    if not incidents or days < LEAST_DAYS_FOR_INCIDENTS:
        return Timeline(start=start, days=days)

    def at(fraction: float) -> dt.date:
        return start + dt.timedelta(days=int(days * fraction))

    return Timeline(
        start=start,
        days=days,
        late_day=at(0.30),
        guideline_from=at(0.35),
        duplicated_day=at(0.45),
        dip_from=at(0.50),
        dip_to=at(0.50) + dt.timedelta(days=max(1, round(days / 6)) - 1),
        drift_from=at(0.70),
    )


def _mix(prevalence: Floats, queue: int) -> dict[str, float]:
    return {
        category: round(float(share), 6) for category, share in zip(QUEUES[queue].categories, prevalence, strict=False)
    }


def describe_incidents(timeline: Timeline, world: World) -> list[dict[str, Any]]:
    """Return the incidents that change values, each with kind, slice, dates (inclusive) and true values.

    The late and the duplicated file are described when they are written, for their row counts.
    """
    if timeline.drift_from is None or timeline.guideline_from is None:
        return []
    before = timeline.prevalence(world, timeline.start)
    after = timeline.prevalence(world, timeline.end)
    return [
        {
            "kind": "label_drift",
            "from": timeline.drift_from,
            "to": timeline.end,
            "market": MARKETS[DRIFT_MARKET].code,
            "queue": QUEUES[DRIFT_QUEUE].code,
            "prevalence_before": _mix(before[DRIFT_MARKET, DRIFT_QUEUE], DRIFT_QUEUE),
            "prevalence_after": _mix(after[DRIFT_MARKET, DRIFT_QUEUE], DRIFT_QUEUE),
        },
        {
            "kind": "vendor_dip",
            "from": timeline.dip_from,
            "to": timeline.dip_to,
            "vendor": VENDORS[DIP_VENDOR].code,
            "error_factor": DIP_FACTOR,
        },
        {
            "kind": "guideline_change",
            "from": timeline.guideline_from,
            "to": timeline.end,
            "queue": QUEUES[GUIDELINE_QUEUE].code,
            "guideline_before": GUIDELINES[0],
            "guideline_after": GUIDELINES[1],
            "share_of_label_moved": GUIDELINE_SHARE,
            "moved_from": QUEUES[GUIDELINE_QUEUE].categories[GUIDELINE_FROM],
            "moved_to": QUEUES[GUIDELINE_QUEUE].categories[GUIDELINE_TO],
        },
        {
            "kind": "miscalibrated_version",
            "from": timeline.start,
            "to": timeline.end,
            "model": f"{MODELS[OVERCONFIDENT_MODEL].model_id}@{MODELS[OVERCONFIDENT_MODEL].version}",
            "score_power": OVERCONFIDENT_POWER,
        },
    ]
