"""Wilson's interval and Kish's effective number of units."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from qa_pipeline.stats.proportions import effective_n, wilson


@pytest.mark.parametrize(
    ("events", "n", "low", "high"),
    [
        # R. G. Newcombe (1998), Statistics in Medicine 17, 857-872, table I, method 3 (score, no continuity
        # correction).
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_published_wilson_intervals(events: int, n: int, low: float, high: float) -> None:
    """Stops any other interval (Wald, Agresti-Coull, continuity-corrected) from taking Wilson's name."""
    found = wilson(np.array([events / n]), np.array([float(n)]))
    # Printed to four decimals.
    assert found.low[0] == pytest.approx(low, abs=5e-5)
    assert found.high[0] == pytest.approx(high, abs=5e-5)


@settings(deadline=None, derandomize=True)
@given(st.integers(1, 5000), st.data())
def test_wilson_equals_scipy(n: int, data: st.DataObject) -> None:
    """Stops a difference to a second implementation, at 0 and n events too."""
    events = data.draw(st.integers(0, n))
    expected = scipy_stats.binomtest(events, n).proportion_ci(confidence_level=0.95, method="wilson")
    found = wilson(np.array([events / n]), np.array([float(n)]))
    assert found.low[0] == pytest.approx(expected.low, abs=1e-12)
    assert found.high[0] == pytest.approx(expected.high, abs=1e-12)
    assert found.is_given[0]
    assert found.low[0] <= events / n <= found.high[0]


def test_wilson_covers_as_brown_cai_and_dasgupta_say() -> None:
    """Stops a wrong quantile: exact mean coverage over p is within 0.5 % of 95 % for n = 50.

    Source: Brown, Cai and DasGupta (2001), Statistical Science 16(2), section 4: the Wilson interval's average coverage
    is close to nominal, where Wald's is well below.
    """
    n = 50
    events = np.arange(n + 1)
    found = wilson(events / n, np.full(n + 1, float(n)))
    chances = np.linspace(0.01, 0.99, 981)
    inside = (found.low[None] <= chances[:, None]) & (chances[:, None] <= found.high[None])
    coverage = (scipy_stats.binom.pmf(events[None], n, chances[:, None]) * inside).sum(axis=1)
    assert coverage.mean() == pytest.approx(0.95, abs=0.005)


def test_wilson_of_nothing_is_unknown() -> None:
    """Stops 0 of 0 from becoming an interval."""
    assert not wilson(np.array([np.nan]), np.array([0.0])).is_given[0]


@settings(deadline=None, derandomize=True)
@given(st.lists(st.floats(0.001, 1), min_size=1, max_size=50))
def test_kish_is_never_above_n_and_equal_weights_give_n(probabilities: list[float]) -> None:
    """Stops weights in parts per million from making a simple random sample look weighted by rounding alone."""
    weights = np.array([round(1e6 / p) for p in probabilities], dtype=np.float64)
    squares = np.array([round(1e6 / p**2) for p in probabilities], dtype=np.float64)
    n = np.array(float(len(probabilities)))
    assert effective_n(n, weights.sum() / 1e6, squares.sum() / 1e6) <= n
    same = np.array([round(1e6 / probabilities[0]), round(1e6 / probabilities[0] ** 2)]) * float(n) / 1e6
    assert effective_n(n, same[0], same[1]) == n


def test_kish_of_unequal_weights() -> None:
    """Stops a formula without the square: weights 1 and 3 are worth 1.6 units (Kish 1965, (1 + 3)^2 / (1 + 9))."""
    assert effective_n(np.array(2.0), np.array(4.0), np.array(10.0)) == pytest.approx(1.6)
