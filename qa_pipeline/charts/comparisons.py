"""Figures over subjects: sorted intervals of accuracy and of agreement coefficients.

Rows in, `Chart` out; titles come from the same rows.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from qa_pipeline.charts import findings, words
from qa_pipeline.charts.measures import ACCURACY
from qa_pipeline.charts.reading import MartRow
from qa_pipeline.charts.series import state_text
from qa_pipeline.charts.theme import ACT as ACT_COLOR
from qa_pipeline.charts.theme import (
    INK,
    LINE,
    MODEL,
    MUTED,
    NARROW_LABEL,
    WIDE_LABEL,
    Chart,
    Spec,
    Table,
    axis,
    layout,
    left_margin,
    rounded,
    tick_texts,
)
from qa_pipeline.charts.verdicts import ACT, judge

REFERENCE_WORDS = {
    "gold": "gold answers",
    "expert": "expert decisions",
    "arbitration": "arbitrated decisions",
    "qa": "blind audits",
    "any": "the best reference of each item",
}
_KINDS = ("gold", "expert", "arbitration", "qa")


@dataclass(frozen=True)
class Bar:
    """One interval of a sorted list: its label (not yet escaped), row, colour role and target."""

    label: str
    row: MartRow
    color: str
    target: float | None


def reference_kind(rows: Sequence[MartRow]) -> str:
    """The reference that a comparison uses: the best kind for which every subject has an interval, else `any`.

    Comparing one vendor against gold with another against audits would compare the references.
    """
    subjects = {(row.subject_kind, row.subject) for row in rows if row.estimate is not None}
    for kind in _KINDS:
        have = {(row.subject_kind, row.subject) for row in rows if row.reference_kind == kind and row.low is not None}
        if subjects and have == subjects:
            return kind
    return "any"


def accuracy_chart(
    rows: Sequence[MartRow], *, key: str, overall: MartRow | None, targets: Mapping[str, float | None], noun: str
) -> Chart:
    """Accuracy of vendors or of model versions, one market and queue, newest 28 days, sorted, with intervals.

    `rows` are `marts.accuracy` rows of one subject kind and one reference kind; `overall` is the rater kind's row;
    `targets` gives each subject its target.
    """
    names = {row.subject: row.subject or "(no vendor named)" for row in rows}
    title = findings.accuracy_title(rows, noun=noun, names=names, targets=targets)
    question = f"Which {noun.lower()}s decide as the reference does?"
    shown = [row for row in rows if row.estimate is not None]
    if not shown:
        reason = words.reason_text(rows[0].reason if rows else None)
        return Chart(key, title, question, "", None, reason, 0, None)
    color = LINE if noun == "Vendor" else MODEL
    bars = [_bar(row, name=names[row.subject], color=color, target=targets.get(row.subject)) for row in shown]
    bars.sort(key=lambda bar: (bar.row.estimate or 0.0, bar.label))
    kind = shown[0].reference_kind
    legend = ["with 95% intervals"]
    line = None
    if overall is not None and overall.estimate is not None:
        line = overall.estimate
        legend.append(f"dotted: all {noun.lower()}s together, {words.percent(overall.estimate)}")
    goals = sorted({bar.target for bar in bars if bar.target is not None})
    if goals:
        legend.append(f"upright stroke: target, {words.join([words.exact_percent(goal) for goal in goals])}")
    if any(bar.color == ACT_COLOR for bar in bars):
        legend.append(f"{ACT.glyph} the whole interval is below target")
    spec = _intervals(bars, line=line, row_height=30, text=words.percent, tickformat=".1~%", bounds=(0.0, 1.0))
    lead = f"Share of decisions equal to {REFERENCE_WORDS.get(kind, kind)}, newest 28 days, "
    note_text = f"{lead}{'; '.join(legend)}."
    table = _interval_table(rows, names, title="Accuracy", targets=targets if goals else None)
    return Chart(key, title, question, note_text, spec, "", spec["layout"]["height"], table)


def _bar(row: MartRow, *, name: str, color: str, target: float | None) -> Bar:
    is_miss = judge(row, target, measure=ACCURACY) is ACT
    return Bar(name, row, ACT_COLOR if is_miss else color, target)


METRIC_NAMES = {
    "percent_agreement": "Observed",
    "gwet_ac1": "Gwet\u2019s AC1",
    "krippendorff_alpha": "Krippendorff\u2019s \u03b1",
    "fleiss_kappa": "Fleiss\u2019 \u03ba",
}


def coefficient_chart(rows: Sequence[MartRow], *, key: str) -> Chart:
    """Observed agreement beside the coefficients that correct for chance, newest 28 days.

    With one very common label alpha and kappa fall although people agree: side by side that is seen at once.
    """
    found = [row for name in METRIC_NAMES for row in rows if row.metric == name]
    names = {row.metric: METRIC_NAMES[row.metric] for row in found}
    question = "Do two people give the same item the same label?"
    alpha = next((row for row in found if row.metric == "krippendorff_alpha"), None)
    observed = next((row for row in found if row.metric == "percent_agreement"), None)
    title = findings.coefficients_title(observed, alpha=alpha)
    shown = [row for row in found if row.estimate is not None]
    table = _interval_table(found, names, title="Agreement", text=words.coefficient, by_metric=True)
    if not shown:
        reason = words.reason_text(found[0].reason if found else None)
        return Chart(key, title, question, "", None, reason, 0, table)
    bars = [Bar(names[row.metric], row, LINE, None) for row in reversed(shown)]
    spec = _intervals(bars, line=None, row_height=44, text=words.coefficient, tickformat=".2~f", bounds=(-1.0, 1.0))
    lead = "Newest 28 days with 95% intervals."
    ac1 = next((row for row in found if row.metric == "gwet_ac1"), None)
    more = ""
    if alpha is not None and alpha.high is not None and ac1 is not None and (ac1.low or -1.0) > alpha.high:
        more = " \u03b1 is below AC1 because one label is so common that chance explains much of the agreement."
    return Chart(key, title, question, lead + more, spec, "", spec["layout"]["height"], table)


def _intervals(
    bars: Sequence[Bar],
    *,
    line: float | None,
    row_height: int,
    text: Callable[[float | None], str],
    tickformat: str,
    bounds: tuple[float, float],
) -> Spec:
    """Dots with whiskers on one axis, the last of `bars` on top; `line` is dotted across all of them."""
    ends = [value for bar in bars for value in (bar.row.low, bar.row.high, bar.row.estimate) if value is not None]
    ends += [value for value in (line, *(bar.target for bar in bars)) if value is not None]
    room = max(0.02, (max(ends) - min(ends)) * 0.1)
    scale = [rounded(max(bounds[0] - room / 2, min(ends) - room)), rounded(min(bounds[1] + room / 2, max(ends) + room))]
    traces: list[Spec] = []
    for place, bar in enumerate(bars):
        row = bar.row
        has_interval = row.low is not None
        inside = f" ({text(row.low)} to {text(row.high)})" if has_interval else ""
        hover = f"<b>{words.plot_text(words.short(bar.label, limit=60))}</b><br>{text(row.estimate)}{inside}<br>"
        traces.append(
            {
                "type": "scatter",
                "mode": "lines+markers" if has_interval else "markers",
                "x": [rounded(value) for value in (row.low, row.estimate, row.high)],
                "y": [place] * 3,
                "line": {"color": bar.color, "width": 2.4},
                "marker": {
                    "color": bar.color,
                    "size": [0, 10, 0],
                    "symbol": _symbol(bar),
                    "opacity": 1,
                },
                "text": [hover + f"{words.plural(row.n_items, 'item')}, {state_text(row)}"] * 3,
                "hovertemplate": "%{text}<extra></extra>",
            }
        )
    goals = [(place, bar.target) for place, bar in enumerate(bars) if bar.target is not None]
    if goals:
        traces.append(_goal_trace(goals))
    labels = [bar.label for bar in bars]
    height = row_height * len(bars) + 36
    return {
        "narrow": {"left": left_margin(labels, limit=NARROW_LABEL), "ticktext": tick_texts(labels, limit=NARROW_LABEL)},
        "data": traces,
        "layout": layout(
            height=height,
            margin=(8, 14, 28, left_margin(labels, limit=WIDE_LABEL)),
            xaxis=axis(range=scale, tickformat=tickformat, nticks=5),
            yaxis=axis(
                range=[-0.6, len(bars) - 0.4],
                tickvals=list(range(len(bars))),
                ticktext=tick_texts(labels, limit=WIDE_LABEL),
                tickfont={"color": INK, "size": 12},
                showgrid=False,
                ticklen=6,
                tickcolor="rgba(0,0,0,0)",
            ),
            shapes=[] if line is None else [_across(line)],
        ),
    }


def _symbol(bar: Bar) -> str:
    if bar.row.low is None:
        return "circle-open"
    return "diamond" if bar.color == ACT_COLOR else "circle"


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


def _across(value: float) -> Spec:
    return {
        "type": "line",
        "xref": "x",
        "x0": rounded(value),
        "x1": rounded(value),
        "yref": "paper",
        "y0": 0,
        "y1": 1,
        "line": {"color": MUTED, "width": 1.2, "dash": "dot"},
    }


def _interval_table(
    rows: Sequence[MartRow],
    names: Mapping[str, str],
    *,
    title: str,
    text: Callable[[float | None], str] = words.percent,
    by_metric: bool = False,
    targets: Mapping[str, float | None] | None = None,
) -> Table:
    ordered = list(rows)
    if not by_metric:
        ordered.sort(key=lambda row: row.estimate if row.estimate is not None else -2.0, reverse=True)
    goal = ("Target",) if targets is not None else ()
    return Table(
        caption=f"{title}, newest 28 days",
        heads=("", title, "95% interval", *goal, "Items", "Ratings", "State"),
        rows=tuple(
            (
                names[row.metric if by_metric else row.subject],
                text(row.estimate),
                "" if row.low is None else f"{text(row.low)} to {text(row.high)}",
                *((words.exact_percent(targets.get(row.subject)),) if targets is not None else ()),
                words.count(row.n_items),
                words.count(row.n_ratings),
                state_text(row),
            )
            for row in ordered
        ),
        numeric=frozenset(range(1, 5 + len(goal))),
    )
