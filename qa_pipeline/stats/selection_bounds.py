"""What appeals say of all decisions: bounds on the overturn rate had every decision been appealed.

Who appeals chooses to, so the share overturned among appeals says little of the rest. Counting appeals belongs to the
caller.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from qa_pipeline.stats.corrected_rates import Measured
from qa_pipeline.stats.jackknife import Z_975, BoolArray, FloatArray, Interval, divide
from qa_pipeline.stats.weighted_means import mean_interval, sums_of_classes

ONE_SIDED_Z = 1.6448536269514722  # scipy.stats.norm.ppf(0.95)
STEPS = 50
_IS_EVENT = np.array([1.0, 0.0])


@dataclass(frozen=True)
class Bounds:
    """Bounds of a rate and a 95 % interval for the rate itself, `[...]` each.

    `low` and `high` are what the data say without sampling error, `low_interval` and `high_interval` the 95 % interval
    of each by itself. `is_crossed`: more was overturned than QA
    finds wrong, so one of the two is not what it is taken for; no bounds then.
    """

    low: FloatArray
    high: FloatArray
    low_interval: Interval
    high_interval: Interval
    interval: Interval
    is_crossed: BoolArray


def manski_bounds(*, decisions: FloatArray, appealed: FloatArray, overturned: FloatArray, open_: FloatArray) -> Bounds:
    """Bounds on the overturn rate of all decisions without any assumption about those not appealed.

    All `[...]` counts: decisions that could have been appealed, those that were, overturned ones, and appeals not yet
    resolved. Lowest: only what was overturned; highest: that, all open appeals and all decisions not appealed. Source:
    C. F. Manski (1989), Journal of Human Resources 24(3), 343-360. The interval is Imbens and Manski's (see
    `selection_quantile`).

    >>> counts = {"decisions": 1000.0, "appealed": 50.0, "overturned": 20.0, "open_": 10.0}
    >>> found = manski_bounds(**{name: np.array(count) for name, count in counts.items()})
    >>> float(found.low), float(found.high)
    (0.02, 0.98)
    """
    lowest, highest = _extremes(decisions, appealed, overturned, open_)
    return _bounds(lowest, highest, is_crossed=np.zeros(decisions.shape, dtype=np.bool_))


def narrowed_bounds(
    *, decisions: FloatArray, appealed: FloatArray, overturned: FloatArray, open_: FloatArray, errors: Measured
) -> Bounds:
    """The same bounds when random QA says how many of all those decisions are wrong.

    `errors` is that share with its interval, appealed decisions included, corrected for what QA misses. Supposed:
    appeals overturn nothing that is right, so no more can be overturned than is wrong. Where what was overturned
    already exceeds that, beyond chance, it does not hold: `is_crossed`. Where there are no random reviews, Manski's
    bounds remain.
    """
    lowest, highest = _extremes(decisions, appealed, overturned, open_)
    is_narrower = errors.interval.is_given & (errors.value < highest.value)
    value = np.where(is_narrower, np.maximum(errors.value, lowest.value), highest.value)
    top = np.where(is_narrower, np.maximum(errors.interval.high, value), highest.interval.high)
    # What hardly narrows may be less certain than what needs no assumption.
    top = np.minimum(top, highest.interval.high)
    bottom = np.where(is_narrower, np.minimum(errors.interval.low, value), highest.interval.low)
    crossed = is_narrower & (errors.interval.high < lowest.interval.low)
    return _bounds(lowest, Measured(value, Interval(low=bottom, high=top)), is_crossed=crossed)


def selection_quantile(width: FloatArray, *, spread: FloatArray) -> FloatArray:
    """How many standard errors an interval for a rate between two bounds reaches beyond them: 1.64 to 1.96.

    `width` between the bounds and `spread`, the larger of their standard errors, `[...]`: c such that
    Phi(c + width / spread) - Phi(-c) = 0.95. Far apart, a rate can only miss at one of them. Source: G. W. Imbens and
    C. F. Manski (2004), Econometrica 72(6), 1845-1857, equation 7.
    """
    apart = divide(width, spread, otherwise=np.inf)
    low, high = np.full(apart.shape, ONE_SIDED_Z), np.full(apart.shape, Z_975)
    for _ in range(STEPS):
        middle = (low + high) / 2
        is_short = ndtr(middle + apart) - ndtr(-middle) < 0.95
        low, high = np.where(is_short, middle, low), np.where(is_short, high, middle)
    quantile: FloatArray = (low + high) / 2
    return quantile


def _share(events: FloatArray, units: FloatArray) -> Measured:
    counts = np.stack([events, units - events], axis=-1)
    sums = sums_of_classes(units=counts, weight=counts, squared_weight=counts, scores=_IS_EVENT, is_finite=False)
    return Measured(sums.mean, mean_interval(sums, largest_weight=np.ones_like(units), is_finite=False))


def _extremes(
    decisions: FloatArray, appealed: FloatArray, overturned: FloatArray, open_: FloatArray
) -> tuple[Measured, Measured]:
    return _share(overturned, decisions), _share(overturned + open_ + decisions - appealed, decisions)


def _bounds(lowest: Measured, highest: Measured, *, is_crossed: BoolArray) -> Bounds:
    below, above = lowest.value - lowest.interval.low, highest.interval.high - highest.value
    spread = np.maximum(below, above) / Z_975
    reach = selection_quantile(highest.value - lowest.value, spread=spread) / Z_975
    known = np.isfinite(lowest.value) & ~is_crossed

    def given(values: FloatArray) -> FloatArray:
        return np.where(known, values, np.nan)

    return Bounds(
        low=given(lowest.value),
        high=given(highest.value),
        low_interval=Interval(low=given(lowest.interval.low), high=given(lowest.interval.high)),
        high_interval=Interval(low=given(highest.interval.low), high=given(highest.interval.high)),
        interval=Interval(low=given(lowest.value - reach * below), high=given(highest.value + reach * above)),
        is_crossed=is_crossed,
    )
