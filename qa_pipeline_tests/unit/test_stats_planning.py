"""How many reviews an interval of a wanted width takes, or seeing a change."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from statsmodels.stats.proportion import power_proportions_2indep, proportion_confint

from qa_pipeline.stats.planning import (
    change_power,
    finite_n,
    half_width,
    reviews_for_change,
    reviews_for_half_width,
    visible_increase,
)
from qa_pipeline.stats.weighted_means import mean_interval, sums_of_classes

PROCESS = np.array(np.inf)
SHARES = st.floats(0, 1)


@settings(deadline=None, derandomize=True)
@given(st.integers(1, 20_000), st.data())
def test_half_width_equals_statsmodels(n: int, data: st.DataObject) -> None:
    """Stops the width of another interval than the one that the marts give."""
    events = data.draw(st.integers(0, n))
    low, high = proportion_confint(events, n, alpha=0.05, method="wilson")
    found = half_width(np.array(events / n), n=np.array(float(n)), population=PROCESS)
    assert found == pytest.approx((high - low) / 2, abs=1e-12)


@settings(deadline=None, derandomize=True)
@given(SHARES, st.floats(0.002, 0.4), st.one_of(st.integers(1, 10**6), st.just(np.inf)))
def test_reviews_for_a_width_are_enough_and_one_fewer_is_not(share: float, wanted: float, population: float) -> None:
    """Stops an answer that is not the fewest reviews, with a finite population too."""
    size = np.array(float(population))
    n = int(reviews_for_half_width(np.array(share), wanted=np.array(wanted), population=size))
    assert 1 <= n <= population
    assert half_width(np.array(share), n=np.array(float(n)), population=size) <= wanted
    if n > 1:
        assert half_width(np.array(share), n=np.array(n - 1.0), population=size) > wanted


def test_reviews_for_a_width_near_the_textbook_formula() -> None:
    """Stops Wilson's sizes from being of another order than z^2 p q / d^2 (W. G. Cochran 1977, section 4.4).

    At p = 0.5 and d = 0.05 that is 384.1, so 385; Wilson's interval is narrower by z^2 = 3.8 reviews. With 1,000
    decisions Cochran's n0 / (1 + (n0 - 1) / N) is 277.8.
    """
    half, wanted = np.array(0.5), np.array(0.05)
    assert 385 - reviews_for_half_width(half, wanted=wanted, population=PROCESS) in (3, 4)
    finite = reviews_for_half_width(half, wanted=wanted, population=np.array(1000.0))
    assert finite == pytest.approx(277.8, abs=3)


def test_finite_population_correction_is_that_of_the_marts() -> None:
    """Stops a plan from foretelling another interval than the marts will give.

    With equal weights w = N / n the linearised variance is w (w - 1) n p q / (w n)^2 = p q / n * (1 - n / N). The
    variance of n drawn from exactly N is hypergeometric, p q / n * (N - n) / (N - 1): N / (N - 1) times as much.
    """
    for population, n in ((10, 1), (10, 9), (1000, 300), (4, 1)):
        share, weight = (population // 2) / population, population / n
        units = np.array([n * (1 - share), n * share])
        sums = sums_of_classes(
            units=units,
            weight=units * weight,
            squared_weight=units * weight**2,
            scores=np.array([0.0, 1.0]),
            is_finite=True,
        )
        variance = share * (1 - share) / finite_n(np.array(float(n)), np.array(float(population)))
        assert variance == pytest.approx(float(sums.variance), rel=1e-12)
        exact = scipy_stats.hypergeom.var(population, population // 2, n) / n**2
        assert variance * population / (population - 1) == pytest.approx(exact, rel=1e-12)
    assert np.isinf(finite_n(np.array(10.0), np.array(10.0)))
    assert finite_n(np.array(10.0), PROCESS) == 10


def test_planned_width_is_that_of_the_interval_in_the_marts() -> None:
    """Stops a half width that the marts do not keep: 60 defects in 800 reviews of 16,000, 300 in 1,000 of 4,000."""
    for events, n, population in ((60, 800, 16_000), (300, 1000, 4000)):
        units, weight = np.array([float(n - events), float(events)]), population / n
        sums = sums_of_classes(
            units=units,
            weight=units * weight,
            squared_weight=units * weight**2,
            scores=np.array([0.0, 1.0]),
            is_finite=True,
        )
        given = mean_interval(sums, largest_weight=np.array(weight), is_finite=True)
        planned = half_width(np.array(events / n), n=np.array(float(n)), population=np.array(float(population)))
        assert planned == pytest.approx(float(given.high - given.low) / 2, rel=1e-9)


def test_reviewing_everything_leaves_no_doubt() -> None:
    """Stops more reviews than there are decisions from being asked for, and no reviews from having a width."""
    shares = np.array([0.0, 0.02, 0.5])
    assert reviews_for_half_width(shares, wanted=np.array(1e-6), population=np.array(50.0)).tolist() == [50, 50, 50]
    assert half_width(shares, n=np.array(50.0), population=np.array(50.0)).tolist() == [0, 0, 0]
    assert np.isnan(half_width(np.array(0.5), n=np.array(0.0), population=PROCESS))
    with pytest.raises(ValueError, match="above 0"):
        reviews_for_half_width(shares, wanted=np.array(0.0), population=PROCESS)


@settings(deadline=None, derandomize=True)
@given(st.floats(0.001, 0.999), st.floats(0.001, 0.999), st.integers(1, 100_000), st.sampled_from([0.01, 0.05, 0.2]))
def test_power_equals_statsmodels(before: float, after: float, n: int, alpha: float) -> None:
    """Stops a difference to statsmodels' power of the test of two independent shares."""
    found = change_power(np.array(float(n)), before=np.array(before), after=np.array(after), alpha=alpha)
    expected = power_proportions_2indep(after - before, before, n, alpha=alpha, return_results=False)
    assert found == pytest.approx(float(expected), abs=1e-9)


