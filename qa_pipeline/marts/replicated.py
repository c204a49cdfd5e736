"""Counts of a market x queue and subject by replicate, for figures that are contrasts of several of them.

Laying the counts out and the interval of a contrast belong here; which contrast it is does not. Rates are `rates`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from qa_pipeline.contracts import REPLICATES
from qa_pipeline.marts.cells import BLOCK_ELEMENTS, Groups, RollUp, Rows, blocks, group_by, roll_ups, rows_by_key
from qa_pipeline.marts.rates import Subject
from qa_pipeline.marts.reading import Codes, Table
from qa_pipeline.marts.records import JACKKNIFE, NO_METHOD, NO_REASON, REASONS, Figures, constant
from qa_pipeline.stats.jackknife import MIN_UNITS, BoolArray, FloatArray, IntArray, Interval, interval, leave_one_out
from qa_pipeline.stats.windows import Windows

ITEM = "item_id"


@dataclass(frozen=True)
class Measure:
    """A count: a number of the table, summed over the `[keys]` that count."""

    number: str
    keys: BoolArray


@dataclass(frozen=True)
class Counts:
    """Counts of pairs of a window and a cell, of which there are some.

    `values` are `[REPLICATES, pairs]` by measure, `items` `[pairs]` the distinct items (0 where the table has none).
    """

    kind: str
    window: IntArray
    texts: dict[str, Codes]
    values: dict[str, FloatArray]
    items: FloatArray

    def total(self, name: str) -> FloatArray:
        """A measure of each pair, `[pairs]`."""
        total: FloatArray = self.values[name].sum(axis=0)
        return total

    def without_each(self, name: str) -> FloatArray:
        """A measure of all replicates, then of all but one: `[1 + REPLICATES, pairs]`."""
        return leave_one_out(self.values[name])

    def degrees(self, name: str) -> FloatArray:
        """Degrees of freedom `[pairs]`: known answers are few, and replicates without any say nothing."""
        replicates: FloatArray = (self.values[name] > 0).sum(axis=0).astype(np.float64)
        return replicates - 1


def replicate_counts(
    table: Table, *, windows: Windows, subject: Subject, measures: Mapping[str, Measure]
) -> Iterator[Counts]:
    """The measures of a subject in each market x queue and their roll-ups, one lot or more for each roll-up.

    Pairs of a window and a cell are there where the first measure is above 0. `table` has a replicate and, for distinct
    items, a text item_id.
    """
    keys = np.flatnonzero(subject.keys)
    if not len(keys):
        return
    rows = rows_by_key(table, windows)
    for places in roll_ups({name: table.texts[name].take(keys) for name in ("market", "queue")}):
        own = keys[places.keys]
        yield from _of_roll_up(table, rows.of_keys(own), own, windows, subject, measures, places)


def _of_roll_up(
    table: Table,
    rows: Rows,
    own: IntArray,
    windows: Windows,
    subject: Subject,
    measures: Mapping[str, Measure],
    places: RollUp,
) -> Iterator[Counts]:
    named = {"market": places.market, "queue": places.queue, "subject": subject.name.take(own)}
    cells = group_by(*(codes.values for codes in named.values()))
    items = _distinct_items(table, rows, own, windows, cells)
    sizes = np.full(len(cells), windows.slots * REPLICATES)
    for first, stop in blocks(sizes, limit=BLOCK_ELEMENTS):
        members = np.flatnonzero((cells.group >= first) & (cells.group < stop))
        counted = rows.of_keys(members)
        column = (cells.group[members] - first)[counted.key]
        daily = {
            name: counted.by_replicate(
                counted.numbers[measure.number] * measure.keys[own[members]][counted.key],
                column=column,
                shape=(windows.slots, stop - first),
            )
            for name, measure in measures.items()
        }
        leading = next(iter(daily.values()))
        window, cell = np.nonzero(windows.sums(leading.sum(axis=1)) > 0)
        yield Counts(
            kind=subject.kind,
            window=window,
            texts={
                name: Codes(values=part[first + cell], names=codes.names)
                for (name, codes), part in zip(named.items(), cells.parts, strict=True)
            },
            values={name: windows.pair_sums(values, window=window, column=cell) for name, values in daily.items()},
            items=items[window, first + cell],
        )


def _distinct_items(table: Table, rows: Rows, own: IntArray, windows: Windows, cells: Groups) -> FloatArray:
    """Distinct items of each window and cell, `[W, cells]`."""
    found = np.zeros((len(windows), len(cells)))
    if ITEM not in table.texts:
        return found
    codes = table.texts[ITEM]
    pair = (cells.group * len(codes.names) + codes.values[own])[rows.key]
    for window in range(len(windows)):
        within = (rows.slot >= windows.first[window]) & (rows.slot < windows.stop[window])
        found[window] = np.bincount(np.unique(pair[within]) // len(codes.names), minlength=len(cells))
    return found


def contrast(
    counts: Counts,
    metric: str,
    *,
    statistics: FloatArray,
    units: str,
    speaks: BoolArray,
    reason: IntArray,
    back: Callable[[Interval], Interval],
) -> Figures:
    """Rows of a contrast with its jackknife interval where that `speaks`; elsewhere none, for a `reason`.

    `statistics` `[1 + REPLICATES, pairs]`, the whole sample first, on a scale without ends; `back` brings an interval
    to the scale of the figure. `units` names the measure that n_items and n_ratings are.
    """
    found = interval(statistics, transform="identity", degrees=counts.degrees(units))
    ends = back(found)
    estimate = back(Interval(low=statistics[0], high=statistics[0])).low
    given = speaks & found.is_given
    n, rows = counts.total(units), len(counts.window)
    return Figures(
        window=counts.window,
        texts=counts.texts
        | {
            "subject_kind": constant(counts.kind, rows),
            "metric": constant(metric, rows),
            "reference_kind": constant("", rows),
        },
        method=np.where(given, JACKKNIFE, NO_METHOD),
        estimate=np.where(given, estimate, np.nan),
        low=np.where(given, ends.low, np.nan),
        high=np.where(given, ends.high, np.nan),
        n_items=n,
        n_ratings=n,
        reason=np.where(given, NO_REASON, reason),
    )


def too_few(units: FloatArray) -> IntArray:
    """Why the jackknife does not speak of so many units."""
    return np.where(units < MIN_UNITS, REASONS.index("too_few_items"), REASONS.index("too_few_events"))
