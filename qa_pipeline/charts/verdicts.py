"""The one rule that turns a figure and its target into a status, used by every page, list, headline and chart.

Pure: rows in, verdicts out. `RULE` is printed on the pages, so that a reader sees the rule that judged. Control limits
from a queue's own past belong to a later mart, not here.
"""

from dataclasses import dataclass

from qa_pipeline.charts.measures import Measure
from qa_pipeline.charts.reading import MartRow

MIN_ITEMS = 30
RELIABLE = 0.8
TENTATIVE = 0.667
PSI_NOTICEABLE = 0.1
PSI_LARGE = 0.25


@dataclass(frozen=True)
class Verdict:
    """How a figure is judged: `key` names the colour, `glyph` and `word` say the same without colour."""

    key: str
    glyph: str
    word: str
    rank: int


ACT = Verdict("act", "\u25c6", "act", 0)
WATCH = Verdict("watch", "\u25b2", "watch", 1)
ON_TARGET = Verdict("ok", "\u25cf", "on target", 2)
NO_TARGET = Verdict("none", "\u2013", "no target set", 3)
TOO_FEW = Verdict("few", "\u25cb", "not enough data", 4)
# A total mixes queues that have targets of their own, and a market may not have every queue.
TOTAL = Verdict("none", "", "not judged", 5)
ABSENT = Verdict("absent", "", "no decisions", 6)

RULE = (
    (ACT, "the whole 95% interval misses the target"),
    (WATCH, "the estimate misses the target, but the interval still includes it"),
    (ON_TARGET, "the estimate meets the target"),
    (TOO_FEW, f"hatched: no estimate, no interval, or fewer than {MIN_ITEMS} items"),
    (NO_TARGET, "targets.toml has no target for it"),
)


def judge(row: MartRow | None, target: float | None, *, measure: Measure) -> Verdict:
    """Judge an estimate and its 95 % interval by a target. An end that touches the target includes it.

    >>> from qa_pipeline.charts.measures import DEFECT_RATE
    >>> judge(None, 0.05, measure=DEFECT_RATE).word
    'not enough data'
    """
    if row is None or row.estimate is None or row.low is None or row.high is None:
        return TOO_FEW
    if target is None:
        return NO_TARGET if row.n_items >= MIN_ITEMS else TOO_FEW
    if shortfall(row, target, measure=measure) > 0:
        return ACT
    if row.n_items < MIN_ITEMS:
        return TOO_FEW
    misses = row.estimate > target if measure.is_high_bad else row.estimate < target
    return WATCH if misses else ON_TARGET


def shortfall(row: MartRow, target: float, *, measure: Measure) -> float:
    """How far a figure misses its target for certain: from the target to the near end of the interval.

    Negative where the interval includes the target or meets it; without an interval the estimate stands for its ends.
    """
    near = row.low if measure.is_high_bad else row.high
    near = near if near is not None else row.estimate or 0.0
    return near - target if measure.is_high_bad else target - near


def reliability(row: MartRow | None) -> str:
    """Krippendorff's verdict on his alpha, by its interval: `reliable`, `tentative`, `unreliable`, or empty."""
    if row is None or row.low is None or row.high is None:
        return ""
    if row.low >= TENTATIVE:
        return "reliable" if row.low >= RELIABLE else "tentative"
    return "unreliable" if row.high < TENTATIVE else ""


def has_moved(psi: MartRow, no_drift: float | None) -> bool:
    """Whether a day's PSI shows a shift: an effect worth naming, and more than chance gives."""
    if psi.estimate is None or psi.low is None:
        return False
    return psi.estimate >= PSI_NOTICEABLE and psi.low > (no_drift or 0.0)
