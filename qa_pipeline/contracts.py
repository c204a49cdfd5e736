"""The contract of every feed: the one source for columns, types, keys and their documentation.

Landing, suites, simulator, mappings, tests and docs derive from this module. Nothing here does I/O, and no
thresholds or tenant settings belong here (those are configuration).
"""

from dataclasses import dataclass, field
from typing import Literal

ColumnType = Literal["string", "timestamp", "date", "double", "bigint", "boolean"]

REPLICATES = 20
RESERVED_CODES = frozenset({"ALL", "CROSS"})
CONTENT_TYPES = ("text", "image", "audio", "video", "live", "product")
STAGES = ("production", "qa", "expert", "calibration")
MODEL_KINDS = ("classifier", "llm", "rule")
GOLD_SOURCES = ("expert", "arbitration", "policy")
TARGET_KINDS = ("label", "prediction", "review")
ERROR_CATEGORIES = ("none", "false_positive", "false_negative", "wrong_policy", "technical")
SEVERITIES = ("critical", "major", "minor")
SAMPLINGS = ("random", "targeted", "appeal")
APPEAL_OUTCOMES = ("upheld", "overturned", "partial")

SQL_TYPES: dict[ColumnType, str] = {
    "string": "VARCHAR",
    "timestamp": "TIMESTAMP WITH TIME ZONE",
    "date": "DATE",
    "double": "DOUBLE",
    "bigint": "BIGINT",
    "boolean": "BOOLEAN",
}


@dataclass(frozen=True)
class Column:
    """One column of a feed: its name, type, whether a file and a row must have it, and what it means."""

    name: str
    type: ColumnType
    doc: str
    required: bool = True
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Feed:
    """One feed of the contract.

    `key` identifies a row within the feed (a repeated key is an older delivery), `event_at` is the time whose
    market-local date is the business date (None: the folder's date is), `rule_prefix` starts its rule ids.
    """

    name: str
    grain: str
    rule_prefix: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    event_at: str | None
    is_required: bool = False
    item_column: str | None = None
    names: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", tuple(column.name for column in self.columns))

    def column(self, name: str) -> Column:
        """Return the column called `name`; KeyError when the feed has none."""
        for column in self.columns:
            if column.name == name:
                return column
        message = f"feed {self.name} has no column {name}"
        raise KeyError(message)

    @property
    def required_names(self) -> tuple[str, ...]:
        """Names of the columns that every file and row must have."""
        return tuple(column.name for column in self.columns if column.required)


def _text(name: str, doc: str, *, required: bool = True, values: tuple[str, ...] = ()) -> Column:
    return Column(name=name, type="string", doc=doc, required=required, values=values)


def _time(name: str, doc: str, *, required: bool = True) -> Column:
    return Column(name=name, type="timestamp", doc=doc + " (UTC with zone)", required=required)


_MARKET = _text("market", "Market code, as in markets.toml.")
_QUEUE = _text("queue", "Queue code, as in taxonomy.toml.")
_ITEM = _text("item_id", "The item that was judged.")
_CONTENT = _text("content_type", "Kind of content.", values=CONTENT_TYPES)

LABELS = Feed(
    name="labels",
    grain="a human decision on an item",
    rule_prefix="LBL",
    key=("label_id",),
    event_at="submitted_at",
    is_required=True,
    item_column="item_id",
    columns=(
        _text("label_id", "Identifies the decision."),
        _ITEM,
        _MARKET,
        _QUEUE,
        _CONTENT,
        _text("annotator_id", "Pseudonym of the annotator who decided."),
        _text("vendor", "Company the annotator works for."),
        _text("label", "Chosen label; a multi-select is its codes, sorted and joined by |."),
        _text("stage", "Why the decision was made.", values=STAGES),
        _time("submitted_at", "When the decision was made"),
        _time("assigned_at", "When the annotator got the item", required=False),
        _text("batch_id", "Lot of a vendor's delivery.", required=False),
        _text("language", "Language of the content (BCP 47).", required=False),
        _text("guideline_version", "Guideline in force for the decision.", required=False),
        Column("handle_seconds", "double", "Seconds spent on the item.", required=False),
        Column("is_blind", "boolean", "Whether the annotator saw no earlier decision.", required=False),
        _text("suggested_label", "Label that the tool suggested.", required=False),
        Column("suggestion_shown", "boolean", "Whether the suggestion was visible.", required=False),
    ),
)

