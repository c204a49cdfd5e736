"""References of a mapping file (`$.data.item_id`, `ann.id`, a CSV header) and the SQL that reads one of them.

Parsing a reference and turning it into one SQL expression belongs here; what is done with its value does not.
Keys become JSON pointers inside quoted text literals, so that a key with dots, slashes or quotes is just a key, and
headers never become identifiers: the columns of a table-like source are called h0, h1 …
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from qa_pipeline.landing import quote_text

ALIAS_PATTERN = r"^[A-Za-z][A-Za-z0-9_]{0,39}$"
ROW, FILE_NAME, ROOT = "$row", "$filename", "$"
_KEY = re.compile(
    r"""\.(?P<bare>[^.\[\]"'\s][^.\[\]"']*)      # .name
      | \."(?P<dotted>(?:[^"\\]|\\.)*)"           # ."a name with . or spaces"
      | \[(?P<index>\d+)\]                        # [0]
      | \["(?P<double>(?:[^"\\]|\\.)*)"\]         # ["name"]
      | \['(?P<single>(?:[^'\\]|\\.)*)'\]         # ['name']
    """,
    re.VERBOSE,
)
_TEMPLATE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


class UnknownHeaderError(ValueError):
    """A table-like source has no such column."""


def parse_keys(text: str) -> tuple[str, ...]:
    """Keys of a path's tail: `.a."b.c"[0]` gives ("a", "b.c", "0").

    Raises ValueError saying which part cannot be read.
    """
    keys: list[str] = []
    position = 0
    while position < len(text):
        match = _KEY.match(text, position)
        if match is None:
            part = text[position:]
            if part.startswith("[*]"):
                message = "[*] is not part of a path: use [[explode]] for a row per element, or join for one text"
            else:
                message = f'{part!r} cannot be read as part of a path: write .name, ."any name" or [0]'
            raise ValueError(message)
        raw = next(group for group in match.groups() if group is not None)
        keys.append(re.sub(r"\\(.)", r"\1", raw) if match.lastgroup not in ("bare", "index") else raw)
        position = match.end()
    return tuple(keys)


def pointer(keys: Sequence[str]) -> str:
    """JSON pointer (RFC 6901) of the keys."""
    return "".join("/" + key.replace("~", "~0").replace("/", "~1") for key in keys)


def null_if(text: str, values: Sequence[str]) -> str:
    """SQL of `text` with each of `values` made NULL."""
    for value in values:
        text = f"nullif({text}, {quote_text(value)})"
    return text


def parse_template(text: str) -> list[tuple[bool, str]]:
    """Parts of `ls-{ann.id}`: (False, "ls-"), (True, "ann.id"). `{{` and `}}` stand for braces.

    Raises ValueError for a brace without its partner and for a template that refers to nothing.
    """
    parts: list[tuple[bool, str]] = []
    position = 0
    for match in _TEMPLATE.finditer(text):
        if match.start() > position:
            parts.append((False, text[position : match.start()]))
        if match[0] in ("{{", "}}"):
            parts.append((False, match[0][0]))
        elif match[1]:
            parts.append((True, match[1].strip()))
        else:
            message = f"template {text!r} has a lone or empty brace: write {{path}}, or {{{{ for a brace itself"
            raise ValueError(message)
        position = match.end()
    if position < len(text):
        parts.append((False, text[position:]))
    if not any(is_reference for is_reference, _ in parts):
        message = f"template {text!r} refers to nothing: use const for a fixed value"
        raise ValueError(message)
    return parts


@dataclass(frozen=True)
class Reference:
    """One resolved reference: `column` is the SQL column it starts from, `keys` lead on into its JSON."""

    column: str
    keys: tuple[str, ...]
    is_json: bool

    @property
    def json_column(self) -> str:
        """SQL of the JSON that the keys lead into."""
        return self.column if self.is_json else f"try_cast({self.column} as json)"

    def text_sql(self) -> str:
        """Text of the value; NULL when it is absent or a JSON null; a list or an object as JSON text."""
        if not self.is_json and not self.keys:
            return self.column
        return f"json_extract_string({self.json_column}, {quote_text(pointer(self.keys))})"

    def json_sql(self) -> str:
        """The value as JSON; a text that is not valid JSON gives NULL."""
        if not self.keys:
            return self.json_column
        return f"json_extract({self.json_column}, {quote_text(pointer(self.keys))})"

    def container_sql(self, text: str) -> str:
        """Whether the value, whose text is the SQL expression `text`, is a list or an object."""
        if not self.is_json and not self.keys:
            return "false"
        # CASE, not AND: the JSON is parsed again only where its text looks like a list or an object.
        kind = f"json_type({self.json_column}, {quote_text(pointer(self.keys))})"
        return f"case when left({text}, 1) in ('[', '{{') then {kind} in ('ARRAY', 'OBJECT') else false end"


class Extraction:
    """Texts of many references by one parse of each JSON column: half the time of an extraction for each of them."""

    def __init__(self) -> None:
        self._pointers: dict[str, list[str]] = {}

    def text(self, reference: Reference) -> str:
        """SQL of the reference's text, to be used after the stage of `columns`."""
        if not reference.is_json and not reference.keys:
            return reference.column
        pointers = self._pointers.setdefault(reference.json_column, [])
        wanted = pointer(reference.keys)
        if wanted not in pointers:
            pointers.append(wanted)
        return f"l_{list(self._pointers).index(reference.json_column)}[{pointers.index(wanted) + 1}]"

    def columns(self) -> list[str]:
        """Expressions (each `… as name`) of the stage that extracts."""
        return [
            f"json_extract_string({column}, [{', '.join(quote_text(each) for each in pointers)}]) as l_{number}"
            for number, (column, pointers) in enumerate(self._pointers.items())
        ]


