"""How far two labels are apart: agreement weights and alpha's metrics for every scale of the taxonomy.

Only the tables of weights and distances belong here; the coefficients that use them are `agreement` and `pairs`.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from qa_pipeline.stats.jackknife import FloatArray

Scale = Literal["nominal", "ordinal", "interval", "ratio"]
CODES_SEPARATOR = "|"


def agreement_weights(scale: Scale, *, values: FloatArray) -> FloatArray:
    """Weights `[L, L]` in 0..1 of pairs of labels, 1 on the diagonal: partial agreement by distance.

    `values` `[L]` are the labels' numbers: ranks 0, 1, ... of an ordinal scale, the numbers themselves of an interval
    or ratio scale; a nominal scale does not look at them. Ordinal: 1 - C(d + 1, 2) / C(q, 2) at d ranks apart;
    interval: 1 - d^2 / (largest d)^2; ratio: 1 - (d / sum)^2 over its largest value. Source: K. L. Gwet (2014),
    Handbook of Inter-Rater Reliability, 4th ed., chapter 3; the last two are also one minus Krippendorff's metric,
    rescaled.

    >>> agreement_weights("ordinal", values=np.arange(3.0)).round(3).tolist()
    [[1.0, 0.667, 0.0], [0.667, 1.0, 0.667], [0.0, 0.667, 1.0]]
    """
    if scale == "nominal":
        return np.eye(len(values))
    apart = np.abs(values[:, None] - values[None, :])
    if scale == "ordinal":
        distance = apart * (apart + 1) / 2
    elif scale == "interval":
        distance = np.square(apart)
    else:
        total = np.abs(values[:, None] + values[None, :])
        distance = np.square(np.divide(apart, total, out=np.zeros_like(apart), where=total > 0))
    largest = distance.max(initial=0)
    weights: FloatArray = 1 - distance / largest if largest > 0 else np.ones_like(distance)
    return weights


def masi_weights(labels: Sequence[str]) -> FloatArray:
    """Similarity `[L, L]` of multi-select labels, whose codes are joined by |.

    The Jaccard index times 1 where the sets are equal, 2/3 where one contains the other, 1/3 where they overlap, 0
    where they do not. Source: R. Passonneau (2006), Measuring Agreement on Set-valued Items (MASI), LREC. An empty set
    equals itself alone.

    >>> masi_weights(["a|b", "a", "c"]).round(3).tolist()
    [[1.0, 0.333, 0.0], [0.333, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    sets = [frozenset(filter(None, label.split(CODES_SEPARATOR))) for label in labels]
    return np.array([[_masi(one, other) for other in sets] for one in sets])


def _masi(one: frozenset[str], other: frozenset[str]) -> float:
    if one == other:
        return 1.0
    shared = len(one & other)
    if not shared:
        return 0.0
    monotonicity = 2 / 3 if one <= other or other <= one else 1 / 3
    return shared / len(one | other) * monotonicity
