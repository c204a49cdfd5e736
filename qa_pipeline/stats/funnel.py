"""Funnel plots: defect rates adjusted for the mix of work, and how far chance alone moves a vendor from the centre.

Sums over the reviews of each vendor in each cell (market x queue) come in, `[..., pairs]`; which reviews count belongs
to the caller. Source: D. J. Spiegelhalter (2005), Funnel plots for comparing institutional performance, Statistics in
Medicine 24(8), 1185-1202.

**Indirect standardisation**: adjusted = centre x observed / expected, expected being the rate of all vendors in the
vendor's cells, weighted by the vendor's own mix. Every vendor is judged on the work that it had, and the sentence is
"30 % more defects than the vendors together make on the same work". Direct standardisation (the vendor's cell rates at
the weights of all cells) would rank vendors on one mix, but is undefined where a vendor lacks a cell, as vendors of one
market do, and its error is that of the cell in which the vendor has the fewest reviews. The price: two vendors of
different mixes are each comparable with the centre, not strictly with one another (Spiegelhalter, section 3.3, has the
same). Within one cell the adjusted rate is the observed one.

**The centre is all vendors' rate**, each vendor part of it: one line for all, that a vendor can read off the plot; a
centre without the vendor would be another line for each. A third of the line being its own reviews, a vendor cannot
stray from it as far as from a fixed target, so limits use the variance of the *difference*: with n of N reviews, 1 / n
- 1 / N in place of 1 / n. That is the variance of the hypergeometric distribution, the exact one given the defects of
all. Limits without it name 1.6 % of three equal vendors outside 95 % where nobody differs, and hardly ever a vendor
that does nearly all the work; these name 1.0 to 5.0 % (3 to 20 vendors, equal or not, centres of 1 to 20 %).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import betainc

from qa_pipeline.stats.jackknife import BoolArray, FloatArray, IntArray, Interval, divide

Place = Literal["above 99.8 %", "above 95 %", "within", "below 95 %", "below 99.8 %", ""]
POSITIONS: tuple[Place, ...] = ("", "above 99.8 %", "above 95 %", "below 95 %", "below 99.8 %", "within")
# Fewer reviews are shown, never judged: with 30 and a centre of 5 %, a vendor is outside 95 % from 5 defects on.
MIN_REVIEWS = 30
# Over-dispersion is estimated from the vendors themselves; with fewer, one vendor that is bad would excuse itself.
MIN_DISPERSED = 10
WINSORISED = 0.1
_CHANCES = {"low_998": 0.001, "low_95": 0.025, "high_95": 0.975, "high_998": 0.999}


@dataclass(frozen=True)
class PairSums:
    """Sums over the reviews of a vendor in a cell, `[..., pairs]` each.

    `units` reviews, `weight` their weights w, `value` w of the defects, `squared` w^2, `squared_value` w^2 of the
    defects; weights in units, not 1e-6.
    """

    units: FloatArray
    weight: FloatArray
    value: FloatArray
    squared: FloatArray
    squared_value: FloatArray

    def where(self, kept: BoolArray) -> "PairSums":
        """The same sums, 0 in the other pairs."""
        return PairSums(*(np.where(kept, each, 0.0) for each in self._all()))

    def by(self, index: IntArray, size: int) -> "PairSums":
        """Sums of the pairs with the same `index` `[pairs]` below `size`: `[..., size]`."""
        return PairSums(*(sum_by(each, index, size) for each in self._all()))

    def take(self, index: IntArray) -> "PairSums":
        """The sums at each `index`."""
        return PairSums(*(each[..., index] for each in self._all()))

    def _all(self) -> tuple[FloatArray, ...]:
        return self.units, self.weight, self.value, self.squared, self.squared_value


@dataclass(frozen=True)
class Layout:
    """Which pairs belong together: `cell` and `vendor` `[pairs]`, `region` `[vendors]`.

    A region is what one funnel shows, such as all queues of a market; a vendor of two regions counts as two.
    """

    cell: IntArray
    vendor: IntArray
    region: IntArray

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Number of cells, vendors and regions."""
        return int(self.cell.max()) + 1, len(self.region), int(self.region.max()) + 1


