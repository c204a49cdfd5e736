"""Landed files: find them, fingerprint them, and say how DuckDB reads one as rows of text or typed columns.

Files are only read here, never written or judged: which rows are good is `validation`'s business.
"""

import csv
import gzip
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from qa_pipeline.contracts import FEEDS, SQL_TYPES, ColumnType, Feed
from qa_pipeline.errors import LandingFileError
from qa_pipeline.settings import Home

ENDINGS = (".parquet", ".csv", ".csv.gz", ".jsonl", ".jsonl.gz")
ROWS_PER_FILE = 1_000_000_000_000
# No file may have a column of this name: it carries the row's place in the file.
ROW_NUMBER = "__qa_row_number"
_YEARS = range(2000, 2100)
_FOLDER = re.compile(r"^date=(\d{4}-\d{2}-\d{2})$")
_CHUNK = 1 << 20


@dataclass(frozen=True)
class LandedFile:
    """One landed file of a partition; `stat` is size and modification time, for noticing a change cheaply."""

    feed: str
    business_date: date
    path: Path
    bytes: int
    stat: str

    @property
    def name(self) -> str:
        """File name without folders."""
        return self.path.name


@dataclass(frozen=True)
class FileReader:
    """How DuckDB reads one file.

    `relation_sql` yields the delivered columns and `row_number` (from 1, the order in the file); `types` maps the
    delivered columns to DuckDB's types (VARCHAR throughout for text formats); `rows` is the file's own row count.
    """

    relation_sql: str
    types: Mapping[str, str]
    rows: int


def parse_folder(name: str) -> date:
    """Business date of a folder called `date=YYYY-MM-DD`.

    Raises LandingFileError (FIL-006) when the name has another form or the date does not exist.
    """
    match = _FOLDER.match(name)
    if match is None:
        message = f"folder {name} is not called date=YYYY-MM-DD: rename it and its files will be loaded"
        raise LandingFileError("FIL-006", message)
    try:
        day = date.fromisoformat(match[1])
    except ValueError as err:
        message = f"folder {name} names a date that does not exist: move its files to the folder of their date"
        raise LandingFileError("FIL-006", message) from err
    if day.year not in _YEARS:
        message = f"folder {name} names a date outside 2000 to 2099: move its files to the folder of their date"
        raise LandingFileError("FIL-006", message)
    return day


def scan(home: Home, *, feed: str, business_date: date) -> list[LandedFile]:
    """Files of one partition, by name. Names starting with . or _ and names ending in .tmp are not deliveries."""
    folder = home.landing / feed / f"date={business_date.isoformat()}"
    if not folder.is_dir():
        return []
    found = []
    for path in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if path.name.startswith((".", "_")) or path.name.endswith(".tmp") or not path.is_file():
            continue
        info = path.stat()
        found.append(
            LandedFile(
                feed=feed,
                business_date=business_date,
                path=path,
                bytes=info.st_size,
                stat=f"{path.name}:{info.st_size}:{info.st_mtime_ns}",
            )
        )
    return found


def landed_partitions(home: Home) -> dict[tuple[str, date], list[LandedFile]]:
    """Every partition that has a folder, with its files (an emptied folder has none), by feed and date."""
    return {
        (feed, day): scan(home, feed=feed, business_date=day) for feed in FEEDS for day, _ in _date_folders(home, feed)
    }


def misplaced(home: Home) -> list[tuple[str, str, LandingFileError]]:
    """Feed, folder and reason of everything in landing/ that is not a partition of a feed."""
    wrong: list[tuple[str, str, LandingFileError]] = []
    if not home.landing.is_dir():
        return wrong
    for entry in sorted(home.landing.iterdir()):
        if entry.name.startswith("."):
            continue
        if entry.name not in FEEDS:
            message = f"landing/{entry.name} is not a feed: the feeds are {', '.join(FEEDS)}"
            wrong.append((entry.name, entry.name, LandingFileError("FIL-006", message)))
            continue
        for folder in sorted(entry.iterdir()) if entry.is_dir() else []:
            if not folder.name.startswith((".", "_")):
                wrong += [(entry.name, folder.name, err) for err in _wrong_with(folder)]
    return wrong


