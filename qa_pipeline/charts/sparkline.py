"""Small hand-made SVG trends: 0.1 ms each, no library. For matrix cells, tables and Dagster's metadata."""

import html
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT, PAD = 96.0, 30.0, 3.0

# Colours of a drawing that stands alone (Dagster's metadata) and so has no style sheet.
_ALONE = {"line": "#0072B2", "target": "#777", "end": "#0072B2", "soft": "#0072B2"}


@dataclass(frozen=True)
class Point:
    """One value of a trend; None leaves a gap. A provisional one is drawn dashed."""

    value: float | None
    is_provisional: bool = False


def sparkline(
    points: Sequence[Point],
    *,
    low: float,
    high: float,
    target: float | None,
    status: str = "ok",
    label: str = "",
    is_standalone: bool = False,
) -> str:
    """SVG of `points` on the scale `low`..`high`, with a dashed line at `target` and a dot on the newest value.

    With a `label` it is an image for screen readers, without one it is hidden from them (the cell says the number).
    `status` is the CSS class of the end point. Values outside the scale are drawn at its edge. Under two values there
    is no trend: the drawing then holds the dot alone, or nothing.
    """
    if not high > low:
        high = low + 1.0

    def x_of(index: int) -> float:
        return PAD + (WIDTH - 2 * PAD) * (index / max(1, len(points) - 1))

    def y_of(value: float) -> float:
        share = min(1.0, max(0.0, (value - low) / (high - low)))
        return HEIGHT - PAD - (HEIGHT - 2 * PAD) * share

    parts: list[str] = []
    if target is not None and low <= target <= high and any(point.value is not None for point in points):
        style = _stroke("target", is_standalone, " stroke-dasharray='3 3'")
        parts.append(f'<path class="spark-target"{style} d="M{PAD:g} {y_of(target):.1f}H{WIDTH - PAD:g}"/>')
    for is_soft, run in _runs(points):
        if len(run) > 1:
            path = "L".join(f"{x_of(i):.1f} {y_of(value):.1f}" for i, value in run)
            name = "soft" if is_soft else "line"
            dash = " stroke-dasharray='2 1.5'" if is_soft else ""
            parts.append(f'<path class="spark-{name}"{_stroke(name, is_standalone, dash)} d="M{path}"/>')
        else:
            (i, value), *_ = run
            style = f' fill="{_ALONE["line"]}"' if is_standalone else ""
            parts.append(f'<circle class="spark-dot"{style} cx="{x_of(i):.1f}" cy="{y_of(value):.1f}" r="1.2"/>')
    last = next(((i, point.value) for i, point in reversed(list(enumerate(points))) if point.value is not None), None)
    if last is not None and last[1] is not None:
        fill = f' fill="{_ALONE["end"]}"' if is_standalone else ""
        parts.append(
            f'<circle class="spark-end is-{status}"{fill} cx="{x_of(last[0]):.1f}" cy="{y_of(last[1]):.1f}" r="2.4"/>'
        )
    named = f'role="img" aria-label="{html.escape(label)}"' if label else 'aria-hidden="true" focusable="false"'
    space = ' xmlns="http://www.w3.org/2000/svg"' if is_standalone else ""
    return f'<svg{space} class="spark" viewBox="0 0 {WIDTH:g} {HEIGHT:g}" {named}>{"".join(parts)}</svg>'


def _stroke(name: str, is_standalone: bool, dash: str) -> str:
    return f' fill="none" stroke="{_ALONE[name]}" stroke-width="1.4"{dash}' if is_standalone else ""


def _runs(points: Sequence[Point]) -> list[tuple[bool, list[tuple[int, float]]]]:
    """Stretches without a gap and of one kind; a provisional stretch starts at the last final point before it."""
    runs: list[tuple[bool, list[tuple[int, float]]]] = []
    previous: tuple[int, float] | None = None
    for index, point in enumerate(points):
        if point.value is None:
            previous = None
            continue
        here = (index, point.value)
        if previous is None:
            runs.append((point.is_provisional, [here]))
        elif runs[-1][0] == point.is_provisional:
            runs[-1][1].append(here)
        else:
            runs.append((point.is_provisional, [previous, here]))
        previous = here
    return runs
