"""Dirty rows of a day: which rules are broken, from which good rows the broken ones are made, and their record.

A broken row is a good one with one change (`dirt_rules`) and, unless the rule is about a repeated key, with an id and
an item of its own, so that no clean row is touched. Writing is in `writing`.
"""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from qa_pipeline.contracts import FEEDS
from qa_pipeline.simulation.arrays import CORRECTION_IDS, Stream, numbers
from qa_pipeline.simulation.dirt_rules import DIRT_RULES, DirtRule, RawText, Record, Spot
from qa_pipeline.simulation.operation import MARKETS, VENDORS
from qa_pipeline.simulation.plan import Plan
from qa_pipeline.simulation.world import REVIEWER, pseudonym

EVERY_DAYS = 3
MOST_ROWS = 3
# These count towards the blocking rule 090 (more than half of the partition), so a small partition gets one row.
BLOCKING = ("-001", "-002", "-003")
REMEMBERED_DAYS = 5


@dataclass(frozen=True)
class DirtyRow:
    """One broken row; `key` is how truth.json names it."""

    rule: DirtRule
    record: Record
    key: dict[str, str | None]

    @property
    def needs_text(self) -> bool:
        """Whether only a text format can hold the row."""
        return any(isinstance(value, RawText) for value in self.record.values())


@dataclass
class Memory:
    """Ids of clean rows of earlier days, per feed, for rules about ids that come back."""

    keys: dict[str, list[tuple[dt.date, str]]] = field(default_factory=dict)

    def remember(self, feed: str, day: dt.date, ids: list[str]) -> None:
        """Keep a day's ids and forget those older than five days."""
        recent = [(when, key) for when, key in self.keys.get(feed, []) if (day - when).days < REMEMBERED_DAYS]
        self.keys[feed] = recent + [(day, key) for key in ids]

    def pick(self, rng: np.random.Generator, feed: str, *, taken: set[str]) -> str | None:
        """Return an id of an earlier day that isn't taken yet, or None, and mark it as taken.

        Two rows of one partition with the same id would be deliveries of one another (rule 009), not what is meant.
        """
        left = [key for _, key in self.keys.get(feed, []) if key not in taken]
        if not left:
            return None
        key = left[int(rng.integers(0, len(left)))]
        taken.add(key)
        return key


