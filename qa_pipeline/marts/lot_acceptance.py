"""Lots and what the sampling plans of ISO 2859-1 decide about them, in the order of a vendor's series.

Putting lots together, the inspection each comes under and its decisions belong here; rows of marts do not. Arrays are
`[lots]` unless noted.
"""

from dataclasses import dataclass, fields

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
# Wald's test stops at so many times the single plan's sample, a usual choice.
_STOP_AT_SAMPLES = 3


@dataclass(frozen=True)
class Lots:
    """Lots sorted by series, business date and batch id, `[lots]` each.

    `key` indexes the keys of the table, `series` numbers market x queue x vendor. `size` counts production decisions,
    `reviewed` random reviews, `defects` those among them with one; `weight`, `squared_weight`, `defect_weight` and
    `squared_defect_weight` are sums of 1/p and 1/p^2. `is_simple`: no lot of its market and queue had reviews of
    unequal chances around its date, so they are simple random samples.
    """

    dates: DateArray
    key: IntArray
    series: IntArray
    size: IntArray
    reviewed: IntArray
    defects: IntArray
    weight: FloatArray
    squared_weight: FloatArray
    defect_weight: FloatArray
    squared_defect_weight: FloatArray
    is_simple: BoolArray

    def __len__(self) -> int:
        return len(self.key)


@dataclass(frozen=True)
class Defects:
    """Defects found, `[defects]`: the lot (index into Lots) and the place among its reviews by hash, from 1."""

    lot: IntArray
    place: IntArray


@dataclass(frozen=True)
class Decisions:
    """What is decided about each lot, `[lots]`; a decision is empty where the reviews are no simple random sample.

    `n`, `accept` and `letter` are those of the plan of the lot's `severity`; `sample_defects` are the defects among the
    first n reviews.
    """

    severity: TextArray
    letter: TextArray
    n: IntArray
    accept: IntArray
    sample_defects: IntArray
    decision: TextArray
    sequential: TextArray


def lots_of(table: Table, *, per_unit: float) -> tuple[Lots, Defects]:
    """Lots of a table with a row or more for each, and their defects.

    `table` has the texts market, queue, vendor and lot and the numbers decisions, reviews, defects, place, weight and
    weight_squared, the last two in 1 / `per_unit`. Rows without a decision are no lots and left out.
    """
    order = _order_of_keys(table)
    day = (table.dates - table.dates.min()).astype(np.int64)
    found = group_by(_series(table)[table.key], day, order[table.key])
    first = found.order[found.starts]

    def summed(name: str, chosen: BoolArray | None = None) -> FloatArray:
        values = table.numbers[name].astype(np.float64)
        return found.sum(values if chosen is None else values * chosen)

    is_defect = table.numbers["defects"] > 0
    place = table.numbers["place"][is_defect].astype(np.int64)
    counts = {name: np.rint(summed(name)).astype(np.int64) for name in ("decisions", "reviews", "defects")}
    weight, squared = summed("weight") / per_unit, summed("weight_squared") / per_unit
    lots = Lots(
        dates=table.dates[first],
        key=table.key[first].astype(np.int64),
        series=found.parts[0],
        size=counts["decisions"],
        reviewed=counts["reviews"],
        defects=counts["defects"],
        weight=weight,
        squared_weight=squared,
        defect_weight=summed("weight", is_defect) / per_unit,
        squared_defect_weight=summed("weight_squared", is_defect) / per_unit,
        is_simple=_is_simple(table, found, reviewed=counts["reviews"], weight=weight, squared=squared),
    )
    return _with_decisions(lots, Defects(lot=found.group[is_defect], place=place))


