"""Tails of the beta-binomial distribution: how unusual a count of defects among reviews is.

Only the distribution belongs here; what it is compared with, and which tail alarms, does not. Counts and sizes may be
fractional (weighted reviews on Kish's effective number). Arrays of any one shape, element by element.

Source: J. G. Skellam (1948), A probability distribution derived from the binomial distribution, Journal of the Royal
Statistical Society B 10(2), 257-261: if the share varies as Beta(a, b), a count among n is beta-binomial, with mean n p
and variance n p (1 - p) (1 + (n - 1) rho), where p = a / (a + b) and rho = 1 / (a + b + 1).
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import gammainc, gammaincc, gammaln

from qa_pipeline.stats.jackknife import FloatArray

# Below this a beta-binomial cannot be told from a binomial: the variance is 1 % larger at a million reviews.
LEAST_CORRELATION = 1e-8
# Longer sums are replaced by a gamma distribution with the same mean, variance and skewness.
LONGEST_SUM = 300
# 1 - F has no digits below this.
LEAST_TAIL = 1e-14


@dataclass(frozen=True)
class Tails:
    """P(X <= x), P(X >= x) and P(X < x) + P(X = x) / 2, all of one shape; NaN where the size is 0."""

    at_most: FloatArray
    at_least: FloatArray
    middle: FloatArray


def betabinomial_tails(count: FloatArray, size: FloatArray, *, share: FloatArray, correlation: FloatArray) -> Tails:
    """Tails at `count` defects among `size` reviews, for a mean `share` (0..1) and correlation rho between reviews.

    Between whole counts the probabilities are interpolated linearly. Sums up to LONGEST_SUM terms are exact; beyond,
    the gamma distribution with the same first three moments (Pearson's type III) stands in: it is a few per cent off
    at 1e-3 and too large, so cautious, further out. The arrays are broadcast against each other.

    >>> found = betabinomial_tails(np.array(2.0), np.array(3.0), share=np.array(0.5), correlation=np.array(0.0))
    >>> round(float(found.at_least), 6), round(float(found.at_most), 6)
    (0.5, 0.875)
    """
    arrays = np.broadcast_arrays(count, size, share, np.maximum(correlation, LEAST_CORRELATION))
    shape = arrays[0].shape
    x, n, p, rho = (each.ravel().astype(np.float64) for each in arrays)
    # Counting the rarer outcome keeps the first term of the sum from underflowing.
    is_common = p > 0.5
    x, p = np.where(is_common, n - x, x), np.where(is_common, 1 - p, p)
    known = (n > 0) & (p > 0) & np.isfinite(x)
    summed = known & (np.maximum(x, n * p) <= LONGEST_SUM)
    rest = known & ~summed
    result = np.full((3, len(x)), np.nan)
    result[:, summed] = _summed(x[summed], n[summed], p[summed], rho[summed])
    result[:, rest] = _pearson(x[rest], n[rest], p[rest], rho[rest])
    at_most, at_least, middle = np.where(is_common, np.stack([result[1], result[0], 1 - result[2]]), result)
    return Tails(
        at_most=np.clip(at_most, LEAST_TAIL, 1).reshape(shape),
        at_least=np.clip(at_least, LEAST_TAIL, 1).reshape(shape),
        middle=np.clip(middle, LEAST_TAIL, 1 - LEAST_TAIL).reshape(shape),
    )


def _summed(x: FloatArray, n: FloatArray, p: FloatArray, rho: FloatArray) -> FloatArray:
    """Exact sums of P(X = k + 1) = P(X = k) (n - k) (a + k) / ((k + 1) (b + n - k - 1)) up to each x."""
    order = np.argsort(-x, kind="stable")
    x, n, p, rho = x[order], n[order], p[order], rho[order]
    both = 1 / rho - 1
    a, b = p * both, (1 - p) * both
    whole = np.floor(x)
    following = np.exp(_rising(b, n) - _rising(both, n))
    until, last = np.zeros_like(x), np.zeros_like(x)
    # Ordered by x, so that the cells still to be summed are the first ones: slices, no copies.
    stops = np.searchsorted(-whole, -np.arange(LONGEST_SUM + 1), side="right")
    for k, stop in enumerate(stops):
        if not stop:
            break
        some = slice(0, stop)
        last[some] = following[some]
        until[some] += following[some]
        left = np.maximum(n[some] - k, 0)
        following[some] *= left * (a[some] + k) / ((k + 1) * np.maximum(b[some] + left - 1, LEAST_TAIL))
    part = x - whole
    at_most = until + part * following
    at_least = 1 - (until - last) - part * last
    middle = until - last / 2 + part * (last + following) / 2
    result = np.empty((3, len(x)))
    result[:, order] = at_most, at_least, middle
    return result


def _rising(start: FloatArray, steps: FloatArray) -> FloatArray:
    """Logarithm of Gamma(start + steps) / Gamma(start).

    The difference of two log-gammas near 1e9 has seven digits, so that every tail below 1e-7 would be noise: above 20,
    Stirling's series is subtracted term by term instead (its first term left out is 1 / (1680 z^7), below 1e-12).
    """
    is_small = start <= 20
    z = np.where(is_small, 20, start)
    end = z + steps
    result: FloatArray = (z - 0.5) * np.log1p(steps / z) + steps * (np.log(end) - 1) + _series(end) - _series(z)
    result[is_small] = gammaln(start[is_small] + steps[is_small]) - gammaln(start[is_small])
    return result


def _series(z: FloatArray) -> FloatArray:
    """What Stirling's formula adds: 1 / (12 z) - 1 / (360 z^3) + 1 / (1260 z^5)."""
    inverse = 1 / z
    square = inverse * inverse
    return inverse * (1 / 12 - square * (1 / 360 - square / 1260))


def _pearson(x: FloatArray, n: FloatArray, p: FloatArray, rho: FloatArray) -> FloatArray:
    """Gamma distribution of the same mean, variance and skewness, with half a count as correction for continuity."""
    both = 1 / rho - 1
    a, b = p * both, (1 - p) * both
    deviation = np.sqrt(n * p * (1 - p) * (1 + (n - 1) * rho))
    skewness = (both + 2 * n) * (b - a) / (both + 2) * np.sqrt((1 + both) / (n * a * b * (n + both)))
    # A gamma of a shape beyond 4e6 is normal to six digits.
    size = np.maximum(np.abs(skewness), 1e-3)
    shape, sign = 4 / size**2, np.where(skewness < 0, -1.0, 1.0)

    def below(value: FloatArray) -> FloatArray:
        point = np.maximum(shape + sign * (value - n * p) / deviation * np.sqrt(shape), 0)
        result: FloatArray = np.where(sign > 0, gammainc(shape, point), gammaincc(shape, point))
        return result

    def above(value: FloatArray) -> FloatArray:
        point = np.maximum(shape + sign * (value - n * p) / deviation * np.sqrt(shape), 0)
        result: FloatArray = np.where(sign > 0, gammaincc(shape, point), gammainc(shape, point))
        return result

    return np.stack([below(x + 0.5), above(x - 0.5), below(x)])
