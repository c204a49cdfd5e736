"""Rates corrected for the errors of those who judge: Rogan and Gladen's estimate and two intervals.

QA is not truth. Its sensitivity (defects that it calls defects) and specificity (right decisions that it leaves alone)
come from arbitration of its verdicts; how they are counted is `arbitration`, the rate itself `weighted_means`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from qa_pipeline.stats.jackknife import Z_975, BoolArray, FloatArray, Interval, divide

# Halvings of [0, 1]: more than a double can tell apart.
STEPS = 60


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
    parts = (apparent, sensitivity, specificity)
    # Towards a lower rate: fewer defects found, more of them caught, more false alarms.
    low_ends = (apparent.interval.low, sensitivity.interval.high, specificity.interval.low)
    high_ends = (apparent.interval.high, sensitivity.interval.low, specificity.interval.high)
    to_low = [np.abs(end - part.value) for end, part in zip(low_ends, parts, strict=True)]
    to_high = [np.abs(end - part.value) for end, part in zip(high_ends, parts, strict=True)]

    def gap(rate: FloatArray) -> FloatArray:
        return apparent.value - rate * sensitivity.value - (1 - rate) * (1 - specificity.value)

    def is_too_low(rate: FloatArray) -> BoolArray:
        return gap(rate) > _spread(to_low, rate)

    def is_too_high(rate: FloatArray) -> BoolArray:
        return -gap(rate) > _spread(to_high, rate)

    estimate = rogan_gladen(apparent.value, sensitivity=sensitivity.value, specificity=specificity.value)
    zero, one = np.zeros_like(estimate), np.ones_like(estimate)
    uninformative: BoolArray = sensitivity.value + specificity.value <= 1
    # The estimate was clipped to 0 or 1, and even that is too far from what was seen.
    contradicted = ~uninformative & (is_too_high(zero) | is_too_low(one))
    low = _end(is_too_low, outermost=zero, inside=estimate)
    high = _end(is_too_high, outermost=one, inside=estimate)
    known = np.isfinite(estimate) & ~contradicted
    for part in parts:
        known &= part.interval.is_given
    return Corrected(
        estimate=np.where(contradicted, np.nan, estimate),
        interval=Interval(low=np.where(known, low, np.nan), high=np.where(known, high, np.nan)),
        is_uninformative=uninformative,
        is_contradicted=contradicted,
    )


def _unclipped(apparent: FloatArray, sensitivity: FloatArray, specificity: FloatArray) -> FloatArray:
    return divide(apparent + specificity - 1, sensitivity + specificity - 1)


def _spread(distances: list[FloatArray], rate: FloatArray) -> FloatArray:
    first, second, third = distances
    spread: FloatArray = np.sqrt(np.square(first) + np.square(rate * second) + np.square((1 - rate) * third))
    return spread


def _end(is_outside: Callable[[FloatArray], BoolArray], *, outermost: FloatArray, inside: FloatArray) -> FloatArray:
    """The end of an interval on the way from `outermost` to a rate `inside` it; `outermost` unless it is outside.

    The squared gap less the squared spread is a quadratic in the rate, negative inside: there is at most one end on a
    way that begins outside, so halving finds it.
    """
    outside = outermost
    for _ in range(STEPS):
        middle = (outside + inside) / 2
        is_out = is_outside(middle)
        outside, inside = np.where(is_out, middle, outside), np.where(is_out, inside, middle)
    return np.where(is_outside(outermost), inside, outermost)
