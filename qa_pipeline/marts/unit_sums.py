"""Agreement of every cell and window from tallied units: each coefficient with and without each replicate.

Laying units out for `stats.agreement` belongs here; intervals, reasons and rows do not (see `agreement`).
"""

from dataclasses import dataclass

import numpy as np

from qa_pipeline.contracts import REPLICATES
from qa_pipeline.marts.cells import BLOCK_ELEMENTS, Groups, RollUp, Rows, blocks, group_by, summed
from qa_pipeline.marts.patterns import Patterns
from qa_pipeline.marts.reading import Codes
from qa_pipeline.stats.agreement import (
    Layout,
    UnitSums,
    fleiss_kappa,
    gwet_ac1,
    krippendorff_alpha,
    minority_agreement,
    percent_agreement,
)
from qa_pipeline.stats.jackknife import FloatArray, IntArray, leave_one_out
from qa_pipeline.stats.windows import Windows

# Metric -> the units that it is about: all with two ratings or more, or those with the modal number of ratings.
METRIC_BASIS = {
    "percent_agreement": "pairable",
    "percent_agreement_modal": "modal",
    "fleiss_1971": "modal",
    "fleiss_kappa": "pairable",
    "krippendorff_alpha": "pairable",
    "gwet_ac1": "pairable",
}
BASES = ("pairable", "modal")
_CELL_PARTS = 3


@dataclass(frozen=True)
class Units:
    """Tallied units: `rows` by key, and per key its rater `pool`, `patterns` and texts of market and queue."""

    rows: Rows
    pool: Codes
    patterns: Patterns


@dataclass(frozen=True)
class CellSums:
    """Agreement of the cells of one roll-up over all windows.

    `pool`, `market`, `queue` code the cells. `statistics` by metric is `[W, 21, cells]` (index 0: all replicates).
    By basis: `ratings` `[W, 21, cells]`, `units` and `unanimous` `[W, 20, cells]` per replicate, `minority` `[W,
    cells]` (see `stats.agreement.minority_agreement`). `all_units` `[W, cells]` counts single ratings too.
    """

    pool: Codes
    market: Codes
    queue: Codes
    statistics: dict[str, FloatArray]
    ratings: dict[str, FloatArray]
    units: dict[str, FloatArray]
    unanimous: dict[str, FloatArray]
    minority: dict[str, FloatArray]
    all_units: FloatArray


@dataclass(frozen=True)
class _Counts:
    """Units whose ratings are all equal, `[W, 20, unit columns]`; units that agree on a label, `[W, label columns]`."""

    unanimous: FloatArray
    agreed: FloatArray


@dataclass(frozen=True)
class _Columns:
    """Where the units of each key go.

    `keys` are the keys of the table that take part and `patterns` theirs. `units` groups them by cell (pool, market,
    queue) and number of raters, `labels` groups the labels of their patterns by cell, label and number of raters.
    """

    keys: IntArray
    patterns: Patterns
    units: Groups
    labels: Groups


def cell_groups(units: Units, places: RollUp) -> Groups:
    """The cells (pool, market, queue) of one roll-up, over the keys that take part in it."""
    return group_by(units.pool.values[places.keys], places.market.values, places.queue.values)


def cell_sums(units: Units, *, places: RollUp, windows: Windows, declared: FloatArray) -> CellSums:
    """Agreement of every cell of one roll-up, in the order of `cell_groups`.

    `declared` `[W or 1, cells, labels]` is 1 where a label (as in the patterns' `label_names`) is declared in the cell.
    """
    columns = _columns(units, places)
    unit_bounds = np.append(columns.units.runs(_CELL_PARTS), len(columns.units))
    label_bounds = np.append(columns.labels.runs(_CELL_PARTS), len(columns.labels))
    sizes = (np.diff(unit_bounds) + np.diff(label_bounds)) * len(windows) * (REPLICATES + 1)
    found: list[dict[str, FloatArray]] = []
    for first, stop in blocks(sizes, limit=BLOCK_ELEMENTS):
        bounds = (unit_bounds[first : stop + 1], label_bounds[first : stop + 1])
        sums, counts = _block_sums(units.rows, columns, bounds, windows)
        found.append(_statistics(sums, counts, _block_labels(columns, bounds[1]), declared[:, first:stop]))
    merged = {name: np.concatenate([block[name] for block in found], axis=-1) for name in found[0]}
    pool, market, queue = (part[unit_bounds[:-1]] for part in columns.units.parts[:_CELL_PARTS])
    return CellSums(
        pool=Codes(values=pool, names=units.pool.names),
        market=Codes(values=market, names=places.market.names),
        queue=Codes(values=queue, names=places.queue.names),
        statistics={metric: merged[metric] for metric in METRIC_BASIS},
        ratings={basis: merged[f"{basis}_ratings"] for basis in BASES},
        units={basis: merged[f"{basis}_units"] for basis in BASES},
        unanimous={basis: merged[f"{basis}_unanimous"] for basis in BASES},
        minority={basis: merged[f"{basis}_minority"] for basis in BASES},
        all_units=merged["all_units"],
    )


def _columns(units: Units, places: RollUp) -> _Columns:
    codes = Codes(values=places.keys, names=())
    patterns = units.patterns.of(codes)
    cell = (units.pool.values[places.keys], places.market.values, places.queue.values)
    key = np.repeat(np.arange(len(places.keys)), np.diff(patterns.bounds))
    return _Columns(
        keys=places.keys,
        patterns=patterns,
        units=group_by(*cell, patterns.raters),
        labels=group_by(*(part[key] for part in cell), patterns.label, patterns.raters[key]),
    )


