"""marts.review_needs: reviews for a wanted width and for a change, and what the present reviews can show."""

from datetime import timedelta
from typing import Any

import duckdb
import numpy as np
import pytest
from scipy import stats

from qa_pipeline.marts.build import build_marts
from qa_pipeline.quality_config import PlanningConfig, QualityConfig
from qa_pipeline_tests.tally_tables import DAY, SQL_ROOT, MartRow, by, config, empty_warehouse, fill, read_mart

HALF, CHANGE, VISIBLE = "reviews_for_half_width", "reviews_for_change", "visible_defect_rate"
WANTED = PlanningConfig(half_width=0.03, visible_change=1.5, power=0.8)


def _build(con: duckdb.DuckDBPyConnection, planning: PlanningConfig = WANTED) -> list[MartRow]:
    quality = QualityConfig(planning=planning)
    settings = config({"hate": ["yes", "no"], "spam": ["yes", "no"]}, markets=("AU", "GB"), quality=quality)
    build_marts(con, sql_root=SQL_ROOT, config=settings)
    return read_mart(con, "review_needs")


def _land(con: duckdb.DuckDBPyConnection, *, decisions: int, reviews: int, defects: int, **texts: Any) -> None:
    """Decisions and their random reviews, all with the chance reviews / decisions."""
    days = texts.pop("business_date", DAY)
    place = {"business_date": days} | texts
    fill(con, "tallies.annotator_label_counts", [place | {"n": decisions}])
    fill(con, "tallies.label_counts", [place | {"n": decisions}])
    weight = decisions / max(reviews, 1)
    for n, category in ((defects, "wrong_policy"), (reviews - defects, "none")):
        if n:
            sums = {"weight_ppm": round(n * weight * 1e6), "weight_sq_ppm": round(n * weight**2 * 1e6)}
            found = place | {"n": n, "error_category": category, "sampling": "random"} | sums
            fill(con, "tallies.review_counts", [found])


def _wilson_half(share: float, n: float, population: float) -> float:
    """Half of Wilson's 95 % interval with Cochran's correction, written out."""
    z = stats.norm.ppf(0.975)
    n = n * (population - 1) / (population - n)
    return float(z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n)))


def _power(n: float, before: float, after: float) -> float:
    """Power of the pooled test of two shares, of the side of the change alone (the other is below 1e-6 here)."""
    middle = (before + after) / 2
    spread = np.sqrt((before * (1 - before) + after * (1 - after)) / n)
    limit = stats.norm.ppf(0.975) * np.sqrt(2 * middle * (1 - middle) / n)
    return float(stats.norm.sf((limit - abs(after - before)) / spread))


def test_the_numbers_do_what_was_wanted_and_one_less_does_not() -> None:
    """Stops needs of another interval, another population, another power or another change."""
    con = empty_warehouse()
    _land(con, decisions=3000, reviews=399, defects=39)
    rows = by([row for row in _build(con) if row.market == "AU" and row.queue == "hate"], "subject", "metric")
    share = 39.5 / 400
    half, change, visible = (rows["human", metric] for metric in (HALF, CHANGE, VISIBLE))
    assert half.extra["expected_defect_rate"] == pytest.approx(share, abs=1e-9)
    assert _wilson_half(share, half.estimate, 3000) <= 0.03 < _wilson_half(share, half.estimate - 1, 3000)
    assert _power(change.estimate, share, 1.5 * share) >= 0.8 > _power(change.estimate - 1, share, 1.5 * share)
    assert _power(399, share, visible.estimate) == pytest.approx(0.8, abs=1e-6)
    assert visible.estimate > share
    for row in (half, change, visible):
        assert (row.period, row.period_end, row.reason, row.n_items, row.n_ratings) == (
            "trailing_28d",
            DAY,
            "planned",
            399,
            3000,
        )
        assert np.isnan([row.ci_low, row.ci_high]).all()


