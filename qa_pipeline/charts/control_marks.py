"""The marks on a control chart: alarms by direction, runs of days, the baseline and the date of the change."""

from collections.abc import Mapping, Sequence
from datetime import date

from qa_pipeline.charts import words
from qa_pipeline.charts.alarms import WORSE, State
from qa_pipeline.charts.quality_rows import ControlPoint
from qa_pipeline.charts.theme import ACT, CARD, GOOD, GRID, INK, MUTED, Spec, half_days, note, rounded
from qa_pipeline.charts.trends import Span

# Kind of alarm and direction: in colour, shape and fill, so that none has to be told by colour alone.
GLYPHS = {
    ("day", "worse"): "\u25c6",
    ("average", "worse"): "\u25c7",
    ("day", "better"): "\u25a0",
    ("average", "better"): "\u25a1",
}
PATTERN_GLYPH = "\u25cb"
_SYMBOLS = {"worse": ("diamond", ACT), "better": ("square", GOOD)}
_PATTERNS = {
    "nelson_2 above": "nine days in a row above the usual",
    "nelson_2 below": "nine days in a row below the usual",
    "nelson_3 rising": "six days in a row rising",
    "nelson_3 falling": "six days in a row falling",
    "nelson_4": "fourteen days in a row up and down by turns",
}

Pairs = Sequence[tuple[ControlPoint, ControlPoint | None]]


def pattern_words(point: ControlPoint) -> str:
    """`nine days in a row above the usual`; empty where the day completes no run."""
    return "; ".join(_PATTERNS.get(name, name.replace("_", " ")) for name in point.patterns.split("; ") if name)


def alarm_words(point: ControlPoint, *, slow: ControlPoint | None) -> str:
    """`alarm, worse: beyond chance`; empty without an alarm of the day or of the moving average."""
    parts = []
    if point.is_alarm:
        parts.append(f"alarm, {point.direction}: beyond chance")
    if slow is not None and slow.is_alarm:
        parts.append(f"alarm, {slow.direction}: moving average")
    return "; ".join(parts)


def mark_traces(pairs: Pairs, *, levels: Mapping[date, float], is_panel: bool) -> list[Spec]:
    """Alarms of the day filled, those of the moving average hollow, runs of days as small rings.

    An alarm of the moving average is about several days, so it lies at the level since the change (`levels`, by day)
    and not at its day's own value, which may be low.
    """
    traces = []
    for kind, direction in GLYPHS:
        symbol, color = _SYMBOLS[direction]
        is_day = kind == "day"
        found = [point for point, slow in pairs if _is_marked(point, slow, kind=kind, direction=direction)]
        if found:
            marker = {
                "symbol": symbol if is_day else f"{symbol}-open",
                "size": 9,
                "color": color,
                "line": {"width": 0 if is_day else 1.6, "color": color},
            }
            traces.append(_markers(found, marker=marker, levels={} if is_day else levels))
    runs = [point for point, _ in pairs if point.patterns and not point.is_alarm]
    if runs and not is_panel:
        ring = {"symbol": "circle-open", "size": 6, "color": MUTED, "line": {"width": 1.2, "color": MUTED}}
        traces.append(_markers(runs, marker=ring, levels={}))
    return traces


def _is_marked(point: ControlPoint, slow: ControlPoint | None, *, kind: str, direction: str) -> bool:
    if kind == "day":
        return point.is_alarm and point.direction == direction
    return not point.is_alarm and slow is not None and slow.is_alarm and slow.direction == direction


def _markers(found: Sequence[ControlPoint], *, marker: Spec, levels: Mapping[date, float]) -> Spec:
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [f"{point.row.end}" for point in found],
        "y": [rounded(levels.get(point.row.end, point.row.estimate or 0.0)) for point in found],
        "marker": marker,
        "cliponaxis": False,
        "hoverinfo": "skip",
    }


def level_trace(state: State, *, level: float | None, span: Span) -> list[Spec]:
    """What the rate has been since the change, as a thick line from the most likely day on."""
    signal = state.signal
    if signal is None or signal.change_date is None or level is None:
        return []
    return [
        {
            "type": "scatter",
            "mode": "lines",
            "x": [f"{max(signal.change_date, span.first)}", f"{span.last}"],
            "y": [rounded(level)] * 2,
            "line": {"color": INK, "width": 3},
            "opacity": 0.75,
            "hoverinfo": "skip",
        }
    ]


def baseline_shapes(daily: Sequence[ControlPoint], *, span: Span, is_panel: bool) -> tuple[list[Spec], list[Spec]]:
    """The days of the baseline, shaded and named."""
    days = [point.row.end for point in daily if point.phase == "baseline" and point.row.end >= span.first]
    if not days:
        return [], []
    first, last = half_days(min(days), max(days))
    label = note("baseline", x=first, xanchor="left", xshift=4, y=1, yref="paper", yanchor="top", bgcolor=CARD)
    return [_stretch(first, last, color=GRID, opacity=0.55)], [] if is_panel else [label]


def change_shapes(state: State, *, span: Span, is_panel: bool) -> tuple[list[Spec], list[Spec]]:
    """The most likely day of the change as a line, with the days between which it lies as a band."""
    signal = state.signal
    if signal is None or signal.change_date is None or signal.change_date < span.first:
        return [], []
    shapes = []
    if signal.change_from is not None and signal.change_to is not None:
        ends = half_days(max(signal.change_from, span.first), signal.change_to)
        shapes.append(_stretch(*ends, color=ACT if state.verdict is WORSE else GOOD, opacity=0.16))
    line = {"color": INK, "width": 1.2}
    day = f"{signal.change_date}"
    shapes.append({"type": "line", "xref": "x", "x0": day, "x1": day, "yref": "paper", "y0": 0, "y1": 1, "line": line})
    is_late = (signal.change_date - span.first).days > (span.last - span.first).days / 2
    label = note(
        f"changed {words.short_day(signal.change_date)}",
        x=day,
        xanchor="right" if is_late else "left",
        xshift=-5 if is_late else 5,
        y=1,
        yref="paper",
        yanchor="top",
        font={"size": 11, "color": INK},
    )
    return shapes, [] if is_panel else [label]


def _stretch(first: str, last: str, *, color: str, opacity: float) -> Spec:
    return {
        "type": "rect",
        "xref": "x",
        "x0": first,
        "x1": last,
        "yref": "paper",
        "y0": 0,
        "y1": 1,
        "fillcolor": color,
        "opacity": opacity,
        "line": {"width": 0},
        "layer": "below",
    }
