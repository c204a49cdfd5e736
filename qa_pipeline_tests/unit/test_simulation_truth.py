"""What the simulator says is true, against the rows it makes: confusions, prevalence, scores, sampling, incidents.

Tolerances are five standard errors of the proportion in question (and five events where events are rare and the normal
approximation is poor), so that a right simulator fails about once in a million comparisons; being seeded, always or
never.
"""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest

from qa_pipeline.settings import Home
from qa_pipeline.simulation.arrays import IDS_PER_DAY, REPEAT_IDS, Bools, Floats, Ints, Rows, count, take
from qa_pipeline.simulation.items import gold_of_day, items_of_day
from qa_pipeline.simulation.labels import PRODUCTION, SHARE_REPEATED, ratings_of_items
from qa_pipeline.simulation.models import RANDOM, predicted_items, score_items
from qa_pipeline.simulation.operation import MARKETS, QUEUES
from qa_pipeline.simulation.plan import Plan
from qa_pipeline.simulation.quality import label_targets
from qa_pipeline.simulation.simulate import simulate
from qa_pipeline.simulation.timeline import plan_timeline
from qa_pipeline.simulation.world import build_world, confusion

START = dt.date(2026, 9, 1)
DAY = dt.date(2026, 9, 3)


@pytest.fixture(scope="module")
def plan() -> Plan:
    return Plan(
        seed=5,
        labels_per_day=120_000,
        predictions_per_day=400_000,
        world=build_world(5, START),
        timeline=plan_timeline(START, days=30, incidents=True),
        has_dirt=False,
    )


@pytest.fixture(scope="module")
def items(plan: Plan) -> Rows:
    rows = items_of_day(plan, DAY)
    rows["suggested"] = np.full(count(rows), -1, dtype=np.int64)
    return rows


@pytest.fixture(scope="module")
def ratings(plan: Plan, items: Rows) -> Rows:
    rows = ratings_of_items(plan, items, day=DAY)
    return take(rows, (rows["stage"] == PRODUCTION) & (rows["offset"] == 0))


def _close(share: Floats | float, expected: Floats | float, size: Ints | int) -> bool:
    error = np.sqrt(np.maximum(np.asarray(expected) * (1 - np.asarray(expected)), 1e-4) / np.maximum(size, 1))
    return bool(np.all(np.abs(np.asarray(share) - expected) <= 5 * error + 5 / np.maximum(size, 1)))


def test_an_annotators_confusion_is_recovered(plan: Plan, ratings: Rows) -> None:
    """Stops answers that aren't drawn from the person's own matrix (swapped axes, another queue's row, no learning)."""
    expected = confusion(plan.world.errors, factor=plan.world.learning_factor(DAY)[:, None, None, None])
    compared = 0
    for person in np.unique(ratings["rater"]):
        for queue in np.flatnonzero(plan.world.serves[person]):
            for answer_of in range(len(QUEUES[queue].categories)):
                mine = (ratings["rater"] == person) & (ratings["queue"] == queue) & (ratings["truth"] == answer_of)
                if mine.sum() >= 150:
                    found = np.bincount(ratings["answer"][mine], minlength=expected.shape[-1]) / mine.sum()
                    assert _close(found, expected[person, queue, answer_of], int(mine.sum()))
                    compared += 1
    assert compared > 100
    # the matrices differ: the people of a queue are not copies of one
    rights = np.diagonal(expected[plan.world.role == 0], axis1=2, axis2=3)[:, 0, 0]
    assert rights.std() > 0.02


def test_newcomers_err_more_and_learn(plan: Plan) -> None:
    """Stops a learning curve that doesn't start at the hire, or runs the wrong way. Values: 1 + 1.2 exp(-t / 25)."""
    newest = int(np.argmax(plan.world.hired))
    hired = dt.date.fromordinal(int(plan.world.hired[newest]))
    assert plan.world.learning_factor(hired)[newest] == pytest.approx(2.2)
    assert plan.world.learning_factor(hired + dt.timedelta(days=25))[newest] == pytest.approx(1 + 1.2 / np.e)
    assert hired >= START