def test_a_vendor_leans_on_its_queue_and_roll_ups_on_all() -> None:
    """Stops a vendor without a defect from needing next to no reviews, and roll-ups that add shares up.

    v1: 0 of 20, v2: 30 of 100, equal chances of 1 / 10: the queue's rate is 30.5 / 121, v1 gets 20 reviews of it.
    """
    con = empty_warehouse()
    _land(con, decisions=200, reviews=20, defects=0, vendor="v1")
    _land(con, decisions=1000, reviews=100, defects=30, vendor="v2")
    _land(con, decisions=1000, reviews=100, defects=1, vendor="v2", queue="spam")
    rows = by(_build(con), "market", "queue", "subject", "metric")
    rates = {key[:3]: row.extra["expected_defect_rate"] for key, row in rows.items() if key[3] == HALF}
    queue = 30.5 / 121
    assert rates["AU", "hate", "human"] == pytest.approx(queue, abs=1e-9)
    assert rates["AU", "hate", "v1"] == pytest.approx(20 * queue / 40, abs=1e-9)
    assert rates["AU", "hate", "v2"] == pytest.approx((30 + 20 * queue) / 120, abs=1e-9)
    assert rates["ALL", "ALL", "human"] == pytest.approx(31.5 / 221, abs=1e-9)
    assert rates["AU", "ALL", "v2"] == pytest.approx((31 + 20 * 31.5 / 221) / 220, abs=1e-9)
    assert rows["ALL", "ALL", "v2", HALF].n_ratings == 2000
    assert {row.subject_kind for row in rows.values()} == {"rater_kind", "vendor"}


def test_unequal_chances_need_more_reviews() -> None:
    """Stops needs that forget the design: reviews of which half have a tenth of the chance say as much as fewer."""
    equal, unequal = empty_warehouse(), empty_warehouse()
    for con, weights in ((equal, (10, 10)), (unequal, (2, 20))):
        fill(con, "tallies.annotator_label_counts", [{"n": 40_000}])
        fill(con, "tallies.label_counts", [{"n": 40_000}])
        for weight in weights:
            for n, category in ((20, "technical"), (180, "none")):
                sums = {"weight_ppm": n * weight * 10**6, "weight_sq_ppm": n * weight**2 * 10**6}
                fill(con, "tallies.review_counts", [{"n": n, "error_category": category, "sampling": "random"} | sums])
    cell = {"market": "AU", "queue": "hate", "subject": "human"}
    same, other = (by([row for row in _build(con) if row.has(**cell)], "metric") for con in (equal, unequal))
    kish = 400 * (2 + 20) ** 2 / 2 / (2**2 + 20**2)
    # Half a defect in one more review weighs a little more with fewer effective reviews.
    assert other[CHANGE].estimate == pytest.approx(same[CHANGE].estimate * 400 / kish, rel=0.02)
    assert other[HALF].estimate == pytest.approx(same[HALF].estimate * 400 / kish, rel=0.02)
    assert other[VISIBLE].estimate > same[VISIBLE].estimate


def test_nothing_known_is_no_number_and_too_little_shows_nothing() -> None:
    """Stops a plan made of thin air, 0 reviews for what was never reviewed, and rates above 1."""
    con = empty_warehouse()
    _land(con, decisions=500, reviews=0, defects=0, queue="spam")
    _land(con, decisions=40, reviews=2, defects=2)
    rows = by(_build(con), "market", "queue", "subject", "metric")
    for metric in (HALF, CHANGE, VISIBLE):
        row = rows["AU", "spam", "human", metric]
        assert (row.reason, row.n_items, row.n_ratings) == ("no_data", 0, 500)
        assert np.isnan(row.estimate)
        assert row.extra["expected_defect_rate"] is None
    few = rows["AU", "hate", "human", VISIBLE]
    assert (few.reason, np.isnan(few.estimate)) == ("too_few_items", True)
    assert _wilson_half(5 / 6, 38, 40) <= 0.03 < _wilson_half(5 / 6, 37, 40)
    assert rows["AU", "hate", "human", HALF].estimate == 38
    # 1.5 times 5 / 6 is more than 1.
    assert rows["AU", "hate", "human", CHANGE].estimate > 2


def test_only_the_newest_28_days_count() -> None:
    """Stops old reviews from promising more than the present pace of reviews holds."""
    con = empty_warehouse()
    _land(con, decisions=100, reviews=10, defects=1)
    _land(con, decisions=100, reviews=10, defects=1, business_date=DAY - timedelta(days=27))
    _land(con, decisions=900, reviews=90, defects=80, business_date=DAY - timedelta(days=28))
    rows = _build(con)
    assert {(row.n_items, row.n_ratings, row.period_end) for row in rows} == {(20, 200, DAY)}
