"""marts.vendor_funnel from tallies: equal to marts.defect_rate in a queue, adjusted by hand in roll-ups."""

from datetime import date, timedelta
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest

from qa_pipeline.marts.build import build_marts
from qa_pipeline.stats.funnel import funnel_limits
from qa_pipeline_tests.tally_tables import DAY, SQL_ROOT, MartRow, by, config, empty_warehouse, fill, read_mart

EXTRA = ("effective_n", "centre", "limit_95_low", "limit_95_high", "limit_998_low", "limit_998_high")


def _reviews(clean: int, defects: int, **texts: Any) -> list[dict[str, Any]]:
    rows = [{"replicate": place % 20, "sampling": "random"} | texts for place in range(clean)]
    bad = {"sampling": "random", "error_category": "false_positive", "severity": "major"}
    return rows + [{"replicate": place % 20} | bad | texts for place in range(defects)]


def _build(con: duckdb.DuckDBPyConnection) -> None:
    queues = {"hate": ["yes", "no"], "spam": ["yes", "no"]}
    build_marts(con, sql_root=SQL_ROOT, config=config(queues, markets=("AU", "GB")))


def _funnel(con: duckdb.DuckDBPyConnection, **wanted: str) -> list[MartRow]:
    rows = read_mart(con, "vendor_funnel", **({"period": "all"} | wanted))
    return [row for row in rows if row.reason != "no_data"]


def _random_reviews(rows: int) -> pd.DataFrame:
    rng = np.random.default_rng(4)
    weight = rng.choice([1, 4, 20], rows)
    return pd.DataFrame(
        {
            "business_date": [date(2026, 3, 1) + timedelta(days=int(day)) for day in rng.integers(0, 40, rows)],
            "replicate": rng.integers(0, 20, rows),
            "market": rng.choice(["AU", "GB"], rows),
            "queue": rng.choice(["hate", "spam"], rows),
            "vendor": rng.choice(["v1", "v2", "v3"], rows, p=[0.6, 0.3, 0.1]),
            "error_category": rng.choice(["none", "technical"], rows, p=[0.9, 0.1]),
            "sampling": "random",
            "weight_ppm": weight * 1_000_000,
            "weight_sq_ppm": weight**2 * 1_000_000,
        }
    )


def test_in_a_market_and_queue_it_is_the_defect_rate() -> None:
    """Stops two marts from giving one vendor two rates: estimate, interval, method and reviews are the same."""
    con = empty_warehouse()
    fill(con, "tallies.review_counts", _random_reviews(4000))
    _build(con)
    plain = con.execute(
        "select period, period_start, market, queue, subject, method, estimate, ci_low, ci_high, n_items "
        "from marts.defect_rate where subject_kind = 'vendor' and metric = 'defect_rate' "
        "and market <> 'ALL' and queue <> 'ALL'"
    ).fetchall()
    found = con.execute(
        "select period, period_start, market, queue, subject, method, estimate, ci_low, ci_high, n_items "
        "from marts.vendor_funnel where market <> 'ALL' and queue <> 'ALL'"
    ).fetchall()
    assert {row[0] for row in found} == {"week", "trailing_28d", "all"}
    assert len(found) > 80
    assert set(found) <= set(plain)


