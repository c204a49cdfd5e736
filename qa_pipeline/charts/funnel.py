"""The funnel of vendors: adjusted defect rates by effective reviews, with the limits that chance keeps to.

Records in, `Chart` out; the title comes from the same records. The curves are those of the mart's own function.
"""

from collections.abc import Sequence

import numpy as np

from qa_pipeline.charts import words
from qa_pipeline.charts.quality_rows import FunnelRow
from qa_pipeline.charts.series import state_text
from qa_pipeline.charts.theme import (
    ACT,
    BAND,
    BAND_LIGHT,
    GOOD,
    INK,
    LINE,
    MUTED,
    WATCH,
    Chart,
    Spec,
    Table,
    axis,
    layout,
    line_shape,
    note,
    rounded,
)
from qa_pipeline.stats.funnel import funnel_limits
from qa_pipeline.stats.jackknife import FloatArray

# All vendors are named up to so many; beyond, those outside the limits.
NAMED = 6
_CURVE_POINTS = 120
# Share of the width within which two names may touch.
_TOUCHING = 0.2
# Whiskers this close lie on each other: the lowest vendor is named under its own, the others over theirs.
_STACKED = 0.06
_MOST_TICKS = 8
# Multiples of powers of ten, the roundest first; powers alone only where a scale spans very many of them.
_TICK_STEPS = ((1, 2, 5), (1, 1.5, 2, 3, 4, 5, 6, 8), (1.0,))
_HEIGHT = 320
_STYLES = {
    "above 99.8 %": (ACT, "diamond"),
    "above 95 %": (WATCH, "triangle-up"),
    "within": (LINE, "circle"),
    "below 95 %": (GOOD, "triangle-down"),
    "below 99.8 %": (GOOD, "square"),
}


def vendor_funnel_chart(rows: Sequence[FunnelRow], *, key: str) -> Chart:
    """Adjusted defect rates of the vendors of one market and queue (or roll-up), one period.

    Vendors without limits are in the table and not in the figure.
    """
    question = "Does a vendor make more or fewer defects than chance explains, on the same work?"
    shown = [each for each in rows if each.position]
    title = _title(shown)
    if not shown:
        reason = words.reason_text(rows[0].row.reason if rows else None)
        if any(each.row.estimate is not None for each in rows):
            reason = "no vendor has enough reviews, and others on the same work, to be judged"
        return Chart(key, title, question, "", None, reason, 0, _table(rows) if rows else None)
    return Chart(key, title, question, _note(rows, shown), _spec(shown), "", _HEIGHT, _table(rows))


def _title(shown: Sequence[FunnelRow]) -> str:
    """Who is outside: above 99.8 % first, then above 95 %, then below; else that nobody is."""
    if not shown:
        return "Vendors: not enough data to compare"
    found = {
        place: [each.row.subject for each in sorted(shown, key=lambda each: each.row.subject) if each.position == place]
        for place in _STYLES
    }
    worse, maybe = found["above 99.8 %"], found["above 95 %"]
    better = found["below 95 %"] + found["below 99.8 %"]
    if worse:
        return f"{words.join(worse)} {_verb(worse)} more defects than chance explains"
    if maybe:
        return f"{words.join(maybe)} may make more defects than the others: beyond 95%, within 99.8%"
    if better:
        return f"No vendor makes more defects than chance explains; {words.join(better)} {_verb(better)} fewer"
    return "Vendors differ no more than chance explains"


def _verb(names: Sequence[str]) -> str:
    return "makes" if len(names) == 1 else "make"


