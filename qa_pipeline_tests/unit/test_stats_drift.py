"""Distances between two distributions: second implementations, expectations, coverage."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from scipy.spatial.distance import jensenshannon

from qa_pipeline.stats.drift import (
    PSI_FLOOR,
    distances,
    is_sparse,
    jackknife_distances,
    multinomial_distances,
    no_drift_psi,
    shares,
)
from qa_pipeline.stats.jackknife import FloatArray, IntArray, leave_one_out

ONE = np.array([0])
COUNTS = st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), min_size=2, max_size=8).filter(
    lambda pairs: all(sum(column) > 0 for column in zip(*pairs, strict=True))
)
QUIET = settings(deadline=None, derandomize=True)


def _both(pairs: list[tuple[int, int]]) -> tuple[FloatArray, FloatArray]:
    current, baseline = (np.array(column, dtype=np.float64) for column in zip(*pairs, strict=True))
    return shares(current, starts=ONE), shares(baseline, starts=ONE)


@QUIET
@given(COUNTS)
def test_distances_equal_second_implementations(pairs: list[tuple[int, int]]) -> None:
    """Stops natural logarithms or square roots in Jensen-Shannon, a missing half, and PSI other than both KL added "
    "up."""
    current, baseline = _both(pairs)
    found = distances(current, baseline, starts=ONE)
    # jensenshannon is the square root of the divergence: tiny ones lose half of their digits there.
    assert found.js_divergence[0] == pytest.approx(jensenshannon(current, baseline, base=2) ** 2, abs=1e-7)
    assert found.total_variation[0] == pytest.approx(abs(current - baseline).sum() / 2)
    assert 0 <= found.js_divergence[0] <= 1
    assert 0 <= found.total_variation[0] <= 1
    if min(current.min(), baseline.min()) >= PSI_FLOOR:
        both_ways = scipy_stats.entropy(current, baseline) + scipy_stats.entropy(baseline, current)
        assert found.psi[0] == pytest.approx(both_ways, abs=1e-12)


def test_psi_of_a_hand_worked_example() -> None:
    """Stops another formula: (0.5 - 0.25) ln 2 + (0.5 - 0.75) ln (2 / 3) = 0.274653 = 0.25 ln 3."""
    found = distances(np.array([0.5, 0.5]), np.array([0.25, 0.75]), starts=ONE)
    assert found.psi[0] == pytest.approx(0.25 * np.log(3), abs=1e-12)


def test_an_empty_bin_is_floored_in_the_psi_alone() -> None:
    """Stops infinite PSI and a silently different floor: 0 becomes 0.0001, and shares elsewhere stay as they are."""
    found = distances(np.array([0.5, 0.5]), np.array([0.0, 1.0]), starts=ONE)
    expected = (0.5 - PSI_FLOOR) * np.log(0.5 / PSI_FLOOR) + (0.5 - 1) * np.log(0.5)
    assert PSI_FLOOR == 1e-4
    assert found.psi[0] == pytest.approx(expected, abs=1e-12)
    assert found.total_variation[0] == 0.5


@QUIET
@given(COUNTS, COUNTS)
def test_groups_side_by_side_do_not_touch_each_other(
    first: list[tuple[int, int]], second: list[tuple[int, int]]
) -> None:
    """Stops sums that run over the border of a group."""
    starts = np.array([0, len(first)])
    current = np.array([pair[0] for pair in first + second], dtype=np.float64)
    baseline = np.array([pair[1] for pair in first + second], dtype=np.float64)
    together = distances(shares(current, starts=starts), shares(baseline, starts=starts), starts=starts)
    alone = [distances(*_both(pairs), starts=ONE).psi[0] for pairs in (first, second)]
    np.testing.assert_allclose(together.psi, alone, rtol=1e-12)


@QUIET
@given(COUNTS, st.randoms(use_true_random=False))
def test_order_of_categories_means_nothing(pairs: list[tuple[int, int]], random: np.random.Generator) -> None:
    """Stops any dependence on the order of labels."""
    other = list(pairs)
    random.shuffle(other)
    before, after = (distances(*_both(each), starts=ONE) for each in (pairs, other))
    assert before.psi[0] == pytest.approx(after.psi[0], abs=1e-12)
    assert before.js_divergence[0] == pytest.approx(after.js_divergence[0], abs=1e-12)


def test_no_drift_expectation_is_what_quiet_samples_give() -> None:
    """Stops a wrong expectation: 4,000 pairs of samples of one distribution average (B - 1)(1/n + 1/m) within 4 %.

    Source: Yurdakul and Naranjo (2020). The PSI of a pair varies by sqrt(2 / 5) of its mean, so the mean's standard
    error is 1 %.
    """
    rng = np.random.default_rng(4)
    current, baseline = _quiet_pairs(rng, runs=4000, n=400, m=2000)
    found = distances(shares(current, starts=ONE), shares(baseline, starts=ONE), starts=ONE)
    expected = float(no_drift_psi(np.array(6.0), np.array(400.0), np.array(2000.0)))
    assert expected == pytest.approx(5 * (1 / 400 + 1 / 2000))
    assert found.psi.mean() == pytest.approx(expected, rel=0.04)


def _quiet_pairs(rng: np.random.Generator, *, runs: int, n: int, m: int) -> tuple[FloatArray, FloatArray]:
    share = np.array([0.4, 0.2, 0.1, 0.1, 0.1, 0.1])
    current, baseline = (rng.multinomial(size, share, size=runs).astype(np.float64) for size in (n, m))
    return current, baseline