def _with_decisions(lots: Lots, defects: Defects) -> tuple[Lots, Defects]:
    kept = lots.size > 0
    place = np.cumsum(kept) - 1
    chosen = kept[defects.lot]
    return (
        Lots(**{each.name: getattr(lots, each.name)[kept] for each in fields(Lots)}),
        Defects(lot=place[defects.lot[chosen]], place=defects.place[chosen]),
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


def decisions_of(lots: Lots, defects: Defects, *, queue: Codes, settings: AcceptanceConfig) -> Decisions:
    """Decide on lots by single sampling under the inspection their series has come to, and by Wald's test.

    `queue` is that of each lot. A lot not yet decided, or that cannot be, is passed over when inspection is switched.
    """
    aql = np.array([settings.aql(name) for name in queue.names])[queue.values]
    normal, tightened = (
        single_plans(lots.size, aql_percent=aql, level=settings.level, inspection=each) for each in INSPECTIONS
    )
    found, found_tightened = _sample_defects(defects, normal), _sample_defects(defects, tightened)
    decided = _decide(lots, normal, defects=found)
    decided_tightened = _decide(lots, tightened, defects=found_tightened)
    severity = _severities(lots.series, decided, decided_tightened)
    is_normal = severity == "normal"
    n = np.where(is_normal, normal.n, tightened.n)
    return Decisions(
        severity=severity,
        letter=np.where(is_normal, normal.letter, tightened.letter),
        n=n,
        accept=np.where(is_normal, normal.accept, tightened.accept),
        sample_defects=np.where(is_normal, found, found_tightened),
        decision=np.where(is_normal, decided, decided_tightened),
        sequential=_sequential(lots, n=n, queue=queue, settings=settings),
    )


def _sample_defects(defects: Defects, plans: Plans) -> IntArray:
    """Defects among the first n reviews of each lot, by their place."""
    in_sample = defects.place <= plans.n[defects.lot]
    return np.bincount(defects.lot[in_sample], minlength=len(plans.n)).astype(np.int64)


def _decide(lots: Lots, plans: Plans, *, defects: IntArray) -> TextArray:
    decision = decide(n=plans.n, accept=plans.accept, reviewed=np.minimum(lots.reviewed, plans.n), defects=defects)
    # A plan that accepts whatever it finds (a lot of one with accept 1) would accept unseen.
    return np.select([~lots.is_simple, lots.reviewed == 0], ["", CONTINUE], decision)


def _severities(series: IntArray, normal: TextArray, tightened: TextArray) -> TextArray:
    """Inspection of each lot of a series in turn; `normal` and `tightened` are the decisions by either plan.

    From the lot at which inspection is discontinued it starts anew, tightened, once a lot has been decided.
    """
    found: list[Severity] = []
    history: list[tuple[Inspection, bool]] = []
    severity: Severity = "normal"
    last = -1
    for each, by_normal, by_tightened in zip(series.tolist(), normal.tolist(), tightened.tolist(), strict=True):
        if each != last:
            last, history, severity = each, [], "normal"
        found.append(severity)
        inspection: Inspection = "normal" if severity == "normal" else "tightened"
        decision = by_normal if inspection == "normal" else by_tightened
        if decision in (ACCEPT, REJECT):
            before = [] if severity == "discontinued" else history[-_MEMORY:]
            history = [*before, (inspection, decision == ACCEPT)]
            severity = next_severity(history)
    return np.array(found, dtype=np.str_)


def _sequential(lots: Lots, *, n: IntArray, queue: Codes, settings: AcceptanceConfig) -> TextArray:
    """Wald's test on all reviews; truncated at 3 n reviews, or when all of the lot is reviewed."""
    decision = np.full(len(lots), CONTINUE)
    for place, name in enumerate(queue.names):
        own = np.flatnonzero((queue.values == place) & lots.is_simple)
        good, bad = settings.tested_shares(name)
        plan = SequentialPlan(
            good_share=good,
            bad_share=bad,
            producer_risk=settings.producer_risk,
            consumer_risk=settings.consumer_risk,
        )
        decision[own] = decide_sequentially(
            plan,
            reviewed=lots.reviewed[own],
            defects=lots.defects[own],
            stop_at=np.minimum(_STOP_AT_SAMPLES * n[own], lots.size[own]),
        )
    return np.where(lots.is_simple, decision, "")
