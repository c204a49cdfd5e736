"""`marts.confusion_pairs`: which two labels raters confuse, and what agreement would gain if they were one.

Merging labels in the sums belongs here; alpha is `stats.agreement`.
"""

import itertools
from dataclasses import dataclass

import numpy as np

from qa_pipeline.config import Config
from qa_pipeline.marts.cells import CROSS, Rows, rows_by_key
from qa_pipeline.marts.mart import Headline, Mart, Source
from qa_pipeline.marts.pattern_sums import pattern_counts, production_cells
from qa_pipeline.marts.patterns import labels_in, queue_scale, text_patterns
from qa_pipeline.marts.reading import Table
from qa_pipeline.marts.records import JACKKNIFE, NO_METHOD, NO_REASON, REASONS, WILSON, Figures, constant
from qa_pipeline.stats.agreement import Patterns, alpha_of_coincidences
from qa_pipeline.stats.agreement_intervals import degrees_of_few
from qa_pipeline.stats.jackknife import (
    MIN_UNITS,
    FloatArray,
    Interval,
    divide,
    interval,
    leave_one_out,
    may_speak,
    rarer_outcome,
)
from qa_pipeline.stats.proportions import wilson
from qa_pipeline.stats.windows import Windows

SHARE, GAIN = "share_of_disagreement", "alpha_gain_if_merged"
JOINT = " / "
_COMMENT = (
    "Two labels (subject: joined by ' / ') that production annotators gave to one item, per market and queue. "
    "share_of_disagreement: their share of all disagreeing pairs of ratings (n_items: units with any disagreement). "
    "alpha_gain_if_merged: Krippendorff's nominal alpha if the two were one label, minus what it is (n_items: units "
    "with two ratings or more). n_ratings: units that carry both labels. Periods: week, all and the newest "
    "trailing_28d. Intervals: jackknife with 100 units or more, 10 of them with both labels (and 10 without), in 8 "
    "replicates; the share otherwise Wilson."
)
MART = Mart(
    name="confusion_pairs",
    comment=_COMMENT,
    queries=("agreement_units",),
    headline=Headline("label_pair", "", SHARE, ""),
    source=Source("unit_patterns"),
)


@dataclass(frozen=True)
class _Evidence:
    """Units of one pair of labels and window, per replicate `[W, 20]`: in which raters disagree, in which on these."""

    units: FloatArray
    disagreeing: FloatArray
    on_these: FloatArray


def confusion_figures(table: Table, *, config: Config, windows: Windows) -> list[Figures]:
    """Figures of marts.confusion_pairs from the units of pool production (see `agreement`); none without units."""
    if not len(table):
        return []
    rows = rows_by_key(table, windows)
    figures = []
    for (market, queue), keys in production_cells(table).items():
        if market == CROSS:
            continue
        texts = [table.texts["pattern"].names[code] for code in table.texts["pattern"].values[keys]]
        labels = queue_scale(config, queue).order(labels_in(texts))
        figures += _cell(rows.of_keys(keys), text_patterns(texts, labels), labels, windows, place=(market, queue))
    return figures


def _cell(
    rows: Rows, patterns: Patterns, labels: tuple[str, ...], windows: Windows, *, place: tuple[str, str]
) -> list[Figures]:
    """Both metrics of every two labels that were ever given to one unit."""
    counts = pattern_counts(rows, len(patterns.ratings), windows)
    without, size = leave_one_out(counts), len(labels)
    pairs = patterns.sum_coincidences(without)
    alpha = alpha_of_coincidences(pairs, weights=np.eye(size), is_ordinal=False)
    total = pairs.sum(axis=(-2, -1)) - np.trace(pairs, axis1=-2, axis2=-1)
    disagrees = (patterns.is_pairable & ~patterns.is_unanimous).astype(np.float64)
    figures = []
    for one, other in itertools.combinations(range(size), 2):
        both = ((patterns.ratings[:, one] > 0) & (patterns.ratings[:, other] > 0)).astype(np.float64)
        evidence = _Evidence(counts @ patterns.is_pairable.astype(np.float64), counts @ disagrees, counts @ both)
        if evidence.on_these.sum() == 0:
            continue
        share = divide(pairs[..., one, other] + pairs[..., other, one], total)
        gain = alpha_of_coincidences(_merged(pairs, one, other), weights=np.eye(size - 1), is_ordinal=False) - alpha
        name = f"{labels[one]}{JOINT}{labels[other]}"
        figures += [
            _figures(share, evidence, metric=SHARE, subject=name, place=place),
            _figures(gain, evidence, metric=GAIN, subject=name, place=place),
        ]
    return figures


def _merged(pairs: FloatArray, one: int, other: int) -> FloatArray:
    """Coincidences with label `other` counted as label `one`, `[..., L - 1, L - 1]`."""
    size = pairs.shape[-1]
    into = np.eye(size)
    into[other, one] = 1
    kept = into[:, np.arange(size) != other]
    merged: FloatArray = kept.T @ pairs @ kept
    return merged


def _figures(
    statistics: FloatArray, evidence: _Evidence, *, metric: str, subject: str, place: tuple[str, str]
) -> Figures:
    """Rows of one metric and two labels; `statistics` `[W, 21]`."""
    base = evidence.disagreeing if metric == SHARE else evidence.units
    events, spread = rarer_outcome(evidence.on_these[..., None], (base - evidence.on_these)[..., None])
    units = base.sum(axis=1)
    degrees = degrees_of_few(None, events=events)
    found = interval(statistics[..., None], transform="logit" if metric == SHARE else "identity", degrees=degrees)
    speaks = (may_speak(units[:, None], events, spread) & found.is_given)[:, 0]
    estimate = statistics[:, 0]
    other = wilson(estimate, units) if metric == SHARE else Interval(*(np.full(len(units), np.nan),) * 2)
    low, high = np.where(speaks, found.low[:, 0], other.low), np.where(speaks, found.high[:, 0], other.high)
    given = np.isfinite(low) & np.isfinite(high) & np.isfinite(estimate)
    method = np.where(speaks, JACKKNIFE, np.where(given, WILSON, NO_METHOD))
    reason = np.where(units < MIN_UNITS, REASONS.index("too_few_items"), REASONS.index("too_few_disagreements"))
    reason = np.where(np.isnan(estimate), REASONS.index("one_label_only"), reason)
    window = np.flatnonzero(evidence.on_these.sum(axis=1) > 0)
    rows = len(window)
    return Figures(
        window=window,
        texts={
            "market": constant(place[0], rows),
            "queue": constant(place[1], rows),
            "subject_kind": constant("label_pair", rows),
            "subject": constant(subject, rows),
            "metric": constant(metric, rows),
            "reference_kind": constant("", rows),
        },
        method=method[window],
        estimate=np.where(given, estimate, np.nan)[window],
        low=np.where(given, low, np.nan)[window],
        high=np.where(given, high, np.nan)[window],
        n_items=units[window],
        n_ratings=evidence.on_these.sum(axis=1)[window],
        reason=np.where(given, NO_REASON, reason)[window],
    )
