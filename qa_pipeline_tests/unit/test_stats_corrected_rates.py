"""Rates corrected for QA's own errors: published examples, a search over all rates, and what must never happen."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qa_pipeline.stats.corrected_rates import (
    Measured,
    corrected_mean,
    corrected_rate,
    lang_reiczigel,
    rogan_gladen,
    unclipped_rate,
)
from qa_pipeline.stats.jackknife import Interval
from qa_pipeline.stats.weighted_means import mean_interval, sums_of_classes


def share(value: float, n: float) -> Measured:
    """A share of a simple random sample with the product's interval."""
    counts = np.array([value * n, n - value * n])
    found = sums_of_classes(
        units=counts, weight=counts, squared_weight=counts, scores=np.array([1.0, 0.0]), is_finite=False
    )
    return Measured(found.mean, mean_interval(found, largest_weight=np.array(1.0), is_finite=False))


def known(value: float) -> Measured:
    """A share known as good as exactly."""
    tiny = 1e-12
    return Measured(np.array(value), Interval(np.array(value - tiny), np.array(value + tiny)))


@pytest.mark.parametrize(
    ("positive", "sensitivity", "specificity", "expected", "digits"),
    [
        # Examples 1 to 4 of Lang and Reiczigel (2014), Preventive Veterinary Medicine 113(1), 13-22, as quoted by the
        # R package asht (help page of prevSeSp): positives and tested, caught and sick, left and healthy.
        ((4060, 11284), (178, 179), (358, 359), (0.349, 0.372), 3),
        ((51, 2971), (32, 33), (20, 20), (0.0, 0.053), 3),
        ((0.06 * 11862, 11862), (8, 10), (12, 12), (0.0, 0.147), 3),
        ((259, 509), (84, 127), (96, 109), (0.58, 0.87), 2),
        ((51, 509), (23, 41), (187, 195), (0.037, 0.195), 3),
    ],
)
def test_published_lang_reiczigel_intervals(
    positive: tuple[float, float],
    sensitivity: tuple[float, float],
    specificity: tuple[float, float],
    expected: tuple[float, float],
    digits: int,
) -> None:
    """Stops a slip in their formulas, the printed misprint (1 + P)^2 among them."""
    shares = [np.array(events / units) for events, units in (positive, sensitivity, specificity)]
    sizes = [np.array(float(units)) for _, units in (positive, sensitivity, specificity)]
    found = lang_reiczigel(
        shares[0],
        units=sizes[0],
        sensitivity=shares[1],
        defects=sizes[1],
        specificity=shares[2],
        clear=sizes[2],
    )
    # Printed to two or three decimals.
    assert found.low == pytest.approx(expected[0], abs=0.501 * 10**-digits)
    assert found.high == pytest.approx(expected[1], abs=0.501 * 10**-digits)


def test_published_rogan_gladen_estimate() -> None:
    """Stops another formula under that name.

    23 of 150 cows test positive, sensitivity 0.96, specificity 0.89: 5.1 per 100 (help page of epi.prev, R package
    epiR, citing Rogan and Gladen 1978).
    """
    found = rogan_gladen(np.array(23 / 150), sensitivity=np.array(0.96), specificity=np.array(0.89))
    assert found * 100 == pytest.approx(5.1, abs=0.05)


@settings(deadline=None, derandomize=True)
@given(st.floats(0, 1), st.floats(0.55, 1), st.floats(0.55, 1))
def test_correction_undoes_the_errors(rate: float, sensitivity: float, specificity: float) -> None:
    """Stops a correction that is not the inverse of how QA's errors change a rate."""
    apparent = rate * sensitivity + (1 - rate) * (1 - specificity)
    found = rogan_gladen(np.array(apparent), sensitivity=np.array(sensitivity), specificity=np.array(specificity))
    assert found == pytest.approx(rate, abs=1e-9)


def test_without_errors_nothing_changes() -> None:
    """Stops an interval that is wider or shorter than the rate's own when QA is perfect."""
    apparent = share(0.07, 300)
    found = corrected_rate(apparent, sensitivity=known(1.0), specificity=known(1.0))
    assert found.estimate == pytest.approx(0.07)
    assert found.interval.low == pytest.approx(apparent.interval.low, abs=1e-9)
    assert found.interval.high == pytest.approx(apparent.interval.high, abs=1e-9)


