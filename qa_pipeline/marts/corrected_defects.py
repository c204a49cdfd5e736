"""`defect_rate_corrected` of `marts.defect_rate`: the defect rate less what QA's own errors make of it.

Finding the errors of QA that go with a rate belongs here; the errors are `qa_accuracy`, the correction
`stats.corrected_rates`.
"""

from dataclasses import dataclass, replace

import numpy as np

from qa_pipeline.marts.cells import group_by
from qa_pipeline.marts.qa_accuracy import QaCells, qa_cells
from qa_pipeline.marts.reading import Table
from qa_pipeline.marts.records import NO_METHOD, NO_REASON, REASONS, VARIANCE_RECOVERY, Figures, constant
from qa_pipeline.stats.corrected_rates import Measured, corrected_rate
from qa_pipeline.stats.jackknife import IntArray, Interval
from qa_pipeline.stats.windows import Windows, lookback_windows

METRIC = "defect_rate_corrected"
_PLACE = ("market", "queue", "subject")


def corrected_figures(rates: list[Figures], *, windows: Windows, verdicts: Table) -> list[Figures]:
    """A corrected rate for every row of `rates`, which index `windows`.

    `rates` are defect rates with the interval of the process that made them: a verdict errs by chance even where every
    decision was reviewed. `verdicts` (`qa_accuracy.read_verdicts`) tell QA's sensitivity and specificity of the same
    market x queue or roll-up, over the 28 days up to the end of the window (all dates for period all), on labels for
    people and on predictions for models.
    """
    over = lookback_windows(windows)
    errors = _errors(list(qa_cells(verdicts, windows=over, subject=verdicts.texts["target_kind"])))
    return [_corrected(rate, errors) for rate in rates]


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


def _corrected(rate: Figures, errors: _Errors | None) -> Figures:
    rows = len(rate.window)
    reason = np.full(rows, REASONS.index("no_arbitration"))
    estimate, low, high = (np.full(rows, np.nan) for _ in range(3))
    column = _columns(rate, errors)
    known = np.flatnonzero(column >= 0)
    if errors is not None and len(known):
        at = rate.window[known], column[known]
        apparent = Measured(rate.estimate[known], Interval(low=rate.low[known], high=rate.high[known]))
        found = corrected_rate(
            apparent, sensitivity=_at(errors.sensitivity, at), specificity=_at(errors.specificity, at)
        )
        why = np.where(found.is_contradicted, REASONS.index("contradicted"), NO_REASON)
        why = np.where(found.is_uninformative, REASONS.index("uninformative_qa"), why)
        reason[known] = why = np.where(errors.reason[at] == NO_REASON, why, errors.reason[at])
        given = why == NO_REASON
        estimate[known] = np.where(given, found.estimate, np.nan)
        low[known] = np.where(given, found.interval.low, np.nan)
        high[known] = np.where(given, found.interval.high, np.nan)
    return replace(
        rate,
        texts=rate.texts | {"metric": constant(METRIC, rows)},
        method=np.where(reason == NO_REASON, VARIANCE_RECOVERY, NO_METHOD),
        estimate=estimate,
        low=low,
        high=high,
        reason=reason,
    )


def _columns(rate: Figures, errors: _Errors | None) -> IntArray:
    """Column of QA's errors for each row; -1 where QA gave no blind verdict at all."""
    market, queue = rate.texts["market"], rate.texts["queue"]
    is_model = rate.texts["subject_kind"].equal("model_version")
    is_model |= rate.texts["subject_kind"].equal("rater_kind") & rate.texts["subject"].equal("model")
    kinds = ("label", "prediction")
    cells = group_by(market.values, queue.values, is_model.astype(np.int64))
    columns = [
        errors.column.get((market.names[m], queue.names[q], kinds[kind]), -1) if errors is not None else -1
        for m, q, kind in zip(*cells.parts, strict=True)
    ]
    return np.array(columns, dtype=np.int64)[cells.group]


def _at(measured: Measured, place: tuple[IntArray, IntArray]) -> Measured:
    interval = Interval(low=measured.interval.low[place], high=measured.interval.high[place])
    return Measured(measured.value[place], interval)
