"""The drift map: PSI by day and subject, or by day and queue. Rows in, `Chart` out; the title is computed from them."""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, timedelta
from typing import Any

from qa_pipeline.charts import findings, words
from qa_pipeline.charts.reading import MartRow
from qa_pipeline.charts.theme import (
    HEAT,
    INK,
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
    time_axis,
)
from qa_pipeline.charts.trends import Span
from qa_pipeline.charts.verdicts import MIN_BASELINE_DAYS, PSI_LARGE, PSI_NOTICEABLE, has_moved

SCALE_TOP = 0.35
ROW_HEIGHT = 28
Cell = tuple[date, str]
_KINDS = {"labels": "labels", "predictions": "decisions", "scores": "scores"}


def subject_name(row: MartRow) -> str:
    """`Human labels`, `Decisions of toxic@v2`, `Scores of toxic@v2`."""
    what = _KINDS.get(row.subject_kind, row.subject_kind)
    return f"Human {what}" if row.subject == "human" else f"{what.capitalize()} of {row.subject or '(unnamed)'}"


def drift_map(
    rows: Sequence[MartRow], *, key: str, span: Span, names: Mapping[str, str], question: str, caption: str
) -> Chart:
    """PSI by day; `rows` are `marts.drift` rows of period day, metrics psi and psi_no_drift.

    `names` gives the map's rows, in order from the top: `findings.drift_key` to label. `rows` may begin 28 days before
    `span`, so that the first days' baselines can be counted. Warm colours and a diamond mark
    what moved by the rule of `verdicts.has_moved` and nothing else, whatever its PSI; they mean the same on every page.
    Rows without any figure are named in the note.
    """
    kept = [row for row in rows if span.first <= row.end <= span.last and findings.drift_key(row) in names]
    psi = sorted((row for row in kept if row.metric == "psi"), key=lambda row: (row.end, findings.drift_key(row)))
    no_drift = {
        (row.end, findings.drift_key(row)): row.estimate
        for row in kept
        if row.metric == "psi_no_drift" and row.estimate is not None
    }
    baselines = _baselines(row for row in rows if row.metric == "psi")
    moved = {
        (row.end, findings.drift_key(row))
        for row in psi
        if has_moved(
            row,
            no_drift.get((row.end, findings.drift_key(row))),
            baseline_days=baselines[row.end, findings.drift_key(row)],
        )
    }
    title = findings.drift_title(psi, no_drift=no_drift, baselines=baselines, names=names)
    if not any(row.estimate is not None for row in psi):
        reason = words.reason_text(psi[-1].reason if psi else None)
        return Chart(key, title, question, "", None, reason, 0, None)
    filled = {findings.drift_key(row) for row in psi if row.estimate is not None}
    keys = [name for name in names if name in filled]
    empty = [names[key] for key in dict.fromkeys(map(findings.drift_key, psi)) if key not in filled]
    # Days before there is a baseline to compare with would be an empty half.
    first = min(row.end for row in psi if row.estimate is not None)
    days = [first + timedelta(days=offset) for offset in range((span.last - first).days + 1)]
    cells = {(findings.drift_key(row), row.end): row for row in psi}
    height = ROW_HEIGHT * len(keys) + 40
    labels = [names[name] for name in keys]
    spec: Spec = {
        "narrow": {"left": left_margin(labels, limit=NARROW_LABEL), "ticktext": tick_texts(labels, limit=NARROW_LABEL)},
        "data": [_heat(cells, keys=keys, days=days, names=names, no_drift=no_drift, baselines=baselines, moved=moved)],
        "layout": layout(
            height=height,
            margin=(6, 14, 30, left_margin(labels, limit=WIDE_LABEL)),
            xaxis=time_axis(first, span.last),
            yaxis=axis(
                range=[len(keys) - 0.5, -0.5],
                tickvals=list(range(len(keys))),
                ticktext=tick_texts(labels, limit=WIDE_LABEL),
                tickfont={"color": INK, "size": 12},
                showgrid=False,
                ticklen=5,
                tickcolor="rgba(0,0,0,0)",
            ),
        ),
    }
    marks = [row for row in psi if (row.end, findings.drift_key(row)) in moved]
    if marks:
        spec["data"].append(_marks(marks, keys=keys))
    short = {key for key, number in baselines.items() if number < MIN_BASELINE_DAYS}
    table = _table(
        cells, keys=keys, names=names, no_drift=no_drift, moved=moved, short=short, first=first, caption=caption
    )
    is_full = len(filled) * len(days) == sum(row.estimate is not None for row in psi)
    has_short = any(row.estimate is not None and (row.end, findings.drift_key(row)) in short for row in psi)
    text = _note(marks, empty=empty, is_full=is_full, has_short=has_short)
    return Chart(key, title, question, text, spec, "", height, table)


def _baselines(psi: Iterable[MartRow]) -> dict[Cell, int]:
    """Days with data among the 28 before, for every day and row of the map."""
    filled: dict[str, set[date]] = {}
    asked = []
    for row in psi:
        key = findings.drift_key(row)
        asked.append((row.end, key))
        if row.n_items:
            filled.setdefault(key, set()).add(row.end)
    before = [timedelta(days=back) for back in range(1, 29)]
    return {(day, key): sum(day - back in filled.get(key, ()) for back in before) for day, key in asked}


