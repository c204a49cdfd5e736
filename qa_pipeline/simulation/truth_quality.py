"""What truth.json says about blind tests, QA's own accuracy and appeals; the format is described in `truth`.

Counting while rows are written belongs here; what decides over them is in `blind_tests` and `quality`.
"""

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from qa_pipeline.contracts import TARGET_KINDS
from qa_pipeline.simulation.arrays import Bools, Ints, Rows, count, join, take
from qa_pipeline.simulation.blind_tests import new_tests, tests_in_use
from qa_pipeline.simulation.operation import MARKETS, QUEUES
from qa_pipeline.simulation.plan import Plan
from qa_pipeline.simulation.quality import NONE, OF_LABEL, OF_PREDICTION, OF_REVIEW, TECHNICAL, UPHELD
from qa_pipeline.simulation.timeline import GUIDELINE_QUEUE, LEAK_QUEUE, WRONG_KEY_DAYS


@dataclass
class QualityBook:
    """Collects what is true of blind tests, reviews and appeals, a day's rows at a time."""

    plan: Plan
    wrong_decisions: list[Rows] = field(default_factory=list)
    leak: dict[int, list[float]] = field(default_factory=lambda: {1: [0, 0, 0], 2: [0, 0, 0]})
    appeal_counts: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # reviewers x kinds of decision x (defects, called, right, cleared)
        self._verdicts = np.zeros((len(self.plan.world.ids), len(TARGET_KINDS), 4), dtype=np.int64)

    def add_tests(self, rows: Rows, *, day: dt.date) -> None:
        """Count a day's decisions on blind tests."""
        is_wrong = np.isin(rows["item"], self._wrong_keys()["item"])
        self.wrong_decisions.append(take({name: rows[name] for name in ("item", "rater", "answer", "truth")}, is_wrong))
        if not self.plan.timeline.has_leaked(day):
            return
        for exposure, counts in self.leak.items():
            mine = take(rows, (rows["exposure"] == exposure) & (rows["queue"] == LEAK_QUEUE))
            counts[0] += count(mine)
            counts[1] += int((mine["answer"] == mine["truth"]).sum())
            counts[2] += float(mine["handle"].sum())

    def add_reviews(self, rows: Rows) -> None:
        """Count the blind verdicts on labels and predictions that are made on a day."""
        mine = take(rows, rows["is_blind"] & (rows["kind"] != OF_REVIEW)) if rows else {}
        if not mine:
            return
        is_called = mine["category"] != NONE
        is_defect = (mine["answer"] != mine["truth"]) | (mine["category"] == TECHNICAL)
        cells = np.stack([is_defect, is_defect & is_called, ~is_defect, ~is_defect & ~is_called], axis=1)
        np.add.at(self._verdicts, (mine["reviewer"], mine["kind"]), cells.astype(np.int64))

    def add_appeals(self, rows: Rows) -> None:
        """Count the appeals that are filed on a day."""
        if not rows:
            return
        overturned: Bools = rows["outcome"] != UPHELD
        resolved: Bools = rows["resolved_at"] >= 0
        counts = {
            "filed": count(rows),
            "resolved": int(resolved.sum()),
            "overturned_of_resolved": int((overturned & resolved).sum()),
            "overturned_of_filed": int(overturned.sum()),
            "wrong_of_filed": int((rows["answer"] != rows["truth"]).sum()),
        }
        self.appeal_counts = {name: self.appeal_counts.get(name, 0) + number for name, number in counts.items()}

    def content(self) -> dict[str, Any]:
        """Return the parts of truth.json on QA and appeals."""
        people = np.flatnonzero(self._verdicts.sum(axis=(1, 2)))
        kinds = {kind: self._verdicts[:, kind].sum(axis=0) for kind in (OF_LABEL, OF_PREDICTION)}
        return {
            "qa_accuracy": {
                "by_target_kind": {TARGET_KINDS[kind]: _verdicts(cells) for kind, cells in kinds.items()},
                "by_reviewer": {
                    self.plan.world.ids[person]: _verdicts(self._verdicts[person].sum(axis=0)) for person in people
                },
            },
            "appeals": self.appeal_counts,
        }

    def of_incident(self, kind: str) -> dict[str, Any]:
        """Return what an incident about known answers did, to be added to its record."""
        if kind == "gold_leak":
            first, later = (_exposure(self.leak[exposure]) for exposure in (1, 2))
            shares = [found["right"] / found["decisions"] for found in (first, later) if found["decisions"]]
            gain = round(shares[1] - shares[0], 6) if len(shares) == 2 else None
            return {"first_exposure": first, "later_exposures": later, "accuracy_gain": gain}
        if kind == "wrong_key":
            return {"items": self._wrong_items()}
        if kind == "guideline_change":
            return {"stale_keys": self._stale_keys()}
        return {}

    def _wrong_keys(self) -> Rows:
        first = self.plan.timeline.wrong_key_from
        if first is None:
            return {"item": np.zeros(0, dtype=np.int64)}
        days = [first + dt.timedelta(days=offset) for offset in range(WRONG_KEY_DAYS)]
        tests = join([new_tests(self.plan, day) for day in days if day <= self.plan.timeline.end])
        return take(tests, tests["key"] != tests["truth"])

    def _wrong_items(self) -> list[dict[str, Any]]:
        decided = join(self.wrong_decisions)
        tests = self._wrong_keys()
        found = []
        for place, record in enumerate(_keys(tests)):
            mine = take(decided, decided["item"] == tests["item"][place])
            counts = {
                "entered_on": dt.date.fromordinal(int(tests["delivered"][place])),
                "decisions": count(mine),
                "right": int((mine["answer"] == mine["truth"]).sum()),
                "annotators": len(np.unique(mine["rater"])),
            }
            found.append(record | counts)
        return found

    def _stale_keys(self) -> list[dict[str, Any]]:
        changed = self.plan.timeline.guideline_from
        if changed is None:
            return []
        tests = tests_in_use(self.plan, changed)
        return _keys(take(tests, (tests["queue"] == GUIDELINE_QUEUE) & (tests["key"] != tests["truth"])))


def _keys(tests: Rows) -> list[dict[str, Any]]:
    columns = [tests[name].tolist() for name in ("item", "market", "queue", "key", "truth")]
    return [
        {
            "item_id": f"i{item}",
            "market": MARKETS[market].code,
            "queue": QUEUES[queue].code,
            "key": QUEUES[queue].categories[key],
            "right_label": QUEUES[queue].categories[truth],
        }
        for item, market, queue, key, truth in zip(*columns, strict=True)
    ]


def _verdicts(cells: Ints) -> dict[str, int]:
    return dict(zip(("defects", "called", "right", "cleared"), cells.tolist(), strict=True))


def _exposure(counts: list[float]) -> dict[str, Any]:
    decisions, right, seconds = counts
    mean = round(seconds / decisions, 3) if decisions else None
    return {"decisions": int(decisions), "right": int(right), "mean_handle_seconds": mean}