def _wrong_with(folder: Path) -> Iterator[LandingFileError]:
    """What keeps an entry of a feed's folder, or something in it, from being loaded."""
    try:
        parse_folder(folder.name)
    except LandingFileError as err:
        yield err
        return
    if not folder.is_dir():
        message = f"landing/{folder.parent.name}/{folder.name} is a file: a folder of that name holds the date's files"
        yield LandingFileError("FIL-006", message)
        return
    for entry in sorted(folder.iterdir()):
        if entry.is_dir() and not entry.name.startswith((".", "_")):
            place = f"landing/{folder.parent.name}/{folder.name}/{entry.name}"
            message = f"{place} is a folder: files lie directly in the folder of their date, so move them up"
            yield LandingFileError("FIL-006", message)


def _date_folders(home: Home, feed: str) -> Iterator[tuple[date, Path]]:
    folder = home.landing / feed
    if not folder.is_dir():
        return
    for entry in sorted(folder.iterdir()):
        if entry.is_dir():
            try:
                yield parse_folder(entry.name), entry
            except LandingFileError:
                continue  # `misplaced` reports it


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def open_file(con: duckdb.DuckDBPyConnection, file: LandedFile) -> FileReader:
    """Look into one file and say how to read it.

    Raises LandingFileError with the rule id FIL-001 (cannot be parsed), FIL-002 (empty), FIL-003 (a required column is
    missing) or FIL-005 (ending), and a sentence that names the file and what to do.
    """
    if not file.name.endswith(ENDINGS):
        message = f"{file.name} ends in none of {', '.join(ENDINGS)}: deliver it in one of these formats"
        raise LandingFileError("FIL-005", message)
    if file.bytes == 0:
        message = f"{file.name} is empty (0 bytes): deliver it again, with a header line even if there are no rows"
        raise LandingFileError("FIL-002", message)
    try:
        reader = _reader(con, file)
    except LandingFileError:
        raise
    except (duckdb.Error, OSError, UnicodeDecodeError, csv.Error, EOFError) as err:
        reason = str(err).strip().splitlines()[0]
        message = f"{file.name} cannot be read, so none of its rows were loaded: {reason}"
        raise LandingFileError("FIL-001", message) from err
    _check_names(file, list(reader.types))
    missing = [name for name in FEEDS[file.feed].required_names if name not in reader.types]
    if missing and not (reader.rows == 0 and not reader.types):
        message = f"{file.name} has no column {', '.join(missing)}: deliver it again with every required column"
        raise LandingFileError("FIL-003", message)
    return reader


def _check_names(file: LandedFile, names: list[str]) -> None:
    """Refuse names that DuckDB cannot tell apart (it ignores case), and the one that the row's place goes by."""
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(name.lower(), name)
        if other != name:
            message = f"{file.name} has columns {other!r} and {name!r}, which differ only in case: keep one of them"
            raise LandingFileError("FIL-001", message)
    if ROW_NUMBER in seen:
        message = f"{file.name} has a column {ROW_NUMBER}, a name that the pipeline needs: rename it"
        raise LandingFileError("FIL-001", message)


def unknown_columns(feed: Feed, reader: FileReader) -> list[str]:
    """Delivered columns that the contract does not have."""
    return sorted(name for name in reader.types if name not in feed.names)


def _reader(con: duckdb.DuckDBPyConnection, file: LandedFile) -> FileReader:
    path = quote_text(str(file.path))
    if file.name.endswith(".parquet"):
        described = con.execute(f"describe select * from read_parquet({path}, hive_partitioning = false)").fetchall()
        counted = con.execute(f"select sum(num_rows) from parquet_file_metadata({path})").fetchall()
        sql = (
            f"select * exclude (file_row_number), file_row_number + 1 as {ROW_NUMBER} "
            f"from read_parquet({path}, file_row_number = true, hive_partitioning = false)"
        )
        return FileReader(sql, {row[0]: row[1] for row in described}, int(counted[0][0] or 0))
    if file.name.endswith((".csv", ".csv.gz")):
        return _csv_reader(con, file, path)
    return _json_reader(con, path)


