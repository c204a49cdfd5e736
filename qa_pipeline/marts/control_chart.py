"""`marts.control_chart`: every point of every control chart, with its centre, limits, p-values and patterns.

Which rows a chart has belongs here; the series are `control_series`, their judgement `control_tests`.
"""

from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np

from qa_pipeline.config import Config
from qa_pipeline.marts.control_series import Series, control_series
from qa_pipeline.marts.control_tests import Control, control_tests, gaps
from qa_pipeline.marts.mart import Mart, Source
from qa_pipeline.marts.reading import Codes, read_table
from qa_pipeline.marts.records import NO_METHOD, NO_REASON, REASONS, Figures, constant
from qa_pipeline.marts.signals import signal_figures
from qa_pipeline.stats.control import Judgement, Limits, p_limits
from qa_pipeline.stats.control_patterns import Patterns
from qa_pipeline.stats.jackknife import BoolArray, FloatArray, IntArray
from qa_pipeline.stats.windows import TRAILING_DAYS, Windows

PHASES = ("baseline", "monitored", "no_baseline")
_BASELINE, _MONITORED, _NO_BASELINE = range(len(PHASES))
# By the sign of a judgement's direction, 0 first: index -1 is the last.
DIRECTIONS = ("", "worse", "better")
_COMMENT = (
    "Control charts of the defect rate of random reviews, a point a day (of the decision judged) and series. metric: "
    "p_chart (the day's rate with its 95 % interval; limits are 3 sigma after Laney), g_chart (for series with under 5 "
    "defects a day in the baseline: good reviews between two of the last 5 defects, where low is bad) and ewma (moving "
    "average of normal scores, for small lasting changes). subject_kind: rater_kind and vendor by market and queue "
    "and rolled up (ALL), model_version by market and queue, annotator over all markets and queues (the newest 28 days "
    "alone). phase: baseline (what is or will be compared with: the first days with reviews, as many as "
    "config/quality.toml says, or its fixed dates), monitored (judged), no_baseline (neither: before fixed dates, or "
    "under 14 days with reviews in them). Until the baseline is complete no day of the series is judged and centre and "
    "limits are NULL (an ewma row says short_baseline); days without reviews do not count, so a series with gaps takes "
    "longer. A judged day never becomes a baseline day: its p-values and alarms change only with its reviews or the "
    "configuration. p_adjusted: weighted Benjamini-Hochberg over all points and averages of the date, each "
    "subject_kind of equal weight; is_alarm where it is at most the false discovery rate of config/quality.toml. A "
    "roll-up of a single queue has the p_adjusted of that queue. patterns never alarm. n_items and n_ratings are the "
    "day's reviews. What a vendor can check from its own reviews: estimate of a p_chart is the share of the day's "
    "random reviews with a defect, each weighted by 1 / inclusion_probability; centre is that share over all days of "
    "phase baseline (with equal weights: sum of estimate x n_items over sum of n_items)."
)
MART = Mart(
    name="control_chart",
    comment=_COMMENT,
    queries=("control_reviews",),
    headline=None,
    source=Source("review_counts", "sampling = 'random'"),
    extra={
        "phase": ("varchar", "baseline, monitored or no_baseline."),
        "baseline_days": ("bigint", "Days with reviews that the series' baseline has so far."),
        "centre": ("double", "Centre line: the baseline's rate (p_chart), good reviews a defect (g_chart), 0 (ewma)."),
        "lower_limit": ("double", "Lower control limit of the point."),
        "upper_limit": ("double", "Upper control limit of the point."),
        "p_value": ("double", "Two-sided p-value of a monitored point; NULL elsewhere."),
        "p_adjusted": ("double", "The p-value adjusted for all tests of the date."),
        "direction": ("varchar", "worse or better than the baseline; empty where not judged."),
        "is_alarm": ("boolean", "Whether the point alarms: p_adjusted is at most the false discovery rate."),
        "patterns": ("varchar", "Nelson's rules 2 to 4 that end at the point, joined by '; '; they never alarm."),
    },
)


