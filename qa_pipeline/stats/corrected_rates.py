"""Rates corrected for the errors of those who judge: Rogan and Gladen's estimate, two intervals, and weighted means.

QA is not truth. Its sensitivity (defects that it calls defects) and specificity (right decisions that it leaves alone)
come from arbitration of its verdicts; how they are counted is `arbitration`, the rate itself `weighted_means`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from qa_pipeline.stats.jackknife import Z_975, BoolArray, FloatArray, IntArray, Interval, divide

# Halvings of [0, 1]: more than a double can tell apart.
STEPS = 60
# How far beyond 0 and 1 the end of a rate that is not clipped is looked for.
REACH = 1.0


@dataclass(frozen=True)
class Measured:
    """A share and its 95 % interval, `[...]` each."""

    value: FloatArray
    interval: Interval


@dataclass(frozen=True)
class Corrected:
    """A corrected rate, its interval (NaN ends: none) and why there is none, `[...]` each.

    `is_uninformative`: sensitivity + specificity is 1 or less, the verdicts say nothing. `is_contradicted`: fewer
    defects were found than the false alarms that the specificity foretells, beyond chance.
    """

    estimate: FloatArray
    interval: Interval
    is_uninformative: BoolArray
    is_contradicted: BoolArray


def rogan_gladen(apparent: FloatArray, *, sensitivity: FloatArray, specificity: FloatArray) -> FloatArray:
    """True rate behind an apparent one: (apparent + specificity - 1) / (sensitivity + specificity - 1), 0 to 1.

    Source: W. J. Rogan and B. Gladen (1978), American Journal of Epidemiology 107(1), 71-76. NaN where sensitivity +
    specificity is 1 or less.

    >>> round(float(rogan_gladen(np.array(0.10), sensitivity=np.array(0.90), specificity=np.array(0.95))), 4)
    0.0588
    """
    rate: FloatArray = np.clip(_unclipped(apparent, sensitivity, specificity), 0, 1)
    return rate


def lang_reiczigel(
    apparent: FloatArray,
    *,
    units: FloatArray,
    sensitivity: FloatArray,
    defects: FloatArray,
    specificity: FloatArray,
    clear: FloatArray,
) -> Interval:
    """95 % interval of Rogan and Gladen's rate by Lang and Reiczigel, for simple random samples.

    `units` stand behind the apparent rate, `defects` behind the sensitivity, `clear` decisions behind the specificity.
    Source: Z. Lang and J. Reiczigel (2014), Preventive Veterinary Medicine 113(1), 13-22, equations 4-7 and 15-17
    (with (1 - P)^2 where equation 4 prints (1 + P)^2). NaN where sensitivity + specificity is 1 or less.
    """
    z2 = Z_975**2
    more_units, more_defects, more_clear = units + z2, defects + 2, clear + 2
    positive = (units * apparent + z2 / 2) / more_units
    caught = (defects * sensitivity + 1) / more_defects
    left = (clear * specificity + 1) / more_clear
    middle = _unclipped(positive, caught, left)
    caught_variance = caught * (1 - caught) / more_defects
    left_variance = left * (1 - left) / more_clear
    shift = 2 * z2 * (middle * caught_variance - (1 - middle) * left_variance)
    variance = positive * (1 - positive) / more_units
    variance = variance + middle**2 * caught_variance + (1 - middle) ** 2 * left_variance
    half = divide(Z_975 * np.sqrt(variance), caught + left - 1)
    known = np.isfinite(_unclipped(apparent, sensitivity, specificity))
    low, high = np.clip(middle + shift - half, 0, 1), np.clip(middle + shift + half, 0, 1)
    return Interval(low=np.where(known, low, np.nan), high=np.where(known, high, np.nan))


def corrected_rate(apparent: Measured, *, sensitivity: Measured, specificity: Measured) -> Corrected:
    """Rogan and Gladen's rate with an interval made from those of its three parts, whatever sampling they come from.

    The interval holds every rate P for which apparent - P sensitivity - (1 - P) (1 - specificity) may be 0, by the
    method of variance estimates recovery: the distance from each part's value to the end of its interval stands for
    its standard error. Sources: A. Donner and G. Y. Zou (2012), Statistical Methods in Medical Research 21(4),
    347-359 (ratios, after Fieller); G. Y. Zou and A. Donner (2008), Statistics in Medicine 27(10), 1693-1702. Unlike
    Lang and Reiczigel's it takes weighted samples, and few events, as its parts' intervals do.
    """
    parts = _Parts(apparent, sensitivity, specificity)
    estimate = np.clip(parts.rate, 0, 1)
    zero, one = np.zeros_like(estimate), np.ones_like(estimate)
    # The estimate was clipped to 0 or 1, and even that is too far from what was seen.
    contradicted = parts.is_informative & (parts.is_too_high(zero) | parts.is_too_low(one))
    low = _end(parts.is_too_low, outermost=zero, inside=estimate)
    high = _end(parts.is_too_high, outermost=one, inside=estimate)
    known = parts.is_given & ~contradicted
    return Corrected(
        estimate=np.where(contradicted, np.nan, estimate),
        interval=Interval(low=np.where(known, low, np.nan), high=np.where(known, high, np.nan)),
        is_uninformative=~parts.is_informative,
        is_contradicted=contradicted,
    )


def unclipped_rate(apparent: Measured, *, sensitivity: Measured, specificity: Measured) -> Measured:
    """The same rate and interval, for sums over several: below 0 or above 1 where the formula says so.

    Clipped to 0, rates that are 0 but for chance would add up to more than they are, and their intervals, cut off at
    0, would be too short in a sum. An end that lies over REACH beyond 0, 1 and the rate, or nowhere because sensitivity
    + specificity may be 1, is taken to lie there: a rate is wrong by no more. NaN where sensitivity + specificity is 1
    or less.
    """
    parts = _Parts(apparent, sensitivity, specificity)
    rate = parts.rate
    low = _end(parts.is_too_low, outermost=np.minimum(rate, 0) - REACH, inside=rate)
    high = _end(parts.is_too_high, outermost=np.maximum(rate, 1) + REACH, inside=rate)
    known = parts.is_given
    return Measured(rate, Interval(low=np.where(known, low, np.nan), high=np.where(known, high, np.nan)))


def corrected_mean(rates: Measured, *, weight: FloatArray, group: IntArray, groups: int) -> Corrected:
    """Weighted mean of independent corrected rates over each group, `[groups]`.

    `rates`, `weight` and `group` are `[n]`; `rates` are those of `unclipped_rate`, only the mean is clipped. With
    shares w of the weight the ends are mean - sqrt(sum of (w (rate - low))^2) and mean + sqrt(sum of (w (high -
    rate))^2). Source: G. Y. Zou and A. Donner (2008), Statistics in Medicine 27(10), 1693-1702. The shares are taken
    as known. `is_uninformative`: one of the rates is NaN.
    """

    def summed(values: FloatArray) -> FloatArray:
        total: FloatArray = np.bincount(group, weights=values, minlength=groups).astype(np.float64, copy=False)
        return total

    share = weight / summed(weight)[group]
    mean = summed(share * rates.value)
    low = mean - np.sqrt(summed(np.square(share * (rates.value - rates.interval.low))))
    high = mean + np.sqrt(summed(np.square(share * (rates.interval.high - rates.value))))
    contradicted: BoolArray = (high < 0) | (low > 1)

    def given(values: FloatArray) -> FloatArray:
        return np.where(contradicted, np.nan, np.clip(values, 0, 1))

    return Corrected(
        estimate=given(mean),
        interval=Interval(low=given(low), high=given(high)),
        is_uninformative=np.isnan(mean),
        is_contradicted=contradicted,
    )


@dataclass(frozen=True)
class _Parts:
    """What a corrected rate is made of, `[...]` each."""

    apparent: Measured
    sensitivity: Measured
    specificity: Measured

    @property
    def rate(self) -> FloatArray:
        """Rogan and Gladen's rate, not clipped."""
        return _unclipped(self.apparent.value, self.sensitivity.value, self.specificity.value)

    @property
    def is_informative(self) -> BoolArray:
        informative: BoolArray = ~(self.sensitivity.value + self.specificity.value <= 1)
        return informative

    @property
    def is_given(self) -> BoolArray:
        """Whether there is a rate and an interval of every part."""
        given: BoolArray = np.isfinite(self.rate)
        for part in (self.apparent, self.sensitivity, self.specificity):
            given &= part.interval.is_given
        return given

    def is_too_low(self, rate: FloatArray) -> BoolArray:
        """Whether more defects were found than `rate` allows."""
        # Fewer defects found, more of them caught, more false alarms.
        caught = np.where(rate < 0, _below(self.sensitivity), _above(self.sensitivity))
        left = np.where(rate > 1, _above(self.specificity), _below(self.specificity))
        return self._gap(rate) > _spread(_below(self.apparent), caught, left, rate)

    def is_too_high(self, rate: FloatArray) -> BoolArray:
        """Whether fewer defects were found than `rate` allows."""
        caught = np.where(rate < 0, _above(self.sensitivity), _below(self.sensitivity))
        left = np.where(rate > 1, _below(self.specificity), _above(self.specificity))
        return -self._gap(rate) > _spread(_above(self.apparent), caught, left, rate)

    def _gap(self, rate: FloatArray) -> FloatArray:
        found: FloatArray = self.apparent.value - rate * self.sensitivity.value
        return found - (1 - rate) * (1 - self.specificity.value)


def _below(part: Measured) -> FloatArray:
    return part.value - part.interval.low


def _above(part: Measured) -> FloatArray:
    return part.interval.high - part.value


def _unclipped(apparent: FloatArray, sensitivity: FloatArray, specificity: FloatArray) -> FloatArray:
    return divide(apparent + specificity - 1, sensitivity + specificity - 1)


def _spread(found: FloatArray, caught: FloatArray, left: FloatArray, rate: FloatArray) -> FloatArray:
    spread: FloatArray = np.sqrt(np.square(found) + np.square(rate * caught) + np.square((1 - rate) * left))
    return spread


def _end(is_outside: Callable[[FloatArray], BoolArray], *, outermost: FloatArray, inside: FloatArray) -> FloatArray:
    """The end of an interval on the way from `outermost` to a rate `inside` it; `outermost` unless it is outside.

    The gap is linear in the rate and the spread convex, so the gap less the spread is concave, negative inside: there
    is one end on a way that begins outside, and halving finds it.
    """
    outside = outermost
    for _ in range(STEPS):
        middle = (outside + inside) / 2
        is_out = is_outside(middle)
        outside, inside = np.where(is_out, middle, outside), np.where(is_out, inside, middle)
    return np.where(is_outside(outermost), inside, outermost)
