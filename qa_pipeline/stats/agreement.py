"""Agreement between raters from additive sums over units: no unit is seen, only sums of them.

A unit is an item within a market and queue with n ratings, of which r_k carry label k. Every coefficient here is a
function of three sums per number of raters: the units, the ordered pairs of equal ratings sum r_k (r_k - 1), and the
ratings per label. Formulas belong here; reading tallies, windows and intervals do not. Missing ratings are never
imputed.
"""

from dataclasses import dataclass, replace

import numpy as np

from qa_pipeline.stats.jackknife import FloatArray, IntArray

MIN_EXPECTED_GAP = 1e-12
MIN_MINORITY_AGREEMENT = 5


@dataclass(frozen=True)
class Layout:
    """How the last axis of the sums falls into cells.

    Unit columns are sorted by cell and number of raters, rating columns by cell, label and number of raters.
    `unit_raters` `[A]`, `rating_raters` `[B]`: raters of the units behind a column. `unit_starts` `[cells]`: first unit
    column of each cell. `label_starts` `[L]`: first rating column of each cell and label. `cell_starts` `[cells]`:
    first label of each cell. Every cell has a column of either sort.
    """

    unit_raters: IntArray
    unit_starts: IntArray
    rating_raters: IntArray
    label_starts: IntArray
    cell_starts: IntArray

    @property
    def labels_in_cell(self) -> IntArray:
        """Number of labels of each cell, `[cells]`."""
        return np.diff(self.cell_starts, append=len(self.label_starts))

    @property
    def unit_cell(self) -> IntArray:
        """Cell of each unit column, `[A]`."""
        sizes = np.diff(self.unit_starts, append=len(self.unit_raters))
        return np.repeat(np.arange(len(sizes)), sizes)

    @property
    def rating_cell(self) -> IntArray:
        """Cell of each rating column, `[B]`."""
        sizes = np.diff(self.label_starts, append=len(self.rating_raters))
        return np.repeat(np.repeat(np.arange(len(self.cell_starts)), self.labels_in_cell), sizes)


@dataclass(frozen=True)
class UnitSums:
    """Sums over units, `[..., A]` and `[..., B]` as `layout` tells; singly rated units are included.

    `units` counts units, `equal_pairs` is the sum of sum_k r_k (r_k - 1), `ratings` the sum of r_k.
    """

    layout: Layout
    units: FloatArray
    equal_pairs: FloatArray
    ratings: FloatArray

    def pairable_units(self) -> FloatArray:
        """Units with two ratings or more, `[..., cells]`."""
        return _by_cell(self.units * (self.layout.unit_raters > 1), self.layout.unit_starts)

    def pairable_ratings(self) -> FloatArray:
        """Ratings on units with two or more, `[..., cells]`."""
        raters = self.layout.unit_raters
        return _by_cell(self.units * np.where(raters > 1, raters, 0), self.layout.unit_starts)

    def labels_used(self) -> FloatArray:
        """Labels given at least once, `[..., cells]`."""
        used = _by_cell(self.ratings, self.layout.label_starts) > 0
        return _by_cell(used.astype(np.float64), self.layout.cell_starts)

    def modal_raters(self) -> IntArray:
        """The commonest number of raters among units with two or more, `[..., cells]`.

        Of two equally common numbers the larger; 0 where no unit has two ratings.
        """
        layout = self.layout
        counts = np.where(layout.unit_raters > 1, self.units, 0)
        commonest = np.maximum.reduceat(counts, layout.unit_starts, axis=-1)[..., layout.unit_cell]
        candidates = np.where((counts == commonest) & (counts > 0), layout.unit_raters, 0)
        modal: IntArray = np.maximum.reduceat(candidates, layout.unit_starts, axis=-1)
        return modal

    def with_raters(self, raters: IntArray) -> "UnitSums":
        """The same sums over units with exactly `raters` ratings; `raters` broadcasts to `[..., cells]`."""
        layout = self.layout
        in_units = raters[..., layout.unit_cell] == layout.unit_raters
        in_ratings = raters[..., layout.rating_cell] == layout.rating_raters
        return replace(
            self,
            units=self.units * in_units,
            equal_pairs=self.equal_pairs * in_units,
            ratings=self.ratings * in_ratings,
        )


def percent_agreement(sums: UnitSums) -> FloatArray:
    """Mean over units of the share of their pairs of ratings that are equal, `[..., cells]`; every unit weighs the
    same.

    Units with two ratings or more; NaN where there is none. Source: Fleiss (1971), averaged over units of any
    number of raters as in K. L. Gwet (2014), Handbook of Inter-Rater Reliability, 4th ed., chapter 2.
    """
    raters = sums.layout.unit_raters.astype(np.float64)
    per_unit = np.where(raters > 1, 1 / np.maximum(raters * (raters - 1), 1), 0)
    return _divide(_by_cell(sums.equal_pairs * per_unit, sums.layout.unit_starts), sums.pairable_units())


def prevalence(sums: UnitSums) -> FloatArray:
    """Share of each label, `[..., L]`: the mean over all units, single ratings included, of r_k / n."""
    layout = sums.layout
    shares = _by_cell(sums.ratings / layout.rating_raters, layout.label_starts)
    units = _by_cell(sums.units, layout.unit_starts)
    return _divide(shares, np.repeat(units, layout.labels_in_cell, axis=-1))


