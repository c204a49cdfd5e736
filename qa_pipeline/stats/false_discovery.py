"""False discovery rate over the many tests of a night.

Only the adjustment belongs here; which tests a night has is decided where they are made.
"""

import numpy as np

from qa_pipeline.stats.jackknife import FloatArray


def adjusted(p_values: FloatArray) -> FloatArray:
    """Benjamini-Hochberg adjusted p-values of `[..., tests]` along the last axis; NaN is no test and stays NaN.

    A test is among the discoveries at rate q exactly when its adjusted value is at most q. Source: Y. Benjamini and
    Y. Hochberg (1995), Controlling the false discovery rate, Journal of the Royal Statistical Society B 57(1), 289-300;
    holds under independence and positive dependence (Benjamini and Yekutieli 2001, Annals of Statistics 29(4)).

    >>> adjusted(np.array([0.01, 0.04, 0.03, np.nan])).tolist()
    [0.03, 0.04, 0.04, nan]
    """
    order = np.argsort(p_values, axis=-1)
    ranked = np.take_along_axis(p_values, order, axis=-1)
    tests = np.isfinite(p_values).sum(axis=-1, keepdims=True)
    scaled = ranked * (tests / np.arange(1, p_values.shape[-1] + 1))
    # NaN sorts last; as infinity it cannot lower the running minimum from the right.
    scaled = np.where(np.isnan(scaled), np.inf, scaled)
    smallest = np.minimum.accumulate(scaled[..., ::-1], axis=-1)[..., ::-1]
    result = np.empty_like(smallest)
    np.put_along_axis(result, order, smallest, axis=-1)
    return np.where(np.isnan(p_values), np.nan, np.minimum(result, 1))
