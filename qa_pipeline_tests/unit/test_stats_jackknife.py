"""The delete-a-group jackknife: arithmetic, when it may speak, and a short coverage study."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats as scipy_stats

from qa_pipeline.stats.jackknife import (
    MIN_EVENTS,
    MIN_REPLICATES,
    MIN_UNITS,
    T_975_DF19,
    Z_975,
    FloatArray,
    IntArray,
    bias_corrected,
    interval,
    leave_one_out,
    may_speak,
    rarer_outcome,
    variance,
)
from qa_pipeline.stats.proportions import wilson


def test_quantiles_are_those_of_the_distributions() -> None:
    """Stops a mistyped constant: both are written out so that the package needs numpy alone."""
    assert pytest.approx(scipy_stats.t.ppf(0.975, 19), abs=1e-12) == T_975_DF19
    assert pytest.approx(scipy_stats.norm.ppf(0.975), abs=1e-12) == Z_975


def test_leave_one_out_keeps_the_whole_sample_first() -> None:
    """Stops a change of the order that every caller relies on: index 0 is the whole sample."""
    sums = leave_one_out(np.arange(20.0).reshape(20, 1))
    assert sums.shape == (21, 1)
    assert sums[0, 0] == 190
    assert sums[1:, 0].tolist() == [190 - own for own in range(20)]


@settings(deadline=None, derandomize=True)
@given(arrays(np.float64, (20, 3), elements=st.floats(-100, 100)))
def test_variance_of_a_mean_of_groups_is_the_textbook_one(groups: FloatArray) -> None:
    """Stops a wrong factor: for a mean of 20 equal groups the jackknife variance is s^2 / 20 exactly (Efron 1982)."""
    statistics = leave_one_out(groups)
    statistics[0] /= 20
    statistics[1:] /= 19
    expected = groups.var(axis=0, ddof=1) / 20
    # Sums of values up to 100 carry errors of 1e-12; their squares stay below 1e-9.
    np.testing.assert_allclose(variance(statistics), expected, atol=1e-9, rtol=1e-7)


def test_bias_correction_makes_the_biased_variance_unbiased() -> None:
    """Stops a wrong weight: Quenouille's correction turns the 1/n variance into the 1/(n - 1) one exactly."""
    values = np.random.default_rng(5).normal(size=20)
    whole = np.append(values.var(), [np.delete(values, group).var() for group in range(20)])
    assert bias_corrected(whole[:, None])[0] == pytest.approx(values.var(ddof=1), rel=1e-12)


def test_interval_is_symmetric_on_its_scale_and_never_leaves_the_range() -> None:
    """Stops an interval made on the wrong scale: shares stay in 0..1, coefficients in -1..1."""
    rng = np.random.default_rng(1)
    share = np.clip(0.97 + rng.normal(0, 0.01, size=(21, 4)), 0.9, 0.999)
    found = interval(share, transform="logit")
    assert np.all((found.low > 0) & (found.high < 1))
    logit = [np.log(end / (1 - end)) for end in (found.low, share[0], found.high)]
    np.testing.assert_allclose(logit[1] - logit[0], logit[2] - logit[1], rtol=1e-9)
    coefficient = interval(np.clip(share * 1.01, -1, 0.9999), transform="atanh")
    assert np.all((coefficient.low > -1) & (coefficient.high < 1))


@pytest.mark.parametrize("value", [0.0, 1.0, np.nan])
def test_no_interval_where_a_transformed_value_is_not_finite(value: float) -> None:
    """Stops infinite or zero-width intervals: a share of 0 or 1 in any replicate means another method must speak."""
    statistics = np.full((21, 1), 0.5)
    statistics[3] = value
    assert not interval(statistics, transform="logit").is_given[0]


def test_no_interval_of_zero_width() -> None:
    """Stops an interval of zero width where no replicate changes the figure."""
    found = interval(np.full((21, 1), 0.4), transform="identity")
    assert not found.is_given[0]
    assert np.isnan(found.low[0])


