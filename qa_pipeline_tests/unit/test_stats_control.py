"""Control charts: textbook examples, second implementations, p-values that hold their level, frozen baselines."""

from typing import Any

import numpy as np
import pytest
from scipy import stats as scipy_stats

from qa_pipeline.stats import control
from qa_pipeline.stats.control import (
    Baseline,
    fit_baseline,
    is_opening_complete,
    judged_days,
    opening_baseline,
    p_limits,
    rule_one,
)
from qa_pipeline.stats.control_ewma import ewma, smoothed
from qa_pipeline.stats.control_rare import g_chart, g_limits, judge_points
from qa_pipeline.stats.jackknife import BoolArray, FloatArray

# D. C. Montgomery, Introduction to Statistical Quality Control, example 7.1: cans of frozen orange juice, n = 50.
CANS = "12 15 8 10 4 7 16 9 14 10 5 6 17 12 22 8 10 5 13 11 20 18 24 15 9 12 7 13 9 6"
# The same book, example 9.2 (data of table 9.1): lambda 0.1, L 2.7, mean 10, standard deviation 1.
DRIFT = (
    "9.45 7.99 9.29 11.66 12.16 10.18 8.04 11.46 9.20 10.34 9.03 11.47 10.51 9.40 10.08 9.37 10.62 10.31 8.52 10.84 "
    "10.90 9.33 12.29 11.50 10.60 11.08 10.38 11.62 11.31 10.52"
)
# Attendances at emergency departments of the NHS in twenty weeks, and those seen within four hours: M. A. Mohammed et
# al. (2013), BMJ Quality and Safety 22, 362-368; data set nhs_accidents of the R package qicharts2.
SEEN = """266501 264225 276532 281461 269071 261215 270409 279778 270483 270320 267923 271478 255353 256820
    261835 259144 255910 260863 264465 260989"""
ATTENDANCES = """280443 276823 291681 296155 282343 275888 283867 295251 284468 282529 279618 283932 266629 268091
    276803 271578 266005 273520 278574 273772"""
# Operations between two deaths, data set cabg of qicharts2.
GAPS = """23 39 15 34 1 49 98 29 27 13 45 7 10 27 24 14 20 38 44 11 10 3 113 183 3 47 18 18 33 15 2 38 27 27 1
    52 23 7 26 82 5 49 5 17 24 44 26 2 27 46 55 97 22 22 20 4 60 51 7 21 66 36 25 72 15 5 3"""


def _column(text: str) -> FloatArray:
    return np.array(text.split(), dtype=np.float64)[:, None]


def _first(days: int, like: FloatArray) -> BoolArray:
    marked = np.zeros(like.shape, dtype=np.bool_)
    marked[:days] = True
    return marked


def _all(like: FloatArray) -> BoolArray:
    return np.ones(like.shape, dtype=np.bool_)


def _known(share: float, *, reviews: int = 1000, days: int = 5000) -> tuple[FloatArray, FloatArray]:
    """A baseline so long and even that its share is as good as known: no error of its own, t as good as normal."""
    return np.full((days, 1), share * reviews), np.full((days, 1), float(reviews))