def _replicated(rng: np.random.Generator, share: FloatArray, *, runs: int, n: int, raters: int) -> FloatArray:
    """Labels of n items by raters who agree half of the time, `[runs, 20, labels]`."""
    replicate = rng.integers(0, 20, size=(runs, n))
    counts = np.zeros((runs, 20, len(share)))
    truth = _draw(rng, share, (runs, n))
    for _ in range(raters):
        label = np.where(rng.random((runs, n)) < 0.5, truth, _draw(rng, share, (runs, n)))
        np.add.at(counts, (np.arange(runs)[:, None], replicate, label), 1)
    return counts


def _draw(rng: np.random.Generator, share: FloatArray, shape: tuple[int, ...]) -> IntArray:
    drawn: IntArray = np.searchsorted(np.cumsum(share)[:-1], rng.random(shape), side="right")
    return drawn


@pytest.mark.parametrize("shift", [0.0, 0.02, 0.05, 0.15])
@pytest.mark.parametrize("labels", [2, 4])
def test_coverage_of_jackknife_intervals(labels: int, shift: float) -> None:
    """Stops intervals that miss the truth, above all just beside no drift, where symmetric ones covered 79 %.

    Three raters an item, so the labels are not independent. 600 samples: a standard error is 1 %, three are allowed.
    """
    runs, raters = 600, 3
    rng = np.random.default_rng(labels)
    before = np.full(labels, 1 / labels)
    after = before.copy()
    after[0] += shift
    after[-1] -= shift
    current = leave_one_out(_replicated(rng, after, runs=runs, n=250, raters=raters))
    baseline = leave_one_out(_replicated(rng, before, runs=runs, n=1500, raters=raters))
    found = jackknife_distances(current, baseline, starts=ONE)
    truth = distances(after, before, starts=ONE)
    for name, estimate in found.items():
        true = getattr(truth, name)[0]
        given_ones = estimate.interval.is_given
        inside = (estimate.interval.low <= true) & (true <= estimate.interval.high)
        assert given_ones.mean() > 0.95, name
        assert inside[given_ones].mean() > 0.93 - 3 * np.sqrt(0.93 * 0.07 / runs), name


def test_jackknife_takes_the_bias_off() -> None:
    """Stops the uncorrected PSI from being published: over quiet samples the corrected one averages near 0.

    It is cut at 0, so its mean is not 0 but well below half of the uncorrected one's.
    """
    rng = np.random.default_rng(8)
    share = np.array([0.4, 0.2, 0.2, 0.2])
    counts = [leave_one_out(_replicated(rng, share, runs=400, n=n, raters=3)) for n in (200, 1000)]
    found = jackknife_distances(counts[0], counts[1], starts=ONE)["psi"]
    raw = distances(shares(counts[0][:, 0], starts=ONE), shares(counts[1][:, 0], starts=ONE), starts=ONE).psi
    assert found.value.mean() < 0.6 * raw.mean()
    assert np.all(found.value >= 0)


@pytest.mark.parametrize("shift", [0.0, 0.02, 0.1])
def test_coverage_of_scores_by_the_delta_method(shift: float) -> None:
    """Stops scores of several labels of one item from counting as independent: two labels that mirror each other.

    The share in each half of the bins repeats the other, so 600 scores are 300 units. 1,000 samples, three standard
    errors of 0.8 % allowed below 93 %.
    """
    runs, n, m = 1000, 300, 2000
    rng = np.random.default_rng(10)
    before = np.full(10, 0.1)
    after = before.copy()
    after[0] += shift
    after[9] -= shift * 0.9
    after /= after.sum()
    halves = [rng.multinomial(n, after, size=runs), rng.multinomial(m, before, size=runs)]
    current, baseline = (np.concatenate([half, half[:, ::-1]], axis=1).astype(np.float64) for half in halves)
    units = [np.full((runs, 1), float(size)) for size in (n, m)]
    found = multinomial_distances(current, baseline, n=units[0], m=units[1], starts=ONE)
    mirrored = [np.concatenate([share, share[::-1]]) / 2 for share in (after, before)]
    truth = distances(mirrored[0], mirrored[1], starts=ONE)
    for name, estimate in found.items():
        true = getattr(truth, name)[0]
        inside = (estimate.interval.low <= true) & (true <= estimate.interval.high)
        assert estimate.interval.is_given.all(), name
        assert inside.mean() > 0.93 - 3 * np.sqrt(0.93 * 0.07 / runs), name


def test_sparse_when_more_than_half_of_the_categories_are_rare() -> None:
    """Stops intervals where most labels have hardly a count: 3 of 5 expected below 5 is too many, 2 are not.

    Of 100 against 900 at the pooled share, a label needs 50 of the 1,000 to be expected 5 times in the smaller sample.
    """
    current = np.array([[88.0, 3, 3, 3, 3, 0], [82.0, 6, 6, 3, 3, 0]])
    baseline = np.array([[780.0, 30, 30, 30, 30, 0], [690.0, 75, 75, 30, 30, 0]])
    assert is_sparse(current, baseline, starts=ONE)[:, 0].tolist() == [True, False]


def test_equal_counts_in_every_replicate_give_no_interval() -> None:
    """Stops an interval of zero width at 0 where nothing varies at all."""
    counts = leave_one_out(np.full((20, 2), 10.0))[None]
    found = jackknife_distances(counts, counts, starts=ONE)
    assert not any(estimate.interval.is_given[0, 0] for estimate in found.values())
