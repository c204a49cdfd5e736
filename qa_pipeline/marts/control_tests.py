"""Judges every point of every series, and adjusts the p-values of each night for how many there are.

The statistics are `stats.control` and its neighbours; which tests make up a night belongs here.

**A night** is a business date. Its family of tests is the point (rule 1 or g-chart) and the moving average of all
series that are judged on that date. Every kind of subject (rater kinds, vendors, model versions, annotators) gets the
same share of the error rate, so that 5,000 annotators do not drown 20 vendors. Roll-ups (ALL) are in the family: they
show changes too small for each queue alone, and as they agree with their queues they cost little: were every test made
twice, Benjamini-Hochberg would find the same. A roll-up of a single queue is that queue again, and is not tested twice.

**A judgement stands.** A series is judged from the night on after its configured baseline is complete, and no night
before; a day once judged never becomes a day of the baseline. So the p-values and alarms of a night are those of every
later build, as long as its reviews and the configuration stay as they are.
"""

from dataclasses import dataclass

import numpy as np

from qa_pipeline.marts.control_series import Series
from qa_pipeline.quality_config import BaselineConfig, QualityConfig
from qa_pipeline.stats.control import (
    Baseline,
    Judgement,
    Limits,
    fit_baseline,
    is_opening_complete,
    judged_days,
    opening_baseline,
    p_limits,
)
from qa_pipeline.stats.control_ewma import Ewma, ewma
from qa_pipeline.stats.control_patterns import Patterns, nelson_patterns
from qa_pipeline.stats.control_rare import GPoints, g_points, judge_points
from qa_pipeline.stats.false_discovery import adjusted_by_weight, equal_group_weights
from qa_pipeline.stats.jackknife import BoolArray, FloatArray, IntArray, divide
from qa_pipeline.stats.windows import DateArray

RULES = ("rule_1", "ewma")


@dataclass(frozen=True)
class Control:
    """What the charts say, `[days, series]` unless noted.

    `baseline` are the days that each series is or will be compared with (`fitted` is NaN until they are complete),
    `judged` those compared. `adjusted` and `is_alarm` are by
    rule; a series that is another one again (`Series.same_as`) has the values of that one.
    """

    defects: FloatArray
    reviews: FloatArray
    baseline: BoolArray
    judged: BoolArray
    fitted: Baseline
    point: Judgement
    average: Ewma
    patterns: Patterns
    adjusted: dict[str, FloatArray]
    is_alarm: dict[str, BoolArray]

    def judgement(self, rule: str) -> Judgement:
        """P-values and directions of one of RULES."""
        return self.point if rule == "rule_1" else self.average.judgement

    def is_back(self, day: int, column: int, *, since: int) -> bool:
        """Whether a series that became worse has its own point of `day` (p- or g-chart) back within its limits.

        A small lasting rise is within the limits all along, so that alone is not "back": a point from day `since` on
        (-1: not known) was beyond them, or that of `day` is no worse than the centre.
        """
        beyond, no_worse = self._sides(column)
        return not beyond[day] and bool(no_worse[day] or (since >= 0 and beyond[since:day].any()))

    def _sides(self, column: int) -> tuple[BoolArray, BoolArray]:
        """Days on which a series' point is beyond its limit on the worse side, and no worse than its centre."""
        some = slice(column, column + 1)
        if self.fitted.is_rare[column]:
            chart = gaps(self, series=np.array([column]))
            return (chart.value < chart.limits.lower)[:, 0], (chart.value >= chart.centre)[:, 0]
        x, n = self.defects[:, some], self.reviews[:, some]
        fitted = self.fitted.of(np.arange(len(self.fitted.share)) == column)
        rate = divide(x, n)
        return (rate > p_limits(n, fitted=fitted).upper)[:, 0], (rate <= fitted.share)[:, 0]


def control_tests(series: Series, *, quality: QualityConfig) -> Control:
    """Fit every baseline, judge every later day, and adjust each night."""
    defects, reviews = series.defects, series.reviews
    baseline = baseline_days(reviews, dates=series.dates, config=quality.baseline)
    complete = is_complete(reviews, dates=series.dates, config=quality.baseline)
    fitted = fit_baseline(defects, reviews, baseline=baseline & complete)
    judged = judged_days(reviews, fitted=fitted)
    point = judge_points(defects, reviews, fitted=fitted)
    average = ewma(defects, reviews, fitted=fitted)
    rates = np.where(judged & ~fitted.is_rare, series.rate, np.nan)
    adjusted = night_adjusted(
        point.p_value, average.judgement.p_value, kind=series.texts["subject_kind"].values, same_as=series.same_as
    )
    return Control(
        defects=defects,
        reviews=reviews,
        baseline=baseline,
        judged=judged,
        fitted=fitted,
        point=point,
        average=average,
        patterns=nelson_patterns(rates, centre=fitted.share),
        adjusted=adjusted,
        is_alarm={rule: values <= quality.alarms.false_discovery_rate for rule, values in adjusted.items()},
    )


def baseline_days(reviews: FloatArray, *, dates: DateArray, config: BaselineConfig) -> BoolArray:
    """Days with reviews, `[days, series]`, of the configured baseline, whether it is complete or not."""
    if config.start is None or config.end is None:
        return opening_baseline(reviews, days=config.days)
    within = (dates >= np.datetime64(config.start)) & (dates <= np.datetime64(config.end))
    chosen: BoolArray = within[:, None] & (reviews > 0)
    return chosen


def is_complete(reviews: FloatArray, *, dates: DateArray, config: BaselineConfig) -> BoolArray:
    """Whether the configured baseline of each series, `[series]`, ended before the newest date."""
    if config.end is None:
        return is_opening_complete(reviews, days=config.days)
    return np.full(reviews.shape[1], dates[-1] > np.datetime64(config.end))


def night_adjusted(
    point: FloatArray, average: FloatArray, *, kind: IntArray, same_as: IntArray
) -> dict[str, FloatArray]:
    """Adjusted p-values `[nights, series]` of both RULES, one family a night, each kind `[series]` of equal weight."""
    tested = same_as == np.arange(len(same_as))
    p_values = np.concatenate([np.where(tested, each, np.nan) for each in (point, average)], axis=1)
    weights = equal_group_weights(p_values, group=np.concatenate([kind, kind]))
    found = adjusted_by_weight(p_values, weights=weights)
    parts = np.split(found, len(RULES), axis=1)
    return {rule: part[:, same_as] for rule, part in zip(RULES, parts, strict=True)}


def gaps(control: Control, *, series: IntArray) -> GPoints:
    """The g-charts of some `series`: value, centre and limits of their baseline days as well as of the judged ones."""
    some = np.zeros(control.reviews.shape[1], dtype=np.bool_)
    some[series] = True
    before, later = (
        g_points(
            control.defects[:, some], control.reviews[:, some], plotted=days[:, some], fitted=control.fitted.of(some)
        )
        for days in (control.baseline, control.judged)
    )
    within = control.baseline[:, some]
    lower = np.where(within, before.limits.lower, later.limits.lower)
    upper = np.where(within, before.limits.upper, later.limits.upper)
    value = np.where(within, before.value, later.value)
    return GPoints(value=value, centre=later.centre, limits=Limits(lower=lower, upper=upper))