PREDICTIONS = Feed(
    name="predictions",
    grain="an item, model version and label",
    rule_prefix="PRD",
    key=("prediction_id",),
    event_at="predicted_at",
    item_column="item_id",
    columns=(
        _text("prediction_id", "Identifies the row."),
        _ITEM,
        _MARKET,
        _QUEUE,
        _CONTENT,
        _text("model_id", "Name of the model."),
        _text("model_version", "Version of the model."),
        _text("model_kind", "What sort of model decides.", values=MODEL_KINDS),
        _text("label", "Label that the score is for."),
        Column("score", "double", "P(this label applies), 0 to 1.", required=False),
        Column("is_decision", "boolean", "Whether this is the label that the model chose."),
        _time("predicted_at", "When the model ran"),
        _text("rationale", "What the model gave as its reason.", required=False),
    ),
)

ITEMS = Feed(
    name="items",
    grain="an item entering a queue",
    rule_prefix="ITM",
    key=("market", "queue", "item_id"),
    event_at="enqueued_at",
    item_column="item_id",
    columns=(
        _ITEM,
        _MARKET,
        _QUEUE,
        _CONTENT,
        _text("language", "Language of the content (BCP 47).", required=False),
        _time("enqueued_at", "When the item entered the queue"),
        Column("priority", "bigint", "1 is the most urgent.", required=False),
    ),
)

GOLD = Feed(
    name="gold",
    grain="a known answer",
    rule_prefix="GLD",
    key=("market", "queue", "item_id"),
    event_at=None,
    item_column="item_id",
    columns=(
        _ITEM,
        _text("market", "Market code; absent when the answer holds in every market.", required=False),
        _QUEUE,
        _text("label", "The known answer."),
        _text("source", "Who says so.", values=GOLD_SOURCES),
        _text("guideline_version", "Guideline that the answer was given under.", required=False),
        _time("valid_from", "From when the answer holds", required=False),
    ),
)

REVIEWS = Feed(
    name="reviews",
    grain="a QA re-review",
    rule_prefix="REV",
    key=("review_id",),
    event_at="reviewed_at",
    item_column="item_id",
    columns=(
        _text("review_id", "Identifies the review."),
        _text("target_kind", "What is judged; `review` is arbitration of a review.", values=TARGET_KINDS),
        _text("target_id", "label_id, prediction_id or review_id of what is judged."),
        _ITEM,
        _MARKET,
        _QUEUE,
        _text("reviewer_id", "Pseudonym of the reviewer."),
        _text("verdict_label", "Label that the reviewer holds to be right."),
        _text("error_category", "TSPA error type, or none.", values=ERROR_CATEGORIES),
        _text("severity", "How bad the error is.", values=SEVERITIES),
        Column("is_blind", "boolean", "Whether the reviewer saw no earlier decision."),
        _text("sampling", "How the target was picked.", values=SAMPLINGS),
        Column("inclusion_probability", "double", "Chance with which the target was picked.", required=False),
        _text("root_cause", "Why the error happened.", required=False),
        _time("reviewed_at", "When the review was made"),
    ),
)

APPEALS = Feed(
    name="appeals",
    grain="an appeal",
    rule_prefix="APL",
    key=("appeal_id",),
    event_at="filed_at",
    item_column="item_id",
    columns=(
        _text("appeal_id", "Identifies the appeal."),
        _text("target_kind", "What is appealed.", values=("label", "prediction")),
        _text("target_id", "label_id or prediction_id of what is appealed."),
        _ITEM,
        _MARKET,
        _QUEUE,
        _text("original_label", "Label that is appealed."),
        _text("outcome", "How it ended.", values=APPEAL_OUTCOMES),
        _text("final_label", "Label after the appeal."),
        _time("filed_at", "When the appeal was filed"),
        _time("resolved_at", "When the appeal was decided", required=False),
    ),
)

ROSTER = Feed(
    name="roster",
    grain="an annotator on a day",
    rule_prefix="RST",
    key=("annotator_id",),
    event_at=None,
    columns=(
        _text("annotator_id", "Pseudonym of the annotator."),
        _text("vendor", "Company the annotator works for."),
        _text("site", "Office of the vendor."),
        _MARKET,
        _text("language", "Working language (BCP 47)."),
        _text("role", "annotator, reviewer, expert …"),
        Column("hired_on", "date", "First working day."),
        Column("certified_on", "date", "Day the certification was passed.", required=False),
        Column("is_active", "boolean", "Whether the annotator may get work."),
    ),
)

TIMESHEETS = Feed(
    name="timesheets",
    grain="an annotator's day",
    rule_prefix="TMS",
    key=("annotator_id",),
    event_at=None,
    columns=(
        _text("annotator_id", "Pseudonym of the annotator."),
        Column("paid_minutes", "double", "Minutes paid."),
        Column("productive_minutes", "double", "Minutes spent on items."),
    ),
)

FEEDS: dict[str, Feed] = {
    feed.name: feed for feed in (LABELS, PREDICTIONS, ITEMS, GOLD, REVIEWS, APPEALS, ROSTER, TIMESHEETS)
}