@dataclass(frozen=True)
class Adjusted:
    """Adjusted rates, `[..., vendors]` each.

    `kept` `[..., pairs]` are the pairs that count: those of cells that another vendor has too, or all where a region
    has one vendor. `observed` and `expected` rates make `factor` = centre / expected and `rate` = observed x factor
    (NaN: nothing to compare with). A rate above 1 is possible where defects are the rule: it is a ratio on the scale of
    the centre. `effective_n`: so many independent reviews would stray as far from a centre that they are no part of;
    NaN where nobody else has the vendor's cells, or they have no defects. `widening`: standard error of the logarithm
    of `rate` over that of `observed`, 1 at least.
    """

    kept: BoolArray
    observed: FloatArray
    expected: FloatArray
    centre: FloatArray
    factor: FloatArray
    rate: FloatArray
    effective_n: FloatArray
    widening: FloatArray


@dataclass(frozen=True)
class FunnelLimits:
    """Limits at 95 and 99.8 %; all NaN where the highest would not be below 1."""

    low_95: FloatArray
    high_95: FloatArray
    low_998: FloatArray
    high_998: FloatArray


def sum_by(values: FloatArray, index: IntArray, size: int) -> FloatArray:
    """Sum `[..., n]` over those with the same `index` `[n]` below `size`: `[..., size]`.

    >>> sum_by(np.array([1.0, 2.0, 4.0]), np.array([0, 1, 0]), 2).tolist()
    [5.0, 2.0]
    """
    total = np.zeros((size, *values.shape[:-1]))
    np.add.at(total, index, np.moveaxis(values, -1, 0))
    return np.moveaxis(total, 0, -1)


def adjusted_rates(sums: PairSums, layout: Layout) -> Adjusted:
    """Indirectly standardised rates of every vendor, as described above.

    The variance behind `effective_n` is that of centre x (observed / expected) if no vendor differs: the residuals of
    all vendors in a cell, pooled, at the vendor's own weights.

    >>> sums = PairSums(*(np.array(each) for each in ([100.0, 100.0], [100.0, 100.0], [8.0, 4.0], [100.0, 100.0],
    ...                                               [8.0, 4.0])))
    >>> found = adjusted_rates(sums, Layout(cell=np.array([0, 0]), vendor=np.array([0, 1]), region=np.array([0, 0])))
    >>> found.rate.tolist(), found.centre.tolist(), found.effective_n.round(6).tolist()
    ([0.08, 0.04], [0.06, 0.06], [200.0, 200.0])
    """
    cells, vendors, regions = layout.sizes
    kept = _comparable(sums, layout)
    sums = sums.where(kept)
    of_cell = sums.by(layout.cell, cells)
    own = sums.by(layout.vendor, vendors)
    region = sums.by(layout.region[layout.vendor], regions)
    cell_rate = divide(of_cell.value, of_cell.weight, otherwise=0.0)
    observed = np.clip(divide(own.value, own.weight), 0, 1)
    expected = divide(sum_by(sums.weight * cell_rate[..., layout.cell], layout.vendor, vendors), own.weight)
    centre = divide(region.value, region.weight)[..., layout.region]
    # Where nobody in the region has a defect, nothing is there to adjust.
    factor = np.where(centre == 0, 1.0, divide(centre, expected))
    spread = _null_spread(sums, of_cell, own, cell_rate, layout)
    return Adjusted(
        kept=kept,
        observed=observed,
        expected=expected,
        centre=np.where(own.units > 0, centre, np.nan),
        factor=factor,
        rate=observed * factor,
        effective_n=divide(centre * (1 - centre), np.square(factor) * spread),
        widening=_widening(sums, of_cell, own, region, layout, observed=observed, expected=expected),
    )


def adjusted_interval(observed: Interval, *, found: Adjusted) -> Interval:
    """Interval of the adjusted rate from that of the observed one: scaled, and wider by what the expected is unsure of.

    The expected rate is itself estimated from reviews, the vendor's own among them; `widening` has both.
    """
    low = found.rate * divide(observed.low, found.observed, otherwise=1.0) ** found.widening
    high = found.rate * divide(observed.high, found.observed, otherwise=1.0) ** found.widening
    high = np.where(found.observed == 0, observed.high * found.factor, high)
    return Interval(low=low, high=np.where(found.rate < 1, np.minimum(high, 1), high))


