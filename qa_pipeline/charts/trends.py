"""The defect rate over time. Rows in, `Chart` out; the title comes from the same rows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial

from qa_pipeline.charts import findings, verdicts, words
from qa_pipeline.charts.measures import DEFECT_RATE
from qa_pipeline.charts.reading import GuidelineChange, MartRow, choose_grain, newest
from qa_pipeline.charts.series import (
    GRAIN_ADJECTIVES,
    at_grain,
    band_traces,
    line_traces,
    period_text,
    point_time,
    state_text,
)
from qa_pipeline.charts.theme import (
    ACT,
    INK,
    LINE,
    MUTED,
    Chart,
    Spec,
    Table,
    axis,
    layout,
    line_shape,
    mark_shapes,
    note,
    rounded,
    time_axis,
)


@dataclass(frozen=True)
class Span:
    """The days that a page's trends show; the same for every figure on it."""

    first: date
    last: date


def defect_trend(
    rows: Sequence[MartRow], *, key: str, span: Span, target: float | None, changes: Sequence[GuidelineChange]
) -> Chart:
    """Defect rate of one market and queue over time with its interval, its target and the newest 28 days.

    `rows` are `marts.defect_rate` rows of metric defect_rate and subject human, any periods.
    """
    grain = _trend_grain(rows)
    points = at_grain(rows, grain=grain, first=span.first)
    current = newest(rows)
    question = (
        "What share of the decisions turn out wrong?"
        if target is None
        else "Do more decisions turn out wrong than the target allows?"
    )
    title = findings.defect_title(points, current=current, target=target)
    if not any(row.estimate is not None for row in points):
        reason = words.reason_text(points[-1].reason if points else None)
        return Chart(key, title, question, "", None, reason, 0, None)
    traces = [*band_traces(points), *line_traces(points, color=LINE, text=partial(_defect_text, target=target))]
    signals = [row for row in points if verdicts.judge(row, target, measure=DEFECT_RATE) is verdicts.ACT]
    if signals:
        traces.append(_signal_trace(signals))
    if current is not None and current.estimate is not None:
        traces.append(_window_trace(current, target=target))
    top = _defect_top(points, current=current, target=target)
    marks = [change for change in changes if span.first <= change.day <= span.last]
    labels = _right_labels(current, target=target, top=top)
    right = max([12, *(8 + 7 * len(words.plain(label["text"])) for label in labels)])
    spec: Spec = {
        "data": traces,
        "layout": layout(
            height=264,
            margin=(22 if marks else 8, right, 28, 46),
            xaxis=time_axis(span.first, axis_end(span, grain=grain)),
            yaxis=axis(range=[0, rounded(top)], tickformat=".0%" if top >= 0.04 else ".1%", nticks=6),
            shapes=[
                *([line_shape(y=target)] if target is not None else []),
                *mark_shapes([mark.day for mark in marks]),
            ],
            annotations=[*labels, *mark_labels(marks)],
        ),
    }
    return Chart(
        key,
        title,
        question,
        _defect_note(
            grain,
            has_target=target is not None,
            can_change=any(row.is_provisional for row in points),
            has_signals=bool(signals),
            has_marks=bool(marks),
        ),
        spec,
        "",
        264,
        _defect_table(points, current, target=target),
    )


def _trend_grain(rows: Sequence[MartRow]) -> str:
    """Weeks from three on: the days are the control chart's."""
    weeks = sum(row.period == "week" and row.estimate is not None for row in rows)
    return "week" if weeks >= 3 else choose_grain(rows)


def axis_end(span: Span, *, grain: str) -> date:
    """Last day of the time axis; the middle of a week that has just begun lies ahead of the newest day."""
    middle = span.last + timedelta(days=3 - span.last.weekday())
    return max(span.last, middle) if grain == "week" else span.last


def _defect_text(row: MartRow, *, target: float | None) -> str:
    parts = [f"<b>{period_text(row)}</b>", f"{words.percent(row.estimate)}"]
    if row.low is not None:
        parts[-1] += f" ({words.percent_range(row.low, row.high, limits=(target,))})"
    parts.append(f"{words.count(row.n_items)} audited, {state_text(row)}")
    return "<br>".join(parts)


