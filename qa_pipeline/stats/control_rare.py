"""Control chart of rare defects: the g-chart of good reviews between defects.

Only series with too few defects a day for a point of their own belong here; the baseline is in control. Arrays are
`[days, series]`.
"""

from dataclasses import dataclass

import numpy as np

from qa_pipeline.stats.control import (
    MIN_EXPECTED,
    SIGMAS,
    Baseline,
    Judgement,
    Limits,
    judged_days,
    predictive_tails,
    rule_one,
    two_sided,
)
from qa_pipeline.stats.jackknife import BoolArray, FloatArray, IntArray, divide

# Sums of weights differ in the last digits.
_ROUNDING = 1e-6


@dataclass(frozen=True)
class GPoints:
    """Good reviews between defects, averaged over the last few: `value`, its `centre` `[series]`, limits."""

    value: FloatArray
    centre: FloatArray
    limits: Limits


@dataclass(frozen=True)
class GChart(GPoints):
    """The points, and the judgement on them."""

    judgement: Judgement


def g_limits(mean: FloatArray, *, defects: FloatArray) -> Limits:
    """Limits of the average number of good reviews between defects over `defects` defects, for a true `mean`.

    mean +- SIGMAS sqrt(mean (mean + 1) / defects), never below 0: the number between two defects is geometric. Source:
    J. C. Benneyan (2001), Number-between g-type statistical quality control charts for monitoring adverse events,
    Health Care Management Science 4, 305-318.
    """
    half = SIGMAS * np.sqrt(divide(mean * (mean + 1), defects))
    return Limits(lower=np.maximum(mean - half, 0), upper=mean + half)


def g_chart(defects: FloatArray, reviews: FloatArray, *, fitted: Baseline) -> GChart:
    """Number of reviews that the last defects took, for series with few a day.

    A point looks back from its day to the day on which the MIN_EXPECTED-th last defect was found (or the end of the
    baseline): r defects took X reviews, and (X - r) / r good ones lie between two. One defect alone says next to
    nothing of a worse rate (the shortest possible gap has p = share), five do. The number of reviews that r defects
    take is negative binomial, and P(r defects take at most X) = P(at least r among X), so the same beta-binomial gives
    the tail; days' own variation and the baseline's error enter as in `rule_one`. Better than the baseline is judged
    on the reviews since that oldest day, which fewer than MIN_EXPECTED defects have been found in.
    """
    judged = judged_days(reviews, fitted=fitted)
    n, x = np.where(judged, reviews, 0.0), np.where(judged, defects, 0.0)
    first, is_whole = _look_back(x)
    later = np.where(is_whole, first, first + 1)
    worse_x, worse_n, worse_variance = (_since(each, first) for each in (x, n, n * fitted.inflation(n)))
    better_x, better_n, better_variance = (_since(each, later) for each in (x, n, n * fitted.inflation(n)))
    better_x = np.where(is_whole, better_x, MIN_EXPECTED - 1)
    worse = predictive_tails(worse_x, worse_n, correlation=_correlation(worse_n, worse_variance), fitted=fitted)
    better = predictive_tails(better_x, better_n, correlation=_correlation(better_n, better_variance), fitted=fitted)
    at_most = np.where(better_n > 0, better.at_most, 1.0)
    points = g_points(defects, reviews, plotted=judged, fitted=fitted)
    return GChart(
        value=points.value,
        centre=points.centre,
        limits=points.limits,
        judgement=two_sided(at_most, worse.at_least, judged=judged, degrees=fitted.days - 1),
    )


def g_points(defects: FloatArray, reviews: FloatArray, *, plotted: BoolArray, fitted: Baseline) -> GPoints:
    """What a g-chart draws on the `plotted` days, looking back over them alone; nothing is judged."""
    n, x = np.where(plotted, reviews, 0.0), np.where(plotted, defects, 0.0)
    first, _ = _look_back(x)
    found, reviewed = _since(x, first), _since(n, first)
    centre = divide(1 - fitted.share, fitted.share)
    limits = g_limits(np.broadcast_to(centre, n.shape), defects=found)
    return GPoints(
        value=np.where(plotted, divide(reviewed - found, found), np.nan),
        centre=centre,
        limits=Limits(*(np.where(plotted, each, np.nan) for each in (limits.lower, limits.upper))),
    )


def judge_points(defects: FloatArray, reviews: FloatArray, *, fitted: Baseline) -> Judgement:
    """The judgement that enters the night: the g-chart's in series of rare defects, rule 1 in the others."""
    rare, usual = fitted.is_rare, ~fitted.is_rare
    rare_found = g_chart(defects[:, rare], reviews[:, rare], fitted=fitted.of(rare)).judgement
    usual_found = rule_one(defects[:, usual], reviews[:, usual], fitted=fitted.of(usual))
    p_value, direction = np.empty(reviews.shape), np.empty(reviews.shape, dtype=np.int64)
    p_value[:, rare], p_value[:, usual] = rare_found.p_value, usual_found.p_value
    direction[:, rare], direction[:, usual] = rare_found.direction, usual_found.direction
    return Judgement(p_value=p_value, direction=direction)


def _look_back(x: FloatArray) -> tuple[IntArray, BoolArray]:
    """First day of the shortest stretch up to each day with MIN_EXPECTED defects; whether there is no such stretch."""
    days, series = x.shape
    after = np.cumsum(x, axis=0)
    before = after - x
    # One sorted line: the columns one after the other, each lifted above the one before it.
    lift = np.arange(series) * (after.max(initial=0.0) + 2 * MIN_EXPECTED)
    line = (before + lift).T.ravel()
    wanted = (after - MIN_EXPECTED + _ROUNDING + lift).T.ravel()
    found = np.searchsorted(line, wanted, side="right").reshape(series, days).T - 1 - np.arange(series) * days
    return np.maximum(found, 0), found < 0


def _since(values: FloatArray, first: IntArray) -> FloatArray:
    """Sum of each column from its row in `first` to each row; 0 where that comes later."""
    running = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])
    result: FloatArray = running[1:] - np.take_along_axis(running, first, axis=0)
    return result


def _correlation(n: FloatArray, variance: FloatArray) -> FloatArray:
    """Correlation between any two of n reviews of several days, whose counts add up to `variance` times p q."""
    return np.maximum(divide(variance - n, n * (n - 1), otherwise=0.0), 0)