def fleiss_kappa(sums: UnitSums) -> FloatArray:
    """Fleiss' kappa generalised for varying numbers of raters, `[..., cells]`: (p_a - p_e) / (1 - p_e).

    p_a is `percent_agreement`, p_e = sum_k pi_k^2 over `prevalence`. With the same number of raters on every unit this
    is J. L. Fleiss (1971), Psychological Bulletin 76(5), 378-382, his table giving 0.430. Source of the general form:
    Gwet (2014), chapter 2. NaN where there are no pairs or only one label; below -1 where single ratings make the
    prevalence much more even than it is in the units compared.
    """
    expected = _by_cell(np.square(prevalence(sums)), sums.layout.cell_starts)
    return _beyond_chance(percent_agreement(sums), expected)


def gwet_ac1(sums: UnitSums, *, categories: FloatArray) -> FloatArray:
    """Gwet's AC1, `[..., cells]`: (p_a - p_e) / (1 - p_e), p_e = sum_k pi_k (1 - pi_k) / (q - 1).

    `categories` is q, the labels that raters could choose from (declared, not observed), broadcast to `[..., cells]`.
    Source: K. L. Gwet (2008), British Journal of Mathematical and Statistical Psychology 61, 29-48. NaN where q < 2 or
    where only one label was given (the formula says 1 there, of which nothing was seen).
    """
    shares = prevalence(sums)
    spread = _by_cell(shares * (1 - shares), sums.layout.cell_starts)
    value = _beyond_chance(percent_agreement(sums), _divide(spread, categories - 1))
    return np.where(sums.labels_used() > 1, value, np.nan)


def krippendorff_alpha(sums: UnitSums) -> FloatArray:
    """Krippendorff's alpha for nominal labels, `[..., cells]`: 1 - observed / expected disagreement.

    Only units with two ratings or more; N ratings on them, N_k of label k:
    D_o = 1 - sum_units sum_k r_k (r_k - 1) / (n - 1) / N, D_e = 1 - sum_k N_k (N_k - 1) / (N (N - 1)).
    Source: K. Krippendorff (2011), Computing Krippendorff's Alpha-Reliability; his 4 coders x 12 units give 0.743.
    NaN where there are no pairs or only one label.
    """
    layout = sums.layout
    raters = layout.unit_raters.astype(np.float64)
    per_unit = np.where(raters > 1, 1 / np.maximum(raters - 1, 1), 0)
    total = sums.pairable_ratings()
    equal = _divide(_by_cell(sums.equal_pairs * per_unit, layout.unit_starts), total)
    by_label = _by_cell(sums.ratings * (layout.rating_raters > 1), layout.label_starts)
    expected_equal = _divide(_by_cell(by_label * (by_label - 1), layout.cell_starts), total * (total - 1))
    return _beyond_chance(equal, expected_equal)


def minority_agreement(layout: Layout, *, ratings: FloatArray, agreed: FloatArray) -> FloatArray:
    """Units in which two raters or more agree on a label that is not the cell's commonest, `[..., cells]`.

    `agreed` `[..., B]` counts units in which at least two ratings carry the label. Under skew these few units carry
    kappa and alpha: with fewer than MIN_MINORITY_AGREEMENT of them jackknife intervals of either covered 67 to 93 % (98
    to 99 % prevalence, 100 to 300 units), with more 93 % and above; AC1 and percent agreement do not need them.
    """
    by_label = _by_cell(agreed, layout.label_starts)
    totals = _by_cell(ratings, layout.label_starts)
    commonest = np.repeat(np.maximum.reduceat(totals, layout.cell_starts, axis=-1), layout.labels_in_cell, axis=-1)
    of_commonest = np.maximum.reduceat(np.where(totals == commonest, by_label, 0), layout.cell_starts, axis=-1)
    minority: FloatArray = _by_cell(by_label, layout.cell_starts) - of_commonest
    return minority


def stratified(values: FloatArray, *, weights: FloatArray, members: IntArray, starts: IntArray) -> FloatArray:
    """Mean of `values` `[..., cells]` over the cells of each roll-up, weighted: `[..., rollups]`.

    `members` lists the cells of the first roll-up, then of the second, ...; `starts` says where each begins. A cell
    whose value is NaN takes no part, nor does its weight; NaN where no cell is left. Pooling units instead mixes the
    cells' base rates into the coefficient: two queues of alpha 0.18 and 0.24 can pool to 0.75.
    """
    usable = np.isfinite(values) & (weights > 0)
    held = np.where(usable, weights, 0)
    total = _by_cell(np.where(usable, values * held, 0)[..., members], starts)
    return _divide(total, _by_cell(held[..., members], starts))


def _by_cell(values: FloatArray, starts: IntArray) -> FloatArray:
    sums: FloatArray = np.add.reduceat(values, starts, axis=-1)
    return sums


def _divide(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(denominator > 0, numerator / denominator, np.nan)


def _beyond_chance(observed: FloatArray, expected: FloatArray) -> FloatArray:
    return _divide(observed - expected, np.where(1 - expected > MIN_EXPECTED_GAP, 1 - expected, 0))
