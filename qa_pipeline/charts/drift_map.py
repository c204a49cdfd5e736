"""The drift map: PSI by day and subject, or by day and queue. Rows in, `Chart` out; the title is computed from them."""

from collections.abc import Mapping, Sequence
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
from qa_pipeline.charts.verdicts import PSI_LARGE, PSI_NOTICEABLE, has_moved

SCALE_TOP = 0.35
ROW_HEIGHT = 28
_KINDS = {"labels": "labels", "predictions": "decisions", "scores": "scores"}


def subject_name(row: MartRow) -> str:
    """`Human labels`, `Decisions of toxic@v2`, `Scores of toxic@v2`."""
    what = _KINDS.get(row.subject_kind, row.subject_kind)
    return f"Human {what}" if row.subject == "human" else f"{what.capitalize()} of {row.subject or '(unnamed)'}"


def drift_map(
    rows: Sequence[MartRow], *, key: str, span: Span, names: Mapping[str, str], question: str, caption: str
) -> Chart:
    """PSI by day; `rows` are `marts.drift` rows of period day, metrics psi and psi_no_drift.

    `names` gives the map's rows, in order from the top: `findings.drift_key` to label. Warm colours and a diamond mark
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
    title = findings.drift_title(psi, no_drift=no_drift, names=names)
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
        "data": [_heat(cells, keys=keys, days=days, names=names, no_drift=no_drift)],
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
    marks = _moved(psi, no_drift=no_drift)
    if marks:
        spec["data"].append(_marks(marks, keys=keys))
    table = _table(cells, keys=keys, names=names, no_drift=no_drift, first=first, caption=caption)
    is_full = len(filled) * len(days) == sum(row.estimate is not None for row in psi)
    text = _note(marks, empty=empty, is_full=is_full)
    return Chart(key, title, question, text, spec, "", height, table)


def _moved(psi: Sequence[MartRow], *, no_drift: Mapping[tuple[date, str], float]) -> list[MartRow]:
    return [row for row in psi if has_moved(row, no_drift.get((row.end, findings.drift_key(row))))]


def _note(marks: Sequence[MartRow], *, empty: Sequence[str], is_full: bool) -> str:
    """How to read the map; nothing that is not on it."""
    parts = ["PSI against the 28 days before. Blue: within chance, or under 0.1."]
    if marks:
        rule = f"moved, PSI {PSI_NOTICEABLE} or more and more than chance gives"
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
    no_drift: Mapping[tuple[date, str], float],
) -> Spec:
    def shade(key: str, day: date) -> float | None:
        row = cells.get((key, day))
        if row is None or row.estimate is None:
            return None
        has_warm = has_moved(row, no_drift.get((day, key)))
        return rounded(row.estimate if has_warm else min(row.estimate, PSI_NOTICEABLE - 0.001), digits=4)

    def text(key: str, day: date) -> str:
        row, usual = cells.get((key, day)), no_drift.get((day, key))
        if row is None or row.estimate is None:
            return ""
        inside = "" if row.low is None else f" ({words.coefficient_range(row.low, row.high)})"
        chance = "" if usual is None else f"<br>by chance {words.coefficient(usual, digits=3)}"
        name = words.plot_text(words.short(names[key], limit=60))
        verdict = "moved" if has_moved(row, usual) else "not moved"
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
    no_drift: Mapping[tuple[date, str], float],
    first: date,
    caption: str,
) -> Table:
    def text(key: str, day: date) -> str:
        row = cells.get((key, day))
        if row is None or row.estimate is None:
            return words.NOTHING if row is None else words.reason_text(row.reason)
        usual = no_drift.get((day, key))
        mark = " \u25c6" if has_moved(row, usual) else ""
        chance = "" if usual is None else f" ({words.coefficient(usual, digits=3)})"
        return f"{words.coefficient(row.estimate, digits=3)}{chance}{mark}"

    days = sorted({day for _, day in cells}, reverse=True)
    return Table(
        caption=f"{caption}, newest first; in brackets what chance alone would give; \u25c6 moved",
        heads=("Day", *(names[key] for key in keys)),
        rows=tuple((words.day(day), *(text(key, day) for key in keys)) for day in days if day >= first),
        numeric=frozenset(range(1, len(keys) + 1)),
    )
