"""How a good row is spoiled so that it breaks exactly one rule: one entry per rule of the catalogue.

Only the changes to single rows belong here. Which rows are taken, on which days, and in which file they go is in
`dirt`. Whole-partition and whole-file damage is in `damage`.
"""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from qa_pipeline.simulation.operation import CATEGORY_NAMES, MARKETS, QUEUES

Record = dict[str, Any]


class RawText(str):
    """A value that goes into a text file as it stands, because it isn't of its column's type."""

    __slots__ = ()


@dataclass(frozen=True)
class Spot:
    """What a change may look at: the folder's day, the decision the row was made from, ids seen on earlier days."""

    day: dt.date
    label: Record
    fresh_id: str
    stranger: str
    earlier_key: str | None


Change = Callable[[Record, Spot], None]


@dataclass(frozen=True)
class DirtRule:
    """A rule with the ways to break it; `needs_earlier`: it reuses an id of an earlier folder."""

    rule_id: str
    changes: tuple[Change, ...]
    needs_earlier: bool = False

    @property
    def action(self) -> str:
        """What the pipeline does with such a row: quarantine, warn or supersede."""
        if self.rule_id in WARN_RULES:
            return "warn"
        return "supersede" if self.rule_id.endswith("-009") else "quarantine"


WARN_RULES = frozenset({"LBL-012", "LBL-021", "PRD-011", "ITM-011", "GLD-010", "REV-011", "RST-011", "TMS-012"})


def _put(**values: object) -> Change:
    def change(record: Record, spot: Spot) -> None:
        del spot
        record.update(values)

    return change


def _all(*changes: Change) -> Change:
    def change(record: Record, spot: Spot) -> None:
        for one in changes:
            one(record, spot)

    return change


def _noon(market: str, day: dt.date) -> dt.datetime:
    zone = next(spec.time_zone for spec in MARKETS if spec.code == market)
    return dt.datetime.combine(day, dt.time(12), tzinfo=ZoneInfo(zone)).astimezone(dt.UTC)


def _move(column: str, days: int) -> Change:
    def change(record: Record, spot: Spot) -> None:
        record[column] = _noon(record["market"], spot.day + dt.timedelta(days=days))

    return change


def _after(column: str, other: str, *, seconds: int) -> Change:
    def change(record: Record, spot: Spot) -> None:
        del spot
        record[column] = record[other] + dt.timedelta(seconds=seconds)

    return change


def _hired(days: int) -> Change:
    def change(record: Record, spot: Spot) -> None:
        record["hired_on"] = spot.day + dt.timedelta(days=days)

    return change


def _certified_early(record: Record, spot: Spot) -> None:
    del spot
    record["certified_on"] = record["hired_on"] - dt.timedelta(days=10)


def _wrong_label(column: str) -> Change:
    def change(record: Record, spot: Spot) -> None:
        del spot
        queue = next(spec for spec in QUEUES if spec.code == record["queue"])
        # In a multi-select queue one bad code among good ones is the case that a lookup of the whole text misses.
        record[column] = f"{queue.labels[1].code}|no_such_label" if queue.combinations else "no_such_label"

    return change


def _label_of_another_queue(column: str) -> Change:
    def change(record: Record, spot: Spot) -> None:
        del spot
        queue = next(spec for spec in QUEUES if spec.code == record["queue"])
        own = {label.code for label in queue.labels}
        record[column] = next(name for name in CATEGORY_NAMES if "|" not in name and name not in own)

    return change


def _stranger(record: Record, spot: Spot) -> None:
    record["annotator_id"] = spot.stranger


def _own_decision(record: Record, spot: Spot) -> None:
    record["reviewer_id"] = spot.label["annotator_id"]


def _other_item(record: Record, spot: Spot) -> None:
    record["item_id"] = spot.fresh_id


def _other_market(event: str) -> Change:
    def change(record: Record, spot: Spot) -> None:
        record["market"] = next(spec.code for spec in MARKETS if spec.code != record["market"])
        record[event] = _noon(record["market"], spot.day)

    return change


def _other_queue(*columns: str) -> Change:
    def change(record: Record, spot: Spot) -> None:
        del spot
        queue = next(spec for spec in QUEUES if spec.code != record["queue"])
        record["queue"] = queue.code
        record.update(dict.fromkeys(columns, queue.categories[0]))

    return change


def _earlier(column: str) -> Change:
    def change(record: Record, spot: Spot) -> None:
        record[column] = spot.earlier_key

    return change


