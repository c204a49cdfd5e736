"""Adjusted rates by hand and by numerical derivatives; limits against scipy and by simulated vendors that are alike."""

import numpy as np
import pytest
from scipy import stats as scipy_stats

from qa_pipeline.stats.funnel import (
    POSITIONS,
    Adjusted,
    FunnelLimits,
    Layout,
    PairSums,
    adjusted_interval,
    adjusted_rates,
    funnel_limits,
    overdispersion,
    positions,
)
from qa_pipeline.stats.jackknife import FloatArray, IntArray, Interval


def _plain(defects: FloatArray, reviews: FloatArray) -> PairSums:
    """Sums of reviews of weight 1."""
    n = np.broadcast_to(reviews, defects.shape).astype(np.float64)
    x = defects.astype(np.float64)
    return PairSums(units=n, weight=n, value=x, squared=n, squared_value=x)


def _one_cell(vendors: int) -> Layout:
    return Layout(
        cell=np.zeros(vendors, dtype=np.int64), vendor=np.arange(vendors), region=np.zeros(vendors, dtype=np.int64)
    )


def _outside(found: Adjusted) -> tuple[float, float]:
    """Share of vendors outside 95 % and outside 99.8 %."""
    place = positions(found.rate, funnel_limits(found.effective_n, centre=found.centre))
    beyond = np.isin(place, [POSITIONS.index("above 99.8 %"), POSITIONS.index("below 99.8 %")])
    return float((place != POSITIONS.index("within")).mean()), float(beyond.mean())


