"""Operating curves of single sampling plans and what a wrong decision means."""

from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from qa_pipeline.stats.acceptance_risk import (
    acceptance_probability,
    average_outgoing_quality,
    error_consequences,
    expected_cost,
    outgoing_quality_limit,
    passed_defects,
    quality_at,
)

# A plan and a lot: decisions reviewed, acceptance number, lot size, defective decisions in the lot.
LOTS = st.integers(1, 60).flatmap(
    lambda size: st.tuples(st.integers(1, size), st.integers(0, 22), st.just(size), st.integers(0, size))
)


def test_montgomery_operating_curve() -> None:
    """Stops another distribution or `fewer than` instead of `at most`.

    D. C. Montgomery, Introduction to Statistical Quality Control, the table of the operating-characteristic curve for
    n = 89, c = 2 (printed to four decimals; recomputed from the binomial distribution).
    """
    shares = np.array([0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08, 0.09])
    printed = [0.9897, 0.9397, 0.7366, 0.4985, 0.3042, 0.1721, 0.0919, 0.0468, 0.0230, 0.0109]
    found = acceptance_probability(shares, n=np.array(89), accept=np.array(2), lot_size=None)
    assert found == pytest.approx(printed, abs=5e-5)


def test_montgomery_rectifying_inspection() -> None:
    """Stops the outgoing quality from forgetting that the sample is corrected too.

    Montgomery, rectifying inspection: N = 10,000, n = 89, c = 2, p = 0.01 gives an average outgoing quality of 0.0093
    and an average total inspection of 687.
    """
    plan = {"n": np.array(89), "accept": np.array(2), "lot_size": np.array(10_000)}
    assert average_outgoing_quality(np.array(0.01), **plan) == pytest.approx(0.0093, abs=5e-5)
    process = acceptance_probability(np.array(0.01), n=plan["n"], accept=plan["accept"], lot_size=None)
    assert 89 + (1 - process) * (10_000 - 89) == pytest.approx(687, abs=0.5)
    # With a review at cost 1 and nothing else, the expected cost is the total inspection of a lot of 100 defects.
    reviews = expected_cost(np.array(0.01), **plan, review_cost=np.array(1.0), defect_cost=np.array(0.0))
    assert reviews == pytest.approx(89 + scipy_stats.hypergeom.sf(2, 10_000, 100, 89) * (10_000 - 89), rel=1e-9)


@pytest.mark.parametrize(
    ("accept", "factor"),
    # H. F. Dodge and H. G. Romig's y: the largest value of x times the Poisson chance of at most c at mean x, by which
    # the AOQL is about y / n.
    [(0, 0.3679), (1, 0.8400), (2, 1.3711), (3, 1.9424), (5, 3.1682)],
)
def test_dodge_and_romig_limit(accept: int, factor: float) -> None:
    """Stops the search from ending beside the peak. The error of Poisson for binomial at n = 2000 is below 0.1 %."""
    limit = outgoing_quality_limit(n=np.array(2000), accept=np.array(accept), lot_size=np.array(10**9))
    assert limit * 2000 == pytest.approx(factor, rel=1e-3)


@settings(deadline=None, derandomize=True, max_examples=50)
@given(st.integers(1, 300), st.integers(0, 21), st.integers(0, 2000))
def test_outgoing_limit_is_the_highest_outgoing_quality(n: int, accept: int, more: int) -> None:
    """Stops a limit that some incoming quality exceeds, or that none reaches."""
    plan = {"n": np.array(n), "accept": np.array(accept), "lot_size": np.array(n + more)}
    curve = average_outgoing_quality(np.linspace(0, 1, 20_001), **plan)
    limit = outgoing_quality_limit(**plan)
    # Between two points of the grid the peak rises by less than the largest curvature, about n, times (step / 2)^2 / 2.
    assert curve.max() - 1e-12 <= limit <= curve.max() + n * (0.5 / 20_000) ** 2


@settings(deadline=None, derandomize=True, max_examples=200)
@given(LOTS)
def test_finite_lot_equals_counting_all_samples(lot: tuple[int, int, int, int]) -> None:
    """Stops a difference to counting samples by whole-number binomial coefficients, at every edge of the lot."""
    n, accept, lot_size, defective = lot
    ways = {d: comb(defective, d) * comb(lot_size - defective, n - d) for d in range(n + 1)}
    good = sum(ways[d] for d in range(min(accept, n) + 1))
    plan = {"n": np.array([n]), "accept": np.array([accept]), "lot_size": np.array([lot_size])}
    share = np.array([defective / lot_size])
    # Logarithms of factorials up to 60 cost about 1e-13.
    assert acceptance_probability(share, **plan) == pytest.approx(good / comb(lot_size, n), abs=1e-11)
    left = passed_defects(share, **plan)
    if good == 0:
        assert np.isnan(left[0])
    else:
        expected = sum((defective - d) * ways[d] for d in range(min(accept, n) + 1)) / good
        # Dividing by a chance as small as 1 / comb(60, 30) = 1e-17 would lose it all: asked only where it is likelier.
        if good / comb(lot_size, n) > 1e-6:
            assert left[0] == pytest.approx(expected, abs=1e-5)


