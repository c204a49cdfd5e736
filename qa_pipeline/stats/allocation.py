"""Tomorrow's reviews: how many from each stratum, and with which chance each decision is picked.

Shrinking of rates, optimum allocation and inclusion probabilities belong here; picking the decisions is SQL's work,
by this rule: within each pool of the plan, the `take` decisions with the smallest hash of their id together with the
plan's date (ties: by id). That gives exactly `take` reviews, every decision of the pool the same chance
`take / pool_size`, and the same choice when run again. A threshold on the hash instead (hash / max < p) would give the
same chances but a random number of reviews, so the budget and a small stratum's floor would only hold on average. The
date in the hash keeps tomorrow's choice independent of today's and of the replicates, which hash the item alone.

Strata are market x queue x vendor, cells are the annotators within them; arrays `[strata]` or `[cells]`.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from qa_pipeline.stats.jackknife import FloatArray, IntArray

PoolKind = Literal["cell", "annotator", "stratum"]

# A stratum that seems not to vary gets what no other can use; this orders such strata by size among themselves.
_LEAST_RELATIVE_SD = 1e-9
# Of an interval of logarithms no wider than 100: down to the last digit of a double.
_BISECTIONS = 64


@dataclass(frozen=True)
class ReviewPlan:
    """The plan of each cell, `[cells]`.

    Cells with the same `pool` are drawn from together: `take` and `pool_size` are the pool's reviews and decisions,
    `inclusion_probability` the chance of each of its decisions (NaN in an empty pool). `pool_kind`: what a pool is.
    """

    pool_kind: PoolKind
    pool: IntArray
    take: IntArray
    pool_size: IntArray
    inclusion_probability: FloatArray


def shrunken_shares(
    defects: IntArray | FloatArray, reviewed: IntArray | FloatArray, *, queue: IntArray, prior_reviews: float
) -> FloatArray:
    """Defect shares of strata drawn towards their queue's, always strictly between 0 and 1, `[strata]`.

    The posterior mean under a beta prior that is worth `prior_reviews` reviews at the queue's share; the queue's own
    share is the posterior mean (D + 1/2) / (R + 1) under Jeffreys' prior, so that neither a stratum nor a queue without
    a defect so far counts as perfect (its standard deviation would be 0, and it would get its floor for ever). A queue
    never reviewed is taken at 1/2, where the deviation is largest. `queue` `[strata]` numbers the queues from 0.
    Reviews made with unequal chances enter as effective numbers. Raises ValueError unless `prior_reviews` is above 0.

    >>> shares = shrunken_shares(np.array([0, 9]), np.array([10, 89]), queue=np.array([0, 0]), prior_reviews=20.0)
    >>> shares.round(4).tolist()
    [0.0633, 0.1]
    """
    if prior_reviews <= 0:
        raise ValueError("the prior is worth more than 0 reviews")
    queue_defects = np.bincount(queue, weights=defects)
    queue_reviewed = np.bincount(queue, weights=reviewed)
    queue_share = (queue_defects + 0.5) / (queue_reviewed + 1)
    shares: FloatArray = (defects + prior_reviews * queue_share[queue]) / (reviewed + prior_reviews)
    return shares


def neyman_allocation(population: IntArray, *, sd: FloatArray, floor: IntArray, budget: int) -> IntArray:
    """Whole numbers of reviews with floor <= n <= population that sum to the budget and minimise the variance.

    Minimises sum N^2 sd^2 / n (the variance of the stratified total, but for a constant), exactly, over whole numbers:
    the next review always goes where N sd / sqrt(n (n + 1)) is largest, which is J. Neyman's (1934) n proportional to
    N sd where that is whole and no bound holds. Rounding Neyman's fractions by largest remainder is not optimal.
    Source: T. Wright (2012), The American Statistician 66(4), 217-224. Ties: the larger N sd, then the larger
    population, then the earlier stratum.

    Every stratum that has decisions counts as having a floor of 1: without a review, its decisions have no chance to
    be picked and no estimate is unbiased. Where the budget does not reach for the floors, all are lowered to one
    level; where it does not reach for one each, those with the largest N sd get one. Less than the budget is spent
    only where there are not that many decisions. Raises ValueError for negative input.

    >>> neyman_allocation(np.array([100_000, 500_000]), sd=np.array([20.0, 12.0]), floor=np.array([0, 0]),
    ...                   budget=100).tolist()
    [25, 75]
    """
    if budget < 0 or np.any(population < 0) or np.any(sd < 0) or np.any(floor < 0):
        raise ValueError("populations, standard deviations, floors and the budget are not negative")
    spend = min(budget, int(population.sum()))
    largest = sd.max(initial=0.0)
    least = largest * _LEAST_RELATIVE_SD if largest > 0 else 1.0
    weight = population.astype(np.float64) * np.maximum(sd, least)
    lowest = np.minimum(np.maximum(floor, 1), population)
    n = _lowered_floors(lowest, spend)
    # What lowered floors leave over goes to those still below theirs.
    most = lowest if int(lowest.sum()) > spend else population
    if most is population and int(n.sum()) < spend:
        n = _at_least(_largest_scale(weight, n, population, spend), weight, n, population)
    # What is left are ties, or first reviews: less than one a stratum.
    while (left := spend - int(n.sum())) > 0:
        order = np.lexsort((-population, -weight, -_priority(weight, n), n >= most))[:left]
        n[order] += n[order] < most[order]
    return n


def annotator_floors(population: IntArray, *, annotator: IntArray, floor: int) -> IntArray:
    """Spreads a floor of reviews per annotator over the cells the annotator works in, `[cells]`.

    In proportion to the decisions, rounded by largest remainder (ties: the larger cell, then the earlier); never more
    than a cell has, and for each annotator exactly `floor`, or all decisions where there are fewer. `annotator`
    `[cells]` numbers the annotators from 0.

    >>> annotator_floors(np.array([30, 10, 2]), annotator=np.array([0, 0, 1]), floor=5).tolist()
    [4, 1, 2]
    """
    totals = np.bincount(annotator, weights=population)[annotator]
    with np.errstate(divide="ignore", invalid="ignore"):
        wanted = np.where(totals > 0, population * np.minimum(floor / totals, 1.0), 0.0)
    # A product a hair below a whole number is that number.
    floors = np.floor(wanted + 1e-9).astype(np.int64)
    missing = np.minimum(floor, totals).astype(np.int64) - np.bincount(annotator, weights=floors)[annotator].astype(int)
    order = np.lexsort((np.arange(len(population)), -population, -(wanted - floors), annotator))
    first = np.searchsorted(annotator[order], annotator[order], side="left")
    rank = np.empty_like(floors)
    rank[order] = np.arange(len(population)) - first
    floors[rank < missing] += 1
    return floors


def review_plan(
    population: IntArray,
    *,
    stratum: IntArray,
    annotator: IntArray,
    sd: FloatArray,
    annotator_floor: int,
    budget: int,
) -> ReviewPlan:
    """Allocates the budget over cells of stratum x annotator, `[cells]`.

    `population` counts the decisions to choose from, `sd` is that of the cell's stratum (sqrt(p (1 - p)) of its
    `shrunken_shares`), `stratum` and `annotator` number from 0. Pools are as fine as the budget allows:

    - `cell`, if every cell with decisions can have a review and every annotator the floor. Where no floor holds, a
      stratum's cells share its Neyman allocation in proportion to their decisions, so one allocation serves both.
    - `annotator`, if there is a floor and a review for everybody: the floors count over all of an annotator's strata,
      lowered to one level for all where they are more than the budget; the strata get what their annotators get.
    - `stratum` otherwise: the strata get their Neyman allocation, and whose decisions come up is left to chance.
    """
    floor = annotator_floors(population, annotator=annotator, floor=annotator_floor)
    people = np.bincount(annotator, weights=population)
    if int(np.minimum(np.maximum(floor, 1), population).sum()) <= budget:
        kind: PoolKind = "cell"
        pool = np.arange(len(population))
    elif annotator_floor > 0 and int(np.count_nonzero(people)) <= budget:
        kind, pool = "annotator", annotator
    else:
        kind, pool = "stratum", stratum
    sizes = np.bincount(pool, weights=population).astype(np.int64)
    with np.errstate(invalid="ignore"):
        mean_square = np.bincount(pool, weights=population * sd**2) / sizes
    take = neyman_allocation(
        sizes,
        sd=np.sqrt(np.nan_to_num(mean_square)),
        floor=np.bincount(pool, weights=floor).astype(np.int64) if kind != "stratum" else np.zeros_like(sizes),
        budget=budget,
    )
    return ReviewPlan(
        pool_kind=kind,
        pool=pool,
        take=take[pool],
        pool_size=sizes[pool],
        inclusion_probability=inclusion_probabilities(take, population=sizes)[pool],
    )


def inclusion_probabilities(take: IntArray, *, population: IntArray) -> FloatArray:
    """Chance of a decision to be among the `take` smallest hashes of its pool: take / population; NaN if empty."""
    with np.errstate(divide="ignore", invalid="ignore"):
        chance: FloatArray = np.where(population > 0, take / population, np.nan)
    return chance


def stratified_error(population: IntArray, *, sd: FloatArray, n: IntArray) -> FloatArray:
    """Standard error of the share of all strata together that a plan leads to, with finite-population correction.

    sqrt(sum N^2 sd^2 (1 / n - 1 / N)) / sum N (W. G. Cochran 1977, theorem 5.3, with N - 1 taken as N); NaN where a
    stratum with decisions has no reviews.
    """
    total = population.sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(population > 0, (population * sd) ** 2 * (1 / n - 1 / population), 0.0)
        error: FloatArray = np.sqrt(terms.sum(axis=-1)) / total
    return np.where(np.isfinite(error), error, np.nan)


def _lowered_floors(floors: IntArray, spend: int) -> IntArray:
    """The floors, cut at the highest common level that the budget reaches for."""
    low, high = 0, int(floors.max(initial=0))
    while low < high:
        level = (low + high + 1) // 2
        low, high = (level, high) if int(np.minimum(floors, level).sum()) <= spend else (low, level - 1)
    return np.minimum(floors, low)


def _at_least(scale: float, weight: FloatArray, floors: IntArray, population: IntArray) -> IntArray:
    """Reviews whose priority is at least 1 / scale: n (n - 1) <= (weight scale)^2 for the n-th; within the bounds."""
    reach = weight * scale
    # Written so that neither overflows nor loses digits for large reach.
    count = np.floor(0.5 + np.sqrt(0.25 + np.minimum(reach, 1e9) ** 2))
    allocated: IntArray = np.clip(np.minimum(count, population), floors, population).astype(np.int64)
    return allocated


def _largest_scale(weight: FloatArray, floors: IntArray, population: IntArray, spend: int) -> float:
    """A scale just below the one at which the budget is spent, by bisection on its logarithm."""
    positive = weight[weight > 0]
    low, high = -np.log(positive.max()) - 1, np.log(1e9) - np.log(positive.min())
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        is_within = int(_at_least(np.exp(middle), weight, floors, population).sum()) <= spend
        low, high = (middle, high) if is_within else (low, middle)
    return float(np.exp(low))


def _priority(weight: FloatArray, n: IntArray) -> FloatArray:
    """What one more review is worth; a first review comes before any second."""
    with np.errstate(divide="ignore", invalid="ignore"):
        worth: FloatArray = np.where(n > 0, weight / np.sqrt(n * (n + 1.0)), np.inf)
    return worth
