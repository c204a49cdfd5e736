"""What the interval of a difference says, and a sentence with the mark that says it too. Pure; no HTML here."""

from dataclasses import dataclass

from qa_pipeline.charts import words
from qa_pipeline.charts.reading import MartRow
from qa_pipeline.charts.verdicts import Verdict

LOWER = Verdict("act", "\u2193", "lower", 0)
HIGHER = Verdict("ok", "\u2191", "higher", 1)
NO_CHANGE = Verdict("none", "\u2248", "no clear change", 2)
UNKNOWN = Verdict("few", "\u25cb", "not enough data", 3)
# A sentence that is no difference.
FACT = Verdict("none", "\u2022", "", 4)


@dataclass(frozen=True)
class Sentence:
    """A sentence with the mark before it; what the mark says is in the sentence too."""

    verdict: Verdict
    text: str


def direction(row: MartRow) -> Verdict:
    """What a difference's interval says: it lies on one side of 0, includes 0, or there is none."""
    if row.low is None or row.high is None:
        return UNKNOWN
    if row.high < 0:
        return LOWER
    return HIGHER if row.low > 0 else NO_CHANGE


def difference_text(row: MartRow, *, is_share: bool) -> str:
    """`+0.03 (-0.02 to +0.08)`, for shares in percentage points; the reason where there is none."""
    if row.estimate is None:
        return words.reason_text(row.reason)
    if is_share:
        return f"{words.points(row.estimate)} ({words.points_range(row.low, row.high)})"
    return f"{words.signed(row.estimate)} ({words.signed_range(row.low, row.high)})"
