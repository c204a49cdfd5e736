"""Benjamini-Hochberg: the authors' example, a second implementation, tests that were not made."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import false_discovery_control

from qa_pipeline.stats.false_discovery import adjusted

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
