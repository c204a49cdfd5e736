"""Exponentially weighted moving average of a series' scores: the control chart for small, lasting changes.

Only the average, its variance and its judgement belong here; the baseline is in control. Arrays are `[days, series]`.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri, stdtr

from qa_pipeline.stats.control import Baseline, Judgement, Limits, judged_days
from qa_pipeline.stats.count_tails import betabinomial_tails
from qa_pipeline.stats.jackknife import BoolArray, FloatArray, divide

EWMA_WEIGHT = 0.2
EWMA_SIGMAS = 3.0


@dataclass(frozen=True)
class Ewma:
    """Moving average of normal scores (0 is the centre) with its limits, and the judgement on it."""

    value: FloatArray
    limits: Limits
    judgement: Judgement


def ewma(defects: FloatArray, reviews: FloatArray, *, fitted: Baseline) -> Ewma:
    """Exponentially weighted moving average of each series' normal scores since the end of its baseline.

    A day's score is the normal quantile of its mid-p (P. K. Dunn and G. K. Smyth 1996, Randomized quantile residuals,
    Journal of Computational and Graphical Statistics 5(3), without the random part), which a plain standardised rate
    of 5 expected defects is too skewed for. The variance is exact for the days there were (a day without reviews
    changes nothing) and includes the error of the baseline, which all days share.
    """
    judged = judged_days(reviews, fitted=fitted)
    n, x = np.where(judged, reviews, 0.0), np.where(judged, defects, 0.0)
    tails = betabinomial_tails(x, n, share=fitted.predicted, correlation=fitted.correlation)
    scores = np.where(judged, ndtri(tails.middle), 0.0)
    value, own = smoothed(scores, judged, weight=EWMA_WEIGHT)
    # A baseline rate that is too low by d raises the score of a day of n reviews by d sqrt(n / (inflation p q)).
    pull, _ = smoothed(np.sqrt(n / fitted.inflation(n)), judged, weight=EWMA_WEIGHT)
    deviation = np.sqrt(own + np.square(pull) * fitted.predicted_correlation)
    ratio = np.abs(divide(value, deviation, otherwise=0.0))
    tail = stdtr(np.maximum(fitted.days - 1, 1), -ratio)
    judgement = Judgement(
        p_value=np.where(judged, np.minimum(2 * tail, 1), np.nan),
        direction=np.where(judged, np.sign(value), 0).astype(np.int64),
    )
    half = np.where(judged, EWMA_SIGMAS * deviation, np.nan)
    return Ewma(value=np.where(judged, value, np.nan), limits=Limits(-half, half), judgement=judgement)


def smoothed(values: FloatArray, observed: BoolArray, *, weight: float) -> tuple[FloatArray, FloatArray]:
    """Moving average from 0 and its variance for independent values of variance 1, both after each day.

    E_t = w x_t + (1 - w) E_(t-1); variance w / (2 - w) (1 - (1 - w)^(2 k)) after k observed days. Source: S. W. Roberts
    (1959), Technometrics 1(3); D. C. Montgomery, Introduction to Statistical Quality Control, section 9.2.
    """
    result = np.empty_like(values)
    current = np.zeros(values.shape[1])
    for day, (value, is_observed) in enumerate(zip(values, observed, strict=True)):
        current = np.where(is_observed, weight * value + (1 - weight) * current, current)
        result[day] = current
    known = np.cumsum(observed, axis=0).astype(np.float64)
    variance: FloatArray = weight / (2 - weight) * (1 - (1 - weight) ** (2 * known))
    return result, variance
