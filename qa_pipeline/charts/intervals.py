"""Dots with whiskers, one a row, on one axis: the figure that every comparison of subjects uses.

What is compared and what the title says belong to the caller.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from qa_pipeline.charts import words
from qa_pipeline.charts.reading import MartRow
from qa_pipeline.charts.series import state_text
from qa_pipeline.charts.theme import (
    ACT,
    INK,
    MUTED,
    NARROW_LABEL,
    WIDE_LABEL,
    Spec,
    axis,
    layout,
    left_margin,
    rounded,
    tick_texts,
)


@dataclass(frozen=True)
class Bar:
    """One interval of a sorted list: its label (not yet escaped), row, colour role, target and whether it is hollow.

    `name` is the label in full where it was shortened with care, `narrow` what a phone shows in its place.
    """

    label: str
    row: MartRow
    color: str
    target: float | None
    is_hollow: bool = False
    name: str = ""
    narrow: str = ""


def intervals_spec(
    bars: Sequence[Bar],
    *,
    lines: Sequence[float],
    row_height: int,
    text: Callable[[float | None], str],
    tickformat: str,
    bounds: tuple[float, float],
    reach: float | None,
) -> Spec:
    """The figure, the last of `bars` on top; `lines` are dotted across all of them.

    The scale holds every estimate and line, and every end of an interval that is no further than `reach` from them:
    one interval that says nothing must not squeeze the others.
    """
    traces = [interval_trace(bar, place=place, text=text) for place, bar in enumerate(bars)]
    goals = [(place, bar.target) for place, bar in enumerate(bars) if bar.target is not None]
    if goals:
        traces.append(_goal_trace(goals))
    return {
        "narrow": narrow_labels(bars),
        "data": traces,
        "layout": layout(
            height=row_height * len(bars) + 36,
            margin=(8, 14, 28, left_margin([bar.label for bar in bars], limit=WIDE_LABEL)),
            xaxis=axis(range=_scale(bars, lines=lines, bounds=bounds, reach=reach), tickformat=tickformat, nticks=5),
            yaxis=label_axis(bars),
            shapes=[across(line, xref="x") for line in lines],
        ),
    }


def interval_trace(bar: Bar, *, place: int, text: Callable[[float | None], str], xaxis: str = "x") -> Spec:
    """A dot with whiskers in row `place`, with the hover text that says the same."""
    row = bar.row
    has_interval = row.low is not None
    few = ": not enough data" if bar.is_hollow else ""
    inside = f" ({text(row.low)} to {text(row.high)})" if has_interval else ""
    hover = (
        f"<b>{words.plot_text(words.short(bar.name or bar.label, limit=80))}</b><br>{text(row.estimate)}{inside}<br>"
    )
    return {
        "type": "scatter",
        "mode": "lines+markers" if has_interval else "markers",
        "x": [rounded(value) for value in (row.low, row.estimate, row.high)],
        "y": [place] * 3,
        "xaxis": xaxis,
        "line": {"color": bar.color, "width": 2.4},
        "marker": {"color": bar.color, "size": [0, 10, 0], "symbol": _symbol(bar), "opacity": 1},
        "text": [hover + f"{words.plural(row.n_items, 'item')}, {state_text(row)}{few}"] * 3,
        "hovertemplate": "%{text}<extra></extra>",
    }


def label_axis(bars: Sequence[Bar]) -> Spec:
    """The axis of the labels left of the plot."""
    return axis(
        range=[-0.6, len(bars) - 0.4],
        tickvals=list(range(len(bars))),
        ticktext=tick_texts([bar.label for bar in bars], limit=WIDE_LABEL),
        tickfont={"color": INK, "size": 12},
        showgrid=False,
        ticklen=6,
        tickcolor="rgba(0,0,0,0)",
    )


def narrow_labels(bars: Sequence[Bar]) -> Spec:
    """What `assets/pages.js` puts left of the plot on a phone."""
    labels = [bar.narrow or bar.label for bar in bars]
    return {"left": left_margin(labels, limit=NARROW_LABEL), "ticktext": tick_texts(labels, limit=NARROW_LABEL)}


def across(value: float, *, xref: str) -> Spec:
    """A dotted upright line over all rows."""
    return {
        "type": "line",
        "xref": xref,
        "x0": rounded(value),
        "x1": rounded(value),
        "yref": "paper",
        "y0": 0,
        "y1": 1,
        "line": {"color": MUTED, "width": 1.2, "dash": "dot"},
    }


def scale_of(values: Sequence[float], *, bounds: tuple[float, float]) -> list[float | None]:
    """A range with some room around `values`, no further than a little past `bounds`."""
    room = max(0.02, (max(values) - min(values)) * 0.1)
    return [
        rounded(max(bounds[0] - room / 2, min(values) - room)),
        rounded(min(bounds[1] + room / 2, max(values) + room)),
    ]


def _scale(
    bars: Sequence[Bar], *, lines: Sequence[float], bounds: tuple[float, float], reach: float | None
) -> list[float | None]:
    firm = [bar.row.estimate for bar in bars if bar.row.estimate is not None]
    firm += [*lines, *(bar.target for bar in bars if bar.target is not None)]
    ends = [value for bar in bars for value in (bar.row.low, bar.row.high) if value is not None]
    if reach is not None:
        ends = [min(max(value, min(firm) - reach), max(firm) + reach) for value in ends]
    return scale_of([*firm, *ends], bounds=bounds)


def _symbol(bar: Bar) -> str:
    if bar.row.low is None or bar.is_hollow:
        return "circle-open"
    return "diamond" if bar.color == ACT else "circle"


def _goal_trace(goals: Sequence[tuple[int, float]]) -> Spec:
    """A short upright stroke on each row at its target."""
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [rounded(value) for _, value in goals],
        "y": [place for place, _ in goals],
        "marker": {"symbol": "line-ns", "size": 18, "line": {"color": INK, "width": 1.6}},
        "hoverinfo": "skip",
    }
