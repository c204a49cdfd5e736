"""Wald's sequential probability ratio test of a lot."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qa_pipeline.stats.jackknife import BoolArray, IntArray
from qa_pipeline.stats.sequential import (
    SequentialPlan,
    decide,
    truncated_characteristics,
    wald_characteristics,
)

MONTGOMERY = SequentialPlan(good_share=0.01, bad_share=0.06, producer_risk=0.05, consumer_risk=0.10)
NEVER = np.array(10**9)

PLANS = st.builds(
    lambda good, factor, alpha, beta: SequentialPlan(
        good_share=good, bad_share=good * factor, producer_risk=alpha, consumer_risk=beta
    ),
    st.floats(0.002, 0.1),
    st.floats(2, 9),
    st.floats(0.01, 0.2),
    st.floats(0.01, 0.2),
)


def test_montgomery_lines() -> None:
    """Stops swapped intercepts: X_A = -1.22 + 0.028 n and X_R = 1.57 + 0.028 n.

    D. C. Montgomery, Introduction to Statistical Quality Control, the example of item-by-item sequential sampling with
    p1 = 0.01, alpha = 0.05, p2 = 0.06, beta = 0.10, printed to these digits.
    """
    assert MONTGOMERY.accept_intercept == pytest.approx(1.22, abs=5e-3)
    assert MONTGOMERY.reject_intercept == pytest.approx(1.57, abs=5e-3)
    assert MONTGOMERY.slope == pytest.approx(0.028, abs=5e-4)


def test_montgomery_decisions() -> None:
    """Stops a line that is missed by one: 1.2211 / 0.02811 = 43.4, so no lot is accepted before 44 decisions without a
    defect; (2 - 1.5678) / 0.02811 = 15.4, so two defects reject up to the 15th review, and three up to the 50th.
    """
    reviewed = np.array([43, 44, 1, 2, 15, 16, 50, 51])
    defects = np.array([0, 0, 1, 2, 2, 2, 3, 3])
    assert decide(MONTGOMERY, reviewed=reviewed, defects=defects, stop_at=NEVER).tolist() == [
        *("continue", "accept", "continue", "reject", "reject", "continue", "reject", "continue")
    ]


@settings(deadline=None, derandomize=True, max_examples=200)
@given(PLANS, st.integers(1, 3000), st.data())
def test_lines_are_walds_likelihood_ratio(plan: SequentialPlan, reviewed: int, data: st.DataObject) -> None:
    """Stops lines that are not the likelihood ratio's: accept at B = beta / (1 - alpha) or less, reject at A =
    (1 - beta) / alpha or more (Wald 1947, 3.1)."""
    defects = data.draw(st.integers(0, min(reviewed, 60)))
    sound = reviewed - defects
    ratio = defects * np.log(plan.bad_share / plan.good_share)
    ratio += sound * np.log((1 - plan.bad_share) / (1 - plan.good_share))
    accept = np.log(plan.consumer_risk / (1 - plan.producer_risk))
    reject = np.log((1 - plan.consumer_risk) / plan.producer_risk)
    # Left out: counts that lie on a line to within rounding.
    if min(abs(ratio - accept), abs(ratio - reject), abs(ratio)) < 1e-9:
        return
    expected = "accept" if ratio < accept else "reject" if ratio > reject else "continue"
    counts = {"reviewed": np.array([reviewed]), "defects": np.array([defects])}
    assert decide(plan, **counts, stop_at=NEVER)[0] == expected
    # Truncated here: the nearer hypothesis (Wald 1947, 3.8), and a lot already decided keeps its verdict.
    truncated = decide(plan, **counts, stop_at=np.array([reviewed]))[0]
    assert truncated == (expected if expected != "continue" else "accept" if ratio < 0 else "reject")


def test_wald_operating_curve_passes_through_its_five_points() -> None:
    """Stops a curve through the wrong points: Wald (1947, 5.3) gives 1 at 0, 1 - alpha at p0, h1 / (h0 + h1) at the
    slope, beta at p1 and 0 at 1; the mean reviews at 0 and 1 are the shortest ways to the lines."""
    shares = np.array([1e-9, 0.01, MONTGOMERY.slope, 0.06, 1 - 1e-9])
    found = wald_characteristics(MONTGOMERY, shares)
    middle = MONTGOMERY.reject_intercept / (MONTGOMERY.accept_intercept + MONTGOMERY.reject_intercept)
    assert found.accept_probability == pytest.approx([1, 0.95, middle, 0.10, 0], abs=1e-8)
    # h0 / s = 43.4, h1 / (1 - s) = 1.61, and at the slope h0 h1 / (s (1 - s)) = 70.1.
    s, h0, h1 = MONTGOMERY.slope, MONTGOMERY.accept_intercept, MONTGOMERY.reject_intercept
    assert found.mean_reviews[[0, 2, 4]] == pytest.approx([h0 / s, h0 * h1 / (s * (1 - s)), h1 / (1 - s)], rel=1e-6)


@settings(deadline=None, derandomize=True, max_examples=100)
@given(PLANS)
def test_wald_curves_are_smooth_through_the_slope(plan: SequentialPlan) -> None:
    """Stops the branch at the slope, or a root on its wrong side, from breaking the curves."""
    shares = np.concatenate([np.geomspace(1e-6, 0.98, 200), plan.slope * np.array([0.999, 1, 1.001])])
    shares.sort()
    found = wald_characteristics(plan, shares)
    assert np.all(np.diff(found.accept_probability) <= 1e-9)
    assert np.all(found.mean_reviews > 0)
    at = np.searchsorted(shares, plan.slope)
    assert found.mean_reviews[at - 1 : at + 2] == pytest.approx(found.mean_reviews[at], rel=0.01)
    risks = wald_characteristics(plan, np.array([plan.good_share, plan.bad_share])).accept_probability
    assert risks == pytest.approx([1 - plan.producer_risk, plan.consumer_risk], abs=1e-9)


def _courses(plan: SequentialPlan, draws: BoolArray, stop_at: int) -> tuple[BoolArray, IntArray]:
    """Whether each lot is accepted and after how many reviews it is decided; its reviews are its row of `draws`."""
    defects = np.cumsum(draws, axis=1)[:, :stop_at]
    reviewed = np.arange(1, stop_at + 1)
    evidence = defects * np.log(plan.bad_share * (1 - plan.good_share) / (plan.good_share * (1 - plan.bad_share)))
    evidence += reviewed * np.log((1 - plan.bad_share) / (1 - plan.good_share))
    accept = evidence <= np.log(plan.consumer_risk / (1 - plan.producer_risk))
    reject = evidence >= np.log((1 - plan.consumer_risk) / plan.producer_risk)
    is_open = ~(accept | reject)[:, -1]
    accept[:, -1] |= is_open & (evidence[:, -1] <= 0)
    reject[:, -1] |= is_open & (evidence[:, -1] > 0)
    decided_at = np.argmax(accept | reject, axis=1)
    return accept[np.arange(len(draws)), decided_at], decided_at + 1


@pytest.mark.parametrize("share", [0.01, 0.03, 0.06])
def test_truncated_test_equals_a_simulation(share: float) -> None:
    """Stops the exact characteristics from being another test's: 20,000 seeded lots, four standard errors."""
    stop_at = 150
    draws = np.random.default_rng(7).random((20_000, stop_at)) < share
    accepted, reviews = (outcome.mean() for outcome in _courses(MONTGOMERY, draws, stop_at))
    found = truncated_characteristics(MONTGOMERY, np.array([share]), stop_at=stop_at)
    assert found.accept_probability[0] == pytest.approx(accepted, abs=4 * np.sqrt(0.25 / 20_000))
    # The number of reviews lies in 1..150, so its standard deviation is below 75.
    assert found.mean_reviews[0] == pytest.approx(reviews, abs=4 * 75 / np.sqrt(20_000))


