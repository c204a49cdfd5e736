"""marts.accuracy and marts.defect_rate against direct computations, weights, intervals and subjects."""

from collections import Counter
from datetime import date, timedelta
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest

from qa_pipeline.marts.build import build_marts
from qa_pipeline.quality_config import QualityConfig, SeverityWeights
from qa_pipeline.stats.jackknife import T_975_DF19
from qa_pipeline.stats.proportions import wilson
from qa_pipeline.stats.weighted_means import mean_interval, sums_of_classes
from qa_pipeline_tests.tally_tables import (
    DAY,
    SHARED_DATA,
    SQL_ROOT,
    by,
    config,
    empty_warehouse,
    fill,
    read_mart,
)

needs_data = pytest.mark.skipif(
    not (SHARED_DATA / "zencrowd" / "gold.csv").exists(), reason=f"the shared data is absent: {SHARED_DATA}"
)


def _build(con: duckdb.DuckDBPyConnection, *, markets: tuple[str, ...] = ("AU",)) -> None:
    build_marts(con, sql_root=SQL_ROOT, config=config({"hate": ["yes", "no"], "spam": ["yes", "no"]}, markets=markets))


def _outcomes(right: int, wrong: int, **texts: Any) -> list[dict[str, Any]]:
    """Judged decisions one by one, spread over the replicates."""
    return [
        {"replicate": place % 20, "label": "yes" if place < right else "no", "reference_label": "yes"} | texts
        for place in range(right + wrong)
    ]


@needs_data
def test_zencrowd_accuracy_equals_a_direct_computation() -> None:
    """Stops any loss between tallies and mart: accuracy against gold per market, annotator and together."""
    labels = pd.read_csv(SHARED_DATA / "zencrowd" / "labels.csv", dtype=str)
    labels = labels.drop_duplicates(["market", "item_id", "annotator_id"], keep="last")
    judged = labels.merge(pd.read_csv(SHARED_DATA / "zencrowd" / "gold.csv", dtype=str), on="item_id")
    judged["right"] = judged["label"] == judged["gold_label"]
    rows = judged.rename(columns={"annotator_id": "rater", "gold_label": "reference_label"})
    rows["replicate"] = pd.util.hash_pandas_object(rows["item_id"], index=False) % 20
    con = empty_warehouse()
    columns = ["market", "rater", "label", "reference_label", "replicate"]
    fill(con, "tallies.outcome_counts", rows[columns])
    _build(con, markets=("IN", "US"))
    accuracy = read_mart(con, "accuracy", period="all", queue="hate", reference_kind="gold")
    humans = by([row for row in accuracy if row.subject_kind == "rater_kind"], "market")
    for market, own in judged.groupby("market"):
        assert humans[market].estimate == pytest.approx(own["right"].mean(), abs=1e-12)
        assert humans[market].n_ratings == len(own)
    assert humans["ALL"].estimate == pytest.approx(judged["right"].mean(), abs=1e-12)
    annotators = by([row for row in accuracy if row.subject_kind == "annotator"], "market", "subject")
    for key, own in judged.groupby(["market", "annotator_id"]):
        assert annotators[key].estimate == pytest.approx(own["right"].mean(), abs=1e-12)
        assert annotators[key].n_items == len(own)
    assert sum(market != "ALL" for market, _ in annotators) == judged.groupby(["market", "annotator_id"]).ngroups


