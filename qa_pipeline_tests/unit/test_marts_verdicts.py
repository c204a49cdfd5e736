"""The verdict on a coefficient of agreement: the rule at its limits, the metrics it holds for, the column it fills."""

import numpy as np
import pytest

from qa_pipeline.marts.build import MARTS, build_marts
from qa_pipeline.marts.reading import coded
from qa_pipeline.marts.unit_sums import METRIC_BASIS
from qa_pipeline.marts.verdicts import COEFFICIENTS, VERDICTS, verdicts
from qa_pipeline_tests.tally_tables import SQL_ROOT, config, empty_warehouse, fill, read_mart


def _verdict(metric: str, low: float, high: float) -> str | None:
    found = verdicts(coded([metric]), low=np.array([low]), high=np.array([high]))
    return found.names[found.values[0]] if found.values[0] >= 0 else None


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [
        (0.8, 0.9, "reliable"),
        (0.79999, 0.9, "tentative"),
        (0.667, 0.85, "tentative"),
        (0.6669, 0.85, "not enough data"),
        (0.6, 0.667, "not enough data"),
        (0.5, 0.6669, "unreliable"),
        (-0.9, -0.1, "unreliable"),
        (float("nan"), float("nan"), "not enough data"),
    ],
)
def test_the_interval_decides_and_its_ends_count(low: float, high: float, word: str) -> None:
    """DESIGN section 6, vocabulary. Stops a verdict from the estimate, a swapped limit, and one over no interval."""
    assert _verdict("krippendorff_alpha", low, high) == word


def test_only_coefficients_are_judged() -> None:
    """Stops "unreliable" about a raw share, an index or a bias, and a coefficient of the marts that nobody judges."""
    agreement = [metric + ending for metric in METRIC_BASIS for ending in ("", "_pooled")]
    pairs = [f"{metric}{ending}" for metric in ("cohen_kappa", "cohen_kappa_weighted") for ending in ("", "_mean")]
    others = ("percent_agreement", "prevalence_index", "bias_index")
    for metric in (*agreement, *pairs, "bias_index"):
        assert (_verdict(metric, 0.9, 0.95) is None) == metric.startswith(others), metric
    assert set(METRIC_BASIS) - COEFFICIENTS == {metric for metric in METRIC_BASIS if metric.startswith(others)}


def test_the_marts_of_coefficients_have_the_column() -> None:
    """Stops a mart whose verdict contradicts its own interval, and the column from the marts that have no use of it."""
    con = empty_warehouse()
    ways = {"spam": ("yes,yes", "no,no"), "hate": ("yes,yes", "no,yes", "no,no")}
    for queue, patterns in ways.items():
        for pattern in patterns:
            units = [{"queue": queue, "pattern": pattern, "n_raters": 2, "replicate": g, "n": 40} for g in range(20)]
            fill(con, "tallies.unit_patterns", units)
    build_marts(con, sql_root=SQL_ROOT, config=config({queue: ["yes", "no"] for queue in ways}, markets=("AU",)))
    rows = read_mart(con, "agreement", market="AU", queue="hate", period="all", subject="production")
    found = {row.metric: row for row in rows}
    alpha = found["krippendorff_alpha"]
    assert alpha.ci_high < 0.667
    assert (alpha.verdict, found["percent_agreement"].verdict) == ("unreliable", None)
    (spam,) = read_mart(con, "agreement", market="AU", queue="spam", period="all", metric="krippendorff_alpha")
    assert (spam.reason, spam.verdict) == ("too_few_disagreements", "not enough data")
    pairs = read_mart(con, "rater_pairs")
    assert {row.verdict for row in pairs} == {"not enough data"}
    assert {name for name, mart in MARTS.items() if "verdict" in mart.columns} == {"agreement", "rater_pairs"}
    ((comment,),) = con.execute(
        "select comment from duckdb_columns() where table_name = 'agreement' and column_name = 'verdict'"
    ).fetchall()
    assert all(word in comment for word in VERDICTS)
