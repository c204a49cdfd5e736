"""marts.agreement against published and recomputed figures, its roll-ups and reasons."""

import itertools
from datetime import date, timedelta
from pathlib import Path

import duckdb
import krippendorff
import numpy as np
import pandas as pd
import pytest
from scipy.stats import t

from qa_pipeline.config import Config
from qa_pipeline.marts.build import build_marts
from qa_pipeline_tests.tally_tables import (
    DAY,
    SHARED_DATA,
    SQL_ROOT,
    MartRow,
    by,
    config,
    empty_warehouse,
    fill,
    read_mart,
    unit_patterns,
)

needs_data = pytest.mark.skipif(
    not (SHARED_DATA / "reference_figures.csv").exists(), reason=f"the shared data is absent: {SHARED_DATA}"
)
UNIT = ["market", "queue", "item_id"]
COEFFICIENTS = ("krippendorff_alpha", "fleiss_kappa", "fleiss_1971", "gwet_ac1")
SHARES = ("percent_agreement", "percent_agreement_modal")


def _labels(dataset: str) -> pd.DataFrame:
    ratings = pd.read_csv(SHARED_DATA / dataset.split("_", maxsplit=1)[0] / "labels.csv", dtype=str)
    if "queue" not in ratings:
        ratings["queue"] = "match"
    ratings = ratings.drop_duplicates([*UNIT, "annotator_id"], keep="last")
    return ratings[ratings["label"] != "dont_know"] if dataset == "crehate" else ratings


def _config_of(ratings: pd.DataFrame) -> Config:
    labels = sorted(ratings["label"].unique())
    return config(dict.fromkeys(sorted(ratings["queue"].unique()), labels), markets=sorted(ratings["market"].unique()))


def _warehouse(ratings: pd.DataFrame) -> duckdb.DuckDBPyConnection:
    """Tallies over 30 dates: units within a market and, as CROSS, over all markets (last rating of a rater counts)."""
    con = empty_warehouse()
    across = ratings.drop_duplicates(["queue", "item_id", "annotator_id"], keep="last").assign(market="CROSS")
    for rows in (ratings, across):
        patterns = unit_patterns(rows, key=UNIT)
        patterns["business_date"] = [DAY + timedelta(days=place % 30) for place in range(len(patterns))]
        fill(con, "tallies.unit_patterns", patterns)
    return con


@needs_data
@pytest.mark.parametrize("dataset", ["crehate", "crehate_three_labels", "zencrowd"])
def test_reference_figures(dataset: str) -> None:
    """Stops any change of a definition: every slice of reference_figures.csv to 1e-6, pooled roll-ups and CROSS too."""
    ratings = _labels(dataset)
    con = _warehouse(ratings)
    build_marts(con, sql_root=SQL_ROOT, config=_config_of(ratings))
    rows = by(read_mart(con, "agreement", period="all"), "market", "queue", "metric")
    reference = pd.read_csv(SHARED_DATA / "reference_figures.csv")
    reference = reference[reference["dataset"] == dataset]
    for slice_ in reference.to_dict("records"):
        name = str(slice_["slice"])
        market, queue = ("CROSS", name.split()[1]) if name.startswith("cross-market") else name.split(" x ")
        suffix = "_pooled" if "ALL" in (market, queue) else ""
        for metric, column in (
            ("krippendorff_alpha", "krippendorff_alpha"),
            ("fleiss_1971", "fleiss_kappa"),
            ("percent_agreement_modal", "percent_agreement_of_those_items"),
        ):
            row = rows[market, queue, metric + suffix]
            assert row.estimate == pytest.approx(slice_[column], abs=1e-6), (name, metric)
            assert row.ci_low < row.estimate < row.ci_high, (name, metric)
            assert row.method == "jackknife"
        assert rows[market, queue, "fleiss_1971" + suffix].n_items == slice_["fleiss_items"]


