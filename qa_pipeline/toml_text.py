"""Adding to a TOML file that a person wrote, without touching a character of what stands there.

Only text in, text out: every addition is checked by parsing the result and comparing it with what it should say.
"""

import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Entry = Mapping[str, str | bool]


def quote(text: str) -> str:
    """`text` as a TOML basic string (JSON's escapes are valid in TOML)."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def value(scalar: str | bool) -> str:
    """A TOML value."""
    return str(scalar).lower() if isinstance(scalar, bool) else quote(scalar)


def table(keys: Sequence[str], entry: Entry, *, is_array: bool) -> str:
    """A `[table]` (or `[[array of tables]]`) with its keys, one a line."""
    head = ".".join(key if key.isalpha() and key.isascii() else quote(key) for key in keys)
    lines = [f"[[{head}]]" if is_array else f"[{head}]", *(f"{key} = {value(each)}" for key, each in entry.items())]
    return "\n".join(lines) + "\n"


def appended(text: str, blocks: Sequence[str]) -> str:
    """`text` with the blocks after it, an empty line before each."""
    end = "" if not text or text.endswith("\n") else "\n"
    return text + end + "".join("\n" + block for block in blocks)


def with_tables(text: str, keys: Sequence[str], tables: Mapping[str, Entry]) -> str | None:
    """`text` with a table `keys.<name>` for each of `tables`; None when its form leaves no way to append them."""
    wanted = tomllib.loads(text)
    _reach(wanted, keys).update({name: dict(entry) for name, entry in tables.items()})
    blocks = [table([*keys, name], entry, is_array=False) for name, entry in tables.items()]
    result = appended(text, blocks)
    return result if _says(result, wanted) else None


def with_elements(text: str, keys: Sequence[str], entries: Sequence[Entry]) -> str | None:
    """`text` with `entries` at the end of the list of tables at `keys`; None when no way is found.

    Lists written as `[[…]]` get more of those at the end of the file; a list in brackets gets them before its bracket.
    """
    wanted = tomllib.loads(text)
    parent = _reach(wanted, keys[:-1])
    parent[keys[-1]] = [*parent.get(keys[-1], []), *(dict(entry) for entry in entries)]
    return next((candidate for candidate in _candidates(text, keys, entries) if _says(candidate, wanted)), None)


def _candidates(text: str, keys: Sequence[str], entries: Sequence[Entry]) -> Iterator[str]:
    yield appended(text, [table(keys, entry, is_array=True) for entry in entries])
    inline = ", ".join(
        "{ " + ", ".join(f"{key} = {value(each)}" for key, each in entry.items()) + " }" for entry in entries
    )
    for position, character in enumerate(text):
        if character == "]":
            for addition in (inline, ", " + inline):
                yield text[:position] + addition + text[position:]


def _reach(content: dict[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    for key in keys:
        content = content.setdefault(key, {})
    return content


def _says(text: str, wanted: dict[str, Any]) -> bool:
    try:
        return tomllib.loads(text) == wanted
    except tomllib.TOMLDecodeError:
        return False
