"""Source files of an import: open one as rows of text in file order, and say precisely what is wrong with a bad one.

Everything is read as text and nothing is sniffed: format, delimiter and encoding are the mapping's word. What the rows
mean is not decided here.
"""

import codecs
import csv
from dataclasses import dataclass
from pathlib import Path

import duckdb

from qa_pipeline import faults
from qa_pipeline.errors import MappingError
from qa_pipeline.importing.mapping import Source
from qa_pipeline.landing import quote_name, quote_path, quote_text, sha256

SMALLEST_OBJECT_LIMIT = 16 << 20
LARGEST_OBJECT_LIMIT = 1 << 30
_CHUNK = 1 << 20


@dataclass(frozen=True)
class SourceFile:
    """One source file, ready to read.

    `relation_sql` yields `_row` (1-based, file order) and either `_record` (JSON) or the text columns h0, h1 …, whose
    names are `headers` (None for JSON sources).
    """

    path: Path
    sha256: str
    relation_sql: str
    headers: tuple[str, ...] | None

    @property
    def name(self) -> str:
        """File name without folders: what `$filename` gives."""
        return self.path.name


def open_source(
    con: duckdb.DuckDBPyConnection, path: Path, *, source: Source, scratch: Path, number: int
) -> SourceFile:
    """Look into a source file and say how DuckDB reads it; a file in another encoding is copied to `scratch` first.

    Raises MappingError with a sentence when the file is absent, empty or not of the declared format.
    """
    try:
        digest = sha256(path)
        with path.open("rb") as stream:
            head = stream.read(4)
    except OSError as err:
        message = f"{path} cannot be read ({err.strerror}): see that it is there and that you may read it."
        raise MappingError(message) from err
    if not head:
        message = f"{path} is empty (0 bytes): export it again; nothing was imported."
        raise MappingError(message)
    if source.format == "parquet":
        relation, headers = _parquet(con, path)
        return SourceFile(path, digest, relation, headers)
    if faults.is_gzip(path):
        try:
            faults.check_gzip(path)
        except faults.READ_ERRORS as err:
            raise MappingError(explain(path, source=source, error=err)) from err
    readable = _as_utf8(path, source=source, scratch=scratch, number=number)
    if source.is_table:
        relation, headers = _table(readable, path=path, source=source)
        return SourceFile(path, digest, relation, headers)
    return SourceFile(path, digest, _json(readable, path=path, source=source), None)


def _compression(path: Path) -> str:
    return "gzip" if faults.is_gzip(path) else "none"


def _as_utf8(path: Path, *, source: Source, scratch: Path, number: int) -> Path:
    """The file itself when DuckDB can read it, else a copy in UTF-8 without a byte order mark."""
    is_utf8 = codecs.lookup(source.encoding).name in ("utf-8", "ascii")
    try:
        if is_utf8 and not _has_mark(path):
            return path
        copy = scratch / f"source-{number}"
        encoding = "utf-8-sig" if is_utf8 else source.encoding
        with faults.open_text(path, encoding=encoding) as text, copy.open("w", encoding="utf-8", newline="") as out:
            while chunk := text.read(_CHUNK):
                out.write(chunk)
    except faults.READ_ERRORS as err:
        reason = faults.engine_reason(err, path=path)
        message = f"{path} cannot be read as {source.encoding}: {reason}. Correct encoding in [source]."
        raise MappingError(message) from err
    return copy


def _has_mark(path: Path) -> bool:
    with faults.open_text(path, encoding="latin-1") as stream:
        return stream.read(3).encode("latin-1") == codecs.BOM_UTF8