@needs_data
def test_each_day_is_computed_from_its_own_units() -> None:
    """Stops windows that look at another day: percent agreement of every day, recomputed with pandas."""
    ratings = _labels("zencrowd")
    con = _warehouse(ratings)
    build_marts(con, sql_root=SQL_ROOT, config=_config_of(ratings))
    units = con.execute("select business_date, pattern from tallies.unit_patterns where market = 'IN'").fetchall()
    shares: dict[date, list[float]] = {}
    for day, pattern in units:
        unit = pattern.split(",")
        pairs = [one == other for one, other in itertools.combinations(unit, 2)]
        shares.setdefault(day, []).extend([float(np.mean(pairs))] if pairs else [])
    days = read_mart(con, "agreement", period="day", market="IN", queue="match", metric="percent_agreement")
    assert len(days) == len(shares) == 30
    for row in days:
        assert row.estimate == pytest.approx(np.mean(shares[row.period_start]), abs=1e-12)
        assert row.n_items == len(shares[row.period_start])
        assert row.method in ("wilson", "jackknife")


def _two_queues(con: duckdb.DuckDBPyConnection) -> None:
    """Queue a: nearly all no; queue b: nearly all yes. Raters agree little beyond that."""
    rng = np.random.default_rng(7)
    ratings = pd.DataFrame(
        [
            {"market": "AU", "queue": queue, "item_id": f"{queue}{item}", "label": label}
            for queue, share in (("a", 0.1), ("b", 0.9))
            for item in range(600)
            for label in np.where(rng.random(3) < share + 0.15 * (rng.random() - 0.5), "yes", "no")
        ]
    )
    fill(con, "tallies.unit_patterns", unit_patterns(ratings, key=UNIT))


def test_stratified_roll_up_lies_between_its_queues_and_the_pooled_one_does_not() -> None:
    """Stops pooling from becoming the headline: different base rates would turn near-chance agreement into 0.6."""
    con = empty_warehouse()
    _two_queues(con)
    build_marts(con, sql_root=SQL_ROOT, config=config({"a": ["yes", "no"], "b": ["yes", "no"]}))
    rows = by(read_mart(con, "agreement", period="all", market="AU"), "queue", "metric")
    for metric in ("krippendorff_alpha", "fleiss_kappa", "fleiss_1971"):
        own = [rows[queue, metric].estimate for queue in ("a", "b")]
        assert min(own) <= rows["ALL", metric].estimate <= max(own)
        assert rows["ALL", metric + "_pooled"].estimate > 0.5 > max(own) + 0.2
    assert rows["ALL", "krippendorff_alpha"].n_items == 1200


def _mart_of(patterns: dict[str, int]) -> dict[str, MartRow]:
    """Period `all` of one market and queue, by metric; units spread over ten replicates, unevenly."""
    con = empty_warehouse()
    rows = [
        {"pattern": pattern, "n_raters": pattern.count(",") + 1, "replicate": unit**2 % 19}
        for pattern, count in patterns.items()
        for unit in range(count)
    ]
    fill(con, "tallies.unit_patterns", rows)
    build_marts(con, sql_root=SQL_ROOT, config=config({"hate": ["yes", "no", "maybe"]}))
    return by(read_mart(con, "agreement", period="all", market="AU", queue="hate"), "metric")


def test_only_single_ratings_have_no_pairs() -> None:
    """Stops agreement from coming out of single ratings; the row says why it is empty."""
    rows = _mart_of({"yes": 500, "no": 300})
    assert set(rows) == {*COEFFICIENTS, *SHARES, "prevalence_index"}
    for row in rows.values():
        assert row.reason == "no_pairs"
        assert np.isnan(row.estimate)
        assert row.n_items == 0


