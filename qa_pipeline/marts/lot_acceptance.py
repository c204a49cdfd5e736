"""Lots and what the sampling plans of ISO 2859-1 decide about them, in the order of a vendor's series.

Putting lots together, the inspection each comes under and its decisions belong here; rows of marts do not. Arrays are
`[lots]` unless noted.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from heapq import heappop, heappush
from itertools import groupby

import numpy as np

from qa_pipeline.marts.cells import Groups, group_by
from qa_pipeline.marts.reading import Codes, Table
from qa_pipeline.quality_config import AcceptanceConfig
from qa_pipeline.stats.acceptance import (
    DISCONTINUE_REJECTED,
    NORMAL_ACCEPTED,
    Inspection,
    Plans,
    Severity,
    TextArray,
    decide,
    next_severity,
    single_plans,
)
from qa_pipeline.stats.jackknife import BoolArray, FloatArray, IntArray
from qa_pipeline.stats.proportions import effective_n
from qa_pipeline.stats.sequential import SequentialPlan
from qa_pipeline.stats.sequential import decide as decide_sequentially
from qa_pipeline.stats.windows import TRAILING_DAYS, DateArray

ACCEPT, REJECT, CONTINUE = "accept", "reject", "continue"
INSPECTIONS: tuple[Inspection, ...] = ("normal", "tightened")
# Under tightened inspection nothing older matters: of so many lots 5 are rejected, or 5 in succession accepted.
_MEMORY = DISCONTINUE_REJECTED * NORMAL_ACCEPTED


@dataclass(frozen=True)
class Lots:
    """Lots sorted by series, business date and batch id, `[lots]` each.

    `key` indexes the keys of the table, `series` numbers market x queue x vendor. `size` counts production decisions,
    `reviewed` random reviews, `defects` those among them with one; `weight`, `squared_weight`, `defect_weight` and
    `squared_defect_weight` are sums of 1/p and 1/p^2. `is_simple`: no lot of its market and queue had reviews of
    unequal chances around its date, so all reviews are a simple random sample. `sampled` and `sampled_defects` count
    the reviews that are left when chances are made equal: the plans' sample. `is_decidable`: they could be made equal.
    """

    dates: DateArray
    key: IntArray
    series: IntArray
    size: IntArray
    reviewed: IntArray
    defects: IntArray
    sampled: IntArray
    sampled_defects: IntArray
    weight: FloatArray
    squared_weight: FloatArray
    defect_weight: FloatArray
    squared_defect_weight: FloatArray
    is_simple: BoolArray
    is_decidable: BoolArray

    def __len__(self) -> int:
        return len(self.key)


@dataclass(frozen=True)
class Sample:
    """Reviews in lots' samples, sorted by lot (index into Lots) and date (days from 1970-01-01).

    Of each defect `[defects]` its lot, its place among the lot's sampled reviews as they were completed, from 1, and
    its date; of the sound ones `[dates of lots]` how many `sound_n` were completed on a date.
    """

    defect_lot: IntArray
    defect_place: IntArray
    defect_day: IntArray
    sound_lot: IntArray
    sound_n: IntArray
    sound_day: IntArray


@dataclass(frozen=True)
class Decisions:
    """What is decided about each lot, `[lots]`; a decision is empty where some reviews do not state their chance.

    `n`, `accept` and `letter` are those of the plan of the lot's `severity`; `sample_defects` are the defects among the
    first n sampled reviews. `decision` is the one that binds; `sequential`, by another test, is advice.
    """

    severity: TextArray
    letter: TextArray
    n: IntArray
    accept: IntArray
    sample_defects: IntArray
    decision: TextArray
    sequential: TextArray


def lots_of(table: Table, *, per_unit: float) -> tuple[Lots, Sample]:
    """Lots of a table with a row or more for each, and their samples.

    `table` has the texts market, queue, vendor and lot and the numbers of sql/marts/lot_counts, weights in
    1 / `per_unit`. Rows without a decision are no lots and left out.
    """
    order = _order_of_keys(table)
    day = (table.dates - table.dates.min()).astype(np.int64)
    found = group_by(_series(table)[table.key], day, order[table.key])
    first = found.order[found.starts]
    is_defect = table.numbers["defects"] > 0

    def summed(name: str, chosen: BoolArray | None = None) -> FloatArray:
        values = table.numbers[name].astype(np.float64)
        return found.sum(values if chosen is None else values * chosen)

    def counted(name: str, chosen: BoolArray | None = None) -> IntArray:
        return np.rint(summed(name, chosen)).astype(np.int64)

    reviewed = counted("reviews")
    weight, squared = summed("weight") / per_unit, summed("weight_squared") / per_unit
    lots = Lots(
        dates=table.dates[first],
        key=table.key[first].astype(np.int64),
        series=found.parts[0],
        size=counted("decisions"),
        reviewed=reviewed,
        defects=counted("defects"),
        sampled=counted("sampled"),
        sampled_defects=counted("sampled", is_defect),
        weight=weight,
        squared_weight=squared,
        defect_weight=summed("weight", is_defect) / per_unit,
        squared_defect_weight=summed("weight_squared", is_defect) / per_unit,
        is_simple=_is_simple(table, found, reviewed=reviewed, weight=weight, squared=squared),
        is_decidable=counted("unstated") == 0,
    )
    kept = lots.size > 0
    lot = np.where(kept, np.cumsum(kept) - 1, -1)[found.group]
    return Lots(**{each.name: getattr(lots, each.name)[kept] for each in fields(Lots)}), _sample(table, lot=lot)


def _sample(table: Table, *, lot: IntArray) -> Sample:
    """Samples of lots; `lot` `[rows]` is that of each row, negative for none."""
    n, place, day = (table.numbers[name].astype(np.int64) for name in ("sampled", "place", "reviewed_on"))
    is_sampled = (n > 0) & (lot >= 0)
    defects, sound = (np.flatnonzero(is_sampled & chosen) for chosen in (place > 0, place == 0))
    defects = defects[np.lexsort((place[defects], lot[defects]))]
    sound = sound[np.lexsort((day[sound], lot[sound]))]
    return Sample(
        defect_lot=lot[defects],
        defect_place=place[defects],
        defect_day=day[defects],
        sound_lot=lot[sound],
        sound_n=n[sound],
        sound_day=day[sound],
    )


def _series(table: Table) -> IntArray:
    """Number of the market x queue x vendor of each key of a table."""
    return group_by(*(table.texts[name].values for name in ("market", "queue", "vendor"))).group


def _order_of_keys(table: Table) -> IntArray:
    """Number of each key such that, within a series, batch ids are in order."""
    return group_by(*(table.texts[name].values for name in ("market", "queue", "vendor", "lot"))).group


def _is_simple(
    table: Table, found: Groups, *, reviewed: IntArray, weight: FloatArray, squared: FloatArray
) -> BoolArray:
    """Whether no lot of a lot's market and queue, on its date or in the 28 days before, has reviews of unequal chances.

    A lot with two reviews of one chance says little: where the queue's decisions have different ones, so have its.
    """
    first = found.order[found.starts]
    key = table.key[first]
    market, queue = table.texts["market"].values[key], table.texts["queue"].values[key]
    is_unequal = effective_n(reviewed.astype(np.float64), weight, squared) < reviewed
    plans = group_by(group_by(market, queue).group, found.parts[1])
    plan, day = plans.parts
    # Plans lie further apart than any two days of one.
    moment = plan * (int(day.max()) + TRAILING_DAYS + 1) + day
    has_unequal = plans.sum(is_unequal.astype(np.float64)) > 0
    last_unequal = np.maximum.accumulate(np.where(has_unequal, moment, -TRAILING_DAYS - 1))
    simple: BoolArray = (moment - last_unequal > TRAILING_DAYS)[plans.group]
    return simple


@dataclass(frozen=True)
class _Judged:
    """What one plan says of each lot, `[lots]`: `day` is that of the review which settled it, where it is decided."""

    plans: Plans
    defects: IntArray
    decision: TextArray
    day: IntArray


def decisions_of(lots: Lots, sample: Sample, *, queue: Codes, settings: AcceptanceConfig) -> Decisions:
    """Decide on lots by single sampling under the inspection their series has come to, and by Wald's test.

    `queue` is that of each lot.
    """
    aql = np.array([settings.aql(name) for name in queue.names])[queue.values]
    normal, tightened = (
        _judged(lots, sample, single_plans(lots.size, aql_percent=aql, level=settings.level, inspection=each))
        for each in INSPECTIONS
    )
    severity = np.array(list(_severities(lots, normal, tightened)), dtype=np.str_)
    is_normal = severity == "normal"
    return Decisions(
        severity=severity,
        letter=np.where(is_normal, normal.plans.letter, tightened.plans.letter),
        n=np.where(is_normal, normal.plans.n, tightened.plans.n),
        accept=np.where(is_normal, normal.plans.accept, tightened.plans.accept),
        sample_defects=np.where(is_normal, normal.defects, tightened.defects),
        decision=np.where(is_normal, normal.decision, tightened.decision),
        sequential=_sequential(lots, queue=queue, settings=settings),
    )


def _judged(lots: Lots, sample: Sample, plans: Plans) -> _Judged:
    in_sample = sample.defect_place <= plans.n[sample.defect_lot]
    defects = np.bincount(sample.defect_lot[in_sample], minlength=len(lots)).astype(np.int64)
    decision = decide(n=plans.n, accept=plans.accept, reviewed=np.minimum(lots.sampled, plans.n), defects=defects)
    # A plan that accepts whatever it finds (a lot of one with accept 1) would accept unseen.
    decision = np.select([~lots.is_decidable, lots.sampled == 0], ["", CONTINUE], decision)
    return _Judged(plans=plans, defects=defects, decision=decision, day=_settled_on(sample, plans, decision))


def _settled_on(sample: Sample, plans: Plans, decision: TextArray) -> IntArray:
    """Date of the review that settled each decided lot: of defect accept + 1, or of sound review n - accept.

    Where no sound one is needed (accept is n or more) any review settles it, so the first.
    """
    day = np.zeros(len(decision), dtype=np.int64)
    rejected, accepted = (np.flatnonzero(decision == each) for each in (REJECT, ACCEPT))
    day[rejected] = sample.defect_day[np.searchsorted(sample.defect_lot, rejected) + plans.accept[rejected]]
    needed = plans.n[accepted] - plans.accept[accepted]
    some, none = accepted[needed > 0], accepted[needed <= 0]
    total = np.concatenate([[0], np.cumsum(sample.sound_n)])
    before = total[np.searchsorted(sample.sound_lot, some)]
    day[some] = sample.sound_day[np.searchsorted(total[1:], before + needed[needed > 0])]
    first = np.full(len(decision), np.iinfo(np.int64).max)
    np.minimum.at(first, sample.sound_lot, sample.sound_day)
    np.minimum.at(first, sample.defect_lot, sample.defect_day)
    day[none] = first[none]
    return day


@dataclass
class _Course:
    """Inspection of a series as it stands: how often it was switched, and how the lots made since then came out."""

    severity: Severity = "normal"
    switches: int = 0
    outcomes: list[bool] = field(default_factory=list)

    def count(self, switches: int, *, is_accepted: bool) -> None:
        """Take in a lot made after so many switches; of those made before the last one nothing follows any more.

        Once inspection is discontinued it starts anew, tightened, with the first lot made since that is decided.
        """
        if switches != self.switches:
            return
        inspection: Inspection = "normal" if self.severity == "normal" else "tightened"
        self.outcomes = [*self.outcomes, is_accepted][-_MEMORY:]
        severity = next_severity([(inspection, each) for each in self.outcomes])
        if severity not in (inspection, self.severity):
            self.switches, self.outcomes = self.switches + 1, []
        self.severity = severity


def _severities(lots: Lots, normal: _Judged, tightened: _Judged) -> Iterator[Severity]:
    """Inspection of each lot in turn: that to which the lots of its series settled before its own date have led.

    They count in the order of the dates on which they were settled. So a lot comes under the inspection that was known
    when it was made, and no review of its date or later changes that.
    """
    by_inspection = tuple(
        tuple(zip(judged.decision.tolist(), judged.day.tolist(), strict=True)) for judged in (normal, tightened)
    )
    days = lots.dates.astype("datetime64[D]").astype(np.int64).tolist()
    for _, members in groupby(range(len(lots)), key=lots.series.tolist().__getitem__):
        course = _Course()
        settled: list[tuple[int, int, int, bool]] = []
        for lot in members:
            while settled and settled[0][0] < days[lot]:
                _, _, switches, is_accepted = heappop(settled)
                course.count(switches, is_accepted=is_accepted)
            yield course.severity
            decision, day = by_inspection[course.severity != "normal"][lot]
            if decision in (ACCEPT, REJECT):
                heappush(settled, (day, lot, course.switches, decision == ACCEPT))


def _sequential(lots: Lots, *, queue: Codes, settings: AcceptanceConfig) -> TextArray:
    """Wald's test on all sampled reviews; cut short only where all of the lot is in the sample, so its risks hold."""
    decision = np.full(len(lots), CONTINUE)
    for place, name in enumerate(queue.names):
        own = np.flatnonzero((queue.values == place) & lots.is_decidable)
        good, bad = settings.tested_shares(name)
        plan = SequentialPlan(
            good_share=good,
            bad_share=bad,
            producer_risk=settings.producer_risk,
            consumer_risk=settings.consumer_risk,
        )
        decision[own] = decide_sequentially(
            plan, reviewed=lots.sampled[own], defects=lots.sampled_defects[own], stop_at=lots.size[own]
        )
    return np.where(lots.is_decidable, decision, "")
