"""The figures that have a target: their names, which side of the target is the bad one, and how they are written."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from qa_pipeline.charts import words

MeasureKey = Literal["defect_rate", "agreement", "accuracy"]


@dataclass(frozen=True)
class Measure:
    """A figure with a target. `key` is its name in targets.toml; `unit` is what its items are called.

    `worse` is how one subject, or several, are said to be on its bad side.
    """

    key: MeasureKey
    name: str
    symbol: str
    is_high_bad: bool
    is_share: bool
    unit: str
    worse: tuple[str, str]

    @property
    def title(self) -> str:
        """Its name and its symbol: `Agreement \u03b1`."""
        return f"{self.name} {self.symbol}".rstrip()

    def text(self, value: float | None, *, digits: int | None = None) -> str:
        """A value as it is printed: `6.2%` or `0.71`."""
        if self.is_share:
            return words.percent(value, digits=1 if digits is None else digits)
        return words.coefficient(value, digits=2 if digits is None else digits)

    def range_text(self, low: float | None, high: float | None, *, limits: Sequence[float | None] = ()) -> str:
        """An interval as it is printed beside what it is held against; empty when an end is missing."""
        make = words.percent_range if self.is_share else words.coefficient_range
        return make(low, high, limits=limits)

    def target_text(self, target: float | None) -> str:
        """A target as it was set."""
        return words.exact_percent(target) if self.is_share else words.exact_coefficient(target)

    def text_beside(self, value: float | None, target: float | None) -> str:
        """A value next to its target: with more digits where the two would look equal but are not."""
        if value is None or value == target:
            return self.text(value)
        scale, digits = (100, 1) if self.is_share else (1, 2)
        goal = None if target is None else target * scale
        return self.text(value, digits=words.digits_beside(value * scale, (goal,), digits=digits))


DEFECT_RATE = Measure(
    "defect_rate",
    "Defect rate",
    "",
    is_high_bad=True,
    is_share=True,
    unit="random audit",
    worse=("has more defects than", "have more defects than"),
)
AGREEMENT = Measure(
    "agreement",
    "Agreement",
    "\u03b1",
    is_high_bad=False,
    is_share=False,
    unit="item",
    worse=("agrees less than", "agree less than"),
)
ACCURACY = Measure(
    "accuracy",
    "Accuracy",
    "",
    is_high_bad=False,
    is_share=True,
    unit="decision",
    worse=("is less accurate than", "are less accurate than"),
)
# The accuracy of the decisions whose right label is one and the same: how often people find it.
RECALL = Measure(
    "accuracy",
    "Found",
    "",
    is_high_bad=False,
    is_share=True,
    unit="decision",
    worse=("is found less often than", "are found less often than"),
)
# What is judged for every market and queue, in the order in which the pages name it.
HEADLINE = (DEFECT_RATE, AGREEMENT)
