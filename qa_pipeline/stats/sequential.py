"""Wald's sequential probability ratio test of a lot: look after every review, stop as soon as the evidence suffices.

The lines, the decision on each lot, and what the test does at a given quality belong here; plans with a fixed sample
are in `acceptance`. Source: A. Wald (1947), Sequential Analysis, chapters 3 and 5; the form with a slope and two
intercepts is D. C. Montgomery's (Introduction to Statistical Quality Control, section on sequential sampling).

Reviews are taken to be independent. A batch is finite and drawn from without replacement, which makes the share of
defects in the sample steadier than that, so the test errs less often than it promises, and once all of the batch is
reviewed its quality is known. Looking once a night at whatever was reviewed, instead of after each review, keeps Wald's
bounds on the errors too; a lot that crossed a line and came back between two nights is continued.
"""

from dataclasses import dataclass

import numpy as np
from scipy import special

from qa_pipeline.stats.acceptance import TextArray
from qa_pipeline.stats.jackknife import BoolArray, FloatArray, IntArray

# Halvings of the interval 0..1e6 until it is below 1e-12.
_BISECTIONS = 60
_MAX_ABS_H = 1e6
_SLOPE_TOLERANCE = 1e-9


@dataclass(frozen=True)
class SequentialPlan:
    """Acceptance line `-accept_intercept + slope m` and rejection line `reject_intercept + slope m` after m reviews.

    A lot of share `good_share` is rejected with a chance of about `producer_risk`, one of `bad_share` accepted with a
    chance of about `consumer_risk`; between the two either is right.
    """

    good_share: float
    bad_share: float
    producer_risk: float
    consumer_risk: float

    def __post_init__(self) -> None:
        """Raises ValueError unless 0 < good < bad < 1 and the risks are above 0 and together below 1."""
        if not 0 < self.good_share < self.bad_share < 1:
            raise ValueError("the shares must satisfy 0 < good_share < bad_share < 1")
        if min(self.producer_risk, self.consumer_risk) <= 0 or self.producer_risk + self.consumer_risk >= 1:
            raise ValueError("the risks must be above 0 and together below 1")

    @property
    def defect_weight(self) -> float:
        """Log likelihood ratio of bad against good that a defect adds over what a sound decision takes away."""
        return float(special.logit(self.bad_share) - special.logit(self.good_share))

    @property
    def sound_weight(self) -> float:
        """Log likelihood ratio of bad against good that a sound decision takes away."""
        return float(np.log1p(-self.good_share) - np.log1p(-self.bad_share))

    @property
    def log_bounds(self) -> tuple[float, float]:
        """Log of Wald's B = beta / (1 - alpha) and A = (1 - beta) / alpha."""
        return (
            float(np.log(self.consumer_risk) - np.log1p(-self.producer_risk)),
            float(np.log1p(-self.consumer_risk) - np.log(self.producer_risk)),
        )

    @property
    def slope(self) -> float:
        """Defects per review at which the evidence stays where it is; between the two shares."""
        return self.sound_weight / self.defect_weight

    @property
    def accept_intercept(self) -> float:
        """Defects that the acceptance line lies below the slope's."""
        return -self.log_bounds[0] / self.defect_weight

    @property
    def reject_intercept(self) -> float:
        """Defects that the rejection line lies above the slope's."""
        return self.log_bounds[1] / self.defect_weight


@dataclass(frozen=True)
class Characteristics:
    """What a test does with lots of a given share: chance of acceptance and mean number of reviews until it decides."""

    accept_probability: FloatArray
    mean_reviews: FloatArray


def decide(plan: SequentialPlan, *, reviewed: IntArray, defects: IntArray, stop_at: IntArray) -> TextArray:
    """`accept`, `reject` or `continue` for each lot, `[lots]`.

    A lot on a line or beyond is decided. One still between the lines after `stop_at` reviews is truncated as Wald
    (1947, 3.8) does: by the nearer hypothesis, so accepted when defects <= slope * reviewed. Wald's risks hold where
    `stop_at` is the lot's size, when its quality is known; a smaller one raises them, and `truncated_characteristics`
    says how much. The reviews are of randomly sampled decisions.

    >>> plan = SequentialPlan(good_share=0.01, bad_share=0.06, producer_risk=0.05, consumer_risk=0.1)
    >>> decide(plan, reviewed=np.array([43, 44, 2]), defects=np.array([0, 0, 2]), stop_at=np.array(1000))
    array(['continue', 'accept', 'reject'], dtype='<U8')
    """
    is_accepted, is_rejected = _crossed(plan, reviewed, defects)
    is_truncated = reviewed >= stop_at
    is_near_good = defects <= plan.slope * reviewed
    return np.select(
        [is_accepted, is_rejected, is_truncated & is_near_good, is_truncated],
        ["accept", "reject", "accept", "reject"],
        "continue",
    )


