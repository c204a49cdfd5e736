"""What the UI says of an asset: descriptions, schemas, sample tables and lineage, taken from contracts and SQL files.

Nothing is computed here that a figure depends on.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import dagster as dg
import duckdb

from qa_pipeline.contracts import SQL_TYPES, Feed
from qa_pipeline.defs.column_docs import column_docs
from qa_pipeline.landing import quote_name
from qa_pipeline.warehouse import SqlFile, validated_columns

SAMPLE_ROWS = 5
# A wider table is cut off in the checks panel of the UI.
SAMPLE_COLUMNS = 4
_CELL_LENGTH = 200
_HEADINGS = ("Purpose", "Grain", "Source", "Units")
_DATABASE = "warehouse"
_PLACE_DESCRIPTIONS = {
    "business_date": "Date of the folder that the row was delivered in.",
    "file_name": "Landed file.",
    "row_number": "Row of the file, from 1, header not counted.",
    "row_id": "Number of the row in its partition.",
    "replicate": "Jackknife group of the item, 0 to 19.",
    "layer": "validated: failed a rule of its own partition; facts: failed a rule across dates.",
    "rule_ids": "Rules that the row fails; docs/rules.md tells them.",
    "row_json": "The row as it was delivered.",
    "missing_values": "Required columns without a value; always NULL in a row that stays.",
    "type_errors": "Columns whose text could not be cast; always NULL in a row that stays.",
}
_QUARANTINE_TYPES = {
    "business_date": "DATE",
    "file_name": "VARCHAR",
    "row_number": "BIGINT",
    "row_id": "BIGINT",
    "layer": "VARCHAR",
    "rule_ids": "VARCHAR[]",
    "row_json": "VARCHAR",
}
# Reads of other tables in a SELECT or a suite's query.
_READS = re.compile(r"(?:\bfrom|\bjoin|,)\s+(validated|facts|tallies|ops|marts)\.(\w+)", flags=re.IGNORECASE)


def table_name(layer: str, table: str) -> dict[str, str]:
    """Metadata that names the asset's table."""
    return {"dagster/table_name": f"{_DATABASE}.{layer}.{table}"}


def raw_schema(feed: Feed) -> dg.TableSchema:
    """Columns of a feed's files."""
    return _schema({column.name: column.type for column in feed.columns}, _column_docs(feed), feed.required_names)


def validated_schema(feed: Feed) -> dg.TableSchema:
    """Columns of `validated.valid_<feed>`."""
    required = {*feed.required_names, "business_date", "file_name", "row_number", "row_id"}
    return _schema(validated_columns(feed), _column_docs(feed) | _PLACE_DESCRIPTIONS, required)


def quarantine_schema() -> dg.TableSchema:
    """Columns of `quarantine.quarantined_<feed>`."""
    return _schema(_QUARANTINE_TYPES, _PLACE_DESCRIPTIONS, _QUARANTINE_TYPES)


def stored_schema(con: duckdb.DuckDBPyConnection, layer: str, table: str) -> dg.TableSchema:
    """Columns of a table as it stands, with the descriptions that it is published with."""
    rows = con.execute(
        "select column_name, data_type, comment from duckdb_columns() where database_name = current_database() "
        "and schema_name = ? and table_name = ? order by column_index",
        [layer, table],
    ).fetchall()
    docs = column_docs() | {name: comment for name, _, comment in rows if comment}
    return _schema({name: type_ for name, type_, _ in rows}, docs, ())


def _column_docs(feed: Feed) -> dict[str, str]:
    docs = {}
    for column in feed.columns:
        vocabulary = f" One of {', '.join(column.values)}." if column.values else ""
        docs[column.name] = column.doc.removesuffix(".") + "." + vocabulary
    return docs


def _schema(types: Mapping[str, str], docs: Mapping[str, str], required: Iterable[str]) -> dg.TableSchema:
    needed = set(required)
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=name,
                type=SQL_TYPES.get(type_, type_).lower(),  # type: ignore[call-overload] # a type of ours or DuckDB's
                description=docs.get(name),
                constraints=dg.TableColumnConstraints(nullable=name not in needed),
            )
            for name, type_ in types.items()
        ]
    )


def plain(value: object) -> str | int | float | bool:
    """`value` as something that metadata can hold: no numpy scalars, no dates, nothing long, - for NULL."""
    if hasattr(value, "item"):
        value = value.item()
    if value is None:
        return "-"
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, date | datetime):
        return value.isoformat()
    # A delivered row is JSON without a space in it, which the UI could not break into lines.
    text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value).replace('","', '", "')
    return text if len(text) <= _CELL_LENGTH else text[: _CELL_LENGTH - 1] + "…"


def rows_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> dg.TableMetadataValue:
    """A table of the UI from rows in the order of `columns`."""
    records = [dict(zip(columns, map(plain, row), strict=True)) for row in rows]
    types = {name: _ui_type(record[name] for record in records) for name in columns}
    return dg.MetadataValue.table(
        records=[dg.TableRecord(record) for record in records],
        schema=dg.TableSchema(columns=[dg.TableColumn(name=name, type=types[name]) for name in columns]),
    )


def _ui_type(values: Iterable[object]) -> str:
    kinds = {type(value) for value in values}
    if kinds and kinds <= {int}:
        return "int"
    return "float" if kinds and kinds <= {int, float} else "string"


def counts_by(con: duckdb.DuckDBPyConnection, *, table: str, day: date, column: str) -> dict[str, int]:
    """Rows of one date by the values of a column: numbers that the UI plots over the partitions."""
    rows = con.execute(
        f"select {quote_name(column)}, count(*) from {table} where business_date = ? group by all order by all",  # noqa: S608 - names of ours
        [day],
    ).fetchall()
    return {f"rows in {value}": int(count) for value, count in rows[:20] if value is not None}


def sql_description(select: SqlFile) -> str:
    """The header of a SQL file as a description in Markdown: what the table is for, then grain, source and units."""
    parts: dict[str, str] = {}
    heading = ""
    for line in select.text.splitlines():
        if not line.startswith("--"):
            break
        text = line.removeprefix("--").strip()
        found = re.match(rf"({'|'.join(_HEADINGS)}): *(.*)", text)
        if found:
            heading, text = found[1], found[2]
        parts[heading] = f"{parts.get(heading, '')} {text}".strip()
    purpose = parts.get("Purpose") or parts.get("") or select.table
    lines = [markdown(purpose[0].upper() + purpose[1:])]
    lines += [f"**{name}**: {markdown(parts[name])}" for name in _HEADINGS[1:] if name in parts]
    return "\n\n".join([*lines, f"`sql/{select.layer}/{select.table}.sql`"])


def markdown(text: str) -> str:
    """`text` as Markdown that shows it as it is: `<severity>` would be taken for a tag and left out."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("*", "\\*")


def tables_read(text: str) -> set[tuple[str, str]]:
    """Layer and table of everything that a SQL text reads, so that the lineage shown is the lineage run."""
    return {(layer.lower(), table) for layer, table in _READS.findall(text)}


def metadata(**values: Any) -> dict[str, Any]:
    """Metadata with underscores of the names shown as spaces, and without the values that are None."""
    return {name.replace("_", " "): value for name, value in values.items() if value is not None}
