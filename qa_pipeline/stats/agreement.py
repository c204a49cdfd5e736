"""Agreement between raters from tallied patterns: no unit is seen, only how many units have which ratings.

A unit is an item within a market and queue. Its pattern says how many of its n ratings carry each label; a cell is the
number of its units with each pattern. Coefficients and their linearised variances belong here; reading tallies, windows
and roll-ups do not. Missing ratings are never imputed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from qa_pipeline.stats.jackknife import BoolArray, FloatArray, IntArray, divide

MIN_EXPECTED_GAP = 1e-12


@dataclass(frozen=True)
class Patterns:
    """The patterns of a cell: `ratings` `[P, L]`, how many ratings of a unit carry each label; every row has one."""

    ratings: FloatArray

    @cached_property
    def raters(self) -> FloatArray:
        """Ratings of a unit, `[P]`."""
        total: FloatArray = self.ratings.sum(axis=1)
        return total

    @cached_property
    def is_pairable(self) -> BoolArray:
        """Patterns with two ratings or more, `[P]`."""
        pairable: BoolArray = self.raters > 1
        return pairable

    @cached_property
    def is_unanimous(self) -> BoolArray:
        """Patterns of two ratings or more that are all equal, `[P]`."""
        same: BoolArray = self.is_pairable & ((self.ratings > 0).sum(axis=1) == 1)
        return same

    @cached_property
    def shares(self) -> FloatArray:
        """Share of each label in a unit, `[P, L]`."""
        share: FloatArray = self.ratings / self.raters[:, None]
        return share

    @cached_property
    def coincidences(self) -> FloatArray:
        """Krippendorff's coincidences of a unit, `[P, L, L]`: ordered pairs of its ratings over n - 1."""
        pairs = self.ratings[:, :, None] * self.ratings[:, None, :]
        diagonal = np.arange(self.ratings.shape[1])
        pairs[:, diagonal, diagonal] -= self.ratings
        weight = np.where(self.is_pairable, 1 / np.maximum(self.raters - 1, 1), 0)
        found: FloatArray = pairs * weight[:, None, None]
        return found

    def sum_coincidences(self, counts: FloatArray) -> FloatArray:
        """Coincidences `[..., L, L]` of `counts` `[..., P]` units per pattern."""
        labels = self.ratings.shape[1]
        return (counts @ self.coincidences.reshape(-1, labels * labels)).reshape(*counts.shape[:-1], labels, labels)

    def agreeing(self, weights: FloatArray) -> FloatArray:
        """Weighted share of a unit's pairs of ratings that agree, `[P]`; 0 where there is no pair."""
        agreeing = (self.coincidences * weights).sum(axis=(1, 2))
        return np.where(self.is_pairable, agreeing / np.maximum(self.raters, 1), 0)


@dataclass(frozen=True)
class Coefficient:
    """A coefficient of every cell: `value` `[...]`, NaN where it is not defined, and what its variance is made of."""

    value: FloatArray
    derivative: Callable[[], FloatArray]

    @cached_property
    def influence(self) -> FloatArray:
        """Influence `[..., P]` of a unit of each pattern: the derivative of the value with respect to its weight.

        The coefficient's variance is the sum of the squares over units (linearisation, or delta method). It is worked
        out when it is asked for: leaving out replicates needs the value alone.
        """
        return np.where(np.isnan(self.value)[..., None], np.nan, self.derivative())

    def variance(self, counts: FloatArray) -> FloatArray:
        """Linearised variance `[...]` of independent units: n / (n - 1) times the sum of squared influences."""
        units = counts.sum(axis=-1)
        squares = (counts * np.square(self.influence)).sum(axis=-1)
        return divide(squares * units, units - 1)

    def effective_units(self, counts: FloatArray) -> FloatArray:
        """Units that carry the variance, `[...]`: (sum u^2)^2 / sum u^4, all of them where every unit weighs the same.

        Under skew a handful of units decides kappa and alpha; a variance that rests on a few units is as uncertain as
        one from a sample of that size. Source of the form: F. E. Satterthwaite (1946), Biometrics Bulletin 2(6).
        """
        squares = np.square(self.influence)
        return divide(np.square((counts * squares).sum(axis=-1)), (counts * np.square(squares)).sum(axis=-1))