@dataclass(frozen=True)
class ControlFigures:
    """Rows of marts.control_chart and marts.signals, with the windows (days) that they index."""

    chart: list[tuple[Windows, list[Figures]]]
    signals: list[tuple[Windows, list[Figures]]]


def control_figures(
    con: duckdb.DuckDBPyConnection, *, sql_root: Path, config: Config, windows: Windows
) -> ControlFigures:
    """Figures of marts.control_chart and marts.signals from `tallies.review_counts`."""
    table = read_table(con, sql_root=sql_root, name="control_reviews", parameters={})
    if not len(table):
        return ControlFigures(chart=[], signals=[])
    days = windows.of_period("day")
    series = control_series(table, windows=days)
    control = control_tests(series, quality=config.quality)
    defects = read_table(con, sql_root=sql_root, name="control_defects", parameters={})
    signals = signal_figures(series, control, defects=defects, windows=days)
    return ControlFigures(
        chart=[(days, chart_figures(series, control, windows=days))],
        signals=[(days, signals)],
    )


def chart_figures(series: Series, control: Control, *, windows: Windows) -> list[Figures]:
    """The points of every chart, and a row that says so where a series has no complete baseline."""
    phase = np.where(control.baseline, _BASELINE, np.where(control.judged, _MONITORED, _NO_BASELINE))
    is_annotator = series.texts["subject_kind"].equal("annotator")
    is_new = series.dates > series.dates[-1] - np.timedelta64(TRAILING_DAYS, "D")
    shown = (series.units > 0) & (is_new[:, None] | ~is_annotator)
    rows = _Rows(series=series, control=control, windows=windows, phase=phase, shown=shown)
    return [*_p_charts(rows), *_g_charts(rows), *_averages(rows)]


@dataclass(frozen=True)
class _Rows:
    """What all kinds of charts are made from; `phase` and `shown` are `[days, series]`."""

    series: Series
    control: Control
    windows: Windows
    phase: IntArray
    shown: BoolArray

    @property
    def is_gap(self) -> BoolArray:
        """Where a point is one of a g-chart."""
        gap: BoolArray = self.control.fitted.is_rare & (self.phase != _NO_BASELINE)
        return gap


def _p_charts(rows: _Rows) -> list[Figures]:
    series, control = rows.series, rows.control
    day, column = np.nonzero(rows.shown & ~rows.is_gap)
    limits = p_limits(control.reviews, fitted=control.fitted)
    shown = Limits(*(np.where(rows.phase == _NO_BASELINE, np.nan, each) for each in (limits.lower, limits.upper)))
    extra = _judged(rows, day, column, judgement=control.point, rule="rule_1", limits=shown)
    extra["centre"] = np.where(rows.phase[day, column] == _NO_BASELINE, np.nan, control.fitted.share[column])
    extra["patterns"] = _pattern_texts(control.patterns, day, column)
    rate, interval, method = series.day_rates(day, column)
    return [
        Figures(
            window=_window(rows, day),
            texts=series.row_texts(column, constant("p_chart", len(day))),
            method=method,
            estimate=rate,
            low=interval.low,
            high=interval.high,
            n_items=series.units[day, column],
            n_ratings=series.units[day, column],
            reason=np.full(len(day), NO_REASON),
            extra=extra,
        )
    ]


def _g_charts(rows: _Rows) -> list[Figures]:
    day, column = np.nonzero(rows.shown & rows.is_gap)
    if not len(day):
        return []
    charted, place = np.unique(column, return_inverse=True)
    chart = gaps(rows.control, series=charted)
    value = chart.value[day, place]
    extra = _judged(rows, day, column, judgement=rows.control.point, rule="rule_1", limits=None)
    extra["centre"] = chart.centre[place]
    extra |= {"lower_limit": chart.limits.lower[day, place], "upper_limit": chart.limits.upper[day, place]}
    no_defects = REASONS.index("no_defects")
    reason = np.where(np.isnan(value), no_defects, REASONS.index("control_limits"))
    return [_without_interval(rows, day, column, metric="g_chart", estimate=value, reason=reason, extra=extra)]