def wald_characteristics(plan: SequentialPlan, share: FloatArray) -> Characteristics:
    """Wald's approximations of the operating curve and of the average sample number, without truncation.

    They neglect how far the last review overshoots a line: acceptance (A^h - 1) / (A^h - B^h), where h solves
    share (p1/p0)^h + (1 - share) ((1-p1)/(1-p0))^h = 1. Shares lie strictly between 0 and 1.

    >>> plan = SequentialPlan(good_share=0.01, bad_share=0.06, producer_risk=0.05, consumer_risk=0.1)
    >>> wald_characteristics(plan, np.array([0.01, 0.06])).accept_probability.round(6).tolist()
    [0.95, 0.1]
    """
    log_b, log_a = plan.log_bounds
    drift = share * plan.defect_weight - plan.sound_weight
    is_flat = np.abs(drift) < _SLOPE_TOLERANCE
    h = _solve_h(plan, share)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        # (A^h - 1) / (A^h - B^h), kept finite for large |h|.
        curve = np.where(
            h > 0,
            -np.expm1(-h * log_a) / -np.expm1(h * (log_b - log_a)),
            np.exp(-h * log_b) * np.expm1(h * log_a) / np.expm1(h * (log_a - log_b)),
        )
        accepted = np.where(is_flat, log_a / (log_a - log_b), curve)
        flat_reviews = -log_a * log_b / (share * (1 - share) * plan.defect_weight**2)
        reviews = np.where(is_flat, flat_reviews, (accepted * log_b + (1 - accepted) * log_a) / drift)
    return Characteristics(accept_probability=accepted, mean_reviews=reviews)


def truncated_characteristics(plan: SequentialPlan, share: FloatArray, *, stop_at: int) -> Characteristics:
    """Exact operating curve and mean number of reviews of the test truncated at `stop_at`, by its whole course.

    After each review the chance of every number of defects between the lines is carried on and what crosses is summed:
    `stop_at` steps over arrays `[shares, defects]`. Shares `[shares]` may be 0 or 1.
    """
    highest = int(np.floor(plan.reject_intercept + plan.slope * stop_at)) + 2
    alive = np.zeros((len(share), highest + 1))
    alive[:, 0] = 1.0
    accepted, reviews = np.zeros(len(share)), np.zeros(len(share))
    counts = np.arange(highest + 1)
    for reviewed in range(1, stop_at + 1):
        reviews += alive.sum(axis=1)
        moved = alive * (1 - share)[:, None]
        moved[:, 1:] += alive[:, :-1] * share[:, None]
        decision = decide(plan, reviewed=np.array(reviewed), defects=counts, stop_at=np.array(stop_at))
        accepted += moved[:, decision == "accept"].sum(axis=1)
        alive = np.where(decision == "continue", moved, 0.0)
    return Characteristics(accept_probability=accepted, mean_reviews=reviews)


def _crossed(plan: SequentialPlan, reviewed: IntArray, defects: IntArray) -> tuple[BoolArray, BoolArray]:
    middle = plan.slope * reviewed
    return defects <= middle - plan.accept_intercept, defects >= middle + plan.reject_intercept


def _solve_h(plan: SequentialPlan, share: FloatArray) -> FloatArray:
    """The root h other than 0 of log E exp(h z), z the evidence of one review: 1 at good, -1 at bad, 0 at the slope.

    The function is convex, so it is below 0 between its two roots and above beyond: bisection on the size of h.
    """
    sign = np.where(share < plan.slope, 1.0, -1.0)
    low, high = np.zeros(share.shape), np.full(share.shape, _MAX_ABS_H)
    log_defect, log_sound = np.log(share), np.log1p(-share)
    gain, loss = plan.defect_weight - plan.sound_weight, -plan.sound_weight
    for _ in range(_BISECTIONS):
        size = (low + high) / 2
        h = sign * size
        is_beyond = np.logaddexp(log_defect + h * gain, log_sound + h * loss) > 0
        low, high = np.where(is_beyond, low, size), np.where(is_beyond, size, high)
    root: FloatArray = sign * (low + high) / 2
    return root