def percent_agreement(counts: FloatArray, patterns: Patterns, *, weights: FloatArray) -> Coefficient:
    """Mean over units of the (weighted) share of their pairs of ratings that agree; every unit weighs the same.

    `counts` `[..., P]` units per pattern. Units with two ratings or more; NaN where there is none. Source: J. L. Fleiss
    (1971), averaged over units of any number of raters as in K. L. Gwet (2014), Handbook of Inter-Rater Reliability,
    4th ed., chapter 2.
    """
    agreeing = patterns.agreeing(weights)
    pairable = patterns.is_pairable.astype(np.float64)
    units = counts @ pairable
    value = divide(counts @ agreeing, units)
    return Coefficient(value, lambda: divide(pairable * (agreeing - value[..., None]), units[..., None]))


def prevalence(counts: FloatArray, patterns: Patterns) -> FloatArray:
    """Share of each label, `[..., L]`: the mean over all units, single ratings included, of r_k / n."""
    return divide(counts @ patterns.shares, counts.sum(axis=-1)[..., None])


def fleiss_kappa(counts: FloatArray, patterns: Patterns, *, weights: FloatArray) -> Coefficient:
    """Fleiss' kappa generalised for varying numbers of raters and weights: (p_a - p_e) / (1 - p_e).

    p_a is `percent_agreement`, p_e = sum_kl w_kl pi_k pi_l over `prevalence`. With the same number of raters on every
    unit and nominal weights this is J. L. Fleiss (1971), Psychological Bulletin 76(5), 378-382, his table giving 0.430.
    Source of the general form: Gwet (2014), chapters 2 and 3. NaN where there are no pairs or only one label; below -1
    where single ratings make the prevalence much more even than it is in the units compared.
    """
    shares = prevalence(counts, patterns)
    slope = 2 * shares @ weights
    expected = (slope * shares).sum(axis=-1) / 2
    return _beyond_chance(counts, patterns, weights=weights, expected=expected, slope=slope)


def gwet_ac(
    counts: FloatArray,
    patterns: Patterns,
    *,
    weights: FloatArray,
    categories: FloatArray,
    total_weight: FloatArray | None = None,
) -> Coefficient:
    """Gwet's AC1 (nominal weights) or AC2: (p_a - p_e) / (1 - p_e).

    p_e = T_w / (q (q - 1)) * sum_k pi_k (1 - pi_k), T_w the sum of all q x q weights. `categories` is q, the labels
    that raters could choose from (declared, not observed), broadcast to `[...]`. On a nominal scale T_w = q, and
    `weights` `[L, L]` may hold fewer labels than q. Else T_w is `total_weight`, broadcast to `[...]`, which the caller
    must give where `weights` holds labels that could not be chosen, and otherwise the sum of `weights`. Source: K. L.
    Gwet (2008), British Journal of Mathematical and Statistical Psychology 61, 29-48. NaN where q < 2 or where only one
    label was given (the formula says 1 there, of which nothing was seen).
    """
    shares = prevalence(counts, patterns)
    is_nominal = bool(np.all(weights == np.eye(len(weights))))
    all_weights = weights.sum() if total_weight is None else total_weight
    total = categories if is_nominal else np.broadcast_to(all_weights, np.shape(categories))
    factor = divide(total, categories * (categories - 1))[..., None]
    slope = factor * (1 - 2 * shares)
    expected = (factor * shares * (1 - shares)).sum(axis=-1)
    found = _beyond_chance(counts, patterns, weights=weights, expected=expected, slope=slope)
    return Coefficient(np.where(labels_used(counts, patterns) > 1, found.value, np.nan), found.derivative)


def _beyond_chance(
    counts: FloatArray, patterns: Patterns, *, weights: FloatArray, expected: FloatArray, slope: FloatArray
) -> Coefficient:
    """(p_a - p_e) / (1 - p_e) where p_e has the gradient `slope` `[..., L]` with respect to the prevalence."""
    observed = percent_agreement(counts, patterns, weights=weights)
    gap = np.where(1 - expected > MIN_EXPECTED_GAP, 1 - expected, 0)
    value = divide(observed.value - expected, gap)

    def derivative() -> FloatArray:
        mean = (slope * prevalence(counts, patterns)).sum(axis=-1)
        moved = divide(slope @ patterns.shares.T - mean[..., None], counts.sum(axis=-1)[..., None])
        return divide(observed.influence - (1 - value[..., None]) * moved, gap[..., None])

    return Coefficient(value, derivative)