def test_truncated_test_equals_all_its_courses() -> None:
    """Stops a course from being lost or counted twice: all 4,096 sequences of 12 reviews, weighted by their chance."""
    plan = SequentialPlan(good_share=0.2, bad_share=0.5, producer_risk=0.1, consumer_risk=0.1)
    courses = np.array(list(product([False, True], repeat=12)))
    for share in (0.0, 0.2, 0.35, 0.5, 1.0):
        chance = np.prod(np.where(courses, share, 1 - share), axis=1)
        accepted, reviews = _courses(plan, courses, 12)
        found = truncated_characteristics(plan, np.array([share]), stop_at=12)
        assert found.accept_probability[0] == pytest.approx(chance @ accepted, abs=1e-12)
        assert found.mean_reviews[0] == pytest.approx(chance @ reviews, abs=1e-10)


def test_truncation_at_one_review_is_that_review() -> None:
    """Stops an off-by-one in the course of the test: after one review, a defect rejects and anything else accepts."""
    shares = np.array([0.0, 0.3, 1.0])
    found = truncated_characteristics(MONTGOMERY, shares, stop_at=1)
    assert found.accept_probability == pytest.approx(1 - shares)
    assert found.mean_reviews == pytest.approx([1, 1, 1])


def test_long_tests_keep_walds_bounds() -> None:
    """Stops a test that errs more than it promises.

    Wald (1947, 3.4): the true errors satisfy alpha' <= alpha / (1 - beta) and beta' <= beta / (1 - alpha). Truncated at
    2,000 reviews, hardly any lot is open, and Wald's approximations are near (they neglect the overshoot: the exact
    mean numbers of reviews are above theirs, by up to a quarter here).
    """
    shares = np.array([0.01, 0.06])
    found = truncated_characteristics(MONTGOMERY, shares, stop_at=2000)
    assert 1 - found.accept_probability[0] <= 0.05 / 0.90
    assert found.accept_probability[1] <= 0.10 / 0.95
    wald = wald_characteristics(MONTGOMERY, shares)
    assert found.accept_probability == pytest.approx(wald.accept_probability, abs=0.03)
    assert np.all(found.mean_reviews > wald.mean_reviews)
    assert found.mean_reviews == pytest.approx(wald.mean_reviews, rel=0.26)


