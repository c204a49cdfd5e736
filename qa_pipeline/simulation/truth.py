"""truth.json: what was put into the simulated data, so that a test can ask whether the pipeline found exactly that.

The format (dates are ISO texts, shares lie in 0..1):

- `format` (1), `seed`, `start`, `end`, `days`, `labels_per_day`, `predictions_per_day`.
- `rows`: feed -> business date -> rows landed, dirty and repeated rows included.
- `dirty_rows`: a list of `{feed, business_date, file, rule_id, action, key}`. `key` has the feed's key columns. Action
  `quarantine` and `warn`: the row is broken in exactly that one way. Action `supersede` (rule 009): the row named is
  the older delivery, a newer one with the same key is at the end of the same file. A warned row stays and is counted
  in figures; it is not in `realised`.
- `dirty_counts`: rule id -> number of such rows.
- `incidents`: a list; each has `kind` and its own fields:
  - `label_drift`: from, to, market, queue, prevalence_before, prevalence_after (answer -> share).
  - `vendor_dip`: from, to, vendor, error_factor (on each person's chances to err), accuracy_before and accuracy_during
    (share of right production decisions of the vendor on the days before and during).
  - `guideline_change`: from, to, queue, guideline_before, guideline_after, share_of_label_moved, moved_from, moved_to,
    stale_keys: `{item_id, market, queue, key, right_label}` of the blind tests that were in use on that day and whose
    key, given under the old guideline, is wrong since.
  - `miscalibrated_version`: from, to, model (`id@version`), score_power: the scores are the true posteriors raised to
    this power and scaled to sum to 1.
  - `gold_leak`: from, to, queue, known_share, speed_factor: who meets a blind test of the queue again knows the key
    with that chance and takes that part of the time; first_exposure and later_exposures (`{decisions, right,
    mean_handle_seconds}` of clean decisions on the queue's blind tests within the dates) and accuracy_gain, the
    difference of their shares.
  - `wrong_key`: from, to (the days on which such tests enter; each is in use for 10 days), items: a list of `{item_id,
    market, queue, key, right_label, entered_on, decisions, right, annotators}`; decisions and right as in `realised`,
    annotators: how many different ones.
  - `late_file`: feed, business_date, arrives_on, file, rows. Its rows are nowhere else: hold the file back until
    `arrives_on` to play it.
  - `duplicated_file`: feed, business_date, file, superseded_file, rows: every row of `superseded_file` comes again in
    `file`, whose name sorts after it.
- `prevalence`: market -> queue -> answer -> true share outside incidents.
- `annotators`: id -> `{role, vendor, market, hired_on, queues}`; `queues`: queue -> `{accuracy, confusion, realised}`.
  `confusion` is truth x answer (in the order of `answers`) of the person with long tenure, `accuracy` its expectation
  under the person's market's prevalence, `realised` is `[n, n_right]` over clean production decisions on the simulated
  days. A person `t` days after the hire errs 1 + 1.2 exp(-t / 25) times as often (`learning`).
- `answers`: queue -> answers in the order of `confusion`.
- `vendor_days`: business date -> vendor -> `[n, n_right]` over clean production decisions.
- `cell_days`: business date -> market -> queue -> `[n, n_right]`, likewise.
- `models`: list of `{model, kind, share_of_items, separation, is_calibrated}`.
- `reviews`: `{reviewer_error, anchoring, base_rate, prediction_base_rate, share_blind, arbitrated_share,
  arbiter_error}`; `arbitrated_share` is `{called, clean}`, the chance of arbitration of a verdict that calls a defect
  and of one that calls none.
- `qa_accuracy`: `{by_target_kind, by_reviewer}`: kind (label, prediction) or reviewer -> `{defects, called, right,
  cleared}` over clean blind verdicts: decisions with a defect, how many of them QA called, decisions without one, how
  many of them QA called none. Sensitivity is called / defects, specificity cleared / right. A technical defect, which
  leaves the answer alone, is one that QA called.
- `appeals`: `{filed, resolved, overturned_of_resolved, overturned_of_filed, wrong_of_filed}` over clean appeals; open
  ones count in `overturned_of_filed` as they will end, and a partly overturned one counts as overturned.
"""

