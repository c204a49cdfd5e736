"""One landed file as rows: how DuckDB reads it, cast to the contract, and what is wrong or odd about it.

Files are only read here, never judged row by row: which rows are good is `validation`'s business.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import duckdb

from qa_pipeline import faults
from qa_pipeline.contracts import FEEDS, SQL_TYPES, ColumnType, Feed
from qa_pipeline.errors import LandingFileError
from qa_pipeline.landing import LandedFile, quote_name, quote_path, quote_text

ENDINGS = (".parquet", ".csv", ".csv.gz", ".jsonl", ".jsonl.gz")
ROWS_PER_FILE = 1_000_000_000_000
# No file may have a column of this name: it carries the row's place in the file.
ROW_NUMBER = "__qa_row_number"
# What DuckDB calls it in Parquet.
PARQUET_ROW_NUMBER = "file_row_number"
_SHOWN_NAMES = 5
# Parquet's types of a time or a day that does not say where on earth.
_TYPES_WITHOUT_ZONE = frozenset({"DATE", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"})
# After the clock comes an offset (+02:00) or a name (Z, UTC, Europe/Berlin).
_ZONE = r":.*([+-]\d|[A-Za-z])"


@dataclass(frozen=True)
class FileReader:
    """How DuckDB reads one file.

    `relation_sql` yields the delivered columns and `row_number` (from 1, the order in the file); `types` maps the
    delivered columns to DuckDB's types (VARCHAR throughout for text formats); `rows` is the file's own row count;
    `zoneless` maps each time column that has times without a zone to a clause that says how many.
    """

    relation_sql: str
    types: Mapping[str, str]
    rows: int
    zoneless: Mapping[str, str]


def open_file(con: duckdb.DuckDBPyConnection, file: LandedFile) -> FileReader:
    """Look into one file and say how to read it.

    Raises LandingFileError with the rule id FIL-001 (cannot be parsed), FIL-002 (empty), FIL-003 (a required column is
    missing) or FIL-005 (ending), a sentence that names the file and what to do, and the file's rows if they could be
    counted.
    """
    if not file.name.endswith(ENDINGS):
        message = f"{file.name} ends in none of {', '.join(ENDINGS)}: deliver it in one of these formats"
        raise LandingFileError("FIL-005", message)
    if file.bytes == 0:
        raise _empty(file)
    try:
        reader = _reader(con, file)
    except (duckdb.Error, *faults.READ_ERRORS) as err:
        raise unreadable(file, err) from err
    _check_names(file, list(reader.types), rows=reader.rows)
    missing = [name for name in FEEDS[file.feed].required_names if name not in reader.types]
    if missing and not (reader.rows == 0 and not reader.types):
        raise LandingFileError("FIL-003", _lacks(file, missing, list(reader.types)), rows=reader.rows)
    return reader


def _empty(file: LandedFile) -> LandingFileError:
    is_csv = file.name.endswith((".csv", ".csv.gz"))
    least = "its header line" if is_csv else "one empty line" if ".jsonl" in file.name else "its columns"
    message = f"{file.name} is empty (0 bytes): deliver it again (a file without rows still has {least})"
    return LandingFileError("FIL-002", message)


def unreadable(file: LandedFile, err: Exception) -> LandingFileError:
    """FIL-001 for a file whose reading raised `err`: line and cause, found by reading it again, and what to do."""
    found = _fault(file) or faults.Fault(_told_by_engine(file, err), "export it again")
    message = f"{file.name} cannot be read, so none of its rows were loaded: {found.cause}; {found.remedy}"
    return LandingFileError("FIL-001", message)


def _told_by_engine(file: LandedFile, err: Exception) -> str:
    reason = faults.engine_reason(err, path=file.path)
    return f"its content is damaged ({reason})" if file.name.endswith(".parquet") else reason


def _fault(file: LandedFile) -> faults.Fault | None:
    try:
        found = faults.disguise(file.path)
    except OSError as err:
        return faults.closed(err)
    if found is not None or file.name.endswith(".parquet"):
        return found
    is_csv = file.name.endswith((".csv", ".csv.gz"))
    return faults.text_fault(file.path, form="csv" if is_csv else "jsonl")


def _lacks(file: LandedFile, missing: list[str], names: list[str]) -> str:
    if len(names) == 1 and any(mark in names[0] for mark in ";\t|"):
        mark = next(mark for mark in (";", "\t", "|") if mark in names[0])
        hint = f"its header has {'tabs' if mark == chr(9) else mark} where commas belong: deliver it with commas"
        return f"{file.name} has no column {', '.join(missing)}, because {hint}"
    unknown = [repr(name) for name in names if name not in FEEDS[file.feed].names][:_SHOWN_NAMES]
    others = f" (the feed does not know its {', '.join(unknown)})" if unknown else ""
    return f"{file.name} has no column {', '.join(missing)}{others}: deliver it again with every required column"


def _check_names(file: LandedFile, names: list[str], *, rows: int) -> None:
    """Refuse names that DuckDB cannot tell apart (it ignores case), and those that the row's place goes by."""
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(name.lower(), name)
        if other != name:
            message = f"{file.name} has columns {other!r} and {name!r}, which differ only in case: keep one of them"
            raise LandingFileError("FIL-001", message, rows=rows)
    for name in (ROW_NUMBER, *([PARQUET_ROW_NUMBER] if file.name.endswith(".parquet") else [])):
        if name in seen:
            message = f"{file.name} has a column {name}, a name that the pipeline needs: rename it"
            raise LandingFileError("FIL-001", message, rows=rows)


