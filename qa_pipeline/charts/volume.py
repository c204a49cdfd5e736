"""Daily volume: human decisions, model decisions, and the share of human decisions that was audited."""

from collections.abc import Sequence

from qa_pipeline.charts import findings, words
from qa_pipeline.charts.reading import Volume
from qa_pipeline.charts.theme import INK, LINE, MODEL, MUTED, Chart, Spec, Table, axis, layout, note, rounded, time_axis
from qa_pipeline.charts.trends import Span

GAP_HEIGHT = 22
AXIS_HEIGHT = 28
# Three quarters of a day in milliseconds: a lone day would get a bar as wide as a hair.
BAR_WIDTH = 64_800_000


def volume_chart(volumes: Sequence[Volume], *, key: str, span: Span, height: int) -> Chart:
    """Two or three panels over one time axis; `volumes` is one market and queue, one row a day.

    `height` is the figure's, in CSS pixels; a panel is at least 40 and at most 110 high.
    """
    days = sorted((volume for volume in volumes if span.first <= volume.day <= span.last), key=lambda row: row.day)
    has_audits = any(row.reviewed for row in days)
    question = "Is there enough work, and enough audits, to judge?" if has_audits else "How much is decided each day?"
    if not any(row.human or row.model for row in days):
        return Chart(key, "Volume: nothing was decided", question, "", None, "no decisions", 0, None)
    title = findings.volume_title(days)
    xs = [f"{row.day}" for row in days]
    panels: list[tuple[str, Spec]] = []
    if any(row.human for row in days):
        panels.append(("Human decisions", _bars(xs, [row.human for row in days], color=LINE, what="human decisions")))
    if any(row.model for row in days):
        panels.append(("Model decisions", _bars(xs, [row.model for row in days], color=MODEL, what="model decisions")))
    if has_audits:
        panels.append(("Audited share", _share(days)))
    panel_height = min(110, max(40, (height - AXIS_HEIGHT) // len(panels) - GAP_HEIGHT))
    height = len(panels) * (panel_height + GAP_HEIGHT) + AXIS_HEIGHT
    spec: Spec = {"data": [], "layout": _layout(panels, span=span, height=height, panel_height=panel_height)}
    for number, (_, trace) in enumerate(panels, start=1):
        spec["data"].append(trace | {"yaxis": "y" if number == 1 else f"y{number}"})
    text = "Decisions by the market\u2019s own date" + (
        "; audited share: reviewed human decisions, random and targeted." if has_audits else "."
    )
    return Chart(key, title, question, text, spec, "", height, _table(days))


def _bars(xs: Sequence[str], values: Sequence[int], *, color: str, what: str) -> Spec:
    return {
        "type": "bar",
        "x": list(xs),
        "y": list(values),
        "width": BAR_WIDTH,
        "marker": {"color": color, "line": {"width": 0}},
        "hovertemplate": "%{x|%a %-d %b}<br>%{y:,} " + what + "<extra></extra>",
    }


def _share(days: Sequence[Volume]) -> Spec:
    return {
        "type": "scatter",
        "mode": "lines" if len(days) > 1 else "markers",
        "x": [f"{row.day}" for row in days],
        "y": [rounded(row.reviewed / row.human) if row.human else None for row in days],
        "line": {"color": INK, "width": 1.6},
        "hovertemplate": "%{x|%a %-d %b}<br>%{y:.1%} audited<extra></extra>",
    }


def _layout(panels: Sequence[tuple[str, Spec]], *, span: Span, height: int, panel_height: int) -> Spec:
    plot = height - AXIS_HEIGHT
    base = layout(height=height, margin=(0, 12, AXIS_HEIGHT, 46))
    base["xaxis"] = time_axis(span.first, span.last) | {"anchor": "y" if len(panels) == 1 else f"y{len(panels)}"}
    base["annotations"] = []
    for number, (label, trace) in enumerate(panels, start=1):
        bottom = 1 - number * (panel_height + GAP_HEIGHT) / plot
        top = bottom + panel_height / plot
        is_share = trace["type"] == "scatter"
        base["yaxis" if number == 1 else f"yaxis{number}"] = axis(
            domain=[max(0.0, round(bottom, 4)), round(top, 4)],
            rangemode="tozero",
            nticks=3,
            tickformat=".1%" if is_share else "~s",
        )
        base["annotations"].append(
            note(
                label,
                x=0,
                xref="paper",
                xanchor="left",
                y=round(top, 4),
                yref="paper",
                yanchor="bottom",
                font={"size": 11, "color": MUTED},
            )
        )
    return base


def _table(days: Sequence[Volume]) -> Table:
    """The numbers; columns of what never was are left out."""
    has_models, has_audits = any(row.model for row in days), any(row.reviewed for row in days)
    heads = ["Day", "Human decisions"]
    heads += ["Model decisions"] if has_models else []
    heads += ["Audited", "Audited share"] if has_audits else []
    rows = []
    for row in reversed(days):
        cells = [words.day(row.day), words.count(row.human)]
        cells += [words.count(row.model)] if has_models else []
        share = row.reviewed / row.human if row.human else None
        cells += [words.count(row.reviewed), words.percent(share)] if has_audits else []
        rows.append(tuple(cells))
    what = "Decisions and audits" if has_audits else "Decisions"
    return Table(
        caption=f"{what} by day, newest first",
        heads=tuple(heads),
        rows=tuple(rows),
        numeric=frozenset(range(1, len(heads))),
    )
