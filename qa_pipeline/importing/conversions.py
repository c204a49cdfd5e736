"""SQL that turns a mapped text into a column's type, or into the reason why it cannot.

One expression per type, each from a text column to (value, reason). A value that cannot be converted is NULL and its
reason is said; nothing is rounded, guessed or read in the machine's time zone.
"""

import re
from dataclasses import dataclass

from qa_pipeline.contracts import Column
from qa_pipeline.importing.mapping import ColumnSpec
from qa_pipeline.landing import quote_text

TRUE_WORDS = ("true", "t", "yes", "y", "1")
FALSE_WORDS = ("false", "f", "no", "n", "0")
# Exports carry year 1 and seconds read as milliseconds; neither is a decision's time.
FIRST_YEAR, LAST_YEAR = 1970, 2199
_LAST_EPOCH = 7258118400  # 2200-01-01T00:00:00Z
_CLOCK = r"\d{2}:\d{2}(:\d{2}(\.\d+)?)?"
_NAIVE = rf"^\d{{4}}-\d{{2}}-\d{{2}}([T ]{_CLOCK})?$"
_OFFSET = rf"^\d{{4}}-\d{{2}}-\d{{2}}[T ]{_CLOCK}(Z|[+-]\d{{2}}(:?\d{{2}})?)$"
_ISO_DATE = r"^\d{4}-\d{2}-\d{2}$"
_ZULU, _SPACED_OFFSET = r"\s*(Z|z|UTC|GMT)$", r"\s+([+-]\d{2}(:?\d{2})?)$"
_NO_OFFSET = "has no offset from UTC, and the mapping declares no timezone for it"


@dataclass(frozen=True)
class Conversion:
    """`value_sql` is NULL where the text cannot be converted; `reason_sql` is a text that says why."""

    value_sql: str
    reason_sql: str


def convert(column: Column, spec: ColumnSpec, text: str) -> Conversion:
    """Conversion of the SQL text expression `text` (a column name: it is repeated) to the column's type."""
    if column.type == "timestamp":
        return _timestamp(spec, text)
    if column.type == "date":
        return _date(spec, text)
    if column.type == "double":
        number = f"try_cast({text} as double)"
        return Conversion(f"case when isfinite({number}) then {_scaled(number, spec)} end", "'is not a number'")
    if column.type == "bigint":
        return _whole(spec, text)
    if column.type == "boolean":
        true, false = (", ".join(quote_text(word) for word in words) for words in (TRUE_WORDS, FALSE_WORDS))
        value = f"case when lower({text}) in ({true}) then true when lower({text}) in ({false}) then false end"
        return Conversion(value, "'is neither true nor false'")
    return Conversion(text, "'cannot be used'")


def _scaled(number: str, spec: ColumnSpec) -> str:
    """`number` times the scale; a scale such as 0.001 divides by 1000, so that 5100 ms are 5.1 s to the last digit."""
    if spec.scale is None:
        return number
    inverse = round(1 / spec.scale) if spec.scale else 0
    is_share = inverse > 1 and spec.scale == 1 / inverse
    return f"{number} / {inverse}" if is_share else f"{number} * {spec.scale!r}::double"


def _whole(spec: ColumnSpec, text: str) -> Conversion:
    reason = "'is not a whole number'"
    if spec.scale is None:
        digits = quote_text(r"^[+-]?[0-9]{1,18}(\.0+)?$")
        value = f"case when regexp_matches({text}, {digits}) then try_cast(split_part({text}, '.', 1) as bigint) end"
        return Conversion(value, reason)
    scaled = f"({_scaled(f'try_cast({text} as double)', spec)})"
    is_whole = f"abs({scaled}) < 1e15 and abs({scaled} - round({scaled})) < 1e-9"
    return Conversion(f"case when {is_whole} then try_cast(round({scaled}) as bigint) end", reason)


def _date(spec: ColumnSpec, text: str) -> Conversion:
    if spec.format is not None:
        value = f"cast(try_strptime({text}, {quote_text(spec.format)}) as date)"
        return Conversion(value, quote_text(f"is not a date of the form {spec.format}"))
    is_iso = f"regexp_matches({text}, {quote_text(_ISO_DATE)})"
    return Conversion(f"case when {is_iso} then try_cast({text} as date) end", "'is not a date (YYYY-MM-DD)'")


def _timestamp(spec: ColumnSpec, text: str) -> Conversion:
    span = f"between {FIRST_YEAR} and {LAST_YEAR}"
    if spec.format in ("epoch_s", "epoch_ms"):
        unit = 1 if spec.format == "epoch_s" else 1000
        seconds = f"(try_cast({text} as double) / {unit})"
        is_known = f"{seconds} >= 0 and {seconds} < {_LAST_EPOCH}"
        value = f"case when {is_known} then make_timestamptz(try_cast(round({seconds} * 1e6) as bigint)) end"
        word = "seconds" if unit == 1 else "milliseconds"
        return Conversion(value, quote_text(f"is not a number of {word} since 1970 (before {LAST_YEAR + 1})"))
    named = _with_offsets(spec, text)
    zone = None if spec.timezone is None else quote_text(spec.timezone)
    if spec.format is not None:
        instant = _by_pattern(spec.format, named, zone)
        reason = quote_text(f"is not a time of the form {spec.format} in {FIRST_YEAR} to {LAST_YEAR}")
        return Conversion(f"case when year({instant}) {span} then {instant} end", reason)
    iso = _tidy_offset(named)
    is_offset, is_naive = (f"regexp_matches({iso}, {quote_text(form)})" for form in (_OFFSET, _NAIVE))
    local = "" if zone is None else f" when {is_naive} then timezone({zone}, try_cast({iso} as timestamp))"
    instant = f"(case when {is_offset} then try_cast({iso} as timestamptz){local} end)"
    reason = quote_text(f"is not an ISO 8601 time in {FIRST_YEAR} to {LAST_YEAR} (give format for any other form)")
    if zone is None:
        reason = f"case when {is_naive} then {quote_text(_NO_OFFSET)} else {reason} end"
    return Conversion(f"case when year({instant}) {span} then {instant} end", reason)


def is_local_sql(spec: ColumnSpec, text: str) -> str | None:
    """Whether `text` is an ISO 8601 time that takes the zone of the mapping; None when no text can be."""
    if spec.timezone is None or spec.format is not None:
        return None
    return f"coalesce(regexp_matches({_tidy_offset(_with_offsets(spec, text))}, {quote_text(_NAIVE)}), false)"


def _by_pattern(pattern: str, text: str, zone: str | None) -> str:
    has_offset = "%z" in pattern.lower()
    parsed = f"try_strptime({text}, {quote_text(pattern.replace('%Z', '%z'))})"
    return parsed if has_offset or zone is None else f"timezone({zone}, {parsed})"


def _with_offsets(spec: ColumnSpec, text: str) -> str:
    """Abbreviations such as PDT as the offsets that the mapping gives them, and no others."""
    for name, offset in spec.tz_abbreviations.items():
        word = quote_text(rf"\b{re.escape(name)}\b")
        text = f"regexp_replace({text}, {word}, {quote_text(offset)})"
    return text


def _tidy_offset(text: str) -> str:
    """`… 10:00 +02:00`, `…z` and `… UTC` in the one form that DuckDB casts."""
    zulu = f"regexp_replace({text}, {quote_text(_ZULU)}, 'Z')"
    return f"regexp_replace({zulu}, {quote_text(_SPACED_OFFSET)}, '\\1')"
