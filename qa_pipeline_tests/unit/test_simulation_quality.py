"""What is simulated about quality itself: blind tests and what goes wrong with them, arbitration, lots, appeals.

Everything is read from the landing files, not from the simulator's own rows. Tolerances are five standard errors.
"""

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from qa_pipeline.settings import Home
from qa_pipeline.simulation.plan import LOT_SIZE, Plan
from qa_pipeline.simulation.simulate import simulate
from qa_pipeline.simulation.timeline import plan_timeline
from qa_pipeline.simulation.world import build_world

START = dt.date(2026, 9, 1)
Truth = dict[str, Any]

TABLES = """
    create table labels as select distinct * exclude (date), date::date as business_date
    from read_parquet('{root}/labels/*/*.parquet', hive_partitioning = true) where stage = 'production';
    create table gold as select * from read_json('{root}/gold/*/*', columns = {{
        item_id: 'varchar', market: 'varchar', queue: 'varchar', label: 'varchar', guideline_version: 'varchar'}});
    create table reviews as select * from read_csv('{root}/reviews/*/*', all_varchar = true);
    create table appeals as select * from read_json('{root}/appeals/*/*', format = 'newline_delimited');
    -- ids of blind tests are 85,000,000 to 89,999,999 of their day
    create table tests as
    select l.*, g.label as key, row_number() over (
        partition by l.item_id, l.annotator_id order by l.submitted_at
    ) > 1 as is_again
    from labels as l inner join gold as g using (item_id, queue)
    where l.item_id[10:] between '85000000' and '89999999';
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    made = Home(tmp_path_factory.mktemp("quality"))
    simulate(made, days=20, seed=4, labels_per_day=4000, predictions_per_day=0, start=START, dirty=False)
    return made


@pytest.fixture(scope="module")
def truth(home: Home) -> Truth:
    content: Truth = json.loads((home.root / "truth.json").read_text())
    return content | {incident["kind"]: incident for incident in content["incidents"]}


@pytest.fixture(scope="module")
def con(home: Home) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as con:
        con.execute(TABLES.format(root=home.landing))
        yield con


def _one(con: duckdb.DuckDBPyConnection, sql: str, *values: object) -> tuple[Any, ...]:
    [row] = con.execute(sql, list(values)).fetchall()
    return row


def test_blind_tests_reach_many_annotators(con: duckdb.DuckDBPyConnection) -> None:
    """Stops known answers that one to three people decide on, of which nobody could tell a wrong one."""
    share, keys = _one(con, "select count(*) / (select count(*) from labels), count(distinct label_id) from tests")
    assert share == pytest.approx(0.03, rel=0.1)
    assert keys == _one(con, "select count(*) from tests")[0]
    # in use for ten days, once or twice on each
    sql = """
        select min(n), max(n), avg(n), min(people), avg(again) from (
            select count(*) as n, count(distinct annotator_id) as people, avg(is_again::int) as again
            from tests where item_id[2:9] between '20260901' and '20260910' group by item_id
        )
    """
    least, most, mean, people, again = _one(con, sql)
    assert least >= 10
    assert most <= 20
    assert mean == pytest.approx(15, abs=1)
    assert people >= 4
    assert 0.15 < again < 0.5


def test_a_leak_shows_on_later_exposures_of_its_queue_only(con: duckdb.DuckDBPyConnection, truth: Truth) -> None:
    """Stops a leak that is only written down, hits first exposures, other queues, or days before it."""
    leak = truth["gold_leak"]
    sql = """
        select count(*), coalesce(sum((label = key)::int), 0), avg(handle_seconds) from tests
        where is_again = ? and (queue = ?) = ? and business_date >= ?::date
    """
    found = {again: _one(con, sql, again, leak["queue"], True, leak["from"]) for again in (False, True)}
    for again, record in ((False, leak["first_exposure"]), (True, leak["later_exposures"])):
        assert found[again][:2] == (record["decisions"], record["right"])
        assert found[again][2] == pytest.approx(record["mean_handle_seconds"], abs=0.001)
    shares = {again: right / n for again, (n, right, _) in found.items()}
    assert shares[True] - shares[False] == pytest.approx(leak["accuracy_gain"], abs=1e-6)
    # who knows the key gives it: an error is left with chance 1 - known_share
    wrong = 1 - shares[False]
    error = (wrong * shares[False] / found[False][0] + 0.25 * wrong / found[True][0]) ** 0.5
    assert leak["accuracy_gain"] == pytest.approx(leak["known_share"] * wrong, abs=5 * error)
    assert leak["accuracy_gain"] > 0.05
    # handling times vary by a factor e^0.56: a coefficient of variation of 0.6
    noise = 5 * 0.6 * leak["speed_factor"] / found[True][0] ** 0.5
    assert found[True][2] / found[False][2] == pytest.approx(leak["speed_factor"], abs=noise)
    others = {again: _one(con, sql, again, leak["queue"], False, leak["from"]) for again in (False, True)}
    assert others[True][2] / others[False][2] > 0.8


def test_wrong_keys_are_contradicted_by_most(con: duckdb.DuckDBPyConnection, truth: Truth) -> None:
    """Stops wrong keys that nobody can suspect: too few decide, or the key is right after all."""
    items = truth["wrong_key"]["items"]
    assert len(items) >= 3
    sql = """
        select min(key), count(*), sum((label = ?)::int), count(distinct annotator_id), mode(label)
        from tests where item_id = ? and market = ? and queue = ?
    """
    for item in items:
        key, decisions, right, people, usual = _one(
            con, sql, item["right_label"], item["item_id"], item["market"], item["queue"]
        )
        assert key == item["key"] != item["right_label"] == usual
        assert (decisions, right, people) == (item["decisions"], item["right"], item["annotators"])
        assert people >= 5


def test_a_guideline_change_outlives_keys(con: duckdb.DuckDBPyConnection, truth: Truth) -> None:
    """Stops keys that change with the guideline, and annotators who go on giving the old answer."""
    change = truth["guideline_change"]
    stale = [item["item_id"] for item in change["stale_keys"]]
    assert stale
    versions = con.execute("select distinct guideline_version from gold where item_id in ?", [stale]).fetchall()
    assert versions == [(change["guideline_before"],)]
    sql = """
        select avg((label = key)::int) from tests
        where (item_id in ?) = ? and queue = ? and (business_date >= ?::date) = ?
    """
    agree = {
        (is_stale, after): _one(con, sql, stale, is_stale, change["queue"], change["from"], after)[0]
        for is_stale in (False, True)
        for after in (False, True)
    }
    assert agree[True, False] > 0.6
    assert agree[True, True] < 0.4
    assert agree[False, True] > 0.7


def test_arbitration_measures_qas_own_accuracy(con: duckdb.DuckDBPyConnection, truth: Truth) -> None:
    """Stops arbitration of one sort of verdict, and a stated chance that isn't the one drawn with.

    Weighted by 1/p, what arbitration found of blind verdicts must stand for all of them (Horvitz and Thompson 1952).
    """
    chances = con.execute("""
        select distinct a.sampling, v.error_category <> 'none', a.inclusion_probability::double
        from reviews as a inner join reviews as v on a.target_id = v.review_id
        where a.target_kind = 'review' order by 2
    """).fetchall()
    stated = truth["reviews"]["arbitrated_share"]
    assert chances == [("random", False, stated["clean"]), ("random", True, stated["called"])]
    rows = con.execute("""
        select v.error_category <> 'none' as is_called, v.verdict_label = a.verdict_label as is_confirmed,
            a.verdict_label <> l.label as differs, 1 / a.inclusion_probability::double as weight
        from reviews as a inner join reviews as v on a.target_id = v.review_id
        inner join labels as l on v.target_id = l.label_id
        where a.target_kind = 'review' and v.is_blind = 'true'
    """).fetchall()
    assert min(sum(called for called, *_ in rows), sum(not called for called, *_ in rows)) > 100
    cells: dict[tuple[bool, bool], list[float]] = {}
    for is_called, is_confirmed, differs, weight in rows:
        is_defect = is_called if is_confirmed else differs
        cells.setdefault((is_defect, is_called), []).append(weight)
    known = truth["qa_accuracy"]["by_target_kind"]["label"]
    totals = {
        (True, True): known["called"],
        (True, False): known["defects"] - known["called"],
        (False, True): known["right"] - known["cleared"],
        (False, False): known["cleared"],
    }
    for (is_defect, is_called), weights in cells.items():
        expected = totals[is_defect, is_called]
        # variance of the Horvitz-Thompson total under Poisson sampling; the last two days' verdicts are still waiting
        error = sum(weight * (weight - 1) for weight in weights) ** 0.5 + 0.02 * expected
        assert sum(weights) == pytest.approx(expected, abs=5 * error)
    assert known["called"] / known["defects"] > 0.95
    assert 0.9 < known["cleared"] / known["right"] < 0.99
    reviewers = truth["qa_accuracy"]["by_reviewer"].values()
    assert sum(cells["defects"] for cells in reviewers) == known["defects"]


@pytest.mark.parametrize(("labels", "batches"), [(400, 1), (4000, 1), (50_000, 9), (1_000_000, 187)])
def test_lots_of_the_largest_cell_have_about_150_decisions(labels: int, batches: int) -> None:
    """Stops lots of five decisions in a small operation, and of thousands in a large one."""
    plan = Plan(
        seed=1,
        labels_per_day=labels,
        predictions_per_day=0,
        world=build_world(1, START),
        timeline=plan_timeline(START, days=1, incidents=False),
        has_dirt=False,
    )
    assert plan.batches_per_day == batches
    # India's hate speech, 0.30 x 0.28 of the labels, shared by three vendors
    assert labels * 0.084 / 3 / batches < 1.5 * LOT_SIZE


def test_a_batch_is_a_part_of_the_local_day(tmp_path: Path) -> None:
    """Stops batches cut by UTC, whose ends would fall on two business dates."""
    home = Home(tmp_path)
    simulate(home, days=1, seed=1, labels_per_day=20_000, predictions_per_day=0, start=START, dirty=False)
    sql = f"""
        select batch_id[-1:]::int as batch, min(hour), max(hour), count(*) from (
            select *, extract(hour from timezone('Asia/Kolkata', submitted_at)) as hour
            from read_parquet('{home.landing}/labels/*/*.parquet') where market = 'IN' and stage = 'production'
        ) group by 1 order by 1
    """
    with duckdb.connect() as con:
        con.execute("set timezone = 'UTC'")
        found = con.execute(sql).fetchall()
    assert [batch for batch, *_ in found] == [0, 1, 2, 3]
    assert all(6 * batch <= first <= last < 6 * (batch + 1) for batch, first, last, _ in found)


def test_appeals_end_as_truth_says(con: duckdb.DuckDBPyConnection, truth: Truth) -> None:
    """Stops outcomes that don't go with the truth, and open appeals that end otherwise than resolved ones."""
    known = truth["appeals"]
    sql = """
        select count(*), count(resolved_at), count(*) filter (resolved_at is not null and outcome <> 'upheld'),
            count(*) filter (outcome <> 'upheld'),
            count(*) filter ((outcome = 'upheld') <> (final_label = original_label))
        from appeals
    """
    filed, resolved, of_resolved, of_filed, odd = _one(con, sql)
    assert (filed, resolved, of_resolved, of_filed, odd) == (
        known["filed"],
        known["resolved"],
        known["overturned_of_resolved"],
        known["overturned_of_filed"],
        0,
    )
    # one in twenty wrong decisions is upheld all the same, and no right one is overturned
    assert known["overturned_of_filed"] / known["wrong_of_filed"] == pytest.approx(0.95, abs=0.07)
    assert 0.25 < of_resolved / resolved < 0.55
    noise = 5 * (0.25 / (filed - resolved) + 0.25 / resolved) ** 0.5
    assert (of_filed - of_resolved) / (filed - resolved) == pytest.approx(of_resolved / resolved, abs=noise)
