"""`defect_rate_corrected` of `marts.defect_rate`: the defect rate less what QA's own errors make of it.

Finding the errors of QA that go with a rate, and the parts that a roll-up is the sum of, belongs here; the errors are
`qa_accuracy`, the correction and the sum `stats.corrected_rates`.
"""

from dataclasses import dataclass, replace

import numpy as np

from qa_pipeline.marts.cells import ALL, Groups, group_by
from qa_pipeline.marts.qa_accuracy import QaCells, qa_cells
from qa_pipeline.marts.reading import Codes, Table
from qa_pipeline.marts.records import NO_METHOD, NO_REASON, REASONS, VARIANCE_RECOVERY, Figures, constant
from qa_pipeline.stats.corrected_rates import Corrected, Measured, corrected_mean, corrected_rate, unclipped_rate
from qa_pipeline.stats.jackknife import BoolArray, IntArray, Interval
from qa_pipeline.stats.windows import Windows, lookback_windows

METRIC = "defect_rate_corrected"
_PLACE = ("market", "queue", "subject")


def corrected_figures(rates: list[Figures], *, windows: Windows, verdicts: Table) -> Figures:
    """A corrected rate for every row of `rates`, one at least, which index `windows`.

    `rates` are defect rates of market x queue and their roll-ups, with the interval of the process that made them (a
    verdict errs by chance even where every decision was reviewed) and the extra column `weight`, the sum of 1 / p.
    `verdicts` (`qa_accuracy.read_verdicts`) tell QA's sensitivity and specificity over the 28 days up to the end of
    the window (all dates for period all), on labels for people and on predictions for models.

    Market x queue is corrected by its own errors. A roll-up is the mean of corrected rates weighted by decisions: QA
    errs otherwise in each queue, so neither errors nor reviews may be pooled over queues. Its parts are market x queue
    with its own errors where these are known. Else the errors are those of the queue over all markets; so that the
    parts stay independent, all its markets in the roll-up are one part then. A roll-up of one market x queue is that.
    """
    over = lookback_windows(windows)
    errors = _errors(list(qa_cells(verdicts, windows=over, subject=verdicts.texts["target_kind"])))
    rate = Figures.joined(rates)
    rows = len(rate.window)
    if errors is None:
        return _with_found(rate, _nothing(rows), np.full(rows, REASONS.index("no_arbitration")))
    places = _places(rate, errors)
    cells = np.flatnonzero(places.is_cell)
    own = places.own[cells]
    found = _nothing(rows)
    reason = np.full(rows, NO_REASON)
    each = corrected_rate(**_measured(rate, errors, row=cells, column=own))
    _put(found, cells, each)
    reason[cells] = _reasons(rate, errors, row=cells, column=own, contradicted=each.is_contradicted)
    _add_roll_ups(rate, errors, places, found=found, reason=reason)
    return _with_found(rate, found, reason)


@dataclass(frozen=True)
class _Places:
    """Where each row of the rates belongs, `[rows]` each.

    `is_cell`: market x queue, no roll-up. `own` and `of_queue`: column of QA's errors of the same market and queue, and
    of the queue over all markets; -1 where there is none. `by_market`, `by_queue` and `by_all`: row of the same window
    and subject rolled up over queues, over markets, and over both.
    """

    is_cell: BoolArray
    own: IntArray
    of_queue: IntArray
    by_market: IntArray
    by_queue: IntArray
    by_all: IntArray


@dataclass(frozen=True)
class _Terms:
    """What roll-ups are the sums of, `[terms]` each: the roll-up, the row of the rate and the column of QA's errors."""

    roll_up: IntArray
    row: IntArray
    column: IntArray

    def with_terms(self, other: "_Terms") -> "_Terms":
        return _Terms(*(np.concatenate([getattr(self, n), getattr(other, n)]) for n in ("roll_up", "row", "column")))


@dataclass(frozen=True)
class _Errors:
    """QA's errors by window and place, `[W, places]`; `column` finds (market, queue, target kind)."""

    column: dict[tuple[str, str, str], int]
    sensitivity: Measured
    specificity: Measured
    reason: IntArray


