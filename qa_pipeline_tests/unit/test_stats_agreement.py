"""Agreement coefficients: published answers, a second implementation, invariants."""

import itertools
from collections import Counter
from collections.abc import Callable, Sequence

import krippendorff
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from statsmodels.stats.inter_rater import fleiss_kappa as statsmodels_fleiss

from qa_pipeline.stats.agreement import (
    Coefficient,
    Patterns,
    fleiss_kappa,
    gwet_ac,
    krippendorff_alpha,
    minority_agreement,
    modal_raters,
    percent_agreement,
    prevalence_index,
    stratified,
)
from qa_pipeline.stats.jackknife import FloatArray
from qa_pipeline.stats.scales import Scale, agreement_weights, masi_weights
from qa_pipeline_tests.rating_cells import Cell, cell_of, gwet_standard_error

# J. L. Fleiss (1971), table 1: 30 patients, 6 psychiatrists, five diagnoses (depression, personality disorder,
# schizophrenia, neurosis, other). He reports kappa = 0.430.
FLEISS_1971 = (
    "00060 03003 01401 00006 03030 20400 00402 20310 20040 00006 10050 11040 03300 10050 02031 "
    "00501 30012 51000 02040 10203 00006 01050 02013 20040 10041 05010 40002 02040 10500 00006"
)
# K. Krippendorff (2011), Computing Krippendorff's Alpha-Reliability, section C: 4 coders x 12 units, nominal 0.743. The
# same ratings are irrCAC's raw_4raters: Gwet's AC1 0.77544, Fleiss' kappa 0.76117.
FOUR_CODERS = ("123321412...", "1233224125.3", ".3332342251.", "12332441251.")
# K. Krippendorff, Reliability in Content Analysis, as the English Wikipedia's article on his alpha works it out: 3
# coders x 15 units, nominal 0.691, interval 0.811.
THREE_CODERS = (".....34121133.3", "1.213343.......", "..21344.21133.4")


def _weights(cell: Cell, scale: Scale = "nominal", values: Sequence[float] | None = None) -> FloatArray:
    labels = cell[1].ratings.shape[1]
    return agreement_weights(
        scale, values=np.arange(labels, dtype=float) if values is None else np.array(values, dtype=float)
    )


def _agreement(cell: Cell) -> Coefficient:
    return percent_agreement(*cell, weights=_weights(cell))


def _fleiss(cell: Cell) -> Coefficient:
    return fleiss_kappa(*cell, weights=_weights(cell))


def _alpha(cell: Cell, scale: Scale = "nominal", values: Sequence[float] | None = None) -> Coefficient:
    return krippendorff_alpha(*cell, weights=_weights(cell, scale, values), is_ordinal=scale == "ordinal")


def _ac1(cell: Cell, categories: int) -> Coefficient:
    return gwet_ac(*cell, weights=_weights(cell), categories=np.array(float(categories)))


def _pairs(unit: Sequence[str]) -> int:
    return sum(count * (count - 1) for count in Counter(unit).values())


def _fleiss_units() -> list[list[str]]:
    return [
        [label for label, count in zip("dpsno", row, strict=True) for _ in range(int(count))]
        for row in FLEISS_1971.split()
    ]


def _four_coders() -> list[list[str]]:
    return [[value for value in values if value != "."] for values in zip(*FOUR_CODERS, strict=True)]


def test_fleiss_1971() -> None:
    """Stops any other kappa from taking Fleiss's name: his own table gives 0.430, p_a 0.556 and p_e 0.220."""
    cell = cell_of(_fleiss_units())
    assert _agreement(cell).value == pytest.approx(0.556, abs=5e-4)
    assert _fleiss(cell).value == pytest.approx(0.430, abs=5e-4)


@pytest.mark.parametrize(
    ("scale", "published"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849), ("ratio", 0.797)]
)
def test_krippendorff_four_coders(scale: Scale, published: float) -> None:
    """Stops single ratings or missing ones from entering alpha, and a metric from being another's."""
    cell = cell_of(_four_coders(), "12345")
    assert _alpha(cell, scale, [1, 2, 3, 4, 5]).value == pytest.approx(published, abs=5e-4)


