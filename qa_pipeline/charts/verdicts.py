"""The rules that turn a mart row into a status. One rule for each kind of figure, used by every page.

Pure: rows in, verdicts out. The sentences of the `*_RULE`s are printed on the pages, so that a reader
sees the rule that judged. Control limits from a queue's own past belong to a later mart, not here.
"""

from dataclasses import dataclass

from qa_pipeline.charts.reading import MartRow

MIN_AUDITED = 30
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
IN_CONTROL = Verdict("ok", "\u25cf", "in control", 2)
NO_TARGET = Verdict("none", "\u2013", "no target set", 3)
TOO_FEW = Verdict("few", "\u25cb", "not enough data", 4)

UNRELIABLE = Verdict("act", "\u25c6", "unreliable", 0)
TENTATIVELY = Verdict("watch", "\u25b2", "tentative", 1)
RELIABLY = Verdict("ok", "\u25cf", "reliable", 2)

DEFECT_RULE = (
    (ACT, "the whole 95% interval lies above the target"),
    (WATCH, "the estimate is above the target, but the interval still covers it"),
    (IN_CONTROL, "the estimate is at or below the target"),
    (TOO_FEW, f"hatched: fewer than {MIN_AUDITED} audited decisions, or no estimate"),
    (NO_TARGET, "nothing to compare with: targets.toml has no defect rate for it"),
)
AGREEMENT_RULE = (
    (UNRELIABLE, f"the whole 95% interval of Krippendorff\u2019s alpha lies below {TENTATIVE}"),
    (TENTATIVELY, f"the whole interval is at {TENTATIVE} or above"),
    (RELIABLY, f"the whole interval is at {RELIABLE} or above"),
    (TOO_FEW, f"hatched: the interval covers {TENTATIVE}, or there is none"),
)
DRIFT_RULE = (
    f"PSI against the 28 days before. \u25c6 moved: {PSI_NOTICEABLE} or more, and more than chance gives; far: from "
    f"{PSI_LARGE} on. Blank: not enough data."
)


def defect_verdict(row: MartRow | None, target: float | None) -> Verdict:
    """Judge a defect rate against its target.

    >>> defect_verdict(None, 0.05).word
    'not enough data'
    """
    if row is None or row.estimate is None or row.low is None:
        return TOO_FEW
    if target is None:
        return NO_TARGET if row.n_items >= MIN_AUDITED else TOO_FEW
    if row.low > target:
        return ACT
    if row.n_items < MIN_AUDITED:
        return TOO_FEW
    return WATCH if row.estimate > target else IN_CONTROL


def agreement_verdict(row: MartRow | None) -> Verdict:
    """Judge an agreement coefficient by Krippendorff's limits 0.8 and 0.667, applied to its interval."""
    if row is None or row.estimate is None or row.low is None or row.high is None:
        return TOO_FEW
    if row.low >= RELIABLE:
        return RELIABLY
    if row.low >= TENTATIVE:
        return TENTATIVELY
    return UNRELIABLE if row.high < TENTATIVE else TOO_FEW


def has_moved(psi: MartRow, no_drift: float | None) -> bool:
    """Whether a day's PSI shows a shift: an effect worth naming, and more than chance gives."""
    if psi.estimate is None or psi.low is None:
        return False
    return psi.estimate >= PSI_NOTICEABLE and psi.low > (no_drift or 0.0)


def excess(row: MartRow, target: float) -> tuple[float, float]:
    """Sort key of how far a rate is above its target for certain: the ratio, then the difference, of its lower end."""
    low = row.low if row.low is not None else 0.0
    return (low / target if target > 0 else float("inf") if low > 0 else 0.0, low - target)
