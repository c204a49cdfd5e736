"""marts.appeal_rates: overturn rates, bounds on what was not appealed, and the tally that they come from."""

from datetime import date, timedelta
from typing import Any

import duckdb
import numpy as np
import pytest

from qa_pipeline.marts.build import build_marts
from qa_pipeline.stats.proportions import wilson
from qa_pipeline_tests.tally_tables import DAY, SQL_ROOT, MartRow, by, config, empty_warehouse, fill, read_mart

QUEUES = {"hate": ["yes", "no"], "spam": ["yes", "no"]}


def _build(con: duckdb.DuckDBPyConnection) -> None:
    build_marts(con, sql_root=SQL_ROOT, config=config(QUEUES, markets=("AU", "GB")))


def _appeals(con: duckdb.DuckDBPyConnection, **outcomes: int) -> None:
    fill(con, "tallies.appeal_counts", [{"outcome": name, "n": n, "n_decisions": n} for name, n in outcomes.items()])


def _rows(con: duckdb.DuckDBPyConnection, subject: str, **wanted: str) -> dict[Any, MartRow]:
    place = {"period": "all", "market": "AU", "queue": "hate", "subject": subject} | wanted
    return by(read_mart(con, "appeal_rates", **place), "metric", "reference_kind")


def _reviews(con: duckdb.DuckDBPyConnection, *, defects: int, reviews: int, **texts: Any) -> None:
    """A random sample of 1 in 4, one review a row."""
    rows = [
        {"error_category": "wrong_policy" if place < defects else "none", "replicate": place % 20}
        | {"sampling": "random", "weight_ppm": 4_000_000, "weight_sq_ppm": 16_000_000}
        | texts
        for place in range(reviews)
    ]
    fill(con, "tallies.review_counts", rows)


def test_rates_and_manski_bounds_by_hand() -> None:
    """Stops partial outcomes from not counting, and bounds other than Manski's.

    1000 decisions, 50 appealed, 12 overturned and 8 partly so: at least 20 of 1000 and at most 20 + 950.
    """
    con = empty_warehouse()
    fill(con, "tallies.label_counts", [{"n": 1000}])
    _appeals(con, upheld=30, overturned=12, partial=8)
    _build(con)
    rows = _rows(con, "human")
    expected = {
        ("overturn_rate", ""): (0.4, 50),
        ("appeal_rate", ""): (0.05, 1000),
        ("overturn_at_least", ""): (0.02, 1000),
        ("overturn_at_most", ""): (0.97, 1000),
    }
    for key, (estimate, n) in expected.items():
        assert rows[key].estimate == pytest.approx(estimate)
        assert rows[key].n_items == n
        plain = wilson(np.array(estimate), np.array(float(n)))
        # Bounds take in the exact bounds for few events too, so they may be a little wider than Wilson's.
        assert rows[key].ci_low == pytest.approx(plain.low, abs=2e-3)
        assert rows[key].ci_high == pytest.approx(plain.high, abs=2e-3)
    bounds = rows[("overturn_rate_all", "")]
    assert (bounds.reason, bounds.method) == ("bounds_only", "imbens_manski")
    assert np.isnan(bounds.estimate)
    # So far apart the rate can miss at one end only: 1.645 in place of 1.96 standard errors.
    low, high = rows[("overturn_at_least", "")], rows[("overturn_at_most", "")]
    assert bounds.ci_low == pytest.approx(0.02 - (0.02 - low.ci_low) * 1.6449 / 1.96, rel=1e-3)
    assert bounds.ci_high == pytest.approx(0.97 + (high.ci_high - 0.97) * 1.6449 / 1.96, rel=1e-3)
    assert rows[("overturn_at_most", "qa")].reason == "no_data"
    assert rows[("overturn_rate_all", "qa")].reason == "no_data"


def _arbitrated(con: duckdb.DuckDBPyConnection, *, caught: int, missed: int, **texts: Any) -> None:
    """Every verdict arbitrated: of the defects so many were caught and missed, and 500 right decisions left alone."""
    outcomes = ((caught, True, "defect"), (missed, False, "defect"), (500, False, "none"))
    rows = [
        {"n": n, "is_called": is_called, "found": found, "arbitration_sampling": "random"}
        | {"weight_ppm": n * 1_000_000, "weight_sq_ppm": n * 1_000_000, "sampling": "random"}
        | texts
        for n, is_called, found in outcomes
    ]
    fill(con, "tallies.reviewer_outcomes", rows)


