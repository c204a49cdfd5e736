"""Weighted means of sampled decisions: estimate, linearised variance and the interval that holds with few events."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from qa_pipeline.stats.jackknife import FloatArray, Interval
from qa_pipeline.stats.proportions import effective_n, wilson
from qa_pipeline.stats.weighted_means import (
    WeightedSums,
    effective_units,
    few_event_bounds,
    finite_interval,
    mean_interval,
    sums_of_classes,
    widest,
)

EVENT_OR_NOT = np.array([1.0, 0.0])
ONE = np.array(1.0)
chances = st.lists(st.sampled_from([0.02, 0.05, 0.1, 0.4, 0.9]), min_size=2, max_size=40)


def counted(events: float, units: float, *, weight: float = 1.0, is_finite: bool = False) -> WeightedSums:
    """The sums of a simple random sample."""
    counts = np.array([events, units - events], dtype=np.float64)
    return sums_of_classes(
        units=counts,
        weight=counts * weight,
        squared_weight=counts * weight**2,
        scores=EVENT_OR_NOT,
        is_finite=is_finite,
    )


def sampled(scores: FloatArray, weights: FloatArray, *, is_finite: bool) -> WeightedSums:
    """The sums of decisions given one by one."""
    return sums_of_classes(
        units=np.ones_like(weights),
        weight=weights,
        squared_weight=weights**2,
        scores=scores,
        is_finite=is_finite,
    )


def test_fay_and_feuer_down_syndrome() -> None:
    """Stops an upper bound that forgets the largest weight, or a variance that does not square the weights.

    Down syndrome per 100,000 births, birth order 5 or more, Michigan 1950-64, standardised to all births: M. P. Fay and
    E. J. Feuer (1997), Statistics in Medicine 16(7), table II; 75.52901 (67.70212 to 188.30017) as printed by the R
    package dsrTest. Theirs are gamma quantiles of a sum of Poisson counts, ours beta quantiles of a share: they differ
    by the share itself, under 0.2 %, and by the added weight, 978 of 2,805,173 births.
    """
    cases = np.array([0.0, 8, 63, 112, 262, 295])
    births = np.array([327.0, 30666, 123419, 149919, 104088, 34392])
    standard = np.array([319933.0, 931318, 786511, 488235, 237863, 61313])
    weights = standard / births
    heaviest = weights.max()
    found = sums_of_classes(
        units=np.concatenate([cases, births - cases]),
        weight=np.concatenate([cases, births - cases]) * np.tile(weights, 2),
        squared_weight=np.concatenate([cases, births - cases]) * np.tile(weights, 2) ** 2,
        scores=np.repeat(EVENT_OR_NOT, 6),
        is_finite=False,
    )
    assert found.mean * 1e5 == pytest.approx(75.52901, abs=5e-6)
    y, v = cases @ weights, cases @ weights**2
    more, more_v = y + heaviest, v + heaviest**2
    low = scipy_stats.gamma.ppf(0.025, y**2 / v) * v / y / standard.sum() * 1e5
    high = scipy_stats.gamma.ppf(0.975, more**2 / more_v) * more_v / more / standard.sum() * 1e5
    assert (low, high) == pytest.approx((67.70212, 188.30017), abs=5e-6)
    bounds = few_event_bounds(found, largest_weight=np.array(heaviest), is_finite=False, tail=0.025)
    assert bounds.low * 1e5 == pytest.approx(67.70212, rel=2.5e-3)
    assert bounds.high * 1e5 == pytest.approx(188.30017, rel=2.5e-3)


@pytest.mark.parametrize(
    ("tail", "bounds"),
    [(0.10, (0.105, 0.532, 1.102)), (0.05, (0.051, 0.355, 0.818)), (0.01, (0.010, 0.149, 0.436))],
)
def test_brown_cai_and_dasgupta_lower_bounds(tail: float, bounds: tuple[float, ...]) -> None:
    """Stops a lower end of few events other than the published repair of Wilson's interval.

    Brown, Cai and DasGupta (2001), Statistical Science 16(2), section 4.1.1: with x = 1, 2, 3 events the lower end is
    lambda / n, where a Poisson count of mean lambda reaches x with probability alpha. Printed to three decimals; with
    n = 1e6 the binomial differs by 1e-6.
    """
    for events, expected in enumerate(bounds, start=1):
        found = few_event_bounds(counted(events, 1e6), largest_weight=ONE, is_finite=False, tail=tail)
        assert found.low * 1e6 == pytest.approx(expected, abs=5.1e-4)


@settings(deadline=None, derandomize=True)
@given(st.integers(1, 3000), st.data())
def test_few_event_bounds_are_clopper_and_pearson(n: int, data: st.DataObject) -> None:
    """Stops a difference to a second implementation where all weights are equal."""
    events = data.draw(st.integers(0, n))
    exact = scipy_stats.binomtest(events, n).proportion_ci(confidence_level=0.95, method="exact")
    found = few_event_bounds(counted(events, n), largest_weight=ONE, is_finite=False, tail=0.025)
    assert found.low == pytest.approx(exact.low, abs=1e-9)
    assert found.high == pytest.approx(exact.high, abs=1e-9)


def test_cochran_finite_population() -> None:
    """Stops a correction for a finite population other than 1 - n / N.

    W. G. Cochran (1977), Sampling Techniques, section 3.6: 37 of 100 sampled out of 500; standard error
    sqrt(0.8 * 0.37 * 0.63 / 99) = 0.0434. Cochran divides by n - 1, the linearised variance by n.
    """
    found = counted(37, 100, weight=5.0, is_finite=True)
    assert np.sqrt(found.variance * 100 / 99) == pytest.approx(0.0434, abs=5e-5)
    assert effective_units(found) == pytest.approx(100 / (1 - 100 / 500))


def test_estimates_are_unbiased_over_every_possible_sample() -> None:
    """Stops a weight or a variance that is not that of Horvitz and Thompson (1952), by listing all 1,024 samples.

    Over all samples of 10 decisions, each drawn on its own, the sums of weights and of weighted events average to the
    population's, and the sum of w (w - 1) over events to the variance of the latter.
    """
    chance = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0])
    scores = np.array([1.0, 0, 0, 1, 0, 1, 0, 0, 1, 0])
    samples = np.array(list(itertools.product([0.0, 1.0], repeat=10)))
    likely = np.prod(np.where(samples == 1, chance, 1 - chance), axis=1)
    found = sums_of_classes(
        units=samples, weight=samples / chance, squared_weight=samples / chance**2, scores=scores, is_finite=True
    )
    assert likely @ found.weight == pytest.approx(10)
    assert likely @ found.value == pytest.approx(4)
    assert likely @ found.spread_square == pytest.approx(likely @ np.square(found.value - 4))
    assert likely @ found.spread == pytest.approx(likely @ np.square(found.weight - 10))


def test_linearised_variance_is_that_of_every_possible_sample() -> None:
    """Stops a variance that forgets that the sum of weights varies with the sum of weighted events.

    12 decisions with chances of 0.55 to 0.95, all 4,096 samples: the linear part of Hajek's rate, the sum of
    w (s - R), varies by exactly what the sums of w (w - 1) (s - R)^2 are on average; that of the events alone, Horvitz
    and Thompson's, by more than twice as much. The product puts the estimate in the place of R.
    """
    chance, rate = np.linspace(0.55, 0.95, 12), 2 / 3
    scores = np.tile([1.0, 1, 0], 4)
    samples = np.array(list(itertools.product([0.0, 1.0], repeat=12)))
    likely = np.prod(np.where(samples == 1, chance, 1 - chance), axis=1)
    found = sums_of_classes(
        units=samples, weight=samples / chance, squared_weight=samples / chance**2, scores=scores, is_finite=True
    )
    linear = likely @ np.square(found.value - rate * found.weight)
    assert likely @ (found.spread_square - 2 * rate * found.spread_value + rate**2 * found.spread) == pytest.approx(
        linear
    )
    assert likely @ np.square(found.value - 8) > 2 * linear


@settings(deadline=None, derandomize=True)
@given(chances, st.booleans(), st.integers(0, 1000))
def test_variance_from_sums_is_that_of_the_single_decisions(drawn: list[float], is_finite: bool, seed: int) -> None:
    """Stops a wrong sign or power when the square is multiplied out into sums."""
    weights = 1 / np.array(drawn)
    scores = np.random.default_rng(seed).choice([0.0, 0.1, 0.5, 1.0], len(drawn))
    found = sampled(scores, weights, is_finite=is_finite)
    mean = (weights * scores).sum() / weights.sum()
    spread = weights * (weights - 1) if is_finite else weights**2
    expected = (spread * (scores - mean) ** 2).sum() / weights.sum() ** 2
    assert found.mean == pytest.approx(mean)
    assert found.variance == pytest.approx(expected, abs=1e-12)


def test_effective_number_sees_who_weighs_more() -> None:
    """Stops Kish's number from coming back: it is the same whether the heavy decisions are defects or not."""
    light, heavy = np.full(90, 1.0), np.full(10, 10.0)
    weights = np.concatenate([light, heavy])
    kish = effective_n(np.array(100.0), weights.sum(), (weights**2).sum())
    heavy_defects = effective_units(sampled((weights > 1).astype(float), weights, is_finite=False))
    light_defects = effective_units(sampled(np.repeat([1.0, 0.0], [10, 90]), weights, is_finite=False))
    # By hand: (sum w)^2 = 190^2. Heavy defects: R = 100/190, V = (10*100*(90/190)^2 + 90*(100/190)^2) / 190^2.
    assert heavy_defects == pytest.approx(
        (100 / 190 * 90 / 190) * 190**2 / (1000 * (90 / 190) ** 2 + 90 * (100 / 190) ** 2)
    )
    assert heavy_defects < kish * 1.1
    assert light_defects > kish * 1.5