def remarks(feed: Feed, reader: FileReader) -> list[str]:
    """What is odd about a file that is loaded all the same, each a sentence that begins with its rule id."""
    told = []
    unknown = sorted(name for name in reader.types if name not in feed.names)
    if unknown:
        told.append(f"FIL-004: unknown columns left out: {', '.join(unknown)}")
    for name, how_many in reader.zoneless.items():
        told.append(f"FIL-007: {name} has no zone {how_many} and was taken as UTC: deliver 2026-01-31T08:00:00Z")
    return told


def _reader(con: duckdb.DuckDBPyConnection, file: LandedFile) -> FileReader:
    if file.name.endswith(".parquet"):
        return _parquet_reader(con, file)
    if file.name.endswith(".gz"):
        faults.check_gzip(file.path)
    if file.name.endswith((".csv", ".csv.gz")):
        return _csv_reader(con, file)
    return _json_reader(con, file)


def _parquet_reader(con: duckdb.DuckDBPyConnection, file: LandedFile) -> FileReader:
    path = quote_path(file.path)
    source = f"read_parquet({path}, hive_partitioning = false)"
    types = {row[0]: row[1] for row in con.execute(f"describe select * from {source}").fetchall()}
    counted = con.execute(f"select sum(num_rows) from parquet_file_metadata({path})").fetchall()
    rows = int(counted[0][0] or 0)
    times = [name for name in _time_columns(file) if name in types]
    zoneless = {name: f"(its type is {types[name]})" for name in times if types[name] in _TYPES_WITHOUT_ZONE and rows}
    texts = {name: quote_name(name) for name in times if types[name] == "VARCHAR"}
    unknown = [quote_name(name) for name in types if name not in FEEDS[file.feed].names]
    if texts or unknown:
        zoneless |= _count(con, source, times=texts, unknown=unknown)[1]
    sql = (
        f"select * exclude ({PARQUET_ROW_NUMBER}), {PARQUET_ROW_NUMBER} + 1 as {ROW_NUMBER} "
        f"from read_parquet({path}, {PARQUET_ROW_NUMBER} = true, hive_partitioning = false)"
    )
    return FileReader(sql, types, rows, zoneless)


