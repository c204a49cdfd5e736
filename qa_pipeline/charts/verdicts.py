"""The one rule that turns a figure and its target into a status, used by every page, list, headline and chart.

Pure: rows in, verdicts out. `RULE` is printed on the pages, so that a reader sees the rule that judged. What
a queue's own past says of it is `alarms`.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from qa_pipeline.charts import words
from qa_pipeline.charts.measures import Measure
from qa_pipeline.charts.reading import MartRow
from qa_pipeline.marts.verdicts import NOT_ENOUGH, RELIABLE, RELIABLE_FROM, TENTATIVE, TENTATIVE_FROM, UNRELIABLE

MIN_ITEMS = 30
PSI_NOTICEABLE = 0.1
PSI_LARGE = 0.25
MIN_BASELINE_DAYS = 7


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

# An interval that lies across a limit is no lack of data but a verdict that cannot be given; the marts have one word.
TOO_CLOSE = Verdict("few", "\u25cb", "too close to call", 3)
# How far labels can be relied on, whatever the target: the marts judge, this is how a page shows it.
COEFFICIENT = {
    RELIABLE: Verdict("ok", "\u25cf", RELIABLE, 0),
    TENTATIVE: Verdict("watch", "\u25b2", TENTATIVE, 1),
    UNRELIABLE: Verdict("act", "\u25c6", UNRELIABLE, 2),
    NOT_ENOUGH: Verdict("few", "\u25cb", NOT_ENOUGH, 3),
}
# What the ends of a coefficient's interval are held against.
COEFFICIENT_LIMITS = (TENTATIVE_FROM, RELIABLE_FROM)

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


def reliability(row: MartRow | None) -> Verdict | None:
    """The mart's verdict on a coefficient with its glyph; None for what is no coefficient."""
    if row is None or row.verdict is None:
        return None
    return TOO_CLOSE if row.verdict == NOT_ENOUGH and row.low is not None else COEFFICIENT[row.verdict]


def verdict_text(row: MartRow | None) -> str:
    """`\u25b2 tentative` in one piece; empty for what is no coefficient."""
    found = reliability(row)
    return "" if found is None else f"{found.glyph} {found.word}".replace(" ", words.NBSP)


def verdict_label(name: str, row: MartRow) -> str:
    """A name with the glyph of its coefficient's verdict before it, for the labels of a figure."""
    found = reliability(row)
    return name if found is None else f"{found.glyph} {name}"


def verdict_key(rows: Iterable[MartRow]) -> str:
    """What the glyphs before the names mean: `\u25cf reliable, \u25c6 unreliable`, only those that occur."""
    found = {reliability(row) for row in rows} - {None}
    return ", ".join(f"{each.glyph} {each.word}" for each in (*COEFFICIENT.values(), TOO_CLOSE) if each in found)


def has_moved(psi: MartRow, no_drift: float | None, *, baseline_days: int = MIN_BASELINE_DAYS) -> bool:
    """Whether a day's PSI shows a shift: an effect worth naming, told apart from none, over a baseline long enough."""
    if psi.estimate is None or psi.low is None or baseline_days < MIN_BASELINE_DAYS:
        return False
    return psi.estimate >= PSI_NOTICEABLE and psi.low > (no_drift or 0.0)