def _note(rows: Sequence[FunnelRow], shown: Sequence[FunnelRow]) -> str:
    parts = [
        f"line: all vendors together, {words.percent(shown[0].centre)}",
        "bands: where 95% and 99.8% of vendors that do not differ lie",
        "\u25c6 above 99.8%, \u25b2 above 95%, \u25bc below 95%, \u25a0 below 99.8%",
        "whiskers: 95% intervals",
    ]
    if shown[0].row.queue == "ALL" or shown[0].row.market == "ALL":
        parts.append("adjusted for each vendor\u2019s mix of work")
    spread = max(each.overdispersion or 1.0 for each in shown)
    if spread > 1:
        parts.append(f"limits allow for vendors that vary {spread:.1f} times as much as by chance")
    absent = [each.row.subject for each in rows if not each.position]
    if absent:
        parts.append(f"not judged: {words.join(absent)}")
    more = " Effective reviews: what a vendor\u2019s reviews are worth beside the others\u2019, weights allowed for."
    return f"Share of randomly audited decisions with a defect; {'; '.join(parts)}.{more}"


def _spec(shown: Sequence[FunnelRow]) -> Spec:
    sizes = [each.effective_n or 0.0 for each in shown]
    low, high = min(sizes) / 1.6, max(sizes) * 1.6
    curve = np.geomspace(low, high, _CURVE_POINTS)
    limits = funnel_limits(curve, centre=np.full(_CURVE_POINTS, shown[0].centre or 0.0))
    bands = [
        _band(curve, limits.low_998, limits.high_998, color=BAND_LIGHT),
        _band(curve, limits.low_95, limits.high_95, color=BAND),
    ]
    named = {each.row.subject for each in shown if len(shown) <= NAMED or each.position != "within"}
    bottom, top = _reach(shown, sizes)
    labelled = [each for each in shown if each.row.subject in named]
    notes = [_label(each, labelled, ends=(low, high), bottom=bottom) for each in labelled]
    return {
        "data": bands + [_point(each) for each in shown],
        "layout": layout(
            height=_HEIGHT,
            margin=(8, 14, 44, 52),
            xaxis=axis(
                type="log",
                range=[rounded(float(np.log10(low))), rounded(float(np.log10(high)))],
                title={"text": "effective reviews", "font": {"size": 11, "color": MUTED}, "standoff": 6},
                **_ticks(low, high),
                showgrid=False,
            ),
            yaxis=axis(range=[rounded(bottom), rounded(top)], tickformat=".1~%", nticks=6),
            shapes=[line_shape(y=rounded(shown[0].centre) or 0.0, color=INK, dash="solid")],
            annotations=notes,
        ),
    }


def _reach(shown: Sequence[FunnelRow], sizes: Sequence[float]) -> tuple[float, float]:
    """A scale that holds every interval, and the limits at the vendors' sizes, with room for a name at both ends.

    From 0 unless that would leave most of the figure empty.
    """
    limits = funnel_limits(np.array(sizes), centre=np.full(len(sizes), shown[0].centre or 0.0))
    ends = [value for each in shown for value in (each.row.low, each.row.estimate, each.row.high) if value is not None]
    known = [value for value in (*limits.low_998.tolist(), *limits.high_998.tolist(), *ends) if np.isfinite(value)]
    lowest, highest = min(known), max(known)
    room = 0.12 * (highest - lowest)
    return (0.0 if lowest - room < 0.3 * highest else lowest - room), min(1.0, highest + room)


