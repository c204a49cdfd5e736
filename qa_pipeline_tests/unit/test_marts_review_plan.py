"""marts.review_plan: cells, pools, budget and expected rates, against direct computations."""

import time
from datetime import timedelta
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest

from qa_pipeline.marts.build import build_marts
from qa_pipeline.marts.reading import Codes
from qa_pipeline.marts.review_plan import plan_figures
from qa_pipeline.quality_config import PlanningConfig, QualityConfig
from qa_pipeline.stats.windows import calendar_windows
from qa_pipeline_tests.tally_tables import DAY, SQL_ROOT, MartRow, config, empty_warehouse, fill, read_mart

QUEUES = {"hate": ["yes", "no"], "spam": ["yes", "no"]}


def _build(con: duckdb.DuckDBPyConnection, **planning: Any) -> list[MartRow]:
    quality = QualityConfig(planning=PlanningConfig(**planning))
    build_marts(con, sql_root=SQL_ROOT, config=config(QUEUES, markets=("AU", "GB"), quality=quality))
    return read_mart(con, "review_plan")


def _decide(con: duckdb.DuckDBPyConnection, rows: list[dict[str, Any]]) -> None:
    """Decisions, in both tallies that count them."""
    fill(con, "tallies.annotator_label_counts", rows)
    fill(con, "tallies.label_counts", [{key: row[key] for key in row if key != "rater"} for row in rows])


def _review(con: duckdb.DuckDBPyConnection, rows: list[dict[str, Any]]) -> None:
    fill(con, "tallies.review_counts", [{"sampling": "random"} | row for row in rows])


def test_only_the_newest_date_is_planned_and_pools_add_up_to_the_budget() -> None:
    """Stops decisions of earlier days from being drawn, and budgets that are spent more or less than once."""
    con = empty_warehouse()
    old = DAY - timedelta(days=1)
    _decide(
        con,
        [
            {"rater": "a1", "n": 60, "replicate": 1},
            {"rater": "a1", "n": 40, "replicate": 2, "label": "no"},
            {"rater": "a2", "n": 300},
            {"rater": "a2", "n": 200, "queue": "spam", "vendor": "v2"},
            {"rater": "gone", "n": 500, "business_date": old},
        ],
    )
    rows = _build(con, reviews_per_day=60, annotator_floor=5)
    assert {(row.market, row.queue, row.subject): row.extra["decisions"] for row in rows} == {
        ("AU", "hate", "a1"): 100,
        ("AU", "hate", "a2"): 300,
        ("AU", "spam", "a2"): 200,
    }
    assert {(row.period, row.period_start, row.period_end) for row in rows} == {("day", DAY, DAY)}
    assert {(row.subject_kind, row.metric, row.reference_kind, row.reason) for row in rows} == {
        ("annotator", "reviews", "", "planned")
    }
    assert {row.extra["pool_kind"] for row in rows} == {"cell"}
    # Nothing was ever reviewed, so all are taken at 1/2 and get reviews in proportion to their decisions.
    assert [row.estimate for row in rows] == [10, 30, 20]
    assert [row.extra["pool"] for row in rows] == ["AU/hate/a1", "AU/hate/a2", "AU/spam/a2"]
    for row in rows:
        assert row.extra["inclusion_probability"] == row.estimate / row.extra["pool_size"]
        assert row.extra["expected_defect_rate"] == 0.5


def test_pools_become_coarser_with_the_budget() -> None:
    """Stops a plan that leaves decisions without any chance where drawing from several cells together would not."""
    con = empty_warehouse()
    cells = [("a1", "hate"), ("a1", "spam"), ("a2", "hate"), ("a2", "spam")]
    _decide(con, [{"rater": rater, "queue": queue, "n": 50} for rater, queue in cells])
    found = {}
    for budget in (4, 3, 1):
        rows = _build(con, reviews_per_day=budget, annotator_floor=1)
        pools = {row.extra["pool"]: (row.estimate, row.extra["pool_size"]) for row in rows}
        found[budget] = (rows[0].extra["pool_kind"], sorted(pools))
        assert sum(take for take, _ in pools.values()) == budget
        assert sum(size for _, size in pools.values()) == 200
    assert found == {
        4: ("cell", ["AU/hate/a1", "AU/hate/a2", "AU/spam/a1", "AU/spam/a2"]),
        3: ("annotator", ["a1", "a2"]),
        1: ("stratum", ["AU/hate/v1", "AU/spam/v1"]),
    }


