"""Rates of events among judged decisions, weighted by inclusion probability: what accuracy and defect rate share.

A rate is Hajek's: weighted events over weighted decisions, the weight of a decision being 1 / inclusion probability (J.
Hajek 1971, in Foundations of Statistical Inference). Roll-ups add the weights up, so they speak of the population that
the samples were drawn from. The interval is that of `stats.weighted_means`; where weights differ the jackknife, which
knows that decisions on one item go together, widens it. Which decisions and events are counted belongs to the caller.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from qa_pipeline.contracts import REPLICATES
from qa_pipeline.marts.cells import BLOCK_ELEMENTS, Groups, RollUp, Rows, blocks, group_by, roll_ups, rows_by_key
from qa_pipeline.marts.reading import Codes, Table
from qa_pipeline.marts.records import (
    JACKKNIFE,
    NO_REASON,
    WILSON,
    WILSON_EFFECTIVE,
    Figures,
    constant,
)
from qa_pipeline.marts.sampling_plans import largest_weights
from qa_pipeline.stats.jackknife import (
    MIN_EVENTS,
    MIN_UNITS,
    BoolArray,
    FloatArray,
    IntArray,
    Interval,
    divide,
    interval,
    leave_one_out,
    may_speak,
    rarer_outcome,
)
from qa_pipeline.stats.proportions import effective_n
from qa_pipeline.stats.weighted_means import WeightedSums, finite_interval, mean_interval, widest
from qa_pipeline.stats.windows import Windows

MEASURES = ("unit_count", "weight", "weight_squared")
# Tallies hold weights and their squares in 1e-6.
PER_UNIT = 1e6


@dataclass(frozen=True)
class Subject:
    """Whom a rate is about: the keys of the table that count (`[keys]`) and what each is called."""

    kind: str
    keys: BoolArray
    name: Codes


@dataclass(frozen=True)
class RateRules:
    """What is counted, per key of the table, and how intervals are made.

    `events` `[keys]` by metric says which keys are events. `references` are the ways to name what a key was judged by;
    every key counts once for each. `prefers_wilson`: no jackknife where the weights of a cell are all equal, as in a
    simple random sample. `is_finite`: every weight is 1 / the chance of a random review, so that a figure is about the
    very decisions of its period.
    """

    events: dict[str, BoolArray]
    references: tuple[Codes, ...]
    prefers_wilson: bool
    is_finite: bool


@dataclass(frozen=True)
class _Counts:
    """What is counted about one sort of subject, in parts: keys that no figure tells apart are one part.

    `keys` are those of the table that count, `parts` groups them. `texts` and `events` are per part, `totals` are
    MEASURES per window and part, `[W, parts]`; `largest` are the largest weights `[W, plans]` and `plans` `[parts]`
    says which are a part's.
    """

    rows: Rows
    windows: Windows
    keys: IntArray
    parts: Groups
    texts: dict[str, Codes]
    references: tuple[Codes, ...]
    events: dict[str, BoolArray]
    totals: dict[str, FloatArray]
    largest: FloatArray
    plans: IntArray


@dataclass(frozen=True)
class _Grid:
    """The cells of one roll-up: which of the `counts`' `parts` make them up, and their texts."""

    counts: _Counts
    parts: IntArray
    cells: Groups
    texts: dict[str, Codes]

    def total(self, name: str) -> FloatArray:
        """A measure per window and cell, `[W, cells]`."""
        return self.cells.sum(self.counts.totals[name][:, self.parts])

    def total_events(self, name: str, metric: str) -> FloatArray:
        """A measure of the events of a metric per window and cell, `[W, cells]`."""
        return self.cells.sum((self.counts.totals[name] * self.counts.events[metric])[:, self.parts])

    def largest_weight(self) -> FloatArray:
        """The largest weight of the plans that a cell is made up of, per window and cell, `[W, cells]`."""
        of_parts = self.counts.largest[:, self.counts.plans[self.parts]][:, self.cells.order]
        largest: FloatArray = np.maximum.reduceat(of_parts, self.cells.starts, axis=1)
        return largest


