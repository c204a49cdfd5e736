"""Why a file cannot be read, in words: the line and the cause, found by reading the file once more.

DuckDB tells what stopped it in its own terms, with the cause some lines down and the line of a JSON file one too high.
What becomes of the file is not decided here.
"""

import csv
import gzip
import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TextIO, cast

TextForm = Literal["csv", "json", "jsonl"]

GZIP_MAGIC = b"\x1f\x8b"
PARQUET_MAGIC = b"PAR1"
# What reading a text file can raise; zlib's error is neither an OSError nor a ValueError.
READ_ERRORS = (OSError, EOFError, UnicodeError, csv.Error, zlib.error)
# DuckDB's limit for a line of CSV. A quote that is not closed makes a value of all that follows it.
_LONGEST_VALUE = 2_000_000
_LONGEST_REASON = 200
_CHUNK = 1 << 20
# A byte that is no text of the encoding, as the error handler `surrogateescape` keeps it.
_ESCAPED = re.compile("[\udc80-\udcff]")
_UTF8_MARK = b"\xef\xbb\xbf"
_ERROR_KIND = re.compile(r"^[A-Z][A-Za-z]*( [A-Z][A-Za-z]*)* Error: ")


@dataclass(frozen=True)
class Fault:
    """What is wrong with a file, a clause such as "line 3 is not JSON", and what to do, a clause in the imperative."""

    cause: str
    remedy: str


_NOT_GZIPPED = Fault("its name ends in .gz, but it is not gzipped", "take .gz off its name or gzip it")
_AS_UTF8 = "save it as UTF-8"
_DISGUISES = (
    (GZIP_MAGIC, Fault("it is gzipped, but its name does not end in .gz", "add .gz to its name")),
    (PARQUET_MAGIC, Fault("it is a Parquet file", "let its name end in .parquet")),
    (b"PK\x03\x04", Fault("it is a ZIP archive or a spreadsheet", "unpack it, or save it in the format of its name")),
    (b"\xff\xfe", Fault("it is UTF-16", _AS_UTF8)),
    (b"\xfe\xff", Fault("it is UTF-16", _AS_UTF8)),
)


class _FaultError(Exception):
    """A fault found while lines are handed to a reader of CSV."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.cause)
        self.fault = fault


def open_text(path: Path, *, encoding: str, errors: str = "strict") -> TextIO:
    """Open a text file, gzipped or not, with its line ends as they are."""
    if is_gzip(path):
        return cast("TextIO", gzip.open(path, "rt", encoding=encoding, errors=errors, newline=""))
    return path.open("r", encoding=encoding, errors=errors, newline="")


def is_gzip(path: Path) -> bool:
    """Whether a file begins as gzip does, whatever its name."""
    with path.open("rb") as stream:
        return stream.read(2) == GZIP_MAGIC


def check_gzip(path: Path) -> None:
    """Read a gzipped file to its end: DuckDB skips the checksum, and would load the rows of a damaged file.

    Raises EOFError, zlib.error or OSError when its data is damaged or breaks off.
    """
    with gzip.open(path, "rb") as stream:
        while stream.read(_CHUNK):
            pass


def disguise(path: Path) -> Fault | None:
    """What a landed file is instead of what its name says, by its first and last bytes; None when they agree.

    Raises OSError when the file cannot be opened.
    """
    with path.open("rb") as stream:
        head = stream.read(4)
        if path.name.endswith(".parquet"):
            stream.seek(max(path.stat().st_size - 4, len(head)))
            return _parquet_disguise(head, stream.read())
    if path.name.endswith(".gz"):
        return None if head.startswith(GZIP_MAGIC) else _NOT_GZIPPED
    if path.name.endswith(".jsonl") and head.startswith(_UTF8_MARK):
        return Fault("it begins with a byte order mark", "save it as UTF-8 without one")
    return next((fault for magic, fault in _DISGUISES if head.startswith(magic)), None)


def _parquet_disguise(head: bytes, tail: bytes) -> Fault | None:
    if head != PARQUET_MAGIC:
        return Fault("it is not a Parquet file, which begins with PAR1", "export it as Parquet, or correct its ending")
    if tail != PARQUET_MAGIC:
        return Fault("it begins as a Parquet file but breaks off before its end", "upload it again, whole")
    return None


def text_fault(path: Path, *, form: TextForm, encoding: str = "utf-8-sig", delimiter: str = ",") -> Fault | None:
    """The first thing in a text file that keeps it from being read; None when nothing is found.

    Lines are counted from 1, the header's included.
    """
    try:
        if is_gzip(path):
            check_gzip(path)
        with open_text(path, encoding=encoding, errors="surrogateescape") as stream:
            lines = _decoded(stream, encoding=encoding.removesuffix("-sig"))
            if form == "csv":
                return _csv_fault(lines, delimiter=delimiter)
            return _jsonl_fault(lines) if form == "jsonl" else _json_fault("".join(lines))
    except _FaultError as err:
        return err.fault
    except (EOFError, zlib.error, gzip.BadGzipFile) as err:
        return Fault(f"its gzip data is damaged or breaks off ({_clause(err)})", "upload it again, whole")
    except UnicodeError as err:
        return Fault(f"it is not {encoding} ({_clause(err)})", _AS_UTF8)
    except OSError as err:
        return closed(err)


def closed(err: OSError) -> Fault:
    """The fault of a file that cannot be opened."""
    return Fault(
        f"it cannot be opened ({err.strerror})", "see that it is there and that the pipeline's user may read it"
    )


def _decoded(stream: TextIO, *, encoding: str) -> Iterator[str]:
    """Lines of a stream that was opened with `surrogateescape`; _FaultError at the first byte that is no text."""
    for number, line in enumerate(stream, start=1):
        if not line.isascii() and (found := _ESCAPED.search(line)):
            byte = ord(found[0]) - 0xDC00
            cause = f"line {number} holds the byte 0x{byte:02x}, which is not {encoding.upper()}"
            raise _FaultError(Fault(cause, _AS_UTF8))
        yield line


class _LineEnds:
    """Hands lines on and remembers how the last one ended."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self.last = ""

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            self.last = "\r\n" if line.endswith("\r\n") else line[-1:]
            yield line


