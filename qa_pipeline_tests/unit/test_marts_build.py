"""Building the marts: columns, keys, order, comments, absent feeds, provisional periods, failure."""

import doctest
import importlib
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from qa_pipeline.errors import WarehouseError
from qa_pipeline.marts.build import MARTS, build_marts
from qa_pipeline.marts.cells import blocks, group_by
from qa_pipeline.marts.mart import Headline
from qa_pipeline.marts.records import COLUMNS, KEY, REASON_MEANINGS
from qa_pipeline_tests.tally_tables import DAY, SQL_ROOT, MartRow, by, config, empty_warehouse, fill, land, read_mart

CONFIG = config({"hate": ["yes", "no"], "spam": ["yes", "no"]}, markets=("AU", "GB"))
# The columns and types that every mart must have, as the pages and readers expect them.
EXPECTED_COLUMNS = {
    "period": "VARCHAR",
    "period_start": "DATE",
    "period_end": "DATE",
    "market": "VARCHAR",
    "queue": "VARCHAR",
    "subject_kind": "VARCHAR",
    "subject": "VARCHAR",
    "metric": "VARCHAR",
    "reference_kind": "VARCHAR",
    "method": "VARCHAR",
    "estimate": "DOUBLE",
    "ci_low": "DOUBLE",
    "ci_high": "DOUBLE",
    "n_items": "BIGINT",
    "n_ratings": "BIGINT",
    "is_provisional": "BOOLEAN",
    "reason": "VARCHAR",
}


def _build(con: duckdb.DuckDBPyConnection) -> dict[str, int]:
    return build_marts(con, sql_root=SQL_ROOT, config=CONFIG)


def _everything(con: duckdb.DuckDBPyConnection, *, days: int) -> None:
    """Something in every tally, over some days."""
    rng = np.random.default_rng(11)
    cells: list[dict[str, Any]] = [
        {"business_date": DAY + timedelta(days=offset), "market": market, "queue": queue}
        for offset in range(days)
        for market in ("AU", "GB")
        for queue in ("hate", "spam")
    ]

    def spread(**texts: object) -> list[dict[str, Any]]:
        return [cell | texts | {"replicate": g, "n": int(rng.integers(1, 9))} for cell in cells for g in range(20)]

    for pattern in ("yes,yes", "no,yes", "no,no"):
        fill(con, "tallies.unit_patterns", spread(pattern=pattern, n_raters=2))
    for label in ("yes", "no"):
        fill(con, "tallies.label_counts", spread(label=label))
        fill(con, "tallies.outcome_counts", spread(label=label))
    fill(con, "tallies.review_counts", spread(sampling="random"))
    lots = [cell | {"weight_ppm": 0, "weight_sq_ppm": 0, "max_weight_ppm": 0, "n": 500} for cell in cells]
    defects = [
        cell | {"sort": "review", "place": place, "is_defect": True, "max_weight_ppm": 1_000_000}
        for cell in cells
        for place in (1, 2)
    ]
    fill(con, "tallies.lot_counts", lots + defects)
    fill(con, "tallies.annotator_label_counts", spread())
    for outcome in ("upheld", "overturned"):
        fill(con, "tallies.appeal_counts", [cell | {"outcome": outcome} for cell in cells])
    for exposure in (1, 2):
        fill(con, "tallies.gold_counts", spread(label="no", exposure=exposure))
    scores = [cell | {"model_version": "m@1", "bin": place, "n": 30} for cell in cells for place in range(99, 2000, 99)]
    fill(con, "tallies.score_hist", scores)


def test_columns_types_and_comments_of_every_mart() -> None:
    """Stops a column from being dropped, renamed or retyped, and tables or columns without a word of explanation."""
    con = empty_warehouse()
    _everything(con, days=3)
    counts = _build(con)
    assert tuple(counts) == tuple(MARTS)
    for mart in MARTS:
        described = con.execute(f"describe marts.{mart}").fetchall()
        extra = {"verdict": "VARCHAR"} if mart in ("agreement", "rater_pairs") else {}
        extra |= {column: type_.upper() for column, (type_, _) in MARTS[mart].extra.items()}
        assert {row[0]: row[1] for row in described} == EXPECTED_COLUMNS | extra
        found = con.execute("select comment from duckdb_columns() where table_name = ?", [mart]).fetchall()
        assert all(comment for (comment,) in found)
        ((comment,),) = con.execute("select comment from duckdb_tables() where table_name = ?", [mart]).fetchall()
        assert comment
        assert con.execute(f"select count(*) from marts.{mart}").fetchall() == [(counts[mart],)]
        assert counts[mart] > 0 or MARTS[mart].source is None
    assert tuple(COLUMNS) == tuple(EXPECTED_COLUMNS)