def _exact_power(n: int, before: float, after: float, alpha: float) -> float:
    """Chance that the pooled test of two shares rejects, over all (n + 1)^2 outcomes."""
    events = np.arange(n + 1)
    first, second = np.meshgrid(events, events, indexing="ij")
    pooled = (first + second) / (2 * n)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.abs(first - second) / n / np.sqrt(2 * pooled * (1 - pooled) / n)
    is_seen = np.nan_to_num(z) > scipy_stats.norm.ppf(1 - alpha / 2)
    power: float = scipy_stats.binom.pmf(events, n, before) @ is_seen @ scipy_stats.binom.pmf(events, n, after)
    return power


@pytest.mark.parametrize("power", [0.5, 0.8, 0.9])
@pytest.mark.parametrize(
    ("before", "after"), [(0.05, 0.1), (0.02, 0.05), (0.1, 0.2), (0.2, 0.1), (0.3, 0.5), (0.5, 0.6)]
)
def test_planned_changes_are_seen_as_often_as_promised(before: float, after: float, power: float) -> None:
    """Stops a plan that promises more than the test keeps: exact power, within what the docstring says (0.015)."""
    n = int(reviews_for_change(np.array(before), np.array(after), alpha=0.05, power=power))
    assert n * min(before, after) > 5
    assert _exact_power(n, before, after, 0.05) == pytest.approx(power, abs=0.016)


@pytest.mark.parametrize(("before", "after"), [(0.01, 0.05), (0.005, 0.05), (0.001, 0.05), (0.05, 0.2)])
def test_rare_defects_are_planned_for_on_the_safe_side(before: float, after: float) -> None:
    """Stops too few reviews where the normal approximation is poor: exact power is at least the promised one."""
    n = int(reviews_for_change(np.array(before), np.array(after), alpha=0.05, power=0.8))
    assert n * before < 5
    assert 0.8 <= _exact_power(n, before, after, 0.05) <= 0.925


@settings(deadline=None, derandomize=True)
@given(st.floats(0.005, 0.5), st.floats(0.01, 0.4), st.sampled_from([0.01, 0.05, 0.1]), st.floats(0.3, 0.99))
def test_reviews_for_a_change_are_the_fewest(before: float, rise: float, alpha: float, power: float) -> None:
    """Stops an answer that is not the fewest reviews, or that `visible_increase` contradicts."""
    shares = {"before": np.array(before), "after": np.array(before + rise)}
    n = int(reviews_for_change(**shares, alpha=alpha, power=power))
    assert change_power(np.array(float(n)), **shares, alpha=alpha) >= power
    if n > 1:
        assert change_power(np.array(n - 1.0), **shares, alpha=alpha) < power
        fewer = visible_increase(np.array(before), n=np.array(n - 1.0), alpha=alpha, power=power)
        assert np.isnan(fewer) or fewer > before + rise
    seen = visible_increase(np.array(before), n=np.array(float(n)), alpha=alpha, power=power)
    assert before < seen <= before + rise + 1e-12


def test_changes_that_cannot_be_seen() -> None:
    """Stops a number where there is none: no change at all, or too few reviews for any."""
    with pytest.raises(ValueError, match="two different shares"):
        reviews_for_change(np.array([0.1, 0.2]), np.array([0.2, 0.2]), alpha=0.05, power=0.8)
    assert np.isnan(visible_increase(np.array(0.5), n=np.array(2.0), alpha=0.05, power=0.9))
    # Without a change the test fires as often as alpha says.
    assert change_power(np.array(100.0), before=np.array(0.3), after=np.array(0.3), alpha=0.05) == pytest.approx(0.05)


def test_many_questions_at_once_are_each_answered_alone() -> None:
    """Stops broadcasting from mixing up queues."""
    shares, wanted = np.array([[0.01], [0.2]]), np.array([0.05, 0.01, 0.002])
    sizes = np.array([[500.0], [np.inf]])
    found = reviews_for_half_width(shares, wanted=wanted, population=sizes)
    assert found.shape == (2, 3)
    for row in range(2):
        for column in range(3):
            alone = reviews_for_half_width(shares[row, 0], wanted=wanted[column], population=sizes[row, 0])
            assert found[row, column] == alone
    assert np.all(np.diff(found, axis=1) >= 0)