def test_random_qa_narrows_the_bounds_to_its_corrected_defect_rate() -> None:
    """Stops a bound that forgets what QA misses: half of all defects here, so 16 % are wrong where it finds 8 %.

    The bound and its interval are those of the same row of marts.defect_rate, in cells and in roll-ups.
    """
    con = empty_warehouse()
    for market in ("AU", "GB"):
        fill(con, "tallies.label_counts", [{"n": 1000, "market": market}])
        _reviews(con, defects=20 if market == "AU" else 40, reviews=250, market=market)
        _arbitrated(con, caught=100, missed=100, market=market)
    _appeals(con, upheld=30, overturned=20)
    _build(con)
    for place in ({"market": "AU"}, {"market": "ALL", "queue": "ALL"}):
        for kind, subject in (("rater_kind", "human"), ("vendor", "v1")):
            at_most = _rows(con, subject, subject_kind=kind, **place)[("overturn_at_most", "qa")]
            wanted = {"period": "all", "queue": "hate", "metric": "defect_rate_corrected", "subject": subject} | place
            (wrong,) = read_mart(con, "defect_rate", subject_kind=kind, **wanted)
            assert at_most.estimate == pytest.approx(wrong.estimate)
            assert (at_most.ci_low, at_most.ci_high) == (wrong.ci_low, wrong.ci_high)
            assert at_most.method == "variance_recovery"
    rows = _rows(con, "human")
    assert rows[("overturn_at_most", "qa")].estimate == pytest.approx(20 / 250 / 0.5)
    whole = rows[("overturn_rate_all", "qa")]
    assert whole.reason == "bounds_only"
    assert whole.ci_low < 20 / 1000 < 0.16 < whole.ci_high < 0.3
    by_label = _rows(con, "yes", subject_kind="label")
    assert {reference for _, reference in by_label} == {""}


def test_without_arbitration_random_qa_is_no_bound() -> None:
    """Stops the uncorrected rate from passing for all that is wrong; the bounds without assumption still hold."""
    con = empty_warehouse()
    fill(con, "tallies.label_counts", [{"n": 1000}])
    _reviews(con, defects=20, reviews=250)
    _appeals(con, upheld=30, overturned=20)
    _build(con)
    rows = _rows(con, "human")
    for metric in ("overturn_at_most", "overturn_rate_all"):
        assert rows[(metric, "qa")].reason == "no_arbitration"
        assert np.isnan([rows[(metric, "qa")].estimate, rows[(metric, "qa")].ci_high]).all()
    assert rows[("overturn_at_most", "")].estimate == pytest.approx(0.97)


def test_more_overturned_than_qa_finds_wrong_is_contradicted() -> None:
    """Stops crossed bounds from being shown as an interval; without an assumption they still hold."""
    con = empty_warehouse()
    fill(con, "tallies.label_counts", [{"n": 1000}])
    _reviews(con, defects=2, reviews=250)
    _arbitrated(con, caught=200, missed=0)
    _appeals(con, overturned=300)
    _build(con)
    rows = _rows(con, "human")
    for metric in ("overturn_at_most", "overturn_rate_all"):
        row = rows[(metric, "qa")]
        assert row.reason == "contradicted"
        assert np.isnan([row.estimate, row.ci_low, row.ci_high]).all()
    assert rows[("overturn_at_most", "")].estimate == 1


def test_of_several_appeals_of_a_decision_the_last_counts_for_the_decision() -> None:
    """Stops second appeals from counting as decisions: 12 appeals of 10 decisions, 4 of which end overturned."""
    con = empty_warehouse()
    fill(con, "tallies.label_counts", [{"n": 100}])
    appeals = [{"outcome": "upheld", "n": 8, "n_decisions": 6}, {"outcome": "overturned", "n": 4, "n_decisions": 4}]
    fill(con, "tallies.appeal_counts", appeals)
    _build(con)
    rows = _rows(con, "human")
    assert rows[("overturn_rate", "")].estimate == pytest.approx(4 / 12)
    assert rows[("appeal_rate", "")].estimate == pytest.approx(10 / 100)
    assert rows[("overturn_at_most", "")].estimate == pytest.approx((4 + 90) / 100)


