"""Defects by severity and by type, per 1,000 decisions, each with its interval. Rows in, `Chart` out.

Two groups of bars, not one stack of severities within types: a stack has no intervals, and one of the small parts of a
rare type is a handful of defects.
"""

from collections.abc import Mapping, Sequence

from qa_pipeline.charts import words
from qa_pipeline.charts.reading import MartRow
from qa_pipeline.charts.series import state_text
from qa_pipeline.charts.theme import (
    ACT,
    INK,
    LINE,
    MUTED,
    WATCH,
    Chart,
    Spec,
    Table,
    axis,
    layout,
    note,
    rounded,
)
from qa_pipeline.contracts import ERROR_CATEGORIES, SEVERITIES

WEIGHTED = "defects_per_1000_weighted"
_SEVERITIES = ("critical", "major", "minor")
_TYPES = tuple(name for name in ERROR_CATEGORIES if name != "none")
METRICS = (WEIGHTED, *(f"defect_rate_{name}" for name in (*SEVERITIES, *_TYPES)))
_NAMES = {name: name.replace("_", " ") for name in (*SEVERITIES, *_TYPES)}
_COLORS = {"critical": ACT, "major": WATCH, "minor": MUTED}
_ROW, _HEAD = 26, 26
# From here on a decimal says nothing that the interval would bear.
_WHOLE_FROM = 100
QUESTION = "What sort of defects, and how severe?"


def defect_types(rows: Sequence[MartRow], *, key: str) -> Chart:
    """Defects per 1,000 decisions of one market and queue, newest 28 days: `marts.defect_rate` rows of all people.

    A defect counts once in each group. The title has the severity-weighted number, in which a defect counts its weight.
    """
    found = {row.metric.removeprefix("defect_rate_"): row for row in rows}
    title = types_title(found)
    shown = {name: row for name, row in found.items() if name in _NAMES and row.estimate is not None}
    if not shown:
        reason = words.reason_text(next((row.reason for row in found.values() if row.reason), None))
        return Chart(key, title, QUESTION, "", None, reason, 0, None)
    groups = [("By severity", _SEVERITIES), ("By type", _TYPES)]
    filled = [(head, [name for name in names if name in shown]) for head, names in groups]
    spec = _spec([(head, names) for head, names in filled if names], shown)
    weighted = found.get(WEIGHTED)
    known = weighted is not None and weighted.estimate is not None
    lead = "In random audits, newest 28 days, with 95% intervals; a defect is in both groups once"
    more = "; weighted: each counts the weight of its severity (quality.toml)" if known else ""
    return Chart(key, title, QUESTION, f"{lead}{more}.", spec, "", spec["layout"]["height"], _table(found))


def types_title(found: Mapping[str, MartRow]) -> str:
    """`883 severity-weighted defects per 1,000 decisions (675-1,154); wrong policy is the commonest type`."""
    weighted = found.get(WEIGHTED)
    types = {name: found[name] for name in _TYPES if name in found and found[name].low is not None}
    if weighted is None or weighted.estimate is None:
        lead = "Defect types" if types else "Defect types: not enough data"
    else:
        ends = weighted_range(weighted) or words.reason_text(weighted.reason)
        lead = f"{weighted_number(weighted.estimate)} severity-weighted defects per 1,000 decisions ({ends})"
    if len(types) < 2:
        return lead
    first, *others = sorted(types, key=lambda name: -(types[name].estimate or 0.0))
    is_clear = all((types[first].low or 0.0) > (types[name].high or 0.0) for name in others)
    return f"{lead}; {f'{_NAMES[first]} is the commonest type' if is_clear else 'no type is clearly the commonest'}"


def per_thousand(value: float | None) -> str:
    """A share as defects per 1,000: `0.0052` as `5.2`."""
    return words.NOTHING if value is None else words.coefficient(value * 1000, digits=1)


def weighted_number(value: float | None) -> str:
    """Weighted defects per 1,000 with the digits that their interval bears: `883`, `58.0`."""
    if value is None:
        return words.NOTHING
    return words.count(round(value)) if abs(value) >= _WHOLE_FROM else words.coefficient(value, digits=1)