def rate_figures(table: Table, *, windows: Windows, subjects: tuple[Subject, ...], rules: RateRules) -> list[Figures]:
    """Figures of every metric for each market x queue, subject and reference, and their roll-ups.

    `table` has the texts market, queue and rater_kind, a replicate, and MEASURES. n_items and n_ratings are
    judged decisions: an item that several raters decided counts once for each of them. A plan of sampling is a market x
    queue, kind of rater and reference.
    """
    if not table.keys:
        return []
    rows = rows_by_key(table, windows)
    daily = {name: rows.by_slot(name, slots=windows.slots) for name in MEASURES}
    planned = [table.texts[name] for name in ("market", "queue", "rater_kind")]
    plans = group_by(*(codes.values for codes in (*planned, *rules.references))).group
    largest = largest_weights(table, windows=windows, plans=plans)
    figures: list[Figures] = []
    for subject in subjects:
        if not subject.keys.any():
            continue
        counts = _counts(table, rows, daily, windows, subject, rules, largest=largest, plans=plans)
        for places in roll_ups(counts.texts):
            for reference in counts.references:
                grid = _grid(counts, places, subject.kind, reference)
                figures += _all_metrics(grid, rules=rules)
    return figures


def _counts(
    table: Table,
    rows: Rows,
    daily: dict[str, FloatArray],
    windows: Windows,
    subject: Subject,
    rules: RateRules,
    *,
    largest: FloatArray,
    plans: IntArray,
) -> _Counts:
    keys = np.flatnonzero(subject.keys)
    codes = (table.texts["market"], table.texts["queue"], subject.name, *rules.references)
    sorts = np.zeros(table.keys, dtype=np.int64)
    for is_event in rules.events.values():
        sorts = sorts * 2 + is_event
    parts = group_by(*(each.values[keys] for each in codes), sorts[keys])
    first = keys[parts.order[parts.starts]]
    return _Counts(
        rows=rows,
        windows=windows,
        keys=keys,
        parts=parts,
        texts={
            "market": table.texts["market"].take(first),
            "queue": table.texts["queue"].take(first),
            "subject": subject.name.take(first),
        },
        references=tuple(reference.take(first) for reference in rules.references),
        events={metric: is_event[first] for metric, is_event in rules.events.items()},
        totals={name: windows.sums(parts.sum(values[:, keys])) for name, values in daily.items()},
        largest=largest,
        plans=plans[first],
    )


def _grid(counts: _Counts, places: RollUp, kind: str, reference: Codes) -> _Grid:
    coded = {
        "market": places.market,
        "queue": places.queue,
        "subject": counts.texts["subject"].take(places.keys),
        "reference_kind": reference.take(places.keys),
    }
    cells = group_by(*(codes.values for codes in coded.values()))
    texts = {name: Codes(values=part, names=coded[name].names) for name, part in zip(coded, cells.parts, strict=True)}
    texts["subject_kind"] = constant(kind, len(cells))
    return _Grid(counts=counts, parts=places.keys, cells=cells, texts=texts)


def _all_metrics(grid: _Grid, *, rules: RateRules) -> Iterator[Figures]:
    total = grid.total("weight")
    window, cell = np.nonzero(total > 0)
    n = grid.total("unit_count")[window, cell]
    weight, squared = total[window, cell] / PER_UNIT, grid.total("weight_squared")[window, cell] / PER_UNIT
    largest = grid.largest_weight()[window, cell]
    is_equal = effective_n(n, weight, squared) == n
    texts = {name: codes.take(cell) for name, codes in grid.texts.items()}
    for metric in grid.counts.events:
        events = grid.total_events("unit_count", metric)[window, cell]
        value = grid.total_events("weight", metric)[window, cell] / PER_UNIT
        events_squared = grid.total_events("weight_squared", metric)[window, cell] / PER_UNIT
        process = _sums(n, weight, value, squared, events_squared)
        finite = _sums(n, weight, value, np.maximum(squared - weight, 0), np.maximum(events_squared - value, 0))
        chosen = mean_interval(process, largest_weight=largest, is_finite=False)
        if rules.is_finite:
            # Where every decision was reviewed the rate is exact; the interval of the process that made it remains.
            known = mean_interval(finite, largest_weight=largest, is_finite=True)
            chosen = Interval(
                low=np.where(known.is_given, known.low, chosen.low),
                high=np.where(known.is_given, known.high, chosen.high),
            )
        may = (n >= MIN_UNITS) & (np.minimum(events, n - events) >= MIN_EVENTS)
        if rules.prefers_wilson:
            may &= ~is_equal
        jackknife = _jackknife(grid, metric, window=window, cell=cell, may=may)
        speaks = jackknife.is_given
        if rules.is_finite:
            ratio = np.sqrt(divide(finite.variance, process.variance))
            jackknife = finite_interval(jackknife, mean=process.mean, ratio=ratio)
        both = widest(chosen, jackknife)
        yield Figures(
            window=window,
            texts=texts | {"metric": constant(metric, len(window))},
            method=np.where(speaks, JACKKNIFE, np.where(is_equal, WILSON, WILSON_EFFECTIVE)),
            estimate=process.mean,
            low=both.low,
            high=both.high,
            n_items=n,
            n_ratings=n,
            reason=np.full(len(window), NO_REASON),
        )