def test_expected_rates_are_weighted_and_drawn_towards_the_queue() -> None:
    """Stops plain counts, targeted reviews, reviews of models and reviews older than 28 days from steering the budget.

    v1: 10 reviews at p = 1/2 with 5 defects and 10 at p = 1/10 with none: Hajek's rate is 10 / 120, Kish's number
    120^2 / (10 4 + 10 100). v2 has 8 of 40, all p = 1/2. Both are drawn to the queue's (D + 1/2) / (R + 1) by 20.
    """
    con = empty_warehouse()
    _decide(con, [{"vendor": vendor, "rater": f"a{vendor}", "n": 1000} for vendor in ("v1", "v2", "v3")])
    half = {"weight_ppm": 2_000_000, "weight_sq_ppm": 4_000_000}
    tenth = {"weight_ppm": 10_000_000, "weight_sq_ppm": 100_000_000}

    def times(n: int, weights: dict[str, int], **texts: Any) -> dict[str, Any]:
        return {"n": n} | {name: value * n for name, value in weights.items()} | texts

    bad = {"error_category": "false_positive"}
    _review(
        con,
        [
            times(5, half, vendor="v1", **bad),
            times(5, half, vendor="v1", business_date=DAY - timedelta(days=27)),
            times(10, tenth, vendor="v1"),
            times(8, half, vendor="v2", **bad),
            times(32, half, vendor="v2"),
            times(90, half, vendor="v2", sampling="targeted", **bad),
            times(90, half, vendor="", target_kind="prediction", rater_kind="model", **bad),
            times(90, half, vendor="v1", business_date=DAY - timedelta(days=28), **bad),
        ],
    )
    kish = 120**2 / (10 * 4 + 10 * 100)
    defects = {"v1": kish * 10 / 120, "v2": 8.0, "v3": 0.0}
    reviews = {"v1": kish, "v2": 40.0, "v3": 0.0}
    queue = (sum(defects.values()) + 0.5) / (sum(reviews.values()) + 1)
    rows = _build(con, reviews_per_day=300)
    for row in rows:
        vendor = row.extra["vendor"]
        expected = (defects[vendor] + 20 * queue) / (reviews[vendor] + 20)
        assert row.extra["expected_defect_rate"] == pytest.approx(expected, abs=1e-12)
        assert row.n_items == {"v1": 20, "v2": 40, "v3": 0}[vendor]
    sd = np.array(
        [np.sqrt(row.extra["expected_defect_rate"] * (1 - row.extra["expected_defect_rate"])) for row in rows]
    )
    # Neyman: equal populations, so reviews go with the standard deviations, to the next whole numbers.
    assert np.all(np.abs(np.array([row.estimate for row in rows]) - 300 * sd / sd.sum()) < 1)


def test_budget_is_the_mean_of_reviewed_days() -> None:
    """Stops the nights since the newest review, whose reviews are still to come, from shrinking the budget for ever."""
    con = empty_warehouse()
    days = [DAY - timedelta(days=back) for back in range(5)]
    _decide(con, [{"business_date": day, "n": 1000} for day in days])
    # Of the five days the newest is not reviewed yet; of the four before it one was left out.
    counts = {days[1]: 40, days[3]: 25, days[4]: 25}
    _review(con, [{"business_date": day, "n": n, "weight_ppm": n * 10**6} for day, n in counts.items()])
    assert _build(con)[0].estimate == 23  # 90 / 4 = 22.5
    con.execute("delete from tallies.review_counts")
    assert _build(con)[0].estimate == 1


def test_an_annotator_of_two_vendors_in_one_queue_has_one_row() -> None:
    """Stops two rows with one key, which would stop the night; the vendor of most decisions counts."""
    con = empty_warehouse()
    _decide(con, [{"vendor": "v1", "n": 10}, {"vendor": "v2", "n": 30}, {"vendor": "v0", "n": 30, "replicate": 3}])
    (row,) = _build(con, reviews_per_day=7)
    assert (row.extra["vendor"], row.extra["decisions"], row.estimate) == ("v0", 70, 7)


def test_without_decisions_there_is_no_plan() -> None:
    """Stops a plan, or a crash, where only models decide."""
    con = empty_warehouse()
    fill(con, "tallies.label_counts", [{"rater_kind": "model"}])
    assert _build(con) == []
    assert read_mart(con, "review_needs") == []


def test_thousands_of_annotators_are_planned_in_seconds() -> None:
    """Stops work that grows with the square of the annotators: 5,000 in 10,000 cells took 0.4 s of processor time."""
    rng = np.random.default_rng(5)
    people = np.repeat(np.arange(5000), 2)
    frame = pd.DataFrame(
        {
            "business_date": pd.Timestamp(DAY),
            "rater": [f"a{person}" for person in people],
            "market": [("AU", "GB")[person % 2] for person in people],
            "vendor": [f"v{person % 7}" for person in people],
            "queue": ["hate", "spam"] * 5000,
            "n": rng.integers(1, 200, len(people)),
        }
    )
    con = empty_warehouse()
    fill(con, "tallies.annotator_label_counts", frame)
    windows = calendar_windows(np.array([DAY], dtype="datetime64[D]"))
    planning = PlanningConfig(reviews_per_day=12_345, annotator_floor=2)
    started = time.process_time()
    (figures,) = plan_figures(con, sql_root=SQL_ROOT, windows=windows, config=planning)
    assert time.process_time() - started < 5
    pool = figures.extra["pool"]
    assert isinstance(pool, Codes)
    assert len(pool.names) == len(people)
    assert figures.estimate.sum() == 12_345