import datetime as dt
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from qa_pipeline.simulation.arrays import Floats, Ints, Rows
from qa_pipeline.simulation.labels import PRODUCTION
from qa_pipeline.simulation.operation import MARKETS, MODELS, QUEUES, VENDORS
from qa_pipeline.simulation.plan import Plan
from qa_pipeline.simulation.quality import (
    ANCHORING,
    ARBITER_ERROR,
    ARBITRATED_CALLED,
    ARBITRATED_CLEAN,
    REVIEWER_ERROR,
    SHARE_BLIND,
)
from qa_pipeline.simulation.timeline import describe_incidents
from qa_pipeline.simulation.truth_quality import QualityBook
from qa_pipeline.simulation.world import (
    ANNOTATOR,
    LEARNING_DAYS,
    LEARNING_EXTRA,
    ROLES,
    confusion,
)

FORMAT = 1


@dataclass
class TruthBook:
    """Collects what is put into the data while it is written."""

    plan: Plan
    rows: dict[str, dict[str, int]] = field(default_factory=dict)
    dirty_rows: list[dict[str, Any]] = field(default_factory=list)
    files: list[dict[str, Any]] = field(default_factory=list)
    file_count: int = 0
    vendor_days: dict[str, dict[str, list[int]]] = field(default_factory=dict)
    cell_days: dict[str, dict[str, dict[str, list[int]]]] = field(default_factory=dict)
    quality: QualityBook = field(init=False)

    def __post_init__(self) -> None:
        self.quality = QualityBook(self.plan)
        shape = (len(self.plan.world.ids), len(QUEUES))
        self._seen = np.zeros(shape, dtype=np.int64)
        self._right = np.zeros(shape, dtype=np.int64)

    def add_file(self, feed: str, day: dt.date, *, rows: int) -> None:
        """Count a landed file."""
        by_day = self.rows.setdefault(feed, {})
        by_day[day.isoformat()] = by_day.get(day.isoformat(), 0) + rows
        self.file_count += 1

    def add_labels(self, labels: Rows, *, day: dt.date) -> None:
        """Count a day's clean production decisions and how many are right."""
        mine = labels["stage"] == PRODUCTION
        rater, queue, market = labels["rater"][mine], labels["queue"][mine], labels["market"][mine]
        right = labels["answer"][mine] == labels["truth"][mine]
        np.add.at(self._seen, (rater, queue), 1)
        np.add.at(self._right, (rater, queue), right.astype(np.int64))
        by_vendor = _tally(self.plan.world.vendor[rater], right, len(VENDORS))
        self.vendor_days[day.isoformat()] = {
            spec.code: counts for spec, counts in zip(VENDORS, by_vendor, strict=True) if counts[0]
        }
        by_cell = _tally(market * len(QUEUES) + queue, right, len(MARKETS) * len(QUEUES))
        self.cell_days[day.isoformat()] = {
            spec.code: {
                other.code: by_cell[number * len(QUEUES) + place]
                for place, other in enumerate(QUEUES)
                if by_cell[number * len(QUEUES) + place][0]
            }
            for number, spec in enumerate(MARKETS)
        }

    def content(self) -> dict[str, Any]:
        """Return everything that truth.json holds."""
        plan = self.plan
        counts: dict[str, int] = {}
        for row in self.dirty_rows:
            counts[row["rule_id"]] = counts.get(row["rule_id"], 0) + 1
        return {
            "format": FORMAT,
            "seed": plan.seed,
            "start": plan.timeline.start,
            "end": plan.timeline.end,
            "days": plan.timeline.days,
            "labels_per_day": plan.labels_per_day,
            "predictions_per_day": plan.predictions_per_day,
            "rows": self.rows,
            "dirty_rows": self.dirty_rows,
            "dirty_counts": dict(sorted(counts.items())),
            "incidents": self._incidents(),
            "answers": {queue.code: queue.categories for queue in QUEUES},
            "prevalence": {
                market.code: {queue.code: _mix(plan.world.prevalence[i, j], j) for j, queue in enumerate(QUEUES)}
                for i, market in enumerate(MARKETS)
            },
            "learning": {"extra": LEARNING_EXTRA, "days": LEARNING_DAYS},
            "annotators": {plan.world.ids[person]: self._person(person) for person in range(len(plan.world.ids))},
            "vendor_days": self.vendor_days,
            "cell_days": self.cell_days,
            "models": [
                {
                    "model": f"{model.model_id}@{model.version}",
                    "kind": model.kind,
                    "share_of_items": model.share,
                    "separation": model.separation,
                    "is_calibrated": plan.timeline.score_power(number) == 1.0,
                }
                for number, model in enumerate(MODELS)
            ],
            "reviews": {
                "reviewer_error": REVIEWER_ERROR,
                "anchoring": ANCHORING,
                "share_blind": SHARE_BLIND,
                "base_rate": plan.review_rate(),
                "prediction_base_rate": plan.prediction_review_rate(),
                "arbitrated_share": {"called": ARBITRATED_CALLED, "clean": ARBITRATED_CLEAN},
                "arbiter_error": ARBITER_ERROR,
            },
            **self.quality.content(),
        }

    def write(self, path: Path) -> None:
        """Write truth.json."""
        text = json.dumps(self.content(), indent=1, default=str, allow_nan=False)
        path.write_text(text + "\n", encoding="utf-8")

    def _incidents(self) -> list[dict[str, Any]]:
        found = describe_incidents(self.plan.timeline, self.plan.world)
        for incident in found:
            incident.update(self.quality.of_incident(incident["kind"]))
            if incident["kind"] == "vendor_dip":
                first, last = incident["from"].isoformat(), incident["to"].isoformat()
                days = {day: mix.get(incident["vendor"], [0, 0]) for day, mix in self.vendor_days.items()}
                incident["accuracy_before"] = _share([pair for day, pair in days.items() if day < first])
                incident["accuracy_during"] = _share([pair for day, pair in days.items() if first <= day <= last])
        return found + self.files

    def _person(self, person: int) -> dict[str, Any]:
        world = self.plan.world
        market = int(world.market[person])
        queues = {}
        for number, queue in enumerate(QUEUES):
            if not world.serves[person, number]:
                continue
            size = len(queue.categories)
            matrix = confusion(world.errors[person, number])[:size, :size]
            expected = float(world.prevalence[market, number, :size] @ np.diag(matrix))
            queues[queue.code] = {
                "accuracy": round(expected, 6),
                "confusion": np.round(matrix, 6).tolist(),
                "realised": [int(self._seen[person, number]), int(self._right[person, number])],
            }
        return {
            "role": ROLES[int(world.role[person])],
            "vendor": VENDORS[int(world.vendor[person])].code,
            "market": MARKETS[market].code,
            "hired_on": dt.date.fromordinal(int(world.hired[person])),
            "queues": queues if world.role[person] == ANNOTATOR else {},
        }


def _mix(prevalence: Floats, queue: int) -> dict[str, float]:
    size = len(QUEUES[queue].categories)
    return dict(zip(QUEUES[queue].categories, np.round(prevalence[:size], 6).tolist(), strict=True))


def _tally(group: Ints, right: np.ndarray[Any, Any], groups: int) -> list[list[int]]:
    seen = np.bincount(group, minlength=groups)
    good = np.bincount(group, weights=right, minlength=groups).astype(np.int64)
    return [[int(n), int(k)] for n, k in zip(seen, good, strict=True)]


def _share(pairs: list[list[int]]) -> float | None:
    total = sum(pair[0] for pair in pairs)
    return round(sum(pair[1] for pair in pairs) / total, 6) if total else None
