"""Agreement coefficients: published answers, a second implementation, invariants."""

from collections import Counter
from collections.abc import Sequence

import krippendorff
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from qa_pipeline.stats.agreement import (
    Layout,
    UnitSums,
    fleiss_kappa,
    gwet_ac1,
    krippendorff_alpha,
    minority_agreement,
    percent_agreement,
    stratified,
)
from qa_pipeline.stats.jackknife import FloatArray

Units = Sequence[Sequence[str]]

# J. L. Fleiss (1971), table 1: 30 patients, 6 psychiatrists, five diagnoses (depression, personality disorder,
# schizophrenia, neurosis, other). He reports kappa = 0.430.
FLEISS_1971 = (
    "00060 03003 01401 00006 03030 20400 00402 20310 20040 00006 10050 11040 03300 10050 02031 "
    "00501 30012 51000 02040 10203 00006 01050 02013 20040 10041 05010 40002 02040 10500 00006"
)
# K. Krippendorff (2011), Computing Krippendorff's Alpha-Reliability, section C: 4 coders x 12 units, nominal 0.743. The
# same ratings are irrCAC's raw_4raters: Gwet's AC1 0.77544, Fleiss' kappa 0.76117.
FOUR_CODERS = ("123321412...", "1233224125.3", ".3332342251.", "12332441251.")


def sums_of(units: Units) -> UnitSums:
    """Sums of one cell from its units, counted naively."""
    raters = sorted({len(unit) for unit in units})
    labels = sorted({label for unit in units for label in unit})
    columns = [(label, n) for label in labels for n in raters]
    counted = {(label, n): sum(unit.count(label) for unit in units if len(unit) == n) for label, n in columns}
    return UnitSums(
        layout=Layout(
            unit_raters=np.array(raters),
            unit_starts=np.array([0]),
            rating_raters=np.array([n for _, n in columns]),
            label_starts=np.arange(len(labels)) * len(raters),
            cell_starts=np.array([0]),
        ),
        units=np.array([float(sum(len(unit) == n for unit in units)) for n in raters]),
        equal_pairs=np.array([float(sum(_pairs(unit) for unit in units if len(unit) == n)) for n in raters]),
        ratings=np.array([float(counted[column]) for column in columns]),
    )


def _pairs(unit: Sequence[str]) -> int:
    return sum(count * (count - 1) for count in Counter(unit).values())


def _ac1(units: Units, categories: int) -> float:
    return float(gwet_ac1(sums_of(units), categories=np.array([float(categories)]))[0])


def _fleiss_units() -> list[list[str]]:
    return [
        [label for label, count in zip("dpsno", row, strict=True) for _ in range(int(count))]
        for row in FLEISS_1971.split()
    ]


def _four_coders() -> list[list[str]]:
    return [[value for value in values if value != "."] for values in zip(*FOUR_CODERS, strict=True)]


def test_fleiss_1971() -> None:
    """Stops any other kappa from taking Fleiss's name: his own table gives 0.430, p_a 0.556 and p_e 0.220."""
    sums = sums_of(_fleiss_units())
    assert percent_agreement(sums)[0] == pytest.approx(0.556, abs=5e-4)
    assert fleiss_kappa(sums)[0] == pytest.approx(0.430, abs=5e-4)


def test_krippendorff_four_coders() -> None:
    """Stops single ratings or missing ones from entering alpha: published nominal alpha 0.743."""
    assert krippendorff_alpha(sums_of(_four_coders()))[0] == pytest.approx(0.743, abs=5e-4)


def test_gwet_raw_four_raters() -> None:
    """Stops prevalence from leaving out single ratings: irrCAC gives AC1 0.77544 and Fleiss 0.76117 for these "
    "ratings."""
    units = _four_coders()
    assert _ac1(units, 5) == pytest.approx(0.77544, abs=5e-6)
    assert fleiss_kappa(sums_of(units))[0] == pytest.approx(0.76117, abs=5e-6)


def test_kappa_paradox() -> None:
    """Stops the paradox from being mended away: 94.4 % agreement with kappa near 0 below and AC1 at 0.94.

    Table of 125 units, two raters: 118 both yes, 5 + 2 differ, none both no (K. L. Gwet 2008, table 2: AC1 0.941). With
    pi = 243/250, Fleiss's kappa is (0.944 - 0.945568) / (1 - 0.945568) = -0.0288.
    """
    units = [["yes", "yes"]] * 118 + [["yes", "no"]] * 7
    sums = sums_of(units)
    assert percent_agreement(sums)[0] == pytest.approx(0.944)
    assert fleiss_kappa(sums)[0] == pytest.approx(-0.0288, abs=5e-5)
    assert _ac1(units, 2) == pytest.approx(0.941, abs=5e-4)