@pytest.mark.parametrize(("share", "risk"), [(0.01, 0.05), (0.06, 0.10)])
def test_a_finite_batch_errs_less_often(share: float, risk: float) -> None:
    """Stops the claim that drawing from a finite batch does no harm from being untrue.

    Batches of 300 with 3 or 18 defects are reviewed until decided: 4,000 seeded batches, four standard errors above the
    exact error of independent reviews.
    """
    rng = np.random.default_rng(11)
    batch = np.arange(300) < round(300 * share)
    draws = np.array([rng.permutation(batch) for _ in range(4_000)])
    accepted = _courses(MONTGOMERY, draws, 300)[0].mean()
    independent = truncated_characteristics(MONTGOMERY, np.array([share]), stop_at=300).accept_probability[0]
    errors = (1 - accepted, 1 - independent) if share < MONTGOMERY.slope else (accepted, independent)
    assert errors[0] < errors[1] + 4 * np.sqrt(risk / 4_000)
    assert errors[0] < risk


def test_many_lots_are_decided_each_by_its_own_limit() -> None:
    """Stops lots from sharing a truncation: the same counts end at a lot's own limit only."""
    found = decide(
        MONTGOMERY,
        reviewed=np.array([60, 60, 60, 60]),
        defects=np.array([1, 1, 2, 2]),
        stop_at=np.array([60, 61, 60, 61]),
    )
    # 60 x 0.0281 = 1.69 defects are the middle.
    assert found.tolist() == ["accept", "continue", "reject", "continue"]


@pytest.mark.parametrize(
    ("good", "bad", "alpha", "beta"),
    [
        (0.06, 0.01, 0.05, 0.1),
        (0.0, 0.06, 0.05, 0.1),
        (0.01, 1.0, 0.05, 0.1),
        (0.01, 0.06, 0, 0.1),
        (0.01, 0.06, 0.6, 0.4),
    ],
)
def test_impossible_plans_are_refused(good: float, bad: float, alpha: float, beta: float) -> None:
    """Stops lines that cross, or that no number of reviews reaches."""
    with pytest.raises(ValueError, match=r"must"):
        SequentialPlan(good_share=good, bad_share=bad, producer_risk=alpha, consumer_risk=beta)