def test_items_follow_the_prevalence_of_market_and_queue(plan: Plan, items: Rows) -> None:
    """Stops truths that are drawn from another market's or queue's shares."""
    for market in range(len(MARKETS)):
        for queue in range(len(QUEUES)):
            mine = (items["market"] == market) & (items["queue"] == queue)
            found = np.bincount(items["truth"][mine], minlength=plan.world.prevalence.shape[-1]) / mine.sum()
            # 1.5 % of the items are copies from another market, which shifts a share by less than 0.005
            assert np.all(np.abs(found - plan.world.prevalence[market, queue]) < 0.005 + 5 * 0.5 / np.sqrt(mine.sum()))


def test_raters_of_an_item_differ(ratings: Rows) -> None:
    """Stops an annotator from being drawn twice for an item; about 1 % of ratings are revisions by the same person."""
    unit = (ratings["item"] % 10**8 * len(MARKETS) + ratings["market"]) * 1000 + ratings["rater"]
    repeats = count(ratings) - len(np.unique(unit))
    assert repeats / count(ratings) == pytest.approx(0.01, abs=0.003)


def test_some_items_come_back_to_the_same_person(plan: Plan, items: Rows) -> None:
    """Stops an operation without self-consistency: the same annotator, the same item, one to three days later."""
    rows = ratings_of_items(plan, items, day=DAY)
    is_again = rows["label_id"] % IDS_PER_DAY >= REPEAT_IDS
    again, once = take(rows, is_again), take(rows, ~is_again)
    assert count(again) / count(once) == pytest.approx(SHARE_REPEATED, rel=0.15)
    assert len(np.unique(rows["label_id"])) == count(rows)
    unit = ["item", "market", "rater"]
    first = {tuple(key): offset for *key, offset in zip(*(once[name] for name in [*unit, "offset"]), strict=True)}
    later = [
        offset - first[tuple(key)] for *key, offset in zip(*(again[name] for name in [*unit, "offset"]), strict=True)
    ]
    assert set(later) == {1, 2, 3}


def _alpha(ratings: Rows, queue: int) -> float:
    """Krippendorff's nominal alpha (2011) over items with two ratings, from counts of ordered pairs."""
    mine = take(ratings, ratings["queue"] == queue)
    unit = mine["item"] % 10**8 * len(MARKETS) + mine["market"]
    order = np.lexsort((mine["submitted"], unit))
    unit, answer = unit[order], mine["answer"][order]
    size = np.unique(unit, return_counts=True)[1]
    starts = (np.cumsum(size) - size)[size == 2]
    pairs = np.zeros((6, 6))
    np.add.at(pairs, (answer[starts], answer[starts + 1]), 1)
    pairs += pairs.T
    total = pairs.sum()
    marginal = pairs.sum(axis=1)
    expected = (total**2 - (marginal**2).sum()) / (total * (total - 1))
    return float(1 - (1 - np.trace(pairs) / total) / expected)


def test_queues_range_from_hard_to_easy(ratings: Rows) -> None:
    """Stops a taxonomy on which every queue agrees alike; the brief is 0.4 to 0.85."""
    alphas = {spec.code: _alpha(ratings, queue) for queue, spec in enumerate(QUEUES)}
    assert 0.35 < alphas["hate_speech"] < 0.5
    assert 0.75 < alphas["spam"] < 0.88
    assert alphas["hate_speech"] < alphas["violence"] < alphas["nudity"] < alphas["spam"]


def test_gold_is_the_truth_of_its_item(plan: Plan, items: Rows) -> None:
    """Stops gold for items that never come, or with another answer than theirs."""
    days = [DAY + dt.timedelta(days=offset) for offset in range(-2, 2)]
    gold = [gold_of_day(plan, day) for day in days]
    answers = {
        (item, market, queue): truth
        for part in gold
        for item, market, queue, truth, made in zip(
            *(part[name].tolist() for name in ("item", "market", "queue", "truth", "made")), strict=True
        )
        if made == DAY.toordinal()
    }
    assert len(answers) == plan.gold_per_day
    keys = zip(*(items[name].tolist() for name in ("item", "market", "queue", "truth")), strict=True)
    known = [(answers[key[:3]], key[3]) for key in keys if key[:3] in answers]
    assert len(known) == plan.gold_per_day
    assert all(answer == truth for answer, truth in known)