def _note(marks: Sequence[MartRow], *, empty: Sequence[str], is_full: bool, has_short: bool) -> str:
    """How to read the map; nothing that is not on it."""
    chance = "the interval reaches down to what two samples of these sizes show without any shift"
    parts = [
        "PSI against the 28 days before.",
        f"Blue: under {PSI_NOTICEABLE}, or not told apart from no shift at 95% ({chance}).",
    ]
    if has_short:
        parts.append(f"Blue, too: short baseline, data on fewer than {MIN_BASELINE_DAYS} of the 28 days before.")
    if marks:
        rule = f"moved, PSI {PSI_NOTICEABLE} or more and its whole interval above that"
        parts.append(f"Yellow \u25c6: {rule}; orange \u25c6: far, from {PSI_LARGE} on.")
    if not is_full:
        parts.append("Blank: not enough data.")
    if empty:
        parts.append(f"Not enough data on any day: {words.join(empty, limit=8)}.")
    return " ".join(parts)


def _heat(
    cells: Mapping[tuple[str, date], MartRow],
    *,
    keys: Sequence[str],
    days: Sequence[date],
    names: Mapping[str, str],
    no_drift: Mapping[Cell, float],
    baselines: Mapping[Cell, int],
    moved: AbstractSet[Cell],
) -> Spec:
    def shade(key: str, day: date) -> float | None:
        row = cells.get((key, day))
        if row is None or row.estimate is None:
            return None
        return rounded(row.estimate if (day, key) in moved else min(row.estimate, PSI_NOTICEABLE - 0.001), digits=4)

    def text(key: str, day: date) -> str:
        row, usual = cells.get((key, day)), no_drift.get((day, key))
        if row is None or row.estimate is None:
            return ""
        inside = "" if row.low is None else f" ({words.coefficient_range(row.low, row.high)})"
        chance = "" if usual is None else f"<br>without any shift {words.coefficient(usual, digits=3)}"
        name = words.plot_text(words.short(names[key], limit=60))
        verdict = "moved" if (day, key) in moved else _why_unmarked(row, baseline_days=baselines[day, key])
        value = words.coefficient(row.estimate, digits=3)
        return f"<b>{name}</b><br>{words.day(day)}<br>PSI {value}{inside}: {verdict}{chance}"

    noticeable, large = PSI_NOTICEABLE / SCALE_TOP, PSI_LARGE / SCALE_TOP
    scale: list[list[Any]] = [
        [0.0, HEAT[0]],
        [noticeable, HEAT[1]],
        [noticeable, HEAT[2]],
        [large, HEAT[3]],
        [large, HEAT[4]],
        [1.0, HEAT[4]],
    ]
    return {
        "type": "heatmap",
        "x": [f"{day}" for day in days],
        "y": list(range(len(keys))),
        "z": [[shade(key, day) for day in days] for key in keys],
        "text": [[text(key, day) for day in days] for key in keys],
        "hovertemplate": "%{text}<extra></extra>",
        "hoverongaps": False,
        "zmin": 0,
        "zmax": SCALE_TOP,
        "colorscale": scale,
        "xgap": 1,
        "ygap": 2,
        # The colours are few and in the note; a bar of them would not fit beside one row.
        "showscale": False,
    }


def _why_unmarked(row: MartRow, *, baseline_days: int) -> str:
    """Why a day that has a PSI is not called moved."""
    if baseline_days < MIN_BASELINE_DAYS:
        return f"short baseline ({words.plural(baseline_days, 'day')}), not judged"
    if (row.estimate or 0.0) < PSI_NOTICEABLE:
        return f"under {PSI_NOTICEABLE}"
    return "no interval, not judged" if row.low is None else "not told apart from no shift at 95%"


def _marks(marks: Sequence[MartRow], *, keys: Sequence[str]) -> Spec:
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [f"{row.end}" for row in marks],
        "y": [keys.index(findings.drift_key(row)) for row in marks],
        "marker": {"symbol": "diamond", "size": 4, "color": INK},
        "hoverinfo": "skip",
    }


def _table(
    cells: Mapping[tuple[str, date], MartRow],
    *,
    keys: Sequence[str],
    names: Mapping[str, str],
    no_drift: Mapping[Cell, float],
    moved: AbstractSet[Cell],
    short: AbstractSet[Cell],
    first: date,
    caption: str,
) -> Table:
    def text(key: str, day: date) -> str:
        row = cells.get((key, day))
        if row is None or row.estimate is None:
            return words.NOTHING if row is None else words.reason_text(row.reason)
        usual = no_drift.get((day, key))
        mark = " \u25c6" if (day, key) in moved else " (short baseline)" if (day, key) in short else ""
        chance = "" if usual is None else f" ({words.coefficient(usual, digits=3)})"
        return f"{words.coefficient(row.estimate, digits=3)}{chance}{mark}"

    days = sorted({day for _, day in cells}, reverse=True)
    return Table(
        caption=f"{caption}, newest first; in brackets the PSI of two samples of these sizes without any shift; "
        f"\u25c6 moved: {PSI_NOTICEABLE} or more and the whole 95% interval above the number in brackets",
        heads=("Day", *(names[key] for key in keys)),
        rows=tuple((words.day(day), *(text(key, day) for key in keys)) for day in days if day >= first),
        numeric=frozenset(range(1, len(keys) + 1)),
    )
