"""`marts.drift`: how far a period's labels, predictions and scores are from the 28 days before it.

Rows, reasons and the comment belong here; `label_drift` and `score_drift` lay the counts out, `stats.drift` measures.
"""

from dataclasses import dataclass

import numpy as np

from qa_pipeline.marts.mart import Headline, Mart, Source
from qa_pipeline.marts.reading import Codes
from qa_pipeline.marts.records import NO_METHOD, NO_REASON, REASONS, Figures, constant
from qa_pipeline.stats.drift import Estimate, no_drift_psi
from qa_pipeline.stats.jackknife import MIN_UNITS, BoolArray, FloatArray

_COMMENT = (
    "How far a period is from the 28 days before its first date: psi (population stability index, shares floored at "
    "0.0001, corrected for bias), psi_no_drift (the uncorrected PSI to expect of two samples that do not differ), "
    "js_divergence (Jensen-Shannon, base 2, corrected for bias) and total_variation. subject_kind labels (what "
    "production annotators chose), predictions (what a model version chose) and scores (its scores, per label in ten "
    "bins that each hold a tenth of the baseline). Queue ALL compares queue and label together. n_items: decisions, "
    "for scores decided items; n_ratings: decisions, for scores every score. Both periods need 100. Intervals: "
    "jackknife; scores, which have no replicates, by the delta method on decided items."
)
MART = Mart(
    name="drift",
    comment=_COMMENT,
    queries=("drift_labels", "drift_scored_queues", "drift_scores"),
    headline=Headline("labels", "human", "psi", ""),
    source=Source("label_counts"),
)
NO_DRIFT = "psi_no_drift"


@dataclass(frozen=True)
class Comparison:
    """Two periods compared for every window and group, `[W, groups]` each.

    `texts` code market, queue, subject_kind and subject of the groups. `current` and `baseline` count what is compared,
    `current_units` and `baseline_units` the items behind it, `categories` those seen in either period. `has_events`:
    enough outside the commonest category for an interval; `is_sparse`: too many rare categories for one.
    """

    texts: dict[str, Codes]
    estimates: dict[str, Estimate]
    method: int
    current: FloatArray
    baseline: FloatArray
    current_units: FloatArray
    baseline_units: FloatArray
    categories: FloatArray
    has_events: BoolArray
    is_sparse: BoolArray


def drift_figures(comparison: Comparison) -> list[Figures]:
    """Rows of every metric: one per window and group that has anything in the window."""
    window, group = np.nonzero(comparison.current > 0)
    units, baseline_units = comparison.current_units[window, group], comparison.baseline_units[window, group]
    blocked = np.full(len(window), NO_REASON)
    blocked = np.where(comparison.categories[window, group] < 2, REASONS.index("one_label_only"), blocked)
    blocked = np.where(np.minimum(units, baseline_units) < MIN_UNITS, REASONS.index("too_few_items"), blocked)
    blocked = np.where(comparison.baseline[window, group] == 0, REASONS.index("no_baseline"), blocked)
    unsure = np.where(comparison.is_sparse[window, group], REASONS.index("sparse_categories"), NO_REASON)
    unsure = np.where(comparison.has_events[window, group], unsure, REASONS.index("too_few_events"))
    texts = {name: codes.take(group) for name, codes in comparison.texts.items()}
    texts["reference_kind"] = constant("", len(window))
    expected = no_drift_psi(comparison.categories, comparison.current, comparison.baseline)[window, group]
    nothing = np.full(len(window), np.nan)
    figures = [
        Figures(
            window=window,
            texts=texts | {"metric": constant(NO_DRIFT, len(window))},
            method=np.full(len(window), NO_METHOD),
            estimate=np.where(blocked == NO_REASON, expected, np.nan),
            low=nothing,
            high=nothing,
            n_items=units,
            n_ratings=comparison.current[window, group],
            reason=np.where(blocked == NO_REASON, REASONS.index("expectation"), blocked),
        )
    ]
    for metric, estimate in comparison.estimates.items():
        interval = estimate.interval
        missing = np.where(interval.is_given[window, group], NO_REASON, REASONS.index("too_few_events"))
        reason = np.where(blocked != NO_REASON, blocked, np.where(unsure != NO_REASON, unsure, missing))
        speaks = reason == NO_REASON
        figures.append(
            Figures(
                window=window,
                texts=texts | {"metric": constant(metric, len(window))},
                method=np.where(speaks, comparison.method, NO_METHOD),
                estimate=np.where(blocked == NO_REASON, estimate.value[window, group], np.nan),
                low=np.where(speaks, interval.low[window, group], np.nan),
                high=np.where(speaks, interval.high[window, group], np.nan),
                n_items=units,
                n_ratings=comparison.current[window, group],
                reason=reason,
            )
        )
    return figures
