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
# Answers of blind tests get around: who meets one again knows the answer this often and needs this part of the time.
LEAK_QUEUE, LEAK_KNOWN_SHARE, LEAK_SPEED_FACTOR = 0, 0.7, 0.55
# On each of these days one blind test of these queues enters the pool with a wrong key.
WRONG_KEY_DAYS, WRONG_KEY_QUEUES = 5, (2, 3)
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
    leak_from: dt.date | None = None
    wrong_key_from: dt.date | None = None

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

    def has_leaked(self, day: dt.date) -> bool:
        """Whether the answers of LEAK_QUEUE's blind tests get around on the day."""
        return self.leak_from is not None and day >= self.leak_from

    def has_wrong_key(self, made: dt.date) -> bool:
        """Whether one of the blind tests made on the day has a wrong key."""
        first = self.wrong_key_from
        return first is not None and first <= made < first + dt.timedelta(days=WRONG_KEY_DAYS)

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
        dip_to=at(0.50) + dt.timedelta(days=max(1, round(days / 5)) - 1),
        drift_from=at(0.70),
        leak_from=at(0.40),
        wrong_key_from=at(0.10),
    )


def _mix(prevalence: Floats, queue: int) -> dict[str, float]:
    return {
        category: round(float(share), 6) for category, share in zip(QUEUES[queue].categories, prevalence, strict=False)
    }


def describe_incidents(timeline: Timeline, world: World) -> list[dict[str, Any]]:
    """Return the incidents that change values, each with kind, slice, dates (inclusive) and true values.

    The late and the duplicated file are described when they are written, for their row counts; the tests that an
    incident is about are added by `truth`.
    """
    if timeline.drift_from is None or timeline.wrong_key_from is None:
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
        {
            "kind": "gold_leak",
            "from": timeline.leak_from,
            "to": timeline.end,
            "queue": QUEUES[LEAK_QUEUE].code,
            "known_share": LEAK_KNOWN_SHARE,
            "speed_factor": LEAK_SPEED_FACTOR,
        },
        {
            "kind": "wrong_key",
            "from": timeline.wrong_key_from,
            "to": timeline.wrong_key_from + dt.timedelta(days=WRONG_KEY_DAYS - 1),
        },
    ]
