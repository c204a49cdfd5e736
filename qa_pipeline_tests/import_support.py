"""Mappings and imports in a few lines, for the tests of importing."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import pytest

from qa_pipeline.importing.runner import import_files
from qa_pipeline.importing.summary import ImportSummary
from qa_pipeline.settings import Home

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
MAPPINGS = Path(__file__).resolve().parent / "integration" / "mappings"
needs_shared_data = pytest.mark.skipif(
    not SHARED_DATA.is_dir(), reason="the shared data sets (../shared/data) are not beside this checkout"
)
COLUMNS = {
    "label_id": '{ template = "l-{$row}" }',
    "item_id": '"item"',
    "market": '{ const = "US" }',
    "queue": '{ const = "q1" }',
    "content_type": '{ const = "text" }',
    "annotator_id": '{ const = "a1" }',
    "vendor": '{ const = "v1" }',
    "label": '"label"',
    "stage": '{ const = "production" }',
    "submitted_at": '"at"',
}


def mapping_text(
    *, source: str = 'format = "csv"', columns: Mapping[str, str | None] | None = None, extra: str = ""
) -> str:
    """A mapping of the labels feed over columns item, label, at; `columns` (TOML values; None removes) change it."""
    picked = {**COLUMNS, **(columns or {})}
    lines = [f"{name} = {value}" for name, value in picked.items() if value is not None]
    head = f'version = 1\nname = "test"\ntarget = "labels"\n[source]\n{source}\n'
    return head + "\n".join([extra, "[columns]", *lines]) + "\n"


def run_import(
    folder: Path,
    content: str | bytes,
    *,
    mapping: str,
    name: str = "source.csv",
    feed: str = "labels",
    extend_config: bool = False,
) -> tuple[ImportSummary, list[dict[str, Any]]]:
    """Import one file with the given content into the home `<folder>/home`; returns the summary and all landed rows."""
    source = folder / name
    source.write_bytes(content.encode() if isinstance(content, str) else content)
    path = folder / "mapping.toml"
    path.write_text(mapping, encoding="utf-8")
    home = Home(folder / "home")
    summary = import_files(home, feed=feed, mapping=path, files=[source], extend_config=extend_config)
    return summary, landed_rows(home, feed)


def landed_rows(home: Home, feed: str = "labels") -> list[dict[str, Any]]:
    """All landed rows of a feed with `date` (of the folder) and `file`, by folder, file and order in the file."""
    with duckdb.connect() as con:
        con.execute("set TimeZone = 'UTC'")
        cursor = con.execute(
            "select *, parse_filename(filename) as file from read_parquet(?, hive_partitioning = true, "
            "filename = true, file_row_number = true) order by date, file, file_row_number",
            [str(home.landing / feed / "*" / "*.parquet")],
        )
        names = [column[0] for column in cursor.description or []]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
