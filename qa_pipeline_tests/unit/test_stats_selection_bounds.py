"""Bounds on the overturn rate had every decision been appealed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize
from scipy import stats as scipy_stats

from qa_pipeline.stats.corrected_rates import Measured
from qa_pipeline.stats.jackknife import Interval
from qa_pipeline.stats.selection_bounds import manski_bounds, narrowed_bounds, selection_quantile


def counts(decisions: float, appealed: float, overturned: float, open_: float) -> dict[str, np.ndarray]:
    return {
        "decisions": np.array(decisions),
        "appealed": np.array(appealed),
        "overturned": np.array(overturned),
        "open_": np.array(open_),
    }


def errors(value: float, low: float, high: float) -> Measured:
    return Measured(np.array(value), Interval(np.array(low), np.array(high)))


def test_manski_bounds_by_hand() -> None:
    """Stops a bound that forgets open appeals, or takes the overturn rate among appeals for that of all.

    1,000 decisions, 100 appealed, 40 overturned, 20 open: at least 40, at most 40 + 20 + 900.
    """
    found = manski_bounds(**counts(1000.0, 100.0, 40.0, 20.0))
    assert (found.low, found.high) == pytest.approx((0.04, 0.96))
    assert found.interval.low < 0.04
    assert found.interval.high > 0.96


def test_everybody_appeals_and_nothing_is_open() -> None:
    """Stops bounds that stay apart when everything is known: the rate itself, with its two-sided interval."""
    found = manski_bounds(**counts(400.0, 400.0, 100.0, 0.0))
    assert found.low == found.high == 0.25
    # Wilson (1927) for 100 of 400.
    expected = scipy_stats.binomtest(100, 400).proportion_ci(method="wilson")
    assert found.interval.low == pytest.approx(expected.low, abs=1e-9)
    assert found.interval.high == pytest.approx(expected.high, abs=1e-9)


def test_random_qa_narrows_from_above() -> None:
    """Stops bounds that ignore what random QA found: no more can be overturned than is wrong."""
    wide = manski_bounds(**counts(1000.0, 100.0, 40.0, 20.0))
    found = narrowed_bounds(**counts(1000.0, 100.0, 40.0, 20.0), errors=errors(0.08, 0.05, 0.12))
    assert (found.low, found.high) == pytest.approx((0.04, 0.08))
    assert 0.08 < found.interval.high <= 0.12
    # The lower end hardly moves: a little more than 1.64 standard errors, since the bounds are closer now.
    assert found.interval.low == pytest.approx(wide.interval.low, abs=1e-4)


def test_without_random_qa_manskis_bounds_remain() -> None:
    """Stops NaN from spreading where nothing was reviewed."""
    wide = manski_bounds(**counts(1000.0, 100.0, 40.0, 20.0))
    found = narrowed_bounds(**counts(1000.0, 100.0, 40.0, 20.0), errors=errors(np.nan, np.nan, np.nan))
    assert (found.low, found.high) == (wide.low, wide.high)
    assert found.interval.high == wide.interval.high


def test_more_overturned_than_wrong_is_a_contradiction() -> None:
    """Stops an upper bound below the lower one; within chance the two meet, beyond it there is no figure."""
    chance = narrowed_bounds(**counts(1000.0, 100.0, 40.0, 20.0), errors=errors(0.03, 0.01, 0.06))
    assert not chance.is_crossed
    assert chance.low == chance.high == pytest.approx(0.04)
    assert chance.interval.high > 0.04
    beyond = narrowed_bounds(**counts(1000.0, 100.0, 40.0, 20.0), errors=errors(0.003, 0.001, 0.01))
    assert beyond.is_crossed
    assert np.isnan(beyond.low)
    assert not beyond.interval.is_given


@settings(deadline=None, derandomize=True)
@given(st.floats(0, 8))
def test_quantile_solves_imbens_and_manskis_equation(apart: float) -> None:
    """Stops a quantile other than theirs, by a second way to solve Phi(c + apart) - Phi(-c) = 0.95."""
    found = selection_quantile(np.array(apart), spread=np.array(1.0))
    normal = scipy_stats.norm
    solved = optimize.brentq(lambda c: normal.cdf(c + apart) - normal.cdf(-c) - 0.95, 1.6, 2.0, xtol=1e-12)
    assert found == pytest.approx(solved, abs=1e-9)


def test_quantile_at_its_ends() -> None:
    """Stops 1.96 where bounds lie far apart, and 1.64 where they meet (Imbens and Manski 2004, section 4)."""
    found = selection_quantile(np.array([0.0, 1.0, 1.0]), spread=np.array([1.0, 1e-3, 0.0]))
    assert found == pytest.approx([1.959964, 1.644854, 1.644854], abs=1e-6)


def test_no_decisions_no_bounds() -> None:
    """Stops 0 of 0."""
    found = manski_bounds(**counts(0.0, 0.0, 0.0, 0.0))
    assert np.isnan(found.low)
    assert not found.interval.is_given