def _block_sums(
    all_rows: Rows, columns: _Columns, bounds: tuple[IntArray, IntArray], windows: Windows
) -> tuple[UnitSums, _Counts]:
    """Sums of neighbouring cells `[W, 21, columns]`, and the counts that decide on intervals.

    `bounds` are the first unit and the first label column of each cell, and the ends of the last.
    """
    unit_first, label_first = int(bounds[0][0]), int(bounds[1][0])
    layout = _layout(columns, bounds)
    inside = (columns.units.group >= unit_first) & (columns.units.group < bounds[0][-1])
    members = np.flatnonzero(inside)
    rows = all_rows.of_keys(columns.keys[members])
    column = columns.units.group[members][rows.key] - unit_first
    counted = rows.numbers["unit_count"]
    patterns = columns.patterns

    def unit_sums(per_key: FloatArray) -> FloatArray:
        shape = (windows.slots, len(layout.unit_raters))
        return windows.sums(rows.by_replicate(counted * per_key[members][rows.key], column=column, shape=shape))

    entries = np.diff(patterns.bounds)[members][rows.key]
    row = np.repeat(np.arange(len(counted)), entries)
    before = np.cumsum(entries) - entries
    entry = np.repeat(patterns.bounds[members][rows.key] - before, entries) + np.arange(len(row))
    label_shape = (windows.slots, REPLICATES, len(layout.rating_raters))
    place = (rows.slot * REPLICATES + rows.replicate)[row] * label_shape[2] + columns.labels.group[entry] - label_first
    ratings = windows.sums(summed(place, counted[row] * patterns.ratings[entry], shape=label_shape))
    agreed = windows.sums(summed(place, counted[row] * (patterns.ratings[entry] > 1), shape=label_shape))
    sums = UnitSums(
        layout=layout,
        units=leave_one_out(unit_sums(np.ones(len(columns.keys)))),
        equal_pairs=leave_one_out(unit_sums(patterns.equal_pairs)),
        ratings=leave_one_out(ratings),
    )
    return sums, _Counts(unanimous=unit_sums(patterns.unanimous), agreed=agreed.sum(axis=1))


def _layout(columns: _Columns, bounds: tuple[IntArray, IntArray]) -> Layout:
    unit_bounds, label_bounds = bounds
    label_starts = columns.labels.runs(_CELL_PARTS + 1)
    low, high = np.searchsorted(label_starts, [label_bounds[0], label_bounds[-1]])
    label_starts = label_starts[low:high] - label_bounds[0]
    return Layout(
        unit_raters=columns.units.parts[3][unit_bounds[0] : unit_bounds[-1]],
        unit_starts=unit_bounds[:-1] - unit_bounds[0],
        rating_raters=columns.labels.parts[4][label_bounds[0] : label_bounds[-1]],
        label_starts=label_starts,
        cell_starts=np.searchsorted(label_starts, label_bounds[:-1] - label_bounds[0]),
    )


def _block_labels(columns: _Columns, label_bounds: IntArray) -> IntArray:
    """Label of each cell-and-label of a block, in the order of the layout's `label_starts`."""
    starts = columns.labels.runs(_CELL_PARTS + 1)
    chosen = starts[(starts >= label_bounds[0]) & (starts < label_bounds[-1])]
    labels: IntArray = columns.labels.parts[3][chosen]
    return labels


def _statistics(sums: UnitSums, counts: _Counts, labels: IntArray, declared: FloatArray) -> dict[str, FloatArray]:
    layout = sums.layout
    whole = UnitSums(layout, sums.units[:, :1], sums.equal_pairs[:, :1], sums.ratings[:, :1])
    modal = whole.modal_raters()
    modal_sums = sums.with_raters(modal)
    found = {
        "percent_agreement": percent_agreement(sums),
        "percent_agreement_modal": percent_agreement(modal_sums),
        "fleiss_1971": fleiss_kappa(modal_sums),
        "fleiss_kappa": fleiss_kappa(sums),
        "krippendorff_alpha": krippendorff_alpha(sums),
        "gwet_ac1": gwet_ac1(sums, categories=_categories(sums, labels, declared)[:, None, :]),
        "pairable_ratings": sums.pairable_ratings(),
        "modal_ratings": modal_sums.pairable_ratings(),
        "all_units": np.add.reduceat(sums.units[:, 0], layout.unit_starts, axis=-1),
    }
    # Each replicate's own units are the whole less what is left without it.
    units = sums.units[:, :1] - sums.units[:, 1:]
    in_basis = {"pairable": layout.unit_raters > 1, "modal": modal[..., layout.unit_cell] == layout.unit_raters}
    for basis, mask in in_basis.items():
        found[f"{basis}_units"] = np.add.reduceat(units * mask, layout.unit_starts, axis=-1)
        found[f"{basis}_unanimous"] = np.add.reduceat(counts.unanimous * mask, layout.unit_starts, axis=-1)
    for basis, each in (("pairable", whole), ("modal", whole.with_raters(modal))):
        agreed = counts.agreed * (each.ratings[:, 0] > 0)
        found[f"{basis}_minority"] = minority_agreement(layout, ratings=each.ratings[:, 0], agreed=agreed)
    return found


def _categories(sums: UnitSums, labels: IntArray, declared: FloatArray) -> FloatArray:
    """Labels that could be given, `[W, cells]`: the declared ones and any others that were given."""
    layout = sums.layout
    given = np.add.reduceat(sums.ratings[:, 0], layout.label_starts, axis=-1) > 0
    cell = np.repeat(np.arange(len(layout.cell_starts)), layout.labels_in_cell)
    others = given * (1 - declared[:, cell, labels])
    count: FloatArray = declared.sum(axis=-1) + np.add.reduceat(others, layout.cell_starts, axis=-1)
    return count