@dataclass(frozen=True)
class Scope:
    """What a reference may start from: the record, the aliases declared so far, or a column of a table-like source.

    `headers` is None for JSON sources, whose record is the column `_record`; else the names of the columns h0, h1 …
    """

    aliases: tuple[str, ...]
    headers: tuple[str, ...] | None
    file_name: str

    def with_alias(self, alias: str) -> "Scope":
        """The scope after one more [[explode]]."""
        return Scope(aliases=(*self.aliases, alias), headers=self.headers, file_name=self.file_name)

    def resolve(self, text: str) -> Reference:
        """Resolve `text`.

        Raises UnknownHeaderError when a table-like source has no such column, ValueError when it cannot be read.
        """
        if text == ROW:
            return Reference("cast(_row as varchar)", (), is_json=False)
        if text == FILE_NAME:
            return Reference(quote_text(self.file_name), (), is_json=False)
        head = re.split(r"[.\[]", text, maxsplit=1)[0]
        if head in self.aliases:
            return Reference(f"x_{head}", parse_keys(text[len(head) :]), is_json=True)
        if self.headers is not None:
            return self._resolve_header(text, self.headers)
        if head == ROOT:
            return Reference("_record", parse_keys(text[1:]), is_json=True)
        known = ", ".join((ROOT, *self.aliases))
        message = (
            f"{text!r} starts with none of {known}: a path starts at the record ($.name), at what an [[explode]] "
            f"is called (name.key), or is {ROW} or {FILE_NAME}"
        )
        raise ValueError(message)

    def _resolve_header(self, text: str, headers: tuple[str, ...]) -> Reference:
        for wanted in (text, text.removeprefix("$.")):
            if wanted in headers:
                return Reference(f"h{headers.index(wanted)}", (), is_json=False)
        # The longest header that the path starts with: the cell's text is JSON and the rest leads into it.
        wanted = text.removeprefix("$.")
        for header in sorted(headers, key=len, reverse=True):
            if header and wanted.startswith((header + ".", header + "[")):
                return Reference(f"h{headers.index(header)}", parse_keys(wanted[len(header) :]), is_json=False)
        message = f"has no column {wanted!r} (its columns: {', '.join(headers)})"
        raise UnknownHeaderError(message)


def check_reference(text: str, *, aliases: tuple[str, ...], is_table: bool) -> None:
    """ValueError when `text` cannot be a reference. Headers are not known yet, so any text may be one."""
    if is_table and text and re.split(r"[.\[]", text, maxsplit=1)[0] not in aliases:
        return
    Scope(aliases=aliases, headers=None, file_name="").resolve(text)
