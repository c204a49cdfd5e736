"""Landing files of the simulator: Parquet, CSV, gzipped CSV and JSONL, byte-equal for equal rows.

Only writing belongs here; the tables come from `tables`, broken rows from `dirt`.
"""

import csv
import datetime as dt
import gzip
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from qa_pipeline.contracts import FEEDS
from qa_pipeline.simulation.dirt_rules import Record

ENDINGS = {
    "labels": "parquet",
    "predictions": "parquet",
    "items": "parquet",
    "gold": "jsonl",
    "reviews": "csv",
    "appeals": "jsonl",
    "roster": "csv",
    "timesheets": "csv.gz",
}
ROW_GROUP = 1_000_000


def partition_folder(landing: Path, feed: str, day: dt.date) -> Path:
    """Return the landing folder of a feed's business date; it is created if it is missing."""
    folder = landing / feed / f"date={day.isoformat()}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def with_records(table: pa.Table, records: list[Record]) -> pa.Table:
    """Return the table with rows below it, in the table's own types (dictionary-encoded or not)."""
    if not records:
        return table
    feed_rows = pa.Table.from_pylist(records, schema=pa.schema([_plain(field) for field in table.schema]))
    columns = [
        column.dictionary_encode() if pa.types.is_dictionary(field.type) else column
        for field, column in zip(table.schema, feed_rows.columns, strict=True)
    ]
    return pa.concat_tables([table, pa.table(columns, names=table.column_names)])


def _plain(field: pa.Field) -> pa.Field:
    return pa.field(field.name, field.type.value_type) if pa.types.is_dictionary(field.type) else field


class ParquetFile:
    """A Parquet file that is written table by table; the first table fixes the types."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows = 0
        self._writer: pq.ParquetWriter | None = None

    def write(self, table: pa.Table) -> None:
        """Append a table with the same columns and types."""
        if self._writer is None:
            # Dictionary-encoded texts must look like plain texts to every reader.
            self._writer = pq.ParquetWriter(self.path, table.schema, compression="zstd", store_schema=False)
        self._writer.write_table(table, row_group_size=ROW_GROUP)
        self.rows += table.num_rows

    def close(self) -> None:
        """Finish the file."""
        if self._writer is not None:
            self._writer.close()


def write_parquet(path: Path, table: pa.Table) -> int:
    """Write one table and return its number of rows."""
    file = ParquetFile(path)
    file.write(table)
    file.close()
    return file.rows


def as_text(value: object) -> str:
    """Return a value as it stands in a text file: UTC times with Z, true/false, nothing for a missing value."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return str(value)


def _as_json(value: object) -> Any:
    return value if isinstance(value, bool | int | float) else as_text(value)


def _csv_bytes(names: Iterable[str], records: Iterable[Record]) -> bytes:
    columns = list(names)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([as_text(record[name]) for name in columns] for record in records)
    return text.getvalue().encode()


def _jsonl_bytes(names: Iterable[str], records: Iterable[Record]) -> bytes:
    columns = list(names)
    rows = ({name: _as_json(record[name]) for name in columns if record[name] is not None} for record in records)
    return b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)


def write_text(path: Path, feed: str, records: list[Record]) -> int:
    """Write records as CSV, gzipped CSV or JSONL, whichever the path ends in; return their number.

    A missing value is an empty field in CSV and an absent key in JSONL.
    """
    names = FEEDS[feed].names
    if path.name.endswith(".jsonl"):
        path.write_bytes(_jsonl_bytes(names, records))
    elif path.name.endswith(".csv.gz"):
        # No time in the header: equal rows must give equal bytes.
        path.write_bytes(gzip.compress(_csv_bytes(names, records), compresslevel=6, mtime=0))
    else:
        path.write_bytes(_csv_bytes(names, records))
    return len(records)


def records_of(table: pa.Table) -> list[Record]:
    """Return the rows of a small table as records."""
    rows: list[Record] = table.to_pylist()
    return rows


def count_text_rows(path: Path) -> int:
    """Return the number of records in a file that `write_text` has written."""
    content = gzip.decompress(path.read_bytes()) if path.name.endswith(".gz") else path.read_bytes()
    lines = content.count(b"\n")
    return lines if path.name.endswith(".jsonl") else max(lines - 1, 0)
