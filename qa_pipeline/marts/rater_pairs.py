"""`marts.rater_pairs`: Cohen's kappa of two raters, how far their labels are shifted, and the means over pairs.

Laying tables of two raters out, and rows, belong here; the coefficients are `stats.pairs`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np

from qa_pipeline.config import Config
from qa_pipeline.marts.cells import Rows, group_by, rows_by_key, summed
from qa_pipeline.marts.patterns import CellScale, queue_scale
from qa_pipeline.marts.reading import Codes, Table, coded, read_table
from qa_pipeline.marts.records import LINEARISED, NO_METHOD, NO_REASON, REASONS, Figures, constant
from qa_pipeline.stats.agreement import Coefficient
from qa_pipeline.stats.agreement_intervals import MIN_MINORITY_AGREEMENT, combined_degrees, degrees_of_few
from qa_pipeline.stats.jackknife import BoolArray, FloatArray, IntArray, Transform, delta_interval, divide
from qa_pipeline.stats.pairs import MIN_SHARED_ITEMS, bias_index, cohen_kappa, minority_agreement
from qa_pipeline.stats.windows import Windows

COMMENT = (
    "Agreement of two raters on the items that both rated, per market and queue. subject_kind pair: two annotators "
    f"(subject: their ids joined by ' & ') with {MIN_SHARED_ITEMS} shared items or more; model_pair: two LLM judges; "
    "model_version: a person, drawn by hash where several rated the item, against the model version. cohen_kappa: "
    "labels equal or not; cohen_kappa_weighted: by the distance of the queue's scale, where it has one; bias_index: "
    "half the sum of the absolute differences of the two raters' shares of labels. subject_kind pool: the mean over "
    "the pool's pairs weighted by shared items. n_items: shared items; n_ratings: two each. Periods: week, all and "
    "the newest trailing_28d. Intervals: linearised (Fleiss, Cohen and Everitt 1969 for kappa; an upper bound for "
    "bias_index)."
)
_METRICS = ("cohen_kappa", "cohen_kappa_weighted", "bias_index")
_KIND = {"production": "pair", "model": "model_pair", "human_model": "model_version"}


@dataclass(frozen=True)
class _Pairs:
    """The pairs of one cell: their names, and `counts` `[W, pairs, L, L]` of shared items by both labels."""

    market: str
    queue: str
    pool: str
    subjects: tuple[str, ...]
    counts: FloatArray
    scale: CellScale
    weights: FloatArray


@dataclass(frozen=True)
class _Found:
    """One metric of the pairs of a cell, `[W, pairs]` each: estimate, linearised variance, degrees, whether enough."""

    value: FloatArray
    variance: FloatArray
    degrees: FloatArray
    is_enough: BoolArray
    items: FloatArray


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
            found = _measured(pairs, metric)
            figures.append(_rows(pairs, found, metric=metric, kind=_KIND[pairs.pool], subjects=pairs.subjects))
            if pairs.pool != "human_model":
                subject = (pairs.pool,)
                figures.append(_rows(pairs, _mean(found), metric=metric + "_mean", kind="pool", subjects=subject))
    return figures


def _cells(table: Table, config: Config, windows: Windows) -> Iterator[_Pairs]:
    texts = table.texts
    cells = group_by(texts["rater_pool"].values, texts["market"].values, texts["queue"].values)
    rows = rows_by_key(table, windows)
    of_key = rows.by_slot("unit_count", slots=windows.slots).sum(axis=0)
    bounds = np.append(cells.starts, table.keys)
    for cell in range(len(cells)):
        keys = cells.order[bounds[cell] : bounds[cell + 1]]
        pairs = group_by(texts["rater_a"].values[keys], texts["rater_b"].values[keys])
        often = np.flatnonzero(pairs.sum(of_key[keys]) >= MIN_SHARED_ITEMS)
        if not len(often):
            continue
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
) -> _Pairs:
    """Counts of one cell; `labels` and `pair` are those of the keys of `rows`."""
    texts = [[codes.names[value] for value in codes.values] for codes in labels]
    names = scale.order({*texts[0], *texts[1]})
    column = {label: index for index, label in enumerate(names)}
    first, second = (np.array([column[label] for label in found], dtype=np.int64) for found in texts)
    size = len(names)
    of_key = (pair * size + first) * size + second
    flat = rows.slot * (len(subjects) * size * size) + of_key[rows.key]
    daily = summed(flat, rows.numbers["unit_count"], shape=(windows.slots, len(subjects), size, size))
    market, queue, pool = place
    return _Pairs(market, queue, pool, subjects, windows.sums(daily), scale, scale.weights(names))


def _measured(pairs: _Pairs, metric: str) -> _Found:
    counts, size = pairs.counts, pairs.counts.shape[-1]
    flat = counts.reshape(*counts.shape[:-2], size * size)
    items = flat.sum(axis=-1)
    agreed = np.trace(counts, axis1=-2, axis2=-1)
    events = np.minimum(agreed, items - agreed)
    if metric == "bias_index":
        found: Coefficient = bias_index(counts)
        enough = items >= MIN_SHARED_ITEMS
        degrees = degrees_of_few(found.effective_units(flat))
    else:
        weights = pairs.weights if metric == "cohen_kappa_weighted" else np.eye(size)
        found = cohen_kappa(counts, weights=weights)
        minority = minority_agreement(counts)
        enough = (items >= MIN_SHARED_ITEMS) & (events >= 1) & (minority >= MIN_MINORITY_AGREEMENT)
        degrees = degrees_of_few(found.effective_units(flat), events=events, minority=minority)
    return _Found(found.value, found.variance(flat), degrees, enough & np.isfinite(found.value), items)


def _mean(found: _Found) -> _Found:
    """The mean over pairs weighted by shared items, over the pairs that have enough; `[W, 1]` each."""
    items = np.where(found.is_enough, found.items, 0)
    total = items.sum(axis=-1, keepdims=True)
    share = np.square(items) * np.where(found.is_enough, found.variance, 0)
    summed_share = share.sum(axis=-1, keepdims=True)
    value = divide((items * np.where(found.is_enough, found.value, 0)).sum(axis=-1, keepdims=True), total)
    degrees = combined_degrees(summed_share, (np.square(share) / found.degrees).sum(axis=-1, keepdims=True))
    return _Found(value, divide(summed_share, np.square(total)), degrees, total > 0, total)


def _rows(pairs: _Pairs, found: _Found, *, metric: str, kind: str, subjects: tuple[str, ...]) -> Figures:
    is_bias = metric.startswith("bias_index")
    transform: Transform = "identity" if is_bias else "atanh"
    made = delta_interval(found.value, found.variance, transform=transform, degrees=found.degrees)
    low, high = (np.clip(made.low, 0, 1), np.clip(made.high, 0, 1)) if is_bias else (made.low, made.high)
    given = found.is_enough & made.is_given
    reason = np.where(found.items < MIN_SHARED_ITEMS, REASONS.index("too_few_items"), REASONS.index("rare_labels"))
    reason = np.where(np.isnan(found.value), REASONS.index("one_label_only"), reason)
    window, pair = np.nonzero(found.items >= (1 if kind == "pool" else MIN_SHARED_ITEMS))
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
        method=np.where(given, LINEARISED, NO_METHOD)[window, pair],
        estimate=np.where(given, found.value, np.nan)[window, pair],
        low=np.where(given, low, np.nan)[window, pair],
        high=np.where(given, high, np.nan)[window, pair],
        n_items=found.items[window, pair],
        n_ratings=2 * found.items[window, pair],
        reason=np.where(given, NO_REASON, reason)[window, pair],
    )