def test_a_wrong_number_of_replicates_is_an_error() -> None:
    """Stops intervals with the wrong degrees of freedom from passing silently."""
    with pytest.raises(ValueError, match="21 rows"):
        interval(np.zeros((20, 1)), transform="identity")


@pytest.mark.parametrize(
    ("units", "events", "replicates", "expected"),
    [(100, 10, 8, True), (99, 10, 8, False), (100, 9, 8, False), (100, 10, 7, False)],
)
def test_rule_when_the_jackknife_may_speak(units: int, events: int, replicates: int, expected: bool) -> None:
    """Stops a shifted limit: 100 units, 10 events and 8 replicates are each just enough."""
    assert (MIN_UNITS, MIN_EVENTS, MIN_REPLICATES) == (100, 10, 8)
    found = may_speak(np.array(float(units)), np.array(float(events)), np.array(float(replicates)))
    assert bool(found) is expected


def test_rarer_outcome_counts_events_and_their_spread() -> None:
    """Stops counting the spread of the common outcome instead of the rare one's."""
    yes, no = np.ones((20, 3)), np.zeros((20, 3))
    no[:4, 0] = 2
    no[:, 1] = 3
    no[:10, 2] = 2
    events, spread = rarer_outcome(yes, no)
    assert events.tolist() == [8, 20, 20]
    # In the last column both have 20 events; the one in fewer replicates decides.
    assert spread.tolist() == [4, 20, 10]


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.permutations(range(20)))
def test_order_of_replicates_means_nothing(order: list[int]) -> None:
    """Stops any dependence on which number a replicate has."""
    counts = np.random.default_rng(2).poisson(5, size=(20, 2)).astype(np.float64)
    rates = leave_one_out(counts) / 200
    shuffled = leave_one_out(counts[order]) / 200
    np.testing.assert_allclose(
        interval(rates, transform="identity").low, interval(shuffled, transform="identity").low, rtol=1e-12
    )


def _per_replicate(place: IntArray, weights: FloatArray, runs: int) -> FloatArray:
    summed = np.bincount(place.ravel(), weights=weights.ravel(), minlength=runs * 20).astype(np.float64)
    return summed.reshape(runs, 20).T


@pytest.mark.parametrize(("n", "share"), [(100, 0.5), (300, 0.95), (1000, 0.98)])
def test_coverage_of_weighted_rates_whichever_method_speaks(n: int, share: float) -> None:
    """Stops an interval that is too narrow: 95 % intervals of a clustered rate cover at least 93 %.

    Every item is decided by three raters who all err together half of the time, so decisions are not independent. 1,500
    samples: one standard error is 0.6 %, and three of them are allowed below 93 %.
    """
    runs, raters = 1500, 3
    rng = np.random.default_rng(n)
    replicate = rng.integers(0, 20, size=(runs, n))
    together = rng.random((runs, n)) < 0.5
    own = rng.random((runs, n, raters)) < share
    right = np.where(together[..., None], own[..., :1], own).sum(axis=-1)
    place = np.arange(runs)[:, None] * 20 + replicate
    decided = _per_replicate(place, np.full(place.shape, float(raters)), runs)
    correct = _per_replicate(place, right.astype(np.float64), runs)
    events, spread = rarer_outcome(correct, decided - correct)
    found = interval(leave_one_out(correct) / leave_one_out(decided), transform="logit")
    speaks = may_speak(decided.sum(axis=0), events, spread) & found.is_given
    fallback = wilson(correct.sum(axis=0) / (n * raters), np.full(runs, float(n)))
    low, high = np.where(speaks, found.low, fallback.low), np.where(speaks, found.high, fallback.high)
    assert speaks.mean() > 0.5
    assert np.mean((low <= share) & (share <= high)) > 0.93 - 3 * np.sqrt(0.93 * 0.07 / runs)
