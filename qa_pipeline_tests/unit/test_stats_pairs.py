"""Agreement of two raters: published answers and a second implementation."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from statsmodels.stats.inter_rater import cohens_kappa as statsmodels_kappa

from qa_pipeline.stats.jackknife import FloatArray
from qa_pipeline.stats.pairs import bias_index, cohen_kappa, minority_agreement
from qa_pipeline.stats.scales import Scale, agreement_weights

# J. L. Fleiss, J. Cohen and B. S. Everitt (1969), table 1: 100 patients, two raters, three diagnoses. Kappa 0.429.
DIAGNOSES = np.array([[53.0, 5, 2], [11, 14, 5], [1, 6, 3]])


def _kappa(counts: FloatArray) -> float:
    return float(cohen_kappa(counts, weights=np.eye(len(counts))).value)


def test_fleiss_cohen_everitt_1969() -> None:
    """Stops kappa or its variance from being another's: kappa 0.429, its standard error 0.0769 without n / (n - 1)."""
    found = cohen_kappa(DIAGNOSES, weights=np.eye(3))
    assert found.value == pytest.approx(0.429, abs=5e-4)
    variance = found.variance(DIAGNOSES.ravel()) * 99 / 100
    assert np.sqrt(variance) == pytest.approx(np.sqrt(statsmodels_kappa(DIAGNOSES).var_kappa), rel=1e-12)


def test_the_two_paradoxes() -> None:
    """Stops the paradoxes of kappa from being mended away.

    A. R. Feinstein and D. V. Cicchetti (1990), Journal of Clinical Epidemiology 43(6), 543-549: the same 85 % observed
    agreement gives kappa 0.70 in a balanced table and 0.32 in a skewed one; and unbalanced margins raise kappa.
    """
    assert _kappa(np.array([[40.0, 9], [6, 45]])) == pytest.approx(0.70, abs=5e-3)
    assert _kappa(np.array([[80.0, 10], [5, 5]])) == pytest.approx(0.32, abs=5e-3)
    assert _kappa(np.array([[45.0, 15], [25, 15]])) == pytest.approx(0.13, abs=5e-3)
    assert _kappa(np.array([[25.0, 35], [5, 35]])) == pytest.approx(0.26, abs=5e-3)


def test_bias_index_of_two_labels() -> None:
    """Stops the shift between raters from being hidden: |b - c| / n = |35 - 5| / 100."""
    found = bias_index(np.array([[25.0, 35], [5, 35]]))
    assert found.value == pytest.approx(0.30)
    # Two labels: the bound is exact. Shift 0.3 per item: variance (0.4 - 0.3 ^ 2) / n.
    variance = found.variance(np.array([25.0, 35, 5, 35])) * 99 / 100
    assert variance == pytest.approx((0.4 - 0.09) / 100)
    assert bias_index(DIAGNOSES).value == pytest.approx((abs(60 - 65) + abs(30 - 25) + abs(10 - 10)) / 200)


def test_minority_agreement_leaves_out_the_commonest_label() -> None:
    """Stops the commonest label's items from vouching for kappa."""
    assert minority_agreement(DIAGNOSES) == 17


def test_one_label_is_unknown() -> None:
    """Stops 0 / 0 and empty tables from being agreement."""
    assert np.isnan(_kappa(np.array([[9.0, 0], [0, 0]])))
    assert np.isnan(_kappa(np.zeros((2, 2))))


TABLES = st.lists(st.integers(0, 30), min_size=9, max_size=9)


@pytest.mark.parametrize("scale", ["nominal", "ordinal", "interval", "ratio"])
@settings(max_examples=100, deadline=None, derandomize=True)
@given(cells=TABLES)
def test_kappa_and_its_variance_equal_statsmodels(scale: Scale, cells: list[int]) -> None:
    """Stops a difference to statsmodels on any scale; it takes distances, 0 where labels are equal."""
    counts = np.array(cells, dtype=np.float64).reshape(3, 3)
    assume(counts.sum() > 1)
    assume(((counts.sum(axis=0) + counts.sum(axis=1)) > 0).sum() > 1)
    weights = agreement_weights(scale, values=np.arange(3.0) if scale == "ordinal" else np.array([1.0, 2, 5]))
    found = cohen_kappa(counts, weights=weights)
    # Its test of kappa = 0, of which we have none, takes the root of a rounding error where a rater gave one label.
    with np.errstate(invalid="ignore", divide="ignore"):
        peer = statsmodels_kappa(counts, weights=1 - weights)
    assert found.value == pytest.approx(peer.kappa, abs=1e-12)
    n = counts.sum()
    assert found.variance(counts.ravel()) * (n - 1) / n == pytest.approx(peer.var_kappa, abs=1e-12)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(TABLES, st.permutations(range(3)), st.booleans())
def test_names_of_labels_and_who_comes_first_mean_nothing(cells: list[int], names: list[int], turned: bool) -> None:
    """Stops a kappa, a bias index, a variance or a limit that depends on the alphabet."""
    counts = np.array(cells, dtype=np.float64).reshape(3, 3)
    other = counts[np.ix_(names, names)]
    other = other.T if turned else other
    for found, again in (
        (cohen_kappa(counts, weights=np.eye(3)), cohen_kappa(other, weights=np.eye(3))),
        (bias_index(counts), bias_index(other)),
    ):
        assert found.value == pytest.approx(again.value, abs=1e-12, nan_ok=True)
        variances = found.variance(counts.ravel()), again.variance(other.ravel())
        assert variances[0] == pytest.approx(variances[1], abs=1e-12, nan_ok=True)
    assert minority_agreement(counts) == minority_agreement(other)
