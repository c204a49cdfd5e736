"""How often a single sampling plan errs, and what that lets through or costs in reviews.

Operating curves, the qualities at which a plan accepts with given chances, average outgoing quality and the
consequences of a wrong decision belong here. Shares are 0..1; arrays broadcast. A lot of finite size is drawn from
without replacement (hypergeometric, "type A"); `lot_size` None means a long series of lots of one process (binomial,
"type B"). Source: E. G. Schilling and D. V. Neubauer (2009), Acceptance Sampling in Quality Control, 2nd edition.
"""

from dataclasses import dataclass

import numpy as np
from scipy import special

from qa_pipeline.stats.jackknife import FloatArray, IntArray

_GOLDEN = (np.sqrt(5) - 1) / 2
# 0.618 ** 60 is 3e-13: the peak is found to more digits than a share is shown with.
_GOLDEN_STEPS = 60


@dataclass(frozen=True)
class ErrorConsequences:
    """What a wrong decision on a lot means, arrays broadcast from the plans and the two qualities.

    `producer_risk`: chance that a lot of good quality is rejected; `needless_reviews`: the decisions of such a lot that
    are then reviewed (or redone) although it was good. `consumer_risk`: chance that a lot of bad quality is accepted;
    `passed_defects`: defective decisions expected to stay in it, unseen, if it is.
    """

    producer_risk: FloatArray
    needless_reviews: FloatArray
    consumer_risk: FloatArray
    passed_defects: FloatArray


def acceptance_probability(
    defective_share: FloatArray, *, n: IntArray, accept: IntArray, lot_size: IntArray | None
) -> FloatArray:
    """Operating characteristic: chance that a lot of this defective share is accepted.

    With `lot_size` the lot holds the nearest whole number of defective decisions.

    >>> chance = acceptance_probability(np.array(0.01), n=np.array(89), accept=np.array(2), lot_size=None)
    >>> round(float(chance), 4)
    0.9397
    """
    if lot_size is None:
        return _binomial_at_most(accept, n, defective_share)
    return _hypergeometric_at_most(accept, n=n, defective=np.rint(defective_share * lot_size), lot_size=lot_size)


def quality_at(chance: FloatArray, *, n: IntArray, accept: IntArray) -> FloatArray:
    """Defective share at which the plan accepts with this chance (binomial); the inverse of the operating curve.

    At 0.95 the quality that the producer can count on, at 0.10 the limiting quality, from which the consumer is safe.
    Exact: the binomial chance of at most c of n is a beta distribution's, as in Clopper and Pearson (1934).

    >>> round(float(quality_at(np.array(0.1), n=np.array(50), accept=np.array(0))), 4)
    0.045
    """
    share: FloatArray = special.betaincinv(accept + 1, n - accept, 1 - chance)
    return share


def average_outgoing_quality(
    defective_share: FloatArray, *, n: IntArray, accept: IntArray, lot_size: IntArray
) -> FloatArray:
    """Defective share left on average when rejected lots are reviewed whole and every defect found is corrected.

    p Pa(p) (N - n) / N, lots coming from a process of share p (H. F. Dodge and H. G. Romig 1929).
    """
    aoq: FloatArray = defective_share * _binomial_at_most(accept, n, defective_share) * (lot_size - n) / lot_size
    return aoq


def outgoing_quality_limit(*, n: IntArray, accept: IntArray, lot_size: IntArray) -> FloatArray:
    """AOQL: the worst average outgoing quality over all incoming qualities; 0 where the whole lot is reviewed."""
    low = np.zeros(np.broadcast_shapes(n.shape, accept.shape, lot_size.shape))
    high = np.ones_like(low)

    def outgoing(share: FloatArray) -> FloatArray:
        # Without (N - n) / N, a constant, which would be flat where the whole lot is reviewed.
        return share * _binomial_at_most(accept, n, share)

    # The curve has one peak: golden-section search.
    for _ in range(_GOLDEN_STEPS):
        width = _GOLDEN * (high - low)
        left, right = high - width, low + width
        is_left = outgoing(left) >= outgoing(right)
        low, high = np.where(is_left, low, left), np.where(is_left, right, high)
    return average_outgoing_quality((low + high) / 2, n=n, accept=accept, lot_size=lot_size)