@dataclass
class DirtMaker:
    """Makes the broken rows of one day.

    `labels` are good decisions of the day (contract columns) that rows of most feeds are made from; they are set when
    the day's labels are known. Predictions come before them and are made from predictions.
    """

    plan: Plan
    day: dt.date
    memory: Memory
    labels: list[Record] = field(default_factory=list)
    counter: int = 0
    taken: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.rng = self.plan.rng(Stream.DIRT, self.day)

    def rows_for(self, feed: str, clean: list[Record], *, clean_count: int) -> list[DirtyRow]:
        """Return the broken rows of a feed.

        `clean` are some of the day's good rows of the feed: the older deliveries of rule 009, and the pattern for
        predictions. A feed without rows on the day gets no dirt.
        """
        if not clean:
            return []
        rows: list[DirtyRow] = []
        offset = (self.day - self.plan.timeline.start).days
        # A stream of the feed's own, so that dirt in one feed doesn't depend on another's volume.
        self.rng = self.plan.rng(Stream.DIRT + 1000 * (1 + list(FEEDS).index(feed)), self.day)
        for place, rule in enumerate(DIRT_RULES[feed]):
            if (place + offset) % EVERY_DAYS != 0:
                continue
            size = int(self.rng.integers(1, MOST_ROWS + 1))
            if rule.rule_id.endswith(BLOCKING):
                size = min(size, max(1, clean_count // 8))
            if rule.rule_id.endswith("-009"):
                rows += [self._newer(feed, rule, row) for row in clean[: min(size, len(clean))]]
            else:
                made = [self._broken(feed, rule, clean, offset + number) for number in range(size)]
                rows += [row for row in made if row is not None]
        return rows

    def _fresh(self, prefix: str) -> str:
        self.counter += 1
        return f"{prefix}{numbers(self.day, 1, first=CORRECTION_IDS + self.counter)[0]}"

    def _person(self) -> str:
        self.counter += 1
        return pseudonym(self.plan.seed, self.day.toordinal() * 10_000 + self.counter)

    def _newer(self, feed: str, rule: DirtRule, older: Record) -> DirtyRow:
        record = dict(older)
        rule.changes[0](record, self._spot(older, None))
        return DirtyRow(rule, record, {name: older[name] for name in FEEDS[feed].key})

    def _broken(self, feed: str, rule: DirtRule, clean: list[Record], turn: int) -> DirtyRow | None:
        earlier = self.memory.pick(self.rng, feed, taken=self.taken) if rule.needs_earlier else None
        if rule.needs_earlier and earlier is None:
            return None
        donors = self.labels or clean
        label = donors[int(self.rng.integers(0, len(donors)))]
        record = self._good_row(feed, label, clean)
        rule.changes[turn % len(rule.changes)](record, self._spot(label, earlier))
        return DirtyRow(rule, record, {name: record[name] for name in FEEDS[feed].key})

    def _spot(self, label: Record, earlier: str | None) -> Spot:
        return Spot(day=self.day, label=label, fresh_id=self._fresh("i"), stranger=self._person(), earlier_key=earlier)

    def _good_row(self, feed: str, label: Record, clean: list[Record]) -> Record:
        """Return a row of the feed that breaks no rule, with a key of its own."""
        if feed == "predictions":
            row = clean[int(self.rng.integers(0, len(clean)))]
            return row | {"prediction_id": self._fresh("p"), "item_id": self._fresh("i"), "is_decision": True}
        makers: dict[str, Callable[[Record], Record]] = {
            "labels": lambda row: row | {"label_id": self._fresh("L"), "item_id": self._fresh("i")},
            "items": self._item,
            "gold": self._gold,
            "reviews": self._review,
            "appeals": self._appeal,
            "roster": lambda _: self._new_person(),
            "timesheets": lambda _: {
                "annotator_id": self._person(),
                "paid_minutes": 480.0,
                "productive_minutes": 300.0,
            },
        }
        return makers[feed](label)

    def _item(self, label: Record) -> Record:
        shared = {name: label[name] for name in ("market", "queue", "content_type", "language")}
        return shared | {"item_id": self._fresh("i"), "enqueued_at": label["submitted_at"], "priority": 3}

    def _gold(self, label: Record) -> Record:
        shared = {name: label[name] for name in ("market", "queue", "label", "guideline_version")}
        return shared | {"item_id": self._fresh("i"), "source": "expert", "valid_from": label["submitted_at"]}

    def _review(self, label: Record) -> Record:
        reviewers = np.flatnonzero(self.plan.world.role == REVIEWER)
        return _aimed_at(label) | {
            "review_id": self._fresh("r"),
            "reviewer_id": self.plan.world.ids[int(self.rng.choice(reviewers))],
            "verdict_label": label["label"],
            "error_category": "none",
            "severity": "minor",
            "is_blind": True,
            "sampling": "random",
            "inclusion_probability": 0.05,
            "root_cause": None,
            "reviewed_at": label["submitted_at"] + dt.timedelta(seconds=1),
        }

    def _appeal(self, label: Record) -> Record:
        return _aimed_at(label) | {
            "appeal_id": self._fresh("a"),
            "original_label": label["label"],
            "outcome": "upheld",
            "final_label": label["label"],
            "filed_at": label["submitted_at"] + dt.timedelta(seconds=1),
            "resolved_at": label["submitted_at"] + dt.timedelta(hours=5),
        }

    def _new_person(self) -> Record:
        return {
            "annotator_id": self._person(),
            "vendor": VENDORS[0].code,
            "site": VENDORS[0].sites[0],
            "market": MARKETS[0].code,
            "language": MARKETS[0].language,
            "role": "annotator",
            "hired_on": self.day - dt.timedelta(days=100),
            "certified_on": self.day - dt.timedelta(days=95),
            "is_active": True,
        }


def _aimed_at(label: Record) -> Record:
    target = {"target_kind": "label", "target_id": label["label_id"]}
    return target | {name: label[name] for name in ("item_id", "market", "queue")}
