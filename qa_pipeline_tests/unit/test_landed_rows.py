"""Landed files as rows: what a file says, what is odd about it, and what is wrong with one that cannot be read."""

import gzip
import json
import random
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import duckdb
import pytest

from qa_pipeline import landed_rows, landing
from qa_pipeline.contracts import FEEDS, LABELS
from qa_pipeline.errors import LandingFileError
from qa_pipeline.settings import Home

DAY = date(2026, 3, 1)
HEADER = ",".join(LABELS.required_names)
ROW = "L1,I1,BR,hate,text,A1,V1,a,production,2026-03-01T10:00:00Z"
VALUES = dict(zip(LABELS.required_names, ROW.split(","), strict=True))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home").prepare()


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with _connection() as opened:
        yield opened


def _land(home: Home, name: str, content: bytes, feed: str = "labels") -> landing.LandedFile:
    folder = home.landing / feed / f"date={DAY}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
    return next(file for file in landing.scan(home, feed=feed, business_date=DAY) if file.name == name)


def _connection() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    con.execute("set timezone = 'UTC'")
    con.execute("create temp macro int_or_null(s) as (try_cast(s as bigint))")
    return con


def _rows(file: landing.LandedFile) -> list[dict[str, object]]:
    con = _connection()
    reader = landed_rows.open_file(con, file)
    sql = landed_rows.conform_sql(FEEDS[file.feed], reader, file_name=file.name, ordinal=1)
    found = con.execute(sql)
    names = [column[0] for column in found.description or []]
    rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    con.close()
    return rows


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".jsonl", ".jsonl.gz", ".parquet"])
def test_every_format_gives_the_same_row(home: Home, ending: str, tmp_path: Path) -> None:
    """Stops a format from reading a value differently from the others."""
    values = dict(zip(LABELS.required_names, ROW.split(","), strict=True))
    if ending.startswith(".csv"):
        content = f"{HEADER}\n{ROW}\n".encode()
    elif ending.startswith(".jsonl"):
        content = (json.dumps(values) + "\n").encode()
    else:
        target = tmp_path / "row.parquet"
        con = _connection()
        picked = ", ".join(
            f"timestamptz '{value}' as {name}" if name == "submitted_at" else f"'{value}' as {name}"
            for name, value in values.items()
        )
        con.execute(f"copy (select {picked}) to '{target}' (format parquet)")
        con.close()
        content = target.read_bytes()
    if ending.endswith(".gz"):
        content = gzip.compress(content)
    [row] = _rows(_land(home, f"a{ending}", content))
    assert {name: str(row[name]) for name in ("label_id", "market", "label", "stage")} == {
        "label_id": "L1",
        "market": "BR",
        "label": "a",
        "stage": "production",
    }
    assert str(row["submitted_at"]) == "2026-03-01 10:00:00+00:00"
    assert (row["row_number"], row["row_id"], row["file_name"]) == (1, landed_rows.ROWS_PER_FILE + 1, f"a{ending}")
    assert (row["handle_seconds"], row["missing_values"], row["type_errors"]) == (None, None, None)


def test_missing_values_and_wrong_types_are_named(home: Home) -> None:
    """Stops a cast from turning a wrong value into a silent NULL."""
    header = HEADER + ",handle_seconds,is_blind"
    bad = "L1,,BR,hate,text,A1,V1,a,production,yesterday,fast,perhaps"
    good = ROW.replace("L1", "L2") + ",1.5,true"
    rows = _rows(_land(home, "a.csv", f"{header}\n{bad}\n{good}\n".encode()))
    assert (rows[0]["missing_values"], rows[0]["type_errors"]) == ("item_id", "submitted_at,handle_seconds,is_blind")
    assert rows[1]["handle_seconds"] == 1.5
    assert rows[1]["type_errors"] is None


