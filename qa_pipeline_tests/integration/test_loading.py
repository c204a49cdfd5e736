"""One partition, loaded: where the rows of each file are by the ledger, and what is said of it."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from qa_pipeline import loading, quarantining
from qa_pipeline.config import load_config
from qa_pipeline.settings import Home
from qa_pipeline.warehouse import working
from qa_pipeline_tests.small_home import FIRST_DAY, land, land_blocked, small_rows, write_small_home

ROWS = small_rows("labels", FIRST_DAY)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home with one good file of 36 labels."""
    return write_small_home(tmp_path, days=1, feeds=["labels"])


@pytest.fixture
def con(home: Home) -> Iterator[duckdb.DuckDBPyConnection]:
    with working(home, load_config(home)) as opened:
        yield opened


def _load(con: duckdb.DuckDBPyConnection, home: Home) -> loading.LoadResult:
    return loading.load_partition(con, home=home, config=load_config(home), feed="labels", business_date=FIRST_DAY)


def _ledger(con: duckdb.DuckDBPyConnection) -> dict[str, tuple[int, int, int, int, str]]:
    """Rows landed, validated, quarantined and superseded, and the status of each file; the identity is checked."""
    assert quarantining.unbalanced_files(con) == []
    rows = con.execute(
        "select file_name, rows_landed, rows_validated, rows_quarantined, rows_superseded, status from ops.ledger"
    ).fetchall()
    return {row[0]: row[1:] for row in rows}


def _messages(con: duckdb.DuckDBPyConnection) -> dict[str, str]:
    return dict(con.execute("select file_name, message from ops.ledger where message is not null").fetchall())


def test_rows_of_a_file_without_a_required_column_are_counted(home: Home, con: duckdb.DuckDBPyConnection) -> None:
    """Stops a ledger that says a refused file had no rows, though they can be counted."""
    narrow = [{name: value for name, value in row.items() if name != "market"} for row in ROWS[:5]]
    land(home, feed="labels", day=FIRST_DAY, rows=narrow, name="narrow.csv")
    result = _load(con, home)
    assert _ledger(con) == {"part.csv": (36, 36, 0, 0, "loaded"), "narrow.csv": (5, 0, 5, 0, "quarantined")}
    assert (result.rows_landed, result.rows_quarantined) == (41, 5)
    assert con.execute("select rule_id, rows_landed from quarantine.quarantined_files").fetchall() == [("FIL-003", 5)]


def test_a_byte_that_is_no_text_far_in_the_file_quarantines_it_alone(
    home: Home, con: duckdb.DuckDBPyConnection
) -> None:
    """Stops one bad byte, in whatever column, from ending the load of the partition."""
    rows = [row | {"label_id": f"{row['label_id']}-{part}", "note": "x"} for part in range(20) for row in ROWS]
    for column, name in (("note", "unknown.csv"), ("vendor", "known.csv")):
        broken = [*rows[:-2], rows[-2] | {column: "LATIN"}, rows[-1] | {"market": "nowhere"}]
        path = land(home, feed="labels", day=FIRST_DAY, rows=broken, name=name)
        path.write_bytes(path.read_bytes().replace(b"LATIN", b"caf\xe9"))
    _load(con, home)
    ledger = _ledger(con)
    assert ledger["part.csv"] == (36, 36, 0, 0, "loaded")
    for name in ("unknown.csv", "known.csv"):
        assert ledger[name][4] == "quarantined"
        assert (
            f"{name} cannot be read, so none of its rows were loaded: line 720 holds the byte" in _messages(con)[name]
        )


def test_what_is_odd_about_a_loaded_file_is_in_the_ledger(home: Home, con: duckdb.DuckDBPyConnection) -> None:
    """Stops unknown columns and times without a zone from being passed over in silence, or the one for the other."""
    odd = [row | {"colour": "red", "submitted_at": str(row["submitted_at"]).removesuffix("Z")} for row in ROWS[:2]]
    rows = [row | {"label_id": f"odd-{row['label_id']}"} for row in odd]
    land(home, feed="labels", day=FIRST_DAY, rows=rows, name="odd.csv")
    _load(con, home)
    assert _ledger(con)["odd.csv"] == (2, 2, 0, 0, "loaded")
    assert _messages(con) == {
        "odd.csv": "FIL-004: unknown columns left out: colour; FIL-007: submitted_at has no zone in 2 of 2 rows (such "
        "as '2026-10-01T14:00:00') and was taken as UTC: deliver 2026-01-31T08:00:00Z"
    }


def test_a_partition_on_hold_says_so_whatever_else_is_odd(home: Home, con: duckdb.DuckDBPyConnection) -> None:
    """Stops a remark on a column from hiding that, and why, nothing of the partition was loaded."""
    land_blocked(home, feed="labels", day=FIRST_DAY)
    odd = [row | {"market": "nowhere", "colour": "red"} for row in ROWS]
    land(home, feed="labels", day=FIRST_DAY, rows=odd, name="odd.csv")
    assert _load(con, home).blocked_by
    assert _ledger(con) == dict.fromkeys(("part.csv", "odd.csv"), (36, 0, 36, 0, "blocked"))
    message = _messages(con)["odd.csv"]
    assert message.startswith("partition on hold: LBL-090")
    assert message.endswith("FIL-004: unknown columns left out: colour")


def test_the_rule_counts_the_rows_that_are_superseded(home: Home, con: duckdb.DuckDBPyConnection) -> None:
    """Stops a rule and the ledger from telling two numbers: a key three times, and a later row that is bad itself."""
    land(home, feed="labels", day=FIRST_DAY, rows=ROWS[:3], name="q1.csv")
    land(home, feed="labels", day=FIRST_DAY, rows=[*ROWS[:2], ROWS[0]], name="q2.csv")
    land(home, feed="labels", day=FIRST_DAY, rows=[ROWS[5] | {"market": "nowhere"}], name="q3.csv")
    result = _load(con, home)
    assert _ledger(con) == {
        "part.csv": (36, 33, 0, 3, "loaded"),
        "q1.csv": (3, 1, 0, 2, "loaded"),
        "q2.csv": (3, 2, 0, 1, "loaded"),
        "q3.csv": (1, 0, 1, 0, "loaded"),
    }
    found = con.execute(
        "select rows_failed, is_success from ops.rule_results where feed = 'labels' and rule_id = 'LBL-009'"
    ).fetchall()
    assert found == [(6, False)]
    assert con.execute("select count(*) from ops.superseded").fetchall() == [(6,)]
    assert result.rows_superseded == 6
