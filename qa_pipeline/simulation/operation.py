"""The simulated operation: its markets, queues, labels, vendors and models.

Only fixed descriptions belong here. What is drawn (people, prevalence per market) is in `world`, what changes with
the date is in `timeline`. All names are made up.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class MarketSpec:
    """A market; `share` is its part of the items, `annotators` the number of people who label there."""

    code: str
    name: str
    time_zone: str
    language: str
    share: float
    annotators: int


@dataclass(frozen=True)
class LabelSpec:
    """One label of a queue's taxonomy."""

    code: str
    name: str
    is_violating: bool
    severity_weight: float


@dataclass(frozen=True)
class QueueSpec:
    """A queue.

    `categories` are the answers that occur (a multi-select's are combinations), `prevalence` and `error` (an
    experienced, average annotator's chance to err on an item whose truth is the category) go along with them.
    `separation` scales how well models tell the categories apart; 0: no model serves the queue.
    """

    code: str
    name: str
    scale: Literal["nominal", "ordinal"]
    share: float
    labels: tuple[LabelSpec, ...]
    prevalence: tuple[float, ...]
    error: tuple[float, ...]
    separation: float
    handle_seconds: float
    content_types: tuple[tuple[str, float], ...]
    combinations: tuple[str, ...] = ()

    @property
    def categories(self) -> tuple[str, ...]:
        """The answers that annotators give."""
        return self.combinations or tuple(label.code for label in self.labels)

    @property
    def is_violating(self) -> tuple[bool, ...]:
        """Per category: does it break a policy?"""
        by_code = {label.code: label.is_violating for label in self.labels}
        return tuple(any(by_code[code] for code in category.split("|")) for category in self.categories)

    @property
    def severity(self) -> tuple[float, ...]:
        """Per category: the highest severity weight in it."""
        by_code = {label.code: label.severity_weight for label in self.labels}
        return tuple(max(by_code[code] for code in category.split("|")) for category in self.categories)


@dataclass(frozen=True)
class VendorSpec:
    """A vendor; `error_factor` multiplies its people's errors, `utilization` is productive over paid time."""

    code: str
    sites: tuple[str, ...]
    error_factor: float
    utilization: float


@dataclass(frozen=True)
class ModelSpec:
    """A model version; `share` of the predicted items get it, `separation` is its strength."""

    model_id: str
    version: str
    kind: Literal["classifier", "llm"]
    separation: float
    share: float
    decimals: int | None


MARKETS = (
    MarketSpec("BR", "Brazil", "America/Sao_Paulo", "pt", 0.27, 56),
    MarketSpec("IN", "India", "Asia/Kolkata", "hi", 0.30, 60),
    MarketSpec("JP", "Japan", "Asia/Tokyo", "ja", 0.12, 24),
    MarketSpec("US", "United States", "America/New_York", "en", 0.20, 40),
    MarketSpec("DE", "Germany", "Europe/Berlin", "de", 0.11, 20),
)