def test_quoted_line_breaks_do_not_split_a_row(home: Home) -> None:
    """Stops row numbers from counting lines instead of rows."""
    broken = ROW.replace("I1", '"I\n1"')
    rows = _rows(_land(home, "a.csv", f"{HEADER}\n{broken}\n{ROW}\n".encode()))
    assert [(row["row_number"], row["item_id"]) for row in rows] == [(1, "I\n1"), (2, "I1")]


def test_row_numbers_follow_the_file_in_a_large_text_file(home: Home) -> None:
    """Stops threads from handing out row numbers out of order (they did, without insertion order)."""
    lines = "\n".join(ROW.replace("L1", f"L{number}") for number in range(1, 300_001))
    file = _land(home, "a.csv", f"{HEADER}\n{lines}\n".encode())
    con = _connection()
    con.execute("set preserve_insertion_order = true")
    sql = landed_rows.conform_sql(LABELS, landed_rows.open_file(con, file), file_name="a.csv", ordinal=1)
    wrong = con.execute(f"select count(*) from ({sql}) where label_id <> 'L' || row_number").fetchall()
    con.close()
    assert wrong == [(0,)]


def _csv(*rows: str, header: str = HEADER) -> bytes:
    return "\n".join([header, *rows, ""]).encode()


def _jsonl(*lines: str) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def _parquet(folder: Path, columns: str = "", **values: str) -> bytes:
    """One row of Parquet: SQL `values` in place of the good ones, and more `columns`."""
    picked = ", ".join(f"{values.get(name, repr(value))} as {name}" for name, value in VALUES.items())
    with duckdb.connect() as con:
        con.execute("set timezone = 'UTC'")
        con.execute(f"copy (select {picked}{columns}) to '{folder / 'row.parquet'}' (format parquet)")
    return (folder / "row.parquet").read_bytes()


def _refused(con: duckdb.DuckDBPyConnection, file: landing.LandedFile) -> LandingFileError:
    with pytest.raises(LandingFileError) as caught:
        landed_rows.open_file(con, file)
    return caught.value


GOOD = [ROW.replace("L1", f"L{number}") for number in range(1, 11)]
GZIPPED = gzip.compress(_csv(*GOOD), mtime=0)
LATIN = ROW.replace("I1", "caf\xe9").encode("latin-1") + b"\n"
NOTE = f"{ROW},caf\xe9\n".encode("latin-1")