def test_weights_and_their_interval_by_hand() -> None:
    """Stops unweighted rates, and jackknife intervals that differ from the formula written out.

    Two strata sampled at 1 in 2 and 1 in 10: the rate is (2 * 30 + 10 * 10) / (2 * 200 + 10 * 100).
    """
    con = empty_warehouse()
    heavy = {"sampling": "random", "reference_kind": "qa", "weight_ppm": 10_000_000, "weight_sq_ppm": 100_000_000}
    light = {"sampling": "random", "reference_kind": "qa", "weight_ppm": 2_000_000, "weight_sq_ppm": 4_000_000}
    rows = _outcomes(90, 10, **heavy) + _outcomes(170, 30, **light)
    fill(con, "tallies.outcome_counts", rows)
    _build(con)
    chosen = {"period": "all", "market": "AU", "queue": "hate", "subject_kind": "rater_kind", "reference_kind": "qa"}
    (row,) = read_mart(con, "accuracy", **chosen)
    frame = pd.DataFrame(rows)
    frame["right_weight"] = (frame["label"] == "yes") * frame["weight_ppm"]
    sums = frame.groupby("replicate")[["right_weight", "weight_ppm"]].sum()
    rate = sums["right_weight"].sum() / sums["weight_ppm"].sum()
    assert row.estimate == pytest.approx(1 - 160 / 1400, abs=1e-12)
    without = (sums["right_weight"].sum() - sums["right_weight"]) / (sums["weight_ppm"].sum() - sums["weight_ppm"])
    scaled = np.log(without / (1 - without))
    middle = np.log(rate / (1 - rate))
    half = T_975_DF19 * np.sqrt(19 / 20 * ((scaled - middle) ** 2).sum())
    linearised = sums_of_classes(
        units=np.array([90.0, 10, 170, 30]),
        weight=np.array([900.0, 100, 340, 60]),
        squared_weight=np.array([9000.0, 1000, 680, 120]),
        scores=np.array([1.0, 0, 1, 0]),
        is_finite=False,
    )
    other = mean_interval(linearised, largest_weight=np.array(10.0), is_finite=False)
    assert row.method == "jackknife"
    assert row.ci_low == pytest.approx(min(1 / (1 + np.exp(half - middle)), float(other.low)), abs=1e-9)
    assert row.ci_high == pytest.approx(max(1 / (1 + np.exp(-half - middle)), float(other.high)), abs=1e-9)


def test_few_unequal_weights_fall_back_to_wilson_on_the_effective_number() -> None:
    """Stops Wilson on the plain number, or on Kish's, where weights differ and the jackknife may not speak."""
    con = empty_warehouse()
    rows = _outcomes(15, 5) + _outcomes(18, 2, weight_ppm=10_000_000, weight_sq_ppm=100_000_000)
    fill(con, "tallies.outcome_counts", rows)
    _build(con)
    chosen = {"period": "all", "market": "AU", "queue": "hate", "subject_kind": "rater_kind", "reference_kind": "any"}
    (row,) = read_mart(con, "accuracy", **chosen)
    sums = sums_of_classes(
        units=np.array([15.0, 5, 18, 2]),
        weight=np.array([15.0, 5, 180, 20]),
        squared_weight=np.array([15.0, 5, 1800, 200]),
        scores=np.array([1.0, 0, 1, 0]),
        is_finite=False,
    )
    expected = mean_interval(sums, largest_weight=np.array(10.0), is_finite=False)
    assert row.method == "wilson_effective"
    assert row.estimate == pytest.approx((15 + 180) / 220)
    assert row.ci_low == pytest.approx(float(expected.low))
    assert row.ci_high == pytest.approx(float(expected.high))


def test_references_are_counted_once_each_and_together() -> None:
    """Stops `any` from leaving a kind out or counting one twice, and targeted QA from entering accuracy."""
    con = empty_warehouse()
    fill(con, "tallies.outcome_counts", _outcomes(8, 2, reference_kind="gold"))
    fill(con, "tallies.outcome_counts", _outcomes(3, 3, reference_kind="expert"))
    fill(con, "tallies.outcome_counts", _outcomes(0, 50, reference_kind="qa", sampling="targeted"))
    _build(con)
    rows = read_mart(con, "accuracy", period="all", market="AU", queue="ALL", subject_kind="rater_kind")
    found = by(rows, "reference_kind")
    assert {kind: row.n_ratings for kind, row in found.items()} == {"any": 16, "expert": 6, "gold": 10}
    estimates = {kind: row.estimate for kind, row in found.items()}
    assert estimates == pytest.approx({"any": 11 / 16, "expert": 0.5, "gold": 0.8})


def test_subjects_are_annotators_vendors_model_versions_and_kinds() -> None:
    """Stops a model from becoming a vendor or an annotator, and vendors of the same name from mixing markets."""
    con = empty_warehouse()
    fill(con, "tallies.outcome_counts", _outcomes(8, 2, rater="a1", vendor="v1"))
    fill(con, "tallies.outcome_counts", _outcomes(4, 1, rater="a2", vendor="v1", market="GB"))
    fill(con, "tallies.outcome_counts", _outcomes(1, 1, rater="m@2", vendor="", rater_kind="model"))
    _build(con, markets=("AU", "GB"))
    rows = read_mart(con, "accuracy", period="all", queue="ALL", reference_kind="gold")
    found = {key: row.n_ratings for key, row in by(rows, "market", "subject_kind", "subject").items()}
    assert {key: n for key, n in found.items() if key[0] == "ALL"} == {
        ("ALL", "annotator", "a1"): 10,
        ("ALL", "annotator", "a2"): 5,
        ("ALL", "label", "yes"): 15,
        ("ALL", "model_label", "yes"): 2,
        ("ALL", "model_version", "m@2"): 2,
        ("ALL", "rater_kind", "human"): 15,
        ("ALL", "rater_kind", "model"): 2,
        ("ALL", "vendor", "v1"): 15,
    }
    assert found[("GB", "vendor", "v1")] == 5