@settings(deadline=None, derandomize=True)
@given(chances, st.booleans(), st.integers(0, 1000))
def test_an_interval_holds_its_estimate_and_is_never_of_zero_width(
    drawn: list[float], is_finite: bool, seed: int
) -> None:
    """Stops 0 defects, or nothing but defects, from becoming certain, and an end on the wrong side."""
    weights = 1 / np.array(drawn)
    scores = (np.random.default_rng(seed).random(len(drawn)) < 0.3).astype(np.float64)
    found = sampled(scores, weights, is_finite=is_finite)
    bounds = mean_interval(found, largest_weight=np.array(weights.max()), is_finite=is_finite)
    assert bounds.is_given
    assert 0 <= bounds.low <= found.mean <= bounds.high <= 1
    opposite = mean_interval(
        sampled(1 - scores, weights, is_finite=is_finite),
        largest_weight=np.array(weights.max()),
        is_finite=is_finite,
    )
    assert bounds.low == pytest.approx(1 - opposite.high, abs=1e-9)
    assert bounds.high == pytest.approx(1 - opposite.low, abs=1e-9)


@settings(deadline=None, derandomize=True)
@given(chances, st.floats(1, 50), st.integers(0, 1000))
def test_a_process_knows_no_unit_of_weight(drawn: list[float], factor: float, seed: int) -> None:
    """Stops an interval of a process from depending on whether weights are 1/p or any multiple of it."""
    weights = 1 / np.array(drawn)
    scores = (np.random.default_rng(seed).random(len(drawn)) < 0.3).astype(np.float64)
    one, other = (
        mean_interval(sampled(scores, each, is_finite=False), largest_weight=np.array(each.max()), is_finite=False)
        for each in (weights, weights * factor)
    )
    assert one.low == pytest.approx(other.low, abs=1e-9)
    assert one.high == pytest.approx(other.high, abs=1e-9)