@pytest.mark.parametrize(("scale", "published"), [("nominal", 0.691), ("interval", 0.811)])
def test_krippendorff_three_coders(scale: Scale, published: float) -> None:
    """Stops a slip on data where most ratings are missing: 3 coders x 15 units."""
    units = [[value for value in values if value != "."] for values in zip(*THREE_CODERS, strict=True)]
    cell = cell_of([unit for unit in units if unit], "1234")
    assert _alpha(cell, scale, [1, 2, 3, 4]).value == pytest.approx(published, abs=5e-4)


def test_gwet_raw_four_raters() -> None:
    """Stops prevalence from leaving out single ratings: irrCAC gives AC1 0.77544 and Fleiss 0.76117 here."""
    cell = cell_of(_four_coders())
    assert _ac1(cell, 5).value == pytest.approx(0.77544, abs=5e-6)
    assert _fleiss(cell).value == pytest.approx(0.76117, abs=5e-6)


@pytest.mark.parametrize(("name", "published"), [("ac1", 0.14295), ("fleiss", 0.15302)])
def test_standard_errors_of_raw_four_raters(name: str, published: float) -> None:
    """Stops a wrong linearisation: irrCAC's standard errors, after the one term in which Gwet differs is added."""
    cell = cell_of(_four_coders())
    found = _ac1(cell, 5) if name == "ac1" else _fleiss(cell)
    assert gwet_standard_error(found, cell) == pytest.approx(published, abs=5e-6)


COEFFICIENTS: dict[str, Callable[[Cell], Coefficient]] = {
    "percent_agreement": _agreement,
    "fleiss": _fleiss,
    "ac1": lambda cell: _ac1(cell, 5),
    "ac2": lambda cell: gwet_ac(*cell, weights=_weights(cell, "interval"), categories=np.array(5.0)),
    "alpha": _alpha,
    "alpha ordinal": lambda cell: _alpha(cell, "ordinal"),
    "alpha interval": lambda cell: _alpha(cell, "interval"),
}


@pytest.mark.parametrize("name", list(COEFFICIENTS))
def test_influences_are_derivatives(name: str) -> None:
    """Stops a variance from a formula that belongs to another coefficient: central differences, one pattern at a time.

    Steps of 1e-5 units leave errors of 1e-9 or so in values of order one.
    """
    _, patterns = cell_of(_four_coders())
    counts = np.random.default_rng(3).integers(1, 9, len(patterns.ratings)).astype(np.float64)
    exact = COEFFICIENTS[name]((counts, patterns)).influence
    for place in range(len(counts)):
        step = 1e-5 * (np.arange(len(counts)) == place)
        ends = [COEFFICIENTS[name]((counts + sign * step, patterns)).value for sign in (1, -1)]
        assert exact[place] == pytest.approx((ends[0] - ends[1]) / 2e-5, abs=1e-8)


def test_effective_units_are_those_that_carry_the_variance() -> None:
    """Stops a variance that rests on few units from passing as well known: units that weigh the same all count."""
    even: Cell = (np.array([50.0, 50.0]), Patterns(np.array([[2.0, 0.0], [1.0, 1.0]])))
    assert _agreement(even).effective_units(even[0]) == pytest.approx(100)
    skewed: Cell = (np.array([996.0, 4.0]), even[1])
    # One unit in 250 disagrees: influences -0.004 and 0.996 give (sum u^2)^2 / sum u^4 = 4.03.
    assert _agreement(skewed).effective_units(skewed[0]) == pytest.approx(4.03, abs=0.01)


def test_masi() -> None:
    """Stops monotonicity or Jaccard from being left out of MASI.

    R. Passonneau (2006), section 4: {a} against {a, b} is 1/2 * 2/3, overlapping sets count 1/3, disjoint ones 0. For
    three units rated ({a},{a}), ({a,b},{a}), ({b},{c}) by two raters alpha is worked out by hand: six ratings, observed
    disagreement (0 + 2/3 + 1) / 3 = 5/9; expected over the 30 ordered pairs of different ratings.
    """
    labels = ["a", "a|b", "b", "c"]
    weights = masi_weights(labels)
    assert weights[0].tolist() == pytest.approx([1, 1 / 3, 0, 0])
    assert weights[1].tolist() == pytest.approx([1 / 3, 1, 1 / 3, 0])
    assert masi_weights(["a|b", "b|c"])[0, 1] == pytest.approx(1 / 3 * 1 / 3)
    cell = cell_of([["a", "a"], ["a|b", "a"], ["b", "c"]], labels)
    ratings = ["a", "a", "a|b", "a", "b", "c"]
    apart = [
        1 - weights[labels.index(one), labels.index(other)]
        for (i, one), (j, other) in itertools.product(enumerate(ratings), repeat=2)
        if i != j
    ]
    alpha = krippendorff_alpha(*cell, weights=weights, is_ordinal=False)
    assert alpha.value == pytest.approx(1 - (5 / 9) / np.mean(apart))


