"""Mean scores of judged decisions, weighted by inclusion probability: what accuracy and defect rate share.

A rate is Hajek's: weighted events over weighted decisions, the weight of a decision being 1 / inclusion probability (J.
Hajek 1971, in Foundations of Statistical Inference); the mean of a score between 0 and 1 likewise. Roll-ups add the
weights up, so they speak of the population that the samples were drawn from. The interval is that of
`stats.weighted_means`; where weights differ the jackknife, which knows that decisions on one item go together, widens
it. Which decisions are counted, and how they score, belongs to the caller.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

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
from qa_pipeline.marts.sampling_plans import PER_UNIT, largest_weights
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


@dataclass(frozen=True)
class Subject:
    """Whom a rate is about: the keys of the table that count (`[keys]`) and what each is called."""

    kind: str
    keys: BoolArray
    name: Codes


@dataclass(frozen=True)
class Score:
    """What a metric is the mean of, per key: `values` `[keys]` from 0 to 1, and what a score of 1 counts.

    The figure is the mean times `scale`. What scores above 0 is an event.
    """

    values: FloatArray
    scale: float

    def take(self, keys: IntArray) -> "Score":
        """The scores of some keys."""
        return Score(values=self.values[keys], scale=self.scale)

    @property
    def is_share(self) -> bool:
        """Whether every score is 0 or 1, and so its own square."""
        return bool(np.all((self.values == 0) | (self.values == 1)))


def share(is_event: BoolArray) -> Score:
    """The score whose mean is the share of events."""
    return Score(values=is_event.astype(np.float64), scale=1.0)


@dataclass(frozen=True)
class RateRules:
    """What is counted, per key of the table, and how intervals are made.

    `scores` are what each metric is the mean of. `references` are the ways to name what a key was judged by;
    every key counts once for each. `prefers_wilson`: no jackknife where the weights of a cell are all equal, as in a
    simple random sample. `is_finite`: every weight is 1 / the chance of a random review, so that a figure is about the
    very decisions of its period. `keeps_weight`: figures have the sum of the weights as the extra column `weight`.
    """

    scores: dict[str, Score]
    references: tuple[Codes, ...]
    prefers_wilson: bool
    is_finite: bool
    keeps_weight: bool = False


@dataclass(frozen=True)
class _Counts:
    """What is counted about one sort of subject, in parts: keys that no figure tells apart are one part.

    `keys` are those of the table that count, `parts` groups them. `texts` and `scores` are per part, `totals` are
    MEASURES per window and part, `[W, parts]`; `largest` are the largest weights `[W, plans]` and `plans` `[parts]`
    says which are a part's.
    """

    rows: Rows
    windows: Windows
    keys: IntArray
    parts: Groups
    texts: dict[str, Codes]
    references: tuple[Codes, ...]
    scores: dict[str, Score]
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

    def total_times(self, name: str, factor: FloatArray) -> FloatArray:
        """A measure times a factor `[parts]` per window and cell, `[W, cells]`."""
        return self.cells.sum((self.counts.totals[name] * factor)[:, self.parts])

    def largest_weight(self) -> FloatArray:
        """The largest weight of the plans that a cell is made up of, per window and cell, `[W, cells]`."""
        of_parts = self.counts.largest[:, self.counts.plans[self.parts]][:, self.cells.order]
        largest: FloatArray = np.maximum.reduceat(of_parts, self.cells.starts, axis=1)
        return largest


def rate_figures(table: Table, *, windows: Windows, subjects: tuple[Subject, ...], rules: RateRules) -> list[Figures]:
    """Figures of every metric for each market x queue, subject and reference, and their roll-ups.

    `table` has the texts market, queue and rater_kind, a replicate, MEASURES and largest_weight. n_items and n_ratings
    are judged decisions: an item that several raters decided counts once for each of them. A plan of sampling is a
    market x queue, kind of rater and reference.
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
    for score in rules.scores.values():
        levels, level = np.unique(score.values, return_inverse=True)
        sorts = sorts * len(levels) + level
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
        scores={metric: score.take(first) for metric, score in rules.scores.items()},
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
    for metric, score in grid.counts.scores.items():
        events = grid.total_times("unit_count", (score.values > 0).astype(np.float64))[window, cell]
        process, finite = _sums(grid, score, window=window, cell=cell, units=n, weight=weight, squared=squared)
        chosen = _chosen_interval(process, finite if rules.is_finite else None, largest=largest)
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
            estimate=process.mean * score.scale,
            low=both.low * score.scale,
            high=both.high * score.scale,
            n_items=n,
            n_ratings=n,
            reason=np.full(len(window), NO_REASON),
            extra={"weight": weight} if rules.keeps_weight else {},
        )


def _chosen_interval(process: WeightedSums, finite: WeightedSums | None, *, largest: FloatArray) -> Interval:
    """The interval about the finite number of decisions; about the process behind them where all were reviewed."""
    if finite is None:
        return mean_interval(process, largest_weight=largest, is_finite=False)
    known = mean_interval(finite, largest_weight=largest, is_finite=True)
    rest = ~known.is_given
    ongoing = mean_interval(process.where(rest), largest_weight=largest[rest], is_finite=False)
    known.low[rest], known.high[rest] = ongoing.low, ongoing.high
    return known


def _sums(
    grid: _Grid,
    score: Score,
    *,
    window: IntArray,
    cell: IntArray,
    units: FloatArray,
    weight: FloatArray,
    squared: FloatArray,
) -> tuple[WeightedSums, WeightedSums]:
    """Sums of the scores of pairs of window and cell: as of a process, and as of the finite number of decisions."""

    def times(name: str, factor: FloatArray) -> FloatArray:
        total: FloatArray = grid.total_times(name, factor)[window, cell] / PER_UNIT
        return total

    value, spread_value = times("weight", score.values), times("weight_squared", score.values)
    value_square, spread_square = value, spread_value
    if not score.is_share:
        squares = np.square(score.values)
        value_square, spread_square = times("weight", squares), times("weight_squared", squares)
    process = WeightedSums(
        units=units,
        weight=weight,
        value=value,
        spread=squared,
        spread_value=spread_value,
        spread_square=spread_square,
    )
    finite = replace(
        process,
        spread=np.maximum(squared - weight, 0),
        spread_value=np.maximum(spread_value - value, 0),
        spread_square=np.maximum(spread_square - value_square, 0),
    )
    return process, finite


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
    score = counts.scores[metric].values[part][rows.key]

    def sums(weights: FloatArray) -> FloatArray:
        daily = rows.by_replicate(weights, column=column, shape=(windows.slots, len(cells)))
        return windows.pair_sums(daily, window=window, column=place[cell])

    n, weight = rows.numbers["unit_count"], rows.numbers["weight"]
    units, events = sums(n), sums(n * (score > 0))
    rarer, spread = rarer_outcome(events, units - events)
    with np.errstate(divide="ignore", invalid="ignore"):
        rates = leave_one_out(sums(weight * score)) / leave_one_out(sums(weight))
    found = interval(rates, transform="logit")
    speaks = may_speak(units.sum(axis=0), rarer, spread) & found.is_given
    return Interval(low=np.where(speaks, found.low, np.nan), high=np.where(speaks, found.high, np.nan))