def overdispersion(found: Adjusted, *, judged: BoolArray, layout: Layout) -> FloatArray:
    """Variance among the vendors of a region over that of chance, `[..., vendors]`: 1 unless many vendors show more.

    The mean square of the standardised differences, the outermost tenths pulled in to the next (winsorised), so that
    one bad vendor does not excuse itself: Spiegelhalter (2005), appendix A.3, multiplicative model. They are taken from
    the median (weighted by precision), since one bad vendor also moves the centre away from all others. Only from
    MIN_DISPERSED vendors on that are `judged` `[..., vendors]`, and only beyond 1 + 2 sqrt(2 / vendors): the mean of so
    many squared normal scores has variance 2 / vendors.
    """
    spread = divide(found.centre * (1 - found.centre), found.effective_n)
    judged = judged & np.isfinite(found.rate) & (np.nan_to_num(spread) > 0)
    vendors = sum_by(judged.astype(np.float64), layout.region, layout.sizes[2])
    result = np.ones(found.rate.shape)
    for *before, region in zip(*np.nonzero(vendors >= MIN_DISPERSED), strict=True):
        at = tuple(before)
        members = (layout.region == region) & judged[at]
        ratio = _winsorised_square(found.rate[at][members], spread[at][members])
        if ratio > 1 + 2 * np.sqrt(2 / members.sum()):
            result[(*at, layout.region == region)] = ratio
    return result


def funnel_limits(effective_n: FloatArray, *, centre: FloatArray) -> FunnelLimits:
    """Limits around `centre` for a vendor with `effective_n` reviews (may be fractional), any one shape.

    Quantiles of the binomial, interpolated between whole counts as in Spiegelhalter (2005), appendix A.1.1, but of
    mid-p (half of a count's own probability: H. O. Lancaster 1961, Journal of the American Statistical Association 56).
    His run half a defect lower, which names too many above and too few below: of 20 quiet vendors with 100 reviews and
    a centre of 1 %, 5.1 % above 95 % where 2.5 % should be; these 1.8 %.

    >>> found = funnel_limits(np.array(400.0), centre=np.array(0.05))
    >>> [round(float(each), 4) for each in (found.low_998, found.low_95, found.high_95, found.high_998)]
    [0.0194, 0.0296, 0.0725, 0.087]
    """
    n, p = np.broadcast_arrays(effective_n, centre)
    found = {name: _quantile(n, p, chance) for name, chance in _CHANCES.items()}
    known = found["high_998"] < 1
    return FunnelLimits(**{name: np.where(known, values, np.nan) for name, values in found.items()})


def positions(rate: FloatArray, limits: FunnelLimits) -> IntArray:
    """Where each rate lies by its limits, as an index into POSITIONS; a rate on a limit is inside."""
    found = np.full(rate.shape, POSITIONS.index("within"))
    found[rate > limits.high_95] = POSITIONS.index("above 95 %")
    found[rate > limits.high_998] = POSITIONS.index("above 99.8 %")
    found[rate < limits.low_95] = POSITIONS.index("below 95 %")
    found[rate < limits.low_998] = POSITIONS.index("below 99.8 %")
    return np.where(np.isfinite(rate) & np.isfinite(limits.high_998), found, POSITIONS.index(""))


def _comparable(sums: PairSums, layout: Layout) -> BoolArray:
    """Pairs in cells that two vendors have. A vendor alone in its region keeps its own: there is nothing to adjust."""
    cells, vendors, regions = layout.sizes
    has = sums.units > 0
    in_cell = sum_by(has.astype(np.float64), layout.cell, cells)
    is_there = sum_by(has.astype(np.float64), layout.vendor, vendors) > 0
    in_region = sum_by(is_there.astype(np.float64), layout.region, regions)
    is_only = (in_region == 1)[..., layout.region[layout.vendor]]
    comparable: BoolArray = has & ((in_cell[..., layout.cell] >= 2) | is_only)
    return comparable


def _null_spread(sums: PairSums, of_cell: PairSums, own: PairSums, cell_rate: FloatArray, layout: Layout) -> FloatArray:
    """Variance of observed - expected if no vendor differs, 0 where nobody else has the vendor's cells."""
    residual = of_cell.squared_value * (1 - 2 * cell_rate) + np.square(cell_rate) * of_cell.squared
    cell = layout.cell
    pooled = divide(np.maximum(residual, 0), of_cell.squared, otherwise=0.0)[..., cell]
    share = divide(sums.weight, of_cell.weight[..., cell], otherwise=0.0)
    # A vendor's rate is part of the cell's: S / w^2 - 2 S / (w W) + T / W^2, here times w^2.
    weights = sums.squared * (1 - 2 * share) + np.square(share) * of_cell.squared[..., cell]
    # Alone in a cell a vendor is its centre: no more than rounding is left.
    weights = np.where(share < 1, np.maximum(weights, 0), 0.0)
    return divide(sum_by(weights * pooled, layout.vendor, len(layout.region)), np.square(own.weight))