def weighted_range(row: MartRow) -> str:
    """The interval with the digits of its estimate, or nothing when an end is missing."""
    if row.low is None or row.high is None:
        return ""
    if abs(row.estimate or 0.0) >= _WHOLE_FROM:
        return f"{words.count(round(row.low))}{words.EN_DASH}{words.count(round(row.high))}"
    return words.coefficient_range(row.low, row.high, digits=1)


def _spec(groups: Sequence[tuple[str, Sequence[str]]], shown: Mapping[str, MartRow]) -> Spec:
    places, heads, place = {}, [], 0.0
    for head, names in groups:
        heads.append((head, place))
        for name in names:
            place += 1.0
            places[name] = place
        place += 1.3
    highest = max(max(row.high or 0.0, row.estimate or 0.0) for row in shown.values())
    height = round(sum(_HEAD + _ROW * len(names) for _, names in groups) + 40)
    labels = [_NAMES[name] for name in places]
    return {
        "data": [_bars(places, shown), _whiskers(places, shown)],
        "layout": layout(
            height=height,
            margin=(6, 16, 28, 108),
            xaxis=axis(range=[0, rounded(max(highest * 1060, 1.0), digits=2)], nticks=5, tickformat=",~g"),
            yaxis=axis(
                range=[place - 1.3 + 0.6, -0.6],
                tickvals=list(places.values()),
                ticktext=labels,
                tickfont={"color": INK, "size": 12},
                showgrid=False,
                ticklen=6,
                tickcolor="rgba(0,0,0,0)",
            ),
            bargap=0.35,
            annotations=[
                note(f"<b>{head}</b>", x=0, xref="paper", xanchor="right", xshift=-6, y=at, yanchor="middle")
                for head, at in heads
            ],
        ),
    }


def _bars(places: Mapping[str, float], shown: Mapping[str, MartRow]) -> Spec:
    return {
        "type": "bar",
        "orientation": "h",
        "x": [rounded((shown[name].estimate or 0.0) * 1000, digits=3) for name in places],
        "y": list(places.values()),
        "width": 0.66,
        "marker": {"color": [_COLORS.get(name, LINE) for name in places], "opacity": 0.55},
        "text": [_hover(name, shown[name]) for name in places],
        "textposition": "none",
        "hovertemplate": "%{text}<extra></extra>",
    }


def _whiskers(places: Mapping[str, float], shown: Mapping[str, MartRow]) -> Spec:
    xs: list[float | None] = []
    ys: list[float | None] = []
    for name, place in places.items():
        low, high = shown[name].low, shown[name].high
        if low is not None and high is not None:
            xs += [rounded(low * 1000, digits=3), rounded(high * 1000, digits=3), None]
            ys += [place, place, None]
    return {
        "type": "scatter",
        "mode": "lines",
        "x": xs,
        "y": ys,
        "line": {"color": INK, "width": 1.8},
        "hoverinfo": "skip",
    }


def _hover(name: str, row: MartRow) -> str:
    return (
        f"<b>{_NAMES[name]}</b><br>{per_thousand(row.estimate)} per 1,000 decisions ({_ends(row)})<br>"
        f"{words.count(row.n_items)} audited, {state_text(row)}"
    )


def _ends(row: MartRow) -> str:
    if row.low is None or row.high is None:
        return ""
    return words.coefficient_range(row.low * 1000, row.high * 1000, digits=1)


def _table(found: Mapping[str, MartRow]) -> Table:
    rows = []
    weighted = found.get(WEIGHTED)
    if weighted is not None:
        value = weighted_number(weighted.estimate)
        rows.append(
            ("severity-weighted", value, weighted_range(weighted), words.count(weighted.n_items), state_text(weighted))
        )
    for name in (*_SEVERITIES, *_TYPES):
        if name in found:
            row = found[name]
            audits = words.count(row.n_items)
            rows.append((_NAMES[name], per_thousand(row.estimate), _ends(row), audits, state_text(row)))
    return Table(
        caption="Defects per 1,000 decisions, newest 28 days",
        heads=("Defects", "Per 1,000 decisions", "95% interval", "Random audits", "State"),
        rows=tuple(rows),
        numeric=frozenset({1, 2, 3}),
    )