def _scores(plan: Plan, items: Rows, model: int) -> tuple[Floats, Bools]:
    chunks = list(score_items(plan, predicted_items(plan, items, day=DAY), day=DAY, model=model, first_row=0))
    score = np.concatenate([chunk.scores.ravel() for chunk in chunks])
    is_true = [chunk.items["truth"][:, None] == np.arange(chunk.scores.shape[1]) for chunk in chunks]
    return score, np.concatenate([part.ravel() for part in is_true])


def _calibration_error(score: Floats, is_true: Bools) -> float:
    """Expected calibration error over twenty equal-count bins (Naeini et al. 2015)."""
    parts = np.array_split(np.argsort(score, kind="stable"), 20)
    return float(np.mean([abs(score[part].mean() - is_true[part].mean()) for part in parts]))


def test_scores_are_calibrated_but_for_one_version(plan: Plan, items: Rows) -> None:
    """Stops scores that are no probabilities of the true label, and an 'over-confident' version that isn't."""
    errors = [_calibration_error(*_scores(plan, items, model)) for model in range(3)]
    # about 6000 scores a bin: a standard error of at most 0.0065, so 0.006 on average over bins is noise
    assert errors[0] < 0.006
    assert errors[2] < 0.006
    assert errors[1] > 3 * errors[0]
    assert errors[1] > 0.015


def test_inclusion_probabilities_are_the_ones_drawn_with(plan: Plan, ratings: Rows) -> None:
    """Stops a stated probability that isn't the one used: weighted by 1/p the sample must stand for all decisions."""
    right = ratings["answer"] == ratings["truth"]
    targets = label_targets(plan, np.random.default_rng(1), ratings, answers_right=right)
    sample = take(targets, targets["sampling"] == RANDOM)
    weight = 1 / sample["probability"]
    assert len(np.unique(sample["probability"])) > 4
    for queue in range(len(QUEUES)):
        mine = sample["queue"] == queue
        size = int((ratings["queue"] == queue).sum())
        # variance of the Horvitz-Thompson total under Poisson sampling: sum of (1 - p) / p^2 over the sample
        error = np.sqrt((weight[mine] * (weight[mine] - 1)).sum())
        assert abs(weight[mine].sum() - size) < 5 * error
    wrong = sample["answer"] != sample["truth"]
    error = np.sqrt((weight[wrong] * (weight[wrong] - 1)).sum())
    assert abs(weight[wrong].sum() - (~right).sum()) < 5 * error


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    made = Home(tmp_path_factory.mktemp("incidents"))
    simulate(made, days=10, seed=2, labels_per_day=4000, predictions_per_day=0)
    return made


@pytest.fixture(scope="module")
def incidents(home: Home) -> dict[str, dict[str, Any]]:
    content = json.loads((home.root / "truth.json").read_text())
    return {incident["kind"]: incident for incident in content["incidents"]} | {"truth": content}


LABELS = """
    select distinct label_id, market, queue, vendor, label, guideline_version, stage, date::date as business_date
    from read_parquet(?, hive_partitioning = true)
"""
REVIEWS = "select target_id, error_category, sampling, target_kind from read_csv(?, all_varchar = true)"


def _compare(home: Home, sql: str, values: list[object]) -> tuple[tuple[int, float], tuple[int, float]]:
    """Return (n, share) outside and during an incident, from a query with `labels` and `reviews` in reach."""
    files = [str(home.landing / "labels/*/*.parquet"), str(home.landing / "reviews/*/*.csv")]
    with duckdb.connect() as con:
        rows = con.execute(f"with labels as ({LABELS}), reviews as ({REVIEWS}) {sql} order by 1", files + values)
        (_, before_n, before), (_, during_n, during) = rows.fetchall()
    return (before_n, before), (during_n, during)


def test_label_drift_shows_in_one_cell_only(home: Home, incidents: dict[str, dict[str, Any]]) -> None:
    """Stops an incident that is only written down, hits other markets, or starts on another day."""
    drift = incidents["label_drift"]
    sql = """
        select business_date >= ?::date, count(*), avg((label = 'slur')::int)
        from labels where (market = ?) and queue = ? and stage = 'production' group by 1
    """
    before, during = _compare(home, sql, [drift["from"], drift["market"], drift["queue"]])
    rise = drift["prevalence_after"]["slur"] - drift["prevalence_before"]["slur"]
    assert rise == pytest.approx(0.22)
    # about 300 decisions a day in the cell, three days of drift; annotators find three quarters of the slurs
    assert 0.5 * rise < during[1] - before[1] < rise
    elsewhere = _compare(home, sql.replace("(market = ?)", "market <> ?"), [drift["from"], *_cell(drift)])
    assert abs(elsewhere[1][1] - elsewhere[0][1]) < 0.04