QUEUES = (
    QueueSpec(
        code="hate_speech",
        name="Hate speech",
        scale="nominal",
        share=0.28,
        labels=(
            LabelSpec("none", "No violation", False, 0.0),
            LabelSpec("counter_speech", "Counter speech", False, 0.0),
            LabelSpec("slur", "Slur", True, 3.0),
            LabelSpec("dehumanising", "Dehumanising", True, 5.0),
            LabelSpec("incitement", "Incitement", True, 8.0),
        ),
        prevalence=(0.68, 0.08, 0.14, 0.07, 0.03),
        error=(0.10, 0.30, 0.25, 0.28, 0.22),
        separation=0.85,
        handle_seconds=24.0,
        content_types=(("text", 0.9), ("image", 0.1)),
    ),
    QueueSpec(
        code="nudity",
        name="Nudity",
        scale="nominal",
        share=0.22,
        labels=(
            LabelSpec("none", "No violation", False, 0.0),
            LabelSpec("suggestive", "Suggestive", False, 1.0),
            LabelSpec("nudity", "Nudity", True, 4.0),
            LabelSpec("sexual_activity", "Sexual activity", True, 6.0),
        ),
        prevalence=(0.62, 0.16, 0.14, 0.08),
        error=(0.045, 0.17, 0.12, 0.10),
        separation=1.1,
        handle_seconds=9.0,
        content_types=(("image", 0.7), ("video", 0.3)),
    ),
    QueueSpec(
        code="spam",
        name="Spam",
        scale="nominal",
        share=0.27,
        labels=(
            LabelSpec("ok", "Not spam", False, 0.0),
            LabelSpec("spam", "Spam", True, 1.0),
            LabelSpec("scam", "Scam", True, 5.0),
        ),
        prevalence=(0.70, 0.24, 0.06),
        error=(0.02, 0.06, 0.10),
        separation=1.25,
        handle_seconds=6.0,
        content_types=(("text", 0.6), ("product", 0.4)),
    ),
    QueueSpec(
        code="violence",
        name="Violence",
        scale="ordinal",
        share=0.17,
        labels=(
            LabelSpec("none", "No violence", False, 0.0),
            LabelSpec("mild", "Mild", False, 1.0),
            LabelSpec("graphic", "Graphic", True, 4.0),
            LabelSpec("extreme", "Extreme", True, 9.0),
        ),
        prevalence=(0.60, 0.22, 0.13, 0.05),
        error=(0.10, 0.28, 0.24, 0.22),
        separation=0.95,
        handle_seconds=18.0,
        content_types=(("video", 0.75), ("live", 0.15), ("audio", 0.1)),
    ),
    QueueSpec(
        code="profile_flags",
        name="Profile flags",
        scale="nominal",
        share=0.06,
        labels=(
            LabelSpec("none", "No flag", False, 0.0),
            LabelSpec("fake_identity", "Fake identity", True, 3.0),
            LabelSpec("link_farming", "Link farming", True, 2.0),
            LabelSpec("phishing", "Phishing", True, 6.0),
        ),
        prevalence=(0.58, 0.14, 0.12, 0.06, 0.06, 0.04),
        error=(0.07, 0.20, 0.18, 0.18, 0.30, 0.30),
        separation=0.0,
        handle_seconds=30.0,
        content_types=(("text", 0.5), ("image", 0.5)),
        combinations=(
            "none",
            "fake_identity",
            "link_farming",
            "phishing",
            "fake_identity|link_farming",
            "fake_identity|phishing",
        ),
    ),
)

IN_HOUSE = 3
VENDORS = (
    VendorSpec("averline", ("Recife", "Pune"), 0.85, 0.82),
    VendorSpec("brightmoor", ("Sendai", "Tampa"), 1.0, 0.76),
    VendorSpec("castellan", ("Leipzig", "Kochi"), 1.25, 0.70),
    VendorSpec("in_house", ("Lisbon",), 1.0, 0.78),
)

MODELS = (
    ModelSpec("textguard", "1.4.0", "classifier", 2.0, 1.0, None),
    ModelSpec("textguard", "2.0.0", "classifier", 2.5, 1.0, None),
    ModelSpec("policy_judge", "2026-09", "llm", 2.3, 0.5, 2),
    ModelSpec("safety_judge", "2026-10", "llm", 2.1, 0.5, 2),
)
GUIDELINES = ("2026.1", "2026.2")

TIME_ZONES = tuple(market.time_zone for market in MARKETS)
MAX_CATEGORIES = max(len(queue.categories) for queue in QUEUES)
# Answers of all queues in one list: category c of queue q is at CATEGORY_OFFSETS[q] + c.
CATEGORY_OFFSETS = tuple(sum(len(other.categories) for other in QUEUES[:index]) for index in range(len(QUEUES)))
CATEGORY_NAMES = tuple(category for queue in QUEUES for category in queue.categories)
