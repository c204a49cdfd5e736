"""`marts.qa_accuracy`: how well QA judges, by arbitration of its blind verdicts.

Which verdicts and arbitrations count, and the sums of a market and queue, belong here; sensitivity and specificity are
`stats.arbitration`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np

from qa_pipeline.marts.cells import Groups, group_by, roll_ups, rows_by_key
from qa_pipeline.marts.mart import Headline, Mart, Source
from qa_pipeline.marts.reading import Codes, Table, read_table
from qa_pipeline.marts.records import NO_METHOD, NO_REASON, REASONS, WILSON, WILSON_EFFECTIVE, Figures, constant
from qa_pipeline.marts.sampling_plans import PER_UNIT, largest_weights
from qa_pipeline.stats.arbitration import QaErrors, qa_errors
from qa_pipeline.stats.corrected_rates import Measured
from qa_pipeline.stats.jackknife import FloatArray, IntArray
from qa_pipeline.stats.proportions import effective_n
from qa_pipeline.stats.weighted_means import mean_interval, sums_of_classes
from qa_pipeline.stats.windows import Windows

REFERENCE_KIND = "arbitration"
# What QA said and what arbitration found, in the order of the axes of sums.
SAID = ("none", "defect")
_IS_CONFIRMED = np.array([1.0, 0.0, 0.0, 1.0])
_COMMENT = (
    "How well QA judges, on the date of its verdict: blind verdicts on decisions picked at random (of a decision the "
    "first), held against arbitration (target_kind review). qa_sensitivity: share of decisions with a defect that QA "
    "calls a defect; qa_specificity: share of right decisions that it leaves alone; qa_confirmed: share of verdicts "
    "that arbitration confirms. Weighted by 1 / (inclusion probability of the review x that of its arbitration); "
    "targeted reviews and arbitrations never count. Arbitration is taken for the truth. subject_kind: target_kind "
    "(label, prediction), reviewer (weeks, all and the newest trailing_28d only). Market or queue ALL adds the "
    "weights up. n_items: verdicts arbitrated at random, n_ratings: verdicts. Intervals: Wilson on the effective "
    "number of the share itself, no shorter than exact bounds for few events. NULL where nothing was arbitrated, "
    "where only verdicts of one sort were, and (not qa_confirmed) with under 10 defects or right decisions among "
    "those arbitrated."
)
MART = Mart(
    name="qa_accuracy",
    comment=_COMMENT,
    queries=("qa_verdicts",),
    headline=Headline("target_kind", "label", "qa_sensitivity", REFERENCE_KIND),
    source=Source("reviewer_outcomes"),
)


@dataclass(frozen=True)
class QaCells:
    """Sums of the verdicts of each window and cell (market, queue and subject) of one roll-up.

    `texts` are `[cells]`. `units`, `weight` and `squared_weight` `[W, cells, 2, 2]` are those arbitrated, by what QA
    said and what arbitration found (SAID); `verdicts` `[W, cells, 2]` are all, by what QA said; `largest` `[W, cells]`
    is the largest weight of the cell's plans of arbitration.
    """

    texts: dict[str, Codes]
    units: FloatArray
    weight: FloatArray
    squared_weight: FloatArray
    verdicts: FloatArray
    largest: FloatArray

    def errors(self) -> QaErrors:
        """Sensitivity and specificity, `[W, cells]`."""
        return qa_errors(
            self.units,
            weight=self.weight,
            squared_weight=self.squared_weight,
            largest_weight=self.largest,
            verdicts=self.verdicts,
        )

    def reasons(self, errors: QaErrors) -> IntArray:
        """Why sensitivity and specificity may not be used, `[W, cells]`; NO_REASON where they may."""
        reason = np.where(errors.is_thin, REASONS.index("thin_arbitration"), NO_REASON)
        reason = np.where(errors.is_one_sided, REASONS.index("one_sided_arbitration"), reason)
        nothing = self.units.sum(axis=(-2, -1)) == 0
        return np.where(nothing, REASONS.index("no_arbitration"), reason)


def read_verdicts(con: duckdb.DuckDBPyConnection, *, sql_root: Path) -> Table:
    """QA's verdicts of `tallies.reviewer_outcomes`, for `qa_cells` and `qa_figures`."""
    return read_table(con, sql_root=sql_root, name="qa_verdicts", parameters={})