def _csv_reader(con: duckdb.DuckDBPyConnection, file: LandedFile) -> FileReader:
    with faults.open_text(file.path, encoding="utf-8-sig") as stream:
        header = next(csv.reader(stream), None)
    if header is None:
        raise _empty(file)
    names = [name.strip() for name in header]
    # Names become columns only once they are known to be good: a bad header must not keep the rows from being counted.
    places = {name: f"c{place}" for place, name in enumerate(names)}
    columns = ", ".join(f"c{place}: 'VARCHAR'" for place in range(max(len(names), 1)))
    source = (
        f"read_csv({quote_path(file.path)}, columns = {{{columns}}}, header = true, delim = ',', quote = '\"', "
        "escape = '\"', auto_detect = false, hive_partitioning = false, nullstr = '', strict_mode = true, "
        "null_padding = false)"
    )
    times = {name: places[name] for name in _time_columns(file) if name in places}
    unknown = [place for name, place in places.items() if name not in FEEDS[file.feed].names]
    rows, zoneless = _count(con, source, times=times, unknown=unknown)
    _check_header(file, names, rows=rows)
    picked = ", ".join(f"{place} as {quote_name(name)}" for name, place in places.items())
    sql = f"select {picked}, row_number() over () as {ROW_NUMBER} from {source}"
    return FileReader(sql, dict.fromkeys(names, "VARCHAR"), rows, zoneless)


def _check_header(file: LandedFile, names: list[str], *, rows: int) -> None:
    repeated = sorted({name for name in names if names.count(name) > 1 and name})
    if not any(names):
        what = "is empty"
    elif repeated:
        what = f"names the column {repeated[0]!r} twice"
    elif "" in names:
        what = f"has no name for column {names.index('') + 1}"
    else:
        return
    message = f"{file.name}: its header line {what}: correct the header and deliver it again"
    raise LandingFileError("FIL-001", message, rows=rows)


def _json_reader(con: duckdb.DuckDBPyConnection, file: LandedFile) -> FileReader:
    source = f"read_ndjson_objects({quote_path(file.path)})"
    keys = con.execute(f"select distinct unnest(json_keys(json)) as name from {source} order by name").fetchall()
    values = {row[0]: f"json ->> {quote_text(_json_pointer(row[0]))}" for row in keys}
    times = {name: values[name] for name in _time_columns(file) if name in values}
    rows, zoneless = _count(con, source, times=times, unknown=())
    picked = "".join(f", {value} as {quote_name(name)}" for name, value in values.items())
    sql = f"select row_number() over () as {ROW_NUMBER}{picked} from {source}"
    return FileReader(sql, dict.fromkeys(values, "VARCHAR"), rows, zoneless)


def _time_columns(file: LandedFile) -> Sequence[str]:
    return [column.name for column in FEEDS[file.feed].columns if column.type == "timestamp"]


def _count(
    con: duckdb.DuckDBPyConnection, source: str, *, times: Mapping[str, str], unknown: Sequence[str]
) -> tuple[int, dict[str, str]]:
    """Rows of a source and, in the same pass, how many of its `times` (column to SQL of its text) have no zone.

    `unknown` columns are read as well, to see that they can be: nothing of the load touches them until a row goes to
    quarantine verbatim, and a byte that is no text would end the load there.
    """
    tests = [f"({text}) is not null and ({_lacks_zone(text)})" for text in times.values()]
    counts = [
        f", count_if({test}), min(case when {test} then {text} end)"
        for test, text in zip(tests, times.values(), strict=True)
    ]
    counts += [f", bit_xor(hash({name}))" for name in unknown]
    rows, *found = con.execute(f"select count(*){''.join(counts)} from {source}").fetchall()[0]
    found = found[: 2 * len(times)]
    zoneless = {
        name: f"in {count:,} of {rows:,} rows (such as {example!r})"
        for name, count, example in zip(times, found[::2], found[1::2], strict=True)
        if count
    }
    return int(rows), zoneless


def _lacks_zone(text: str) -> str:
    """SQL: whether a text is a time, but none that says its zone. CASE, so that few texts are cast."""
    return (
        f"case when {text} like '%Z' or regexp_matches({text}, {quote_text(_ZONE)}) then false "
        f"else try_cast({text} as timestamptz) is not null end"
    )


def _json_pointer(name: str) -> str:
    return "/" + name.replace("~", "~0").replace("/", "~1")


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