@pytest.mark.parametrize(
    ("name", "content", "cause"),
    [
        ("a.csv", _csv(*GOOD, ROW + ",x"), "line 12 has 11 values where the header has 10; correct the line"),
        ("a.csv", _csv(*GOOD, "L1,I1,BR"), "line 12 has 3 values where the header has 10"),
        ("a.csv", _csv('L0,"I\n0"' + ROW[5:], ROW + ",x"), "line 4 has 11 values"),
        (
            "a.csv",
            _csv(*GOOD, '"' + ROW),
            "the row that begins in line 12 opens a quote that is never closed; close it",
        ),
        ("a.csv", _csv(ROW.replace("I1", '"I"1')), "line 2 has text between a closing quote and the next value"),
        ("a.csv", _csv(ROW.replace("I1", "x" * 2_000_001)), "the row that begins in line 2 has a value longer than"),
        ("a.csv", _csv(*GOOD) + LATIN, "line 12 holds the byte 0xe9, which is not UTF-8; save it as UTF-8"),
        ("a.csv", _csv(*(row + ",x" for row in GOOD * 5000), header=HEADER + ",note") + NOTE, "line 50002 holds the"),
        ("a.csv", _csv(*GOOD) + f"{ROW}\r\n{ROW}\n".encode(), "line 12 ends otherwise than line 1"),
        ("a.csv", _csv(*GOOD).decode().encode("utf-16"), "it is UTF-16; save it as UTF-8"),
        ("a.csv", GZIPPED, "it is gzipped, but its name does not end in .gz; add .gz to its name"),
        ("a.csv", b"PAR1\x15\x04\x90", "it is a Parquet file; let its name end in .parquet"),
        ("a.csv", b"PK\x03\x04\xff", "it is a ZIP archive or a spreadsheet"),
        ("a.csv.gz", GZIPPED[:-20], "its gzip data is damaged or breaks off"),
        ("a.csv.gz", GZIPPED[:40] + b"\x00\xff" + GZIPPED[42:], "its gzip data is damaged or breaks off"),
        ("a.csv.gz", _csv(ROW), "its name ends in .gz, but it is not gzipped; take .gz off its name or gzip it"),
        ("a.jsonl", _jsonl(*[json.dumps(VALUES)] * 3, '{"label_id": '), "line 4 ends before its JSON object does"),
        ("a.jsonl", _jsonl(json.dumps(VALUES), '{"label_id": L1}'), "line 2 is not JSON at character 14"),
        ("a.jsonl", json.dumps([VALUES, VALUES], indent=1).encode(), "it is one JSON array; write one object per line"),
        ("a.jsonl", json.dumps(VALUES, indent=1).encode(), "line 1 ends before its JSON object does"),
        ("a.jsonl", b"\xef\xbb\xbf" + _jsonl(json.dumps(VALUES)), "it begins with a byte order mark"),
        ("a.jsonl", _jsonl(json.dumps(VALUES)) + b'{"label_id": "\xe9"}', "line 2 holds the byte 0xe9"),
        (
            "a.jsonl.gz",
            gzip.compress(_jsonl(json.dumps(VALUES)), mtime=0)[:-9],
            "its gzip data is damaged or breaks off",
        ),
        ("a.parquet", _csv(ROW), "it is not a Parquet file, which begins with PAR1; export it as Parquet"),
        ("a.parquet", b"PAR1", "it begins as a Parquet file but breaks off before its end; upload it again"),
        ("a.parquet", b"PAR1 but nothing in it PAR1", "its content is damaged ("),
    ],
)
def test_an_unreadable_file_says_where_and_why(
    home: Home, con: duckdb.DuckDBPyConnection, name: str, content: bytes, cause: str
) -> None:
    """Stops a message without the line and the cause: DuckDB's first line has neither."""
    refused = _refused(con, _land(home, name, content))
    assert refused.rule_id == "FIL-001"
    assert str(refused).startswith(f"{name} cannot be read, so none of its rows were loaded: {cause}")
    assert "\n" not in str(refused)
    assert str(home.root) not in str(refused)


