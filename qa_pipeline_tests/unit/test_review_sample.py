"""The decisions picked for review: their chances, their file, and that the choice is the same again."""

import csv
from collections import Counter
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import duckdb
import numpy as np
import pytest

from qa_pipeline.contracts import FEEDS
from qa_pipeline.review_sample import COLUMNS, ReviewSample, newest_sample, write_review_sample
from qa_pipeline.warehouse import sql_file

FIRST = date(2026, 3, 1)
# Pool: its annotators, how many decisions each has, and its reviews.
POOLS: dict[str, tuple[dict[str, int], int]] = {
    "a1": ({"a1": 40}, 8),
    "a2": ({"a2": 7}, 7),
    "both": ({"a3": 30, "a4": 3}, 5),
    "none": ({"a5": 20}, 0),
}


def _warehouse(days: int) -> duckdb.DuckDBPyConnection:
    """The same decisions and plan on each of some days; half of a decision's neighbours are not up for review."""
    con = duckdb.connect()
    con.execute("create schema marts; create schema facts")
    con.execute(
        "create table marts.review_plan (period_end date, market varchar, queue varchar, subject varchar, "
        "metric varchar, estimate double, pool varchar, inclusion_probability double)"
    )
    con.execute(
        "create table facts.decisions (rater_pool varchar, market varchar, queue varchar, item_id varchar, "
        "rater varchar, label_id varchar, decided_on date)"
    )
    for pool, (raters, take) in POOLS.items():
        size = sum(raters.values())
        for rater, decisions in raters.items():
            con.execute(
                "insert into marts.review_plan select ?::date + t.d::integer, 'de', 'hate', ?, 'reviews', ?, ?, ? "
                "from range(?) as t(d)",
                [FIRST, rater, take, pool, take / size, days],
            )
            for rater_pool in ("production", "calibration"):
                con.execute(
                    "insert into facts.decisions select $rater_pool, 'de', 'hate', 'item' || i.i, $rater, "
                    "$rater || $rater_pool || i.i, $first::date + t.d::integer "
                    "from range($days) as t(d), range($decisions) as i(i)",
                    {
                        "rater_pool": rater_pool,
                        "rater": rater,
                        "first": FIRST,
                        "days": days,
                        "decisions": decisions,
                    },
                )
    return con


def _picked(con: duckdb.DuckDBPyConnection) -> list[tuple[date, str, float]]:
    text = sql_file("reports", "review_sample").text
    return con.execute(f"select plan_date, target_id, inclusion_probability from ({text})").fetchall()


def test_every_decision_is_picked_as_often_as_its_chance_says() -> None:
    """Stops a choice that favours some decisions, the same ones every day, or a wrong number of a pool.

    400 days draw anew from the same 100 decisions; only the date in the hash differs. The count of a decision with
    chance p is binomial: 4.5 standard deviations are exceeded by one of 100 in 1,500 tries.
    """
    days = 400
    picked = _picked(_warehouse(days))
    of_pool = {rater: pool for pool, (raters, _) in POOLS.items() for rater in raters}
    drawn = Counter((day, of_pool[target[:2]]) for day, target, _ in picked)
    dates = [FIRST + timedelta(days=day) for day in range(days)]
    assert drawn == {(day, pool): take for day in dates for pool, (_, take) in POOLS.items() if take}
    assert len(set(picked)) == len(picked)
    counts = Counter(target for _, target, _ in picked)
    for raters, take in POOLS.values():
        chance = take / sum(raters.values())
        spread = np.sqrt(days * chance * (1 - chance))
        for rater, decisions in raters.items():
            for place in range(decisions):
                count = counts[f"{rater}production{place}"]
                assert abs(count - days * chance) <= 4.5 * spread, (rater, place)


def test_neighbouring_days_choose_independently() -> None:
    """Stops a hash in which the date does not mix with the id: today's choice would foretell tomorrow's.

    Of a1's 40 decisions 8 are drawn a day; two days share 8 / 5 = 1.6 on average, with a hypergeometric variance of
    1.05, so the mean of 399 pairs is within 4 sqrt(1.05 / 399) = 0.21.
    """
    picked = _picked(_warehouse(400))
    own: dict[date, set[str]] = {}
    for day, target, _ in picked:
        if target.startswith("a1"):
            own.setdefault(day, set()).add(target)
    days = sorted(own)
    shared = [len(own[day] & own[following]) for day, following in pairwise(days)]
    assert np.mean(shared) == pytest.approx(1.6, abs=0.21)


def test_part_of_a_list_is_a_random_sample_too() -> None:
    """Stops the list from being in the order of the hashes it was picked by: done in part, it would have other chances.

    Of 20 reviews a day a1 has 8, so the first half of the list has 4 on average; 4 sqrt(10 0.4 0.6 10 / 19 / 400) is
    0.23. Sorted by the hashes that picked them, a2's 7 of 7 would be spread over all hashes and come late.
    """
    con = _warehouse(400)
    by_day: dict[date, list[str]] = {}
    for day, target, _ in _picked(con):
        by_day.setdefault(day, []).append(target)
    firsts = [sum(target.startswith("a1") for target in targets[:10]) for targets in by_day.values()]
    assert np.mean(firsts) == pytest.approx(4.0, abs=0.23)


def test_the_file_is_the_same_again_and_says_what_reviews_bring_back(tmp_path: Path) -> None:
    """Stops a file that changes from run to run, lacks a column of the feed, or tells the reviewer who decided what."""
    con = _warehouse(1)
    sample = write_review_sample(con, reports=tmp_path)
    assert sample == ReviewSample(plan_date=FIRST, path=tmp_path / "review_sample-2026-03-01.csv", rows=20)
    first = sample.path.read_bytes()
    con.execute("create or replace table facts.decisions as from facts.decisions order by label_id desc")
    write_review_sample(con, reports=tmp_path)
    assert sample.path.read_bytes() == first
    assert newest_sample(con, reports=tmp_path) == sample.path
    with sample.path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    contract = {column.name for column in FEEDS["reviews"].columns}
    assert tuple(rows[0]) == COLUMNS
    assert set(COLUMNS) < contract
    assert not {"annotator_id", "vendor", "label"} & set(COLUMNS)
    for row in rows:
        raters, take = next(pool for pool in POOLS.values() if row["target_id"][:2] in pool[0])
        assert float(row["inclusion_probability"]) == take / sum(raters.values())
    assert {(row["target_kind"], row["sampling"], row["is_blind"]) for row in rows} == {("label", "random", "true")}
    assert [path.name for path in tmp_path.iterdir()] == [sample.path.name]


def test_without_a_plan_there_is_no_file(tmp_path: Path) -> None:
    """Stops an empty list from being handed to reviewers."""
    con = _warehouse(1)
    con.execute("delete from marts.review_plan")
    assert write_review_sample(con, reports=tmp_path) is None
    assert newest_sample(con, reports=tmp_path) is None
    assert list(tmp_path.iterdir()) == []