def _label(each: FunnelRow, labelled: Sequence[FunnelRow], *, ends: tuple[float, float], bottom: float) -> Spec:
    """A vendor's name at the end of its whisker that is away from the line of all vendors, or from its neighbour.

    Names that would touch, on the same end of neighbours, go left and right of their whiskers.
    """

    def place(other: FunnelRow) -> float:
        size = max(other.effective_n or 1.0, 1.0)
        return float(np.log(size / ends[0]) / np.log(ends[1] / ends[0]))

    def is_under(other: FunnelRow) -> bool:
        rate = other.row.estimate or 0.0
        stacked = [one for one in labelled if one is not other and abs(place(one) - place(other)) < _STACKED]
        is_lowest = all(rate < (one.row.estimate or 0.0) for one in stacked)
        return (is_lowest if stacked else rate < (other.centre or 0.0)) and (other.row.low or 0.0) > bottom

    here = place(each)
    near = [place(other) - here for other in labelled if other is not each and is_under(other) == is_under(each)]
    nearest = min(near, key=abs, default=1.0)
    side = "right" if nearest > 0 else "left"
    if abs(nearest) > _TOUCHING:
        side = "left" if here <= 0.15 else "right" if here >= 0.85 else "center"
    row = each.row
    end = row.low if is_under(each) else row.high
    return note(
        words.plot_text(words.squeeze(row.subject, limit=20)),
        x=rounded(float(np.log10(each.effective_n or 1.0))),
        y=rounded(end if end is not None else row.estimate),
        xanchor=side,
        yanchor="top" if is_under(each) else "bottom",
        yshift=-3 if is_under(each) else 3,
        font={"size": 11, "color": INK},
    )


def _ticks(low: float, high: float) -> Spec:
    """Ticks at 1, 2 and 5 times powers of ten, more of them where fewer than 3 of those lie within.

    Plotly's own lack the numbers between powers.
    """
    powers = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)

    def marks(steps: Sequence[float]) -> list[float]:
        return [step * 10.0**power for power in powers for step in steps if low <= step * 10.0**power <= high]

    found = next((marks(steps) for steps in _TICK_STEPS if 3 <= len(marks(steps)) <= _MOST_TICKS), marks((1, 2, 5)))
    return {"tickvals": found, "ticktext": [words.count(round(mark)) for mark in found]}


def _band(curve: FloatArray, low: FloatArray, high: FloatArray, *, color: str) -> Spec:
    known = np.isfinite(low)
    x, lower, upper = curve[known].tolist(), low[known].tolist(), high[known].tolist()
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [rounded(value, digits=1) for value in [*x, *reversed(x)]],
        "y": [rounded(value) for value in [*upper, *reversed(lower)]],
        "fill": "toself",
        "fillcolor": color,
        "line": {"width": 0, "color": color},
        "hoverinfo": "skip",
    }


def _point(each: FunnelRow) -> Spec:
    row = each.row
    color, symbol = _STYLES[each.position]
    x = rounded(each.effective_n, digits=1)
    hover = (
        f"<b>{words.plot_text(words.short(row.subject, limit=80))}</b><br>{words.percent(row.estimate)} "
        f"({words.percent_range(row.low, row.high)})<br>{words.plural(row.n_items, 'audit')}, "
        f"{_position_text(each)}, {state_text(row)}"
    )
    return {
        "type": "scatter",
        "mode": "lines+markers" if row.low is not None else "markers",
        "x": [x] * 3,
        "y": [rounded(value) for value in (row.low, row.estimate, row.high)],
        "line": {"color": color, "width": 1.4},
        "marker": {"color": color, "size": [0, 10, 0], "symbol": symbol, "opacity": 1},
        "text": [hover] * 3,
        "hovertemplate": "%{text}<extra></extra>",
    }


def _position_text(each: FunnelRow) -> str:
    return each.position.replace(" %", "%") or "not judged"


def _table(rows: Sequence[FunnelRow]) -> Table:
    ordered = sorted(rows, key=lambda each: (-(each.row.estimate or -1.0), each.row.subject))
    return Table(
        caption="Defect rates of vendors beside all vendors",
        heads=("Vendor", "Defect rate", "95% interval", "All vendors", "By the limits", "Audits", "Effective", "State"),
        rows=tuple(
            (
                each.row.subject,
                words.percent(each.row.estimate),
                words.percent_range(each.row.low, each.row.high),
                words.percent(each.centre),
                _position_text(each),
                words.count(each.row.n_items),
                words.count(None if each.effective_n is None else round(each.effective_n)),
                state_text(each.row),
            )
            for each in ordered
        ),
        numeric=frozenset({1, 2, 3, 5, 6}),
    )