def _errors(cells: list[QaCells]) -> _Errors | None:
    if not cells:
        return None
    names = [
        tuple(each.texts[name].names[value] for name, value in zip(_PLACE, values, strict=True))
        for each in cells
        for values in zip(*(each.texts[name].values for name in _PLACE), strict=True)
    ]
    found = [each.errors() for each in cells]
    return _Errors(
        column={(market, queue, kind): place for place, (market, queue, kind) in enumerate(names)},
        sensitivity=_joined([each.sensitivity for each in found]),
        specificity=_joined([each.specificity for each in found]),
        reason=np.concatenate([each.reasons(of) for each, of in zip(cells, found, strict=True)], axis=1),
    )


def _joined(parts: list[Measured]) -> Measured:
    low = np.concatenate([part.interval.low for part in parts], axis=1)
    high = np.concatenate([part.interval.high for part in parts], axis=1)
    return Measured(np.concatenate([part.value for part in parts], axis=1), Interval(low=low, high=high))


def _add_roll_ups(rate: Figures, errors: _Errors, places: _Places, *, found: Corrected, reason: IntArray) -> None:
    """Fill in the roll-ups' rows of `found` and `reason`, those of market x queue being there."""
    cells = np.flatnonzero(places.is_cell)
    rows = len(rate.window)
    for parents in (places.by_market, places.by_queue, places.by_all):
        parts = np.bincount(parents[cells], minlength=rows)
        only = cells[parts[parents[cells]] == 1]
        for values in (found.estimate, found.interval.low, found.interval.high, reason):
            values[parents[only]] = values[only]
    terms = _terms(rate, errors, places)
    roll_ups, group = np.unique(terms.roll_up, return_inverse=True)
    if not len(roll_ups):
        return
    weight = np.asarray(rate.extra["weight"])[terms.row]
    why = _reasons(rate, errors, row=terms.row, column=terms.column, contradicted=np.zeros(len(weight), np.bool_))
    unclipped = unclipped_rate(**_measured(rate, errors, row=terms.row, column=terms.column))
    each = corrected_mean(unclipped, weight=weight, group=group, groups=len(roll_ups))
    reasons = np.where(each.is_contradicted, REASONS.index("contradicted"), NO_REASON)
    lacking = np.flatnonzero(why != NO_REASON)
    # Of several reasons that of the heaviest part, which is put there last.
    lacking = lacking[np.argsort(weight[lacking], kind="stable")]
    reasons[group[lacking]] = why[lacking]
    _put(found, roll_ups, each)
    reason[roll_ups] = reasons


def _terms(rate: Figures, errors: _Errors, places: _Places) -> _Terms:
    """The terms of the roll-ups of two market x queue or more."""
    cells = np.flatnonzero(places.is_cell)
    own = places.own[cells]
    is_known = own >= 0
    is_known[is_known] = errors.reason[rate.window[cells[is_known]], own[is_known]] == NO_REASON
    of_markets = _Terms(places.by_market[cells], cells, np.where(is_known, own, places.of_queue[cells]))
    queues = group_by(places.by_queue[cells])
    lacks = _any(queues, ~is_known)
    apart = cells[~lacks[queues.group]]
    pooled = queues.parts[0][lacks]
    row = np.concatenate([apart, pooled])
    column = np.concatenate([places.own[apart], places.of_queue[pooled]])
    everywhere = _Terms(places.by_all[row], row, column)
    of_queues = _Terms(np.concatenate([places.by_queue[apart], pooled]), row, column)
    terms = of_markets.with_terms(of_queues).with_terms(everywhere)
    parents = np.stack([places.by_market[cells], places.by_queue[cells], places.by_all[cells]])
    parts = np.bincount(parents.ravel(), minlength=len(rate.window))
    chosen = parts[terms.roll_up] > 1
    return _Terms(terms.roll_up[chosen], terms.row[chosen], terms.column[chosen])


def _any(groups: Groups, values: BoolArray) -> BoolArray:
    found: BoolArray = groups.sum(values.astype(np.float64)) > 0
    return found


def _nothing(rows: int) -> Corrected:
    nan, no = np.full((3, rows), np.nan), np.zeros((2, rows), dtype=np.bool_)
    return Corrected(nan[0], Interval(low=nan[1], high=nan[2]), is_uninformative=no[0], is_contradicted=no[1])


