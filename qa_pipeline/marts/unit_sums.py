"""Agreement of every cell and window from tallied units: each coefficient with and without each replicate.

Laying units out for `stats.agreement` belongs here; intervals, reasons and rows do not (see `agreement`).
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from qa_pipeline.contracts import REPLICATES
from qa_pipeline.marts.cells import BLOCK_ELEMENTS, Groups, RollUp, Rows, group_by
from qa_pipeline.marts.patterns import CellScale, PatternTable
from qa_pipeline.marts.reading import Codes
from qa_pipeline.stats import agreement as stats
from qa_pipeline.stats.agreement import Coefficient, Patterns
from qa_pipeline.stats.jackknife import FloatArray, IntArray, leave_one_out
from qa_pipeline.stats.windows import Windows, running_sums

# Metric -> the units that it is about: all with two ratings or more, or those with the modal number of ratings.
METRIC_BASIS = {
    "percent_agreement": "pairable",
    "percent_agreement_modal": "modal",
    "percent_agreement_weighted": "pairable",
    "fleiss_1971": "modal",
    "fleiss_kappa": "pairable",
    "fleiss_kappa_weighted": "pairable",
    "krippendorff_alpha": "pairable",
    "gwet_ac1": "pairable",
    "gwet_ac2": "pairable",
    "prevalence_index": "pairable",
}
# What a queue whose labels have no order and no distance does not have.
WEIGHTED = frozenset({"percent_agreement_weighted", "fleiss_kappa_weighted", "gwet_ac2"})
BASES = ("pairable", "modal")


@dataclass(frozen=True)
class Choice:
    """What raters could choose from: how many labels, and the sum of the weights of all pairs of them, `[...]` each."""

    categories: FloatArray
    total_weight: FloatArray

    @property
    def by_replicate(self) -> "Choice":
        """The same for every replicate left out, `[..., 1]`."""
        return Choice(self.categories[..., None], self.total_weight[..., None])


# Units per pattern and what could be chosen -> a coefficient.
CoefficientOf: TypeAlias = Callable[[FloatArray, Choice], Coefficient]


@dataclass(frozen=True)
class Units:
    """Tallied units: `rows` by key, and per key whom it is about (`who`) and its pattern, a row of `table`."""

    rows: Rows
    who: Codes
    pattern: IntArray
    table: PatternTable


@dataclass(frozen=True)
class CellSums:
    """Agreement of the cells of one roll-up over all windows.

    `who`, `market`, `queue` code the cells, `scales` are theirs. By metric: `statistics` `[W, 21, cells]` (index 0:
    all replicates), `variance` and `effective_units` `[W, cells]` of the linearised coefficient. By basis: `ratings`
    `[W, 21, cells]`, `units` and `unanimous` `[W, 20, cells]` per replicate, `minority` `[W, cells]` (see
    `stats.agreement.minority_agreement`). `all_units` `[W, cells]` counts single ratings too.
    """

    who: Codes
    market: Codes
    queue: Codes
    scales: tuple[CellScale, ...]
    statistics: dict[str, FloatArray]
    variance: dict[str, FloatArray]
    effective_units: dict[str, FloatArray]
    ratings: dict[str, FloatArray]
    units: dict[str, FloatArray]
    unanimous: dict[str, FloatArray]
    minority: dict[str, FloatArray]
    all_units: FloatArray


@dataclass
class _Arrays:
    """The arrays of a CellSums while they are filled, cell by cell."""

    windows: int
    cells: int
    found: dict[str, dict[str, FloatArray]] = field(default_factory=dict)

    def put(self, sort: str, name: str, *, window: IntArray, cell: int, values: FloatArray) -> None:
        """Store the `values` `[chosen windows, ...]` of one cell."""
        held = self.found.setdefault(sort, {})
        if name not in held:
            fill = np.nan if sort in ("statistics", "variance", "effective_units") else 0.0
            held[name] = np.full((self.windows, *values.shape[1:], self.cells), fill)
        held[name][window, ..., cell] = values

    def get(self, sort: str, name: str, *, rows: tuple[int, ...], fill: float) -> FloatArray:
        """The array, filled with `fill` where no cell stored anything."""
        empty = np.full((self.windows, *rows, self.cells), fill)
        return self.found.get(sort, {}).get(name, empty)


def cell_groups(units: Units, places: RollUp) -> Groups:
    """The cells (who, market, queue) of one roll-up, over the keys that take part in it."""
    return group_by(units.who.values[places.keys], places.market.values, places.queue.values)


def cell_sums(
    units: Units,
    *,
    places: RollUp,
    windows: Windows,
    scales: Sequence[CellScale],
    declared: FloatArray,
    metrics: Collection[str],
) -> CellSums:
    """The `metrics` of every cell of one roll-up, in the order of `cell_groups`.

    `scales` are the cells'; `declared` `[W or 1, cells, labels]` is 1 where a label (as in the table's
    `label_names`) is declared in the cell.
    """
    groups = cell_groups(units, places)
    who, market, queue = groups.parts
    arrays = _Arrays(windows=len(windows), cells=len(groups))
    bounds = np.append(groups.starts, len(places.keys))
    for cell in range(len(groups)):
        keys = places.keys[groups.order[bounds[cell] : bounds[cell + 1]]]
        chosen, column = np.unique(units.pattern[keys], return_inverse=True)
        rows = units.rows.of_keys(keys)
        daily = rows.by_replicate(
            rows.numbers["unit_count"], column=column[rows.key], shape=(windows.slots, len(chosen))
        )
        labels, patterns, weights = units.table.dense(chosen, scale=scales[cell])
        for window, counts in _windows(daily, windows):
            given = np.broadcast_to(declared[:, cell], (len(windows), declared.shape[-1]))[window]
            choice = _choice(counts.sum(axis=1), patterns, labels=labels, declared=given, weights=weights)
            made = _coefficients(patterns, scales[cell].kind, weights)
            made = {metric: coefficient for metric, coefficient in made.items() if metric in metrics}
            _put(arrays, cell=cell, window=window, counts=counts, patterns=patterns, coefficients=made, choice=choice)
    return CellSums(
        who=Codes(values=who, names=units.who.names),
        market=Codes(values=market, names=places.market.names),
        queue=Codes(values=queue, names=places.queue.names),
        scales=tuple(scales),
        statistics={name: arrays.get("statistics", name, rows=(REPLICATES + 1,), fill=np.nan) for name in metrics},
        variance={name: arrays.get("variance", name, rows=(), fill=np.nan) for name in metrics},
        effective_units={name: arrays.get("effective_units", name, rows=(), fill=np.nan) for name in metrics},
        ratings={name: arrays.get("ratings", name, rows=(REPLICATES + 1,), fill=0) for name in BASES},
        units={name: arrays.get("units", name, rows=(REPLICATES,), fill=0) for name in BASES},
        unanimous={name: arrays.get("unanimous", name, rows=(REPLICATES,), fill=0) for name in BASES},
        minority={name: arrays.get("minority", name, rows=(), fill=0) for name in BASES},
        all_units=arrays.get("all", "units", rows=(), fill=0),
    )


def _windows(daily: FloatArray, windows: Windows) -> Iterator[tuple[IntArray, FloatArray]]:
    """The windows that have any unit and their counts `[chosen, 20, P]`, in parts that fit in memory."""
    running = running_sums(daily)
    units = running.sum(axis=(1, 2))
    present = np.flatnonzero(units[windows.stop] > units[windows.first])
    size = max(1, BLOCK_ELEMENTS // (daily.shape[1] * daily.shape[2]))
    for first in range(0, len(present), size):
        window = present[first : first + size]
        yield window, running[windows.stop[window]] - running[windows.first[window]]


def _choice(
    counts: FloatArray, patterns: Patterns, *, labels: IntArray, declared: FloatArray, weights: FloatArray
) -> Choice:
    """What could be chosen in each window `[W]`: the declared labels and any others that were given in it.

    `weights` may hold labels of other windows: a set of labels counts in the windows in which somebody gave it.
    """
    known = declared[:, labels] > 0
    possible = ((counts @ patterns.ratings > 0) | known).astype(np.float64)
    return Choice(
        categories=declared.sum(axis=-1) + possible.sum(axis=-1) - known.sum(axis=-1),
        total_weight=((possible @ weights) * possible).sum(axis=-1),
    )


def _put(
    arrays: _Arrays,
    *,
    cell: int,
    window: IntArray,
    counts: FloatArray,
    patterns: Patterns,
    coefficients: dict[str, CoefficientOf],
    choice: Choice,
) -> None:
    """Compute and store one cell; `counts` `[W, 20, P]` units per replicate and pattern."""
    without = leave_one_out(counts)
    modal = stats.modal_raters(without[:, 0], patterns)
    is_modal = (modal[:, None] == patterns.raters) & patterns.is_pairable
    in_basis = {"pairable": np.broadcast_to(patterns.is_pairable, is_modal.shape), "modal": is_modal}
    for basis, chosen in in_basis.items():
        held = counts * chosen[:, None, :]
        arrays.put("units", basis, window=window, cell=cell, values=held.sum(axis=-1))
        unanimous = held @ patterns.is_unanimous.astype(np.float64)
        arrays.put("unanimous", basis, window=window, cell=cell, values=unanimous)
        minority = stats.minority_agreement(held.sum(axis=1), patterns)
        arrays.put("minority", basis, window=window, cell=cell, values=minority)
        ratings = (without * chosen[:, None, :]) @ patterns.raters
        arrays.put("ratings", basis, window=window, cell=cell, values=ratings)
    arrays.put("all", "units", window=window, cell=cell, values=counts.sum(axis=(1, 2)))
    of_basis = {"pairable": without, "modal": without * is_modal[:, None, :]}
    for metric, coefficient in coefficients.items():
        sums = of_basis[METRIC_BASIS[metric]]
        found = coefficient(sums, choice.by_replicate)
        arrays.put("statistics", metric, window=window, cell=cell, values=found.value)
        whole = coefficient(sums[:, 0], choice)
        arrays.put("variance", metric, window=window, cell=cell, values=whole.variance(sums[:, 0]))
        arrays.put("effective_units", metric, window=window, cell=cell, values=whole.effective_units(sums[:, 0]))


def _coefficients(patterns: Patterns, kind: str, weights: FloatArray) -> dict[str, CoefficientOf]:
    """Every metric that the scale has, as a function of units per pattern and what could be chosen."""
    exact = np.eye(patterns.ratings.shape[1])

    def of(function: Callable[..., Coefficient], **named: object) -> CoefficientOf:
        return lambda counts, _choice: function(counts, patterns, **named)

    def gwet(table: FloatArray) -> CoefficientOf:
        return lambda counts, choice: stats.gwet_ac(
            counts, patterns, weights=table, categories=choice.categories, total_weight=choice.total_weight
        )

    found = {
        "percent_agreement": of(stats.percent_agreement, weights=exact),
        "percent_agreement_modal": of(stats.percent_agreement, weights=exact),
        "fleiss_1971": of(stats.fleiss_kappa, weights=exact),
        "fleiss_kappa": of(stats.fleiss_kappa, weights=exact),
        "gwet_ac1": gwet(exact),
        "prevalence_index": lambda counts, choice: stats.prevalence_index(
            counts, patterns, categories=choice.categories
        ),
    }
    if kind == "mixed":
        return found
    is_ordinal = kind == "ordinal"
    found["krippendorff_alpha"] = of(stats.krippendorff_alpha, weights=weights, is_ordinal=is_ordinal)
    if kind != "nominal":
        found["percent_agreement_weighted"] = of(stats.percent_agreement, weights=weights)
        found["fleiss_kappa_weighted"] = of(stats.fleiss_kappa, weights=weights)
        found["gwet_ac2"] = gwet(weights)
    return found