def test_roll_ups_are_adjusted_for_the_mix_by_hand() -> None:
    """Stops raw rates in roll-ups: v1 has the hard queue, v2 the easy one, and both err as the others do there."""
    con = empty_warehouse()
    for vendor, hate, spam in (("v1", 900, 100), ("v2", 100, 900)):
        fill(con, "tallies.review_counts", _reviews(hate * 9 // 10, hate // 10, vendor=vendor, queue="hate"))
        fill(con, "tallies.review_counts", _reviews(spam * 49 // 50, spam // 50, vendor=vendor, queue="spam"))
    _build(con)
    rows = by(_funnel(con, market="AU", queue="ALL"), "subject")
    assert [row.estimate for row in rows.values()] == pytest.approx([0.06, 0.06])
    assert [row.extra["centre"] for row in rows.values()] == pytest.approx([0.06, 0.06])
    assert {row.extra["position"] for row in rows.values()} == {"within"}
    assert {row.method for row in rows.values()} == {"wilson_effective"}
    assert all(row.ci_low < 0.06 < row.ci_high and row.n_items == 1000 for row in rows.values())
    everywhere = by(_funnel(con, market="ALL", queue="ALL"), "subject")
    assert everywhere["v1"].estimate == pytest.approx(0.06)


def test_limits_are_those_of_the_effective_number() -> None:
    """Stops limits of another vendor or period beside a rate, and a position that they contradict.

    Of 3,000 reviews each vendor has a third: 1 / (1 / 1000 - 1 / 3000) = 1,500.
    """
    con = empty_warehouse()
    for vendor, defects in (("v1", 50), ("v2", 50), ("v3", 110)):
        fill(con, "tallies.review_counts", _reviews(1000 - defects, defects, vendor=vendor))
    _build(con)
    rows = by(_funnel(con, market="AU", queue="hate"), "subject")
    limits = funnel_limits(np.array(1500.0), centre=np.array(0.07))
    ends = [float(each) for each in (limits.low_95, limits.high_95, limits.low_998, limits.high_998)]
    for row in rows.values():
        assert [row.extra[name] for name in EXTRA] == pytest.approx([1500, 0.07, *ends])
        assert row.extra["overdispersion"] == 1
    positions = {name: row.extra["position"] for name, row in rows.items()}
    assert positions == {"v1": "below 99.8 %", "v2": "below 99.8 %", "v3": "above 99.8 %"}


def test_vendors_that_cannot_be_judged_have_no_limits() -> None:
    """Stops a verdict from 29 reviews, from a queue of one's own, or where nobody has a defect."""
    con = empty_warehouse()
    fill(con, "tallies.review_counts", _reviews(190, 10, vendor="big") + _reviews(9, 20, vendor="few"))
    fill(con, "tallies.review_counts", _reviews(90, 10, vendor="lone", queue="spam"))
    for vendor in ("a", "b"):
        fill(con, "tallies.review_counts", _reviews(50, 0, vendor=vendor, market="GB"))
    _build(con)
    rows = by(_funnel(con), "market", "queue", "subject")
    for key in (("AU", "hate", "few"), ("AU", "spam", "lone"), ("GB", "hate", "a"), ("AU", "ALL", "lone")):
        extra = rows[key].extra
        assert extra["position"] == ""
        assert [extra[name] for name in EXTRA if name != "centre"] == [None] * 5
    assert rows["AU", "hate", "big"].extra["position"] == "below 99.8 %"
    assert rows["AU", "spam", "lone"].estimate == pytest.approx(0.1)
    lone = rows["AU", "ALL", "lone"]
    assert (np.isnan(lone.estimate), np.isnan(lone.ci_low), lone.method, lone.reason) == (
        True,
        True,
        "",
        "no_comparison",
    )
    assert rows["GB", "hate", "a"].estimate == 0
    assert rows["GB", "hate", "a"].ci_high > 0
    assert rows["GB", "ALL", "a"].ci_high > 0


def test_only_random_reviews_of_vendors_enter() -> None:
    """Stops targeted reviews, models and people without a vendor from moving the centre."""
    con = empty_warehouse()
    for vendor in ("v1", "v2"):
        fill(con, "tallies.review_counts", _reviews(95, 5, vendor=vendor))
    fill(con, "tallies.review_counts", _reviews(0, 50, vendor="v1", sampling="targeted"))
    fill(con, "tallies.review_counts", _reviews(0, 50, vendor=""))
    fill(con, "tallies.review_counts", _reviews(0, 50, vendor="", rater="m@1", rater_kind="model"))
    _build(con)
    rows = _funnel(con, market="AU", queue="hate")
    assert {(row.subject, row.n_items) for row in rows} == {("v1", 100), ("v2", 100)}
    assert {row.extra["centre"] for row in rows} == {0.05}


def test_periods_are_weeks_the_newest_28_days_and_all() -> None:
    """Stops a row for every day, which nobody judges a vendor by, and windows that mix dates."""
    con = empty_warehouse()
    for day in range(35):
        texts = {"business_date": DAY + timedelta(days=day)}
        fill(con, "tallies.review_counts", _reviews(9, 1, vendor="v1", **texts) + _reviews(9, 1, vendor="v2", **texts))
    _build(con)
    rows = read_mart(con, "vendor_funnel", market="AU", queue="hate", subject="v1")
    assert [(row.period, row.n_items) for row in rows] == [("all", 350), ("trailing_28d", 280)] + [("week", 70)] * 5
