"""Agreement against irrCAC's recorded answers, which `make fixtures` writes (benchmarks/irrcac_fixtures.py).

irrCAC is the Python edition of K. L. Gwet's own irrCAC for R. Its weights and ours, on labels numbered 1, 2, ...
or by values of their own:

- `identity` is our nominal scale, `ordinal` our ordinal one (both go by ranks), `quadratic` our interval one, `ratio`
  our ratio one. So percent agreement, Fleiss' kappa and AC2 are comparable on all four.
- Alpha is comparable on nominal, interval and ratio scales, where Krippendorff's metric is 1 - weight, rescaled. It is
  not on an ordinal one: Krippendorff's ordinal metric depends on how often each label was given, irrCAC's ordinal
  weights do not. There ours is Krippendorff's, which `test_stats_agreement` compares with the package of his name.
- Cohen's kappa is irrCAC's `conger` of two raters who rated everything.

Confidence intervals are not compared: irrCAC has t on n - 1 degrees of freedom and no transformation, we have rules of
our own (`agreement_intervals`).
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qa_pipeline.stats.agreement import Coefficient, fleiss_kappa, gwet_ac, krippendorff_alpha, percent_agreement
from qa_pipeline.stats.jackknife import FloatArray
from qa_pipeline.stats.pairs import cohen_kappa
from qa_pipeline.stats.scales import Scale, agreement_weights
from qa_pipeline_tests.rating_cells import Cell, cell_of, gwet_standard_error

RECORDED = json.loads((Path(__file__).parents[1] / "data" / "irrcac.json").read_text(encoding="utf-8"))
SCALES: dict[str, Scale] = {"identity": "nominal", "ordinal": "ordinal", "quadratic": "interval", "ratio": "ratio"}
# irrCAC rounded to 10 digits: off by 5e-11 at most. Sums of at most 750 ratings add less than 1e-12.
TOLERANCE = 6e-11
Table = dict[str, Any]


def _named(table: Table) -> str:
    raters, units = len(table["ratings"]), len(table["ratings"][0])
    return f"{table['weights']}-{raters}x{units}-of-{len(table['labels'])}"


tables = pytest.mark.parametrize("table", RECORDED["tables"], ids=_named)


def _places(table: Table) -> str:
    """The declared labels as the recorded ratings name them."""
    return "".join(str(place) for place in range(len(table["labels"])))


def _cell(table: Table) -> Cell:
    units = [[label for label in unit if label != "."] for unit in zip(*table["ratings"], strict=True)]
    return cell_of(units, _places(table))


def _weights(table: Table) -> FloatArray:
    scale = SCALES[table["weights"]]
    numbers = range(len(table["labels"])) if scale == "ordinal" else table["labels"]
    return agreement_weights(scale, values=np.array(numbers, dtype=np.float64))


def _alpha(table: Table) -> Coefficient:
    is_ordinal = SCALES[table["weights"]] == "ordinal"
    return krippendorff_alpha(*_cell(table), weights=_weights(table), is_ordinal=is_ordinal)


def test_the_recording_has_what_it_promises() -> None:
    """Stops a recording without missing ratings, small or large tables, or labels that nobody chose."""
    found = RECORDED["tables"]
    assert {table["weights"] for table in found} == set(SCALES)
    assert {len(table["ratings"]) for table in found} == {2, 3, 4, 5}
    assert {table["weights"] for table in found if "conger" in table["answers"]} == set(SCALES)
    assert {len(table["labels"]) for table in found} == {2, 3, 4, 5, 6}
    for weights in SCALES:
        own = [table for table in found if table["weights"] == weights]
        assert min(len(table["ratings"][0]) for table in own) <= 10
        assert max(len(table["ratings"][0]) for table in own) > 100
        assert any("." in text for table in own for text in table["ratings"])
        assert any(set(_places(table)) - set("".join(table["ratings"])) for table in own)
        assert any("." not in "".join(table["ratings"]) for table in own)


@tables
def test_percent_agreement(table: Table) -> None:
    """Stops a share of agreeing pairs, or a standard error of it, that is not irrCAC's.

    irrCAC has no standard error of percent agreement itself; that of Brennan and Prediger's coefficient, (p_a - p_e) /
    (1 - p_e) with a constant p_e = T_w / q^2, is its own over 1 - p_e.
    """
    cell, weights = _cell(table), _weights(table)
    found = percent_agreement(*cell, weights=weights)
    answer = table["answers"]["bp"]
    assert found.value == pytest.approx(answer["pa"], abs=TOLERANCE)
    expected = weights.mean()
    coefficient = Coefficient((found.value - expected) / (1 - expected), lambda: found.influence / (1 - expected))
    assert coefficient.value == pytest.approx(answer["value"], abs=TOLERANCE)
    assert gwet_standard_error(coefficient, cell) == pytest.approx(answer["se"], abs=TOLERANCE)


@tables
def test_fleiss_kappa(table: Table) -> None:
    """Stops a (weighted) kappa for varying raters, or a standard error of it, that is not irrCAC's."""
    cell, answer = _cell(table), table["answers"]["fleiss"]
    found = fleiss_kappa(*cell, weights=_weights(table))
    assert found.value == pytest.approx(answer["value"], abs=TOLERANCE)
    assert gwet_standard_error(found, cell) == pytest.approx(answer["se"], abs=TOLERANCE)