def test_one_label_has_observed_agreement_and_no_coefficient() -> None:
    """Stops 1 or 0 from being published where everybody chose one label."""
    rows = _mart_of({"yes,yes": 500})
    assert rows["percent_agreement"].estimate == 1
    assert rows["percent_agreement"].method == "wilson"
    assert rows["percent_agreement"].ci_low < 1
    for metric in COEFFICIENTS:
        assert rows[metric].reason == "one_label_only"
        assert np.isnan(rows[metric].estimate)


@pytest.mark.parametrize(
    ("patterns", "reasons"),
    [
        ({"no,yes": 5, "yes,yes": 7, "no,no": 7}, dict.fromkeys(COEFFICIENTS, "too_few_items")),
        ({"yes,yes": 200, "no,no": 200}, dict.fromkeys(COEFFICIENTS, "too_few_disagreements")),
        ({"no,yes": 40, "yes,yes": 4, "no,no": 900}, dict.fromkeys(COEFFICIENTS, "rare_labels") | {"gwet_ac1": ""}),
    ],
)
def test_coefficients_stay_silent_where_nothing_can_be_said(patterns: dict[str, int], reasons: dict[str, str]) -> None:
    """Stops coefficients from resting on a handful of units; percent agreement speaks by Wilson."""
    rows = _mart_of(patterns)
    for metric, reason in reasons.items():
        assert rows[metric].reason == reason, metric
        assert np.isnan(rows[metric].estimate) == bool(reason), metric
    assert rows["percent_agreement"].reason == ""
    assert np.isfinite(rows["percent_agreement"].ci_low)


def test_few_units_get_a_linearised_interval_with_few_degrees_of_freedom() -> None:
    """Stops 90 units from being silent, or from an interval as if the variance were known.

    Kappa of 30 / 30 / 30: p_a = 2/3, p_e = 1/2, kappa 1/3. Its influence on a unit is 2 (a - p_a) / 90 because the
    shares are even, so its variance is 4 * (60 / 9 + 30 * 4 / 9) / 90^2 * 90 / 89. 30 units in which both say the rarer
    label give 30 / 3 = 10 degrees of freedom, the 30 that disagree 15, and (sum u^2)^2 / sum u^4 / 4 = 15.
    """
    row = _mart_of({"no,yes": 30, "yes,yes": 30, "no,no": 30})["fleiss_kappa"]
    assert row.method == "linearised"
    assert row.estimate == pytest.approx(1 / 3)
    spread = np.sqrt(4 * 20 / 90**2 * 90 / 89) / (1 - 1 / 9) * t.ppf(0.975, 10)
    assert row.ci_low == pytest.approx(np.tanh(np.arctanh(1 / 3) - spread))
    assert row.ci_high == pytest.approx(np.tanh(np.arctanh(1 / 3) + spread))


def test_five_units_of_a_rarer_label_are_enough_for_alpha() -> None:
    """Stops the limit from moving: four are too few, five give an interval, a wide one."""
    row = _mart_of({"no,yes": 40, "yes,yes": 5, "no,no": 900})["krippendorff_alpha"]
    # D_o = 40 / 945; 50 of 1,890 ratings are yes: D_e = 2 * 50 * 1840 / (1890 * 1889).
    assert row.estimate == pytest.approx(1 - 40 / 945 * 1890 * 1889 / (2 * 50 * 1840))
    assert row.ci_high - row.ci_low > 0.5


