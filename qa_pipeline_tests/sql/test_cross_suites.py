"""Every rule of the three cross-date suites, passing and failing, run by Great Expectations on small tables."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import duckdb
import pytest

from qa_pipeline.contracts import FEEDS, Feed
from qa_pipeline_tests.suite_rows import CROSS_SUITES, DAY, Row, failing, good_row, insert, suite, warehouse

TARGET = {
    "target_date": DAY,
    "target_rater": "ann-7",
    "target_market": "BR",
    "target_queue": "hate",
    "target_item_id": "item-1",
}
UNKNOWN_TARGET: Row = dict.fromkeys(TARGET)
Found = dict[str, set[tuple[date, int]]]


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    """A warehouse whose facts.reviews and facts.appeals have the columns that the rules read."""
    with warehouse() as opened:
        targets = (
            "cast(null as date) as target_date, cast(null as varchar) as target_rater, "
            "cast(null as varchar) as target_market, cast(null as varchar) as target_queue, "
            "cast(null as varchar) as target_item_id"
        )
        for name in ("reviews", "appeals"):
            opened.execute(f"create table facts.{name} as select *, {targets} from validated.valid_{name} limit 0")
        yield opened


def _labels(con: duckdb.DuckDBPyConnection, rows: list[Row], *, since: date = DAY) -> Found:
    """Judge the labels of `since` and after."""
    insert(con, "validated.valid_labels", rows)
    con.execute(
        "create or replace temp view batch as select * from validated.valid_labels "
        f"where business_date >= date '{since}'"
    )
    return failing(con, suite=suite("cross_labels"), batch="batch")


def _label(number: int, *, days_ago: int = 0, **changes: Any) -> Row:
    return good_row(FEEDS["labels"], number, **{"business_date": DAY - timedelta(days=days_ago), **changes})


def _roster(con: duckdb.DuckDBPyConnection, *, days_ago: int, people: list[str]) -> None:
    day = DAY - timedelta(days=days_ago)
    rows = [good_row(FEEDS["roster"], number, annotator_id=one, business_date=day) for number, one in enumerate(people)]
    insert(con, "validated.valid_roster", rows)


@pytest.mark.parametrize(("days_ago", "is_repeat"), [(1, True), (28, True), (29, False), (-1, False), (0, False)])
def test_label_id_used_before(con: duckdb.DuckDBPyConnection, *, days_ago: int, is_repeat: bool) -> None:
    """Stops looking further back than restate_days (28 here), at later folders, or failing the earlier row."""
    found = _labels(con, [_label(1), _label(2, days_ago=days_ago, label_id="labels-1"), _label(3)])
    wanted = {(DAY, 1)} if is_repeat else set()
    if days_ago == -1:  # then row 2 is the later one
        wanted = {(DAY + timedelta(days=1), 2)}
    assert found["LBL-020"] == wanted


def test_label_id_used_before_in_several_folders_counts_once(con: duckdb.DuckDBPyConnection) -> None:
    """Stops one failing row from being counted once for each earlier use."""
    rows = [_label(1)] + [_label(ago + 1, days_ago=ago, label_id="labels-1") for ago in (1, 2, 40)]
    assert _labels(con, rows)["LBL-020"] == {(DAY, 1)}


def test_every_later_use_of_a_label_id_fails(con: duckdb.DuckDBPyConnection) -> None:
    """Stops judging only the newest folder of a range."""
    rows = [_label(1), _label(2, days_ago=5, label_id="labels-1"), _label(3, days_ago=20, label_id="labels-1")]
    found = _labels(con, rows, since=DAY - timedelta(days=20))
    assert found["LBL-020"] == {(DAY, 1), (DAY - timedelta(days=5), 2)}


def test_annotator_absent_from_the_newest_roster(con: duckdb.DuckDBPyConnection) -> None:
    """Stops taking all rosters together, or the first, or one that comes after the label."""
    _roster(con, days_ago=9, people=["left", "stays"])
    _roster(con, days_ago=2, people=["stays", "joined"])
    _roster(con, days_ago=-1, people=["tomorrow", "left"])
    people = ["left", "stays", "joined", "tomorrow", "never"]
    found = _labels(con, [_label(number, annotator_id=one) for number, one in enumerate(people, start=1)])
    assert found["LBL-021"] == {(DAY, 1), (DAY, 4), (DAY, 5)}


def test_each_date_has_its_own_roster(con: duckdb.DuckDBPyConnection) -> None:
    """Stops one roster for a whole range: somebody who left today was there yesterday."""
    _roster(con, days_ago=3, people=["ann"])
    _roster(con, days_ago=0, people=["somebody else"])
    rows = [_label(ago + 1, days_ago=ago, annotator_id="ann") for ago in range(6)]
    assert _labels(con, rows, since=DAY - timedelta(days=6))["LBL-021"] == {(DAY, 1)}


@pytest.mark.parametrize("days_ago", [None, -1])
def test_without_a_roster_nobody_is_absent(con: duckdb.DuckDBPyConnection, days_ago: int | None) -> None:
    """Stops warning about everybody where the feed is not delivered, or not yet."""
    if days_ago is not None:
        _roster(con, days_ago=days_ago, people=["somebody"])
    assert _labels(con, [_label(1), _label(2, days_ago=3)], since=DAY - timedelta(days=3))["LBL-021"] == set()


def _fact(feed: Feed, number: int, **changes: Any) -> Row:
    """A row of facts.reviews or facts.appeals whose target is TARGET."""
    target = {name: changes.pop(name, value) for name, value in TARGET.items()}
    return good_row(feed, number, **{"item_id": "item-1", **changes}) | target


def _judge(con: duckdb.DuckDBPyConnection, feed_name: str, rows: list[Row], validated: list[Row]) -> Found:
    insert(con, f"validated.valid_{feed_name}", validated)
    insert(con, f"facts.{feed_name}", rows)
    con.execute(f"create or replace temp view batch as select * from facts.{feed_name}")
    return failing(con, suite=suite(f"cross_{feed_name}"), batch="batch")


def _failed_rules(found: Found, number: int) -> set[str]:
    return {rule_id for rule_id, rows in found.items() if (DAY, number) in rows}


@pytest.mark.parametrize(
    ("changes", "fails"),
    [
        ({}, set()),
        ({"reviewer_id": "ann-7"}, {"REV-020"}),
        # An unknown target is the business of 021 alone.
        ({**UNKNOWN_TARGET, "reviewer_id": "ann-7"}, {"REV-021"}),
        ({**UNKNOWN_TARGET, "market": "DE"}, {"REV-021"}),
        ({"item_id": "item-2"}, {"REV-022"}),
        ({"market": "DE"}, {"REV-022"}),
        ({"queue": "topics"}, {"REV-022"}),
        ({"target_item_id": None}, {"REV-022"}),
        ({"item_id": "item-2", "reviewer_id": "ann-7"}, {"REV-020", "REV-022"}),
        ({"review_id": "used"}, {"REV-023"}),
        ({"review_id": "used long ago"}, {"REV-023"}),
        ({"review_id": "used later"}, set()),
    ],
)
def test_reviews_across_dates(con: duckdb.DuckDBPyConnection, changes: Row, fails: set[str]) -> None:
    """Stops an unknown target from counting as a mismatch or a self-review, and each rule from missing its row."""
    feed = FEEDS["reviews"]
    used = [
        good_row(feed, 8, review_id="used", business_date=DAY - timedelta(days=1)),
        good_row(feed, 9, review_id="used", business_date=DAY - timedelta(days=2)),
        good_row(feed, 10, review_id="used long ago", business_date=DAY - timedelta(days=300)),
        good_row(feed, 11, review_id="used later", business_date=DAY + timedelta(days=1)),
        good_row(feed, 1, **{key: value for key, value in changes.items() if key in feed.names}),
    ]
    found = _judge(con, "reviews", [_fact(feed, 1, **changes), _fact(feed, 2)], used)
    assert _failed_rules(found, 1) == fails
    assert _failed_rules(found, 2) == set()


@pytest.mark.parametrize(
    ("changes", "fails"),
    [
        ({}, set()),
        (UNKNOWN_TARGET, {"APL-020"}),
        ({**UNKNOWN_TARGET, "queue": "topics"}, {"APL-020"}),
        ({"item_id": "item-2"}, {"APL-021"}),
        ({"market": "DE"}, {"APL-021"}),
        ({"queue": "topics"}, {"APL-021"}),
        ({"appeal_id": "used"}, {"APL-022"}),
        ({"appeal_id": "used later"}, set()),
    ],
)
def test_appeals_across_dates(con: duckdb.DuckDBPyConnection, changes: Row, fails: set[str]) -> None:
    """Stops an unknown target from counting as a mismatch too, and each rule from missing its row."""
    feed = FEEDS["appeals"]
    used = [
        good_row(feed, 8, appeal_id="used", business_date=DAY - timedelta(days=1)),
        good_row(feed, 9, appeal_id="used later", business_date=DAY + timedelta(days=1)),
    ]
    found = _judge(con, "appeals", [_fact(feed, 1, **changes), _fact(feed, 2)], used)
    assert _failed_rules(found, 1) == fails
    assert _failed_rules(found, 2) == set()


@pytest.mark.parametrize("name", CROSS_SUITES)
def test_nothing_to_judge_passes(con: duckdb.DuckDBPyConnection, name: str) -> None:
    """Stops a rule that raises where a range has no rows."""
    schema = "validated.valid_labels" if name == "cross_labels" else f"facts.{name.removeprefix('cross_')}"
    con.execute(f"create or replace temp view batch as select * from {schema}")
    assert set().union(*failing(con, suite=suite(name), batch="batch").values()) == set()
