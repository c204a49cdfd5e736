"""Landing: what is a partition, what a file says, and what is wrong with one."""

import gzip
import json
from datetime import date
from pathlib import Path

import duckdb
import pytest

from qa_pipeline import landing
from qa_pipeline.contracts import FEEDS, LABELS
from qa_pipeline.errors import LandingFileError
from qa_pipeline.settings import Home

DAY = date(2026, 3, 1)
HEADER = ",".join(LABELS.required_names)
ROW = "L1,I1,BR,hate,text,A1,V1,a,production,2026-03-01T10:00:00Z"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home").prepare()


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
    reader = landing.open_file(con, file)
    sql = landing.conform_sql(FEEDS[file.feed], reader, file_name=file.name, ordinal=1)
    found = con.execute(sql)
    names = [column[0] for column in found.description or []]
    rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    con.close()
    return rows


@pytest.mark.parametrize(
    "name", ["date=2026-02-30", "2026-03-01", "date=2026-3-1", "date=tomorrow", "date=0202-10-01", "date=9999-12-31"]
)
def test_a_folder_that_is_no_date_is_refused(name: str) -> None:
    """Stops a loader that guesses what a misnamed folder means."""
    with pytest.raises(LandingFileError, match=name) as caught:
        landing.parse_folder(name)
    assert caught.value.rule_id == "FIL-006"


def test_misplaced_folders_are_reported_and_not_loaded(home: Home) -> None:
    """Stops a date that does not exist, or a misspelt feed, from being passed over in silence."""
    (home.landing / "labels" / "date=2026-02-30").mkdir(parents=True)
    (home.landing / "lables").mkdir()
    (home.landing / "labels" / f"date={DAY}" / "market=BR").mkdir(parents=True)
    (home.landing / "labels" / "date=2026-03-02").write_text("a file")
    reasons = [str(reason) for _, _, reason in landing.misplaced(home)]
    assert any("date=2026-02-30" in reason for reason in reasons)
    assert any("lables" in reason and "labels" in reason for reason in reasons)
    assert any("market=BR is a folder" in reason for reason in reasons)
    assert any("date=2026-03-02 is a file" in reason for reason in reasons)
    assert landing.landed_partitions(home) == {("labels", DAY): []}


def test_hidden_and_unfinished_files_are_not_deliveries(home: Home) -> None:
    """Stops half-written files from being loaded."""
    _land(home, "a.csv", f"{HEADER}\n{ROW}\n".encode())
    for name in (".a.csv.swp", "_SUCCESS", "b.csv.tmp"):
        (home.landing / "labels" / f"date={DAY}" / name).write_bytes(b"x")
    assert [file.name for file in landing.scan(home, feed="labels", business_date=DAY)] == ["a.csv"]


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
    assert (row["row_number"], row["row_id"], row["file_name"]) == (1, landing.ROWS_PER_FILE + 1, f"a{ending}")
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
    sql = landing.conform_sql(LABELS, landing.open_file(con, file), file_name="a.csv", ordinal=1)
    wrong = con.execute(f"select count(*) from ({sql}) where label_id <> 'L' || row_number").fetchall()
    con.close()
    assert wrong == [(0,)]


@pytest.mark.parametrize(
    ("name", "content", "rule_id", "words"),
    [
        ("a.xlsx", b"PK", "FIL-005", "ends in none of"),
        ("a.csv", b"", "FIL-002", "is empty"),
        ("a.parquet", b"not parquet at all", "FIL-001", "cannot be read"),
        ("a.jsonl", b'{"label_id": "L1"\n{"x"', "FIL-001", "cannot be read"),
        ("a.csv.gz", b"not gzip", "FIL-001", "cannot be read"),
        ("a.csv", b"label_id,item_id\nL1,I1\n", "FIL-003", "has no column market"),
        ("a.csv", b"label_id,label_id\nL1,I1\n", "FIL-001", "names the column 'label_id' twice"),
        ("a.csv", (HEADER + "\n" + ROW + ",one,too,many\n").encode(), "FIL-001", "cannot be read"),
        ("a.jsonl", b'{"label_id": "L1", "Label": "a"}\n{"label": "b"}\n', "FIL-001", "differ only in case"),
        ("a.csv", (HEADER + ",Label\n" + ROW + ",x\n").encode(), "FIL-001", "differ only in case"),
        ("a.csv", b"\xff\xfe\x00", "FIL-001", "cannot be read"),
    ],
)
def test_an_unusable_file_is_one_sentence(home: Home, name: str, content: bytes, rule_id: str, words: str) -> None:
    """Stops one bad file from ending the night, or from ending without a reason."""
    con = _connection()
    with pytest.raises(LandingFileError, match=words) as caught:
        landing.open_file(con, _land(home, name, content))
    con.close()
    assert caught.value.rule_id == rule_id
    assert name in str(caught.value)


def test_a_column_called_row_number_is_only_an_unknown_column(home: Home) -> None:
    """Stops a delivered column from taking the place of the row's own number."""
    content = f"{HEADER},row_number\n{ROW},7\n{ROW.replace('L1', 'L2')},7\n"
    assert [row["row_number"] for row in _rows(_land(home, "a.csv", content.encode()))] == [1, 2]


def test_a_line_that_says_null_is_a_row_without_values(home: Home) -> None:
    """Stops the ledger from counting rows that the load counts differently."""
    values = json.dumps(dict(zip(LABELS.required_names, ROW.split(","), strict=True)))
    file = _land(home, "a.jsonl", f"{values}\nnull\n".encode())
    con = _connection()
    assert landing.open_file(con, file).rows == 2
    con.close()
    assert [row["missing_values"] is None for row in _rows(file)] == [True, False]


def test_unknown_columns_are_named(home: Home) -> None:
    """Stops a misspelt optional column from vanishing."""
    con = _connection()
    reader = landing.open_file(con, _land(home, "a.csv", f"{HEADER},handel_seconds\n{ROW},3\n".encode()))
    con.close()
    assert landing.unknown_columns(LABELS, reader) == ["handel_seconds"]


def test_names_and_paths_with_quotes_cannot_break_out(home: Home) -> None:
    """Stops SQL injection by a file or column name."""
    rows = _rows(_land(home, "a'; drop table x; --.csv", f'{HEADER},"x""y\'z"\n{ROW},1\n'.encode()))
    assert rows[0]["file_name"] == "a'; drop table x; --.csv"
