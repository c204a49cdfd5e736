"""What a mapping must and must not say about the columns of its feed, checked before any file is opened.

Only rules that need the feed's contract or several keys at once belong here; the form of a single key is `mapping`'s.
Every function raises ValueError with a sentence without its final stop; `mapping` adds the file and the key.
"""

import difflib
import re
from collections.abc import Callable
from collections.abc import Mapping as Dictionary
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import duckdb

from qa_pipeline.contracts import Column, Feed
from qa_pipeline.importing.references import check_reference, parse_template

if TYPE_CHECKING:
    from qa_pipeline.importing.mapping import ColumnSpec, Mapping

BUSINESS_DATE = "business_date"
EPOCH_FORMATS = ("epoch_s", "epoch_ms")
_TRUTHS = ("true", "false")


def business_date_column() -> Column:
    """The folder's date, which feeds without an event time are given as a column of the mapping."""
    return Column(BUSINESS_DATE, "date", "Date of the landing folder.")


def mapped_columns(feed: Feed, *, is_synthetic: bool) -> dict[str, Column]:
    """Columns that a mapping for the feed may fill, by name, with what is required of it.

    A synthetic mapping makes the event time (or, without one, the business date) itself.
    """
    columns = {column.name: column for column in feed.columns}
    if feed.event_at is None:
        columns[BUSINESS_DATE] = business_date_column()
    if is_synthetic:
        columns.pop(feed.event_at or BUSINESS_DATE)
    return columns


def check_columns(feed: Feed, names: Dictionary[str, object], *, is_synthetic: bool) -> None:
    """Unknown and missing columns, each named."""
    allowed = mapped_columns(feed, is_synthetic=is_synthetic)
    made = feed.event_at or BUSINESS_DATE
    if is_synthetic and made in names:
        message = f"columns.{made}: [synthetic] makes this column, so remove the one or the other"
        raise ValueError(message)
    for name in names:
        if name == BUSINESS_DATE and name not in allowed:
            message = f"columns.{name}: feed {feed.name} takes its business date from {feed.event_at}; remove this key"
            raise ValueError(message)
        if name not in allowed:
            close = difflib.get_close_matches(name, allowed, n=1)
            hint = f" (did you mean {close[0]}?)" if close else f" (its columns: {', '.join(allowed)})"
            message = f"columns.{name}: feed {feed.name} has no such column{hint}"
            raise ValueError(message)
    missing = [name for name, column in allowed.items() if column.required and name not in names]
    if missing:
        undated = f", or give [synthetic] for a source without dates ({made})" if made in missing else ""
        message = f"columns: feed {feed.name} requires {', '.join(missing)}: map each of them{undated}"
        raise ValueError(message)


def check_references(mapping: "Mapping") -> None:
    """Every path starts at the record, at an alias declared before, or (table-like sources) may be a column."""
    is_table = mapping.source.is_table
    aliases: tuple[str, ...] = ()

    def check(key: str, text: str) -> None:
        try:
            check_reference(text, aliases=aliases, is_table=is_table)
        except ValueError as err:
            message = f"{key}: {err}"
            raise ValueError(message) from err

    for number, step in enumerate(mapping.explode):
        check(f"explode.{number}.path", step.path)
        if step.alias in aliases:
            message = f"explode.{number}.as: {step.alias!r} is taken by an [[explode]] before it"
            raise ValueError(message)
        aliases = (*aliases, step.alias)
    for path in mapping.where:
        check(f"where.{path}", path)
    for name, spec in mapping.columns.items():
        for text in spec.references:
            check(f"columns.{name}", text)
        if spec.template is not None:
            _check_template(f"columns.{name}.template", spec.template, check)


def _check_template(key: str, template: str, check: Callable[[str, str], None]) -> None:
    """A template that can be read, and every reference in it by `check`."""
    try:
        parts = parse_template(template)
    except ValueError as err:
        message = f"{key}: {err}"
        raise ValueError(message) from err
    for is_reference, text in parts:
        if is_reference:
            check(key, text)