@settings(deadline=None, derandomize=True)
@given(st.integers(1, 2000), st.data())
def test_simple_random_samples_get_wilson_or_wider(n: int, data: st.DataObject) -> None:
    """Stops any other interval for simple random samples; from 100 events of either kind on it is Wilson's itself.

    A tail of 3.5 % lies 1.81 standard errors out, Wilson's 1.96; the exact bound adds about half a decision. With 100
    events one standard error is 7 decisions or more, so 0.15 of them are more than that half.
    """
    events = data.draw(st.integers(0, n))
    found = mean_interval(counted(events, n), largest_weight=ONE, is_finite=False)
    score = wilson(np.array(events / n), np.array(float(n)))
    # Rounding alone may differ: the effective number is found from the variance.
    assert found.low <= score.low + 1e-12
    assert found.high >= score.high - 1e-12
    if min(events, n - events) >= 100:
        assert found.low == pytest.approx(score.low)
        assert found.high == pytest.approx(score.high)


@pytest.mark.parametrize("events", [0, 1, 2, 3, 5, 8])
def test_simple_random_samples_cover_what_they_promise(events: int) -> None:
    """Stops Wilson's dips: its exact coverage falls to 84 % at 0.17 expected events, here never below 93 %.

    Exact binomial coverage for n = 2,000 around each number of expected events.
    """
    n = 2000
    observed = np.arange(n + 1)
    counts = np.stack([observed, n - observed], axis=1).astype(np.float64)
    found = mean_interval(
        sums_of_classes(units=counts, weight=counts, squared_weight=counts, scores=EVENT_OR_NOT, is_finite=False),
        largest_weight=np.ones(n + 1),
        is_finite=False,
    )
    plain = wilson(observed / n, np.full(n + 1, float(n)))
    truths = np.linspace(max(0.02, events - 0.5), events + 1, 200) / n
    mass = scipy_stats.binom.pmf(observed[:, None], n, truths)

    def least(bounds: Interval) -> float:
        inside = (bounds.low[:, None] <= truths) & (truths <= bounds.high[:, None])
        return float((mass * inside).sum(axis=0).min())

    assert least(found) >= 0.93
    if events <= 1:
        assert least(plain) < 0.9


