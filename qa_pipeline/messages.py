"""How a message is put: a number with its noun, the end of a sentence, and pydantic's reasons in plain words.

What went wrong, and what to do about it, is said where it is found.
"""

import json

from pydantic import ValidationError

_A_DATE = "must be a date, such as 2026-01-31"
_REASONS = {
    "missing": "is missing",
    "bool_type": "must be true or false, without quotes",
    "string_type": "must be a text, in quotes",
    "string_too_short": "must not be empty",
    "string_too_long": "is too long: its length may be {max_length} at most",
    "int_type": "must be a whole number, without quotes",
    "float_type": "must be a number, without quotes",
    "finite_number": "must be a number, not nan or inf",
    "greater_than_equal": "must be {ge:g} or more",
    "greater_than": "must be more than {gt:g}",
    "less_than_equal": "must be {le:g} or less",
    "literal_error": "must be {expected}",
    "too_short": "must have {min_length} entries or more",
    "tuple_type": "must be a list",
    "dict_type": "must be a table of keys and values",
    "model_type": "must be a table of keys and values",
    "date_type": _A_DATE,
    "date_parsing": _A_DATE,
    "date_from_datetime_parsing": _A_DATE,
    "date_from_datetime_inexact": _A_DATE,
}
_WITHOUT_VALUE = ("missing", "value_error")


def counted(number: int, noun: str) -> str:
    """`1 row`, `2 rows`, `1,000 rows`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def as_sentence(text: str) -> str:
    """`text` with a full stop, unless it ends as a sentence already."""
    return text if text.endswith((".", "?", "!")) else f"{text}."


def model_reason(err: ValidationError, *, unknown_key: str) -> str:
    """The first error of a TOML file as `key a.b: reason`, and how many more there are; no stop at its end.

    `unknown_key` is the reason for a key that the file may not have. A value stands behind its reason as TOML has it.
    """
    first = err.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    kind, context = first["type"], first.get("ctx", {})
    if kind == "extra_forbidden":
        reason = unknown_key
    else:
        plain = _REASONS.get(kind)
        reason = plain.format(**context) if plain else first["msg"].removeprefix("Value error, ")
        value = first["input"]
        if kind not in _WITHOUT_VALUE and isinstance(value, str | bool | int | float):
            reason += f" (it is {json.dumps(value, ensure_ascii=False)})"
    more = f" ({err.error_count() - 1} more like this)" if err.error_count() > 1 else ""
    return f"{f'key {key}: ' if key else ''}{reason}{more}"
