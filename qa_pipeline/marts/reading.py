"""Reads the queries of `sql/marts` into arrays: whole numbers per row, and the texts of a row as one key.

Running a query and coding what it returns belong here; what is computed from it does not.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from qa_pipeline.errors import WarehouseError
from qa_pipeline.stats.jackknife import BoolArray, IntArray
from qa_pipeline.stats.windows import DateArray

_KEYS = "mart_keys"
_ROWS = "mart_source"


@dataclass(frozen=True)
class Codes:
    """Texts: `names` in order, `values` `[n]` an index into them (-1: NULL)."""

    values: IntArray
    names: tuple[str, ...]

    def index(self, name: str) -> int:
        """Code of `name`, or -1 when there is none."""
        return self.names.index(name) if name in self.names else -1

    def take(self, rows: IntArray | BoolArray) -> "Codes":
        """The chosen ones."""
        return Codes(values=self.values[rows], names=self.names)

    def equal(self, name: str) -> BoolArray:
        """Where the text is `name`."""
        same: BoolArray = self.values == self.names.index(name) if name in self.names else self.values < -1
        return same


@dataclass(frozen=True)
class Table:
    """The rows of one query.

    `dates`, `key` and `numbers` are `[rows]`; a row's texts are those of its key, `texts` `[keys]` each. There are far
    fewer keys than rows, so texts are handled once per key.
    """

    dates: DateArray
    key: IntArray
    numbers: dict[str, npt.NDArray[np.integer[Any]]]
    texts: dict[str, Codes]

    def __len__(self) -> int:
        return len(self.dates)

    @property
    def keys(self) -> int:
        """Number of keys."""
        return len(next(iter(self.texts.values())).values)


def sql_text(sql_root: Path, name: str) -> str:
    """Text of `<sql_root>/marts/<name>.sql`. Raises WarehouseError when it is missing."""
    path = sql_root / "marts" / f"{name}.sql"
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as err:
        message = f"{path} is missing: restore it from the repository."
        raise WarehouseError(message) from err


def read_dates(con: duckdb.DuckDBPyConnection, *, sql_root: Path, name: str) -> DateArray:
    """The dates that a query returns, one a row; NULL is none."""
    found = con.execute(sql_text(sql_root, name)).fetchall()
    return np.array([day for (day,) in found if day is not None], dtype="datetime64[D]")


def read_table(con: duckdb.DuckDBPyConnection, *, sql_root: Path, name: str, parameters: Mapping[str, object]) -> Table:
    """Run `<sql_root>/marts/<name>.sql`: a `business_date`, texts that are never NULL, and whole numbers.

    The texts are replaced by keys inside DuckDB: 18 M rows of four texts took 19 s to fetch as texts and 2 s as keys.
    The order of the rows means nothing: sums of whole numbers do not depend on it.
    """
    con.execute(
        _query(f"create or replace temp table {_ROWS} as select *", f"(\n{sql_text(sql_root, name)}\n)"), parameters
    )
    try:
        return _coded_rows(con)
    finally:
        con.execute(f"drop table {_ROWS}")


def _coded_rows(con: duckdb.DuckDBPyConnection) -> Table:
    relation = con.sql(f"from {_ROWS} limit 0")
    types = dict(zip(relation.columns, (str(type_) for type_ in relation.types), strict=True))
    texts = [column for column, type_ in types.items() if type_ == "VARCHAR"]
    numbers = [column for column in types if column not in (*texts, "business_date")]
    listed = ", ".join(texts)
    distinct = _query(f"select distinct {listed}", _ROWS)
    ranked = f"select {listed}, cast(row_number() over (order by {listed}) - 1 as integer) as row_key"
    keys = con.sql(_query(ranked, f"({distinct})"))
    found_keys = keys.order("row_key").to_arrow_table()
    con.register(_KEYS, found_keys)
    try:
        picked = ", ".join(["business_date", "row_key", *numbers])
        rows = con.sql(_query(f"select {picked}", f"{_ROWS} join {_KEYS} using ({listed})"))
        found = rows.to_arrow_table()
    finally:
        con.unregister(_KEYS)
    return Table(
        dates=_array(found, "business_date").astype("datetime64[D]"),
        key=_array(found, "row_key"),
        numbers={column: _array(found, column) for column in numbers},
        texts={column: coded(found_keys.column(column).to_pylist()) for column in texts},
    )


def _query(select: str, relation: str) -> str:
    """A query over another; its words are the project's own columns and files, never data."""
    return f"{select} from {relation}"


def _array(table: pa.Table, column: str) -> npt.NDArray[Any]:
    values: npt.NDArray[Any] = table.column(column).combine_chunks().to_numpy(zero_copy_only=False)
    return values


def coded(texts: list[str]) -> Codes:
    """Code `texts`; names are ordered by code point, which in UTF-8 is the order of the bytes and so DuckDB's too."""
    names = tuple(sorted(set(texts)))
    place = {name: index for index, name in enumerate(names)}
    return Codes(values=np.array([place[text] for text in texts], dtype=np.int64), names=names)
