"""`marts.signals`: what the control charts call attention to, since when, and what to do about it.

Which points are signals belongs here; their judgement is `control_tests`, the advice `signal_actions`.
"""

from dataclasses import dataclass

import numpy as np

from qa_pipeline.marts.control_series import Series
from qa_pipeline.marts.control_tests import RULES, Control
from qa_pipeline.marts.mart import Mart
from qa_pipeline.marts.reading import Codes, Table, coded
from qa_pipeline.marts.records import NO_REASON, Figures
from qa_pipeline.marts.signal_actions import Signal, actions
from qa_pipeline.stats.control_patterns import step_change
from qa_pipeline.stats.jackknife import BoolArray, FloatArray, IntArray
from qa_pipeline.stats.windows import DateArray, Windows

SIGNAL_RULES = (*RULES, "nelson_2", "nelson_3", "nelson_4")
# By the sign of a direction, 0 first: index -1 is the last.
_DIRECTIONS = ("", "worse", "better")
_COMMENT = (
    "Signals of the control charts, one a rule (metric), series and day. rule_1 (a day's point) and ewma (moving "
    "average) are alarms: p_adjusted, over all tests of that date, is at most the false discovery rate of "
    "config/quality.toml. nelson_2 (nine points in a row on one side of the centre), nelson_3 (six rising or falling) "
    "and nelson_4 (fourteen alternating) are notes and never alarms. estimate: the day's defect rate with its 95 % "
    "interval. change_date: the most likely first day of the changed rate, seen from that day (later days would say "
    "more), between change_from and change_to. A roll-up of a single queue is that queue again and has no signals of "
    "its own. n_items and n_ratings are the day's reviews."
)
MART = Mart(
    name="signals",
    comment=_COMMENT,
    queries=("control_reviews", "control_defects"),
    headline=None,
    source=None,
    extra={
        "is_alarm": ("boolean", "Whether it is an alarm: rule_1 and ewma are, Nelson's rules never."),
        "direction": ("varchar", "worse or better than the baseline; empty for nelson_4."),
        "p_value": ("double", "Two-sided p-value of the test; NULL for Nelson's rules."),
        "p_adjusted": ("double", "The p-value adjusted for all tests of the date; NULL for Nelson's rules."),
        "centre": ("double", "Defect rate of the baseline."),
        "change_date": (
            "date",
            "Most likely first day of the changed rate; NULL where the days since do not bear out.",
        ),
        "change_from": ("date", "Earliest day that the reviews do not rule out as the first (95 %)."),
        "change_to": ("date", "Latest day that the reviews do not rule out as the first (95 %)."),
        "rate_since": ("double", "Defect rate since change_date."),
        "action": ("varchar", "What to do next, made from the numbers."),
    },
)


@dataclass(frozen=True)
class _Signals:
    """Signals one by one, `[signals]`: indices of day, series and SIGNAL_RULES, and sign of the direction."""

    day: IntArray
    column: IntArray
    rule: IntArray
    direction: IntArray


@dataclass(frozen=True)
class _Changes:
    """Estimated change of each signal, `[signals]`; indices of days (-1: unknown) and the rate since (NaN)."""

    day: IntArray
    earliest: IntArray
    latest: IntArray
    share: FloatArray