def _averages(rows: _Rows) -> list[Figures]:
    average = rows.control.average
    day, column = np.nonzero(rows.shown & (rows.phase == _MONITORED))
    extra = _judged(rows, day, column, judgement=average.judgement, rule="ewma", limits=average.limits)
    extra["centre"] = np.zeros(len(day))
    limits = np.full(len(day), REASONS.index("control_limits"))
    points = _without_interval(
        rows, day, column, metric="ewma", estimate=average.value[day, column], reason=limits, extra=extra
    )
    # One row, on the newest date shown, of a series that cannot be judged.
    waiting = np.flatnonzero(np.isnan(rows.control.fitted.share) & rows.shown.any(axis=0))
    newest = len(rows.shown) - 1 - np.argmax(rows.shown[::-1, waiting], axis=0)
    nothing = np.full(len(waiting), np.nan)
    short = np.full(len(waiting), REASONS.index("short_baseline"))
    extra = _judged(rows, newest, waiting, judgement=average.judgement, rule="ewma", limits=average.limits)
    extra["centre"] = nothing
    return [
        points,
        _without_interval(rows, newest, waiting, metric="ewma", estimate=nothing, reason=short, extra=extra),
    ]


def _without_interval(
    rows: _Rows,
    day: IntArray,
    column: IntArray,
    *,
    metric: str,
    estimate: FloatArray,
    reason: IntArray,
    extra: dict[str, Codes | FloatArray | IntArray | BoolArray],
) -> Figures:
    nothing = np.full(len(day), np.nan)
    return Figures(
        window=_window(rows, day),
        texts=rows.series.row_texts(column, constant(metric, len(day))),
        method=np.full(len(day), NO_METHOD),
        estimate=estimate,
        low=nothing,
        high=nothing,
        n_items=rows.series.units[day, column],
        n_ratings=rows.series.units[day, column],
        reason=reason,
        extra=extra | {"patterns": constant("", len(day))},
    )


def _judged(
    rows: _Rows, day: IntArray, column: IntArray, *, judgement: Judgement, rule: str, limits: Limits | None
) -> dict[str, Codes | FloatArray | IntArray | BoolArray]:
    """The columns about phase, limits and judgement."""
    direction = judgement.direction[day, column] % len(DIRECTIONS)
    found: dict[str, Codes | FloatArray | IntArray | BoolArray] = {
        "baseline_days": rows.control.baseline.sum(axis=0)[column],
        "phase": Codes(values=rows.phase[day, column], names=PHASES),
        "p_value": judgement.p_value[day, column],
        "p_adjusted": rows.control.adjusted[rule][day, column],
        "direction": Codes(values=direction, names=DIRECTIONS),
        "is_alarm": rows.control.is_alarm[rule][day, column],
    }
    if limits is not None:
        found |= {"lower_limit": limits.lower[day, column], "upper_limit": limits.upper[day, column]}
    return found


def _window(rows: _Rows, day: IntArray) -> IntArray:
    return np.searchsorted(rows.windows.start, rows.series.dates)[day]


def _pattern_texts(patterns: Patterns, day: IntArray, column: IntArray) -> Codes:
    """The patterns that end at each point: one of 18 combinations."""
    above = ("", "nelson_2 above", "nelson_2 below")
    trend = ("", "nelson_3 rising", "nelson_3 falling")
    turns = ("", "nelson_4")
    names = tuple("; ".join(filter(None, (a, b, c))) for a in above for b in trend for c in turns)
    side = patterns.one_side[day, column] % len(above)
    slope = patterns.trend[day, column] % len(trend)
    turned = np.abs(patterns.alternating[day, column])
    return Codes(values=(side * len(trend) + slope) * len(turns) + turned, names=names)
