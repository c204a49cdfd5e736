"""What all figures share: colour roles, axes, the Plotly settings, and the JSON that goes into a page.

A colour is a role (`@line`), not a value: `assets/pages.js` puts the value of the CSS variable `--line` in its place,
so that one specification serves the light page, the dark page and paper. The values are in `assets/style.css`.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from markupsafe import Markup

from qa_pipeline.charts import words

Spec = dict[str, Any]

LINE = "@line"
BAND = "@band"
BAND_LIGHT = "@band-light"
ACT = "@act"
WATCH = "@watch"
GOOD = "@good"
MODEL = "@model"
INK = "@ink"
MUTED = "@muted"
GRID = "@grid"
CARD = "@card"
HEAT = ("@heat-0", "@heat-1", "@heat-2", "@heat-3", "@heat-4")

# Characters of a label left of a plot, on a page and on a phone.
WIDE_LABEL, NARROW_LABEL = 28, 16

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif"


@dataclass(frozen=True)
class Table:
    """The numbers under a figure: a caption, column heads (those in `numeric` are right-aligned) and text cells."""

    caption: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: frozenset[int]


@dataclass(frozen=True)
class Chart:
    """A figure as a page shows it.

    `title` states the finding, `question` what it answers, `note` how to read it. `spec` is None where there is not
    enough data; `reason` then says why. `height` is in CSS pixels. `table` holds the same rows as the figure.
    `remarks` are sentences under it that belong to it, `more_tables` the numbers behind them.
    """

    key: str
    title: str
    question: str
    note: str
    spec: Spec | None
    reason: str
    height: int
    table: Table | None
    link: str = ""
    remarks: tuple[str, ...] = ()
    more_tables: tuple[Table, ...] = ()

    @property
    def is_shown(self) -> bool:
        """Whether it has anything to show: a figure, or sentences that need none."""
        return self.spec is not None or bool(self.remarks)

    @property
    def tables(self) -> list[Table]:
        """All its numbers."""
        return [*([self.table] if self.table is not None else []), *self.more_tables]


def figure_json(spec: Spec) -> Markup:
    """`spec` as JSON that may stand in a script element: `<`, `>` and `&` are escaped, NaN is refused."""
    text = json.dumps(spec, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    # Safe by construction: no markup character is left.
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))  # noqa: S704


def rounded(value: float | None, *, digits: int = 5) -> float | None:
    """`value` with the digits that a screen can show, so that a page stays small."""
    return None if value is None else round(value, digits)


def layout(*, height: int, margin: tuple[int, int, int, int] = (8, 12, 28, 46), **more: Any) -> Spec:
    """Base layout; `margin` is top, right, bottom, left in pixels."""
    top, right, bottom, left = margin
    base: Spec = {
        "height": height,
        "margin": {"t": top, "r": right, "b": bottom, "l": left, "pad": 0},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": FONT, "size": 12, "color": INK},
        "showlegend": False,
        "hovermode": "closest",
        "hoverlabel": {
            "bgcolor": CARD,
            "bordercolor": GRID,
            "font": {"family": FONT, "size": 12, "color": INK},
            "align": "left",
        },
    }
    return base | more


def axis(**more: Any) -> Spec:
    """A quiet axis: thin grid, no zero line, nothing to drag along y."""
    base: Spec = {
        "gridcolor": GRID,
        "linecolor": GRID,
        "tickfont": {"color": MUTED, "size": 11},
        "zeroline": False,
        "fixedrange": True,
        "automargin": False,
    }
    return base | more


def time_axis(first: date, last: date, *, ticks: int = 6, **more: Any) -> Spec:
    """A date axis from `first` to `last` with room for half a day on both sides; ISO dates, no clock times.

    Ticks are Mondays, every n-th week so that about `ticks` fit; under three weeks, days.
    """
    days = (last - first).days
    step = max(1, -(-days // ticks)) if days < 21 else 7 * max(1, -(-days // (7 * ticks)))
    monday = first.toordinal() + (7 - first.weekday()) % 7
    tick0 = date.fromordinal(monday if days >= 21 else first.toordinal())
    base: Spec = {
        "type": "date",
        "range": list(half_days(first, last)),
        "tick0": tick0.isoformat(),
        "dtick": step * 86_400_000,
        "tickformat": "%-d %b",
        "tickangle": 0,
        "showgrid": False,
    }
    return axis(**(base | more))


def tick_texts(labels: Sequence[str], *, limit: int) -> list[str]:
    """`labels` cut to `limit` characters and escaped for Plotly."""
    return [words.plot_text(words.squeeze(label, limit=limit)) for label in labels]


def left_margin(labels: Sequence[str], *, limit: int) -> int:
    """Pixels that the longest of `labels` needs left of the plot."""
    return 20 + 7 * max(len(words.squeeze(label, limit=limit)) for label in labels)


def line_shape(*, y: float, yref: str = "y", color: str = MUTED, dash: str = "dash") -> Spec:
    """A horizontal line over the whole plot, such as a target."""
    line = {"color": color, "width": 1.2, "dash": dash}
    return {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "yref": yref, "y0": y, "y1": y, "line": line}


def mark_shapes(days: Sequence[date]) -> list[Spec]:
    """Vertical dotted lines on the days something changed."""
    line = {"color": MUTED, "width": 1, "dash": "dot"}
    return [
        {"type": "line", "xref": "x", "x0": f"{day}", "x1": f"{day}", "yref": "paper", "y0": 0, "y1": 1, "line": line}
        for day in days
    ]


def half_days(first: date, last: date) -> tuple[str, str]:
    """Ends of a stretch of whole days on a date axis, where a day's point lies on its midnight."""
    return f"{date.fromordinal(first.toordinal() - 1)}T12:00", f"{last}T12:00"


def note(text: str, **where: Any) -> Spec:
    """A small text in the plot; `text` must already be escaped for Plotly."""
    base: Spec = {"text": text, "showarrow": False, "font": {"size": 11, "color": MUTED}}
    return base | where