def _cell(incident: dict[str, Any]) -> list[object]:
    return [incident["market"], incident["queue"]]


def test_vendor_dip_shows_in_reviews(home: Home, incidents: dict[str, dict[str, Any]]) -> None:
    """Stops a dip that reaches no answer: on its days QA finds about as many more defects as truth.json says."""
    dip = incidents["vendor_dip"]
    sql = """
        select business_date between ?::date and ?::date, count(*), avg((error_category <> 'none')::int)
        from reviews inner join labels on target_id = label_id
        where target_kind = 'label' and sampling = 'random' and (vendor = ?) group by 1
    """
    before, during = _compare(home, sql, [dip["from"], dip["to"], dip["vendor"]])
    assert dip["accuracy_before"] - dip["accuracy_during"] > 0.1
    noise = 5 * np.sqrt(0.25 / during[0])
    assert during[1] - before[1] == pytest.approx(dip["accuracy_before"] - dip["accuracy_during"], abs=noise)
    assert during[1] - before[1] > 0.05


def test_guideline_change_shows_from_its_day(home: Home, incidents: dict[str, dict[str, Any]]) -> None:
    """Stops a change of version without a change of answers, or the other way round."""
    change = incidents["guideline_change"]
    sql = """
        select guideline_version = ?, count(*), avg((label = ?)::int)
        from labels where queue = ? and stage = 'production' group by 1
    """
    before, during = _compare(home, sql, [change["guideline_after"], change["moved_from"], change["queue"]])
    assert during[1] < 0.75 * before[1]
    sql = "select business_date >= ?::date, count(*), avg((guideline_version = ?)::int) from labels where queue = ?"
    values = [change["from"], change["guideline_after"], change["queue"]]
    assert [share for _, share in _compare(home, sql + " group by 1", values)] == [0.0, 1.0]


def test_late_and_duplicated_files_are_where_truth_says(home: Home, incidents: dict[str, dict[str, Any]]) -> None:
    """Stops a late file whose rows came before, and a repeated file that differs from the first one."""
    late, repeated = incidents["late_file"], incidents["duplicated_file"]
    assert late["arrives_on"] > late["business_date"]
    folder = home.landing / "labels" / f"date={late['business_date']}"
    others = [path for path in folder.glob("*.parquet") if path.name != late["file"]]
    mine = _ids(folder / late["file"])
    assert len(mine) == late["rows"]
    assert not mine & set().union(*(_ids(path) for path in others))
    folder = home.landing / "labels" / f"date={repeated['business_date']}"
    assert repeated["file"] > repeated["superseded_file"]
    first, second = (pq.read_table(folder / repeated[name]) for name in ("superseded_file", "file"))
    assert first.equals(second)
    assert first.num_rows == repeated["rows"]


def _ids(path: Path) -> set[str]:
    return set(pq.read_table(path, columns=["label_id"])["label_id"].to_pylist())


def test_realised_counts_agree_with_each_other(incidents: dict[str, dict[str, Any]]) -> None:
    """Stops truth.json's own sums from drifting apart: per person, per vendor and day, per cell and day."""
    truth = incidents["truth"]
    people = [queue["realised"] for person in truth["annotators"].values() for queue in person["queues"].values()]
    vendors = [pair for mix in truth["vendor_days"].values() for pair in mix.values()]
    cells = [pair for day in truth["cell_days"].values() for market in day.values() for pair in market.values()]
    assert np.sum(people, axis=0).tolist() == np.sum(vendors, axis=0).tolist() == np.sum(cells, axis=0).tolist()
    assert sum(person["role"] == "annotator" for person in truth["annotators"].values()) == 200
    assert len({person["vendor"] for person in truth["annotators"].values() if person["role"] == "annotator"}) >= 3