def test_annotators_have_few_periods_and_the_others_all() -> None:
    """Stops 90 days times thousands of annotators: they have weeks, all and the newest trailing 28 days."""
    con = empty_warehouse()
    for day in range(40):
        fill(con, "tallies.outcome_counts", _outcomes(1, 0, business_date=DAY + timedelta(days=day)))
    _build(con)
    rows = read_mart(con, "accuracy", market="AU", queue="hate", reference_kind="gold")
    counts = Counter((row.subject_kind, row.period) for row in rows)
    # 2026-03-02 is a Monday: 40 days touch six weeks.
    assert counts[("annotator", "week")] == 6
    assert counts[("annotator", "trailing_28d")] == counts[("annotator", "all")] == 1
    assert ("annotator", "day") not in counts
    assert counts[("vendor", "day")] == counts[("vendor", "trailing_28d")] == 40
    (newest,) = [row for row in rows if row.has(subject_kind="annotator", period="trailing_28d")]
    assert newest.period_end == DAY + timedelta(days=39)
    assert newest.n_ratings == 28


def _reviews(clean: int, defects: int, **texts: Any) -> list[dict[str, Any]]:
    rows = [{"replicate": place % 20, "sampling": "random"} | texts for place in range(clean)]
    bad = {"sampling": "random", "error_category": "false_positive", "severity": "major"}
    return rows + [{"replicate": place % 20} | bad | texts for place in range(defects)]


def test_defect_rate_of_a_simple_random_sample_is_wilson_at_every_n() -> None:
    """Stops the jackknife from taking over where Wilson is exact for the design, and a forgotten finite population.

    Equal weights, 60 of 800 out of 16,000: Wilson's interval of 800 / (1 - 1 / 20) decisions.
    """
    con = empty_warehouse()
    fill(con, "tallies.review_counts", _reviews(740, 60, weight_ppm=20_000_000, weight_sq_ppm=400_000_000))
    _build(con)
    rows = read_mart(con, "defect_rate", period="all", market="AU", queue="hate", subject_kind="rater_kind")
    row = by(rows, "metric")["defect_rate"]
    expected = wilson(np.array(60 / 800), np.array(800 / 0.95))
    assert row.method == "wilson"
    assert row.reference_kind == "qa"
    assert (row.ci_low, row.ci_high) == pytest.approx((float(expected.low), float(expected.high)))


def test_a_census_gets_the_interval_of_its_process() -> None:
    """Stops an interval of zero width, or none, where every decision was reviewed: 60 of 800, all of them."""
    con = empty_warehouse()
    fill(con, "tallies.review_counts", _reviews(740, 60))
    _build(con)
    rows = read_mart(con, "defect_rate", period="all", market="AU", queue="hate", subject_kind="rater_kind")
    row = by(rows, "metric")["defect_rate"]
    expected = wilson(np.array(60 / 800), np.array(800.0))
    assert (row.ci_low, row.ci_high) == pytest.approx((float(expected.low), float(expected.high)))


def test_the_largest_weight_is_that_of_the_plan_not_of_the_day() -> None:
    """Stops a day on which nothing rarely picked was drawn from vouching for it.

    Both days have 0 defects in 100 decisions picked 1 in 2. In AU one decision of the day before was picked 1 in 50,
    in GB it was in another queue; 30 days later it is out of sight.
    """
    light = {"weight_ppm": 2_000_000, "weight_sq_ppm": 4_000_000}
    heavy = {"weight_ppm": 50_000_000, "weight_sq_ppm": 2_500_000_000}
    con = empty_warehouse()
    for market, queue in (("AU", "hate"), ("GB", "spam")):
        fill(con, "tallies.review_counts", _reviews(1, 0, market=market, queue=queue, **heavy))
        for later in (1, 31):
            texts = {"market": market, "queue": "hate", "business_date": DAY + timedelta(days=later)}
            fill(con, "tallies.review_counts", _reviews(100, 0, **texts, **light))
    _build(con, markets=("AU", "GB"))
    rows = read_mart(con, "defect_rate", period="day", queue="hate", subject_kind="rater_kind", metric="defect_rate")
    high = {(row.market, (row.period_start - DAY).days): row.ci_high for row in rows}
    assert high["AU", 1] > 5 * high["GB", 1]
    assert high["AU", 31] == high["GB", 31] == high["GB", 1]