def test_with_known_errors_the_ends_are_corrected_like_the_rate() -> None:
    """Stops another interval than that of J. Reiczigel, J. Foldi and L. Ozsvari (2010), Epidemiology and Infection 138.

    With sensitivity and specificity known, both ends of the apparent rate's interval are put through the formula.
    """
    apparent = share(0.12, 400)
    found = corrected_rate(apparent, sensitivity=known(0.9), specificity=known(0.97))
    for end, expected in zip(
        (found.interval.low, found.interval.high), (apparent.interval.low, apparent.interval.high), strict=True
    ):
        assert end == pytest.approx((float(expected) + 0.97 - 1) / (0.9 + 0.97 - 1), abs=1e-9)


@settings(deadline=None, derandomize=True, max_examples=60)
@given(
    st.integers(0, 60),
    st.sampled_from([60, 200, 2000]),
    st.integers(8, 20),
    st.integers(150, 200),
)
def test_the_interval_holds_every_rate_that_may_be(events: int, n: int, caught: int, left: int) -> None:
    """Stops a wrong root or a rate left out, by trying 10,001 rates one by one."""
    apparent, sensitivity, specificity = share(events / n, n), share(caught / 20, 20), share(left / 200, 200)
    found = corrected_rate(apparent, sensitivity=sensitivity, specificity=specificity)
    if found.is_uninformative or found.is_contradicted:
        assert not found.interval.is_given
        return
    rates = np.linspace(0, 1, 10_001)
    gap = apparent.value - rates * sensitivity.value - (1 - rates) * (1 - specificity.value)
    low = np.sqrt(
        (apparent.value - apparent.interval.low) ** 2
        + (rates * (sensitivity.interval.high - sensitivity.value)) ** 2
        + ((1 - rates) * (specificity.value - specificity.interval.low)) ** 2
    )
    high = np.sqrt(
        (apparent.interval.high - apparent.value) ** 2
        + (rates * (sensitivity.value - sensitivity.interval.low)) ** 2
        + ((1 - rates) * (specificity.interval.high - specificity.value)) ** 2
    )
    may_be = rates[(gap <= low) & (-gap <= high)]
    # Steps of 0.0001.
    assert found.interval.low == pytest.approx(may_be.min(), abs=1.01e-4)
    assert found.interval.high == pytest.approx(may_be.max(), abs=1.01e-4)
    assert found.interval.low <= found.estimate <= found.interval.high


def test_rogan_and_gladens_variance() -> None:
    """Stops an interval that forgets that sensitivity and specificity are estimates, or what each of them weighs.

    In large samples it is 1.96 standard errors to both sides, with the variance of Rogan and Gladen (1978), section on
    unknown sensitivity and specificity. With 100,000 behind each part the ends differ by skewness, under 1 %.
    """
    n, caught, left, apparent = 100_000, 0.8, 0.95, 0.2
    found = corrected_rate(share(apparent, n), sensitivity=share(caught, n), specificity=share(left, n))
    rate = (apparent + left - 1) / (caught + left - 1)
    parts = apparent * (1 - apparent) + rate**2 * caught * (1 - caught) + (1 - rate) ** 2 * left * (1 - left)
    error = np.sqrt(parts / n) / (caught + left - 1)
    assert found.estimate == pytest.approx(rate)
    assert found.interval.high - found.estimate == pytest.approx(1.96 * error, rel=0.01)
    assert found.estimate - found.interval.low == pytest.approx(1.96 * error, rel=0.01)


def test_less_arbitration_makes_it_less_certain() -> None:
    """Stops an interval that does not depend on how much was arbitrated."""
    apparent = share(0.2, 1000)
    widths = []
    for n in (20, 200, 2000):
        found = corrected_rate(apparent, sensitivity=share(0.9, n), specificity=share(0.95, n)).interval
        widths.append(float(found.high - found.low))
    exact = corrected_rate(apparent, sensitivity=known(0.9), specificity=known(0.95)).interval
    assert widths[0] > widths[1] > widths[2] > exact.high - exact.low


def test_verdicts_that_say_nothing_correct_nothing() -> None:
    """Stops a division by 0, or a rate turned upside down, when QA is no better than a coin."""
    for sensitivity in (0.5, 0.3):
        found = corrected_rate(share(0.1, 100), sensitivity=share(sensitivity, 50), specificity=share(0.5, 50))
        assert found.is_uninformative
        assert np.isnan(found.estimate)
        assert not found.interval.is_given