def qa_cells(table: Table, *, windows: Windows, subject: Codes) -> Iterator[QaCells]:
    """Sums for each roll-up of market and queue; `subject` `[keys]` is whom the cells are about."""
    if not table.keys:
        return
    rows = rows_by_key(table, windows)
    planned = (table.texts[name].values for name in ("market", "queue", "target_kind"))
    plans = group_by(*planned).group
    largest = largest_weights(table, windows=windows, plans=plans)
    said, sort = _sorts(table)
    # Keys that no figure tells apart are one part.
    parts = group_by(plans, subject.values, said, sort + 1)
    first = parts.order[parts.starts]
    totals = {
        name: windows.sums(parts.sum(rows.by_slot(name, slots=windows.slots)))
        for name in ("unit_count", "weight", "weight_squared")
    }
    texts = {name: table.texts[name].take(first) for name in ("market", "queue")} | {"subject": subject.take(first)}
    for places in roll_ups(texts):
        coded = {"market": places.market, "queue": places.queue, "subject": texts["subject"].take(places.keys)}
        cells = group_by(*(codes.values for codes in coded.values()))
        own = first[places.keys]
        by_both = {
            name: _sums(total[:, places.keys], sort[own], sorts=4, cells=cells).reshape(-1, len(cells), 2, 2)
            for name, total in totals.items()
        }
        of_keys = largest[:, plans[own]][:, cells.order]
        yield QaCells(
            texts={
                name: Codes(values=part, names=coded[name].names) for name, part in zip(coded, cells.parts, strict=True)
            },
            units=by_both["unit_count"],
            weight=by_both["weight"] / PER_UNIT,
            squared_weight=by_both["weight_squared"] / PER_UNIT,
            verdicts=_sums(totals["unit_count"][:, places.keys], said[own], sorts=2, cells=cells),
            largest=np.maximum.reduceat(of_keys, cells.starts, axis=1),
        )


def _sorts(table: Table) -> tuple[IntArray, IntArray]:
    """Of each key the verdict (index of SAID), and the verdict with what arbitration found (0..3; -1: nothing)."""
    verdict, found = table.texts["verdict"], table.texts["found"]
    said = np.where(verdict.equal(SAID[1]), 1, 0)
    sort = np.full(table.keys, -1, dtype=np.int64)
    for place, name in enumerate(SAID):
        sort = np.where(found.equal(name), 2 * said + place, sort)
    return said, sort


def _sums(total: FloatArray, sort: IntArray, *, sorts: int, cells: Groups) -> FloatArray:
    """Sums of `total` `[W, n]` over each cell's members of each sort, `[W, cells, sorts]`; a sort of -1 is none."""
    found = np.zeros((len(total), len(cells) * sorts))
    chosen = np.flatnonzero(sort >= 0)
    if len(chosen):
        both = group_by(cells.group[chosen] * sorts + sort[chosen])
        found[:, both.parts[0]] = both.sum(total[:, chosen])
    return found.reshape(len(total), len(cells), sorts)


def qa_figures(table: Table, *, windows: Windows, reviewer_windows: Windows) -> list[tuple[Windows, list[Figures]]]:
    """Figures of marts.qa_accuracy, with the windows that they index."""
    return [
        (
            over,
            [
                figures
                for cells in qa_cells(table, windows=over, subject=table.texts[kind])
                for figures in _cell_figures(cells, kind)
            ],
        )
        for over, kind in ((windows, "target_kind"), (reviewer_windows, "reviewer"))
    ]


def _cell_figures(cells: QaCells, kind: str) -> Iterator[Figures]:
    window, cell = np.nonzero(cells.verdicts.sum(axis=-1) > 0)
    errors = cells.errors()
    reason = cells.reasons(errors)
    is_thin = reason == REASONS.index("thin_arbitration")
    every_sort = slice(None)
    for metric, measured, truth, why in (
        ("qa_sensitivity", errors.sensitivity, 1, reason),
        ("qa_specificity", errors.specificity, 0, reason),
        ("qa_confirmed", _confirmed(cells), every_sort, np.where(is_thin, NO_REASON, reason)),
    ):
        given = (why == NO_REASON)[window, cell]
        n, weight, squared = (
            part[..., truth].reshape(*part.shape[:2], -1).sum(axis=-1)[window, cell]
            for part in (cells.units, cells.weight, cells.squared_weight)
        )
        is_equal = effective_n(n, weight, squared) == n
        yield Figures(
            window=window,
            texts={name: codes.take(cell) for name, codes in cells.texts.items()}
            | {
                "subject_kind": constant(kind, len(window)),
                "metric": constant(metric, len(window)),
                "reference_kind": constant(REFERENCE_KIND, len(window)),
            },
            method=np.where(given, np.where(is_equal, WILSON, WILSON_EFFECTIVE), NO_METHOD),
            estimate=np.where(given, measured.value[window, cell], np.nan),
            low=np.where(given, measured.interval.low[window, cell], np.nan),
            high=np.where(given, measured.interval.high[window, cell], np.nan),
            n_items=cells.units.sum(axis=(-2, -1))[window, cell],
            n_ratings=cells.verdicts.sum(axis=-1)[window, cell],
            reason=why[window, cell],
        )


def _confirmed(cells: QaCells) -> Measured:
    """Share of arbitrated verdicts that arbitration confirms, `[W, cells]`."""
    flat = [part.reshape(*part.shape[:2], 4) for part in (cells.units, cells.weight, cells.squared_weight)]
    sums = sums_of_classes(units=flat[0], weight=flat[1], squared_weight=flat[2], scores=_IS_CONFIRMED, is_finite=False)
    return Measured(sums.mean, mean_interval(sums, largest_weight=cells.largest, is_finite=False))