def test_defects_by_severity_and_category() -> None:
    """Stops clean reviews from counting by their severity, and categories from not adding up to the defects."""
    con = empty_warehouse()
    fill(con, "tallies.review_counts", _reviews(80, 10))
    fill(con, "tallies.review_counts", _reviews(0, 6, error_category="technical", severity="critical"))
    fill(con, "tallies.review_counts", _reviews(0, 4, error_category="wrong_policy", severity="minor"))
    _build(con)
    rows = read_mart(con, "defect_rate", period="all", market="AU", queue="hate", subject_kind="vendor")
    assert {metric: row.estimate for metric, row in by(rows, "metric").items()} == pytest.approx(
        {
            "defect_rate": 0.2,
            "defect_rate_corrected": np.nan,
            "defect_rate_critical": 0.06,
            "defect_rate_major": 0.1,
            "defect_rate_minor": 0.04,
            "defect_rate_false_negative": 0,
            "defect_rate_false_positive": 0.1,
            "defect_rate_technical": 0.06,
            "defect_rate_wrong_policy": 0.04,
            # 6 critical of 10 points, 10 major of 5, 4 minor of 1.
            "defects_per_1000_weighted": 1140,
        },
        nan_ok=True,
    )
    assert all(row.n_items == 100 for row in rows)
    assert all(row.ci_high > row.ci_low for row in rows if row.metric != "defect_rate_corrected")


@pytest.mark.parametrize("sampling", ["targeted", "appeal"])
def test_reviews_that_were_picked_never_enter(sampling: str) -> None:
    """Stops targeted reviews, which find more defects, from leaking into an unbiased rate."""
    con = empty_warehouse()
    fill(con, "tallies.review_counts", _reviews(95, 5) + _reviews(0, 300, sampling=sampling))
    _build(con)
    rows = read_mart(con, "defect_rate", period="all", metric="defect_rate")
    assert {row.estimate for row in rows if row.reason != "no_data"} == {0.05}


def test_roll_up_weights_queues_by_what_they_stand_for() -> None:
    """Stops roll-ups that average samples: 10 % of a queue of 2,000 and 2 % of one of 20,000 are 2.7 % together."""
    con = empty_warehouse()
    fill(con, "tallies.review_counts", _reviews(180, 20, weight_ppm=10_000_000, weight_sq_ppm=100_000_000))
    heavy = {"queue": "spam", "weight_ppm": 100_000_000, "weight_sq_ppm": 10_000_000_000}
    fill(con, "tallies.review_counts", _reviews(196, 4, **heavy))
    _build(con)
    chosen = {"period": "all", "market": "AU", "queue": "ALL", "subject_kind": "vendor", "metric": "defect_rate"}
    (row,) = read_mart(con, "defect_rate", **chosen)
    assert row.estimate == pytest.approx((200 + 400) / 22_000)
    assert row.method == "jackknife"


def test_slices_of_people_and_of_models() -> None:
    """Stops an unknown site from becoming one, a model from entering a slice of people, and a review counted twice."""
    con = empty_warehouse()
    fill(con, "tallies.review_counts", _reviews(30, 10, site="Riga", content_type="text", label="yes"))
    fill(con, "tallies.review_counts", _reviews(20, 0, site="", guideline_version="g2", content_type="image"))
    model = {"rater_kind": "model", "rater": "m@1", "vendor": "", "site": ""}
    fill(con, "tallies.review_counts", _reviews(5, 5, content_type="text", label="no", **model))
    _build(con)
    rows = [
        row
        for row in read_mart(con, "defect_rate", period="all", market="AU", queue="ALL", metric="defect_rate")
        if row.subject_kind not in ("rater_kind", "vendor", "model_version", "annotator")
    ]
    found = {key: (row.n_items, row.estimate) for key, row in by(rows, "subject_kind", "subject").items()}
    assert found == {
        ("content_type", "image"): (20, 0.0),
        ("content_type", "text"): (40, 0.25),
        ("guideline_version", "g2"): (20, 0.0),
        ("label", "yes"): (60, pytest.approx(1 / 6)),
        ("model_content_type", "text"): (10, 0.5),
        ("model_label", "no"): (10, 0.5),
        ("site", "Riga"): (40, 0.25),
    }
    periods = {row.period for row in read_mart(con, "defect_rate", subject_kind="site")}
    assert periods == {"week", "trailing_28d", "all"}


