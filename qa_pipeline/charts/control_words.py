"""What a control chart says in words: hover texts, the note under it, what to do, and the numbers. No figure here."""

from collections.abc import Sequence

from qa_pipeline.charts import words
from qa_pipeline.charts.alarms import BETTER, MOVING_AVERAGE, State, daily_points, key_of, subject_name
from qa_pipeline.charts.control_marks import GLYPHS, PATTERN_GLYPH, alarm_words, pattern_words
from qa_pipeline.charts.quality_rows import ControlPoint
from qa_pipeline.charts.reading import MartRow
from qa_pipeline.charts.series import state_text
from qa_pipeline.charts.theme import Table


def with_average(
    daily: Sequence[ControlPoint], points: Sequence[ControlPoint]
) -> list[tuple[ControlPoint, ControlPoint | None]]:
    """Each day beside the moving average of that day."""
    slow = {point.row.end: point for point in points if point.row.metric == MOVING_AVERAGE}
    return [(point, slow.get(point.row.end)) for point in daily]


def is_rare_chart(daily: Sequence[ControlPoint]) -> bool:
    """Whether the chart is of right decisions between defects."""
    return any(point.row.metric == "g_chart" for point in daily)


def _value_text(point: ControlPoint) -> str:
    row = point.row
    if row.estimate is None:
        return words.reason_text(row.reason)
    if row.metric == "g_chart":
        return f"{words.count(round(row.estimate))} right decisions between defects"
    inside = words.percent_range(row.low, row.high)
    return words.percent(row.estimate) + (f" ({inside})" if inside else "")


def _limits_text(point: ControlPoint) -> str:
    if point.lower is None or point.upper is None:
        return ""
    if point.row.metric == "p_chart":
        return words.percent_range(point.lower, point.upper)
    if point.row.metric == "g_chart":
        return f"{words.count(round(point.lower))}{words.EN_DASH}{words.count(round(point.upper))}"
    return words.coefficient_range(point.lower, point.upper)


def hover_text(point: ControlPoint, *, slow: ControlPoint | None) -> str:
    """What a day says when it is pointed at."""
    lines = [f"<b>{words.day(point.row.end)}</b>", _value_text(point)]
    lines.append(f"{words.count(point.row.n_items)} audited, {_final(point.row)}")
    if _limits_text(point):
        lines.append(f"limits {_limits_text(point)}")
    lines += [text for text in (alarm_words(point, slow=slow), pattern_words(point)) if text]
    return "<br>".join(lines)


def _final(row: MartRow) -> str:
    """A point of a chart has no interval of its own, which is no lack of data."""
    return state_text(row._replace(reason=None)) if row.reason == "control_limits" else state_text(row)


def control_note(points: Sequence[ControlPoint], *, state: State, has_marks: bool) -> str:
    """How to read the figure; nothing that is not on it."""
    daily = daily_points(points)
    is_rare = is_rare_chart(daily)
    parts = [
        "Line: right decisions between one defect and the next in random audits, over the newest defects; "
        "higher is better (defects are too few for a rate a day)"
        if is_rare
        else "Line: daily rate in random audits",
        "level line: the usual rate of the baseline" if not is_rare else "level line: what is usual in the baseline",
    ]
    if any(point.upper is not None for point in daily):
        parts.append("dotted steps: limits of chance for that day\u2019s audits")
    if any(_is_beyond(point) for point in daily):
        parts.append("beyond the steps without a mark: no alarm, of so many charts some have such a day by chance")
    pairs = with_average(daily, points)
    for (kind, direction), glyph in GLYPHS.items():
        if any(_marked(point, slow) == (kind, direction) for point, slow in pairs):
            how = (
                "a day beyond chance"
                if kind == "day"
                else "a slow change over several days (moving average), marked at the rate since"
            )
            parts.append(f"{glyph} alarm, {direction}: {how}")
    if any(point.patterns for point in daily):
        parts.append(f"{PATTERN_GLYPH} a run of days that is unusual, no alarm")
    if state.signal is not None and state.signal.change_date is not None:
        parts.append("upright: when it changed, most likely day and 95% bounds; thick: the rate since then")
    if any(point.row.is_provisional for point in daily):
        parts.append("dashed: can still change")
    if has_marks:
        parts.append("dotted upright: another guideline in force")
    return "; ".join(parts) + "."


def _is_beyond(point: ControlPoint) -> bool:
    """Whether a judged day lies beyond its limits and is no alarm: the mart holds it against all charts of the day."""
    value = point.row.estimate
    if point.phase != "monitored" or point.is_alarm or value is None:
        return False
    return (point.upper is not None and value > point.upper) or (point.lower is not None and value < point.lower)


def _marked(point: ControlPoint, slow: ControlPoint | None) -> tuple[str, str] | None:
    if point.is_alarm:
        return ("day", point.direction)
    return ("average", slow.direction) if slow is not None and slow.is_alarm else None


def remarks(state: State) -> tuple[str, ...]:
    """When it changed and what to do, of a chart with an alarm."""
    if state.signal is None:
        return ()
    when = f"It {state.change_text}. " if state.change_text else ""
    keep = " A new baseline is set in quality.toml." if state.verdict is BETTER else ""
    return (
        (f"{when}What to do: {state.signal.action}{keep}",) if state.signal.action else (when.strip(),) if when else ()
    )


def control_table(points: Sequence[ControlPoint], *, name: str = "") -> Table:
    """Every day with its limits, its moving average and what was noticed, the newest first."""
    daily = daily_points(points)
    is_rare = is_rare_chart(daily)
    name = name or subject_name(key_of(daily[0]))
    rows = []
    for point, slow in reversed(with_average(daily, points)):
        noticed = "; ".join(text for text in (alarm_words(point, slow=slow), pattern_words(point)) if text)
        average = ""
        if slow is not None and slow.row.estimate is not None:
            average = f"{words.coefficient(slow.row.estimate)} ({_limits_text(slow)})"
        rows.append(
            (
                words.day(point.row.end),
                _value_text(point).removesuffix(" right decisions between defects"),
                _limits_text(point) or words.NOTHING,
                words.count(point.row.n_items),
                average or words.NOTHING,
                noticed or (point.phase if point.phase == "baseline" else words.NOTHING),
                _final(point.row),
            )
        )
    value = "Right decisions between defects" if is_rare else "Defect rate (95% interval)"
    return Table(
        caption=f"Control chart of {name}, newest first; moving average (EWMA) as a score: usual 0, its limits",
        heads=("Day", value, "Limits", "Audits", "Moving average", "Noticed", "State"),
        rows=tuple(rows),
        numeric=frozenset({1, 2, 3, 4}),
    )