def _table(readable: Path, *, path: Path, source: Source) -> tuple[str, tuple[str, ...]]:
    delimiter = _delimiter(source)
    try:
        with faults.open_text(readable, encoding="utf-8") as stream:
            headers = tuple(next(csv.reader(stream, delimiter=delimiter, strict=True), ()))
    except faults.READ_ERRORS as err:
        raise MappingError(explain(path, source=source, error=err)) from err
    if not any(headers):
        message = f"{path}: its header line is empty: the first line has the names; nothing was imported."
        raise MappingError(message)
    repeated = sorted({name for name in headers if headers.count(name) > 1})
    if repeated:
        message = f"{path}: its header line names {repeated[0]!r} twice: correct the header; nothing was imported."
        raise MappingError(message)
    columns = ", ".join(f"'h{index}': 'VARCHAR'" for index in range(len(headers)))
    reader = (
        f"read_csv({quote_path(readable)}, columns = {{{columns}}}, header = true, auto_detect = false, "
        f"delim = {quote_text(delimiter)}, quote = '\"', escape = '\"', nullstr = '', strict_mode = true, "
        f"compression = '{_compression(readable)}')"
    )
    return _numbered("*", reader), headers


def _delimiter(source: Source) -> str:
    return "\t" if source.format == "tsv" else (source.delimiter or ",")


def _json(readable: Path, *, path: Path, source: Source) -> str:
    layout = "newline_delimited"
    limit = SMALLEST_OBJECT_LIMIT
    if source.format == "json":
        first = _first_character(readable, path=path, source=source)
        layout = "array" if first == "[" else "unstructured"
        # One object may be the whole file, and a gzipped one about 20 times as large as its file.
        size = readable.stat().st_size * (20 if faults.is_gzip(readable) else 1) + 1
        limit = limit if layout == "array" else min(max(limit, size), LARGEST_OBJECT_LIMIT)
    reader = (
        f"read_json_objects({quote_path(readable)}, format = '{layout}', maximum_object_size = {limit}, "
        f"compression = '{_compression(readable)}')"
    )
    return _numbered("json as _record", reader)


def _first_character(readable: Path, *, path: Path, source: Source) -> str:
    try:
        with faults.open_text(readable, encoding="utf-8") as stream:
            while chunk := stream.read(_CHUNK):
                if text := chunk.lstrip():
                    return text[0]
    except faults.READ_ERRORS as err:
        raise MappingError(explain(path, source=source, error=err)) from err
    message = f"{path} has nothing but blanks in it: export it again; nothing was imported."
    raise MappingError(message)


def _parquet(con: duckdb.DuckDBPyConnection, path: Path) -> tuple[str, tuple[str, ...]]:
    reader = f"read_parquet({quote_path(path)})"
    try:
        described = con.execute("describe from " + reader).fetchall()
    except duckdb.Error as err:
        reason = faults.engine_reason(err, path=path)
        message = f"{path} is not a Parquet file that can be read: {reason}. Nothing was imported."
        raise MappingError(message) from err
    picked = ", ".join(
        f"cast({_parquet_text(str(row[0]), str(row[1]))} as varchar) as h{index}" for index, row in enumerate(described)
    )
    return _numbered(picked, reader), tuple(str(row[0]) for row in described)


def _parquet_text(name: str, type_name: str) -> str:
    is_nested = type_name.endswith("]") or type_name.startswith(("STRUCT", "MAP", "UNION"))
    return f"to_json({quote_name(name)})" if is_nested else quote_name(name)


def _numbered(columns: str, reader: str) -> str:
    # DuckDB keeps the order of the file (preserve_insertion_order) and numbers rows in it: measured on 1 M rows.
    return f"select row_number() over () as _row, {columns} from {reader}"  # noqa: S608 - columns and reader are quoted


def explain(path: Path, *, source: Source, error: Exception) -> str:
    """A sentence for a file that could not be read: the line and what is wrong with it, found by reading it again."""
    found = None
    if source.format != "parquet":
        form: faults.TextForm = "csv" if source.is_table else "json" if source.format == "json" else "jsonl"
        found = faults.text_fault(path, form=form, encoding=_encoding(source), delimiter=_delimiter(source))
    cause = found.cause if found else faults.engine_reason(error, path=path)
    return (
        f"{path} cannot be read as {source.format}: {cause}. "
        "Correct the file, or [source] of the mapping; nothing was imported."
    )


def _encoding(source: Source) -> str:
    return "utf-8-sig" if codecs.lookup(source.encoding).name in ("utf-8", "ascii") else source.encoding