def _csv_reader(con: duckdb.DuckDBPyConnection, file: LandedFile, path: str) -> FileReader:
    opener = gzip.open if file.name.endswith(".gz") else open
    with opener(file.path, "rt", encoding="utf-8-sig", newline="") as stream:
        header = next(csv.reader(stream), [])
    names = [name.strip() for name in header]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated or not names or "" in names:
        what = f"names the column {repeated[0]!r} twice" if repeated else "has a column without a name"
        message = f"{file.name}: its header line {what}: correct the header and deliver it again"
        raise LandingFileError("FIL-001", message)
    _check_names(file, names)
    columns = ", ".join(f"{quote_text(name)}: 'VARCHAR'" for name in names)
    source = (
        f"read_csv({path}, columns = {{{columns}}}, header = true, delim = ',', quote = '\"', escape = '\"', "
        "auto_detect = false, hive_partitioning = false, nullstr = '', strict_mode = true, null_padding = false)"
    )
    rows = con.execute(f"select count(*) from {source}").fetchall()[0][0]
    sql = f"select *, row_number() over () as {ROW_NUMBER} from {source}"
    return FileReader(sql, dict.fromkeys(names, "VARCHAR"), int(rows))


def _json_reader(con: duckdb.DuckDBPyConnection, path: str) -> FileReader:
    source = f"read_ndjson_objects({path})"
    rows = con.execute(f"select count(*) from {source}").fetchall()[0][0]
    keys = con.execute(f"select distinct unnest(json_keys(json)) as name from {source} order by name").fetchall()
    names = [row[0] for row in keys]
    picked = "".join(f", json ->> {quote_text(_json_pointer(name))} as {quote_name(name)}" for name in names)
    sql = f"select row_number() over () as {ROW_NUMBER}{picked} from {source}"
    return FileReader(sql, dict.fromkeys(names, "VARCHAR"), int(rows))


def _json_pointer(name: str) -> str:
    return "/" + name.replace("~", "~0").replace("/", "~1")


def quote_text(value: str) -> str:
    """`value` as a SQL text literal."""
    return "'" + value.replace("'", "''") + "'"


def quote_name(value: str) -> str:
    """`value` as a SQL identifier."""
    return '"' + value.replace('"', '""') + '"'


def conform_sql(feed: Feed, reader: FileReader, *, file_name: str, ordinal: int) -> str:
    """SELECT that turns one file's rows into the contract's columns and types.

    Adds `file_name`, `row_number`, `row_id` (`ordinal` of the file in its partition x 10^12 + row number),
    `missing_values` (names of required columns without a value) and `type_errors` (names of columns whose text could
    not be cast), both NULL for a good row. An empty text counts as no value.
    """
    picked, missing, mistyped = [], [], []
    for column in feed.columns:
        source_type = reader.types.get(column.name)
        if source_type is None:
            picked.append(f"cast(null as {SQL_TYPES[column.type]}) as {column.name}")
            continue
        value, is_checked = _cast(column.name, column.type, source_type)
        picked.append(f"{value} as {column.name}")
        if column.required:
            empty = f" or d.{column.name} = ''" if source_type == "VARCHAR" else ""
            missing.append((column.name, f"(d.{column.name} is null{empty})"))
        if is_checked:
            bad = f"(d.{column.name} is not null and cast(d.{column.name} as varchar) <> '' and {value} is null)"
            mistyped.append((column.name, bad))
    return (
        f"select {quote_text(file_name)} as file_name, d.{ROW_NUMBER} as row_number, "
        f"cast({ordinal * ROWS_PER_FILE} as bigint) + d.{ROW_NUMBER} as row_id, {', '.join(picked)}, "
        f"{_names_where(missing)} as missing_values, {_names_where(mistyped)} as type_errors "
        f"from ({reader.relation_sql}) as d"
    )


def _names_where(conditions: list[tuple[str, str]]) -> str:
    """Comma-joined names whose condition holds, NULL when none does; cheap for the many rows where none does."""
    if not conditions:
        return "cast(null as varchar)"
    any_of = " or ".join(condition for _, condition in conditions)
    names = ", ".join(f"case when {condition} then '{name}' end" for name, condition in conditions)
    return f"case when {any_of} then concat_ws(',', {names}) end"


def _cast(name: str, wanted: ColumnType, delivered: str) -> tuple[str, bool]:
    """SQL value of a column in its contract type, and whether the cast can fail."""
    target = SQL_TYPES[wanted]
    if wanted == "string":
        return (f"nullif(d.{name}, '')" if delivered == "VARCHAR" else f"cast(d.{name} as varchar)"), False
    if delivered == target:
        return f"d.{name}", False
    if delivered == "VARCHAR":
        if wanted == "bigint":
            return f"int_or_null(d.{name})", True
        return f"try_cast(nullif(d.{name}, '') as {target})", True
    return f"try_cast(d.{name} as {target})", True
