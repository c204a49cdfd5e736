"""Intervals for a share: Wilson's, on a plain or an effective number of units.

Only closed formulas on arrays belong here; when to use which is decided where the share is computed.
"""

import numpy as np

from qa_pipeline.stats.jackknife import Z_975, FloatArray, Interval

# Weights are kept in 1e-6 fixed point, so sums of equal weights agree with Kish's formula to about 2e-6.
EQUAL_WEIGHTS_TOLERANCE = 1e-5


def wilson(share: FloatArray, n: FloatArray) -> Interval:
    """Wilson's 95 % score interval of `share` (0..1) observed on `n` units (may be fractional); NaN where n is 0.

    Source: E. B. Wilson (1927); recommended for small n by Brown, Cai and DasGupta (2001), Statistical Science 16(2).
    Never of zero width: at a share of 0 or 1 the other end moves inwards.

    >>> found = wilson(np.array([0.0]), np.array([10.0]))
    >>> round(float(found.low[0]), 4), round(float(found.high[0]), 4)
    (0.0, 0.2775)
    """
    z2 = Z_975**2
    with np.errstate(divide="ignore", invalid="ignore"):
        middle = (share + z2 / (2 * n)) / (1 + z2 / n)
        half = Z_975 / (1 + z2 / n) * np.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
        # The estimate is inside by definition; rounding must not push an end past it.
        low = np.minimum(np.clip(middle - half, 0, 1), share)
        high = np.maximum(np.clip(middle + half, 0, 1), share)
    known = n > 0
    return Interval(low=np.where(known, low, np.nan), high=np.where(known, high, np.nan))


def effective_n(n: FloatArray, weights: FloatArray, squared_weights: FloatArray) -> FloatArray:
    """Kish's effective number of units (sum w)^2 / sum w^2; exactly `n` where all weights are equal.

    `n` counts units, `weights` is the sum of their weights, `squared_weights` the sum of squares, in one unit of
    measure. Source: L. Kish (1965), Survey Sampling. Never above `n`; 0 where there are no units.

    >>> float(effective_n(np.array(2.0), np.array(4.0), np.array(10.0)))
    1.6
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        kish = np.where(squared_weights > 0, weights * weights / squared_weights, 0.0)
    return np.where(kish >= n * (1 - EQUAL_WEIGHTS_TOLERANCE), n, kish)