@pytest.mark.parametrize(
    "reviews",
    [[400] * 3, [1000, 200, 50], [9000, 500, 500], [400] * 5, [2000, 1000, 500, 200, 100], [300] * 20],
    ids=["3 equal", "3 unequal", "1 of 3 dominates", "5 equal", "5 unequal", "20 equal"],
)
def test_vendors_that_do_not_differ_are_seldom_outside(reviews: list[int]) -> None:
    """Stops limits that forget that a vendor is part of the centre: with three equal ones these held 1.6 %, not 5 %.

    6,000 vendors in all, centre 5 %. The standard error is 0.3 % and 0.06 %, four of them are allowed for; whole counts
    keep some sizes below their level.
    """
    rng = np.random.default_rng(11)
    drawn = rng.binomial(reviews, 0.05, (6000 // len(reviews), len(reviews))).astype(np.float64)
    sums = _plain(drawn, np.array(reviews, dtype=np.float64))
    outside, beyond = _outside(adjusted_rates(sums, _one_cell(len(reviews))))
    assert 0.032 < outside < 0.062
    assert beyond < 0.0044


def test_weighted_reviews_of_different_work_keep_the_level() -> None:
    """Stops limits at the number of reviews where weights differ, and expected rates that forget the mix.

    Five vendors in two queues at 4 and 20 % defects, in shares from 10 to 90 %. Model-flagged decisions, where defects
    are 5 times as frequent, are all reviewed, the others 1 in 8.
    """
    rng = np.random.default_rng(5)
    sims, sizes = 1200, np.array([[900, 100], [700, 300], [300, 300], [200, 800], [50, 450]])
    total = np.zeros((5, sims, 10))
    for frequency, weight, ratio in ((0.4, 1.0, 1.9), (0.6, 8.0, 0.4)):
        units = rng.binomial(sizes, frequency, (sims, 5, 2))
        events = rng.binomial(units, np.array([0.04, 0.2]) * ratio)
        n, x = (each.reshape(sims, 10).astype(np.float64) for each in (units, events))
        total += np.stack([n, n * weight, x * weight, n * weight**2, x * weight**2])
    sums = PairSums(*total)
    layout = Layout(cell=np.tile([0, 1], 5), vendor=np.repeat(np.arange(5), 2), region=np.zeros(5, dtype=np.int64))
    found = adjusted_rates(sums, layout)
    outside, beyond = _outside(found)
    assert 0.035 < outside < 0.065
    assert beyond < 0.005


def test_the_same_quality_on_harder_work_is_no_outlier() -> None:
    """Stops unadjusted roll-ups. By hand: queues at 2 and 10 %, A has 90 % of the easy work, B of the hard.

    Both vendors have 2 % and 10 %; observed 2.8 and 9.2 %, centre 6 %, adjusted 6 % both. Then A has 30 % more defects
    in both queues: 364 observed, and expected what both together have in each queue at A's mix.
    """
    layout = Layout(cell=np.array([0, 1, 0, 1]), vendor=np.array([0, 0, 1, 1]), region=np.array([0, 0]))
    reviews = np.array([9000.0, 1000, 1000, 9000])
    found = adjusted_rates(_plain(np.array([180.0, 100, 20, 900]), reviews), layout)
    assert found.observed == pytest.approx([0.028, 0.092])
    assert found.centre == pytest.approx([0.06, 0.06])
    assert found.rate == pytest.approx([0.06, 0.06])
    worse = adjusted_rates(_plain(np.array([234.0, 130, 20, 900]), reviews), layout)
    easy, hard = 254 / 10_000, 1030 / 10_000
    centre = (254 + 1030) / 20_000
    assert worse.rate[0] == pytest.approx(centre * 364 / (9000 * easy + 1000 * hard))
    assert worse.rate[1] == pytest.approx(centre * 920 / (1000 * easy + 9000 * hard))


def test_work_that_nobody_else_has_does_not_count() -> None:
    """Stops a vendor from being measured against itself: alone in a cell its rate is its own expectation."""
    layout = Layout(cell=np.array([0, 1, 1, 2]), vendor=np.array([0, 0, 1, 2]), region=np.zeros(3, dtype=np.int64))
    found = adjusted_rates(_plain(np.array([90.0, 8, 4, 7]), np.array([100.0, 100, 100, 100])), layout)
    assert found.kept.tolist() == [False, True, True, False]
    assert found.centre[:2] == pytest.approx([0.06, 0.06])
    assert found.rate[:2] == pytest.approx([0.08, 0.04])
    assert np.isnan(found.rate[2])
    assert np.isnan(found.effective_n[2])
    only = adjusted_rates(_plain(np.array([5.0]), np.array([100.0])), _one_cell(1))
    assert only.rate == pytest.approx([0.05])
    assert np.isnan(only.effective_n).all()


def test_the_widening_is_that_of_numerical_derivatives() -> None:
    """Stops a slip in the linearisation: derivative of the logarithm of the rate by the weight of each review."""
    rng = np.random.default_rng(2)
    cell, vendor = np.array([0, 1, 0, 1, 1]), np.array([0, 0, 1, 2, 3])
    layout = Layout(cell=cell, vendor=vendor, region=np.zeros(4, dtype=np.int64))
    pair = rng.integers(0, 5, 200)
    # The second cell stands for much more work: the centre is less certain than a rate within the first.
    weights = rng.uniform(1, 9, 200) * np.where(cell[pair] == 1, 20, 1)
    scores = (rng.random(200) < 0.3).astype(np.float64)

    def rates(each: FloatArray) -> Adjusted:
        def total(values: FloatArray) -> FloatArray:
            return np.bincount(pair, weights=values, minlength=5).astype(np.float64)

        sums = (np.ones(200), each, each * scores, each**2, each**2 * scores)
        return adjusted_rates(PairSums(*(total(values) for values in sums)), layout)

    base, step = rates(weights), 1e-5
    adjusted, observed = np.zeros(4), np.zeros(4)
    for place in range(200):
        moved = rates(weights + step * (np.arange(200) == place))
        adjusted += (np.log(moved.rate / base.rate) / step * weights[place]) ** 2
        observed += (np.log(moved.observed / base.observed) / step * weights[place]) ** 2
    assert base.widening == pytest.approx(np.sqrt(np.maximum(adjusted / observed, 1)), rel=1e-3)
    assert (base.widening > 1).any()


def test_the_interval_is_scaled_and_never_shrinks() -> None:
    """Stops an interval about the observed rate beside an adjusted estimate, and ends past 1."""
    layout = Layout(cell=np.array([0, 1, 0, 1]), vendor=np.array([0, 0, 1, 1]), region=np.array([0, 0]))
    found = adjusted_rates(_plain(np.array([0.0, 0, 20, 60]), np.array([90.0, 10, 10, 90])), layout)
    given = Interval(low=np.array([0.0, 0.7]), high=np.array([0.04, 0.9]))
    interval = adjusted_interval(given, found=found)
    assert interval.low[0] == 0
    assert interval.high[0] == pytest.approx(0.04 * found.factor[0])
    assert interval.low[1] <= 0.7 * found.factor[1]
    assert interval.high[1] <= 1 or found.rate[1] > 1
    assert (interval.high > interval.low).all()


@pytest.mark.parametrize("centre", [0.004, 0.05, 0.5])
def test_limits_equal_interpolated_mid_p_quantiles(centre: float) -> None:
    """Stops off-by-one counts: at whole n, scipy's binomial, mid-p, interpolated by numpy."""
    sizes = np.array([60, 400, 5000])
    found = funnel_limits(sizes.astype(np.float64), centre=np.array(centre))
    ends = (
        (found.low_998, 0.001),
        (found.low_95, 0.025),
        (found.high_95, 0.975),
        (found.high_998, 0.999),
    )
    for limits, chance in ends:
        for n, limit in zip(sizes, limits, strict=True):
            counts = np.arange(-1, n + 2)
            middle = (scipy_stats.binom.cdf(counts, n, centre) + scipy_stats.binom.cdf(counts - 1, n, centre)) / 2
            keep = np.flatnonzero(np.diff(middle, prepend=-1) > 0)
            expected = np.interp(chance, middle[keep], counts[keep]) / n
            assert limit == pytest.approx(max(expected, 0), abs=1e-9)


def test_limits_narrow_with_reviews_and_are_absent_where_they_say_nothing() -> None:
    """Stops limits that are the whole scale, and a vendor with two reviews that is named for one defect."""
    found = funnel_limits(np.array([2.0, 50.5, 500, 1e6, np.nan, 100]), centre=np.array([0.1] * 5 + [0.0]))
    assert np.isnan(found.high_998).tolist() == [True, False, False, False, True, True]
    assert np.isnan(found.low_95).tolist() == [True, False, False, False, True, True]
    width = found.high_998 - found.low_998
    assert width[1] > width[2] > width[3]
    inside = found.low_998 <= found.low_95, found.low_95 < found.high_95, found.high_95 < found.high_998
    assert all(each[1:4].all() for each in inside)


def test_positions() -> None:
    """Stops a rate on a limit from being outside, and one without limits from being inside."""
    limits = FunnelLimits(*(np.full(7, value) for value in (0.03, 0.07, 0.02, 0.09)))
    limits.high_998[6] = np.nan
    place: IntArray = positions(np.array([0.095, 0.08, 0.07, 0.025, 0.01, np.nan, 0.5]), limits)
    expected = ["above 99.8 %", "above 95 %", "within", "below 95 %", "below 99.8 %", "", ""]
    assert [POSITIONS[each] for each in place] == expected


def _dispersion(rates: FloatArray) -> FloatArray:
    reviews = np.full(len(rates), 2000.0)
    layout = _one_cell(len(rates))
    found = adjusted_rates(_plain(np.round(rates * reviews), reviews), layout)
    return overdispersion(found, judged=np.ones(len(rates), dtype=np.bool_), layout=layout)


def test_many_vendors_that_all_differ_widen_the_limits() -> None:
    """Stops over-dispersion from excusing the one bad vendor, or from being guessed from nine.

    Two groups of six at 4 and 6 %: half are at the median, the others 0.02^2 / (0.05 x 0.95 / 2,000) from it in units
    of the variance, times 12 / 11, since a vendor is a twelfth of its centre. One of 12 far out leaves it below 1.
    """
    spread = np.tile([0.04, 0.06], 6)
    assert _dispersion(spread) == pytest.approx([0.02**2 / (0.05 * 0.95 / 2000) * 12 / 11 / 2] * 12)
    assert (_dispersion(spread[:9]) == 1).all()
    lone = np.array([0.048, 0.052] * 5 + [0.05, 0.2])
    assert (_dispersion(lone) == 1).all()