def test_a_slice_has_the_figures_of_the_only_one_of_its_kind() -> None:
    """Stops slices from losing a weight, a replicate or the plan's largest weight: one site is its vendor."""
    con = empty_warehouse()
    fill(con, "tallies.review_counts", _reviews(180, 20, weight_ppm=10_000_000, weight_sq_ppm=100_000_000))
    fill(con, "tallies.review_counts", _reviews(96, 14, weight_ppm=2_000_000, weight_sq_ppm=4_000_000))
    _build(con)
    for metric in ("defect_rate", "defects_per_1000_weighted", "defect_rate_critical"):
        rows = by(read_mart(con, "defect_rate", period="all", market="AU", queue="hate", metric=metric), "subject_kind")
        site, vendor = rows["site"], rows["vendor"]
        assert (site.estimate, site.ci_low, site.ci_high) == (vendor.estimate, vendor.ci_low, vendor.ci_high)
        assert site.method == vendor.method


def test_severity_weighted_defects_by_hand() -> None:
    """Stops a severity from counting another's weight, right decisions from counting by theirs, and a wrong interval.

    90 right and 6 minor (1 point) picked 1 in 10, 4 critical (12 points) picked 1 in 2: (60 + 96) / (900 + 60 + 8).
    """
    con = empty_warehouse()
    heavy, light = ({"weight_ppm": w * 1_000_000, "weight_sq_ppm": w * w * 1_000_000} for w in (10, 2))
    fill(con, "tallies.review_counts", _reviews(90, 0, severity="critical", **heavy))
    fill(con, "tallies.review_counts", _reviews(0, 6, **heavy | {"severity": "minor"}))
    fill(con, "tallies.review_counts", _reviews(0, 4, **light | {"severity": "critical"}))
    quality = QualityConfig(severity_weights=SeverityWeights(critical=12, major=5, minor=1))
    build_marts(con, sql_root=SQL_ROOT, config=config({"hate": ["yes", "no"]}, quality=quality))
    chosen = {"period": "all", "market": "AU", "queue": "hate", "metric": "defects_per_1000_weighted"}
    rows = by(read_mart(con, "defect_rate", **chosen), "subject_kind")
    assert set(rows) == {"rater_kind", "vendor", "annotator", "site", "content_type", "label"}
    sums = sums_of_classes(
        units=np.array([90.0, 6, 4]),
        weight=np.array([900.0, 60, 8]),
        squared_weight=np.array([9000.0, 600, 16]),
        scores=np.array([0, 1 / 12, 1]),
        is_finite=True,
    )
    expected = mean_interval(sums, largest_weight=np.array(10.0), is_finite=True)
    for row in rows.values():
        assert row.estimate == pytest.approx(1000 * 156 / 968)
        assert (row.ci_low, row.ci_high) == pytest.approx((12_000 * float(expected.low), 12_000 * float(expected.high)))
        assert row.n_items == 100


def test_the_jackknife_widens_severity_weighted_defects_where_items_go_together() -> None:
    """Stops the weighted figure from forgetting that decisions on one item err together: defects in 8 groups only."""
    con = empty_warehouse()
    heavy, light = ({"weight_ppm": w * 1_000_000, "weight_sq_ppm": w * w * 1_000_000} for w in (3, 2))
    fill(con, "tallies.review_counts", _reviews(200, 0, **heavy) + _reviews(200, 0, **light))
    fill(con, "tallies.review_counts", [row for g in range(8) for row in _reviews(0, 5, replicate=g, **light)])
    _build(con)
    chosen = {"period": "all", "market": "AU", "queue": "hate", "subject_kind": "vendor"}
    (row,) = read_mart(con, "defect_rate", metric="defects_per_1000_weighted", **chosen)
    # 40 defects of 5 points among weights of 200 x 3, 200 x 2 and 40 x 2; without the jackknife, by hand below.
    assert row.estimate == pytest.approx(1000 * 5 * 80 / 1080)
    assert row.method == "jackknife"
    sums = sums_of_classes(
        units=np.array([200.0, 200, 40]),
        weight=np.array([600.0, 400, 80]),
        squared_weight=np.array([1800.0, 800, 160]),
        scores=np.array([0, 0, 0.5]),
        is_finite=True,
    )
    alone = mean_interval(sums, largest_weight=np.array(3.0), is_finite=True)
    assert row.ci_low < 10_000 * float(alone.low)


