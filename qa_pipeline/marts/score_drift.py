"""Drift of model scores: log-linear histograms cut into bins that each hold a tenth of a label's baseline.

Histograms lie side by side, a label after the other; comparing them is `stats.drift`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import numpy.typing as npt

from qa_pipeline.marts.cells import ALL, BLOCK_ELEMENTS, RollUp, Rows, blocks, group_by, roll_ups, rows_by_key, summed
from qa_pipeline.marts.drift import Comparison, drift_figures
from qa_pipeline.marts.label_drift import LabelCounts
from qa_pipeline.marts.reading import Codes, Table, coded, read_table, sql_text
from qa_pipeline.marts.records import MULTINOMIAL_DELTA, Figures, constant
from qa_pipeline.stats.drift import is_sparse, multinomial_distances
from qa_pipeline.stats.jackknife import FloatArray, IntArray
from qa_pipeline.stats.windows import Windows

QUANTILE_BINS = 10
# Bins of `sql/marts/drift_scores.sql`.
FINE_BINS = 1024
_TEXTS = ("market", "queue", "subject", "label")
_GROUP_TEXTS = _TEXTS[:3]


@dataclass(frozen=True)
class _Histograms:
    """Coarse histograms: their `texts` `[histograms]`, and counts `[W, histograms, QUANTILE_BINS]`."""

    texts: dict[str, npt.NDArray[np.object_]]
    current: FloatArray
    baseline: FloatArray


@dataclass(frozen=True)
class _Items:
    """Items decided by a model version: `place` of (market, queue, subject) in `current` and `baseline` `[W, n]`."""

    place: dict[tuple[str, ...], int]
    current: FloatArray
    baseline: FloatArray


def score_drift_figures(
    con: duckdb.DuckDBPyConnection, *, sql_root: Path, windows: Windows, labels: LabelCounts
) -> list[Figures]:
    """Figures of subject_kind scores from `tallies.score_hist`; none when the tally is empty.

    Queue ALL puts the histograms of all queues and labels side by side. `labels` tells how many items each model
    version decided: the independent units, for an item scored for four labels adds four scores. Scores are read a queue
    at a time, because they are by far the largest tally.
    """
    found = list(_coarse_histograms(con, sql_root, windows))
    if not found:
        return []
    together = _Histograms(
        texts={name: np.concatenate([each.texts[name] for each in found]) for name in _TEXTS},
        current=np.concatenate([each.current for each in found], axis=1),
        baseline=np.concatenate([each.baseline for each in found], axis=1),
    )
    items = _decided_items(labels, windows)
    every_queue = together.texts | {"queue": np.full(len(together.texts["queue"]), ALL, dtype=object)}
    return [
        figures
        for texts in (together.texts, every_queue)
        for comparison in _comparisons(together, texts, items)
        for figures in drift_figures(comparison)
    ]


def _coarse_histograms(con: duckdb.DuckDBPyConnection, sql_root: Path, windows: Windows) -> Iterator[_Histograms]:
    for (queue,) in con.execute(sql_text(sql_root, "drift_scored_queues")).fetchall():
        table = read_table(con, sql_root=sql_root, name="drift_scores", parameters={"queue": queue})
        rows = rows_by_key(table, windows)
        for places in roll_ups(table.texts):
            if not places.is_queue_all:
                yield _histograms(table, rows, places, windows)


def _histograms(table: Table, rows: Rows, places: RollUp, windows: Windows) -> _Histograms:
    codes = {
        "market": places.market,
        "queue": places.queue,
        "subject": table.texts["subject"].take(places.keys),
        "label": table.texts["label"].take(places.keys),
    }
    groups = group_by(*(each.values for each in codes.values()))
    current, baseline = [], []
    sizes = np.full(len(groups), FINE_BINS * max(windows.slots, len(windows) // 4))
    for first, stop in blocks(sizes, limit=BLOCK_ELEMENTS):
        members = np.flatnonzero((groups.group >= first) & (groups.group < stop))
        block = rows.of_keys(places.keys[members])
        histogram = groups.group[members][block.key] - first
        fine = (block.slot * (stop - first) + histogram) * FINE_BINS + block.numbers["bin"].astype(np.int64)
        shape = (windows.slots, (stop - first) * FINE_BINS)
        daily = summed(fine, block.numbers["unit_count"], shape=shape)
        used = np.flatnonzero(daily.any(axis=0))
        starts = np.searchsorted(used, np.arange(stop - first) * FINE_BINS)
        coarse = _coarsened(windows.sums(daily[:, used]), windows.baseline_sums(daily[:, used]), starts)
        current.append(coarse[0])
        baseline.append(coarse[1])
    return _Histograms(
        texts={
            name: np.array(each.names, dtype=object)[part]
            for (name, each), part in zip(codes.items(), groups.parts, strict=True)
        },
        current=np.concatenate(current, axis=1),
        baseline=np.concatenate(baseline, axis=1),
    )


def _coarsened(current: FloatArray, baseline: FloatArray, starts: IntArray) -> tuple[FloatArray, FloatArray]:
    """Both `[W, fine bins]` summed into `[W, histograms, QUANTILE_BINS]` by the quantiles of the baseline.

    A fine bin belongs to the quantile that its middle has in the baseline, so no bin is cut in two.
    """
    rows, width = current.shape
    sizes = np.diff(starts, append=width)
    running = np.cumsum(baseline, axis=-1)
    before = np.repeat((running - baseline)[:, starts], sizes, axis=-1)
    total = np.repeat(np.add.reduceat(baseline, starts, axis=-1), sizes, axis=-1)
    middle = running - before - baseline / 2
    quantile = np.floor(QUANTILE_BINS * middle / np.maximum(total, 1))
    place = np.repeat(np.arange(len(starts)), sizes) * QUANTILE_BINS + np.minimum(quantile, QUANTILE_BINS - 1)
    flat = (place + np.arange(rows)[:, None] * (len(starts) * QUANTILE_BINS)).astype(np.int64).ravel()
    shape = (rows, len(starts), QUANTILE_BINS)
    return summed(flat, current.ravel(), shape=shape), summed(flat, baseline.ravel(), shape=shape)


def _decided_items(labels: LabelCounts, windows: Windows) -> _Items:
    table = labels.table
    keys = np.flatnonzero(table.texts["subject_kind"].equal("predictions"))
    daily = labels.rows.of_keys(keys).by_slot("unit_count", slots=windows.slots)
    sums = windows.sums(daily), windows.baseline_sums(daily)
    place: dict[tuple[str, ...], int] = {}
    columns: list[tuple[FloatArray, FloatArray]] = []
    subject = table.texts["subject"].take(keys)
    for places in roll_ups({name: table.texts[name].take(keys) for name in ("market", "queue")}):
        codes = (places.market, places.queue, subject.take(places.keys))
        groups = group_by(*(each.values for each in codes))
        names = zip(
            *([each.names[code] for code in part] for each, part in zip(codes, groups.parts, strict=True)), strict=True
        )
        place |= {name: len(place) + index for index, name in enumerate(names)}
        columns.append((groups.sum(sums[0][:, places.keys]), groups.sum(sums[1][:, places.keys])))
    nothing = np.zeros((len(windows), 1))
    return _Items(
        place=place,
        current=np.concatenate([*(column[0] for column in columns), nothing], axis=1),
        baseline=np.concatenate([*(column[1] for column in columns), nothing], axis=1),
    )


def _comparisons(
    histograms: _Histograms, texts: dict[str, npt.NDArray[np.object_]], items: _Items
) -> Iterator[Comparison]:
    codes = {name: coded(texts[name].tolist()) for name in _GROUP_TEXTS}
    groups = group_by(*(each.values for each in codes.values()))
    bounds = np.append(groups.starts, len(groups.order))
    windows = histograms.current.shape[0]
    for first, stop in blocks(np.diff(bounds) * QUANTILE_BINS * windows, limit=BLOCK_ELEMENTS):
        chosen = groups.order[bounds[first] : bounds[stop]]
        parts = zip(codes.items(), groups.parts, strict=True)
        own = {name: Codes(values=part[first:stop], names=each.names) for (name, each), part in parts}
        names = zip(*([each.names[code] for code in each.values] for each in own.values()), strict=True)
        # The last column holds no items: a version whose decisions are not known.
        place = np.array([items.place.get(name, -1) for name in names])
        yield _compare(
            (histograms.current[:, chosen], histograms.baseline[:, chosen]),
            (items.current[:, place], items.baseline[:, place]),
            first=bounds[first:stop] - bounds[first],
            texts=own | {"subject_kind": constant("scores", stop - first)},
        )


def _compare(
    counts: tuple[FloatArray, FloatArray],
    items: tuple[FloatArray, FloatArray],
    *,
    first: IntArray,
    texts: dict[str, Codes],
) -> Comparison:
    """Compare histograms `[W, histograms, bins]` of groups, the first of which `first` tells, by items `[W, "
    "groups]`."""
    wide = [each.reshape(len(each), -1) for each in counts]
    starts = first * QUANTILE_BINS
    scores = [np.add.reduceat(each, starts, axis=-1) for each in wide]
    # Without known decisions, the scores of the label with most of them stand in for items.
    largest = [np.maximum.reduceat(each.sum(axis=-1), first, axis=-1) for each in counts]
    units = [
        np.where(known > 0, np.minimum(known, all_scores), most)
        for known, all_scores, most in zip(items, scores, largest, strict=True)
    ]
    seen = ((wide[0] + wide[1]) > 0).astype(np.float64)
    return Comparison(
        texts=texts,
        estimates=multinomial_distances(wide[0], wide[1], n=units[0], m=units[1], starts=starts),
        method=MULTINOMIAL_DELTA,
        current=scores[0],
        baseline=scores[1],
        current_units=units[0],
        baseline_units=units[1],
        categories=np.add.reduceat(seen, starts, axis=-1),
        has_events=np.ones(scores[0].shape, dtype=np.bool_),
        is_sparse=is_sparse(wide[0], wide[1], starts=starts),
    )