def test_models_are_apart_from_people() -> None:
    """Stops appeals of predictions from counting against people, and people's decisions from thinning them."""
    con = empty_warehouse()
    fill(con, "tallies.label_counts", [{"n": 1000}])
    model = {"rater_kind": "model", "vendor": "", "model_version": "m@1"}
    fill(con, "tallies.label_counts", [model | {"n": 200}, model | {"n": 300, "label": "no", "model_version": "m@2"}])
    _appeals(con, upheld=10)
    target = {"target_kind": "prediction", "vendor": "", "outcome": "overturned", "n": 5, "n_decisions": 5}
    fill(con, "tallies.appeal_counts", [target])
    _build(con)
    assert _rows(con, "human")[("overturn_at_least", "")].estimate == 0
    assert _rows(con, "model")[("overturn_at_least", "")].estimate == pytest.approx(5 / 500)
    by_label = _rows(con, "yes", subject_kind="model_label")
    assert by_label[("appeal_rate", "")].estimate == pytest.approx(5 / 200)
    assert _rows(con, "no", subject_kind="model_label")[("overturn_rate", "")].reason == "no_data"
    assert not read_mart(con, "appeal_rates", subject_kind="model_label", period="day")


def test_where_nobody_appeals_nothing_is_said_and_beside_others_a_0_has_an_interval() -> None:
    """Stops an absent feed from being 0 appeals, and vendors nobody appealed from being left out."""
    con = empty_warehouse()
    quiet = {"business_date": DAY + timedelta(days=1), "n": 40}
    fill(con, "tallies.label_counts", [{"n": 100}, {"vendor": "v2", "n": 50}, {"queue": "spam", "n": 70}, quiet])
    _appeals(con, upheld=3)
    _build(con)
    other = _rows(con, "v2")
    assert other[("appeal_rate", "")].estimate == 0
    assert 0 < other[("appeal_rate", "")].ci_high < 0.1
    assert (other[("overturn_rate", "")].reason, other[("overturn_rate", "")].n_items) == ("no_data", 0)
    assert {row.period_start for row in read_mart(con, "appeal_rates", period="day")} == {DAY}
    (spam,) = read_mart(con, "appeal_rates", market="AU", queue="spam")
    assert (spam.metric, spam.reason) == ("overturn_rate", "no_data")


def test_a_label_that_was_appealed_more_often_than_decided_has_no_rate() -> None:
    """Stops rates above 1 where an appeal names a label that the decision did not have."""
    con = empty_warehouse()
    fill(con, "tallies.label_counts", [{"n": 100}, {"label": "no", "n": 2}])
    fill(con, "tallies.appeal_counts", [{"label": "no", "outcome": "overturned", "n": 3, "n_decisions": 3}])
    _build(con)
    rows = _rows(con, "no")
    assert rows[("overturn_rate", "")].estimate == 1
    for metric in ("appeal_rate", "overturn_at_least", "overturn_at_most", "overturn_rate_all"):
        assert rows[(metric, "")].reason == "no_comparison"
        assert np.isnan(rows[(metric, "")].ci_high)


def test_the_tally_counts_production_decisions_and_the_last_appeal_of_each() -> None:
    """Stops appeals of experts' and calibration decisions, late ones, and earlier appeals from counting decisions."""
    con = duckdb.connect()
    con.execute("create schema facts")
    con.execute(
        "create table facts.appeals (business_date date, row_id varchar, target_kind varchar, target_id varchar, "
        "filed_at timestamptz, outcome varchar, original_label varchar, target_date date, vendor varchar, "
        "target_stage varchar, target_market varchar, target_queue varchar)"
    )

    def appeal(days: int, target: str, outcome: str, *, stage: str = "production") -> None:
        filed = DAY + timedelta(days=days)
        values = [filed, f"{target}{days}", "label", target, filed, outcome, "yes", DAY, "v1", stage, "AU", "hate"]
        con.execute(f"insert into facts.appeals values ({', '.join('?' * len(values))})", values)

    appeal(1, "twice", "upheld")
    appeal(5, "twice", "overturned")
    appeal(29, "twice", "upheld")
    appeal(2, "once", "upheld")
    appeal(2, "expert", "overturned", stage="expert")
    select = (SQL_ROOT / "tallies" / "appeal_counts.sql").read_text(encoding="utf-8")
    dates: dict[str, date | int] = {"start_date": DAY, "end_date": DAY, "restate_days": 28}
    found = con.execute(f"select outcome, n, n_decisions from ({select}) order by outcome", dates).fetchall()
    assert found == [("overturned", 1, 1), ("upheld", 2, 1)]
