"""The language of mapping files: what they may say, checked when one is loaded.

Reading and checking TOML belongs here (docs/import.md is its reference); turning it into SQL is `compiler`'s task.
"""

import re
import tomllib
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    FiniteFloat,
    StrictBool,
    StrictInt,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic.types import Strict

from qa_pipeline.contracts import FEEDS
from qa_pipeline.errors import MappingError
from qa_pipeline.importing.checks import check_column, check_columns, check_references
from qa_pipeline.importing.references import ALIAS_PATTERN, parse_keys
from qa_pipeline.messages import model_reason

SourceFormat = Literal["csv", "tsv", "json", "jsonl", "parquet"]
TABLE_FORMATS = ("csv", "tsv", "parquet")
_UNKNOWN_KEY = "is not a key of a mapping file; remove it or correct its spelling (docs/import.md)"


def _as_text(value: object) -> object:
    """TOML scalars as the text that a source would hold: true -> "true", 1 -> "1"."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float | date) else value


def _as_texts(value: object) -> object:
    return tuple(_as_text(entry) for entry in value) if isinstance(value, list | tuple) else (_as_text(value),)


def _as_spec(value: object) -> object:
    return {"path": value} if isinstance(value, str) else value


def _as_condition(value: object) -> object:
    if isinstance(value, dict) and set(value) == {"not"}:
        return {"values": value["not"], "is_negated": True}
    if isinstance(value, dict):
        message = 'is a table: quote a path that has dots ("ann.was_cancelled" = false); the only table is { not = … }'
        raise ValueError(message)
    return {"values": value}


Text = Annotated[str, BeforeValidator(_as_text)]
Texts = Annotated[tuple[Text, ...], BeforeValidator(_as_texts), Field(min_length=1)]


def _offset(value: str) -> str:
    if not re.fullmatch(r"[+-]\d{2}:\d{2}", value):
        message = f"{value!r} is not an offset from UTC, such as '-07:00'"
        raise ValueError(message)
    return value


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(_Strict):
    """`[source]`: how the export's files are written."""

    format: SourceFormat
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    encoding: str = "utf-8"
    null_values: Annotated[tuple[Text, ...], BeforeValidator(_as_texts)] = ("",)

    @property
    def is_table(self) -> bool:
        """Whether the source has named columns rather than JSON records."""
        return self.format in TABLE_FORMATS

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, value: str) -> str:
        try:
            "a".encode(value)
        except LookupError as err:
            message = f"{value!r} is not an encoding that Python knows, such as 'utf-8', 'latin-1' or 'utf-16'"
            raise ValueError(message) from err
        return value

    @model_validator(mode="after")
    def _delimiter_of_csv(self) -> "Source":
        if self.delimiter is not None and self.format != "csv":
            message = "delimiter goes with format csv only"
            raise ValueError(message)
        return self


class Condition(_Strict):
    """A value, a list of values, or `{ not = … }`; the empty text stands for an absent value."""

    values: Texts
    is_negated: bool = False

    def describe(self, path: str) -> str:
        """The condition in words, for the summary."""
        values = " or ".join(repr(value) if value else "absent" for value in self.values)
        return f"{path} is {'not ' if self.is_negated else ''}{values}"


Conditions = dict[str, Annotated[Condition, BeforeValidator(_as_condition)]]


class Explode(_Strict):
    """`[[explode]]`: one row per element of a list (or entry of an object)."""

    path: str
    alias: Annotated[str, Field(alias="as")]
    where: Conditions = {}
    outer: StrictBool = False
    object: StrictBool = False

    @field_validator("alias")
    @classmethod
    def _name(cls, value: str) -> str:
        if not re.fullmatch(ALIAS_PATTERN, value):
            message = f"{value!r} is not a name: a letter, then letters, digits and _, 40 at most"
            raise ValueError(message)
        return value

    @field_validator("where")
    @classmethod
    def _relative(cls, value: dict[str, Condition]) -> dict[str, Condition]:
        for path in value:
            relative_keys(path)
        return value


def relative_keys(path: str) -> tuple[str, ...]:
    """Keys of an explode condition, counted from the element; `$` is the element itself."""
    return parse_keys(path[1:] if path.startswith("$") else path if path.startswith(("[", '."')) else "." + path)