def test_rows_are_unique_by_the_mart_key_and_stored_in_its_order() -> None:
    """Stops two rows for one figure, and marts whose order changes: equal means equal as ordered CSV.

    The warehouse loads in any order; the marts must be ordered all the same, and the setting must survive.
    """
    con = empty_warehouse()
    con.execute("set preserve_insertion_order = false")
    _everything(con, days=40)
    _build(con)
    for mart in MARTS:
        rows = con.execute(f"from marts.{mart}").fetchall()
        keys = [row[: len(KEY)] for row in rows]
        assert len(set(keys)) == len(keys)
        assert keys == sorted(keys)
    assert con.execute("select current_setting('preserve_insertion_order')").fetchall() == [(False,)]


def test_every_row_has_an_interval_or_a_reason() -> None:
    """Stops figures without an interval that say nothing, zero-width intervals and unknown reasons."""
    con = empty_warehouse()
    _everything(con, days=30)
    _build(con)
    for mart in MARTS:
        for row in read_mart(con, mart):
            has_interval = row.ci_low < row.ci_high
            # Bounds are an interval and no estimate.
            assert has_interval == (row.reason in ("", "bounds_only")), row
            assert has_interval == (row.method != ""), row
            assert row.reason != "bounds_only" or np.isnan(row.estimate), row
            assert row.reason != "" or row.ci_low <= row.estimate <= row.ci_high, row
            assert row.reason == "" or row.reason in REASON_MEANINGS


def test_a_second_run_gives_the_same_marts() -> None:
    """Stops anything but the tallies and the config from entering a mart."""
    con = empty_warehouse()
    _everything(con, days=5)
    _build(con)
    before = {mart: con.execute(f"from marts.{mart}").fetchall() for mart in MARTS}
    _build(con)
    assert {mart: con.execute(f"from marts.{mart}").fetchall() for mart in MARTS} == before


# Subjects so many that marts keep the newest trailing window of them only.
MANY = {"annotator", "content_type", "guideline_version", "label", "model_content_type", "model_label", "site"}
EVERY_DAY = ("agreement", "accuracy", "defect_rate", "drift")


def _is_newest_only(mart: str, row: MartRow) -> bool:
    """Sorts of defects of vendors and model versions have the newest trailing window alone."""
    is_part = row.subject_kind in ("vendor", "model_version")
    is_sort = row.metric.startswith("defect_rate_") and row.metric != "defect_rate_corrected"
    return mart == "defect_rate" and is_part and is_sort and row.period == "trailing_28d"


def test_the_past_does_not_change_when_days_are_added() -> None:
    """Stops figures of settled days from depending on later ones.

    Sums of counts are exact; a label that is new later moves floating point sums by no more than their last digits.
    """
    short, long = empty_warehouse(), empty_warehouse()
    later = DAY + timedelta(days=36)
    _everything(short, days=31)
    _everything(long, days=31)
    fill(long, "tallies.unit_patterns", [{"business_date": later, "pattern": "no,yes,yes", "n_raters": 3, "n": 7}])
    fill(long, "tallies.label_counts", [{"business_date": later, "label": "maybe", "n": 9}])
    fill(long, "tallies.outcome_counts", [{"business_date": later, "rater": "new", "n": 9}])
    for con in (short, long):
        land(con, later)
    _build(short)
    _build(long)
    for mart in MARTS:
        # Where only the newest trailing window is kept it moves on; weeks are then what stays.
        periods = ("day", "trailing_28d") if mart in EVERY_DAY else ("day", "week")
        before, after = (
            [
                row
                for row in read_mart(con, mart)
                if row.period in periods
                and row.subject_kind not in MANY
                and row.period_end <= DAY + timedelta(days=30)
                and not _is_newest_only(mart, row)
            ]
            for con in (short, long)
        )
        numbers = [[(row.estimate, row.ci_low, row.ci_high) for row in rows] for rows in (before, after)]
        np.testing.assert_allclose(numbers[0], numbers[1], rtol=1e-9, atol=1e-12)
        rest = [[replace(row, estimate=0, ci_low=0, ci_high=0) for row in rows] for rows in (before, after)]
        assert rest[0] == rest[1]


