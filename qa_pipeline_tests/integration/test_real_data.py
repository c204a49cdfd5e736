"""Real labelled data through the whole pipeline: figures equal those computed without it."""

import csv
import math
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import duckdb
import pytest

from qa_pipeline.importing.runner import import_files
from qa_pipeline.settings import Home
from qa_pipeline_tests.import_support import MAPPINGS, SHARED_DATA, needs_shared_data
from qa_pipeline_tests.landed_frames import build

pytestmark = needs_shared_data

# Tolerance of reference_figures.csv: it gives six decimals.
TOLERANCE = 1e-6
Rows = list[tuple[object, ...]]


def _query(home: Home, sql: str, parameters: Sequence[object] = ()) -> Rows:
    with duckdb.connect(str(home.warehouse), read_only=True) as con:
        return con.execute(sql, list(parameters)).fetchall()


def _import(home: Home, *imports: tuple[str, str, str]) -> None:
    for feed, mapping, file in imports:
        source = SHARED_DATA / file
        import_files(home, feed=feed, mapping=MAPPINGS / mapping, files=[source])


@pytest.fixture(scope="module")
def crehate(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("crehate") / "home").prepare()
    _import(home, ("labels", "crehate_labels.toml", "crehate/labels.csv"))
    build(home)
    return home


@pytest.fixture(scope="module")
def zencrowd(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("zencrowd") / "home").prepare()
    _import(
        home,
        ("labels", "zencrowd_labels.toml", "zencrowd/labels.csv"),
        ("gold", "zencrowd_gold.toml", "zencrowd/gold.csv"),
    )
    build(home)
    return home


def _reference(dataset: str) -> list[dict[str, str]]:
    if not SHARED_DATA.is_dir():
        return []
    with (SHARED_DATA / "reference_figures.csv").open(encoding="utf-8") as stream:
        return [row for row in csv.DictReader(stream) if row["dataset"] == dataset]


def _cell(row: dict[str, str]) -> tuple[str, str]:
    """Market and queue of a slice such as `AU x CP` or `cross-market SBIC`."""
    if row["slice"].startswith("cross-market "):
        return "CROSS", row["slice"].removeprefix("cross-market ")
    market, queue = row["slice"].split(" x ")
    return market, queue


def _figures(home: Home, market: str, queue: str) -> dict[str, float]:
    rows = _query(
        home,
        "select metric, estimate from marts.agreement where period = 'all' and market = ? and queue = ? "
        "and subject_kind = 'pool' and subject = 'production'",
        [market, queue],
    )
    return {str(metric): float(str(estimate)) for metric, estimate in rows if estimate is not None}


def _assert_slice(home: Home, row: dict[str, str]) -> None:
    market, queue = _cell(row)
    figures = _figures(home, market, queue)
    suffix = "_pooled" if "ALL" in (market, queue) else ""
    expected = {
        "krippendorff_alpha": row["krippendorff_alpha"],
        "fleiss_1971": row["fleiss_kappa"],
        "percent_agreement_modal": row["percent_agreement_of_those_items"],
    }
    for metric, value in expected.items():
        assert math.isclose(figures[metric + suffix], float(value), abs_tol=TOLERANCE), (row["slice"], metric)


@pytest.mark.parametrize("row", _reference("crehate"), ids=lambda row: row["slice"])
def test_crehate_agreement_equals_the_reference(crehate: Home, row: dict[str, str]) -> None:
    """Stops any step from landing file to mart that loses, repeats or misplaces a rating."""
    _assert_slice(crehate, row)


@pytest.mark.parametrize("row", _reference("zencrowd"), ids=lambda row: row["slice"])
def test_zencrowd_agreement_equals_the_reference(zencrowd: Home, row: dict[str, str]) -> None:
    """Stops a repeated decision from counting twice, within a market or across markets."""
    _assert_slice(zencrowd, row)


def test_the_stratified_rollup_lies_between_its_strata(crehate: Home) -> None:
    """Stops the headline from pooling queues with different base rates."""
    alphas = [_figures(crehate, "US", queue)["krippendorff_alpha"] for queue in ("CP", "SBIC")]
    headline = _figures(crehate, "US", "ALL")["krippendorff_alpha"]
    assert min(alphas) < headline < max(alphas)


def _zencrowd_truth() -> tuple[dict[str, list[int]], dict[tuple[str, str], list[int]]]:
    """[n, n right] per market and per market and annotator, straight from the files: the last row of a pair counts."""
    with (SHARED_DATA / "zencrowd" / "gold.csv").open(encoding="utf-8") as stream:
        gold = {row["item_id"]: row["gold_label"] for row in csv.DictReader(stream)}
    last: dict[tuple[str, str, str], str] = {}
    with (SHARED_DATA / "zencrowd" / "labels.csv").open(encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            last[row["market"], row["annotator_id"], row["item_id"]] = row["label"]
    markets: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    annotators: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for (market, annotator, item), label in last.items():
        for counts in (markets[market], annotators[market, annotator]):
            counts[0] += 1
            counts[1] += label == gold[item]
    return markets, annotators


def test_zencrowd_accuracy_against_gold_equals_a_direct_computation(zencrowd: Home) -> None:
    """Stops accuracy from being computed over other decisions, or against another reference, than it says."""
    markets, annotators = _zencrowd_truth()
    sql = (
        "select market, subject, estimate, n_ratings, ci_low, ci_high from marts.accuracy where period = 'all' "
        "and queue = 'entity_match' and metric = 'accuracy' and reference_kind = 'gold' and subject_kind = ?"
    )
    found = {str(row[0]): row for row in _query(zencrowd, sql, ["rater_kind"]) if row[1] == "human"}
    for market, (n, right) in markets.items():
        row = found[market]
        assert row[3] == n
        assert math.isclose(float(str(row[2])), right / n, abs_tol=1e-12)
        assert float(str(row[4])) < right / n < float(str(row[5]))
    people = {(str(row[0]), str(row[1])): row for row in _query(zencrowd, sql, ["annotator"])}
    assert len(annotators) > 90
    for key, (n, right) in annotators.items():
        assert people[key][3] == n, key
        assert math.isclose(float(str(people[key][2])), right / n, abs_tol=1e-12), key


def test_every_annotation_of_a_label_studio_export_is_accounted_for(tmp_path: Path) -> None:
    """Stops skips, ground truth or empty answers from vanishing on the way to the warehouse.

    Counted in the export by hand (json): 48 tasks with 128 annotations, of which 4 were cancelled, 1 has no answer
    and 2 are ground truth.
    """
    home = Home(tmp_path / "home").prepare()
    export = SHARED_DATA / "exports" / "label_studio" / "export.json"
    summary = import_files(home, feed="labels", mapping="label_studio_labels", files=[export])
    assert summary.rows_exploded == summary.rows_written + summary.rows_dropped + summary.rows_rejected
    build(home)
    stages = _query(home, "select stage, count(*) from validated.valid_labels group by all order by all")
    assert stages == [("expert", 2), ("production", 121)]
    assert summary.rows_written == 123
    assert {drop.rule: drop.rows for drop in summary.drops}["[where] not: ann.was_cancelled is not 'true'"] == 4
    assert [(reject.column, reject.reason, reject.rows) for reject in summary.rejects] == [("label", "is missing", 1)]
    landed = _query(home, "select sum(rows_landed), sum(rows_validated) from ops.ledger")
    assert [tuple(int(str(value)) for value in row) for row in landed] == [(123, 123)]