def test_gwets_ordinal_and_quadratic_weights() -> None:
    """Stops weights that are not Gwet's: irrCAC's ordinal_weights(1:4) has 1 - 1/6, 1 - 3/6 and 0 off the diagonal."""
    ordinal = agreement_weights("ordinal", values=np.arange(4.0))
    assert ordinal[0].tolist() == pytest.approx([1, 5 / 6, 3 / 6, 0])
    assert agreement_weights("interval", values=np.array([0.0, 1, 4]))[0].tolist() == pytest.approx([1, 15 / 16, 0])


def test_kappa_paradox() -> None:
    """Stops the paradox from being mended away: 94.4 % agreement with kappa near 0 below and AC1 at 0.94.

    Table of 125 units, two raters: 118 both yes, 5 + 2 differ, none both no (K. L. Gwet 2008, table 2: AC1 0.941). With
    pi = 243/250, Fleiss's kappa is (0.944 - 0.945568) / (1 - 0.945568) = -0.0288.
    """
    units = [["yes", "yes"]] * 118 + [["yes", "no"]] * 7
    cell = cell_of(units)
    assert _agreement(cell).value == pytest.approx(0.944)
    assert _fleiss(cell).value == pytest.approx(-0.0288, abs=5e-5)
    assert _ac1(cell, 2).value == pytest.approx(0.941, abs=5e-4)
    # |p_yes - p_no| = 236 / 250, the prevalence index of Byrt, Bishop and Carlin (1993).
    assert prevalence_index(*cell, categories=np.array(2.0)).value == pytest.approx(236 / 250)


def test_one_label_is_unknown_not_perfect() -> None:
    """Stops 1.0, or 0 / 0, where everybody always chose one label."""
    cell = cell_of([["yes", "yes"], ["yes", "yes", "yes"]])
    assert _agreement(cell).value == 1
    for unknown in (_fleiss(cell), _alpha(cell), _ac1(cell, 2)):
        assert np.isnan(unknown.value)
        assert np.isnan(unknown.influence).all()


def test_no_pairs_is_unknown() -> None:
    """Stops single ratings from making agreement."""
    cell = cell_of([["yes"], ["no"]])
    assert np.isnan(_agreement(cell).value)
    assert np.isnan(_alpha(cell).value)
    assert modal_raters(*cell) == 0


def test_modal_raters_prefers_the_larger_of_equals_and_ignores_single_ratings() -> None:
    """Stops ties from going to the smaller number and single ratings, however many, from being the commonest."""
    counts, patterns = cell_of([["a"]] * 9 + [["a", "b"]] * 2 + [["a", "b", "b"]] * 2)
    assert modal_raters(counts, patterns) == 3
    assert _agreement((counts * (patterns.raters == 3), patterns)).value == pytest.approx(1 / 3)


def test_minority_agreement_leaves_out_the_commonest_label() -> None:
    """Stops the commonest label's units, of which there are always enough, from vouching for kappa."""
    units = [["a", "a"]] * 7 + [["b", "b", "a"]] * 3 + [["c", "a"]]
    assert minority_agreement(*cell_of(units)) == 3


LABELS = "abcd"
UNITS = st.lists(st.lists(st.sampled_from(LABELS), min_size=1, max_size=5), min_size=2, max_size=30)


