"""What a mart is: its name, what it says, what it reads, and columns that it has beside those of all marts.

The list of marts is `build.MARTS`; the rows that all have in common are `records`.
"""

from dataclasses import dataclass, field

from qa_pipeline.marts.records import COLUMNS
from qa_pipeline.marts.verdicts import VERDICT_COLUMN, VERDICT_MARTS


@dataclass(frozen=True)
class Headline:
    """The figure that a mart says first of a market and queue, and says to be missing where there is nothing."""

    subject_kind: str
    subject: str
    metric: str
    reference_kind: str


@dataclass(frozen=True)
class Source:
    """The tally that a mart would be empty without."""

    tally: str
    where: str = "true"


@dataclass(frozen=True)
class Mart:
    """A mart. `queries` are the files of sql/marts that it reads; `extra` columns have a DuckDB type and a comment.

    `headline` None: markets and queues of which it knows nothing have no row, because having nothing to say is normal.
    `source` None: it may be empty whatever the tallies hold.
    """

    name: str
    comment: str
    queries: tuple[str, ...]
    headline: Headline | None
    source: Source | None
    extra: dict[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def columns(self) -> dict[str, tuple[str, str]]:
        """Type and comment of every column."""
        verdict = VERDICT_COLUMN if self.name in VERDICT_MARTS else {}
        return COLUMNS | verdict | self.extra