def _csv_fault(lines: Iterator[str], *, delimiter: str) -> Fault | None:
    ends = _LineEnds(lines)
    rows = csv.reader(ends, delimiter=delimiter, strict=True)
    begins, width, first_end, mixed = 1, 0, "", None
    # The limit is the process's own, so it is put back.
    limit = csv.field_size_limit(_LONGEST_VALUE)
    try:
        for row in rows:
            width, first_end = width or len(row), first_end or ends.last
            if row and len(row) != width:
                cause = f"line {begins} has {len(row)} values where the header has {width}"
                return Fault(cause, f"correct the line (a value with {_shown(delimiter)} in it needs quotes)")
            if mixed is None and ends.last in ("\n", "\r", "\r\n") and ends.last != first_end:
                mixed = Fault(f"line {rows.line_num} ends otherwise than line 1", "end every line alike, by LF or CRLF")
            begins = rows.line_num + 1
    except csv.Error as err:
        return _quote_fault(str(err), begins=begins, line=rows.line_num)
    finally:
        csv.field_size_limit(limit)
    return mixed


def _shown(delimiter: str) -> str:
    return {",": "a comma", "\t": "a tab"}.get(delimiter, repr(delimiter))


def _quote_fault(reason: str, *, begins: int, line: int) -> Fault:
    if "field larger" in reason:
        cause = f"the row that begins in line {begins} has a value longer than {_LONGEST_VALUE:,} characters"
        return Fault(cause, "shorten it or close its quote")
    if "unexpected end of data" in reason:
        return Fault(f"the row that begins in line {begins} opens a quote that is never closed", "close it")
    if "expected after" in reason:
        cause = f"line {line} has text between a closing quote and the next value"
        return Fault(cause, 'write a quote inside a value twice ("")')
    return Fault(f"line {line} is not CSV ({reason})", "correct the line")


def _jsonl_fault(lines: Iterator[str]) -> Fault | None:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            json.loads(line)
        except json.JSONDecodeError as err:
            return _line_fault(number, line, err)
    return None


def _line_fault(number: int, line: str, err: json.JSONDecodeError) -> Fault:
    if line.lstrip().startswith("[") and number == 1:
        return Fault("it is one JSON array", "write one object per line, without brackets and commas around them")
    if err.pos >= len(line.rstrip()):
        return Fault(f"line {number} ends before its JSON object does", "write each object on one line, whole")
    return Fault(f"line {number} is not JSON at character {err.colno} ({_lowered(err.msg)})", "correct the line")


def _json_fault(text: str) -> Fault | None:
    try:
        json.loads(text)
    except json.JSONDecodeError as err:
        return Fault(f"it is not JSON ({_lowered(str(err))})", "export it again")
    return None


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:]


def _clause(err: BaseException) -> str:
    return str(err).strip().splitlines()[0].rstrip(".") if str(err).strip() else type(err).__name__


def engine_reason(err: Exception, *, path: Path) -> str:
    """What DuckDB said, in one clause: its first line and the cause below it, without paths, advice and drawings."""
    told: list[str] = []
    for raw in str(err).splitlines():
        line = _ERROR_KIND.sub("", raw.strip()).rstrip(".")
        if line.startswith(("Possible", "file =", "LINE ")):
            break
        if line and not line.startswith("Original Line"):
            told.append(line.replace(str(path), path.name))
    reason = "; ".join(told[:3]) or type(err).__name__
    printable = "".join(char if char.isprintable() else " " for char in reason)
    return printable if len(printable) <= _LONGEST_REASON else printable[: _LONGEST_REASON - 1] + "…"