def _sums(
    units: FloatArray, weight: FloatArray, value: FloatArray, spread: FloatArray, spread_events: FloatArray
) -> WeightedSums:
    """Sums of decisions that are events (score 1) or not (0)."""
    return WeightedSums(
        units=units,
        weight=weight,
        value=value,
        spread=spread,
        spread_value=spread_events,
        spread_square=spread_events,
    )


def _jackknife(grid: _Grid, metric: str, *, window: IntArray, cell: IntArray, may: BoolArray) -> Interval:
    """Jackknife intervals of the pairs of window and cell where `may`, and where the events are spread enough.

    Only those pairs are laid out by replicate: most subjects are small and never get that far.
    """
    low, high = np.full(len(window), np.nan), np.full(len(window), np.nan)
    pairs = np.flatnonzero(may)
    pairs = pairs[np.argsort(cell[pairs], kind="stable")]
    cells, first_pair = np.unique(cell[pairs], return_index=True)
    ends = np.append(first_pair, len(pairs))
    sizes = np.maximum(np.diff(ends), grid.counts.windows.slots) * REPLICATES
    for first, stop in blocks(sizes, limit=BLOCK_ELEMENTS):
        chosen = pairs[ends[first] : ends[stop]]
        found = _block(grid, metric, cells=cells[first:stop], window=window[chosen], cell=cell[chosen])
        low[chosen], high[chosen] = found.low, found.high
    return Interval(low=low, high=high)


def _block(grid: _Grid, metric: str, *, cells: IntArray, window: IntArray, cell: IntArray) -> Interval:
    """Intervals of pairs of `window` and `cell`, all of whose cells are among the sorted `cells`."""
    counts, windows = grid.counts, grid.counts.windows
    place = np.full(len(grid.cells), -1)
    place[cells] = np.arange(len(cells))
    column_of_part = np.full(len(counts.parts), -1)
    column_of_part[grid.parts] = place[grid.cells.group]
    members = np.flatnonzero(column_of_part[counts.parts.group] >= 0)
    part = counts.parts.group[members]
    rows = counts.rows.of_keys(counts.keys[members])
    column = column_of_part[part][rows.key]
    is_event = counts.events[metric][part][rows.key]

    def sums(weights: FloatArray) -> FloatArray:
        daily = rows.by_replicate(weights, column=column, shape=(windows.slots, len(cells)))
        return windows.pair_sums(daily, window=window, column=place[cell])

    n, weight = rows.numbers["unit_count"], rows.numbers["weight"]
    units, events = sums(n), sums(n * is_event)
    rarer, spread = rarer_outcome(events, units - events)
    with np.errstate(divide="ignore", invalid="ignore"):
        rates = leave_one_out(sums(weight * is_event)) / leave_one_out(sums(weight))
    found = interval(rates, transform="logit")
    speaks = may_speak(units.sum(axis=0), rarer, spread) & found.is_given
    return Interval(low=np.where(speaks, found.low, np.nan), high=np.where(speaks, found.high, np.nan))