def check_column(feed: Feed, name: str, spec: "ColumnSpec") -> None:
    """Keys of one column that do not go together, or not with the column's type."""
    column = business_date_column() if name == BUSINESS_DATE else feed.column(name)
    _check_origin(spec)
    if spec.regex is not None:
        _check_regex(spec.regex)
    if spec.map is None and "map_default" in spec.model_fields_set:
        message = "map_default goes with map"
        raise ValueError(message)
    if spec.join is not None and (column.type != "string" or spec.template is not None or not spec.references):
        message = "join makes one text of a list: it goes with path or or, and with a column that holds text"
        raise ValueError(message)
    if spec.scale is not None and column.type not in ("double", "bigint"):
        message = f"scale multiplies a number, but this column is a {column.type}"
        raise ValueError(message)
    _check_time(column, spec)
    _check_vocabulary(column, spec)


def _check_origin(spec: "ColumnSpec") -> None:
    if spec.template is not None and (spec.references or spec.const is not None):
        message = "template stands alone: remove path, or and const"
        raise ValueError(message)
    if spec.template is None and not spec.references and spec.const is None:
        message = "says nothing about where the value comes from: give path, or, template or const"
        raise ValueError(message)


def _check_regex(regex: str) -> None:
    try:
        groups = re.compile(regex).groups
        _try_in_duckdb("select regexp_matches('', ?)", regex)
    except (re.error, duckdb.Error) as err:
        reason = str(err).strip().splitlines()[0]
        message = f"regex {regex!r} is not a regular expression that DuckDB (RE2) understands: {reason}"
        raise ValueError(message) from err
    if groups > 1:
        message = (
            f"regex {regex!r} has {groups} groups: keep one ( ) around what to take and write (?: ) for the others"
        )
        raise ValueError(message)


def _try_in_duckdb(sql: str, value: str) -> None:
    with duckdb.connect() as con:
        con.execute(sql, [value])


def _check_time(column: Column, spec: "ColumnSpec") -> None:
    is_time = column.type in ("timestamp", "date")
    for key in ("format", "timezone", "tz_abbreviations"):
        if getattr(spec, key) and (not is_time or (column.type == "date" and key != "format")):
            message = f"{key} goes with a time, but this column is a {column.type}"
            raise ValueError(message)
    if spec.timezone is not None:
        try:
            ZoneInfo(spec.timezone)
        except (KeyError, ValueError, OSError) as err:
            message = f"timezone {spec.timezone!r} is not in the IANA database; write 'UTC' or one like 'Europe/Berlin'"
            raise ValueError(message) from err
    if spec.format is None:
        return
    if spec.format in EPOCH_FORMATS:
        if column.type == "date":
            message = f"format {spec.format!r} goes with a time, but this column is a date"
            raise ValueError(message)
        return
    _check_strptime(column, spec, spec.format)


def _check_strptime(column: Column, spec: "ColumnSpec", pattern: str) -> None:
    try:
        _try_in_duckdb("select try_strptime('', ?)", pattern)
    except duckdb.Error as err:
        reason = str(err).strip().splitlines()[0]
        message = f"format {pattern!r} is not a time format: {reason}"
        raise ValueError(message) from err
    if "%" not in pattern:
        message = f"format {pattern!r} is none of epoch_s, epoch_ms or a pattern such as '%Y-%m-%d %H:%M:%S'"
        raise ValueError(message)
    if "%Z" in pattern and not spec.tz_abbreviations:
        message = (
            '%Z is ambiguous (IST is India, Israel and Ireland): give tz_abbreviations, such as { PDT = "-07:00" }'
        )
        raise ValueError(message)
    if column.type == "timestamp" and "%z" not in pattern.lower() and spec.timezone is None:
        message = f"format {pattern!r} reads no offset (%z): give timezone, such as 'UTC', so that it is not guessed"
        raise ValueError(message)


def _check_vocabulary(column: Column, spec: "ColumnSpec") -> None:
    """Fixed values that the column cannot take are mistakes of the mapping, not of the data."""
    allowed = column.values or (_TRUTHS if column.type == "boolean" else ())
    if not allowed:
        return
    fixed = tuple(spec.map.values()) if spec.map is not None else ((spec.const,) if spec.const is not None else ())
    for value in fixed:
        if value not in allowed:
            message = f"{value!r} is not one of {', '.join(allowed)}"
            raise ValueError(message)