@tables
def test_gwet_ac1_and_ac2(table: Table) -> None:
    """Stops an AC1 or AC2, declared labels counted, or a standard error of it, that is not irrCAC's."""
    cell, answer = _cell(table), table["answers"]["gwet"]
    found = gwet_ac(*cell, weights=_weights(table), categories=np.array(float(len(table["labels"]))))
    assert found.value == pytest.approx(answer["value"], abs=TOLERANCE)
    assert gwet_standard_error(found, cell) == pytest.approx(answer["se"], abs=TOLERANCE)


@pytest.mark.parametrize("table", [table for table in RECORDED["tables"] if table["weights"] != "ordinal"], ids=_named)
def test_krippendorff_alpha(table: Table) -> None:
    """Stops an alpha that is not irrCAC's, or a standard error that is not once two small terms are put in.

    irrCAC linearises not alpha but alpha' without its factor for small samples: 1 - alpha = (N - 1) / N (1 - alpha'),
    N ratings on units with two or more. And where observed agreement moves with a unit's number r of ratings it takes
    p_a for the p_a' that belongs to alpha', which leaves (1 - alpha') (r - mean r) / N^2 too little. Both are of order
    1 / N: 2 to 12 % of the standard error of 10 units, about 1 % or less of 130 and more.
    """
    counts, patterns = _cell(table)
    found, answer = _alpha(table), table["answers"]["krippendorff"]
    assert found.value == pytest.approx(answer["value"], abs=TOLERANCE)
    counts = counts * patterns.is_pairable
    ratings = patterns.raters
    n = (counts * ratings).sum()
    apart = (1 - found.value) * n / (n - 1)
    factor = n / (n - 1) * found.influence + apart * ratings / (n * (n - 1))
    confused = apart * (ratings - n / counts.sum()) / n**2
    as_theirs = Coefficient(found.value, lambda: factor - confused)
    assert np.sqrt(as_theirs.variance(counts)) == pytest.approx(answer["se"], abs=TOLERANCE)


def test_alpha_of_an_ordinal_scale_is_krippendorffs_and_not_irrcacs() -> None:
    """Stops anybody from taking irrCAC's ordinal alpha for Krippendorff's: here they lie up to 0.07 apart."""
    own = [table for table in RECORDED["tables"] if table["weights"] == "ordinal"]
    apart = [abs(float(_alpha(table).value) - table["answers"]["krippendorff"]["value"]) for table in own]
    assert max(apart) > 0.05


@pytest.mark.parametrize("table", [table for table in RECORDED["tables"] if "conger" in table["answers"]], ids=_named)
def test_cohen_kappa(table: Table) -> None:
    """Stops a (weighted) kappa of two raters, or a standard error of it, that is not irrCAC's."""
    size = len(table["labels"])
    counts = np.zeros((size, size))
    for one, other in zip(*table["ratings"], strict=True):
        counts[int(one), int(other)] += 1
    found, answer = cohen_kappa(counts, weights=_weights(table)), table["answers"]["conger"]
    assert found.value == pytest.approx(answer["value"], abs=TOLERANCE)
    assert np.sqrt(found.variance(counts.ravel())) == pytest.approx(answer["se"], abs=TOLERANCE)