@pytest.mark.parametrize("scale", ["nominal", "ordinal", "interval", "ratio"])
@settings(max_examples=100, deadline=None, derandomize=True)
@given(units=UNITS)
def test_alpha_equals_the_krippendorff_package(scale: Scale, units: list[list[str]]) -> None:
    """Stops a difference to krippendorff on random data with missing ratings, on every scale."""
    counts = np.array([[unit.count(label) for label in LABELS] for unit in units])
    pairable = counts[counts.sum(axis=1) > 1]
    assume(len(pairable) > 0)
    assume((pairable.sum(axis=0) > 0).sum() > 1)
    values = [1.0, 2.0, 3.5, 7.0]
    expected = krippendorff.alpha(value_counts=counts, value_domain=values, level_of_measurement=scale)
    # Ratios of sums of at most 150 ratings: rounding stays below 1e-12.
    assert _alpha(cell_of(units, LABELS), scale, values).value == pytest.approx(expected, abs=1e-12)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(UNITS)
def test_fleiss_equals_statsmodels_where_every_unit_has_the_same_raters(units: list[list[str]]) -> None:
    """Stops a difference to statsmodels' Fleiss kappa."""
    whole = [unit[:2] for unit in units if len(unit) > 1]
    assume(len({label for unit in whole for label in unit}) > 1)
    counts = np.array([[unit.count(label) for label in LABELS] for unit in whole])
    assert _fleiss(cell_of(whole, LABELS)).value == pytest.approx(statsmodels_fleiss(counts), abs=1e-12)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(UNITS)
def test_kappa_and_ac1_equal_a_loop_over_units(units: list[list[str]]) -> None:
    """Stops a difference to Gwet's formulas written unit by unit, prevalence over all units, agreement over pairs."""
    shares = {label: np.mean([unit.count(label) / len(unit) for unit in units]) for label in LABELS}
    pairs = [_pairs(unit) / (len(unit) * (len(unit) - 1)) for unit in units if len(unit) > 1]
    assume(pairs)
    assume(sum(share > 0 for share in shares.values()) > 1)
    observed = float(np.mean(pairs))
    kappa_chance = sum(share**2 for share in shares.values())
    ac1_chance = sum(share * (1 - share) for share in shares.values()) / (len(LABELS) - 1)
    cell = cell_of(units)
    assert _agreement(cell).value == pytest.approx(observed, abs=1e-12)
    assert _fleiss(cell).value == pytest.approx((observed - kappa_chance) / (1 - kappa_chance), abs=1e-9)
    assert _ac1(cell, len(LABELS)).value == pytest.approx((observed - ac1_chance) / (1 - ac1_chance), abs=1e-9)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(UNITS, st.permutations(LABELS), st.randoms(use_true_random=False))
def test_order_and_names_mean_nothing(units: list[list[str]], names: list[str], random: np.random.Generator) -> None:
    """Stops any dependence on the order of units or ratings or on what labels are called; no value is above 1.

    What an interval is made of besides the replicates means nothing else either: variance, effective units and the
    units that agree on a rarer label, two labels being equally common in many of these draws.
    """
    renamed = dict(zip(LABELS, names, strict=True))
    other = [[renamed[label] for label in unit] for unit in units]
    random.shuffle(other)
    before, after = cell_of(units), cell_of(other)
    for coefficient in (_agreement, _fleiss, _alpha, lambda cell: _ac1(cell, 4)):
        found, again = coefficient(before), coefficient(after)
        assert found.value == pytest.approx(again.value, abs=1e-9, nan_ok=True)
        assert np.isnan(found.value) or found.value <= 1 + 1e-9
        for measure in (Coefficient.variance, Coefficient.effective_units):
            theirs = measure(again, after[0])
            assert measure(found, before[0]) == pytest.approx(theirs, rel=1e-9, abs=1e-9, nan_ok=True)
    assert minority_agreement(*before) == minority_agreement(*after)
    assert modal_raters(*before) == modal_raters(*after)


def test_stratified_lies_between_and_leaves_out_what_is_unknown() -> None:
    """Stops a roll-up outside its strata, and an unknown stratum from turning it into NaN or counting as 0."""
    values = np.array([[0.2, 0.6, np.nan]])
    weights = np.array([[1.0, 3.0, 50.0]])
    found: FloatArray = stratified(values, weights=weights, members=np.array([0, 1, 2, 2]), starts=np.array([0, 3]))
    assert found[0, 0] == pytest.approx(0.5)
    assert np.isnan(found[0, 1])
