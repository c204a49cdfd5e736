"""What an import did, as counts that add up and as sentences for a person.

Records only; they are filled by `runner`. The identity rows exploded = dropped + rejected + written is checked here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from qa_pipeline.errors import MappingError
from qa_pipeline.messages import counted

SAMPLES = 3
_SAMPLE_LENGTH = 60


@dataclass(frozen=True)
class Drop:
    """Rows that one rule of the mapping ([[explode]] or [where]) left out on purpose."""

    rule: str
    rows: int


@dataclass(frozen=True)
class Sample:
    """One rejected value (None: absent) and where it stands: file, row of the file, elements below it."""

    value: str | None
    place: str


@dataclass(frozen=True)
class Reject:
    """Rows that cannot be written because of one column; a row with two bad columns is in two of these."""

    column: str
    reason: str
    rows: int
    samples: tuple[Sample, ...]

    def sentence(self) -> str:
        """The reject in words, with its first samples."""
        shown = "; ".join(
            f"{sample.place}" if sample.value is None else f"{_short(sample.value)} in {sample.place}"
            for sample in self.samples
        )
        return f"{self.column} {self.reason}: {counted(self.rows, 'row')} ({shown})"


@dataclass(frozen=True)
class SourceCounts:
    """Counts of one source file. `rows_exploded` are the rows that the mapping makes of the `rows_read` records."""

    name: str
    sha256: str
    rows_read: int
    rows_exploded: int
    rows_dropped: int
    rows_rejected: int
    rows_written: int
    landed_name: str

    def check(self) -> None:
        """MappingError unless every row is in exactly one place; that would be a mistake of this program."""
        if self.rows_exploded != self.rows_dropped + self.rows_rejected + self.rows_written:
            message = (
                f"{self.name}: {self.rows_exploded} rows were made of it, but {self.rows_dropped} dropped, "
                f"{self.rows_rejected} rejected and {self.rows_written} written do not add up to them. "
                "Nothing was imported; please report this."
            )
            raise MappingError(message)


@dataclass(frozen=True)
class ImportSummary:
    """What `import_files` did.

    `rows_per_date` counts written rows by business date, `files` are the landed files, `replaced` landed files of an
    earlier import of the same source that no row belongs to any more, `rejected_files` hold the rejected rows,
    `config_notes` say what was drafted or is unknown to the config, `notes` are other remarks.
    """

    feed: str
    mapping: str
    is_synthetic: bool
    sources: tuple[SourceCounts, ...]
    drops: tuple[Drop, ...]
    rejects: tuple[Reject, ...]
    rows_per_date: dict[date, int]
    files: tuple[Path, ...]
    replaced: tuple[Path, ...]
    rejected_files: tuple[Path, ...]
    config_notes: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def rows_read(self) -> int:
        """Records in the source files."""
        return sum(source.rows_read for source in self.sources)

    @property
    def rows_exploded(self) -> int:
        """Rows that the mapping made of them."""
        return sum(source.rows_exploded for source in self.sources)

    @property
    def rows_dropped(self) -> int:
        """Rows left out by [[explode]] or [where]."""
        return sum(source.rows_dropped for source in self.sources)

    @property
    def rows_rejected(self) -> int:
        """Rows with a value that cannot be used."""
        return sum(source.rows_rejected for source in self.sources)

    @property
    def rows_written(self) -> int:
        """Rows in the landed files."""
        return sum(source.rows_written for source in self.sources)

    def lines(self) -> Iterator[str]:
        """The summary as plain lines, the most important first."""
        records, files = counted(self.rows_read, "record"), counted(len(self.sources), "file")
        yield (
            f"{self.feed}: read {records} from {files} with “{self.mapping}”, which made "
            f"{counted(self.rows_exploded, 'row')}: {self.rows_written:,} written, {self.rows_dropped:,} dropped by "
            f"rule, {self.rows_rejected:,} rejected."
        )
        if self.rows_per_date:
            first, last = min(self.rows_per_date), max(self.rows_per_date)
            days = len(self.rows_per_date)
            made = ", made up by [synthetic]: these are not the real dates" if self.is_synthetic else ""
            span = f"{first}" if first == last else f"{first} to {last}, {days} dates"
            yield f"Business dates: {span}{made}."
        for drop in self.drops:
            yield f"Dropped {counted(drop.rows, 'row')}: {drop.rule}"
        for reject in self.rejects:
            yield f"Rejected: {reject.sentence()}"
        for path in self.rejected_files:
            yield f"The rejected rows are in {path}"
        if self.replaced:
            yield f"Removed {counted(len(self.replaced), 'landed file')} of an earlier import of the same source."
        yield from self.notes
        yield from self.config_notes


def _short(value: str) -> str:
    return repr(value if len(value) <= _SAMPLE_LENGTH else value[: _SAMPLE_LENGTH - 1] + "…")