def test_a_finite_population_makes_intervals_shorter_and_a_census_has_none() -> None:
    """Stops a correction that is left out, turned round, or ends in an interval of zero width."""
    widths = []
    for weight in (1000.0, 2.0, 1.1):
        found = counted(200, 2000, weight=weight, is_finite=True)
        bounds = mean_interval(found, largest_weight=np.array(weight), is_finite=True)
        widths.append(float(bounds.high - bounds.low))
        assert not found.is_census
        if weight >= 2:
            # Cochran (1977), section 3.6: the variance times 1 - n / N, so n / (1 - n / N) decisions in Wilson's.
            expected = wilson(np.array(0.1), np.array(2000 / (1 - 1 / weight)))
            assert [*map(float, (bounds.low, bounds.high))] == pytest.approx(
                [*map(float, (expected.low, expected.high))]
            )
    assert widths[0] > widths[1] > widths[2] > 0
    everyone = counted(20, 200, is_finite=True)
    assert everyone.is_census
    assert not mean_interval(everyone, largest_weight=ONE, is_finite=True).is_given
    assert mean_interval(counted(20, 200), largest_weight=ONE, is_finite=False).is_given


def test_nothing_sampled_is_unknown() -> None:
    """Stops 0 of 0 from becoming a rate or an interval."""
    nothing = counted(0, 0)
    assert np.isnan(nothing.mean)
    assert not mean_interval(nothing, largest_weight=ONE, is_finite=False).is_given


def test_one_heavier_decision_that_was_not_seen_is_allowed_for() -> None:
    """Stops 0 defects among likely sampled decisions from vouching for those that are hardly ever sampled."""
    found = counted(0, 300, weight=2.0, is_finite=True)
    equal = mean_interval(found, largest_weight=np.array(2.0), is_finite=True)
    unequal = mean_interval(found, largest_weight=np.array(20.0), is_finite=True)
    # About 3 unseen defects' worth of weight: 20 instead of 2 each, but for the finite population's share.
    assert unequal.high > 8 * equal.high


def test_the_jackknife_is_made_shorter_and_the_wider_one_taken() -> None:
    """Stops a correction on the wrong scale and a union that loses an end."""
    found = Interval(low=np.array([0.1, np.nan]), high=np.array([0.4, np.nan]))
    same = finite_interval(found, mean=np.array([0.2, 0.2]), ratio=np.array([1.0, 1.0]))
    assert (same.low[0], same.high[0]) == pytest.approx((0.1, 0.4))
    half = finite_interval(found, mean=np.array([0.2, 0.2]), ratio=np.array([0.5, 0.5]))
    # On odds: 0.25 with ends 1/9 and 2/3; half way on the log scale 1/6 and sqrt(1/6).
    assert half.low[0] == pytest.approx(1 / 7)
    assert half.high[0] == pytest.approx(np.sqrt(1 / 6) / (1 + np.sqrt(1 / 6)))
    assert np.isnan(half.low[1])
    both = widest(half, Interval(low=np.array([0.15, 0.3]), high=np.array([0.5, 0.6])))
    assert both.low.tolist() == [pytest.approx(1 / 7), 0.3]
    assert both.high.tolist() == [0.5, 0.6]


def test_roll_ups_add_up() -> None:
    """Stops a rate of two queues that is the mean of their rates: weights say how much each stands for."""
    parts = [
        sampled(np.array([1.0, 0.0]), np.array([2.0, 2.0]), is_finite=True),
        counted(1, 10, weight=9, is_finite=True),
    ]
    together = sampled(
        np.concatenate([[1.0, 0.0], [1.0], np.zeros(9)]), np.concatenate([[2.0, 2.0], np.full(10, 9.0)]), is_finite=True
    )
    for name in ("units", "weight", "value", "spread", "spread_value", "spread_square"):
        assert sum(getattr(part, name) for part in parts) == pytest.approx(getattr(together, name))
    assert together.mean == pytest.approx(11 / 94)
