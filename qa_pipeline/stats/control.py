"""Control charts of defect rates: the frozen baseline, Laney's p' chart, and p-values that allow for both.

The moving average is in control_ewma, charts of rare defects in control_rare, patterns and change dates in
control_patterns, the adjustment for many charts in false_discovery. Arrays are `[days, series]` unless noted:
`defects` among `reviews` of consecutive dates (both may be fractional: weighted reviews enter as rate times Kish's
effective number, and that number; 0 reviews is a day without a point). Per series arrays are `[series]`.

**Phase I is frozen**: share and spread come from the days marked in `baseline`; only days after the last of them are
judged, so no day is ever compared with a baseline that it is part of. While the baseline is still growing nothing is
judged at all (`is_opening_complete`), so that what was judged once is judged the same for ever.

**What a p-value allows for.** A day's rate differs from the centre line because (1) few reviews were drawn, (2) the
true rate differs between quiet days, (3) the baseline is itself a sample, (4) the spread (2) was estimated from few
days. (1) to (3) are one beta-binomial whose correlation is that between days plus that of the baseline's error; (4)
turns its normal score into Student's t on the baseline's days less one. All p-values are two-sided: twice the smaller
tail.
"""

from dataclasses import dataclass, fields

import numpy as np
from scipy.special import ndtri, stdtr

from qa_pipeline.limits import MIN_BASELINE_DAYS
from qa_pipeline.stats.count_tails import LEAST_TAIL, Tails, betabinomial_tails
from qa_pipeline.stats.jackknife import BoolArray, FloatArray, IntArray, divide

# Mean range of two standard normal values (W. A. Shewhart's d2 for n = 2), 2 / sqrt(pi).
D2 = 1.128
SIGMAS = 3.0
# From here on a day's defects are enough for a point of their own (p-chart); below, points span several days (g-chart).
MIN_EXPECTED = 5.0


@dataclass(frozen=True)
class Baseline:
    """Phase I of each series, `[series]`; NaN where it has fewer than MIN_BASELINE_DAYS days with reviews.

    `share` is the centre line, `sigma_z` Laney's spread (1: no more than the binomial's), `correlation` that between
    two reviews of one day (0: days do not differ). `predicted` and `predicted_correlation` are mean and correlation of
    what the baseline says of the true rate; `is_rare` tells g-charts from p-charts; `last_day` is an index or -1.
    """

    days: IntArray
    reviews: FloatArray
    share: FloatArray
    sigma_z: FloatArray
    correlation: FloatArray
    predicted: FloatArray
    predicted_correlation: FloatArray
    is_rare: BoolArray
    last_day: IntArray

    def of(self, series: BoolArray) -> "Baseline":
        """The baselines of some of the series."""
        return Baseline(*(getattr(self, field.name)[series] for field in fields(self)))

    def inflation(self, reviews: FloatArray) -> FloatArray:
        """Variance of a day's count over that of the binomial, 1 + (n - 1) rho; at least 1."""
        return 1 + np.maximum(reviews - 1, 0) * self.correlation


@dataclass(frozen=True)
class Judgement:
    """Two-sided p-value of each point and its direction (1 worse, -1 better, 0 neither); NaN and 0 where not judged."""

    p_value: FloatArray
    direction: IntArray


@dataclass(frozen=True)
class Limits:
    """Control limits of each point."""

    lower: FloatArray
    upper: FloatArray


def opening_baseline(reviews: FloatArray, *, days: int) -> BoolArray:
    """The first `days` days with reviews of each series, also while there are fewer of them."""
    observed = reviews > 0
    chosen: BoolArray = observed & (np.cumsum(observed, axis=0) <= days)
    return chosen


def is_opening_complete(reviews: FloatArray, *, days: int) -> BoolArray:
    """Whether each series, `[series]`, had `days` days with reviews before the newest date.

    Days without reviews do not count: a series that is reviewed once a week needs seven times as long.
    """
    complete: BoolArray = (reviews[:-1] > 0).sum(axis=0) >= days
    return complete


def fit_baseline(defects: FloatArray, reviews: FloatArray, *, baseline: BoolArray) -> Baseline:
    """Centre line and spread of each series from the days marked in `baseline`.

    `sigma_z` is the mean moving range of the standardised rates over D2: D. B. Laney (2002), Improved control charts
    for attributes, Quality Engineering 14(4), 531-537. `correlation` is the moment estimator that solves E(X2) for
    Pearson's X2 about the pooled rate, as in J. C. Kleinman (1973), Journal of the American Statistical Association 68,
    never below 0. `predicted` follows from the Jeffreys prior, so that a baseline without defects still says how small
    the rate may be.
    """
    used = baseline & (reviews > 0)
    n, x = np.where(used, reviews, 0.0), np.where(used, defects, 0.0)
    days, total = used.sum(axis=0), n.sum(axis=0)
    share = divide(x.sum(axis=0), total)
    scores = standardised(x, n, share=share)
    observed = np.where(used, np.nan_to_num(scores), 0.0)
    squares = (n * n).sum(axis=0)
    excess = np.square(observed).sum(axis=0) - (days - 1)
    room = total - days - divide(squares, total, otherwise=0.0) + 1
    correlation = np.clip(divide(excess, room, otherwise=0.0), 0, 0.5)
    # What the baseline is worth: as many independent reviews as give its rate the same variance.
    design = divide((n * (1 + np.maximum(n - 1, 0) * correlation)).sum(axis=0), total)
    effective = divide(total, design)
    enough = days >= MIN_BASELINE_DAYS
    return Baseline(
        days=days,
        reviews=total,
        share=np.where(enough, share, np.nan),
        sigma_z=np.where(enough, _moving_range(scores, used) / D2, np.nan),
        correlation=np.where(enough, correlation, np.nan),
        predicted=np.where(enough, (share * effective + 0.5) / (effective + 1), np.nan),
        predicted_correlation=np.where(enough, 1 / (effective + 2), np.nan),
        is_rare=enough & (divide(x.sum(axis=0), days, otherwise=0.0) < MIN_EXPECTED),
        last_day=np.where(used.any(axis=0), len(used) - 1 - np.argmax(used[::-1], axis=0), -1),
    )


