"""Beta-binomial tails: scipy as a second implementation, fractional counts, both methods where they meet."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from qa_pipeline.stats import count_tails
from qa_pipeline.stats.count_tails import Tails, betabinomial_tails

QUIET = settings(deadline=None, derandomize=True)
SIZES, SHARES = st.integers(1, 400), st.floats(0.002, 0.998)


def _tails(count: float, size: float, share: float, correlation: float) -> Tails:
    return betabinomial_tails(
        np.array([count]), np.array([size]), share=np.array([share]), correlation=np.array([correlation])
    )


@QUIET
@given(SIZES, st.floats(0, 1), SHARES, st.floats(1e-3, 0.3))
def test_equals_scipys_betabinomial(size: int, part: float, share: float, correlation: float) -> None:
    """Stops a wrong recurrence, parameter or end of the sum. scipy's own terms have about nine digits."""
    count = round(part * size)
    strength = 1 / correlation - 1
    peer = scipy_stats.betabinom(size, share * strength, (1 - share) * strength)
    found = _tails(count, size, share, correlation)
    assert found.at_most[0] == pytest.approx(peer.cdf(count), abs=1e-8)
    assert found.at_least[0] == pytest.approx(peer.sf(count - 1), abs=1e-8)
    assert found.middle[0] == pytest.approx(peer.cdf(count) - peer.pmf(count) / 2, abs=1e-8)


@QUIET
@given(SIZES, st.floats(0, 1), SHARES)
def test_without_correlation_it_is_the_binomial_far_into_the_tail(size: int, part: float, share: float) -> None:
    """Stops log-gammas of 1e9 from eating the digits of small tails, which is where alarms are decided.

    The least correlation 1e-8 moves a tail at 1e-9 by (z^2 / 2) (n - 1) 1e-8, below 1e-4.
    """
    count = round(part * size)
    found, peer = _tails(count, size, share, 0), scipy_stats.binom(size, share)
    assert found.at_least[0] == pytest.approx(peer.sf(count - 1), rel=1e-3, abs=1e-12)
    assert found.at_most[0] == pytest.approx(peer.cdf(count), rel=1e-3, abs=1e-12)


@pytest.mark.parametrize("correlation", [0.0, 0.001, 0.01])
def test_the_gamma_approximation_takes_over_smoothly(correlation: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stops a jump between the methods: at 400 of 4,000 expected, tails down to 1e-4 agree within 10 %."""
    deviation = np.sqrt(4000 * 0.1 * 0.9 * (1 + 3999 * correlation))
    counts = np.round(400 + np.array([-3.0, -1, 0, 1, 3, 3.7]) * deviation)
    arguments = {"share": np.array(0.1), "correlation": np.array(correlation)}
    rough = betabinomial_tails(counts, np.array(4000.0), **arguments)
    monkeypatch.setattr(count_tails, "LONGEST_SUM", 4000)
    exact = betabinomial_tails(counts, np.array(4000.0), **arguments)
    assert not np.array_equal(rough.at_least, exact.at_least)
    np.testing.assert_allclose(rough.at_least, exact.at_least, rtol=0.1)
    np.testing.assert_allclose(rough.middle[1:], exact.middle[1:], rtol=0.02)


def test_fractional_counts_lie_between_whole_ones() -> None:
    """Stops weighted defects from being rounded: halfway between two counts is halfway between their tails."""
    below, between, above = (_tails(count, 40, 0.1, 0.01) for count in (6, 6.5, 7))
    for name in ("at_most", "at_least", "middle"):
        assert getattr(between, name) == pytest.approx((getattr(below, name) + getattr(above, name)) / 2)


def test_no_reviews_have_no_tails() -> None:
    """Stops a p-value of nothing."""
    found = _tails(0, 0, 0.1, 0.01)
    assert np.isnan([found.at_most[0], found.at_least[0], found.middle[0]]).all()