def _signal_trace(signals: Sequence[MartRow]) -> Spec:
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [point_time(row).strftime("%Y-%m-%d") for row in signals],
        "y": [rounded(row.estimate) for row in signals],
        "marker": {"symbol": "diamond", "size": 9, "color": ACT},
        "cliponaxis": False,
        "hoverinfo": "skip",
    }


def _window_trace(current: MartRow, *, target: float | None) -> Spec:
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [f"{current.start}", f"{current.end}"],
        "y": [rounded(current.estimate)] * 2,
        "line": {"color": INK, "width": 3},
        "opacity": 0.75,
        "text": [_defect_text(current, target=target)] * 2,
        "hovertemplate": "%{text}<extra></extra>",
    }


def _defect_top(points: Sequence[MartRow], *, current: MartRow | None, target: float | None) -> float:
    """Top of the scale: every estimate, the target, and the intervals unless one would squeeze the rest to half."""
    tops = [row.estimate for row in points if row.estimate is not None]
    tops += [value for value in (target, current.high if current else None) if value is not None]
    highest = max([*tops, 0.01])
    highs = [row.high for row in points if row.high is not None]
    return min(1.0, max(highest, min(max(highs, default=0.0), 2 * highest)) * 1.06)


def _right_labels(current: MartRow | None, *, target: float | None, top: float) -> list[Spec]:
    """`28 d 6.2%` and `target 5%` right of the plot; when they would touch, one goes up and one down."""
    labels: list[tuple[float, str, str]] = []
    if current is not None and current.estimate is not None:
        labels.append((current.estimate, f"<b>28 d {words.percent(current.estimate)}</b>", INK))
    if target is not None:
        labels.append((target, f"target {words.exact_percent(target)}", MUTED))
    return right_labels(labels, top=top)


def right_labels(labels: Sequence[tuple[float, str, str]], *, top: float) -> list[Spec]:
    """One or two labels (value, text, colour) right of a plot from 0 to `top`, at their values but not touching."""
    labels = sorted(labels)
    is_close = len(labels) == 2 and (labels[1][0] - labels[0][0]) / top < 0.09
    anchors = ["top", "bottom"] if is_close else ["middle", "middle"]
    return [
        note(
            text,
            x=1,
            xref="paper",
            xanchor="left",
            y=rounded(y),
            yanchor=anchor,
            xshift=4,
            font={"size": 11, "color": color},
        )
        for (y, text, color), anchor in zip(labels, anchors, strict=False)
    ]


def mark_labels(marks: Iterable[GuidelineChange]) -> list[Spec]:
    """The names of the guidelines over the lines where they came into force."""
    return [
        note(
            words.plot_text(words.short(f"guideline {mark.version}", limit=26)),
            x=f"{mark.day}",
            y=1,
            yref="paper",
            yanchor="bottom",
            xanchor="center",
        )
        for mark in marks
    ]


def _defect_note(grain: str, *, has_target: bool, can_change: bool, has_signals: bool, has_marks: bool) -> str:
    """How to read the figure; nothing that is not on it."""
    parts = [
        f"Line: {GRAIN_ADJECTIVES[grain]} rate in random audits, with its 95% interval",
        "thick: the newest 28 days",
    ]
    if has_target:
        parts.append("long dashes: target")
    if can_change:
        parts.append("short dashes: can still change")
    if has_signals:
        parts.append("\u25c6 whole interval above the target")
    if has_marks:
        parts.append("dotted upright: another guideline in force")
    return "; ".join(parts) + "."


def _defect_table(points: Sequence[MartRow], current: MartRow | None, *, target: float | None) -> Table:
    rows = [*([current] if current is not None else []), *reversed(points)]
    return Table(
        caption="Defect rate by period, newest first",
        heads=("Period", "Defect rate", "95% interval", "Random audits", "State"),
        rows=tuple(
            (
                period_text(row),
                words.percent(row.estimate),
                words.percent_range(row.low, row.high, limits=(target,)),
                words.count(row.n_items),
                state_text(row),
            )
            for row in rows
        ),
        numeric=frozenset({1, 2, 3}),
    )