def test_one_label_is_unknown_not_perfect() -> None:
    """Stops 1.0, or 0 / 0, where everybody always chose one label."""
    sums = sums_of([["yes", "yes"], ["yes", "yes", "yes"]])
    assert percent_agreement(sums)[0] == 1
    assert np.isnan(fleiss_kappa(sums)[0])
    assert np.isnan(krippendorff_alpha(sums)[0])
    assert np.isnan(gwet_ac1(sums, categories=np.array([2.0]))[0])


def test_no_pairs_is_unknown() -> None:
    """Stops single ratings from making agreement."""
    sums = sums_of([["yes"], ["no"]])
    assert np.isnan(percent_agreement(sums)[0])
    assert np.isnan(krippendorff_alpha(sums)[0])
    assert sums.modal_raters().tolist() == [0]


def test_modal_raters_prefers_the_larger_of_equals_and_ignores_single_ratings() -> None:
    """Stops ties from going to the smaller number and single ratings, however many, from being the commonest."""
    sums = sums_of([["a"]] * 9 + [["a", "b"]] * 2 + [["a", "b", "b"]] * 2)
    assert sums.modal_raters().tolist() == [3]
    assert percent_agreement(sums.with_raters(sums.modal_raters()))[0] == pytest.approx(1 / 3)


def test_minority_agreement_leaves_out_the_commonest_label() -> None:
    """Stops the commonest label's units, of which there are always enough, from vouching for kappa."""
    units = [["a", "a"]] * 7 + [["b", "b", "a"]] * 3 + [["c", "a"]]
    sums = sums_of(units)
    # Columns by label then raters: a2 a3 b2 b3 c2 c3; units in which two ratings carry the label.
    agreed = np.array([7.0, 0, 0, 3, 0, 0])
    assert minority_agreement(sums.layout, ratings=sums.ratings, agreed=agreed).tolist() == [3]


LABELS = "abcd"
UNITS = st.lists(st.lists(st.sampled_from(LABELS), min_size=1, max_size=5), min_size=2, max_size=30)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(UNITS)
def test_alpha_equals_the_krippendorff_package(units: list[list[str]]) -> None:
    """Stops a difference to krippendorff on random data with missing ratings."""
    counts = np.array([[unit.count(label) for label in LABELS] for unit in units])
    pairable = counts[counts.sum(axis=1) > 1]
    assume(len(pairable) > 0)
    assume((pairable.sum(axis=0) > 0).sum() > 1)
    expected = krippendorff.alpha(value_counts=counts, level_of_measurement="nominal")
    # Ratios of sums of at most 150 ratings: rounding stays below 1e-12.
    assert krippendorff_alpha(sums_of(units))[0] == pytest.approx(expected, abs=1e-12)


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
    sums = sums_of(units)
    assert percent_agreement(sums)[0] == pytest.approx(observed, abs=1e-12)
    assert fleiss_kappa(sums)[0] == pytest.approx((observed - kappa_chance) / (1 - kappa_chance), abs=1e-9)
    assert _ac1(units, len(LABELS)) == pytest.approx((observed - ac1_chance) / (1 - ac1_chance), abs=1e-9)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(UNITS, st.permutations(LABELS), st.randoms(use_true_random=False))
def test_order_and_names_mean_nothing(units: list[list[str]], names: list[str], random: np.random.Generator) -> None:
    """Stops any dependence on the order of units or ratings or on what labels are called; no value is above 1."""
    renamed = dict(zip(LABELS, names, strict=True))
    other = [[renamed[label] for label in unit] for unit in units]
    random.shuffle(other)
    before, after = sums_of(units), sums_of(other)
    for coefficient in (percent_agreement, fleiss_kappa, krippendorff_alpha):
        value = coefficient(before)[0]
        assert value == pytest.approx(coefficient(after)[0], abs=1e-9, nan_ok=True)
        assert np.isnan(value) or value <= 1 + 1e-9
    assert _ac1(units, 4) == pytest.approx(_ac1(other, 4), abs=1e-9, nan_ok=True)


def test_stratified_lies_between_and_leaves_out_what_is_unknown() -> None:
    """Stops a roll-up outside its strata, and an unknown stratum from turning it into NaN or counting as 0."""
    values = np.array([[0.2, 0.6, np.nan]])
    weights = np.array([[1.0, 3.0, 50.0]])
    found: FloatArray = stratified(values, weights=weights, members=np.array([0, 1, 2, 2]), starts=np.array([0, 3]))
    assert found[0, 0] == pytest.approx(0.5)
    assert np.isnan(found[0, 1])
