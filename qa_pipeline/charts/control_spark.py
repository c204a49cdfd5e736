"""A control chart small enough for Dagster's metadata: an SVG of a few hundred characters.

Only the drawing belongs here; which series is drawn is `defs.control_tables`. The pages' charts are another matter.
"""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT, PAD = 160, 48, 3
_LINE, _LIMIT, _ALARM = "#0072B2", "#999", "#D55E00"


@dataclass(frozen=True)
class ChartPoint:
    """A point of a control chart; None where it has none."""

    value: float | None
    centre: float | None
    lower: float | None
    upper: float | None
    is_alarm: bool


def control_spark(points: Sequence[ChartPoint], *, label: str) -> str:
    """SVG of the line of values, centre and limits (dashed) of the points, and a dot on each alarm.

    `label` is what a screen reader says: plain words without markup. Coordinates are whole numbers and steps relative,
    because 28 points with two stepped limits have to fit into 700 characters.
    """
    known = [value for point in points for value in (point.value, point.lower, point.upper) if value is not None]
    low, high = min(known, default=0.0), max(known, default=1.0)
    scale = (HEIGHT - 2 * PAD) / ((high - low) or 1.0)
    step = (WIDTH - 2 * PAD) // max(1, len(points) - 1)

    def path(values: Sequence[float | None]) -> str:
        heights = [None if value is None else round(HEIGHT - PAD - (value - low) * scale) for value in values]
        return _path(heights, step)

    parts = [
        f"<path d='{path([getattr(point, name) for point in points])}' stroke='{_LIMIT}'{dash}/>"
        for name, dash in (("lower", " stroke-dasharray='2'"), ("upper", " stroke-dasharray='2'"), ("centre", ""))
    ]
    parts.append(f"<path d='{path([point.value for point in points])}' stroke='{_LINE}'/>")
    dots = "".join(
        f"M{PAD + place * step} {round(HEIGHT - PAD - (point.value - low) * scale)}h0"
        for place, point in enumerate(points)
        if point.is_alarm and point.value is not None
    )
    if dots:
        parts.append(f"<path d='{dots}' stroke='{_ALARM}' stroke-width='5' stroke-linecap='round'/>")
    size = f"width='{2 * WIDTH}' viewBox='0 0 {WIDTH} {HEIGHT}'"
    return f"<svg xmlns='http://www.w3.org/2000/svg' {size} fill='none'><title>{label}</title>{''.join(parts)}</svg>"


def _path(heights: Sequence[int | None], step: int) -> str:
    """A path through the heights in steps to the right; a level stretch is one step, a gap breaks the line.

    >>> _path([10, 10, 10, 8, None, 5, 6], 4)
    'M3 10h8l4-2M23 5l4 1'
    """
    parts: list[str] = []
    before: int | None = None
    level = 0
    for place, height in enumerate(heights):
        if height is None or before is None or height != before:
            parts += [f"h{level}"] if level else []
            level = 0
        if height is not None and before is None:
            parts.append(f"M{PAD + place * step} {height}")
        elif height is not None and before is not None and height == before:
            level += step
        elif height is not None and before is not None:
            rise = height - before
            parts.append(f"l{step}{'' if rise < 0 else ' '}{rise}")
        before = height
    parts += [f"h{level}"] if level else []
    return "".join(parts)
