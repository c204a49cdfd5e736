"""False discovery rate over the many tests of a night.

Only the adjustment belongs here; which tests a night has is decided where they are made.
"""

import numpy as np

from qa_pipeline.stats.jackknife import FloatArray, IntArray, divide


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


def adjusted_by_weight(p_values: FloatArray, *, weights: FloatArray) -> FloatArray:
    """Weighted Benjamini-Hochberg adjusted p-values of `[..., tests]`: those of p / weight.

    The weights must not depend on the p-values and average 1 over the tests made; the rate then holds as without them.
    Source: C. R. Genovese, K. Roeder and L. Wasserman (2006), False discovery control with p-value weighting,
    Biometrika 93(3), 509-524.

    >>> adjusted_by_weight(np.array([0.02, 0.02, 0.5]), weights=np.array([2.0, 0.5, 0.5])).tolist()
    [0.03, 0.06, 1.0]
    """
    return adjusted(divide(p_values, weights))


def equal_group_weights(p_values: FloatArray, *, group: IntArray) -> FloatArray:
    """Weights of `[..., tests]` that give each group the same total, and average 1 over the tests made.

    `group` `[tests]` numbers the groups. Groups without a test (NaN) have no part; the weight of no test is NaN.

    >>> equal_group_weights(np.array([0.1, 0.2, 0.3, np.nan]), group=np.array([0, 1, 1, 2])).tolist()
    [1.5, 0.75, 0.75, nan]
    """
    is_test = np.isfinite(p_values)
    groups = int(group.max(initial=-1)) + 1
    counts = np.stack([is_test[..., group == each].sum(axis=-1) for each in range(groups)], axis=-1)
    tests = is_test.sum(axis=-1, keepdims=True)
    each = divide(tests, counts * (counts > 0).sum(axis=-1, keepdims=True))
    weights: FloatArray = np.where(is_test, each[..., group], np.nan)
    return weights