def test_absent_feeds_leave_a_row_per_market_and_queue_that_says_so() -> None:
    """Stops an absent feed from being a failure or a silent 0."""
    con = empty_warehouse()
    fill(con, "tallies.label_counts", [{"n": 5}])
    counts = _build(con)
    for mart in ("agreement", "accuracy", "defect_rate"):
        assert counts[mart] == 4
        rows = by(read_mart(con, mart), "market", "queue")
        assert set(rows) == {("AU", "hate"), ("AU", "spam"), ("GB", "hate"), ("GB", "spam")}
        for row in rows.values():
            assert row.reason == "no_data"
            assert np.isnan(row.estimate)
            assert (row.n_items, row.n_ratings, row.period) == (0, 0, "all")
            said = Headline(row.subject_kind, row.subject, row.metric, row.reference_kind)
            assert said == MARTS[mart].headline
    drift = read_mart(con, "drift", period="all", metric="psi", subject_kind="labels")
    reasons = {(row.market, row.queue): row.reason for row in drift}
    assert reasons[("AU", "hate")] == "no_baseline"
    assert reasons[("GB", "spam")] == "no_data"


def test_marts_of_a_home_where_nothing_landed_are_empty() -> None:
    """Stops a crash on a home where nothing has been decided yet."""
    con = empty_warehouse()
    assert _build(con) == dict.fromkeys(MARTS, 0)
    assert con.execute("select count(*) from marts.drift").fetchall() == [(0,)]


def test_when_no_landed_row_passed_every_mart_says_so() -> None:
    """Stops four empty tables, which look like a broken pipeline, where every row that landed is in quarantine."""
    con = empty_warehouse()
    land(con, DAY, DAY + timedelta(days=2), rows_validated=0)
    assert _build(con) == {name: 4 if mart.headline else 0 for name, mart in MARTS.items()}
    for mart in MARTS:
        for row in read_mart(con, mart):
            assert (row.reason, row.is_provisional) == ("no_data", True)
            assert (row.period, row.period_start, row.period_end) == ("all", DAY, DAY + timedelta(days=2))


def test_a_stray_date_changes_no_figure_of_the_others() -> None:
    """Stops rows for every day between a misdated file and the rest, and figures that leave the rest out."""
    alone, beside = empty_warehouse(), empty_warehouse()
    _everything(alone, days=9)
    _everything(beside, days=9)
    fill(beside, "tallies.label_counts", [{"business_date": date(2000, 1, 1), "n": 9}])
    _build(alone)
    _build(beside)
    for mart in MARTS:
        before, after = ([row for row in read_mart(con, mart) if row.period != "all"] for con in (alone, beside))
        stray = [row for row in after if row.period_start < date(2001, 1, 1)]
        # The cell and its three roll-ups have a day, a week and 28 trailing windows, of four metrics each.
        # Known answers: a week of the four, and of two labels in two of them, with two figures each.
        assert len(stray) == {"drift": 4 * 4 * 30, "gold_health": 4 + 2 * 2 * 2}.get(mart, 0)
        assert len(after) == len(before) + len(stray)
        numbers = [
            [(row.estimate, row.ci_low, row.ci_high) for row in rows]
            for rows in (before, [row for row in after if row.period_start >= date(2001, 1, 1)])
        ]
        np.testing.assert_allclose(numbers[0], numbers[1], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("unit_patterns", {"pattern": "no,yes", "n_raters": 2}),
        ("outcome_counts", {}),
        ("review_counts", {"sampling": "random"}),
        ("reviewer_outcomes", {"sampling": "random"}),
        ("score_hist", {"bin": 7}),
    ],
)
def test_any_single_tally_is_enough(name: str, row: dict[str, object]) -> None:
    """Stops one empty tally from breaking the mart of another."""
    con = empty_warehouse()
    fill(con, f"tallies.{name}", [row])
    counts = _build(con)
    assert all(counts[name] > 0 for name, mart in MARTS.items() if mart.headline)


def test_a_period_is_provisional_until_restate_days_after_its_end() -> None:
    """Stops settled figures from being called provisional and the other way round: 28 days after, a day is settled."""
    con = empty_warehouse()
    for offset in (0, 1, 2):
        fill(con, "tallies.outcome_counts", [{"business_date": DAY + timedelta(days=offset)}])
    land(con, DAY, DAY + timedelta(days=29))
    _build(con)
    rows = read_mart(con, "accuracy", period="day", market="AU", queue="hate", subject_kind="vendor")
    found = {row.period_start: row.is_provisional for row in rows}
    assert found == {DAY: False, DAY + timedelta(days=1): False, DAY + timedelta(days=2): True}
    (week,) = read_mart(
        con, "accuracy", period="week", market="AU", queue="hate", subject_kind="vendor", reference_kind="any"
    )
    assert week.period_end == date(2026, 3, 8)
    assert week.is_provisional