def test_the_largest_weight_of_a_row_that_mixes_weights_is_exact() -> None:
    """Stops the ratio of sums from standing for it: one review picked 1 in 50 and one 1 in 2 share a row."""
    con = empty_warehouse()
    mixed = {"n": 2, "weight_ppm": 52_000_000, "weight_sq_ppm": 2_504_000_000, "max_weight_ppm": 50_000_000}
    fill(con, "tallies.review_counts", [{"sampling": "random"} | mixed])
    _build(con)
    chosen = {"period": "all", "market": "AU", "queue": "hate", "subject_kind": "vendor", "metric": "defect_rate"}
    (row,) = read_mart(con, "defect_rate", **chosen)
    sums = sums_of_classes(
        units=np.array([2.0, 0]),
        weight=np.array([52.0, 0]),
        squared_weight=np.array([2504.0, 0]),
        scores=np.array([0.0, 1]),
        is_finite=True,
    )
    exact, ratio = (
        float(mean_interval(sums, largest_weight=np.array(weight), is_finite=True).high) for weight in (50.0, 2504 / 52)
    )
    assert row.ci_high == pytest.approx(exact, rel=1e-12)
    assert row.ci_high != pytest.approx(ratio, rel=1e-4)


def test_recall_is_by_the_label_of_the_reference() -> None:
    """Stops precision from passing for recall: of 10 items that are yes 8 were called so, of 5 that are no, 5."""
    con = empty_warehouse()
    fill(con, "tallies.outcome_counts", _outcomes(8, 2))
    fill(con, "tallies.outcome_counts", [{"label": "no", "reference_label": "no", "n": 5, "reference_kind": "expert"}])
    model = {"rater_kind": "model", "rater": "m@1", "vendor": ""}
    fill(con, "tallies.outcome_counts", _outcomes(1, 3, **model))
    _build(con)
    rows = read_mart(con, "accuracy", period="all", market="AU", queue="hate")
    found = {
        (row.subject_kind, row.subject, row.reference_kind): (row.n_items, row.estimate)
        for row in rows
        if row.subject_kind in ("label", "model_label")
    }
    assert found == {
        ("label", "no", "any"): (5, 1.0),
        ("label", "no", "expert"): (5, 1.0),
        ("label", "yes", "any"): (10, 0.8),
        ("label", "yes", "gold"): (10, 0.8),
        ("model_label", "yes", "any"): (4, 0.25),
        ("model_label", "yes", "gold"): (4, 0.25),
    }
    periods = {row.period for row in read_mart(con, "accuracy", subject_kind="label")}
    assert periods == {"week", "trailing_28d", "all"}


def test_figures_do_not_depend_on_the_order_or_the_grouping_of_rows() -> None:
    """Stops results that change with how a tally was written: shuffled and added up give the same mart."""
    rng = np.random.default_rng(3)
    rows = pd.DataFrame(
        {
            "business_date": [date(2026, 3, 1) + timedelta(days=int(day)) for day in rng.integers(0, 20, 3000)],
            "replicate": rng.integers(0, 20, 3000),
            "rater": rng.choice(["a1", "a2", "a3"], 3000),
            "label": rng.choice(["yes", "no"], 3000, p=[0.8, 0.2]),
            "n": 1,
            "weight_ppm": 1_000_000,
            "weight_sq_ppm": 1_000_000,
        }
    )
    by = ["business_date", "replicate", "rater", "label"]
    results = []
    for frame in (rows, rows.sample(frac=1, random_state=1), rows.groupby(by, as_index=False).sum()):
        con = empty_warehouse()
        fill(con, "tallies.outcome_counts", frame)
        _build(con)
        results.append(con.execute("from marts.accuracy").fetchall())
    assert results[0] == results[1]
    assert results[0] == results[2]
