"""Benjamini-Hochberg: the authors' example, a second implementation, tests that were not made."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import false_discovery_control

from qa_pipeline.stats.false_discovery import adjusted, adjusted_by_weight, equal_group_weights

QUIET = settings(deadline=None, derandomize=True)
P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=30)
# Y. Benjamini and Y. Hochberg (1995), section 3.2: fifteen endpoints of a trial of thrombolysis.
TRIAL = np.array(
    [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1]
)


def test_the_authors_example() -> None:
    """Stops another procedure: the paper rejects four of fifteen at 0.05 (Bonferroni three, uncorrected nine)."""
    assert (adjusted(TRIAL) <= 0.05).tolist() == [True] * 4 + [False] * 11
    assert adjusted(TRIAL)[3] == pytest.approx(0.0095 * 15 / 4)


@QUIET
@given(P_VALUES)
def test_equals_a_second_implementation(p_values: list[float]) -> None:
    """Stops a wrong rank or a value that falls with its p."""
    np.testing.assert_allclose(adjusted(np.array(p_values)), false_discovery_control(p_values), rtol=1e-12)


@QUIET
@given(P_VALUES, st.integers(0, 5), st.randoms(use_true_random=False))
def test_missing_tests_do_not_count_and_order_means_nothing(
    p_values: list[float], missing: int, random: np.random.Generator
) -> None:
    """Stops a night's rate that depends on charts without a p-value, or on the order of charts."""
    padded = p_values + [float("nan")] * missing
    places = list(range(len(padded)))
    random.shuffle(places)
    shuffled = np.array(padded)[places]
    found = adjusted(shuffled[None])[0]
    np.testing.assert_allclose(found, adjusted(np.array(padded))[places], rtol=1e-12)
    np.testing.assert_allclose(adjusted(np.array(padded))[: len(p_values)], adjusted(np.array(p_values)), rtol=1e-12)
    assert np.isnan(found).sum() == missing


def test_each_night_stands_alone() -> None:
    """Stops an adjustment over all nights at once: rows are nights."""
    both = adjusted(np.stack([TRIAL, np.full(15, 0.5)]))
    np.testing.assert_array_equal(both[0], adjusted(TRIAL))
    assert both[1].tolist() == [0.5] * 15


def test_weights_by_hand() -> None:
    """Stops p times the weight, and weights that do not average 1: four tests in two groups, one of them not made.

    The group of one has weight 3 / 2 / 1 and the group of two 3 / 2 / 2; p / w is 0.02, 0.04 and 0.4, so the adjusted
    values are 0.02 * 3, 0.04 * 3 / 2 and 0.4.
    """
    p_values = np.array([0.03, 0.03, 0.3, np.nan])
    weights = equal_group_weights(p_values, group=np.array([0, 1, 1, 0]))
    np.testing.assert_allclose(weights, [1.5, 0.75, 0.75, np.nan])
    np.testing.assert_allclose(adjusted_by_weight(p_values, weights=weights), [0.06, 0.06, 0.4, np.nan])


@QUIET
@given(P_VALUES, st.integers(1, 4))
def test_weights_average_one_and_share_evenly(p_values: list[float], groups: int) -> None:
    """Stops the night's rate from growing with the number of groups."""
    group = np.arange(len(p_values)) % groups
    weights = equal_group_weights(np.array(p_values), group=group)
    assert weights.mean() == pytest.approx(1)
    totals = np.bincount(group, weights=weights)
    np.testing.assert_allclose(totals, totals[0])


@QUIET
@given(P_VALUES)
def test_equal_weights_change_nothing(p_values: list[float]) -> None:
    """Stops a weighted procedure that is another one than the plain."""
    given_values = np.array(p_values)
    found = adjusted_by_weight(given_values, weights=np.ones(len(p_values)))
    np.testing.assert_allclose(found, adjusted(given_values))