def krippendorff_alpha(counts: FloatArray, patterns: Patterns, *, weights: FloatArray, is_ordinal: bool) -> Coefficient:
    """Krippendorff's alpha, 1 - observed / expected disagreement, for distances 1 - `weights` or the ordinal metric.

    Units with two ratings or more; N ratings on them, N_k of label k. With coincidences o_kl and squared distances
    d_kl: alpha = 1 - (N - 1) sum o_kl d_kl / sum N_k N_l d_kl. The ordinal metric depends on the ratings themselves:
    d_kl = (N_k / 2 + N_k+1 + ... + N_l / 2)^2, labels being in the order of the scale. Source: K. Krippendorff (2011),
    Computing Krippendorff's Alpha-Reliability; his 4 coders x 12 units give 0.743 nominal, 0.815 ordinal, 0.849
    interval, 0.797 ratio. NaN where there are no pairs or only one label.
    """
    pairs = patterns.sum_coincidences(counts)
    sums = _AlphaSums.of(pairs, weights=weights, is_ordinal=is_ordinal)

    def derivative() -> FloatArray:
        pairable = patterns.ratings * patterns.is_pairable[:, None]
        of_pattern = patterns.coincidences.reshape(len(patterns.ratings), -1)
        one_observed = sums.distance.reshape(*counts.shape[:-1], -1) @ of_pattern.T
        one_expected = 2 * sums.reach @ pairable.T
        if is_ordinal:
            both = sums.given[..., :, None] * sums.given[..., None, :]
            one_observed = one_observed + sums.moved_distance(pairs) @ pairable.T
            one_expected = one_expected + sums.moved_distance(both) @ pairable.T
        n, seen, chance = sums.total[..., None], sums.observed[..., None], sums.expected[..., None]
        moved = one_observed * (n - 1) + seen * pairable.sum(axis=1)
        return divide(seen * (n - 1) * one_expected, np.square(chance)) - divide(moved, chance)

    return Coefficient(sums.alpha, derivative)


def alpha_of_coincidences(pairs: FloatArray, *, weights: FloatArray, is_ordinal: bool) -> FloatArray:
    """`krippendorff_alpha` from sums of coincidences `[..., L, L]`, which is all that it depends on; `[...]`."""
    return _AlphaSums.of(pairs, weights=weights, is_ordinal=is_ordinal).alpha


@dataclass(frozen=True)
class _AlphaSums:
    """What alpha is made of: `given` `[..., L]` ratings on units with two or more, squared `distance` `[..., L, L]`.

    `total` ratings, `observed` and `expected` sums of distances `[...]`; `reach` `[..., L]` of one rating of a label to
    all ratings; `span` `[..., L, L]`, the root of the ordinal distance.
    """

    given: FloatArray
    total: FloatArray
    span: FloatArray
    distance: FloatArray
    reach: FloatArray
    observed: FloatArray
    expected: FloatArray

    @classmethod
    def of(cls, pairs: FloatArray, *, weights: FloatArray, is_ordinal: bool) -> "_AlphaSums":
        given = pairs.sum(axis=-1)
        if is_ordinal:
            span = np.einsum("klg,...g->...kl", _between(pairs.shape[-1]), given)
            distance = np.square(span)
        else:
            span = np.zeros(0)
            distance = np.broadcast_to(1 - weights, pairs.shape)
        reach = (distance * given[..., None, :]).sum(axis=-1)
        return cls(
            given=given,
            total=given.sum(axis=-1),
            span=span,
            distance=distance,
            reach=reach,
            observed=(pairs * distance).sum(axis=(-2, -1)),
            expected=(reach * given).sum(axis=-1),
        )

    @property
    def alpha(self) -> FloatArray:
        """1 - (N - 1) observed / expected, `[...]`."""
        expected = np.where(self.expected > MIN_EXPECTED_GAP, self.expected, 0)
        return np.where(self.total > 1, 1 - divide(self.observed * (self.total - 1), expected), np.nan)

    def moved_distance(self, held: FloatArray) -> FloatArray:
        """Derivative of sum held_kl d_kl by the ratings of each label, through the distance: `[..., L]`."""
        between = _between(held.shape[-1])
        moved: FloatArray = 2 * np.einsum("...kl,...kl,klg->...g", held, self.span, between)
        return moved