def _put(found: Corrected, rows: IntArray, each: Corrected) -> None:
    found.estimate[rows] = each.estimate
    found.interval.low[rows], found.interval.high[rows] = each.interval.low, each.interval.high


def _with_found(rate: Figures, found: Corrected, reason: IntArray) -> Figures:
    given = reason == NO_REASON
    return replace(
        rate,
        texts=rate.texts | {"metric": constant(METRIC, len(reason))},
        method=np.where(given, VARIANCE_RECOVERY, NO_METHOD),
        estimate=np.where(given, found.estimate, np.nan),
        low=np.where(given, found.interval.low, np.nan),
        high=np.where(given, found.interval.high, np.nan),
        reason=reason,
        extra={},
    )


def _measured(rate: Figures, errors: _Errors, *, row: IntArray, column: IntArray) -> dict[str, Measured]:
    """The parts of the corrected rates of some rows by the errors of some columns (-1: any, to be left out)."""
    at = rate.window[row], column
    return {
        "apparent": Measured(rate.estimate[row], Interval(low=rate.low[row], high=rate.high[row])),
        "sensitivity": _at(errors.sensitivity, at),
        "specificity": _at(errors.specificity, at),
    }


def _reasons(rate: Figures, errors: _Errors, *, row: IntArray, column: IntArray, contradicted: BoolArray) -> IntArray:
    """Why some rows cannot be corrected by the errors of some columns; NO_REASON where they can."""
    at = rate.window[row], column
    is_uninformative = errors.sensitivity.value[at] + errors.specificity.value[at] <= 1
    why = np.where(contradicted, REASONS.index("contradicted"), NO_REASON)
    why = np.where(is_uninformative, REASONS.index("uninformative_qa"), why)
    why = np.where(errors.reason[at] == NO_REASON, why, errors.reason[at])
    return np.where(column >= 0, why, REASONS.index("no_arbitration"))


def _places(rate: Figures, errors: _Errors) -> _Places:
    market, queue = rate.texts["market"], rate.texts["queue"]
    everywhere, every = (
        Codes(values=np.full(len(rate.window), codes.index(ALL)), names=codes.names) for codes in (market, queue)
    )
    return _Places(
        is_cell=~market.equal(ALL) & ~queue.equal(ALL),
        own=_columns(rate, errors, market, queue),
        of_queue=_columns(rate, errors, everywhere, queue),
        by_market=_rows_of(rate, market, every),
        by_queue=_rows_of(rate, everywhere, queue),
        by_all=_rows_of(rate, everywhere, every),
    )


def _rows_of(rate: Figures, market: Codes, queue: Codes) -> IntArray:
    """Row of the same window and subject in each `market` and `queue`, which must be there."""
    size = len(rate.window)
    subject = [rate.texts[name].values for name in ("subject_kind", "subject")]
    own = (rate.window, rate.texts["market"].values, rate.texts["queue"].values, *subject)
    wanted = (rate.window, market.values, queue.values, *subject)
    both = group_by(*(np.concatenate(pair) for pair in zip(own, wanted, strict=True)))
    row = np.full(len(both), -1)
    row[both.group[:size]] = np.arange(size)
    found: IntArray = row[both.group[size:]]
    return found


def _columns(rate: Figures, errors: _Errors, market: Codes, queue: Codes) -> IntArray:
    """Column of QA's errors in each `market` and `queue`; -1 where QA gave no blind verdict at all."""
    is_model = rate.texts["subject_kind"].equal("model_version")
    is_model |= rate.texts["subject_kind"].equal("rater_kind") & rate.texts["subject"].equal("model")
    kinds = ("label", "prediction")
    cells = group_by(market.values, queue.values, is_model.astype(np.int64))
    columns = [
        errors.column.get((market.names[m], queue.names[q], kinds[kind]), -1)
        for m, q, kind in zip(*cells.parts, strict=True)
    ]
    return np.array(columns, dtype=np.int64)[cells.group]


def _at(measured: Measured, place: tuple[IntArray, IntArray]) -> Measured:
    interval = Interval(low=measured.interval.low[place], high=measured.interval.high[place])
    return Measured(measured.value[place], interval)