def test_large_lots_equal_scipy() -> None:
    """Stops factorials from losing their digits at the sizes of real batches."""
    rng = np.random.default_rng(20261122)
    lot_size = rng.integers(5_000, 2_000_000, 300)
    n = rng.choice([32, 80, 200, 800, 2000], 300)
    accept = rng.integers(0, 22, 300)
    share = rng.uniform(0, 0.05, 300)
    found = acceptance_probability(share, n=n, accept=accept, lot_size=lot_size)
    expected = scipy_stats.hypergeom.cdf(accept, lot_size, np.rint(share * lot_size), n)
    # log gamma of 2e6 is 2.7e7; a double keeps it to 4e-9.
    assert found == pytest.approx(expected, abs=3e-8)


@pytest.mark.parametrize(("n", "accept"), [(80, 2), (13, 0), (2000, 21), (50, 3)])
def test_quality_at_a_chance_inverts_the_operating_curve(n: int, accept: int) -> None:
    """Stops the producer's point from being swapped with the consumer's."""
    chances = np.array([0.99, 0.95, 0.5, 0.1, 0.01])
    shares = quality_at(chances, n=np.array(n), accept=np.array(accept))
    assert np.all(np.diff(shares) > 0)
    assert scipy_stats.binom.cdf(accept, n, shares) == pytest.approx(chances, abs=1e-10)


def test_a_fully_reviewed_lot_is_never_misjudged() -> None:
    """Stops sampling error from being charged to a lot reviewed whole: accepted exactly when its defects allow."""
    plan = {"n": np.array(40), "accept": np.array(1), "lot_size": np.array(40)}
    shares = np.array([0.0, 1 / 40, 2 / 40, 1.0])
    # 40 is small for the logarithms, so the certain chances are certain to 1e-12.
    assert acceptance_probability(shares, **plan) == pytest.approx([1, 1, 0, 0], abs=1e-12)
    assert outgoing_quality_limit(**plan) == 0
    assert passed_defects(shares, **plan)[:2] == pytest.approx([0, 0], abs=1e-10)


def test_consequences_agree_with_simulated_lots() -> None:
    """Stops a consequence that lots drawn at random do not show (20,000 lots of 1,000, seeded)."""
    plan = {"n": np.array(80), "accept": np.array(2), "lot_size": np.array(1000)}
    found = error_consequences(**plan, good_share=np.array(0.01), bad_share=np.array(0.04))
    rng = np.random.default_rng(4)
    good = rng.hypergeometric(10, 990, 80, 20_000)
    bad = rng.hypergeometric(40, 960, 80, 20_000)
    # Four standard errors of a share are at most 4 sqrt(0.25 / 20,000) = 0.014.
    assert found.producer_risk == pytest.approx((good > 2).mean(), abs=0.014)
    assert found.consumer_risk == pytest.approx((bad <= 2).mean(), abs=0.014)
    assert found.needless_reviews == 920
    # Defects found in an accepted lot are 0 to 2; four standard errors over 7,000 accepted lots or more are 0.04.
    assert (bad <= 2).sum() > 7_000
    assert found.passed_defects == pytest.approx((40 - bad[bad <= 2]).mean(), abs=0.04)


def test_expected_cost_is_reviews_and_what_slips_through() -> None:
    """Stops a cost that counts a rejected lot's defects as passed, or an accepted lot's rest as reviewed."""
    plan = {"n": np.array(80), "accept": np.array(2), "lot_size": np.array(1000)}
    rng = np.random.default_rng(5)
    found = rng.hypergeometric(30, 970, 80, 40_000)
    is_accepted = found <= 2
    simulated = np.where(is_accepted, 80 * 0.5 + (30 - found) * 7.0, 1000 * 0.5)
    cost = expected_cost(np.array(0.03), **plan, review_cost=np.array(0.5), defect_cost=np.array(7.0))
    assert cost == pytest.approx(simulated.mean(), abs=4 * simulated.std() / 200)
    # A lot never accepted costs its reviews, and nothing passes.
    alone = expected_cost(np.array(1.0), **plan, review_cost=np.array(0.5), defect_cost=np.array(7.0))
    assert alone == pytest.approx(500)


@settings(deadline=None, derandomize=True, max_examples=100)
@given(LOTS, st.integers(0, 3))
def test_operating_curves_fall_with_quality_and_rise_with_the_acceptance_number(
    lot: tuple[int, int, int, int], more: int
) -> None:
    """Stops a curve that forgives a worse lot."""
    n, accept, lot_size, _ = lot
    shares = np.arange(lot_size + 1) / lot_size
    curve = acceptance_probability(shares, n=np.array(n), accept=np.array(accept), lot_size=np.array(lot_size))
    laxer = acceptance_probability(shares, n=np.array(n), accept=np.array(accept + more), lot_size=np.array(lot_size))
    assert np.all(np.diff(curve) <= 1e-11)
    assert np.all(laxer >= curve - 1e-11)
    assert curve[0] == pytest.approx(1, abs=1e-11)
