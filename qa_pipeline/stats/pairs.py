"""Agreement of two raters from the table of their labels: Cohen's kappa and how far their labels are shifted.

`counts` `[..., L, L]` are items by the label of the first and of the second rater. Only single tables belong here.
"""

import numpy as np

from qa_pipeline.stats.agreement import MIN_EXPECTED_GAP, Coefficient, besides_commonest
from qa_pipeline.stats.jackknife import FloatArray, divide

MIN_SHARED_ITEMS = 30


def cohen_kappa(counts: FloatArray, *, weights: FloatArray) -> Coefficient:
    """Cohen's (weighted) kappa, (p_o - p_e) / (1 - p_e) with p_e from the raters' own margins.

    The influences are per cell of the table, `[..., L * L]`; pass the flattened counts to the variance, which is that
    of J. L. Fleiss, J. Cohen and B. S. Everitt (1969), Psychological Bulletin 72(5), 323-327, but for n / (n - 1).
    Source: J. Cohen (1960), Educational and Psychological Measurement 20(1), 37-46; weights `[L, L]` as in Cohen
    (1968). NaN where there are no items or both raters gave one label only.
    """
    total = counts.sum(axis=(-2, -1))
    first = divide(counts.sum(axis=-1), total[..., None])
    second = divide(counts.sum(axis=-2), total[..., None])
    observed = divide((counts * weights).sum(axis=(-2, -1)), total)
    expected = (first[..., :, None] * second[..., None, :] * weights).sum(axis=(-2, -1))
    gap = np.where(1 - expected > MIN_EXPECTED_GAP, 1 - expected, 0)
    value = divide(observed - expected, gap)

    def derivative() -> FloatArray:
        margins = (second @ weights.T)[..., :, None] + (first @ weights)[..., None, :]
        beyond = weights - observed[..., None, None]
        moved = margins - 2 * expected[..., None, None]
        found = divide(
            beyond - (1 - value[..., None, None]) * moved, (gap * np.maximum(total, MIN_EXPECTED_GAP))[..., None, None]
        )
        return found.reshape(*counts.shape[:-2], -1)

    return Coefficient(value, derivative)


def bias_index(counts: FloatArray) -> Coefficient:
    """How far the two raters' labels are shifted against each other, 0 to 1.

    Half the sum of the absolute differences of their shares; with two labels |b - c| / n, the bias index of T. Byrt, J.
    Bishop and J. B. Carlin (1993), Journal of Clinical Epidemiology 46(5), 423-429. The influences, per cell of the
    table, are an upper bound: no further than sqrt(L) / 2 times the length of the shift of the shares themselves, which
    also holds near 0, where the index has no derivative. NaN where there are no items.
    """
    labels = counts.shape[-1]
    total = counts.sum(axis=(-2, -1))
    shift = divide(counts.sum(axis=-1) - counts.sum(axis=-2), total[..., None])
    value = np.abs(shift).sum(axis=-1) / 2

    def bound() -> FloatArray:
        first, second = np.eye(labels)[:, None, :], np.eye(labels)[None, :, :]
        apart = first - second - shift[..., None, None, :]
        length = np.sqrt(labels * np.square(apart).sum(axis=-1)) / 2
        return divide(length, total[..., None, None]).reshape(*counts.shape[:-2], -1)

    return Coefficient(value, bound)


def minority_agreement(counts: FloatArray) -> FloatArray:
    """Items on which both agree on a label that is not the commonest of the two, `[...]`."""
    agreed = np.diagonal(counts, axis1=-2, axis2=-1)
    return besides_commonest(agreed, given=counts.sum(axis=-1) + counts.sum(axis=-2))
