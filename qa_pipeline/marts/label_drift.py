"""Drift of what annotators and model versions chose: counts of labels, by replicate, laid out for comparison."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np

from qa_pipeline.contracts import REPLICATES
from qa_pipeline.marts.cells import BLOCK_ELEMENTS, RollUp, Rows, blocks, group_by, roll_ups, rows_by_key
from qa_pipeline.marts.drift import Comparison, drift_figures
from qa_pipeline.marts.reading import Codes, Table, read_table
from qa_pipeline.marts.records import JACKKNIFE, Figures
from qa_pipeline.stats.drift import is_sparse, jackknife_distances
from qa_pipeline.stats.jackknife import FloatArray, IntArray, leave_one_out, may_speak
from qa_pipeline.stats.windows import Windows


@dataclass(frozen=True)
class LabelCounts:
    """The rows of `sql/marts/drift_labels.sql`, as they came and by key."""

    table: Table
    rows: Rows


def read_label_counts(con: duckdb.DuckDBPyConnection, *, sql_root: Path, windows: Windows) -> LabelCounts:
    """Read `tallies.label_counts`."""
    table = read_table(con, sql_root=sql_root, name="drift_labels", parameters={})
    return LabelCounts(table=table, rows=rows_by_key(table, windows))


def label_drift_figures(counts: LabelCounts, *, windows: Windows) -> list[Figures]:
    """Figures of subject_kind labels and predictions; none when the tally is empty.

    Categories are labels within a queue; queue ALL compares queue and label together, so that a change in the mix of
    queues is drift there and labels that share a code are not mixed up.
    """
    return [
        figures
        for places in roll_ups(counts.table.texts)
        for comparison in _comparisons(counts, places, windows)
        for figures in drift_figures(comparison)
    ]


def _comparisons(counts: LabelCounts, places: RollUp, windows: Windows) -> Iterator[Comparison]:
    table, rows = counts.table, counts.rows
    coded = {
        "market": places.market,
        "queue": places.queue,
        "subject_kind": table.texts["subject_kind"].take(places.keys),
        "subject": table.texts["subject"].take(places.keys),
    }
    category = (table.texts["queue"].values[places.keys], table.texts["label"].values[places.keys])
    groups = group_by(*(codes.values for codes in coded.values()), *category)
    bounds = np.append(groups.runs(len(coded)), len(groups))
    sizes = np.diff(bounds) * len(windows) * (REPLICATES + 1)
    for first, stop in blocks(sizes, limit=BLOCK_ELEMENTS):
        low, high = int(bounds[first]), int(bounds[stop])
        members = np.flatnonzero((groups.group >= low) & (groups.group < high))
        block = rows.of_keys(places.keys[members])
        column = groups.group[members][block.key] - low
        shape = (windows.slots, high - low)
        daily = block.by_replicate(block.numbers["unit_count"], column=column, shape=shape)
        parts = zip(coded.items(), groups.parts, strict=False)
        texts = {name: Codes(values=part[bounds[first:stop]], names=codes.names) for (name, codes), part in parts}
        yield _compare(daily, bounds[first:stop] - low, texts, windows)


def _compare(daily: FloatArray, starts: IntArray, texts: dict[str, Codes], windows: Windows) -> Comparison:
    current, baseline = windows.sums(daily), windows.baseline_sums(daily)
    both = current + baseline
    all_current, all_baseline = leave_one_out(current), leave_one_out(baseline)
    events, spread = _outside_commonest(both, starts)
    counts = [np.add.reduceat(sums[:, 0], starts, axis=-1) for sums in (all_current, all_baseline)]
    seen = (both.sum(axis=1) > 0).astype(np.float64)
    return Comparison(
        texts=texts,
        estimates=jackknife_distances(all_current, all_baseline, starts=starts),
        method=JACKKNIFE,
        current=counts[0],
        baseline=counts[1],
        current_units=counts[0],
        baseline_units=counts[1],
        categories=np.add.reduceat(seen, starts, axis=-1),
        has_events=may_speak(counts[0] + counts[1], events, spread),
        is_sparse=is_sparse(all_current[:, 0], all_baseline[:, 0], starts=starts),
    )


def _outside_commonest(both: FloatArray, starts: IntArray) -> tuple[FloatArray, FloatArray]:
    """Decisions outside each group's commonest category, `[W, groups]`, and the replicates that have any."""
    sizes = np.diff(starts, append=both.shape[-1])
    totals = both.sum(axis=1)
    commonest = np.repeat(np.maximum.reduceat(totals, starts, axis=-1), sizes, axis=-1) == totals
    # Of equally common categories the first is the commonest.
    earlier = np.cumsum(commonest, axis=-1)
    before = np.repeat((earlier - commonest)[..., starts], sizes, axis=-1)
    is_commonest = commonest & (earlier - before == 1)
    outside = np.add.reduceat(both * ~is_commonest[:, None, :], starts, axis=-1)
    return outside.sum(axis=1), (outside > 0).sum(axis=1).astype(np.float64)