def _between(labels: int) -> FloatArray:
    """`[k, l, g]`: 1 where label g lies between k and l, 1/2 where it is one of them, 0 elsewhere and where k = l."""
    place = np.arange(labels)
    low = np.minimum(place[:, None], place[None, :])[..., None]
    high = np.maximum(place[:, None], place[None, :])[..., None]
    inside = ((low < place) & (place < high)).astype(np.float64)
    ends = ((place == low) | (place == high)) & (low < high)
    weight: FloatArray = inside + 0.5 * ends
    return weight


def labels_used(counts: FloatArray, patterns: Patterns) -> IntArray:
    """Labels given at least once, `[...]`."""
    used: IntArray = (counts @ patterns.ratings > 0).sum(axis=-1)
    return used


def modal_raters(counts: FloatArray, patterns: Patterns) -> FloatArray:
    """The commonest number of raters among units with two or more, `[...]`.

    Of two equally common numbers the larger; 0 where no unit has two ratings.
    """
    sizes = np.unique(patterns.raters[patterns.is_pairable])[::-1]
    if not len(sizes):
        return np.zeros(counts.shape[:-1])
    units = np.stack([counts @ (patterns.raters == size).astype(np.float64) for size in sizes], axis=-1)
    return np.where(units.max(axis=-1) > 0, sizes[units.argmax(axis=-1)], 0)


def minority_agreement(counts: FloatArray, patterns: Patterns) -> FloatArray:
    """Units in which two raters or more agree on a label that is not the cell's commonest, `[...]`.

    Under skew these few units carry kappa and alpha. Of labels that are equally common the one with the most such units
    is left out, so that the count is never more than what is sure, whatever the labels are called.
    """
    agreed = counts @ ((patterns.ratings > 1) & patterns.is_pairable[:, None]).astype(np.float64)
    return besides_commonest(agreed, given=counts @ patterns.ratings)


def besides_commonest(agreed: FloatArray, *, given: FloatArray) -> FloatArray:
    """Sum of `agreed` `[..., L]` without the label `given` `[..., L]` most often; of several such, that agreed on most.

    >>> besides_commonest(np.array([2.0, 5.0, 1.0]), given=np.array([9.0, 9.0, 3.0])).item()
    3.0
    """
    is_commonest = given == given.max(axis=-1, keepdims=True)
    rest: FloatArray = agreed.sum(axis=-1) - np.where(is_commonest, agreed, 0).max(axis=-1)
    return rest


def prevalence_index(counts: FloatArray, patterns: Patterns, *, categories: FloatArray) -> Coefficient:
    """How uneven labels are: sqrt((q sum pi_k^2 - 1) / (q - 1)); 0 all equally common, 1 only one label.

    The index is a distance from even shares, so it cannot be farther from the truth than the shares themselves are: the
    influence is the length of the shares' own, an upper bound that also holds near 0, where the index has no
    derivative. With two labels this is |p_1 - p_2|, the prevalence index of T. Byrt, J. Bishop and J. B. Carlin (1993),
    Journal of Clinical Epidemiology 46(5), 423-429.
    """
    shares = prevalence(counts, patterns)
    squares = np.square(shares).sum(axis=-1)
    value = np.sqrt(np.clip(divide(categories * squares - 1, categories - 1), 0, 1))

    def bound() -> FloatArray:
        apart = np.square(patterns.shares).sum(axis=1) - 2 * shares @ patterns.shares.T + squares[..., None]
        scale = np.sqrt(divide(categories, categories - 1))
        return divide(scale[..., None] * np.sqrt(np.maximum(apart, 0)), counts.sum(axis=-1)[..., None])

    return Coefficient(value, bound)


def stratified(values: FloatArray, *, weights: FloatArray, members: IntArray, starts: IntArray) -> FloatArray:
    """Mean of `values` `[..., cells]` over the cells of each roll-up, weighted: `[..., rollups]`.

    `members` lists the cells of the first roll-up, then of the second, ...; `starts` says where each begins. A cell
    whose value is NaN takes no part, nor does its weight; NaN where no cell is left. Pooling units instead mixes the
    cells' base rates into the coefficient: two queues of alpha 0.18 and 0.24 can pool to 0.75.
    """
    usable = np.isfinite(values) & (weights > 0)
    held = np.where(usable, weights, 0)
    total = np.add.reduceat(np.where(usable, values * held, 0)[..., members], starts, axis=-1)
    return divide(total, np.add.reduceat(held[..., members], starts, axis=-1))
