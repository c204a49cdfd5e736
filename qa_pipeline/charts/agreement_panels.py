"""Small figures of Krippendorff's alpha, one a queue, on one scale. Rows in, `Chart`s out."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial

from qa_pipeline.charts import findings, words
from qa_pipeline.charts.reading import MartRow, newest
from qa_pipeline.charts.series import (
    GRAIN_ADJECTIVES,
    at_grain,
    band_traces,
    line_traces,
    period_text,
    point_time,
    state_text,
)
from qa_pipeline.charts.theme import LINE, MUTED, Chart, Spec, Table, axis, layout, line_shape, rounded, time_axis
from qa_pipeline.charts.trends import Span, axis_end
from qa_pipeline.charts.verdicts import COEFFICIENT_LIMITS, verdict_text


def agreement_panels(
    rows_by_queue: Mapping[str, Sequence[MartRow]],
    *,
    names: Mapping[str, str],
    span: Span,
    targets: Mapping[str, float | None],
) -> list[Chart]:
    """One small figure of Krippendorff's alpha for each queue; all share grain, time and scale.

    `rows_by_queue` are `marts.agreement` rows of metric krippendorff_alpha, any periods. Keys of the charts are
    `agreement-<position>`; the caller links them.
    """
    grain = _panel_grain(rows_by_queue)
    points = {queue: at_grain(rows, grain=grain, first=span.first) for queue, rows in rows_by_queue.items()}
    known = [row for rows in points.values() for row in rows if row.estimate is not None]
    wanted = [value for value in targets.values() if value is not None]
    lows = [row.low if row.low is not None else row.estimate for row in known]
    lowest = min([value for value in lows if value is not None] + wanted + [0.6])
    scale = [rounded(max(-1.0, lowest - 0.05)), 1.03]
    times = {point_time(row): row for rows in points.values() for row in rows}
    charts = []
    for position, (queue, rows) in enumerate(points.items()):
        current = newest(rows_by_queue[queue])
        title, question = names[queue], findings.agreement_line(current, target=targets[queue])
        key = f"agreement-{position}"
        if not any(row.estimate is not None for row in rows):
            reason = words.reason_text(rows[-1].reason if rows else None)
            charts.append(Chart(key, title, question, "", None, reason, 0, None))
            continue
        target = targets[queue]
        spec: Spec = {
            "data": [
                *band_traces(rows),
                *line_traces(rows, color=LINE, text=partial(_agreement_text, target=target)),
                *_absent_traces(rows, times=times, foot=scale[0]),
            ],
            "layout": layout(
                height=168,
                margin=(6, 8, 24, 34),
                xaxis=time_axis(span.first, axis_end(span, grain=grain), ticks=2),
                yaxis=axis(range=scale, nticks=6, tickformat=".1f"),
                shapes=[line_shape(y=target)] if target is not None else [],
            ),
        }
        note_text = f"{GRAIN_ADJECTIVES[grain]} alpha" + (
            "" if target is None else f", target {words.exact_coefficient(target)}"
        )
        charts.append(
            Chart(key, title, question, note_text, spec, "", 168, _agreement_table(rows, names[queue], target=target))
        )
    return charts


def _absent_traces(rows: Sequence[MartRow], *, times: Mapping[datetime, MartRow], foot: float | None) -> list[Spec]:
    """A hollow mark at the foot for every period that any panel shows and this one has no figure for."""
    have = {point_time(row): row for row in rows}
    absent = [when for when in sorted(times) if when not in have or have[when].estimate is None]
    if not absent:
        return []
    reasons = [words.reason_text(have[when].reason if when in have else None) for when in absent]
    texts = [
        f"<b>{period_text(times[when])}</b><br>not enough data: {words.plot_text(reason)}"
        for when, reason in zip(absent, reasons, strict=True)
    ]
    return [
        {
            "type": "scatter",
            "mode": "markers",
            "x": [f"{when.date()}" for when in absent],
            "y": [foot] * len(absent),
            "marker": {"symbol": "circle-open", "size": 6, "color": MUTED},
            "cliponaxis": False,
            "text": texts,
            "hovertemplate": "%{text}<extra></extra>",
        }
    ]


def _panel_grain(rows_by_queue: Mapping[str, Sequence[MartRow]]) -> str:
    """What the panels' points are: that of which most queues have a trend; of equals weeks, then days.

    A queue whose 28 days are judged must not look as if it had no data.
    """

    def rank(grain: str) -> tuple[int, int]:
        filled = [
            sum(row.period == grain and row.estimate is not None for row in rows) for rows in rows_by_queue.values()
        ]
        return (sum(number > 0 for number in filled), int(max(filled, default=0) >= 3))

    return max(("week", "day", "trailing_28d"), key=rank)


def panels_note(
    rows_by_queue: Mapping[str, Sequence[MartRow]], *, targets: Mapping[str, float | None], span: Span
) -> str:
    """How to read the panels; nothing that is not on them."""
    grain = _panel_grain(rows_by_queue)
    points = [row for rows in rows_by_queue.values() for row in at_grain(rows, grain=grain, first=span.first)]
    parts = [
        f"Krippendorff\u2019s alpha, {GRAIN_ADJECTIVES[grain]}, with its 95% interval; all panels share one scale."
    ]
    if any(targets[queue] is not None and rows for queue, rows in rows_by_queue.items()):
        parts.append("Long dashes: target.")
    if any(row.is_provisional and row.estimate is not None for row in points):
        parts.append("Short dashes: can still change.")
    n_times = len({point_time(row) for row in points})
    filled = sum(row.estimate is not None for row in points)
    if filled < n_times * len(rows_by_queue):
        parts.append(f"\u25cb at the foot: not enough data that {grain.replace('trailing_28d', 'day')}.")
    return " ".join(parts)


def _agreement_text(row: MartRow, *, target: float | None) -> str:
    value = words.coefficient(row.estimate)
    if row.low is not None:
        value += f" ({words.coefficient_range(row.low, row.high, limits=(target, *COEFFICIENT_LIMITS))})"
    return f"<b>{period_text(row)}</b><br>\u03b1 {value}<br>{words.plural(row.n_items, 'item')}, {state_text(row)}"


def _agreement_table(rows: Sequence[MartRow], name: str, *, target: float | None) -> Table:
    return Table(
        caption=f"Krippendorff\u2019s alpha, {name}, newest first",
        heads=("Period", "Alpha", "95% interval", "Verdict", "Items", "Ratings", "State"),
        rows=tuple(
            (
                period_text(row),
                words.coefficient(row.estimate),
                words.coefficient_range(row.low, row.high, limits=(target, *COEFFICIENT_LIMITS)),
                verdict_text(row),
                words.count(row.n_items),
                words.count(row.n_ratings),
                state_text(row),
            )
            for row in reversed(rows)
        ),
        numeric=frozenset({1, 2, 4, 5}),
    )
