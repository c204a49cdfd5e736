"""The control chart of a queue and those of its vendors: each against its own past. Rows in, `Chart`s out.

Alarms, limits and change dates are the marts'; the title is the chart's state (`alarms`). The question against the
target is the trend's (`trends`).
"""

from collections.abc import Mapping, Sequence

from qa_pipeline.charts import words
from qa_pipeline.charts.alarms import IN_CONTROL, MOVING_AVERAGE, State, daily_points
from qa_pipeline.charts.control_marks import (
    baseline_shapes,
    change_shapes,
    level_trace,
    mark_traces,
)
from qa_pipeline.charts.control_words import (
    control_note,
    control_table,
    hover_text,
    is_rare_chart,
    remarks,
    with_average,
)
from qa_pipeline.charts.quality_rows import ControlPoint, Signal
from qa_pipeline.charts.reading import GuidelineChange
from qa_pipeline.charts.series import line_traces
from qa_pipeline.charts.theme import (
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
    rounded,
    time_axis,
)
from qa_pipeline.charts.trends import Span, mark_labels, right_labels

HEIGHT, PANEL_HEIGHT = 264, 168
PANELS_SHOWN = 6
QUESTION = "Is the defect rate different from its own past?"


def control_chart(
    points: Sequence[ControlPoint],
    *,
    key: str,
    span: Span,
    state: State | None,
    signals: Sequence[Signal],
    changes: Sequence[GuidelineChange],
    height: int = HEIGHT,
) -> Chart:
    """The daily chart of one queue's human decisions, with the alarms of its moving average marked on the same line.

    `points` and `signals` are those of one chart (daily and moving average). A chart without a
    baseline is not drawn: its days are in the trend.
    """
    title = _title(state)
    if state is None or not any(point.centre is not None for point in daily_points(points)):
        reason = "no day with random audits" if state is None else words.reason_text("short_baseline")
        return Chart(key, title, QUESTION, "", None, reason, 0, None)
    marks = [change for change in changes if span.first <= change.day <= span.last]
    scale = _scale([daily_points(points)])
    spec = _spec(points, signals, span=span, state=state, scale=scale, is_panel=False)
    spec["layout"]["height"] = height
    spec["layout"]["margin"]["t"] = 22 if marks else 8
    spec["layout"]["shapes"] += mark_shapes([mark.day for mark in marks])
    spec["layout"]["annotations"] += mark_labels(marks)
    return Chart(
        key,
        title,
        QUESTION,
        control_note(points, state=state, has_marks=bool(marks)),
        spec,
        "",
        height,
        control_table(points),
        remarks=remarks(state),
    )


def vendor_charts(
    points: Mapping[str, Sequence[ControlPoint]],
    signals: Mapping[str, Sequence[Signal]],
    *,
    key: str,
    span: Span,
    states: Mapping[str, State],
) -> list[Chart]:
    """A small chart for each vendor with an alarm in the newest 7 days, worst first, all on one scale.

    Who raised no alarm has a line in `vendors_table`, not a figure: a wall of quiet charts hides the loud one.
    """
    loud = [name for name, state in states.items() if state.signal is not None]
    loud.sort(key=lambda name: (states[name].verdict.rank, -states[name].ratio, name))
    daily = {name: daily_points(points[name]) for name in loud[:PANELS_SHOWN]}
    kinds = {one.row.metric for found in daily.values() for one in found}
    scales = {kind: _scale([found for found in daily.values() if _kind(found) == kind]) for kind in kinds}
    return [
        Chart(
            key=f"{key}-{place}",
            title=name or "(no name)",
            question=f"{states[name].text}{_unit(found)}",
            note=control_note(points[name], state=states[name], has_marks=False),
            spec=_spec(
                points[name],
                signals.get(name, []),
                span=span,
                state=states[name],
                scale=scales[_kind(found)],
                is_panel=True,
            ),
            reason="",
            height=PANEL_HEIGHT,
            table=control_table(points[name], name=f"vendor {name or '(no name)'}"),
        )
        for place, (name, found) in enumerate(daily.items())
    ]


def vendors_title(states: Mapping[str, State]) -> str:
    """Which vendors changed against their own past, and how many of those watched did not."""
    lead = "Vendors against their own past"
    watched = [state for state in states.values() if state.is_watched]
    if not watched:
        return f"{lead}: none has a baseline yet"
    parts = []
    for verdict in sorted({state.verdict for state in watched} - {IN_CONTROL}, key=lambda found: found.rank):
        names = [name or "(no name)" for name, state in states.items() if state.verdict is verdict]
        parts.append(f"{words.join(names)} {'is' if len(names) == 1 else 'are'} {verdict.word}")
    quiet = sum(state.verdict is IN_CONTROL for state in watched)
    if not parts:
        return f"{lead}: {'the one watched is' if quiet == 1 else f'all {quiet} watched are'} in control"
    return f"{lead}: {'; '.join(parts)}" + (f"; {quiet} in control" if quiet else "")