def test_p_chart_of_montgomerys_cans(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stops other limits: the book gives 0.2313 with limits 0.0524 and 0.4102, and samples 15 and 23 beyond them.

    It is a plain p-chart, so Laney's spread is held at 1.
    """
    cans, sizes = _column(CANS), np.full((30, 1), 50.0)
    fitted = fit_baseline(cans, sizes, baseline=_all(cans))
    monkeypatch.setitem(fitted.__dict__, "sigma_z", np.ones(1))
    limits = p_limits(sizes, fitted=fitted)
    assert fitted.share[0] == pytest.approx(0.2313, abs=5e-5)
    assert limits.upper[0, 0] == pytest.approx(0.4102, abs=5e-5)
    assert limits.lower[0, 0] == pytest.approx(0.0524, abs=5e-5)
    assert (np.flatnonzero(cans / 50 > limits.upper) + 1).tolist() == [15, 23]


@pytest.mark.parametrize(
    ("weeks", "centre", "lower", "upper"),
    [
        # qicharts2 0.8.1, chart "pp", weeks 1, 2, 3 and 20; with freeze = 10 in the second case.
        (
            20,
            0.95289971134419116,
            [0.9401296441775141, 0.94004641862513627, 0.9403780655785402, 0.93997499652290417],
            [0.96566977851086822, 0.96575300406324605, 0.96542135710984212, 0.96582442616547814],
        ),
        (
            10,
            0.95105964383277042,
            [0.93866469138900677, 0.93858391054812595, 0.93890581552810026, 0.93851458643658869],
            [0.96345459627653407, 0.96353537711741488, 0.96321347213744057, 0.96360470122895214],
        ),
    ],
)
def test_laneys_chart_equals_qicharts2(
    weeks: int, centre: float, lower: list[float], upper: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stops another sigma_z (it is about 10 here) and limits that forget to stay frozen after the baseline."""
    monkeypatch.setattr(control, "MIN_BASELINE_DAYS", 10)
    seen, attendances = _column(SEEN), _column(ATTENDANCES)
    fitted = fit_baseline(seen, attendances, baseline=_first(weeks, seen))
    limits = p_limits(attendances, fitted=fitted)
    assert fitted.share[0] == pytest.approx(centre, rel=1e-12)
    np.testing.assert_allclose(limits.lower[[0, 1, 2, -1], 0], lower, rtol=1e-12)
    np.testing.assert_allclose(limits.upper[[0, 1, 2, -1], 0], upper, rtol=1e-12)


def test_sigma_z_below_one_does_not_narrow_the_limits() -> None:
    """Stops a short, lucky baseline from making limits narrower than chance alone allows."""
    even = np.full((20, 1), 10.0)
    even[1::2] += 1
    sizes = np.full((20, 1), 100.0)
    fitted = fit_baseline(even, sizes, baseline=_all(even))
    share = fitted.share[0]
    assert fitted.sigma_z[0] < 0.5
    assert p_limits(sizes, fitted=fitted).upper[0, 0] == pytest.approx(share + 3 * np.sqrt(share * (1 - share) / 100))


def test_moving_average_of_montgomerys_drift() -> None:
    """Stops another weight, start or variance: table 9.10 of the book, and signals at observations 29 and 30 only."""
    values = _column(DRIFT) - 10
    found, variance = smoothed(values, _all(values), weight=0.1)
    np.testing.assert_allclose(found[:4, 0] + 10, [9.945, 9.7495, 9.70355, 9.8992], atol=5e-6)
    assert found[-1, 0] + 10 == pytest.approx(10.6341, abs=5e-5)
    half = 2.7 * np.sqrt(variance[:, 0])
    np.testing.assert_allclose(10 + half[[0, 1, -1]], [10.27, 10.3632, 10.62], atol=2e-3)
    assert (np.flatnonzero(np.abs(found[:, 0]) > half) + 1).tolist() == [29, 30]


def test_g_chart_limits_equal_qicharts2() -> None:
    """Stops another variance of the geometric distribution: the limit is 128.17491 for 67 gaps of the cabg data."""
    limits = g_limits(_column(GAPS).mean(axis=0), defects=np.array([1.0]))
    assert limits.upper[0] == pytest.approx(128.17491023197215, rel=1e-12)
    assert limits.lower[0] == 0


@pytest.mark.parametrize(("defects", "direction"), [(19.0, 1), (30.0, 1), (3.0, -1)])
def test_rule_one_of_a_known_share_is_the_binomial_tail(defects: float, direction: int) -> None:
    """Stops a normal approximation: after an endless even baseline p is twice the exact binomial mid-p.

    Student's t on 4,999 degrees is larger by z^4 / (4 nu), 4 % at z = 5.2, the farthest of these.
    """
    past, sizes = _known(0.05)
    x, n = np.vstack([past, [[defects]]]), np.vstack([sizes, [[200.0]]])
    found = rule_one(x, n, fitted=_fit(x, n, 5000))
    tail = scipy_stats.binom(200, 0.05)
    whole = tail.sf(defects - 1) if direction > 0 else tail.cdf(defects)
    expected = 2 * (whole - tail.pmf(defects) / 2)
    assert found.p_value[-1, 0] == pytest.approx(expected, rel=0.05)
    assert found.direction[-1, 0] == direction
    assert np.isnan(found.p_value[:-1]).all()


def test_a_short_baseline_makes_the_same_day_less_surprising() -> None:
    """Stops a baseline that counts as known: 14 days of 200 reviews give a larger p than 5,000 days of 1,000."""
    p_values = []
    for past, sizes in (_known(0.05), _known(0.05, reviews=200, days=14)):
        x, n = np.vstack([past, [[22.0]]]), np.vstack([sizes, [[200.0]]])
        p_values.append(rule_one(x, n, fitted=fit_baseline(x, n, baseline=_first(len(past), x))).p_value[-1, 0])
    assert p_values[1] > 2 * p_values[0]


def test_the_baselines_own_error_enters() -> None:
    """Stops a baseline of 560 reviews from judging a day of 2,000 as if its share were known.

    28 even days with 28 defects say Beta(28.5, 532.5) of the share (Jeffreys), so the day is beta-binomial; its normal
    score is read off t with 27 degrees. All of it from scipy.
    """
    x, n = np.vstack([np.full((28, 1), 1.0), [[160.0]]]), np.vstack([np.full((28, 1), 20.0), [[2000.0]]])
    fitted = _fit(x, n, 28)
    peer = scipy_stats.betabinom(2000, 28.5, 532.5)
    tail = peer.sf(159) - peer.pmf(160) / 2
    expected = 2 * scipy_stats.t.cdf(scipy_stats.norm.ppf(tail), 27)
    assert tail > 100 * scipy_stats.binom(2000, 0.05).sf(159)
    assert rule_one(x, n, fitted=fitted).p_value[-1, 0] == pytest.approx(expected, rel=1e-3)


def test_a_negative_binomial_tail_is_what_the_g_chart_judges() -> None:
    """Stops a wrong stretch of days: 5 defects took 3 days of 40 reviews (the oldest day's first is the fifth last).

    P(five defects take at most 120 reviews) from scipy's negative binomial, which counts the good reviews.
    """
    past, sizes = _known(0.004)
    x = np.vstack([past, [[0.0], [2.0], [1.0], [2.0]]])
    n = np.vstack([sizes, np.full((4, 1), 40.0)])
    fitted = fit_baseline(x, n, baseline=_first(5000, x))
    assert fitted.is_rare[0]
    found = g_chart(x, n, fitted=fitted)
    assert found.judgement.p_value[-1, 0] == pytest.approx(2 * scipy_stats.nbinom.cdf(115, 5, 0.004), rel=0.02)
    assert found.judgement.direction[-1, 0] == 1
    assert found.value[-1, 0] == pytest.approx(115 / 5)
    assert found.centre[0] == pytest.approx(0.996 / 0.004)


def _operation(rng: np.random.Generator, **parts: Any) -> tuple[FloatArray, FloatArray]:
    """Defects and reviews of quiet days; `days`, `series`, `reviews`, `share`, `correlation`."""
    reviews = rng.poisson(parts["reviews"], (parts["days"], parts["series"]))
    strength = 1 / parts["correlation"] - 1
    rates = rng.beta(parts["share"] * strength, (1 - parts["share"]) * strength, reviews.shape)
    return rng.binomial(reviews, rates).astype(np.float64), reviews.astype(np.float64)


def _fit(x: FloatArray, n: FloatArray, days: int) -> Baseline:
    return fit_baseline(x, n, baseline=_first(days, x))


@pytest.mark.parametrize(
    ("reviews", "share", "correlation", "days"),
    [(400, 0.05, 0.002, 28), (400, 0.10, 0.01, 28), (60, 0.10, 0.01, 62), (60, 0.02, 0.002, 28), (15, 0.05, 0.002, 28)],
)
def test_p_values_hold_their_level_on_quiet_days(reviews: int, share: float, correlation: float, days: int) -> None:
    """Stops a p-value that is too small where alarms are decided, and one so cautious that it never speaks.

    12,000 quiet series: at 0.05, 0.01 and 0.001 no more than the level plus three standard errors, and at 0.05 at
    least a tenth of it (counts are discrete and t is cautious while days do not differ).
    """
    x, n = _operation(
        np.random.default_rng(5), days=days + 12, series=12_000, reviews=reviews, share=share, correlation=correlation
    )
    fitted = _fit(x, n, days)
    for judgement in (judge_points(x, n, fitted=fitted), ewma(x, n, fitted=fitted).judgement):
        p_values = judgement.p_value[-1][np.isfinite(judgement.p_value[-1])]
        for level in (0.05, 0.01, 0.001):
            slack = 3 * np.sqrt(level / len(p_values))
            assert (p_values <= level).mean() <= 1.2 * level + slack, level
        assert (p_values <= 0.05).mean() > 0.005


def test_the_baselines_correlation_is_recovered() -> None:
    """Stops another moment equation: the mean over 4,000 series is the true 0.02 within 4 %."""
    x, n = _operation(np.random.default_rng(6), days=60, series=4000, reviews=300, share=0.1, correlation=0.02)
    assert _fit(x, n, 60).correlation.mean() == pytest.approx(0.02, rel=0.04)


def test_today_is_never_part_of_its_baseline() -> None:
    """Stops a baseline that moves: whatever comes after its last day changes neither it nor the days before."""
    x, n = _operation(np.random.default_rng(7), days=50, series=30, reviews=120, share=0.08, correlation=0.003)
    later = x.copy()
    later[-1] = n[-1]
    fitted, again = _fit(x, n, 28), _fit(later, n, 28)
    for name in ("share", "sigma_z", "correlation", "predicted", "days"):
        np.testing.assert_array_equal(getattr(fitted, name), getattr(again, name))
    assert judged_days(n, fitted=fitted).sum(axis=0).tolist() == [22] * 30
    before, after = judge_points(x, n, fitted=fitted), judge_points(later, n, fitted=again)
    np.testing.assert_array_equal(before.p_value[:-1], after.p_value[:-1])
    assert (after.p_value[-1] < 1e-6).all()


def test_days_without_reviews_change_nothing() -> None:
    """Stops an average that decays, a moving range or a baseline that counts empty days."""
    x, n = _operation(np.random.default_rng(8), days=45, series=40, reviews=30, share=0.06, correlation=0.004)
    places = np.sort(np.random.default_rng(9).choice(70, 45, replace=False))
    spread_x, spread_n, marked = np.zeros((70, 40)), np.zeros((70, 40)), np.zeros((70, 40), dtype=np.bool_)
    spread_x[places], spread_n[places] = x, n
    marked[: places[27] + 1] = True
    fitted, other = _fit(x, n, 28), fit_baseline(spread_x, spread_n, baseline=marked)
    np.testing.assert_allclose(other.sigma_z, fitted.sigma_z)
    np.testing.assert_allclose(
        judge_points(spread_x, spread_n, fitted=other).p_value[places], judge_points(x, n, fitted=fitted).p_value
    )
    np.testing.assert_allclose(
        ewma(spread_x, spread_n, fitted=other).judgement.p_value[places], ewma(x, n, fitted=fitted).judgement.p_value
    )
    assert np.isnan(ewma(spread_x, spread_n, fitted=other).value[np.setdiff1d(np.arange(70), places)]).all()


def test_the_opening_baseline_is_the_first_days_with_reviews() -> None:
    """Stops calendar days without reviews from counting, and a baseline that is complete with the newest date."""
    reviews = np.array([[0.0, 5], [5, 5], [0, 5], [5, 5], [5, 0]])
    assert opening_baseline(reviews, days=2).T.tolist() == [
        [False, True, False, True, False],
        [True, True, False, False, False],
    ]
    assert is_opening_complete(reviews, days=2).tolist() == [True, True]
    assert is_opening_complete(reviews[:4], days=2).tolist() == [False, True]
    assert is_opening_complete(reviews[:2], days=2).tolist() == [False, False]


def test_too_few_baseline_days_are_not_judged() -> None:
    """Stops charts on thirteen days; a baseline without a single defect still judges, by its prior."""
    x, n = np.zeros((40, 2)), np.full((40, 2), 100.0)
    n[:1, 0] = 0
    x[-1] = 30
    fitted = fit_baseline(x, n, baseline=_first(14, x))
    found = judge_points(x, n, fitted=fitted)
    assert np.isnan(found.p_value[:, 0]).all()
    assert found.p_value[-1, 1] < 1e-3
    assert found.direction[-1].tolist() == [0, 1]


def test_series_do_not_touch_each_other() -> None:
    """Stops sums that run into the next column: together and alone give the same p-values."""
    x, n = _operation(np.random.default_rng(10), days=45, series=12, reviews=30, share=0.05, correlation=0.004)
    x[:, ::3] *= 0
    together = g_chart(x, n, fitted=_fit(x, n, 28)).judgement.p_value
    for column in range(12):
        some = slice(column, column + 1)
        alone = g_chart(x[:, some], n[:, some], fitted=_fit(x[:, some], n[:, some], 28)).judgement.p_value
        np.testing.assert_allclose(together[:, some], alone, rtol=1e-9)


def test_weighted_reviews_count_as_their_effective_number() -> None:
    """Stops rounding of weighted counts: a third of a review less moves p by a little, and not by a step."""
    x, n = _operation(np.random.default_rng(11), days=40, series=1, reviews=100, share=0.1, correlation=0.004)
    p_values = []
    for part in (0.0, 0.3, 1.0):
        x[-1], n[-1] = 22 + part, 100.3
        p_values.append(rule_one(x, n, fitted=_fit(x, n, 28)).p_value[-1, 0])
    assert p_values[0] > p_values[1] > p_values[2]
