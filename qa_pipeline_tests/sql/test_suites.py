"""Every rule of the eight partition suites, passing and failing, run by Great Expectations on small tables."""

import functools
from dataclasses import replace
from datetime import date

import pytest

from qa_pipeline.contracts import FEEDS
from qa_pipeline.suites import Rule
from qa_pipeline.validation import run_suite
from qa_pipeline_tests import suite_rows
from qa_pipeline_tests.suite_rows import DAY, Case, Row, batch_of, failing, good_row, suite, warehouse

FILLERS = 150  # good rows beside the bad ones, so that no partition is bad enough to be blocked
PREFIXES = {name: feed.rule_prefix for name, feed in FEEDS.items()}


@functools.cache
def _found(feed_name: str) -> dict[str, set[tuple[date, int]]]:
    """Failing rows by rule of one partition that holds every case of a feed, and many good rows."""
    feed = FEEDS[feed_name]
    cases = suite_rows.cases_of(feed)
    rows = [good_row(feed, number, **one.changes) for number, one in enumerate(cases, start=1)]
    rows += [good_row(feed, number) for number in range(len(cases) + 1, len(cases) + 1 + FILLERS)]
    with warehouse() as con:
        return failing(con, suite=suite(feed_name), batch=batch_of(con, feed, rows))


@pytest.mark.parametrize(
    ("feed_name", "number", "one"),
    suite_rows.ALL_CASES,
    ids=[f"{name}-{one.name}".replace(" ", "_") for name, _, one in suite_rows.ALL_CASES],
)
def test_row_fails_exactly_its_rules(feed_name: str, number: int, one: Case) -> None:
    """Stops a rule that misses its row, and a rule that takes a row which is another rule's or nobody's."""
    failed = {rule_id for rule_id, rows in _found(feed_name).items() if (DAY, number) in rows}
    assert failed == {f"{PREFIXES[feed_name]}-{rule}" for rule in one.fails}


@pytest.mark.parametrize("feed_name", FEEDS)
def test_good_rows_fail_nothing(feed_name: str) -> None:
    """Stops a rule that fails rows by the company they keep."""
    last_case = len(suite_rows.cases_of(FEEDS[feed_name]))
    assert not {row for rows in _found(feed_name).values() for row in rows if row[1] > last_case}


@pytest.mark.parametrize("feed_name", FEEDS)
def test_every_rule_has_a_failing_case(feed_name: str) -> None:
    """Stops a new rule without a test; 009 and 090 are about several rows and tested below."""
    tested = {f"{PREFIXES[feed_name]}-{rule}" for one in suite_rows.cases_of(FEEDS[feed_name]) for rule in one.fails}
    tested |= {f"{PREFIXES[feed_name]}-009", f"{PREFIXES[feed_name]}-090"}
    assert {rule.rule_id for rule in suite(feed_name).rules} == tested


@pytest.mark.parametrize("feed_name", FEEDS)
def test_empty_partition_passes(feed_name: str) -> None:
    """Stops a rule that raises, or blocks, where there is nothing to judge."""
    with warehouse() as con:
        found = failing(con, suite=suite(feed_name), batch=batch_of(con, FEEDS[feed_name], []))
    assert set().union(*found.values()) == set()


@pytest.mark.parametrize("feed_name", FEEDS)
def test_partition_without_optional_columns_passes(feed_name: str) -> None:
    """Stops a rule that fails or raises where a whole optional column is absent; warnings about it are meant."""
    feed = FEEDS[feed_name]
    absent = {column.name: None for column in feed.columns if not column.required}
    with warehouse() as con:
        rows = [good_row(feed, number, **absent) for number in range(1, 13)]
        found = failing(con, suite=suite(feed_name), batch=batch_of(con, feed, rows))
    warned = {"PRD-011", "ITM-011", "GLD-010", "REV-011"}
    assert {rule_id for rule_id, failed in found.items() if failed} <= warned


def _only(feed_name: str, rule: str) -> list[Rule]:
    wanted = f"{PREFIXES[feed_name]}-{rule}"
    return [one for one in suite(feed_name).rules if one.rule_id == wanted]


def _failing_rows(feed_name: str, rule: str, rows: list[Row]) -> set[int]:
    """Row ids that fail one rule in a partition of `rows`."""
    one_rule = replace(suite(feed_name), rules=tuple(_only(feed_name, rule)))
    with warehouse() as con:
        found = failing(con, suite=one_rule, batch=batch_of(con, FEEDS[feed_name], rows))
    return {row_id for rows_found in found.values() for _, row_id in rows_found}


@pytest.mark.parametrize("feed_name", FEEDS)
def test_later_delivery_of_a_key_stays(feed_name: str) -> None:
    """Stops superseding by row number across files, by row id, or all rows of a repeated key."""
    feed = FEEDS[feed_name]
    key = {name: good_row(feed, 1)[name] for name in feed.key}
    rows = [
        good_row(feed, 1, **key, file_name="a.csv") | {"row_number": 9},
        good_row(feed, 2, **key, file_name="b.csv") | {"row_number": 2},
        good_row(feed, 3, **key, file_name="b.csv") | {"row_number": 1},
        good_row(feed, 4),
        good_row(feed, 5),
    ]
    assert _failing_rows(feed_name, "009", rows) == {1, 3}