def test_an_ordinal_queue_has_alpha_by_order_and_weighted_figures() -> None:
    """Stops neighbouring labels from counting as plain disagreement where the taxonomy has an order."""
    rng = np.random.default_rng(5)
    truth = rng.integers(0, 4, 300)
    given = np.clip(truth[:, None] + rng.choice([-1, 0, 0, 0, 1], size=(300, 3)), 0, 3)
    names = ["none", "low", "medium", "high"]
    ratings = pd.DataFrame(
        {"market": "AU", "queue": "risk", "item_id": f"i{item}", "label": names[value]}
        for item, values in enumerate(given)
        for value in values
    )
    con = empty_warehouse()
    fill(con, "tallies.unit_patterns", unit_patterns(ratings, key=UNIT))
    fill(con, "tallies.unit_patterns", [{"pattern": "no,yes", "n_raters": 2, "n": 70}])
    queues = {"risk": names, "hate": ["yes", "no"]}
    build_marts(con, sql_root=SQL_ROOT, config=config(queues, scales={"risk": "ordinal"}))
    rows = by(read_mart(con, "agreement", period="all", market="AU"), "queue", "metric")
    expected = krippendorff.alpha(reliability_data=given.T, level_of_measurement="ordinal")
    assert rows["risk", "krippendorff_alpha"].estimate == pytest.approx(expected, abs=1e-12)
    weighted = [rows["risk", f"{name}_weighted"].estimate for name in ("percent_agreement", "fleiss_kappa")]
    plain = [rows["risk", name].estimate for name in ("percent_agreement", "fleiss_kappa")]
    assert all(one > other for one, other in zip(weighted, plain, strict=True))
    assert rows["risk", "gwet_ac2"].estimate > rows["risk", "gwet_ac1"].estimate
    assert ("hate", "gwet_ac2") not in rows
    for metric in ("krippendorff_alpha", "krippendorff_alpha_pooled", "gwet_ac2"):
        assert rows["ALL", metric].reason == "mixed_scales"
    assert rows["ALL", "percent_agreement"].reason == ""


def test_vendors_and_model_versions_are_subjects_of_their_own() -> None:
    """Stops a vendor's own raters, or people against a model, from entering the production figure."""
    con = empty_warehouse()
    own = {"no,yes": 20, "yes,yes": 80}
    rows = [{"subject_kind": "vendor", "subject": "v1", "own": each, "others": "", "n": n} for each, n in own.items()]
    fill(con, "tallies.rater_patterns", rows)
    for pool, subject, agreeing in (("production", "", 60), ("human_model", "m@2", 40)):
        patterns = {"no,yes": 100 - agreeing, "yes,yes": agreeing}
        rows = [
            {"rater_pool": pool, "subject": subject, "pattern": pattern, "n_raters": 2, "n": n}
            for pattern, n in patterns.items()
        ]
        fill(con, "tallies.unit_patterns", rows)
    build_marts(con, sql_root=SQL_ROOT, config=config({"hate": ["yes", "no"]}))
    found = read_mart(con, "agreement", period="all", market="ALL", queue="ALL", metric="percent_agreement")
    shares = {(row.subject_kind, row.subject): row.estimate for row in found}
    assert shares == {("pool", "production"): 0.6, ("vendor", "v1"): 0.8, ("model_version", "m@2"): 0.4}


def test_declared_labels_count_for_ac1_even_when_nobody_chose_them() -> None:
    """Stops q from being the labels observed: three are declared, two chosen.

    Percent agreement 0.8, shares 0.5 and 0.5: p_e = 0.5 / (3 - 1) = 0.25, AC1 = 0.55 / 0.75.
    """
    rows = _mart_of({"no,yes": 100, "yes,yes": 200, "no,no": 200})
    assert rows["gwet_ac1"].estimate == pytest.approx(0.55 / 0.75, abs=1e-12)
    assert rows["krippendorff_alpha"].estimate == pytest.approx(1 - 0.2 / (0.5 * 1000 / 999), abs=1e-12)