def vendors_table(states: Mapping[str, State]) -> Table:
    """Every vendor's chart in words, the worst first."""
    ordered = sorted(states.items(), key=lambda entry: (entry[1].verdict.rank, -entry[1].ratio, entry[0]))
    return Table(
        caption="Vendors against their own past, worst first",
        heads=("Vendor", "State", "Baseline", "Since the change", "Changed between", "Days with an alarm, of 7"),
        rows=tuple(
            (
                name or "(no name)",
                f"{state.verdict.glyph}\u00a0{state.text}",
                words.percent(state.baseline),
                words.percent(state.signal.rate_since if state.signal is not None else None),
                state.change_text.removeprefix("changed ").removeprefix("between ") or words.NOTHING,
                words.count(state.alarm_days),
            )
            for name, state in ordered
        ),
        numeric=frozenset({2, 3, 5}),
    )


def _title(state: State | None) -> str:
    if state is None:
        return "Defect rate against its own past: no data"
    return f"Defect rate{'' if state.is_watched else ':'} {state.text[0].lower()}{state.text[1:]}"


def _unit(daily: Sequence[ControlPoint]) -> str:
    """What a panel's scale counts where it is no rate."""
    return "; scale: right decisions between defects" if is_rare_chart(daily) else ""


def _kind(daily: Sequence[ControlPoint]) -> str:
    return daily[-1].row.metric


def _spec(
    points: Sequence[ControlPoint],
    signals: Sequence[Signal],
    *,
    span: Span,
    state: State,
    scale: tuple[float, float],
    is_panel: bool,
) -> Spec:
    daily = [point for point in daily_points(points) if point.row.end >= span.first]
    is_rare = _kind(daily) == "g_chart"
    texts = {point.row.end: hover_text(point, slow=slow) for point, slow in with_average(daily, points)}
    centre = next(point.centre for point in reversed(daily) if point.centre is not None)
    level = _level(state.signal, is_rare=is_rare)
    slow = {
        signal.row.end: _level(signal, is_rare=is_rare) for signal in signals if signal.row.metric == MOVING_AVERAGE
    }
    levels = {day: value for day, value in slow.items() if value is not None}
    traces = [
        *_limit_traces(daily),
        *line_traces([point.row for point in daily], color=LINE, text=lambda row: texts[row.end], width=1.5),
        *level_trace(state, level=level, span=span),
        *mark_traces(with_average(daily, points), levels=levels, is_panel=is_panel),
    ]
    labels = [] if is_panel else _right_labels(centre, level=level, is_rare=is_rare, top=scale[1])
    right = max([8, *(8 + 7 * len(words.plain(label["text"])) for label in labels)])
    shapes, inside = baseline_shapes(daily, span=span, is_panel=is_panel)
    change, changed = change_shapes(state, span=span, is_panel=is_panel)
    return {
        "data": traces,
        "layout": layout(
            height=PANEL_HEIGHT if is_panel else HEIGHT,
            margin=(6, right, 24 if is_panel else 28, 40 if is_panel else 46),
            xaxis=time_axis(span.first, span.last, ticks=2 if is_panel else 6),
            yaxis=axis(
                range=[rounded(end) for end in scale],
                tickformat=",.0f" if is_rare else ".0%" if scale[1] >= 0.04 else ".1%",
                nticks=4 if is_panel else 6,
            ),
            shapes=[*shapes, *change, line_shape(y=centre, dash="solid")],
            annotations=[*labels, *inside, *changed],
        ),
    }


def _limit_traces(daily: Sequence[ControlPoint]) -> list[Spec]:
    """Upper and lower limit as steps, a step a day."""
    return [
        {
            "type": "scatter",
            "mode": "lines",
            "x": [f"{point.row.end}" for point in daily],
            "y": [rounded(value) for value in values],
            "line": {"color": MUTED, "width": 1, "shape": "hvh", "dash": "1px,2px"},
            "connectgaps": False,
            "hoverinfo": "skip",
        }
        for values in ([point.upper for point in daily], [point.lower for point in daily])
        if any(value is not None for value in values)
    ]


def _scale(charts: Sequence[Sequence[ControlPoint]]) -> tuple[float, float]:
    """One scale from 0 for every value and centre, and for the limits unless one would squeeze the rest to half."""
    daily = [point for chart in charts for point in chart]
    values = [value for point in daily for value in (point.row.estimate, point.centre) if value is not None]
    highest = max([*values, 0.01])
    uppers = [point.upper for point in daily if point.upper is not None and point.phase != "no_baseline"]
    top = max(highest, min(max(uppers, default=0.0), 1.5 * highest)) * 1.06
    return 0.0, top if is_rare_chart(daily) else min(1.0, top)


def _level(signal: Signal | None, *, is_rare: bool) -> float | None:
    """The rate since the change on the chart's own scale: that of a g-chart is right decisions between defects."""
    if signal is None or signal.rate_since is None:
        return None
    if not is_rare:
        return signal.rate_since
    return (1 - signal.rate_since) / signal.rate_since if signal.rate_since else None


def _right_labels(centre: float, *, level: float | None, is_rare: bool, top: float) -> list[Spec]:
    """`usual 4.9%` and `since 13.2%` right of the plot; when they would touch, one goes up and one down."""

    def text(value: float) -> str:
        return words.count(round(value)) if is_rare else words.percent(value)

    labels = [(centre, f"usual {text(centre)}", MUTED)]
    if level is not None:
        labels.append((level, f"<b>since {text(level)}</b>", INK))
    return right_labels(labels, top=top)
