"""Source files in every format and encoding, and a precise sentence for each that cannot be read."""

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from qa_pipeline.errors import MappingError
from qa_pipeline.importing.runner import import_files
from qa_pipeline.settings import Home
from qa_pipeline_tests.import_support import landed_rows, mapping_text, run_import

AT = "2026-03-01T12:00:00Z"
JSON_COLUMNS: dict[str, str | None] = {"item_id": '"$.item"', "label": '"$.label"', "submitted_at": '"$.at"'}
CSV = f"item,label,at\ni1,häte,{AT}\ni2,ok,{AT}\n"
GZIPPED = gzip.compress(CSV.encode(), mtime=0)


@pytest.mark.parametrize(
    ("content", "source"),
    [
        (CSV.encode(), 'format = "csv"'),
        (b"\xef\xbb\xbf" + CSV.encode(), 'format = "csv"'),
        (CSV.replace("\n", "\r\n").encode(), 'format = "csv"'),
        (CSV.replace(",", ";").encode("latin-1"), 'format = "csv"\ndelimiter = ";"\nencoding = "latin-1"'),
        (CSV.encode("utf-16"), 'format = "csv"\nencoding = "utf-16"'),
        (gzip.compress(CSV.encode(), mtime=0), 'format = "csv"'),
        (gzip.compress(CSV.encode("cp1252"), mtime=0), 'format = "csv"\nencoding = "cp1252"'),
        (CSV.replace(",", "\t").encode(), 'format = "tsv"'),
        (CSV.replace("i2,", '"i2",').replace("\n", "\n\n").encode(), 'format = "csv"'),
    ],
    ids=["plain", "byte-order mark", "crlf", "latin-1", "utf-16", "gzip", "gzip cp1252", "tsv", "empty lines"],
)
def test_tables_of_text(tmp_path: Path, content: bytes, source: str) -> None:
    """Stops a legal form of CSV, or an encoding, from changing what is read."""
    summary, rows = run_import(tmp_path, content, mapping=mapping_text(source=source))
    assert [(row["item_id"], row["label"]) for row in rows] == [("i1", "häte"), ("i2", "ok")]
    assert summary.rows_read == 2


RECORDS = [{"item": "i1", "label": "häte", "at": AT}, {"item": "i2", "label": "ok", "at": AT}]
LINES = "\n".join(json.dumps(record, ensure_ascii=False) for record in RECORDS)


@pytest.mark.parametrize(
    ("content", "source"),
    [
        (json.dumps(RECORDS).encode(), "json"),
        (b" \n " + json.dumps(RECORDS, indent=2, ensure_ascii=False).encode(), "json"),
        (json.dumps(RECORDS[0]).encode() + b"\n" + json.dumps(RECORDS[1], indent=1).encode(), "json"),
        (LINES.encode(), "jsonl"),
        (b"\xef\xbb\xbf" + LINES.replace("\n", "\r\n\r\n").encode() + b"\n\n", "jsonl"),
        (gzip.compress(LINES.encode(), mtime=0), "jsonl"),
        (LINES.encode("utf-16-le"), 'jsonl"\nencoding = "utf-16-le'),
    ],
    ids=["array", "pretty", "objects", "lines", "lines with mark", "gzip", "utf-16"],
)
def test_json(tmp_path: Path, content: bytes, source: str) -> None:
    """Stops a legal layout of JSON from changing what is read."""
    mapping = mapping_text(source=f'format = "{source}"', columns=JSON_COLUMNS)
    summary, rows = run_import(tmp_path, content, mapping=mapping, name="s.json")
    assert [(row["item_id"], row["label"]) for row in rows] == [("i1", "häte"), ("i2", "ok")]
    assert summary.rows_read == 2


def test_one_large_object(tmp_path: Path) -> None:
    """Stops an export that is one object from failing at DuckDB's 16 MB for one object."""
    record = {"rows": [{"item": f"i{n}", "text": "x" * 1000} for n in range(18_000)]}
    mapping = mapping_text(
        source='format = "json"',
        columns={"item_id": '"r.item"', "label": '{ const = "ok" }', "submitted_at": f'{{ const = "{AT}" }}'},
        extra="[[explode]]\npath = '$.rows'\nas = 'r'",
    )
    summary, _ = run_import(tmp_path, json.dumps(record), mapping=mapping, name="one.json")
    assert (summary.rows_read, summary.rows_written) == (1, 18_000)