def test_labels_of_a_multi_select_queue_are_the_sets_observed() -> None:
    """Stops a | b from being two labels, or q from being the number of codes: four sets are observed.

    Shares a: .25, a|b: .25, b: .25, c: .25, so p_e = 4 * .25 * .75 / 3 = .25, as for nominal labels with q = 4.
    """
    con = empty_warehouse()
    counts = {"a,a": 50, "a|b,a|b": 50, "b,b": 50, "c,c": 50, "a,a|b": 20, "b,c": 20}
    rows = [
        {"pattern": pattern, "n_raters": 2, "replicate": unit**2 % 19}
        for pattern, count in counts.items()
        for unit in range(count)
    ]
    fill(con, "tallies.unit_patterns", rows)
    build_marts(con, sql_root=SQL_ROOT, config=config({"hate": ["a", "b", "c", "d", "e"]}, multi_select=["hate"]))
    (found,) = read_mart(con, "agreement", period="all", market="AU", queue="hate", metric="gwet_ac1")
    assert found.estimate == pytest.approx((200 / 240 - 0.25) / 0.75, abs=1e-12)


def test_a_week_of_multi_select_labels_does_not_depend_on_the_sets_of_other_weeks() -> None:
    """Stops T_w of AC2 from being summed over label sets that only appear months later."""
    week = {"a,a": 50, "a|b,a|b": 50, "b,b": 50, "a,a|b": 20, "a|b,b": 20}
    later = {"c,c": 30, "c|d,c|d": 30, "d,d|e": 30, "e,e": 30, "c|d|e,e": 30}
    monday = date(2026, 1, 5)
    found = []
    for days in ({monday: week}, {monday: week, monday + timedelta(days=70): later}):
        con = empty_warehouse()
        for day, counts in days.items():
            rows = [
                {"business_date": day, "pattern": pattern, "n_raters": 2, "replicate": unit % 20}
                for pattern, count in counts.items()
                for unit in range(count)
            ]
            fill(con, "tallies.unit_patterns", rows)
        build_marts(con, sql_root=SQL_ROOT, config=config({"hate": ["a", "b", "c", "d"]}, multi_select=["hate"]))
        weeks = read_mart(con, "agreement", period="week", market="AU", queue="hate", metric="gwet_ac2")
        (row,) = (row for row in weeks if row.period_start == monday)
        found.append((row.estimate, row.ci_low, row.ci_high))
    assert found[1] == pytest.approx(found[0])


def test_pools_are_kept_apart() -> None:
    """Stops calibration sessions from entering production figures."""
    con = empty_warehouse()
    fill(con, "tallies.unit_patterns", [{"pattern": "yes,yes", "n_raters": 2, "n": 50}])
    fill(con, "tallies.unit_patterns", [{"pattern": "no,yes", "n_raters": 2, "n": 70, "rater_pool": "calibration"}])
    build_marts(con, sql_root=SQL_ROOT, config=config({"hate": ["yes", "no"]}))
    rows = read_mart(con, "agreement", period="all", market="ALL", queue="ALL", metric="percent_agreement")
    assert {row.subject: row.estimate for row in rows} == {"calibration": 0, "production": 1}
    assert all(row.has(subject_kind="pool") for row in rows)


def test_cross_units_enter_no_market_roll_up() -> None:
    """Stops items decided in several markets from being counted twice in market ALL."""
    con = empty_warehouse()
    for market in ("AU", "GB"):
        fill(con, "tallies.unit_patterns", [{"market": market, "pattern": "no,yes", "n_raters": 2, "n": 10}])
    fill(con, "tallies.unit_patterns", [{"market": "CROSS", "pattern": "no,no,yes,yes", "n_raters": 4, "n": 10}])
    build_marts(con, sql_root=SQL_ROOT, config=config({"hate": ["yes", "no"]}, markets=["AU", "GB"]))
    rows = by(read_mart(con, "agreement", period="all", metric="percent_agreement"), "market", "queue")
    assert rows["ALL", "hate"].n_items == 20
    assert rows["CROSS", "hate"].estimate == pytest.approx(1 / 3)
    assert rows["CROSS", "ALL"].n_ratings == 40


def test_shared_folder_is_beside_the_project() -> None:
    """Stops the data tests from being skipped for ever because they look in the wrong place."""
    assert SHARED_DATA.name == "data"
    assert SHARED_DATA.parent.parent == Path(SQL_ROOT).parent.parent
