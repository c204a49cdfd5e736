"""Which interval a figure of agreement gets: jackknife where it may speak, else linearised or Wilson's, else none.

The rules were chosen by `make study` so that an interval, wherever one is given, covers in 93 % of runs or more; the
table is in docs/figures.md. The coefficients themselves are `agreement`.
"""

from dataclasses import dataclass

import numpy as np

from qa_pipeline.contracts import REPLICATES
from qa_pipeline.stats.jackknife import (
    BoolArray,
    FloatArray,
    Interval,
    Transform,
    delta_interval,
    divide,
    interval,
    may_speak,
    rarer_outcome,
)
from qa_pipeline.stats.proportions import wilson

# Plain shares of units: Wilson's interval speaks where the jackknife may not.
SHARES = frozenset({"percent_agreement", "percent_agreement_modal"})
MOVED_BY_PREVALENCE = frozenset({"fleiss_1971", "fleiss_kappa", "fleiss_kappa_weighted", "krippendorff_alpha"})
# The linearised variance of this one is an upper bound, so the jackknife would be shorter for no good reason.
ONLY_LINEARISED = frozenset({"prevalence_index"})
TRANSFORMS: dict[str, Transform] = {
    "percent_agreement": "logit",
    "percent_agreement_modal": "logit",
    "percent_agreement_weighted": "logit",
    "prevalence_index": "identity",
}
# With fewer units a linearised variance says little of itself.
MIN_UNITS_LINEARISED = 20
MIN_MINORITY_AGREEMENT = 5
EVENTS_PER_DEGREE, MINORITY_PER_DEGREE, UNITS_PER_DEGREE = 2, 3, 4


@dataclass(frozen=True)
class Evidence:
    """What decides on intervals, by cell.

    `units` and `unanimous` `[..., 20, cells]` per replicate: units that count and those in full agreement. `minority`
    and `wilson_units` `[..., cells]`: units in which two raters agree on a label other than the commonest, and the
    units that Wilson's interval stands on.
    """

    units: FloatArray
    unanimous: FloatArray
    minority: FloatArray
    wilson_units: FloatArray

    @property
    def total(self) -> FloatArray:
        """Units, `[..., cells]`."""
        total: FloatArray = self.units.sum(axis=-2)
        return total

    @property
    def events(self) -> FloatArray:
        """Units of the rarer of full agreement and any disagreement, `[..., cells]`."""
        return rarer_outcome(self.unanimous, self.units - self.unanimous)[0]


@dataclass(frozen=True)
class Chosen:
    """The interval of each cell and where it comes from, `[..., cells]` each; NaN ends where there is none."""

    interval: Interval
    is_jackknife: BoolArray
    is_linearised: BoolArray
    is_wilson: BoolArray

    @property
    def is_given(self) -> BoolArray:
        """Whether there is an interval."""
        return self.is_jackknife | self.is_linearised | self.is_wilson


def degrees_of_freedom(metric: str, evidence: Evidence, *, effective_units: FloatArray) -> FloatArray:
    """Degrees of freedom of t `[..., cells]`: as many as the informative units can carry, 1 to 19.

    Half of the units of the rarer outcome; for coefficients also a quarter of the units that carry the variance
    (`Coefficient.effective_units`), and for those that move with prevalence a third of the units in which two raters
    agree on a rarer label. With 19 throughout, alpha covered 64 % at a prevalence of 99:1 with 100 units.
    """
    if metric in ONLY_LINEARISED:
        return degrees_of_few(effective_units)
    is_share, is_moved = metric in SHARES, metric in MOVED_BY_PREVALENCE
    return degrees_of_few(
        None if is_share else effective_units,
        events=evidence.events,
        minority=evidence.minority if is_moved else None,
    )


def degrees_of_few(
    effective_units: FloatArray | None, *, events: FloatArray | None = None, minority: FloatArray | None = None
) -> FloatArray:
    """The least of the degrees that each sort of informative unit can carry, 1 to 19; None is not looked at."""
    shares = (
        (effective_units, UNITS_PER_DEGREE),
        (events, EVENTS_PER_DEGREE),
        (minority, MINORITY_PER_DEGREE),
    )
    found = [np.nan_to_num(units / each, nan=1) for units, each in shares if units is not None]
    known: FloatArray = np.clip(np.minimum.reduce(found), 1, REPLICATES - 1)
    return known


def combined_degrees(variance: FloatArray, squares: FloatArray) -> FloatArray:
    """Degrees of freedom of a sum of independent variances, 1 to 19.

    `variance` is the sum, `squares` the sum of each part's square over its own degrees. Source: F. E. Satterthwaite
    (1946), Biometrics Bulletin 2(6), 110-114.
    """
    together = divide(np.square(variance), squares)
    known: FloatArray = np.clip(np.nan_to_num(together, nan=1), 1, REPLICATES - 1)
    return known


def choose_interval(
    metric: str, *, statistics: FloatArray, variance: FloatArray, degrees: FloatArray, evidence: Evidence
) -> Chosen:
    """The interval of every cell.

    `statistics` `[..., 21, cells]` (index 0 the whole sample), linearised `variance` and `degrees` `[..., cells]`.
    """
    units, estimate = evidence.total, statistics[..., 0, :]
    events, spread = rarer_outcome(evidence.unanimous, evidence.units - evidence.unanimous)
    transform = TRANSFORMS.get(metric, "atanh")
    enough = np.full(units.shape, metric not in MOVED_BY_PREVALENCE) | (evidence.minority >= MIN_MINORITY_AGREEMENT)
    jackknife = interval(statistics, transform=transform, degrees=degrees)
    speaks = may_speak(units, events, spread) & jackknife.is_given & enough & (metric not in ONLY_LINEARISED)
    if metric in SHARES:
        other = wilson(estimate, evidence.wilson_units)
        is_other = ~speaks & (units > 0)
    else:
        other = delta_interval(estimate, variance, transform=transform, degrees=degrees)
        is_other = ~speaks & other.is_given & enough & (units >= MIN_UNITS_LINEARISED)
        if metric in ONLY_LINEARISED:
            other = Interval(low=np.clip(other.low, 0, 1), high=np.clip(other.high, 0, 1))
        else:
            is_other &= events >= 1
    found = Interval(
        low=np.where(speaks, jackknife.low, np.where(is_other, other.low, np.nan)),
        high=np.where(speaks, jackknife.high, np.where(is_other, other.high, np.nan)),
    )
    is_share = np.full(units.shape, metric in SHARES)
    return Chosen(found, is_jackknife=speaks, is_linearised=is_other & ~is_share, is_wilson=is_other & is_share)
