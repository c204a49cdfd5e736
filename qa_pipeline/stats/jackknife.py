"""Delete-a-group jackknife: an interval for any statistic of additive counts.

Leaving out replicates, the rule when the jackknife may speak and the transforms belong here; the statistics themselves
do not. Arrays carry the replicates on the axis before the last: `[..., 20, column]`.

Source: P. S. Kott (2001), The Delete-a-Group Jackknife, Journal of Official Statistics 17(4), 521-526. With G groups
the variance of t is (G - 1) / G * sum over g of (t_without_g - t)^2, and t on G - 1 degrees of freedom gives the
interval.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

from qa_pipeline.contracts import REPLICATES

FloatArray: TypeAlias = npt.NDArray[np.float64]
IntArray: TypeAlias = npt.NDArray[np.int64]
BoolArray: TypeAlias = npt.NDArray[np.bool_]
Transform = Literal["identity", "logit", "atanh"]

# scipy.stats.t.ppf(0.975, 19) and scipy.stats.norm.ppf(0.975).
T_975_DF19 = 2.0930240544082634
Z_975 = 1.959963984540054
MIN_UNITS = 100
MIN_EVENTS = 10
MIN_REPLICATES = 8


@dataclass(frozen=True)
class Interval:
    """A 95 % interval; NaN at both ends where the jackknife cannot give one."""

    low: FloatArray
    high: FloatArray

    @property
    def is_given(self) -> BoolArray:
        """Where both ends are finite and the width is above zero."""
        with np.errstate(invalid="ignore"):
            given: BoolArray = np.isfinite(self.low) & np.isfinite(self.high) & (self.high > self.low)
        return given


def leave_one_out(replicates: FloatArray) -> FloatArray:
    """Sums of all replicates and of all but one.

    `replicates` is `[..., G, column]`; the result is `[..., 1 + G, column]`: index 0 is the whole sample, index g + 1
    the sample without replicate g.

    >>> leave_one_out(np.array([[1.0], [2.0], [4.0]]))[:, 0].tolist()
    [7.0, 6.0, 5.0, 3.0]
    """
    total = replicates.sum(axis=-2, keepdims=True)
    return np.concatenate([total, total - replicates], axis=-2)


def may_speak(units: FloatArray, events: FloatArray, event_replicates: FloatArray) -> BoolArray:
    """Whether the jackknife may give an interval (measured rule of the design, section 5).

    `units` is the number of units, `events` of units with the rarer outcome, `event_replicates` the number of
    replicates with at least one of these. Shapes are broadcast.
    """
    allowed: BoolArray = (units >= MIN_UNITS) & (events >= MIN_EVENTS) & (event_replicates >= MIN_REPLICATES)
    return allowed


def rarer_outcome(yes: FloatArray, no: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Events of the rarer outcome and the replicates that have any.

    `yes` and `no` count the two outcomes, `[..., G, column]`; both results are `[..., column]`. Of two equally rare
    outcomes the one in fewer replicates counts.
    """
    yes_total, no_total = yes.sum(axis=-2), no.sum(axis=-2)
    yes_spread = (yes > 0).sum(axis=-2).astype(np.float64)
    no_spread = (no > 0).sum(axis=-2).astype(np.float64)
    spread = np.where(yes_total < no_total, yes_spread, no_spread)
    spread = np.where(yes_total == no_total, np.minimum(yes_spread, no_spread), spread)
    return np.minimum(yes_total, no_total), spread


def variance(statistics: FloatArray) -> FloatArray:
    """Jackknife variance of `[..., 1 + G, column]` (index 0 the whole sample), as `[..., column]`.

    The squares are taken about the estimate itself, as Kott does: never smaller than about the mean of the others.
    """
    groups = statistics.shape[-2] - 1
    deviations = statistics[..., 1:, :] - statistics[..., :1, :]
    result: FloatArray = (groups - 1) / groups * np.square(deviations).sum(axis=-2)
    return result


def bias_corrected(statistics: FloatArray) -> FloatArray:
    """Quenouille's correction G t - (G - 1) mean(t_without_g) of `[..., 1 + G, column]`, as `[..., column]`."""
    groups = statistics.shape[-2] - 1
    result: FloatArray = groups * statistics[..., 0, :] - (groups - 1) * statistics[..., 1:, :].mean(axis=-2)
    return result


def interval(statistics: FloatArray, *, transform: Transform, degrees: FloatArray | None = None) -> Interval:
    """95 % interval of `[..., 1 + G, column]` (index 0 the whole sample), as `[..., column]`.

    The interval is symmetric on the transformed scale: `atanh` for coefficients in [-1, 1], `logit` for shares,
    `identity` for distances. `degrees` of freedom, `[..., column]`, are those of 20 replicates unless the caller knows
    of fewer. Where any transformed value is not finite, or all are equal, both ends are NaN: the caller falls back to
    an interval of another kind, never to one of zero width. ValueError unless there are 20 replicates.
    """
    if statistics.shape[-2] != REPLICATES + 1:
        message = f"statistics need {REPLICATES + 1} rows on the axis before the last, not {statistics.shape[-2]}"
        raise ValueError(message)
    with np.errstate(all="ignore"):
        scaled = _forward(statistics, transform)
        quantile = T_975_DF19 if degrees is None else t_quantile(np.minimum(degrees, REPLICATES - 1))
        return _around(scaled[..., 0, :], np.sqrt(variance(scaled)) * quantile, transform)


def delta_interval(value: FloatArray, variance: FloatArray, *, transform: Transform, degrees: FloatArray) -> Interval:
    """95 % interval from a linearised variance, symmetric on the transformed scale; `degrees` of freedom of t.

    Where the variance is 0 or the value is at the end of its scale both ends are NaN, as in `interval`.
    """
    slope = {
        "identity": np.ones_like(value),
        "logit": divide(np.ones_like(value), value * (1 - value)),
        "atanh": divide(np.ones_like(value), 1 - np.square(value)),
    }[transform]
    with np.errstate(all="ignore"):
        return _around(_forward(value, transform), np.sqrt(variance) * slope * t_quantile(degrees), transform)


def t_quantile(degrees: FloatArray) -> FloatArray:
    """97.5 % quantile of Student's t; `degrees` of freedom need not be whole, below 1 they count as 1."""
    quantile: FloatArray = stdtrit(np.maximum(degrees, 1), 0.975)
    return quantile


def divide(numerator: FloatArray, denominator: FloatArray, *, otherwise: float = np.nan) -> FloatArray:
    """Quotient where the denominator is above 0, `otherwise` elsewhere."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(denominator > 0, numerator / denominator, otherwise)


def _around(middle: FloatArray, spread: FloatArray, transform: Transform) -> Interval:
    usable = np.isfinite(spread) & (spread > 0) & np.isfinite(middle)
    low, high = _backward(middle - spread, transform), _backward(middle + spread, transform)
    return Interval(low=np.where(usable, low, np.nan), high=np.where(usable, high, np.nan))


def _forward(values: FloatArray, transform: Transform) -> FloatArray:
    if transform == "identity":
        return values
    if transform == "logit":
        logit: FloatArray = np.log(values) - np.log1p(-values)
        return logit
    hyperbolic: FloatArray = np.arctanh(values)
    return hyperbolic


def _backward(values: FloatArray, transform: Transform) -> FloatArray:
    if transform == "identity":
        return values
    if transform == "logit":
        # tanh instead of 1 / (1 + exp(-x)): no overflow at any x.
        share: FloatArray = 0.5 * (1 + np.tanh(0.5 * values))
        return share
    coefficient: FloatArray = np.tanh(values)
    return coefficient