def passed_defects(defective_share: FloatArray, *, n: IntArray, accept: IntArray, lot_size: IntArray) -> FloatArray:
    """Defective decisions expected to stay in a lot of this share if the plan accepts it (those found are corrected).

    D - E(d | d <= accept), d hypergeometric; NaN where such a lot is never accepted.
    """
    defective = np.rint(defective_share * lot_size)
    chance = _hypergeometric_at_most(accept, n=n, defective=defective, lot_size=lot_size)
    # d pmf(d; N, D, n) = (n D / N) pmf(d - 1; N - 1, D - 1, n - 1), summed to `accept`.
    found = n * defective / lot_size
    others = _hypergeometric_at_most(
        accept - 1, n=n - 1, defective=np.maximum(defective - 1, 0), lot_size=np.maximum(lot_size - 1, 1)
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        left: FloatArray = np.where(chance > 0, defective - found * others / chance, np.nan)
    return left


def error_consequences(
    *, n: IntArray, accept: IntArray, lot_size: IntArray, good_share: FloatArray, bad_share: FloatArray
) -> ErrorConsequences:
    """What it means to be wrong about a lot of `good_share` (usually the AQL) or of `bad_share`.

    >>> found = error_consequences(n=np.array([80]), accept=np.array([2]), lot_size=np.array([1000]),
    ...                            good_share=np.array(0.01), bad_share=np.array(0.05))
    >>> found.producer_risk.round(3).tolist(), found.consumer_risk.round(3).tolist()
    ([0.039], [0.219])
    """
    good = acceptance_probability(good_share, n=n, accept=accept, lot_size=lot_size)
    bad = acceptance_probability(bad_share, n=n, accept=accept, lot_size=lot_size)
    return ErrorConsequences(
        producer_risk=1 - good,
        needless_reviews=np.asarray(lot_size - n, dtype=np.float64),
        consumer_risk=bad,
        passed_defects=passed_defects(bad_share, n=n, accept=accept, lot_size=lot_size),
    )


def expected_cost(
    defective_share: FloatArray,
    *,
    n: IntArray,
    accept: IntArray,
    lot_size: IntArray,
    review_cost: FloatArray,
    defect_cost: FloatArray,
) -> FloatArray:
    """Expected cost of deciding on a lot of this share by the plan, in the caller's unit.

    n reviews; if accepted, `defect_cost` for every defective decision left in it; if rejected, a review of all the
    rest. The costs are the caller's: none is assumed.
    """
    chance = acceptance_probability(defective_share, n=n, accept=accept, lot_size=lot_size)
    left = np.nan_to_num(passed_defects(defective_share, n=n, accept=accept, lot_size=lot_size))
    cost: FloatArray = review_cost * (n + (1 - chance) * (lot_size - n)) + chance * left * defect_cost
    return cost


def _binomial_at_most(most: IntArray, n: IntArray, share: FloatArray) -> FloatArray:
    # bdtr is NaN where most >= n; there the chance is 1.
    with np.errstate(invalid="ignore"):
        chance: FloatArray = np.where(most >= n, 1.0, special.bdtr(np.asarray(most, dtype=np.float64), n, share))
    return chance


def _hypergeometric_at_most(most: IntArray, *, n: IntArray, defective: FloatArray, lot_size: IntArray) -> FloatArray:
    """Chance of at most `most` defective decisions in `n` of `lot_size`, by summing the terms.

    The terms are few (acceptance numbers end at 21) and this takes a fifth of the time of scipy.stats.hypergeom.
    """
    shape = np.broadcast_shapes(most.shape, n.shape, defective.shape, lot_size.shape)
    total = np.zeros(shape)
    sound = lot_size - defective
    samples = _log_choose(lot_size, n)
    for count in range(int(most.max(initial=-1)) + 1):
        possible = (count <= most) & (count <= defective) & (count <= n) & (n - count <= sound)
        with np.errstate(invalid="ignore"):
            log_term = _log_choose(defective, count) + _log_choose(sound, n - count) - samples
        total += np.where(possible, np.exp(np.where(possible, log_term, 0.0)), 0.0)
    return np.minimum(total, 1.0)


def _log_choose(n: FloatArray | IntArray, k: FloatArray | IntArray | int) -> FloatArray:
    chosen: FloatArray = special.gammaln(n + 1.0) - special.gammaln(k + 1.0) - special.gammaln(n - k + 1.0)
    return chosen