def test_fewer_defects_than_false_alarms_contradict() -> None:
    """Stops a rate of 0 with an interval from 0 to 0 when the specificity cannot be that of these reviews."""
    found = corrected_rate(share(0.0, 500), sensitivity=share(0.9, 100), specificity=share(0.8, 500))
    assert found.is_contradicted
    assert np.isnan(found.estimate)
    assert not found.interval.is_given
    within_chance = corrected_rate(share(0.04, 100), sensitivity=share(0.9, 100), specificity=share(0.95, 100))
    assert not within_chance.is_contradicted
    assert within_chance.estimate == 0
    assert within_chance.interval.low == 0
    assert within_chance.interval.high > 0.01


def _shares(events: np.ndarray, n: np.ndarray) -> Measured:
    counts = np.stack([events, n - events], axis=-1).astype(float)
    found = sums_of_classes(
        units=counts, weight=counts, squared_weight=counts, scores=np.array([1.0, 0.0]), is_finite=False
    )
    return Measured(found.mean, mean_interval(found, largest_weight=np.ones(n.shape), is_finite=False))


@settings(deadline=None, derandomize=True, max_examples=40)
@given(st.integers(20, 200), st.integers(12, 20), st.integers(170, 199))
def test_inside_0_and_1_the_unclipped_rate_is_the_clipped_one(events: int, caught: int, left: int) -> None:
    """Stops another interval for sums than for the rate by itself, where neither is cut off."""
    parts = {"sensitivity": share(caught / 20, 20), "specificity": share(left / 200, 200)}
    clipped = corrected_rate(share(events / 400, 400), **parts)
    free = unclipped_rate(share(events / 400, 400), **parts)
    if not clipped.is_contradicted:
        assert np.clip(free.value, 0, 1) == pytest.approx(float(clipped.estimate))
    if free.interval.low > 0 and free.interval.high < 1:
        ends = (float(clipped.interval.low), float(clipped.interval.high))
        assert (free.interval.low, free.interval.high) == pytest.approx(ends)


def test_the_mean_of_rates_is_clipped_at_the_end() -> None:
    """Stops rates that are 0 but for chance from adding up: by hand (-0.02 + 0.03) / 2, ends by the sums of squares."""
    rates = Measured(np.array([-0.02, 0.03]), Interval(np.array([-0.05, -0.01]), np.array([0.04, 0.11])))
    pair = np.zeros(2, dtype=np.int64)
    found = corrected_mean(rates, weight=np.array([5.0, 5.0]), group=pair, groups=1)
    assert found.estimate == pytest.approx([0.005])
    assert found.interval.low == pytest.approx([0])
    assert found.interval.high == pytest.approx([0.005 + np.hypot(0.06, 0.08) / 2])
    below = Measured(rates.value - 0.2, Interval(rates.interval.low - 0.2, rates.interval.high - 0.2))
    contradicted = corrected_mean(below, weight=np.array([5.0, 5.0]), group=pair, groups=1)
    assert contradicted.is_contradicted.all()
    assert not contradicted.interval.is_given.any()


@pytest.mark.parametrize(
    "true",
    [(0.10, 0.30, 0.05), (0.0, 0.01, 0.02), (0.02, 0.005, 0.0)],
    ids=["common", "rare", "none in the heaviest"],
)
def test_the_mean_of_three_queues_is_covered(true: tuple[float, ...]) -> None:
    """Stops an interval of roll-ups that is too short: 93 % at least over 4,000 random samples, not of one side alone.

    Queues of unlike size, review rate, defect rate and QA; arbitrated defects and right decisions by chance as well.
    """
    samples = 4000
    rng = np.random.default_rng(11)
    rate, caught, left = np.array(true), np.array([0.95, 0.60, 0.85]), np.array([0.99, 0.90, 0.96])
    weight = np.array([20_000.0, 10_000.0, 3_000.0])
    reviews = rng.binomial(weight.astype(int), [0.02, 0.10, 0.15], (samples, 3))
    defects, clear = rng.integers(12, 80, (samples, 3)), rng.integers(60, 300, (samples, 3))
    free = unclipped_rate(
        _shares(rng.binomial(reviews, rate * caught + (1 - rate) * (1 - left)), reviews),
        sensitivity=_shares(rng.binomial(defects, caught), defects),
        specificity=_shares(rng.binomial(clear, left), clear),
    )
    flat = Measured(free.value.ravel(), Interval(free.interval.low.ravel(), free.interval.high.ravel()))
    group = np.repeat(np.arange(samples), 3)
    found = corrected_mean(flat, weight=np.tile(weight, samples), group=group, groups=samples)
    truth = (weight * rate).sum() / weight.sum()
    is_covered = (found.interval.low <= truth) & (truth <= found.interval.high)
    assert is_covered.mean() >= 0.93
    if true[1] > 0.1:
        assert is_covered.mean() <= 0.985