class ColumnSpec(_Strict):
    """How one column of the feed is filled: from where, then what is done to it, in the order of these keys."""

    path: str | None = None
    or_: Annotated[tuple[str, ...], Field(alias="or")] = ()
    template: str | None = None
    const: Annotated[str | None, BeforeValidator(_as_text)] = None
    null_if: Annotated[tuple[Text, ...], BeforeValidator(_as_texts)] = ()
    urldecode: StrictBool = False
    regex: str | None = None
    lower: StrictBool = False
    map: dict[str, Annotated[Text, Field(min_length=1)]] | None = None
    map_default: Literal["error", "keep"] = "error"
    join: Annotated[str, Field(min_length=1)] | None = None
    scale: Annotated[FiniteFloat, Strict()] | None = None
    format: str | None = None
    timezone: str | None = None
    tz_abbreviations: dict[str, Annotated[str, AfterValidator(_offset)]] = {}

    @property
    def references(self) -> tuple[str, ...]:
        """The paths to try, in order."""
        return ((self.path,) if self.path is not None else ()) + self.or_


class Synthetic(_Strict):
    """`[synthetic]`: business dates for a source that has none."""

    start: date
    days: Annotated[StrictInt, Field(ge=1, le=3660)] = 1


class Mapping(_Strict):
    """A mapping file."""

    version: Literal[1]
    name: Annotated[str, Field(min_length=1)]
    target: str
    source: Source
    explode: tuple[Explode, ...] = ()
    where: Conditions = {}
    columns: dict[str, Annotated[ColumnSpec, BeforeValidator(_as_spec)]]
    synthetic: Synthetic | None = None

    @field_validator("target")
    @classmethod
    def _known_feed(cls, value: str) -> str:
        if value not in FEEDS:
            message = f"{value!r} is not a feed: the feeds are {', '.join(FEEDS)}"
            raise ValueError(message)
        return value

    @model_validator(mode="after")
    def _fits_the_contract(self) -> "Mapping":
        feed = FEEDS[self.target]
        if feed.event_at is None and self.synthetic is not None and self.synthetic.days > 1:
            message = f"synthetic.days: rows of {feed.name} have no time to spread, so all land on start; remove days"
            raise ValueError(message)
        check_columns(feed, self.columns, is_synthetic=self.synthetic is not None)
        check_references(self)
        for name, spec in self.columns.items():
            try:
                check_column(feed, name, spec)
            except ValueError as err:
                message = f"columns.{name}: {err}"
                raise ValueError(message) from err
        return self


def shipped_mappings() -> dict[str, Path]:
    """Path of each mapping that comes with the package, by its name."""
    folder = Path(str(files("qa_pipeline"))) / "mappings"
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def find_mapping(reference: Path | str) -> Path:
    """Path of a mapping file, or of the shipped mapping of that name.

    Raises MappingError naming the shipped ones when there is neither.
    """
    path = Path(reference)
    if path.is_file():
        return path
    shipped = shipped_mappings()
    if str(reference) in shipped:
        return shipped[str(reference)]
    message = f"{reference} is neither a mapping file nor one of the shipped mappings: {', '.join(shipped)}."
    raise MappingError(message)


def load_mapping(reference: Path | str) -> Mapping:
    """Read and check a mapping file, or the shipped mapping of that name.

    Raises MappingError naming the file, the key and the reason.
    """
    path = find_mapping(reference)
    try:
        content: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as err:
        message = f"{path} is not UTF-8: save it as UTF-8."
        raise MappingError(message) from err
    except tomllib.TOMLDecodeError as err:
        message = f"{path} is not valid TOML: {err}."
        raise MappingError(message) from err
    except OSError as err:
        message = f"{path} cannot be read ({err.strerror})."
        raise MappingError(message) from err
    try:
        return Mapping.model_validate(content)
    except ValidationError as err:
        sentence = f"{path}: {model_reason(err, unknown_key=_UNKNOWN_KEY)}."
    # Not `from err`: pydantic's error is a Rust object that the garbage collector cannot look into. With its cause's
    # traceback it would keep this module alive at exit, and DuckDB would print a page about leaks.
    raise MappingError(sentence)
