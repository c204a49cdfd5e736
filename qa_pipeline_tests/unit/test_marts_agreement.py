"""marts.agreement against published and recomputed figures, its roll-ups and reasons."""

import itertools
from datetime import date, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

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
    assert len(rows) == 6
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
    ("patterns", "reason"),
    [
        ({"no,yes": 30, "yes,yes": 30, "no,no": 30}, "too_few_items"),
        ({"no,yes": 9, "yes,yes": 200, "no,no": 200}, "too_few_disagreements"),
        ({"no,yes": 300, "yes,yes": 2}, "too_few_disagreements"),
    ],
)
def test_coefficients_stay_silent_where_the_jackknife_may_not_speak(patterns: dict[str, int], reason: str) -> None:
    """Stops coefficients from resting on a handful of disagreements; percent agreement speaks by Wilson."""
    rows = _mart_of(patterns)
    for metric in COEFFICIENTS:
        assert rows[metric].reason == reason
        assert np.isnan(rows[metric].estimate)
    assert rows["percent_agreement"].method == "wilson"
    assert rows["percent_agreement"].reason == ""


def test_rare_labels_give_alpha_without_an_interval() -> None:
    """Stops alpha's interval where four units carry it (measured coverage 67 to 93 %); AC1 needs no such rule."""
    rows = _mart_of({"no,yes": 40, "yes,yes": 4, "no,no": 900})
    assert rows["krippendorff_alpha"].reason == "rare_labels"
    # D_o = 40 / 944; 48 of 1,888 ratings are yes: D_e = 2 * 48 * 1840 / (1888 * 1887).
    assert rows["krippendorff_alpha"].estimate == pytest.approx(1 - 40 / 944 * 1888 * 1887 / (2 * 48 * 1840))
    assert np.isnan(rows["krippendorff_alpha"].ci_low)
    assert rows["gwet_ac1"].method == "jackknife"
    assert _mart_of({"no,yes": 40, "yes,yes": 5, "no,no": 900})["krippendorff_alpha"].method == "jackknife"


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