def _widening(
    sums: PairSums,
    of_cell: PairSums,
    own: PairSums,
    region: PairSums,
    layout: Layout,
    *,
    observed: FloatArray,
    expected: FloatArray,
) -> FloatArray:
    """Ratio of standard errors, by linearisation of ln observed + ln centre - ln expected in every review.

    A review of score s adds a + b s to the logarithm, times its weight; its variance is the sum of w^2 (a + b s)^2.
    """
    vendor, cell = layout.vendor, layout.cell
    one = np.ones_like(observed)
    # ln centre, in every review of the region.
    whole = region.take(layout.region)
    level, slope = -divide(one, whole.weight), divide(one, whole.value)
    level_here, slope_here = level[..., vendor], slope[..., vendor]
    # - ln expected, in every review of the vendor's cells.
    at_cell = of_cell.take(cell)
    rate = divide(at_cell.value, at_cell.weight, otherwise=0.0)
    own_weight, own_expected = own.weight[..., vendor], expected[..., vendor]
    pull = divide(sums.weight, own_weight * at_cell.weight * own_expected, otherwise=0.0)
    level_all, slope_all = level_here + pull * rate, slope_here - pull
    # ln observed - ln expected, in the vendor's own reviews.
    level_own = level_all - divide(rate, own_weight * own_expected)
    slope_own = slope_all + divide(np.ones_like(rate), own.value[..., vendor])
    others = _squares(level_all, slope_all, at_cell.squared - sums.squared, at_cell.squared_value - sums.squared_value)
    mine = _squares(level_own, slope_own, sums.squared, sums.squared_value)
    elsewhere = _squares(level_here, slope_here, at_cell.squared, at_cell.squared_value)
    added = sum_by(np.where(sums.units > 0, others + mine - elsewhere, 0.0), vendor, len(layout.region))
    total = added + _squares(level, slope, whole.squared, whole.squared_value)
    alone = _squares(-divide(one, own.weight), divide(one, own.value), own.squared, own.squared_value)
    ratio = divide(np.maximum(total, 0), alone, otherwise=1.0)
    return np.sqrt(np.maximum(np.nan_to_num(ratio, nan=1.0), 1))


def _squares(a: FloatArray, b: FloatArray, squared: FloatArray, squared_value: FloatArray) -> FloatArray:
    """Sum of w^2 (a + b s)^2 for scores s of 0 or 1."""
    total: FloatArray = np.square(a) * squared + (2 * a * b + np.square(b)) * squared_value
    return total


def _winsorised_square(rates: FloatArray, spread: FloatArray) -> float:
    """Mean square of the standardised differences from the median of `rates` with variances `spread`."""
    order = np.argsort(rates)
    precision = np.cumsum(1 / spread[order])
    median = rates[order][np.searchsorted(precision, precision[-1] / 2)]
    scores = np.sort((rates - median) / np.sqrt(spread))
    tail = int(WINSORISED * len(scores))
    return float(np.square(np.clip(scores, scores[tail], scores[-1 - tail])).mean())


def _quantile(n: FloatArray, p: FloatArray, chance: float) -> FloatArray:
    """Share x / n at which the interpolated mid-p distribution function of the count reaches `chance`, 0 to 1."""
    usable = (n > 0) & (p > 0) & (p < 1)
    size, share = np.where(usable, n, 1.0), np.where(usable, p, 0.5)
    low, high = np.full(size.shape, -1.0), np.ceil(size) + 1
    # Halving until the whole counts on both sides are found: the function is below `chance` at `low`, not at `high`.
    while (high - low > 1).any():
        middle = np.where(high - low > 1, np.floor((low + high) / 2), low)
        is_below = _middle(middle, size, share) <= chance
        low, high = np.where(is_below, middle, low), np.where(is_below, high, middle)
    at_low, at_high = _middle(low, size, share), _middle(high, size, share)
    count = low + divide(chance - at_low, at_high - at_low, otherwise=0.0)
    return np.where(usable, np.clip(count / size, 0, 1), np.nan)


def _middle(count: FloatArray, n: FloatArray, p: FloatArray) -> FloatArray:
    """P(X < count) + P(X = count) / 2 of the binomial; the incomplete beta function allows fractional n."""
    return (_at_most(count, n, p) + _at_most(count - 1, n, p)) / 2


def _at_most(count: FloatArray, n: FloatArray, p: FloatArray) -> FloatArray:
    inside = (count >= 0) & (count < n)
    k = np.where(inside, count, 0.0)
    found: FloatArray = np.where(inside, betainc(np.maximum(n - k, 1e-300), k + 1, 1 - p), (count >= n) * 1.0)
    return found