def standardised(defects: FloatArray, reviews: FloatArray, *, share: FloatArray) -> FloatArray:
    """Standardised rates (rate - share) / sqrt(share (1 - share) / n); NaN without reviews or at a share of 0 or 1."""
    spread = share * (1 - share) * reviews
    return divide(defects - reviews * share, np.sqrt(np.maximum(spread, 0)))


def judged_days(reviews: FloatArray, *, fitted: Baseline) -> BoolArray:
    """Days with reviews after the last baseline day, in series that have a baseline."""
    after = np.arange(len(reviews))[:, None] > fitted.last_day
    judged: BoolArray = after & (reviews > 0) & np.isfinite(fitted.share)
    return judged


def p_limits(reviews: FloatArray, *, fitted: Baseline) -> Limits:
    """Stepped limits of the p' chart, share +- SIGMAS sigma_z sqrt(share (1 - share) / n), kept within 0 and 1.

    sigma_z counts as 1 when it is smaller. Laney allows narrower limits than the binomial's, but independent reviews
    cannot vary less than that, and the moving range of 28 days is off by a sixth.
    """
    width = SIGMAS * np.maximum(fitted.sigma_z, 1) * np.sqrt(fitted.share * (1 - fitted.share))
    half = divide(np.broadcast_to(width, reviews.shape), np.sqrt(reviews))
    return Limits(lower=np.maximum(fitted.share - half, 0), upper=np.minimum(fitted.share + half, 1))


def rule_one(defects: FloatArray, reviews: FloatArray, *, fitted: Baseline) -> Judgement:
    """Nelson's rule 1 as a p-value: how unusual is each day's count after this baseline?

    At 3 sigma the rule asks for p = 0.0027; here the tail is that of the beta-binomial described above, counting half
    of the day's own count (mid-p: H. O. Lancaster 1961, Significance tests in discrete distributions, Journal of the
    American Statistical Association 56). Measured on 60,000 quiet series after 28 days, mid-p with Student's t was at
    or below its level from 0.05 to 0.0002, and whole tails with the normal instead of t 3 times above it.
    """
    judged = judged_days(reviews, fitted=fitted)
    n, x = np.where(judged, reviews, 0.0), np.where(judged, defects, 0.0)
    tails = predictive_tails(x, n, correlation=np.broadcast_to(fitted.correlation, n.shape), fitted=fitted)
    return two_sided(tails.middle, 1 - tails.middle, judged=judged, degrees=fitted.days - 1)


def predictive_tails(x: FloatArray, n: FloatArray, *, correlation: FloatArray, fitted: Baseline) -> Tails:
    """Tails of counts whose mean share is itself uncertain: both sources of correlation, 1 - (1 - r1)(1 - r2)."""
    joint = 1 - (1 - correlation) * (1 - fitted.predicted_correlation)
    return betabinomial_tails(x, n, share=np.broadcast_to(fitted.predicted, n.shape), correlation=joint)


def two_sided(at_most: FloatArray, at_least: FloatArray, *, judged: BoolArray, degrees: IntArray) -> Judgement:
    """Twice the smaller tail, its normal score read off Student's t with the baseline's `degrees` of freedom."""
    smaller = np.clip(np.minimum(at_most, at_least), LEAST_TAIL, 0.5)
    tail = stdtr(np.maximum(degrees, 1), ndtri(smaller))
    direction = np.where(at_least < at_most, 1, -1)
    return Judgement(
        p_value=np.where(judged, np.minimum(2 * tail, 1), np.nan),
        direction=np.where(judged & (at_least != at_most), direction, 0),
    )


def _moving_range(scores: FloatArray, used: BoolArray) -> FloatArray:
    """Mean absolute difference between each used score and the one used before it."""
    before = np.full(scores.shape[1], np.nan)
    total, pairs = np.zeros(scores.shape[1]), np.zeros(scores.shape[1])
    for score, is_used in zip(scores, used, strict=True):
        is_pair = is_used & np.isfinite(before) & np.isfinite(score)
        total += np.where(is_pair, np.abs(score - before), 0.0)
        pairs += is_pair
        before = np.where(is_used, score, before)
    return divide(total, pairs)