_ZZ = _put(market="ZZ")
_NO_QUEUE = _put(queue="no_such_queue")
_RULES: dict[str, dict[str, tuple[Change, ...]]] = {
    "labels": {
        "001": (_put(vendor=None), _put(annotator_id=None)),
        "002": (
            _put(handle_seconds=RawText("fast")),
            _put(assigned_at=RawText("yesterday")),
            _put(submitted_at=RawText("2026-02-30 25:00")),
        ),
        "003": (_ZZ,),
        "004": (_NO_QUEUE,),
        "005": (_wrong_label("label"), _label_of_another_queue("label")),
        "006": (_all(_put(assigned_at=None), _move("submitted_at", -1)),),
        "007": (_all(_put(assigned_at=None), _move("submitted_at", 1)),),
        "008": (_put(stage="prod"), _put(content_type="hologram")),
        "009": (_put(batch_id="redelivered"),),
        "010": (_after("assigned_at", "submitted_at", seconds=60),),
        "011": (_put(handle_seconds=90_000.0),),
        "012": (_put(handle_seconds=0.2),),
        "020": (_earlier("label_id"),),
        "021": (_stranger,),
    },
    "predictions": {
        "001": (_put(model_id=None), _put(model_version=None)),
        "002": (_put(model_kind="llm", score=RawText("high")), _put(is_decision=RawText("maybe"))),
        "003": (_ZZ,),
        "004": (_NO_QUEUE,),
        "005": (_wrong_label("label"), _label_of_another_queue("label")),
        "006": (_move("predicted_at", -1),),
        "007": (_move("predicted_at", 1),),
        "008": (_put(model_kind="oracle"), _put(content_type="hologram")),
        "009": (_put(rationale="redelivered"),),
        "010": (_put(score=1.7), _put(score=-0.2), _put(score=float("nan"))),
        "011": (_put(score=None),),
    },
    "items": {
        "001": (_put(content_type=None),),
        "002": (_put(priority=RawText("urgent")), _put(enqueued_at=RawText("last week"))),
        "003": (_ZZ,),
        "004": (_NO_QUEUE,),
        "006": (_move("enqueued_at", -2),),
        "007": (_move("enqueued_at", 1),),
        "008": (_put(content_type="hologram"),),
        "009": (_put(priority=1),),
        "010": (_put(priority=0),),
        "011": (_put(language=None),),
    },
    "gold": {
        "001": (_put(source=None),),
        "002": (_put(valid_from=RawText("soon")),),
        "003": (_ZZ,),
        "004": (_NO_QUEUE,),
        "005": (_wrong_label("label"), _label_of_another_queue("label")),
        "007": (_move("valid_from", 2),),
        "008": (_put(source="rumour"),),
        "009": (_put(source="policy"),),
        "010": (_put(guideline_version=None),),
    },
    "reviews": {
        "001": (_put(severity=None), _put(reviewer_id=None)),
        "002": (
            _put(sampling="targeted", inclusion_probability=RawText("half")),
            _put(is_blind=RawText("perhaps")),
        ),
        "003": (_ZZ,),
        "004": (_NO_QUEUE,),
        "005": (_wrong_label("verdict_label"), _label_of_another_queue("verdict_label")),
        "006": (_move("reviewed_at", -1),),
        "007": (_move("reviewed_at", 1),),
        "008": (_put(severity="huge"), _put(error_category="oops"), _put(target_kind="item")),
        "009": (_put(root_cause="redelivered"),),
        "010": (_put(inclusion_probability=0.0), _put(inclusion_probability=1.5)),
        "011": (_put(inclusion_probability=None),),
        "020": (_own_decision,),
        "021": (_put(target_id="L0000000000000001"), _put(target_kind="review", target_id="r0000000000000001")),
        "022": (_other_item, _other_market("reviewed_at"), _other_queue("verdict_label")),
        "023": (_earlier("review_id"),),
    },
    "appeals": {
        "001": (_put(outcome=None),),
        "002": (_put(resolved_at=RawText("later")),),
        "003": (_ZZ,),
        "004": (_NO_QUEUE,),
        "005": (_wrong_label("final_label"), _label_of_another_queue("original_label")),
        "006": (_move("filed_at", -1),),
        "007": (_all(_put(resolved_at=None), _move("filed_at", 1)),),
        "008": (_put(outcome="pending"),),
        "009": (_put(resolved_at=None),),
        "010": (_after("resolved_at", "filed_at", seconds=-60),),
        "020": (_put(target_id="L0000000000000001"),),
        "021": (
            _other_item,
            _all(_put(resolved_at=None), _other_market("filed_at")),
            _other_queue("original_label", "final_label"),
        ),
        "022": (_earlier("appeal_id"),),
    },
    "roster": {
        "001": (_put(site=None), _put(vendor=None)),
        "002": (_put(certified_on=RawText("soon")), _put(hired_on=RawText("2026-13-45"))),
        "003": (_ZZ,),
        "007": (_all(_hired(3), _put(certified_on=None, is_active=False)),),
        "009": (_put(site="redelivered"),),
        "010": (_certified_early,),
        "011": (_put(is_active=False),),
    },
    "timesheets": {
        "001": (_put(productive_minutes=None),),
        "002": (_put(paid_minutes=RawText("eight hours")),),
        "009": (_put(productive_minutes=1.0),),
        "010": (_put(paid_minutes=1500.0),),
        "011": (_put(productive_minutes=600.0), _put(productive_minutes=-5.0)),
        "012": (_put(productive_minutes=0.0),),
    },
}
_PREFIXES = {
    "labels": "LBL",
    "predictions": "PRD",
    "items": "ITM",
    "gold": "GLD",
    "reviews": "REV",
    "appeals": "APL",
    "roster": "RST",
    "timesheets": "TMS",
}
_REUSED = frozenset({"LBL-020", "REV-023", "APL-022"})

DIRT_RULES: dict[str, tuple[DirtRule, ...]] = {
    feed: tuple(
        DirtRule(f"{_PREFIXES[feed]}-{number}", changes, needs_earlier=f"{_PREFIXES[feed]}-{number}" in _REUSED)
        for number, changes in rules.items()
    )
    for feed, rules in _RULES.items()
}