def signal_figures(series: Series, control: Control, *, defects: Table, windows: Windows) -> list[Figures]:
    """Rows of marts.signals; `defects` is `sql/marts/control_defects.sql`, `windows` are days."""
    found = _signals(series, control)
    if not len(found.day):
        return []
    changes = _changes(control, found)
    said = [
        Signal(day=day, column=column, rule=SIGNAL_RULES[rule], direction=direction, changed=changed, share=share)
        for day, column, rule, direction, changed, share in zip(
            *(each.tolist() for each in (found.day, found.column, found.rule, found.direction)),
            changes.day.tolist(),
            changes.share.tolist(),
            strict=True,
        )
    ]
    rate, interval, method = series.day_rates(found.day, found.column)
    units = series.units[found.day, found.column]
    return [
        Figures(
            window=np.searchsorted(windows.start, series.dates)[found.day],
            texts=series.row_texts(found.column, Codes(values=found.rule, names=SIGNAL_RULES)),
            method=method,
            estimate=rate,
            low=interval.low,
            high=interval.high,
            n_items=units,
            n_ratings=units,
            reason=np.full(len(found.day), NO_REASON),
            extra={
                "is_alarm": found.rule < len(RULES),
                "direction": Codes(values=found.direction % len(_DIRECTIONS), names=_DIRECTIONS),
                "p_value": _of_rule(found, {rule: control.judgement(rule).p_value for rule in RULES}),
                "p_adjusted": _of_rule(found, control.adjusted),
                "centre": control.fitted.share[found.column],
                "change_date": _dates(series.dates, changes.day),
                "change_from": _dates(series.dates, changes.earliest),
                "change_to": _dates(series.dates, changes.latest),
                "rate_since": changes.share,
                "action": coded(actions(said, series=series, control=control, defects=defects)),
            },
        )
    ]


def _signals(series: Series, control: Control) -> _Signals:
    tested = series.same_as == np.arange(len(series))
    directions = {
        **{rule: np.where(control.is_alarm[rule], control.judgement(rule).direction, 0) for rule in RULES},
        "nelson_2": control.patterns.one_side,
        "nelson_3": control.patterns.trend,
        "nelson_4": np.zeros(control.judged.shape, dtype=np.int64),
    }
    present: dict[str, BoolArray] = {
        **control.is_alarm,
        "nelson_2": control.patterns.one_side != 0,
        "nelson_3": control.patterns.trend != 0,
        "nelson_4": control.patterns.alternating != 0,
    }
    places = [np.nonzero(present[rule] & tested) for rule in SIGNAL_RULES]
    return _Signals(
        day=np.concatenate([day for day, _ in places]),
        column=np.concatenate([column for _, column in places]),
        rule=np.repeat(np.arange(len(SIGNAL_RULES)), [len(day) for day, _ in places]),
        direction=np.concatenate([directions[rule][place] for rule, place in zip(SIGNAL_RULES, places, strict=True)]),
    )


def _changes(control: Control, found: _Signals) -> _Changes:
    """The change as seen at the end of each signal's day; unknown where it goes the other way."""
    day, earliest, latest = (np.full(len(found.day), -1) for _ in range(3))
    share = np.full(len(found.day), np.nan)
    for night in np.unique(found.day):
        of_night = np.flatnonzero(found.day == night)
        columns, place = np.unique(found.column[of_night], return_inverse=True)
        some = np.zeros(control.judged.shape[1], dtype=np.bool_)
        some[columns] = True
        until = slice(0, night + 1)
        fitted = control.fitted.of(some)
        step = step_change(
            control.defects[until, some],
            control.reviews[until, some],
            judged=control.judged[until, some],
            fitted=fitted,
        )
        day[of_night], earliest[of_night], latest[of_night] = step.day[place], step.earliest[place], step.latest[place]
        share[of_night] = step.share[place]
    went = np.sign(share - control.fitted.predicted[found.column])
    known = (day >= 0) & ((found.direction == 0) | (went == found.direction))
    return _Changes(
        day=np.where(known, day, -1),
        earliest=np.where(known, earliest, -1),
        latest=np.where(known, latest, -1),
        share=np.where(known, share, np.nan),
    )


def _of_rule(found: _Signals, values: dict[str, FloatArray]) -> FloatArray:
    """The value of each signal's own rule; NaN for Nelson's."""
    result = np.full(len(found.day), np.nan)
    for place, rule in enumerate(RULES):
        own = found.rule == place
        result[own] = values[rule][found.day[own], found.column[own]]
    return result


def _dates(dates: DateArray, day: IntArray) -> DateArray:
    return np.where(day >= 0, dates[day], np.datetime64("NaT"))
