"""Parts of a trend figure: the line of estimates, its interval band, and where the points lie in time.

Estimates that can still change (provisional) are dashed and their band is lighter. A missing estimate leaves a gap.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, time, timedelta

from qa_pipeline.charts import words
from qa_pipeline.charts.reading import MartRow
from qa_pipeline.charts.theme import BAND, BAND_LIGHT, Spec, rounded

GRAIN_WORDS = {"day": "day", "week": "week", "trailing_28d": "28 days to each day"}
GRAIN_ADJECTIVES = {"day": "daily", "week": "weekly", "trailing_28d": "28-day"}


def point_time(row: MartRow) -> datetime:
    """Where a row lies on the time axis: a day on itself, a week on its middle, a trailing window on its end."""
    if row.period == "week":
        return datetime.combine(row.start, time()) + timedelta(days=3)
    return datetime.combine(row.end, time())


def period_text(row: MartRow) -> str:
    """`Thu 19 Nov 2026`, `week of 16 Nov` or `28 days to 19 Nov`."""
    if row.period == "day":
        return words.day(row.end)
    if row.period == "week":
        return f"week of {words.short_day(row.start)}"
    return f"28 days to {words.short_day(row.end)}"


def at_grain(rows: Iterable[MartRow], *, grain: str, first: date) -> list[MartRow]:
    """Rows of one period that end on or after `first`, in order of time."""
    return sorted((row for row in rows if row.period == grain and row.end >= first), key=lambda row: row.end)


def line_traces(
    rows: Sequence[MartRow], *, color: str, text: Callable[[MartRow], str], yaxis: str = "y", width: float = 1.8
) -> list[Spec]:
    """The estimates as one solid (final) and one dashed (provisional) line; `text` is a point's hover text."""
    traces: list[Spec] = []
    for is_provisional in (False, True):
        kept = [_of_kind(rows, index, is_provisional=is_provisional) for index in range(len(rows))]
        if not any(kept):
            continue
        values = [rounded(row.estimate) if keep else None for row, keep in zip(rows, kept, strict=True)]
        lone = _lone(values)
        traces.append(
            {
                "type": "scatter",
                "mode": "lines+markers" if any(lone) else "lines",
                "x": [_stamp(point_time(row)) for row in rows],
                "y": values,
                "text": [text(row) if keep else "" for row, keep in zip(rows, kept, strict=True)],
                "hovertemplate": "%{text}<extra></extra>",
                "line": {"color": color, "width": width} | ({"dash": "4px,2px"} if is_provisional else {}),
                "marker": {"color": color, "size": [6 if is_lone else 0 for is_lone in lone], "opacity": 1},
                "connectgaps": False,
                "yaxis": yaxis,
            }
        )
    return traces


def band_traces(
    rows: Sequence[MartRow], *, color: tuple[str, str] = (BAND, BAND_LIGHT), yaxis: str = "y"
) -> list[Spec]:
    """The intervals as filled shapes, final and provisional; stretches without an interval stay empty."""
    traces: list[Spec] = []
    for is_provisional, fill in zip((False, True), color, strict=True):
        xs: list[str | None] = []
        ys: list[float | None] = []
        for run in _band_runs(rows, is_provisional=is_provisional):
            times = [point_time(row) for row in run]
            lows, highs = [row.low for row in run], [row.high for row in run]
            if len(run) == 1:
                times = [times[0] - timedelta(hours=8), times[0] + timedelta(hours=8)]
                lows, highs = lows * 2, highs * 2
            xs += [_stamp(when) for when in [*times, *reversed(times)]] + [None]
            ys += [rounded(value) for value in [*highs, *reversed(lows)]] + [None]
        if xs:
            traces.append(
                {
                    "type": "scatter",
                    "mode": "lines",
                    "x": xs[:-1],
                    "y": ys[:-1],
                    "fill": "toself",
                    "fillcolor": fill,
                    "line": {"width": 0, "color": fill},
                    "hoverinfo": "skip",
                    "yaxis": yaxis,
                }
            )
    return traces


def state_text(row: MartRow) -> str:
    """`final`, `provisional`, or why there is no estimate or interval."""
    if row.reason or row.estimate is None:
        return words.reason_text(row.reason)
    return "provisional" if row.is_provisional else "final"


def _lone(values: Sequence[float | None]) -> list[bool]:
    """Which values have no neighbour, so that a line alone would not show them."""
    padded = [None, *values, None]
    return [
        here is not None and before is None and after is None
        for before, here, after in zip(padded, values, padded[2:], strict=False)
    ]


def _stamp(when: datetime) -> str:
    return when.strftime("%Y-%m-%d") if when.hour == 0 else when.strftime("%Y-%m-%dT%H:%M")


def _of_kind(rows: Sequence[MartRow], index: int, *, is_provisional: bool) -> bool:
    """Whether a point is on the line of its kind; the last final point also starts the provisional line."""
    row = rows[index]
    if row.is_provisional == is_provisional:
        return True
    return is_provisional and index + 1 < len(rows) and rows[index + 1].is_provisional


def _band_runs(rows: Sequence[MartRow], *, is_provisional: bool) -> list[list[MartRow]]:
    runs: list[list[MartRow]] = []
    is_open = False
    for index, row in enumerate(rows):
        has_band = row.low is not None and row.high is not None
        if not (has_band and _of_kind(rows, index, is_provisional=is_provisional)):
            is_open = False
            continue
        if not is_open:
            runs.append([])
            is_open = True
        runs[-1].append(row)
    # A final point that only starts a provisional stretch is no stretch of its own.
    return [run for run in runs if any(row.is_provisional == is_provisional for row in run)]