@pytest.mark.parametrize("feed_name", FEEDS)
def test_rows_without_a_key_are_not_repeats(feed_name: str) -> None:
    """Stops rows that lack their key from superseding each other: they belong in quarantine under 001."""
    feed = FEEDS[feed_name]
    missing = {feed.key[-1]: None}
    assert _failing_rows(feed_name, "009", [good_row(feed, number, **missing) for number in range(1, 4)]) == set()


def test_gold_for_every_market_is_a_key_of_its_own() -> None:
    """Stops a NULL market from being dropped from the key, and from equalling a market."""
    everywhere = {"market": None, "item_id": "i"}
    feed = FEEDS["gold"]
    rows = [good_row(feed, 1, **everywhere), good_row(feed, 2, **everywhere), good_row(feed, 3, item_id="i")]
    assert _failing_rows("gold", "009", rows) == {1}


def test_items_of_another_queue_are_not_repeats() -> None:
    """Stops a key of which only the last column is compared, among the candidates or between them."""
    feed = FEEDS["items"]
    places = [{"queue": "hate"}, {"queue": "topics"}, {"market": "DE"}]
    once = [good_row(feed, number, item_id="i", **place) for number, place in enumerate(places, start=1)]
    assert _failing_rows("items", "009", once) == set()
    twice = once + [good_row(feed, number, item_id="i", **place) for number, place in enumerate(places, start=4)]
    assert _failing_rows("items", "009", twice) == {1, 2, 3}


def test_keys_that_share_a_hash_are_not_repeats() -> None:
    """Stops superseding by hash alone: here the hash is the key's length, so that nearly all keys collide."""
    rule = _only("labels", "009")[0]
    bad_hash = {"unexpected_rows_query": rule.kwargs["unexpected_rows_query"].replace("hash(", "length(")}
    one_rule = replace(suite("labels"), rules=(replace(rule, kwargs=bad_hash),))
    feed = FEEDS["labels"]
    rows = [good_row(feed, number) for number in range(1, 9)] + [good_row(feed, 9, label_id="labels-3")]
    with warehouse() as con:
        found = failing(con, suite=one_rule, batch=batch_of(con, feed, rows))
    assert found == {"LBL-009": {(DAY, 3)}}


@pytest.mark.parametrize("feed_name", FEEDS)
@pytest.mark.parametrize(("rows", "bad", "is_blocked"), [(11, 6, True), (12, 6, False), (10, 10, True), (9, 9, False)])
def test_block_needs_more_than_half_of_ten_rows(feed_name: str, *, rows: int, bad: int, is_blocked: bool) -> None:
    """Stops blocking at exactly half, blocking a handful of rows, and a bad row counted once for each of its faults."""
    feed = FEEDS[feed_name]
    faults: list[Row] = [{"missing_values": "x"}, {"type_errors": "x"}, {"missing_values": "x", "type_errors": "y"}]
    if "market" in feed.names:
        faults += [{"market": "ZZ"}, {"market": "ZZ", "missing_values": "x"}]
    made = [
        good_row(feed, number, **(faults[number % len(faults)] if number <= bad else {}))
        for number in range(1, rows + 1)
    ]
    assert _failing_rows(feed_name, "090", made) == (set(range(1, bad + 1)) if is_blocked else set())


def test_gold_without_market_does_not_block() -> None:
    """Stops taking an absent market, which gold may leave out, for an unknown one."""
    feed = FEEDS["gold"]
    assert _failing_rows("gold", "090", [good_row(feed, number, market=None) for number in range(1, 21)]) == set()


def test_rule_that_cannot_be_evaluated_is_an_error() -> None:
    """Stops a broken query from being read as "no bad rows", and from taking the other rules with it."""
    whole = suite("timesheets")
    queries = ["select business_date, row_id from {batch} where no_such_column > 1", "select row_id from {batch} where"]
    broken = [
        replace(_only("timesheets", "012")[0], rule_id=f"TMS-80{n}", kwargs={"unexpected_rows_query": query})
        for n, query in enumerate(queries)
    ]
    missing_column = replace(
        _only("timesheets", "010")[0], rule_id="TMS-802", kwargs={"column": "no_such_column", "min_value": 0.0}
    )
    feed = FEEDS["timesheets"]
    with warehouse() as con:
        batch = batch_of(con, feed, [good_row(feed, 1), good_row(feed, 2, productive_minutes=-1.0)])
        outcomes = run_suite(con, suite=replace(whole, rules=(*broken, missing_column, *whole.rules)), batch=batch)
    by_rule = {outcome.rule.rule_id: outcome for outcome in outcomes}
    for rule_id in ("TMS-800", "TMS-801", "TMS-802"):
        assert not by_rule[rule_id].is_success
        assert by_rule[rule_id].message
    assert "no_such_column" in str(by_rule["TMS-800"].message)
    assert by_rule["TMS-011"].rows_failed == 1
    assert by_rule["TMS-010"].is_success