def test_a_date_without_a_decision_that_passed_makes_no_other_final() -> None:
    """Stops a labels folder misdated into the future, or a roster of next month, from making figures look settled."""
    con = empty_warehouse()
    fill(con, "tallies.outcome_counts", [{}])
    land(con, DAY)
    land(con, date(2030, 1, 1), rows_validated=0)
    land(con, date(2030, 1, 1), feed="roster")
    _build(con)
    rows = read_mart(con, "accuracy")
    assert rows
    assert all(row.is_provisional for row in rows)


def test_without_landed_partitions_the_newest_tally_date_counts() -> None:
    """Stops a missing ledger from making everything settled."""
    con = empty_warehouse()
    fill(con, "tallies.outcome_counts", [{}])
    _build(con)
    assert all(row.is_provisional for row in read_mart(con, "accuracy"))


def test_a_failing_build_leaves_the_marts_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stops half a set of marts: all four are replaced together or not at all, and the connection stays usable."""
    con = empty_warehouse()
    fill(con, "tallies.outcome_counts", [{}])
    _build(con)
    before = con.execute("from marts.accuracy").fetchall()
    fill(con, "tallies.outcome_counts", [{"label": "no"}])

    def fail(*_args: object, **_settings: object) -> int:
        message = "disk full"
        raise OSError(message)

    build = importlib.import_module("qa_pipeline.marts.build")
    write = build.write_mart
    calls: list[str] = []

    def write_twice(con: duckdb.DuckDBPyConnection, name: str, *args: object, **settings: object) -> int:
        calls.append(name)
        written: int = (fail if len(calls) == 3 else write)(con, name, *args, **settings)
        return written

    monkeypatch.setattr(build, "write_mart", write_twice)
    with pytest.raises(OSError, match="disk full"):
        _build(con)
    assert con.execute("from marts.accuracy").fetchall() == before


def test_a_missing_query_is_named(tmp_path: Path) -> None:
    """Stops a bare FileNotFoundError: the message names the file and what to do."""
    con = empty_warehouse()
    with pytest.raises(WarehouseError, match=r"tally_dates\.sql is missing: restore it"):
        build_marts(con, sql_root=tmp_path, config=CONFIG)


def test_names_with_quotes_are_data() -> None:
    """Stops names in the data from being read as SQL."""
    con = empty_warehouse()
    fill(con, "tallies.outcome_counts", [{"rater": "o'brien; drop table x", "vendor": 'v"1'}])
    fill(con, "tallies.score_hist", [{"queue": "o'q", "bin": 5}])
    _build(con)
    assert {row.subject for row in read_mart(con, "accuracy", subject_kind="annotator")} == {"o'brien; drop table x"}
    assert {row.queue for row in read_mart(con, "drift", subject_kind="scores")} == {"o'q", "ALL"}


def test_group_by_keeps_the_order_of_parts() -> None:
    """Stops groups from being listed in an order that members or bounds do not share."""
    groups = group_by(np.array([1, 0, 1, 0]), np.array([5, 9, 5, 2]))
    assert [part.tolist() for part in groups.parts] == [[0, 0, 1], [2, 9, 5]]
    assert groups.group.tolist() == [2, 1, 2, 0]
    assert groups.runs(1).tolist() == [0, 2]
    assert groups.sum(np.array([1.0, 2, 4, 8])).tolist() == [8, 2, 5]


def test_blocks_cover_everything_once() -> None:
    """Stops a block from being dropped or endless when one group alone is too large."""
    assert list(blocks(np.array([3, 3, 9, 1, 1]), limit=6)) == [(0, 2), (2, 3), (3, 5)]
    assert list(blocks(np.zeros(0, dtype=np.int64), limit=6)) == []


@pytest.mark.parametrize(
    "module",
    [
        "stats.corrected_rates",
        "stats.drift",
        "stats.jackknife",
        "stats.proportions",
        "stats.selection_bounds",
        "stats.severity",
        "stats.weighted_means",
        "marts.patterns",
    ],
)
def test_examples_in_docstrings_are_true(module: str) -> None:
    """Stops worked examples from going stale."""
    found = doctest.testmod(importlib.import_module(f"qa_pipeline.{module}"))
    assert found.attempted > 0
    assert found.failed == 0
