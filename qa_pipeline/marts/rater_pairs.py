"""`marts.rater_pairs`: Cohen's kappa of two raters, how far their labels are shifted, and the mean kappa of pairs.

Laying tables of two raters out, and rows, belong here; the coefficients are `stats.pairs`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np

from qa_pipeline.config import Config
from qa_pipeline.contracts import REPLICATES
from qa_pipeline.marts.cells import Rows, group_by, rows_by_key, summed
from qa_pipeline.marts.mart import Headline, Mart, Source
from qa_pipeline.marts.patterns import CellScale, queue_scale
from qa_pipeline.marts.reading import Codes, Table, coded, read_table
from qa_pipeline.marts.records import JACKKNIFE, LINEARISED, NO_METHOD, NO_REASON, REASONS, Figures, constant
from qa_pipeline.stats.agreement import Coefficient, besides_commonest
from qa_pipeline.stats.agreement_intervals import MIN_MINORITY_AGREEMENT, degrees_of_few
from qa_pipeline.stats.jackknife import (
    MIN_UNITS,
    BoolArray,
    FloatArray,
    IntArray,
    Interval,
    Transform,
    bias_corrected,
    delta_interval,
    divide,
    interval,
    may_speak,
    rarer_outcome,
)
from qa_pipeline.stats.pairs import MIN_SHARED_ITEMS, bias_index, cohen_kappa, minority_agreement
from qa_pipeline.stats.windows import Windows

_COMMENT = (
    "Agreement of two raters on the items that both rated, per market and queue. subject_kind pair: two annotators "
    f"(subject: their ids joined by ' & ') with {MIN_SHARED_ITEMS} shared items or more; model_pair: two LLM judges; "
    "model_version: a person, drawn by hash where several rated the item, against the model version. cohen_kappa: "
    "labels equal or not; cohen_kappa_weighted: by the distance of the queue's scale, where it has one; bias_index: "
    "half the sum of the absolute differences of the two raters' shares of labels. subject_kind pool: the mean kappa "
    f"of all pairs with {MIN_SHARED_ITEMS} shared items and a defined kappa, weighted by shared items. n_items: shared "
    "items; of a pool pairs x items, so an item that five people rated counts ten times. n_ratings: two each. Periods: "
    "week, all and the newest trailing_28d. Intervals: linearised (Fleiss, Cohen and Everitt 1969 for kappa; an upper "
    "bound for bias_index); of a pool jackknife, because its pairs share raters and items."
)
MART = Mart(
    name="rater_pairs",
    comment=_COMMENT,
    queries=("pair_tables",),
    headline=Headline("pool", "production", "cohen_kappa_mean", ""),
    source=Source("unit_patterns"),
)
_METRICS = ("cohen_kappa", "cohen_kappa_weighted", "bias_index")
_KIND = {"production": "pair", "model": "model_pair", "human_model": "model_version"}


@dataclass(frozen=True)
class _Pairs:
    """The pairs of one cell with enough shared items: names, and `counts` `[W, pairs, L, L]` of these by both labels.

    `all_items` `[W]` are shared items of all pairs of the cell, those with few too.
    """

    market: str
    queue: str
    pool: str
    subjects: tuple[str, ...]
    counts: FloatArray
    scale: CellScale
    weights: FloatArray
    rows: "_PairRows"
    all_items: FloatArray


@dataclass(frozen=True)
class _PairRows:
    """The rows behind the counts of a cell, by slot: `of` says which pair, `table` which place in its `[L * L]`."""

    windows: Windows
    slot: IntArray
    replicate: IntArray
    of: IntArray
    table: IntArray
    count: FloatArray

    def by_replicate(self, chosen: BoolArray, *, size: int) -> Iterator[FloatArray]:
        """Counts `[chosen, size]` in each replicate of the pairs of a window that are `chosen` `[W, pairs]`."""
        first, stop = (np.searchsorted(self.slot, edge) for edge in (self.windows.first, self.windows.stop))
        window = np.repeat(np.arange(len(self.windows)), stop - first)
        row = np.concatenate([np.arange(*span) for span in zip(first, stop, strict=True)])
        is_chosen = chosen[window, self.of[row]]
        window, row = window[is_chosen], row[is_chosen]
        number = np.cumsum(chosen).reshape(chosen.shape) - 1
        place = number[window, self.of[row]] * size + self.table[row]
        replicate, count, shape = self.replicate[row], self.count[row], (int(chosen.sum()), size)
        for each in range(REPLICATES):
            own = replicate == each
            yield summed(place[own], count[own], shape=shape)


@dataclass(frozen=True)
class _Found:
    """One metric of the pairs of a cell, `[W, pairs]` each: a row where `is_shown`; `reason` where no `is_given`."""

    value: FloatArray
    interval: Interval
    is_given: BoolArray
    is_shown: BoolArray
    items: FloatArray
    reason: IntArray


def pair_figures(con: duckdb.DuckDBPyConnection, *, sql_root: Path, config: Config, windows: Windows) -> list[Figures]:
    """Figures of marts.rater_pairs from `tallies.pair_counts`; none when the tally is empty."""
    table = read_table(con, sql_root=sql_root, name="pair_tables", parameters={})
    if not len(table):
        return []
    figures = []
    for pairs in _cells(table, config, windows):
        for metric in _METRICS:
            if metric == "cohen_kappa_weighted" and pairs.scale.kind == "nominal":
                continue
            if pairs.subjects:
                found = _measured(pairs, metric)
                kind = _KIND[pairs.pool]
                figures.append(
                    _rows(pairs, found, metric=metric, kind=kind, subjects=pairs.subjects, method=LINEARISED)
                )
            if pairs.pool != "human_model" and metric != "bias_index":
                mean, subject = _mean(pairs, metric), (pairs.pool,)
                figures.append(
                    _rows(pairs, mean, metric=metric + "_mean", kind="pool", subjects=subject, method=JACKKNIFE)
                )
    return figures


def _cells(table: Table, config: Config, windows: Windows) -> Iterator[_Pairs]:
    texts = table.texts
    cells = group_by(texts["rater_pool"].values, texts["market"].values, texts["queue"].values)
    rows = rows_by_key(table, windows)
    daily = rows.by_slot("unit_count", slots=windows.slots)
    of_key = daily.sum(axis=0)
    bounds = np.append(cells.starts, table.keys)
    for cell in range(len(cells)):
        keys = cells.order[bounds[cell] : bounds[cell + 1]]
        pairs = group_by(texts["rater_a"].values[keys], texts["rater_b"].values[keys])
        often = np.flatnonzero(pairs.sum(of_key[keys]) >= MIN_SHARED_ITEMS)
        kept = np.isin(pairs.group, often)
        pool, market, queue = (
            texts[name].names[part[cell]]
            for name, part in zip(("rater_pool", "market", "queue"), cells.parts, strict=True)
        )
        names = [_name(texts, pairs.parts, place) for place in often.tolist()]
        yield _dense(
            rows.of_keys(keys[kept]),
            (texts["label_a"].take(keys[kept]), texts["label_b"].take(keys[kept])),
            np.searchsorted(often, pairs.group[kept]),
            place=(market, queue, pool),
            subjects=tuple(names),
            scale=queue_scale(config, queue),
            windows=windows,
            all_items=windows.sums(daily[:, keys].sum(axis=1)),
        )


def _name(texts: dict[str, Codes], parts: tuple[IntArray, ...], place: int) -> str:
    first, second = texts["rater_a"].names[parts[0][place]], texts["rater_b"].names[parts[1][place]]
    return f"{first} & {second}" if first else second


def _dense(
    rows: Rows,
    labels: tuple[Codes, Codes],
    pair: IntArray,
    *,
    place: tuple[str, str, str],
    subjects: tuple[str, ...],
    scale: CellScale,
    windows: Windows,
    all_items: FloatArray,
) -> _Pairs:
    """Counts of one cell; `labels` and `pair` are those of the keys of `rows`."""
    texts = [[codes.names[value] for value in codes.values] for codes in labels]
    names = scale.order({*texts[0], *texts[1]})
    column = {label: index for index, label in enumerate(names)}
    first, second = (np.array([column[label] for label in found], dtype=np.int64) for found in texts)
    # Without any pair there are no labels, but the arrays need one.
    size = max(len(names), 1)
    table = (first * size + second)[rows.key]
    flat = (rows.slot * len(subjects) + pair[rows.key]) * (size * size) + table
    counts = summed(flat, rows.numbers["unit_count"], shape=(windows.slots, len(subjects), size, size))
    order = np.argsort(rows.slot, kind="stable")
    market, queue, pool = place
    return _Pairs(
        market,
        queue,
        pool,
        subjects,
        windows.sums(counts),
        scale,
        scale.weights(names) if names else np.eye(1),
        _PairRows(
            windows=windows,
            slot=rows.slot[order],
            replicate=rows.replicate[order],
            of=pair[rows.key][order],
            table=table[order],
            count=rows.numbers["unit_count"][order],
        ),
        all_items,
    )


def _measured(pairs: _Pairs, metric: str) -> _Found:
    counts, size = pairs.counts, pairs.counts.shape[-1]
    flat = counts.reshape(*counts.shape[:-2], size * size)
    items = flat.sum(axis=-1)
    events = _rarer(counts)
    minority = minority_agreement(counts)
    if metric == "bias_index":
        found: Coefficient = bias_index(counts)
        transform: Transform = "identity"
        enough = np.ones(items.shape, dtype=np.bool_)
        degrees = degrees_of_few(found.effective_units(flat))
    else:
        found, transform = cohen_kappa(counts, weights=_weights(pairs, metric)), "atanh"
        enough = (events >= 1) & (minority >= MIN_MINORITY_AGREEMENT)
        degrees = degrees_of_few(found.effective_units(flat), events=events, minority=minority)
    made = delta_interval(found.value, found.variance(flat), transform=transform, degrees=degrees)
    if metric == "bias_index":
        made = Interval(low=np.clip(made.low, 0, 1), high=np.clip(made.high, 0, 1))
    is_shown = items >= MIN_SHARED_ITEMS
    reason = np.where(events >= 1, REASONS.index("rare_labels"), REASONS.index("too_few_disagreements"))
    reason = np.where(np.isnan(found.value), REASONS.index("one_label_only"), reason)
    given = is_shown & enough & made.is_given
    return _Found(np.where(given, found.value, np.nan), made, given, is_shown, items, reason)


def _mean(pairs: _Pairs, metric: str) -> _Found:
    """Mean kappa over the pairs that have enough items, weighted by these, `[W, 1]` each.

    Its pairs share raters and items, so their variances do not add up: items are left out by replicate. Which pairs
    are averaged never depends on whether they have an interval of their own, which would favour some kappas. Kappa of
    few items is too low, and many such pairs would have a short interval around the wrong place, so it is moved by the
    jackknife's correction (and still includes the mean). How many items are informative cannot be counted from pairs;
    at least as many are as one pair has, and as there are replicates with any.
    """
    size, weights = pairs.counts.shape[-1], _weights(pairs, metric)
    items = pairs.counts.sum(axis=(-2, -1))
    enough = items >= MIN_SHARED_ITEMS
    chosen = enough & np.isfinite(cohen_kappa(pairs.counts, weights=weights).value)
    whole, window = pairs.counts[chosen], np.nonzero(chosen)[0]
    slots = len(items)
    together = (pairs.counts * chosen[..., None, None]).sum(axis=1)
    given_labels = together.sum(axis=-1) + together.sum(axis=-2)

    def mean(counts: FloatArray) -> FloatArray:
        kappa, shared = cohen_kappa(counts, weights=weights).value, counts.sum(axis=(-2, -1))
        shared = np.where(np.isfinite(kappa), shared, 0)
        total = summed(window, shared * np.nan_to_num(kappa), shape=(slots,))
        return divide(total, summed(window, shared, shape=(slots,)))

    statistics, agreed, differed, rare = [mean(whole)], [], [], []
    for own in pairs.rows.by_replicate(chosen, size=size * size):
        counts = own.reshape(-1, size, size)
        statistics.append(mean(whole - counts))
        same = np.trace(counts, axis1=-2, axis2=-1)
        agreed.append(summed(window, same, shape=(slots,)))
        differed.append(summed(window, own.sum(axis=-1) - same, shape=(slots,)))
        rare.append(summed(window, _besides(counts, given_labels[window]), shape=(slots,)) > 0)
    total = np.where(chosen, items, 0).sum(axis=-1)
    events, spread = rarer_outcome(np.stack(agreed), np.stack(differed))
    of_one = np.where(chosen, _rarer(pairs.counts), 0).max(axis=-1, initial=0)
    informative = np.maximum(of_one, spread)
    of_one = np.where(chosen, _besides(pairs.counts, given_labels[:, None]), 0).max(axis=-1, initial=0)
    minority = np.maximum(of_one, np.stack(rare).sum(axis=0))
    stacked = np.stack(statistics)
    moved = stacked + (bias_corrected(stacked) - stacked[0])
    degrees = degrees_of_few(None, events=informative, minority=minority)
    made = interval(moved, transform="atanh", degrees=degrees)
    made = Interval(low=np.minimum(made.low, stacked[0]), high=np.maximum(made.high, stacked[0]))
    given = may_speak(total, events, spread) & (minority >= MIN_MINORITY_AGREEMENT) & made.is_given
    reason = np.select(
        [~enough.any(axis=-1), ~chosen.any(axis=-1), events < 1, minority < MIN_MINORITY_AGREEMENT, total < MIN_UNITS],
        [
            REASONS.index(name)
            for name in ("too_few_items", "one_label_only", "too_few_disagreements", "rare_labels", "too_few_items")
        ],
        default=REASONS.index("too_few_events"),
    )
    shown = np.where(chosen.any(axis=-1), total, np.where(enough, items, 0).sum(axis=-1))
    shown = np.where(enough.any(axis=-1), shown, pairs.all_items)
    return _Found(
        value=statistics[0][:, None],
        interval=Interval(low=made.low[:, None], high=made.high[:, None]),
        is_given=given[:, None],
        is_shown=shown[:, None] > 0,
        items=shown[:, None],
        reason=reason[:, None],
    )


def _weights(pairs: _Pairs, metric: str) -> FloatArray:
    return pairs.weights if metric.startswith("cohen_kappa_weighted") else np.eye(pairs.counts.shape[-1])


def _besides(counts: FloatArray, given: FloatArray) -> FloatArray:
    """Items on which both agree on a label other than the commonest of `given` `[..., L]`, of `[..., L, L]`."""
    agreed = np.diagonal(counts, axis1=-2, axis2=-1)
    return besides_commonest(agreed, given=np.broadcast_to(given, agreed.shape))


def _rarer(counts: FloatArray) -> FloatArray:
    """Items of the rarer of agreement and disagreement, of `[..., L, L]`."""
    agreed, items = np.trace(counts, axis1=-2, axis2=-1), counts.sum(axis=(-2, -1))
    rarer: FloatArray = np.minimum(agreed, items - agreed)
    return rarer


def _rows(pairs: _Pairs, found: _Found, *, metric: str, kind: str, subjects: tuple[str, ...], method: int) -> Figures:
    given = found.is_given
    window, pair = np.nonzero(found.is_shown)
    rows = len(window)
    named = coded(list(subjects))
    return Figures(
        window=window,
        texts={
            "market": constant(pairs.market, rows),
            "queue": constant(pairs.queue, rows),
            "subject_kind": constant(kind, rows),
            "subject": named.take(pair),
            "metric": constant(metric, rows),
            "reference_kind": constant("", rows),
        },
        method=np.where(given, method, NO_METHOD)[window, pair],
        estimate=found.value[window, pair],
        low=np.where(given, found.interval.low, np.nan)[window, pair],
        high=np.where(given, found.interval.high, np.nan)[window, pair],
        n_items=found.items[window, pair],
        n_ratings=2 * found.items[window, pair],
        reason=np.where(given, NO_REASON, found.reason)[window, pair],
    )