def test_a_parquet_file_that_broke_off_is_told(home: Home, con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """Stops half an upload from being told as "No magic bytes"."""
    content = _parquet(tmp_path)
    refused = _refused(con, _land(home, "a.parquet", content[: len(content) // 2]))
    assert "it begins as a Parquet file but breaks off before its end; upload it again, whole" in str(refused)


def test_a_damaged_gzip_file_is_never_loaded(home: Home, con: duckdb.DuckDBPyConnection) -> None:
    """Stops rows of a file damaged on its way: DuckDB does not look at the checksum of gzip."""
    draw = random.Random(1)
    content = gzip.compress(_csv(*GOOD * 20), mtime=0)
    for _ in range(50):
        place = draw.randrange(20, len(content) - 4)
        damaged = content[:place] + bytes([content[place] ^ 0x10]) + content[place + 1 :]
        refused = _refused(con, _land(home, "a.csv.gz", damaged))
        assert "its gzip data is damaged or breaks off" in str(refused)


def test_a_file_that_may_not_be_opened_is_told(
    home: Home, con: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stops wrong rights on one file from ending the night."""
    file = _land(home, "a.csv", _csv(ROW))

    def refuse(_path: Path, *_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert landing.content_hash(file) == ""
    assert "a.csv cannot be read, so none of its rows were loaded: it cannot be opened (Permission denied); see" in str(
        _refused(con, file)
    )


@pytest.mark.parametrize(
    ("name", "content", "rule_id", "words", "rows"),
    [
        ("a.xlsx", b"PK", "FIL-005", "a.xlsx ends in none of .parquet, .csv", 0),
        ("a.csv", b"", "FIL-002", "a.csv is empty (0 bytes): deliver it again (a file without rows still has its", 0),
        ("a.jsonl", b"", "FIL-002", "a file without rows still has one empty line", 0),
        ("a.csv.gz", gzip.compress(b"", mtime=0), "FIL-002", "a.csv.gz is empty", 0),
        ("a.csv", b"\n", "FIL-001", "its header line is empty", 0),
        ("a.csv", b"label_id,label_id\nL1,I1\n", "FIL-001", "names the column 'label_id' twice", 1),
        ("a.csv", b"label_id,,x\nL1,I1,1\nL2,I1,1\n", "FIL-001", "has no name for column 2", 2),
        ("a.csv", (HEADER + ",Label\n" + ROW + ",x\n").encode(), "FIL-001", "differ only in case", 1),
        ("a.jsonl", b'{"label_id": "L1", "Label": "a"}\n{"label": "b"}\n', "FIL-001", "differ only in case", 2),
        ("a.csv", b"label_id,item_id\nL1,I1\n", "FIL-003", "a.csv has no column market, queue", 1),
        ("a.csv", _csv(ROW, ROW, header=HEADER.replace("market", "Market")), "FIL-003", "not know its 'Market')", 2),
        ("a.csv", _csv(ROW, ROW).replace(b",", b";"), "FIL-003", "because its header has ; where commas belong", 2),
        ("a.jsonl", b'{"label_id": "L1"}\n{"item_id": "I1"}\n', "FIL-003", "a.jsonl has no column market", 2),
    ],
)
def test_an_unusable_file_is_one_sentence_and_its_rows_are_counted(
    home: Home, con: duckdb.DuckDBPyConnection, name: str, content: bytes, rule_id: str, words: str, rows: int
) -> None:
    """Stops a refused file from ending without a reason, and from a ledger that says it had no rows."""
    refused = _refused(con, _land(home, name, content))
    assert (refused.rule_id, refused.rows) == (rule_id, rows)
    assert words in str(refused)
    assert name in str(refused)


def test_a_parquet_column_named_as_the_row_number_is_told(
    home: Home, con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    """Stops a name that DuckDB takes for itself from looking like a damaged file."""
    refused = _refused(con, _land(home, "a.parquet", _parquet(tmp_path, ", 7 as file_row_number")))
    assert (str(refused), refused.rows) == (
        "a.parquet has a column file_row_number, a name that the pipeline needs: rename it",
        1,
    )


def test_a_header_without_rows_is_a_file_without_rows(home: Home, con: duckdb.DuckDBPyConnection) -> None:
    """Stops a quiet day from being taken for a broken delivery."""
    assert landed_rows.open_file(con, _land(home, "a.csv", _csv())).rows == 0
    assert landed_rows.open_file(con, _land(home, "b.csv", HEADER.encode())).rows == 0
    assert landed_rows.open_file(con, _land(home, "c.jsonl", b"\n")).rows == 0


@pytest.mark.parametrize("name", ["a[1].csv", "a*.csv", "a?.csv", "[a]*.jsonl", "a*.parquet"])
def test_a_name_is_not_a_pattern(home: Home, tmp_path: Path, name: str) -> None:
    """Stops DuckDB from reading other files in place of, or besides, one whose name looks like a pattern."""
    makers = {"csv": _csv(ROW), "jsonl": _jsonl(json.dumps(VALUES)), "parquet": _parquet(tmp_path)}
    content = makers[name.split(".")[1]]
    for other in ("a1", "ab", "a"):
        _land(home, f"{other}.{name.split('.')[1]}", content.replace(b"L1", b"XX"))
    assert [row["label_id"] for row in _rows(_land(home, name, content))] == ["L1"]


def test_a_column_called_row_number_is_only_an_unknown_column(home: Home) -> None:
    """Stops a delivered column from taking the place of the row's own number."""
    content = f"{HEADER},row_number\n{ROW},7\n{ROW.replace('L1', 'L2')},7\n"
    assert [row["row_number"] for row in _rows(_land(home, "a.csv", content.encode()))] == [1, 2]


def test_a_line_that_says_null_is_a_row_without_values(home: Home) -> None:
    """Stops the ledger from counting rows that the load counts differently."""
    values = json.dumps(dict(zip(LABELS.required_names, ROW.split(","), strict=True)))
    file = _land(home, "a.jsonl", f"{values}\nnull\n".encode())
    con = _connection()
    assert landed_rows.open_file(con, file).rows == 2
    con.close()
    assert [row["missing_values"] is None for row in _rows(file)] == [True, False]


def _remarks(con: duckdb.DuckDBPyConnection, file: landing.LandedFile) -> list[str]:
    return landed_rows.remarks(LABELS, landed_rows.open_file(con, file))


def test_unknown_columns_are_named(home: Home, con: duckdb.DuckDBPyConnection) -> None:
    """Stops a misspelt optional column from vanishing."""
    file = _land(home, "a.csv", f"{HEADER},handel_seconds\n{ROW},3\n".encode())
    assert _remarks(con, file) == ["FIL-004: unknown columns left out: handel_seconds"]


def test_times_without_a_zone_are_told(home: Home, con: duckdb.DuckDBPyConnection) -> None:
    """Stops a vendor's local times from being taken as UTC in silence, hours off and some on the wrong date."""
    header = f"{HEADER},assigned_at"
    zoned = ("2026-03-01T10:00:00Z", "2026-03-01 10:00:00+02:00", "2026-03-01T10:00:00-0330", "2026-03-01 10:00:00 UTC")
    naive = ("2026-03-01T10:00:00", "2026-03-01 10:00", "2026-03-01", "2026-03-01T10:00:00.123")
    rows = [ROW.replace("2026-03-01T10:00:00Z", time) + f",{time}" for time in (*zoned, *naive)]
    rows += [ROW + ",", ROW + ",yesterday"]
    expected = "in 4 of 10 rows (such as '2026-03-01') and was taken as UTC: deliver 2026-01-31T08:00:00Z"
    names = header.split(",")
    lines = [json.dumps(dict(zip(names, row.split(","), strict=True))) for row in rows]
    for file in (_land(home, "a.csv", _csv(*rows, header=header)), _land(home, "a.jsonl", _jsonl(*lines))):
        assert _remarks(con, file) == [
            f"FIL-007: submitted_at has no zone {expected}",
            f"FIL-007: assigned_at has no zone {expected}",
        ]
        assert landed_rows.open_file(con, file).rows == 10
    assert _remarks(con, _land(home, "b.csv", _csv(ROW))) == []


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("timestamptz '2026-03-01 10:00:00Z'", None),
        ("'2026-03-01T10:00:00Z'", None),
        ("timestamp '2026-03-01 10:00:00'", "(its type is TIMESTAMP)"),
        ("timestamp_ns '2026-03-01 10:00:00'", "(its type is TIMESTAMP_NS)"),
        ("date '2026-03-01'", "(its type is DATE)"),
        ("'2026-03-01 10:00:00'", "in 1 of 1 rows (such as '2026-03-01 10:00:00')"),
    ],
)
def test_parquet_times_without_a_zone_are_told(
    home: Home, con: duckdb.DuckDBPyConnection, tmp_path: Path, value: str, told: str | None
) -> None:
    """Stops pandas' naive times, which are a type of their own, from passing for UTC."""
    remarks = _remarks(con, _land(home, "a.parquet", _parquet(tmp_path, submitted_at=value)))
    start = f"FIL-007: submitted_at has no zone {told} and was taken as UTC"
    assert [remark.startswith(start) for remark in remarks] == ([] if told is None else [True])


def test_names_and_paths_with_quotes_cannot_break_out(home: Home) -> None:
    """Stops SQL injection by a file or column name."""
    rows = _rows(_land(home, "a'; drop table x; --.csv", f'{HEADER},"x""y\'z"\n{ROW},1\n'.encode()))
    assert rows[0]["file_name"] == "a'; drop table x; --.csv"
