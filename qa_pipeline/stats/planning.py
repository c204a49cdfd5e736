"""How many reviews an answer takes: for an interval of a wanted width, or to see a change.

Sample sizes for one share belong here; spreading a budget over strata is in `allocation`. Arrays broadcast; shares and
half widths are 0..1. Every answer is the smallest whole number that does it.
"""

from collections.abc import Callable

import numpy as np
from scipy import special

from qa_pipeline.stats.jackknife import BoolArray, FloatArray, IntArray
from qa_pipeline.stats.proportions import wilson

MAX_REVIEWS = 2**40


def finite_n(n: FloatArray, population: FloatArray) -> FloatArray:
    """Reviews with replacement that say as much as `n` without it from `population`: n / (1 - n / N).

    The finite-population correction that the marts make, so that a plan foretells the intervals that they will give:
    `WeightedSums.variance` with equal weights N / n is p (1 - p) / n * (1 - n / N). Each decision is sampled on its own
    there, and N is only known as the sum of the weights; drawing exactly n of a known N has (N - n) / (N - 1) in place
    of 1 - n / N (W. G. Cochran 1977, Sampling Techniques, 3rd edition, section 3.2), which asks for a share of 1 / N
    more reviews. `make study` measured the marts' correction, with as few as 100 decisions. Infinite when all are
    reviewed.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        effective: FloatArray = np.where(n < population, n * population / (population - n), np.inf)
    return np.where(np.isinf(population), n, effective)


def half_width(share: FloatArray, *, n: FloatArray, population: FloatArray) -> FloatArray:
    """Half the width of Wilson's 95 % interval to expect from `n` of `population` (np.inf: a process) at this share.

    NaN without reviews, 0 when all are reviewed.
    """
    effective = np.minimum(finite_n(n, population), float(MAX_REVIEWS))
    expected = wilson(share, effective)
    half: FloatArray = np.where(n >= population, 0.0, (expected.high - expected.low) / 2)
    return half


def reviews_for_half_width(share: FloatArray, *, wanted: FloatArray, population: FloatArray) -> IntArray:
    """Fewest reviews for which `half_width` is at most `wanted` if the share turns out as expected.

    At most `population` (np.inf: no limit). With an unsure guess take the largest share thought possible up to 0.5: the
    width grows with it. Raises ValueError unless `wanted` is above 0.

    >>> reviews_for_half_width(np.array([0.05, 0.5]), wanted=np.array(0.02), population=np.array(np.inf)).tolist()
    [469, 2398]
    """
    if np.any(wanted <= 0):
        raise ValueError("the wanted half width is above 0")
    shape = np.broadcast_shapes(share.shape, wanted.shape, population.shape)
    most = np.broadcast_to(np.minimum(population, MAX_REVIEWS), shape).astype(np.int64)
    return _fewest(lambda n: half_width(share, n=n.astype(np.float64), population=population) <= wanted, most)


def change_power(n: FloatArray, *, before: FloatArray, after: FloatArray, alpha: float) -> FloatArray:
    """Chance that `n` reviews in each of two periods show the change from `before` to `after`, two-sided at `alpha`.

    The normal approximation of the pooled two-sample test of shares, both tails: J. L. Fleiss, B. Levin and M. C. Paik
    (2003), Statistical Methods for Rates and Proportions, 3rd edition, chapter 4. The periods are samples of a
    process, so there is no finite-population correction. The exact power of that test, by enumeration, was within 0.015
    where each sample expects 5 defects or more, and up to 0.12 higher with fewer: then it asks for too many reviews.
    """
    pooled = (before + after) / 2
    spread = np.sqrt(before * (1 - before) + after * (1 - after))
    threshold = special.ndtri(1 - alpha / 2) * np.sqrt(2 * pooled * (1 - pooled))
    shift = np.abs(after - before) * np.sqrt(n)
    with np.errstate(divide="ignore", invalid="ignore"):
        power: FloatArray = special.ndtr((shift - threshold) / spread) + special.ndtr((-shift - threshold) / spread)
    return np.where(before == after, alpha, power)


def reviews_for_change(before: FloatArray, after: FloatArray, *, alpha: float, power: float) -> IntArray:
    """Fewest reviews in each of two periods to see a change with this power (see `change_power`).

    Raises ValueError where nothing changes: no number of reviews shows it.

    >>> int(reviews_for_change(np.array(0.03), np.array(0.05), alpha=0.05, power=0.8))
    1506
    """
    if np.any(before == after):
        raise ValueError("a change needs two different shares")
    shape = np.broadcast_shapes(before.shape, after.shape)
    most = np.full(shape, MAX_REVIEWS)
    return _fewest(lambda n: change_power(n.astype(np.float64), before=before, after=after, alpha=alpha) >= power, most)


def visible_increase(before: FloatArray, *, n: FloatArray, alpha: float, power: float) -> FloatArray:
    """The smallest share above `before` that `n` reviews in each of two periods would show with this power.

    The inverse of `reviews_for_change`: what today's budget can see. NaN where not even a share of 1 would be seen.

    >>> round(float(visible_increase(np.array(0.03), n=np.array(1506.0), alpha=0.05, power=0.8)), 4)
    0.05
    """
    low = np.broadcast_to(before, np.broadcast_shapes(before.shape, n.shape)).astype(np.float64)
    high = np.ones_like(low)
    is_possible = change_power(n, before=before, after=high, alpha=alpha) >= power
    for _ in range(60):
        middle = (low + high) / 2
        is_seen = change_power(n, before=before, after=middle, alpha=alpha) >= power
        low, high = np.where(is_seen, low, middle), np.where(is_seen, middle, high)
    return np.where(is_possible, high, np.nan)


def _fewest(is_enough: Callable[[IntArray], BoolArray], most: IntArray) -> IntArray:
    """Smallest n in 1..most that is enough, by bisection; `most` where none is. Enough stays enough with more."""
    low, high = np.zeros_like(most), np.array(most)
    while np.any(high - low > 1):
        middle = np.maximum((low + high) // 2, 1)
        enough = is_enough(middle)
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return high
