"""What the pages say about the night itself: files, rows, rules, quarantine, partitions on hold. Typed reads only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from qa_pipeline.charts import words
from qa_pipeline.charts.reading import Reader
from qa_pipeline.suites import FILE_RULES

SAMPLES_PER_RULE = 3
SAMPLE_CHARACTERS = 400

_LEDGER = """
select
    feed,
    count(*) as files,
    count(distinct business_date) as dates,
    coalesce(sum(bytes), 0)::bigint as bytes,
    coalesce(sum(rows_landed), 0)::bigint as rows_landed,
    coalesce(sum(rows_validated), 0)::bigint as rows_validated,
    coalesce(sum(rows_quarantined), 0)::bigint as rows_quarantined,
    coalesce(sum(rows_superseded), 0)::bigint as rows_superseded,
from ops.ledger
group by feed
order by feed
"""

_RULES = """
select
    feed,
    rule_id,
    any_value(layer order by business_date desc) as layer,
    any_value(action order by business_date desc) as action,
    any_value(severity order by business_date desc) as severity,
    any_value(description order by business_date desc) as description,
    coalesce(sum(rows_checked), 0)::bigint as rows_checked,
    coalesce(sum(rows_failed), 0)::bigint as rows_failed,
    count(distinct business_date) filter (where rows_failed > 0 or not is_success) as dates_failed,
    max(business_date) filter (where rows_failed > 0 or not is_success) as last_failed,
    any_value(message order by business_date desc) filter (where not is_success and message <> '') as message,
from ops.rule_results
group by feed, rule_id
order by feed, rule_id
"""

_BLOCKED = """
select feed, business_date, message,
from ops.partitions
where status = 'blocked'
order by business_date desc, feed
"""

_FILES = """
select feed, business_date, file_name, rule_id, message, rows_landed,
from quarantine.quarantined_files
order by business_date desc, feed, file_name
"""

_SAMPLES = """
with opened as (
    select feed, business_date, file_name, row_number, row_json, unnest(rule_ids) as rule_id,
    from quarantine.quarantined_rows
)
select feed, rule_id, business_date, file_name, row_number, left(row_json, $characters::integer) as row_json,
from opened
qualify
    row_number() over (
        partition by feed, rule_id order by business_date desc, file_name, opened.row_number
    ) <= $samples::integer
order by feed, rule_id, business_date desc, file_name, opened.row_number
"""


@dataclass(frozen=True)
class LedgerLine:
    """A feed's totals over all its files. Landed = validated + quarantined + superseded, or something was lost."""

    feed: str
    files: int
    dates: int
    bytes: int
    landed: int
    validated: int
    quarantined: int
    superseded: int

    @property
    def missing(self) -> int:
        """Rows that landed and are nowhere; 0 when the identity holds."""
        return self.landed - self.validated - self.quarantined - self.superseded


@dataclass(frozen=True)
class RuleLine:
    """A rule's results over all dates."""

    feed: str
    rule_id: str
    layer: str
    action: str
    severity: str
    description: str
    checked: int
    failed: int
    dates_failed: int
    last_failed: date | None
    message: str | None


@dataclass(frozen=True)
class Taken:
    """What one rule sent to quarantine: rows, and whole files with `rows` of theirs where they could be counted."""

    feed: str
    rule_id: str
    description: str
    rows: int
    files: int
    dates: int
    last: date | None


@dataclass(frozen=True)
class QuarantinedFile:
    """A file that was quarantined whole, and why; `rows` is 0 where they could not be counted."""

    feed: str
    day: date
    name: str
    rule_id: str
    message: str
    rows: int


@dataclass(frozen=True)
class Operations:
    """The night's bookkeeping, as read."""

    ledger: Sequence[LedgerLine]
    rules: Sequence[RuleLine]
    blocked: Sequence[tuple[str, date, str]]
    files: Sequence[QuarantinedFile]
    samples: Sequence[tuple[Any, ...]]

    @property
    def rows_quarantined(self) -> int:
        """Quarantined rows of all feeds."""
        return sum(line.quarantined for line in self.ledger)

    @property
    def rows_landed(self) -> int:
        """Landed rows of all feeds."""
        return sum(line.landed for line in self.ledger)

    @property
    def quarantine_text(self) -> str:
        """`1,351 rows and 2 files`, `2 files`, `nothing`."""
        held = [words.plural(self.rows_quarantined, "row")] if self.rows_quarantined else []
        held += [words.plural(len(self.files), "file")] if self.files else []
        return " and ".join(held) or "nothing"

    @property
    def is_all_aside(self) -> bool:
        """Whether files have landed and no row of them is of use: all are on hold or in quarantine."""
        return bool(self.ledger) and not any(line.validated for line in self.ledger)

    def files_of(self, feed: str) -> int:
        """How many files of a feed were quarantined whole."""
        return sum(file.feed == feed for file in self.files)

    def taken(self) -> list[Taken]:
        """What each rule sent to quarantine, most rows first; of equals most files first."""
        found = [
            Taken(rule.feed, rule.rule_id, rule.description, rule.failed, 0, rule.dates_failed, rule.last_failed)
            for rule in self.rules
            if rule.failed and rule.action == "quarantine"
        ]
        described = {rule.rule_id: rule.description for rule in FILE_RULES}
        described |= {rule.rule_id: rule.description for rule in self.rules}
        for feed, rule_id in sorted({(file.feed, file.rule_id) for file in self.files}):
            files = [file for file in self.files if (file.feed, file.rule_id) == (feed, rule_id)]
            days = {file.day for file in files}
            rows = sum(file.rows for file in files)
            found.append(
                Taken(feed, rule_id, described.get(rule_id, ""), rows, len(files), len(days), max(days, default=None))
            )
        return sorted(found, key=lambda line: (-line.rows, -line.files, line.feed, line.rule_id))

    def hold_sentence(self) -> str:
        """What is on hold and in quarantine, in two sentences at most."""
        parts = []
        if self.blocked:
            feeds = sorted({feed for feed, _, _ in self.blocked})
            number = words.plural(len(self.blocked), "delivery is", "deliveries are")
            parts.append(f"{number} on hold ({words.join(feeds)}).")
        held = []
        if self.rows_quarantined:
            held.append(f"{words.count(self.rows_quarantined)} of {words.plural(self.rows_landed, 'landed row')}")
        if self.files:
            held.append(words.plural(len(self.files), "whole file"))
        if held:
            is_one = (self.rows_quarantined + len(self.files)) == 1
            parts.append(f"{' and '.join(held)} {'is' if is_one else 'are'} in quarantine.")
        return " ".join(parts) or "Nothing is on hold or in quarantine."


def read_operations(reader: Reader) -> Operations:
    """Read ledger, rule results, blocked partitions, quarantined files and up to 3 sample rows a rule."""
    samples = reader.rows(
        _SAMPLES,
        needs=["quarantine.quarantined_rows"],
        parameters={"samples": SAMPLES_PER_RULE, "characters": SAMPLE_CHARACTERS},
    )
    return Operations(
        ledger=[LedgerLine(*row) for row in reader.rows(_LEDGER, needs=["ops.ledger"])],
        rules=[RuleLine(*row) for row in reader.rows(_RULES, needs=["ops.rule_results"])],
        blocked=[(feed, day, message or "") for feed, day, message in reader.rows(_BLOCKED, needs=["ops.partitions"])],
        files=[
            QuarantinedFile(feed, day, name, rule_id, message or "", rows or 0)
            for feed, day, name, rule_id, message, rows in reader.rows(_FILES, needs=["quarantine.quarantined_files"])
        ],
        samples=samples,
    )
