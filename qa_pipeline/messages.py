"""How a message is put: a number with its noun, the end of a sentence, and pydantic's reasons in plain words.

What went wrong, and what to do about it, is said where it is found.
"""

import difflib
import json
from collections.abc import Sequence
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

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
_ENDINGS = {1: "st", 2: "nd", 3: "rd"}
_WITHOUT_VALUE = ("missing", "value_error")


def counted(number: int, noun: str) -> str:
    """`1 row`, `2 rows`, `1,000 rows`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def ordinal(number: int) -> str:
    """`1st`, `2nd`, `11th`."""
    is_teen = number % 100 in (11, 12, 13)
    return f"{number}{'th' if is_teen else _ENDINGS.get(number % 10, 'th')}"


def as_sentence(text: str) -> str:
    """`text` with a full stop, unless it ends as a sentence already."""
    return text if text.endswith((".", "?", "!")) else f"{text}."


def model_reason(err: ValidationError, *, model: type[BaseModel], unknown_key: str) -> str:
    """One error of a TOML file as `key a.b: reason`, and how many more there are; no full stop at its end.

    A key that `model` may not have comes first, because another is often missing for it; `unknown_key` is its reason,
    or the key that was probably meant. Elements of lists are counted from 1. A value stands behind its reason as TOML
    has it.
    """
    # An entry with a mistake is not counted, so that its list may be called too short as well.
    parents = {error["loc"][:depth] for error in err.errors() for depth in range(len(error["loc"]))}
    errors = [error for error in err.errors() if error["type"] != "too_short" or error["loc"] not in parents]
    first = next((error for error in errors if error["type"] == "extra_forbidden"), errors[0])
    location, kind = first["loc"], first["type"]
    others = len(errors) - 1
    if kind == "extra_forbidden":
        near = difflib.get_close_matches(str(location[-1]), _keys_at(model, location[:-1]), n=1)
        reason = f"{unknown_key.split(';', maxsplit=1)[0]}; did you mean {near[0]}?" if near else unknown_key
        meant = (*location[:-1], *near)
        others -= sum(error["type"] == "missing" and error["loc"] == meant for error in errors)
    else:
        plain = _REASONS.get(kind)
        reason = plain.format(**first.get("ctx", {})) if plain else first["msg"].removeprefix("Value error, ")
        value = first["input"]
        if kind not in _WITHOUT_VALUE and isinstance(value, str | bool | int | float):
            reason += f" (it is {json.dumps(value, ensure_ascii=False)})"
    more = f" (and {counted(others, 'more mistake')})" if others else ""
    return f"{_named(location)}{reason}{more}"


def _named(location: Sequence[str | int]) -> str:
    """`key a.b: `, or `a, the 2nd: key b: ` below a list; nothing for the file as a whole."""
    head = ""
    keys: list[str] = []
    for part in location:
        if isinstance(part, int):
            head += f"{'.'.join(keys)}, the {ordinal(part + 1)}: "
            keys = []
        else:
            keys.append(part)
    return head + (f"key {'.'.join(keys)}: " if keys else "")


def _keys_at(model: type[BaseModel], location: Sequence[str | int]) -> list[str]:
    """Keys that the table at `location` of a file of `model` may have."""
    kind: Any = model
    for part in location:
        kind = _plain(kind)
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            kind = next(
                (field.annotation for name, field in kind.model_fields.items() if (field.alias or name) == part), None
            )
        else:  # dict[str, X], or tuple[X, ...]
            kind = next((each for each in reversed(get_args(kind)) if each is not Ellipsis), None)
    kind = _plain(kind)
    if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
        return []
    return [field.alias or name for name, field in kind.model_fields.items()]


def _plain(kind: Any) -> Any:
    """A type without `Annotated` and `| None`."""
    if get_origin(kind) is Annotated:
        return _plain(get_args(kind)[0])
    without_none = [each for each in get_args(kind) if each is not type(None)]
    return _plain(without_none[0]) if type(None) in get_args(kind) else kind
