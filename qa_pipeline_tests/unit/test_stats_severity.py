"""Severity-weighted defects per 1,000 decisions."""

import numpy as np
import pytest

from qa_pipeline.stats.corrected_rates import Measured
from qa_pipeline.stats.jackknife import FloatArray, Interval
from qa_pipeline.stats.severity import severity_scores
from qa_pipeline.stats.weighted_means import mean_interval, sums_of_classes


def per_thousand(units: FloatArray, weights: FloatArray, *, points: FloatArray) -> Measured:
    """The figure for classes with one weight each."""
    scores, scale = severity_scores(points)
    sums = sums_of_classes(
        units=units, weight=units * weights, squared_weight=units * weights**2, scores=scores, is_finite=False
    )
    found = mean_interval(sums, largest_weight=np.array(weights.max()), is_finite=False)
    return Measured(sums.mean * scale, Interval(low=found.low * scale, high=found.high * scale))


def test_estimate_by_hand() -> None:
    """Stops a mean that leaves out right decisions, a weight or the factor of 1,000.

    90 right and 4 minor (1 point) sampled at 1 in 10, 6 critical (10 points) at 1 in 2: (40 + 120) / (900 + 40 + 12).
    """
    found = per_thousand(np.array([90.0, 4, 6]), np.array([10.0, 10, 2]), points=np.array([0.0, 1, 10]))
    assert found.value == pytest.approx(1000 * (40 + 120) / 952)


def test_one_severity_is_the_defect_rate() -> None:
    """Stops another interval than the rate's where every defect counts the same."""
    units, weights = np.array([180.0, 20]), np.array([3.0, 1])
    found = per_thousand(units, weights, points=np.array([0.0, 5]))
    sums = sums_of_classes(
        units=units,
        weight=units * weights,
        squared_weight=units * weights**2,
        scores=np.array([0.0, 1.0]),
        is_finite=False,
    )
    rate = mean_interval(sums, largest_weight=np.array(3.0), is_finite=False)
    assert found.value == pytest.approx(5000 * sums.mean)
    assert found.interval.low == pytest.approx(5000 * rate.low)
    assert found.interval.high == pytest.approx(5000 * rate.high)


def test_no_defect_allows_for_the_worst() -> None:
    """Stops 0 from being certain, and an upper end that supposes that unseen defects are minor ones."""
    found = per_thousand(np.array([200.0, 0, 0]), np.ones(3), points=np.array([0.0, 1, 10]))
    assert found.value == 0
    assert found.interval.low == 0
    # Wilson's upper end of 0 in 200 is 1.88 %, times 10 points and 1,000.
    assert found.interval.high == pytest.approx(188.5, abs=0.5)


def test_minor_defects_leave_room_for_critical_ones() -> None:
    """Stops an upper end that has seen minor defects only and believes that there are no others."""
    points = np.array([0.0, 1, 10])
    seen = per_thousand(np.array([190.0, 10, 0]), np.ones(3), points=points)
    assert seen.interval.high > 1000 * 10 * 2 / 200
    assert seen.interval.low > 0


@pytest.mark.parametrize("points", [[0.0, 0.0], [-1.0, 1.0]])
def test_weights_must_make_sense(points: list[float]) -> None:
    """Stops a division by 0 and severities that take defects away."""
    with pytest.raises(ValueError, match="severity weights"):
        per_thousand(np.array([1.0, 1.0]), np.ones(2), points=np.array(points))
