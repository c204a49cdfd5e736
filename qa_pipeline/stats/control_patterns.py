"""What a control chart shows beside its limits: Nelson's run rules and the date on which a rate changed.

Patterns of points belong here, never alarms: the rules annotate, since on a chart without limits of error they fire far
more often than any configured rate. Arrays are `[days, series]` unless noted.
"""

from dataclasses import dataclass

import numpy as np

from qa_pipeline.stats.control import Baseline
from qa_pipeline.stats.jackknife import BoolArray, FloatArray, IntArray, divide

ONE_SIDE_RUN, TREND_RUN, ALTERNATING_RUN = 9, 6, 14
# Half of the 95 % quantile of chi-square with 2 degrees of freedom, -log(0.05): date and new rate are both free.
_LIKELIHOOD_DROP = 2.995732273553991


@dataclass(frozen=True)
class Patterns:
    """Nelson's rules 2 to 4 at the point that completes them; 0 where not.

    `one_side` (rule 2): 1 above the centre line, -1 below. `trend` (rule 3): 1 rising, -1 falling. `alternating`
    (rule 4): 1 when the last step is up, -1 when down.
    """

    one_side: IntArray
    trend: IntArray
    alternating: IntArray


@dataclass(frozen=True)
class StepChange:
    """Most likely first day of a changed rate, `[series]`: row index, -1 where there are no days to judge.

    `earliest` and `latest` bound the days that the data do not rule out; `share` is the rate since `day`, `log_ratio`
    the logarithm of the likelihood ratio against no change.
    """

    day: IntArray
    earliest: IntArray
    latest: IntArray
    share: FloatArray
    log_ratio: FloatArray


def nelson_patterns(rates: FloatArray, *, centre: FloatArray) -> Patterns:
    """Runs in each series' rates about its `centre` `[series]`; days without a rate (NaN) are passed over.

    Rule 2: nine points in a row on one side of the centre line. Rule 3: six in a row steadily rising or falling. Rule
    4: fourteen in a row alternating up and down. Source: L. S. Nelson (1984), The Shewhart control chart: tests for
    special causes, Journal of Quality Technology 16(4), 237-239. A tie breaks a run.
    """
    observed = np.isfinite(rates)
    # The points of each series moved up to the top, in order; moved back at the end.
    order = np.argsort(~observed, axis=0, kind="stable")
    packed = np.take_along_axis(rates, order, axis=0)
    step = np.zeros(packed.shape)
    step[1:] = np.nan_to_num(np.sign(np.diff(packed, axis=0)))
    side = np.nan_to_num(np.sign(packed - centre))
    turned = np.zeros(packed.shape)
    turned[1:] = step[1:] * -step[:-1]
    found = (
        _run_lengths(side) >= ONE_SIDE_RUN,
        _run_lengths(step) >= TREND_RUN - 1,
        _run_lengths(np.maximum(turned, 0)) >= ALTERNATING_RUN - 2,
    )
    directions = []
    for is_found, direction in zip(found, (side, step, step), strict=True):
        unpacked = np.zeros(packed.shape, dtype=np.int64)
        np.put_along_axis(unpacked, order, np.where(is_found, direction, 0).astype(np.int64), axis=0)
        directions.append(np.where(observed, unpacked, 0))
    return Patterns(one_side=directions[0], trend=directions[1], alternating=directions[2])


def step_change(defects: FloatArray, reviews: FloatArray, *, judged: BoolArray, fitted: Baseline) -> StepChange:
    """When did each series leave its baseline's rate for another one that holds until the last judged day?

    The day maximises the likelihood of the days from it on at their own rate over that at the baseline's: J. J.
    Pignatiello and T. R. Samuel (2001), Identifying the time of a step change in the process fraction nonconforming,
    Quality Engineering 13(3), 357-365. Counts are divided by the inflation of their variance, so that days that differ
    anyway do not look like changes. `earliest` and `latest` enclose all days whose log-likelihood is at most 3.0 lower
    (half of chi-square's 95 % quantile with 2 degrees); how often they hold the true day is measured in the tests.
    """
    inflation = fitted.inflation(np.where(judged, reviews, 0.0))
    n = np.where(judged, reviews / inflation, 0.0)
    x = np.where(judged, defects / inflation, 0.0)
    since_n, since_x = (np.cumsum(each[::-1], axis=0)[::-1] for each in (n, x))
    share = divide(since_x, since_n, otherwise=0.0)
    known = np.clip(np.nan_to_num(fitted.predicted, nan=0.5), 1e-12, 1 - 1e-12)
    gain = _log_term(since_x, share, known) + _log_term(since_n - since_x, 1 - share, 1 - known)
    gain = np.where(judged & np.isfinite(fitted.predicted), gain, -np.inf)
    day, best = np.argmax(gain, axis=0), gain.max(axis=0)
    some = np.isfinite(best)
    likely = (gain >= best - _LIKELIHOOD_DROP) & np.isfinite(gain)
    rate = np.take_along_axis(share, day[None], axis=0)[0]
    return StepChange(
        day=np.where(some, day, -1),
        earliest=np.where(some, np.argmax(likely, axis=0), -1),
        latest=np.where(some, len(likely) - 1 - np.argmax(likely[::-1], axis=0), -1),
        share=np.where(some, rate, np.nan),
        log_ratio=np.where(some, best, np.nan),
    )


def _log_term(count: FloatArray, share: FloatArray, known: FloatArray) -> FloatArray:
    return np.where(count > 0, count * np.log(np.where(count > 0, share, 1) / known), 0.0)


def _run_lengths(signs: FloatArray) -> IntArray:
    """How many equal signs in a row end at each point; 0 at a sign of 0."""
    lengths = np.zeros(signs.shape, dtype=np.int64)
    current = np.zeros(signs.shape[1], dtype=np.int64)
    before = np.zeros(signs.shape[1])
    for row, sign in enumerate(signs):
        current = np.where(sign == 0, 0, np.where(sign == before, current + 1, 1))
        before = sign
        lengths[row] = current
    return lengths