def test_parquet_with_types_and_nested_columns(tmp_path: Path) -> None:
    """Stops typed Parquet columns from being read in another zone, and nested ones from being out of reach."""
    path = tmp_path / "s.parquet"
    with duckdb.connect() as con:
        con.execute("set TimeZone = 'America/New_York'")
        con.execute(
            f"""copy (select 7 as "it em", {{'choices': ['b', 'a']}} as label, timestamptz '{AT}' as at,
            12.5::decimal(8, 2) as secs, true as blind) to '{path}' (format parquet)"""
        )
    columns: dict[str, str | None] = {
        "item_id": '"it em"',
        "label": '{ path = "label.choices", join = "|" }',
        "handle_seconds": '"secs"',
        "is_blind": '"blind"',
    }
    mapping = tmp_path / "m.toml"
    mapping.write_text(mapping_text(source='format = "parquet"', columns=columns), encoding="utf-8")
    home = Home(tmp_path / "home")
    import_files(home, feed="labels", mapping=mapping, files=[path])
    (row,) = landed_rows(home)
    assert (row["item_id"], row["label"], row["handle_seconds"], row["is_blind"]) == ("7", "a|b", 12.5, True)
    assert row["submitted_at"] == datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("content", "source", "expected"),
    [
        ("", 'format = "csv"', "is empty (0 bytes)"),
        ("item,label,at\na,b\n", 'format = "csv"', "line 2 has 2 values where the header has 3"),
        (f"item,label,at\na,b,{AT}\n\na,b,c,d\n", 'format = "csv"', "line 4 has 4 values where the header has 3"),
        ("item,label,item\n", 'format = "csv"', "names 'item' twice"),
        (b"item,label,at\n\xff,b,c\n", 'format = "csv"', "line 2 holds the byte 0xff, which is not UTF-8"),
        ("\nitem,label,at\n", 'format = "csv"', "its header line is empty"),
        (b"\x81", 'format = "csv"\nencoding = "cp1252"', "cannot be read as cp1252"),
        ('{"a": 1}\n{"a": \n{"a": 3}\n', 'format = "jsonl"', "line 2 ends before its JSON object does"),
        ('{"a": 1}\n{"a": b}\n', 'format = "jsonl"', "line 2 is not JSON at character 7"),
        ('[{"a": 1}, {"a":', 'format = "json"', "it is not JSON"),
        ("  \n", 'format = "json"', "nothing but blanks"),
        ("PAR1", 'format = "parquet"', "is not a Parquet file that can be read"),
        (b"\x1f\x8b\x08broken", 'format = "csv"', "its gzip data is damaged or breaks off"),
        (GZIPPED[:-6], 'format = "csv"', "its gzip data is damaged or breaks off"),
        (GZIPPED[:-8] + b"1234" + GZIPPED[-4:], 'format = "csv"', "its gzip data is damaged or breaks off"),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else value,
)
def test_a_bad_file_is_named_with_its_line(tmp_path: Path, content: str | bytes, source: str, expected: str) -> None:
    """Stops a bad file from ending in a stack trace, in a half import, or in a config drafted from it."""
    columns = JSON_COLUMNS if "json" in source else {}
    with pytest.raises(MappingError) as caught:
        run_import(tmp_path, content, mapping=mapping_text(source=source, columns=columns), name="bad file.x")
    message = str(caught.value)
    assert message.startswith(str(tmp_path / "bad file.x"))
    assert expected in message
    home = tmp_path / "home"
    assert list((home / "landing").iterdir()) == []
    assert list((home / "config").iterdir()) == []
    assert [path.name for path in home.iterdir() if path.name.startswith(".import")] == []


def test_files_that_are_not_there(tmp_path: Path) -> None:
    """Stops a misspelt path from ending in a stack trace."""
    mapping = tmp_path / "m.toml"
    mapping.write_text(mapping_text(), encoding="utf-8")
    home = Home(tmp_path / "home")
    with pytest.raises(MappingError, match=r"nowhere\.csv cannot be read \(No such file"):
        import_files(home, feed="labels", mapping=mapping, files=[tmp_path / "nowhere.csv"])
    with pytest.raises(MappingError, match=r"cannot be read \(Is a directory"):
        import_files(home, feed="labels", mapping=mapping, files=[tmp_path])
    with pytest.raises(MappingError, match="No file to import"):
        import_files(home, feed="labels", mapping=mapping, files=[])
    with pytest.raises(MappingError, match="'label' is not a feed"):
        import_files(home, feed="label", mapping=mapping, files=[tmp_path])
    with pytest.raises(MappingError, match="its target is 'labels', but 'gold' was asked for"):
        import_files(home, feed="gold", mapping=mapping, files=[tmp_path])


def test_one_bad_file_of_several_imports_nothing(tmp_path: Path) -> None:
    """Stops a half import: which files went in would have to be guessed."""
    mapping = tmp_path / "m.toml"
    mapping.write_text(mapping_text(), encoding="utf-8")
    (tmp_path / "good.csv").write_text(CSV)
    (tmp_path / "bad.csv").write_text(CSV + "x\n")
    home = Home(tmp_path / "home")
    with pytest.raises(MappingError, match=r"bad\.csv cannot be read as csv: line 4"):
        import_files(home, feed="labels", mapping=mapping, files=[tmp_path / "good.csv", tmp_path / "bad.csv"])
    assert list(home.landing.iterdir()) == []


def test_a_name_is_not_a_pattern(tmp_path: Path) -> None:
    """Stops DuckDB from importing other files in place of, or besides, one whose name looks like a pattern."""
    (tmp_path / "export1.csv").write_text(CSV.replace("i1", "x1"), encoding="utf-8")
    for name in ("export[1].csv", "export*.csv"):
        _, rows = run_import(tmp_path, CSV, mapping=mapping_text(), name=name)
        assert {row["item_id"] for row in rows} == {"i1", "i2"}


def test_a_file_with_a_header_only_is_told(tmp_path: Path) -> None:
    """Stops a quiet day from failing: an export without rows is empty, not wrong."""
    summary, rows = run_import_of_header(tmp_path)
    assert rows == []
    assert "source.csv has no rows." in summary


def run_import_of_header(tmp_path: Path) -> tuple[tuple[str, ...], list[Path]]:
    """Import a header without rows; returns the remarks and what landed."""
    (tmp_path / "source.csv").write_text("item,label,at\n")
    (tmp_path / "m.toml").write_text(mapping_text(), encoding="utf-8")
    home = Home(tmp_path / "home")
    summary = import_files(home, feed="labels", mapping=tmp_path / "m.toml", files=[tmp_path / "source.csv"])
    return summary.notes, list(home.landing.rglob("*.parquet"))
