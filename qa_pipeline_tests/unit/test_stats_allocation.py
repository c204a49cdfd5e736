"""Shrunken rates, optimum allocation of reviews and inclusion probabilities."""

from itertools import product
from random import Random

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from qa_pipeline.stats.allocation import (
    annotator_floors,
    inclusion_probabilities,
    neyman_allocation,
    review_plan,
    shrunken_shares,
    stratified_error,
)
from qa_pipeline.stats.jackknife import FloatArray, IntArray

# Decisions, standard deviation and floor of each stratum.
STRATA = st.lists(
    st.tuples(st.integers(0, 5000), st.one_of(st.just(0.0), st.floats(0.01, 0.5)), st.integers(0, 8)),
    min_size=1,
    max_size=30,
)


def _columns(strata: list[tuple[int, float, int]]) -> tuple[IntArray, FloatArray, IntArray]:
    population, sd, floor = zip(*strata, strict=True)
    return np.array(population), np.array(sd, dtype=np.float64), np.array(floor)


def _no_floor(population: IntArray) -> IntArray:
    return np.zeros(len(population), dtype=np.int64)


def test_neymans_allocation_of_two_textbook_strata() -> None:
    """Stops allocation by size alone (17 and 83), or by deviation alone (62 and 38).

    A textbook exercise as asked on mathhelpforum.com (thread 183666): strata of 100,000 and 500,000 with standard
    deviations 20 and 12, a sample of 100. N S is 2 and 6 million, so 25 and 75.
    """
    population = np.array([100_000, 500_000])
    found = neyman_allocation(population, sd=np.array([20.0, 12.0]), floor=_no_floor(population), budget=100)
    assert found.tolist() == [25, 75]


def test_whole_numbers_are_next_to_neymans_fractions() -> None:
    """Stops the whole numbers from wandering off: four strata of the metricgate.com documentation of Neyman allocation
    (N 400 300 200 100, S 10 15 20 30, n 100); N S is 4000 4500 4000 3000, so 25.8, 29.0, 25.8 and 19.4."""
    population, sd = np.array([400, 300, 200, 100]), np.array([10.0, 15.0, 20.0, 30.0])
    found = neyman_allocation(population, sd=sd, floor=_no_floor(population), budget=100)
    fractions = 100 * population * sd / (population * sd).sum()
    assert fractions == pytest.approx([25.8, 29.0, 25.8, 19.4], abs=0.05)
    assert np.all(np.abs(found - fractions) < 1)
    assert found.tolist() == [26, 29, 26, 19]


@settings(deadline=None, derandomize=True, max_examples=300)
@given(
    st.lists(
        st.tuples(st.integers(1, 9), st.sampled_from([0.1, 0.2, 0.3, 0.45]), st.integers(0, 4)), min_size=1, max_size=4
    ),
    st.integers(0, 40),
)
def test_no_other_whole_numbers_have_a_smaller_variance(strata: list[tuple[int, float, int]], extra: int) -> None:
    """Stops a rounding that is not optimal: every allowed allocation is tried."""
    population, sd, floor = _columns(strata)
    lowest = np.minimum(np.maximum(floor, 1), population)
    budget = min(int(lowest.sum()) + extra, int(population.sum()))
    found = neyman_allocation(population, sd=sd, floor=floor, budget=budget)
    choices = product(*(range(low, high + 1) for low, high in zip(lowest, population, strict=True)))
    allowed = np.array([choice for choice in choices if sum(choice) == budget])
    best = stratified_error(population, sd=sd, n=allowed).min()
    assert found.tolist() in allowed.tolist()
    # Summing in another order costs about 1e-16.
    assert stratified_error(population, sd=sd, n=found) == pytest.approx(best, abs=1e-9)


def test_largest_remainder_would_not_be_optimal() -> None:
    """Stops a return to rounding Neyman's fractions by largest remainder.

    N S of 145 and 555 and 7 reviews: the fractions 1.45 and 5.55 would be rounded to 1 and 6, with a variance of
    145^2 / 1 + 555^2 / 6 = 72,363; 2 and 5 give 145^2 / 2 + 555^2 / 5 = 72,118. And of 280, 80 and 40 with 4 reviews
    (2.8, 0.8 and 0.4) the third would be left without a review.
    """
    assert neyman_allocation(
        np.array([145, 555]), sd=np.ones(2), floor=np.zeros(2, dtype=np.int64), budget=7
    ).tolist() == [2, 5]
    population = np.array([280, 80, 40])
    found = neyman_allocation(population, sd=np.ones(3), floor=_no_floor(population), budget=4)
    assert found.tolist() == [2, 1, 1]


def test_the_last_review_among_equals_is_not_given_to_a_third() -> None:
    """Stops ties from being settled by another rule than what a review is worth.

    Two strata of N S = 100 are worth 100 / sqrt(2) = 70.7 for their second review, a third of 740 with 10 reviews
    740 / sqrt(110) = 70.6 for its eleventh. 13 reviews leave one for either of the two: the earlier.
    """
    population = np.array([740, 100, 100])
    found = neyman_allocation(population, sd=np.ones(3), floor=_no_floor(population), budget=13)
    assert found.tolist() == [10, 2, 1]


@settings(deadline=None, derandomize=True, max_examples=300)
@example([(1, 0.0, 0), (2, 0.0, 2), (2, 0.0, 2), (4, 0.0, 2)], 6)
@given(STRATA, st.integers(0, 60_000))
def test_budget_floors_and_caps_hold(strata: list[tuple[int, float, int]], budget: int) -> None:
    """Stops a plan that over- or underspends, breaks a floor the budget reaches for, or asks for decisions that do not
    exist; strata without variation included."""
    population, sd, floor = _columns(strata)
    found = neyman_allocation(population, sd=sd, floor=floor, budget=budget)
    assert found.sum() == min(budget, population.sum())
    assert np.all((found >= 0) & (found <= population))
    lowest = np.minimum(np.maximum(floor, 1), population)
    if lowest.sum() <= budget:
        assert np.all(found >= lowest)
    else:
        # Lowered to one level: who got less than the floor got at least as much as anybody's floor was cut to.
        short = found < lowest
        assert found.max() - found[short].min() <= 1
    again = neyman_allocation(population, sd=sd, floor=floor, budget=budget)
    assert again.tolist() == found.tolist()


@settings(deadline=None, derandomize=True, max_examples=100)
@given(STRATA, st.integers(100, 5000), st.randoms(use_true_random=False))
def test_order_of_strata_does_not_matter(strata: list[tuple[int, float, int]], budget: int, random: Random) -> None:
    """Stops the order of rows from deciding who is reviewed, but for strata that are alike in everything."""
    shuffled = list(strata)
    random.shuffle(shuffled)
    results = []
    for rows in (strata, shuffled):
        population, sd, floor = _columns(rows)
        found = neyman_allocation(population, sd=sd, floor=floor, budget=budget)
        # Without the floor: where it does not bind, strata alike but for it are alike.
        results.append(sorted(zip(population.tolist(), sd.tolist(), found.tolist(), strict=True)))
    assert results[0] == results[1]


def test_a_small_budget_goes_to_the_largest_strata_and_the_rest_is_told() -> None:
    """Stops a plan that pretends to cover strata it does not: their chance is 0 and the error unknown."""
    population, sd = np.array([10, 500, 0, 300, 20]), np.array([0.5, 0.1, 0.5, 0.3, 0.5])
    found = neyman_allocation(population, sd=sd, floor=np.full(5, 3), budget=2)
    assert found.tolist() == [0, 1, 0, 1, 0]
    chances = inclusion_probabilities(found, population=population)
    assert chances[[0, 1, 3, 4]] == pytest.approx([0, 1 / 500, 1 / 300, 0])
    assert np.isnan(chances[2])
    assert np.isnan(stratified_error(population, sd=sd, n=found))


def test_thousands_of_strata() -> None:
    """Stops the closed form from differing from giving one review after the other (3,000 strata, 20,000 reviews)."""
    rng = np.random.default_rng(8)
    population = rng.integers(0, 4000, 3000)
    sd = np.sqrt(rng.beta(1, 20, 3000))
    floor = rng.integers(0, 4, 3000)
    found = neyman_allocation(population, sd=sd, floor=floor, budget=20_000)
    n = np.minimum(np.maximum(floor, 1), population)
    while n.sum() < 20_000:
        worth = np.where(n < population, population * sd / np.sqrt(n * (n + 1.0), where=n > 0, out=np.ones(3000)), -1)
        n[np.argmax(worth)] += 1
    assert found.tolist() == n.tolist()


def test_strata_that_seem_perfect_still_get_reviews() -> None:
    """Stops a stratum without a defect so far from being reviewed no more than its floor, whatever its size.

    Two strata of 10,000 in one queue, 0 of 40 and 4 of 40 defective: shrunken to (0 + 20 x 4.5 / 81) / 60 = 0.0185 and
    (4 + 20 x 4.5 / 81) / 60 = 0.0852, the first gets a third of the reviews instead of one.
    """
    shares = shrunken_shares(np.array([0, 4]), np.array([40, 40]), queue=np.array([0, 0]), prior_reviews=20.0)
    assert shares == pytest.approx([0.018519, 0.085185], abs=1e-6)
    population = np.array([10_000, 10_000])
    found = neyman_allocation(population, sd=np.sqrt(shares * (1 - shares)), floor=_no_floor(population), budget=300)
    assert found[0] == pytest.approx(300 / 3, abs=5)
    raw = neyman_allocation(population, sd=np.array([0.0, 0.3]), floor=_no_floor(population), budget=300)
    assert raw.tolist() == [1, 299]


@settings(deadline=None, derandomize=True)
@given(
    st.lists(st.tuples(st.integers(0, 200), st.integers(0, 200), st.integers(0, 4)), min_size=1, max_size=20),
    st.floats(0.5, 500),
)
def test_shrunken_shares_are_the_posterior_mean(rows: list[tuple[int, int, int]], prior_reviews: float) -> None:
    """Stops a share outside 0..1 or outside the span from its own rate to the queue's."""
    defects = np.array([row[0] for row in rows])
    reviewed = defects + np.array([row[1] for row in rows])
    queue = np.array([row[2] for row in rows])
    found = shrunken_shares(defects, reviewed, queue=queue, prior_reviews=prior_reviews)
    totals = [np.array([column[queue == own].sum() for own in queue]) for column in (defects, reviewed)]
    centre = scipy_stats.beta.mean(0.5 + totals[0], 0.5 + totals[1] - totals[0])
    prior = prior_reviews * centre, prior_reviews * (1 - centre)
    expected = scipy_stats.beta.mean(prior[0] + defects, prior[1] + reviewed - defects)
    assert found == pytest.approx(expected, rel=1e-9)
    assert np.all((found > 0) & (found < 1))


def test_shrinking_without_reviews_and_without_a_prior() -> None:
    """Stops a queue never reviewed from looking certain, and a prior of nothing from bringing zeros back."""
    found = shrunken_shares(np.array([0, 0]), np.array([0, 30]), queue=np.array([0, 1]), prior_reviews=5.0)
    assert found[0] == 0.5
    with pytest.raises(ValueError, match="more than 0"):
        shrunken_shares(np.array([0]), np.array([1]), queue=np.array([0]), prior_reviews=0.0)


@settings(deadline=None, derandomize=True, max_examples=200)
@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 6)), min_size=1, max_size=25),
    st.integers(0, 20),
)
def test_every_annotator_gets_the_floor(cells: list[tuple[int, int]], floor: int) -> None:
    """Stops an annotator from getting more or less than the floor over all queues, or a cell from getting more than its
    proportion rounded up."""
    population = np.array([cell[0] for cell in cells])
    annotator = np.array([cell[1] for cell in cells])
    found = annotator_floors(population, annotator=annotator, floor=floor)
    assert np.all((found >= 0) & (found <= population))
    for person in np.unique(annotator):
        own = annotator == person
        total = population[own].sum()
        assert found[own].sum() == min(floor, total)
        if total > 0:
            proportional = population[own] * min(floor / total, 1)
            assert np.all(np.abs(found[own] - proportional) < 1)


def _operation(seed: int) -> dict[str, np.ndarray]:
    """40 annotators in up to 3 of 6 strata each."""
    rng = np.random.default_rng(seed)
    pairs = [(stratum, person) for person in range(40) for stratum in rng.choice(6, rng.integers(1, 4), replace=False)]
    shares = np.array([0.01, 0.02, 0.05, 0.1, 0.2, 0.03])
    stratum = np.array([pair[0] for pair in pairs])
    return {
        "population": rng.integers(5, 400, len(pairs)),
        "stratum": stratum,
        "annotator": np.array([pair[1] for pair in pairs]),
        "sd": np.sqrt(shares * (1 - shares))[stratum],
    }


@pytest.mark.parametrize(
    ("budget", "floor", "kind"),
    [(2000, 5, "cell"), (60, 1, "annotator"), (60, 5, "annotator"), (30, 5, "stratum"), (60, 0, "stratum")],
)
def test_plans_keep_the_budget_and_the_floor(budget: int, floor: int, kind: str) -> None:
    """Stops a plan whose pools, chances and budget do not fit together, or one that drops the floor before it must."""
    cells = _operation(1)
    plan = review_plan(**cells, annotator_floor=floor, budget=budget)
    assert plan.pool_kind == kind
    pools, first = np.unique(plan.pool, return_index=True)
    assert plan.take[first].sum() == budget
    for pool in pools:
        own = plan.pool == pool
        assert cells["population"][own].sum() == plan.pool_size[own][0]
        assert len(set(plan.take[own])) == len(set(plan.inclusion_probability[own])) == 1
    assert plan.inclusion_probability == pytest.approx(plan.take / plan.pool_size)
    assert np.all(plan.inclusion_probability > 0)
    if kind != "stratum":
        reviews = np.bincount(cells["annotator"], weights=cells["population"] * plan.inclusion_probability)
        decisions = np.bincount(cells["annotator"], weights=cells["population"])
        reached = 1 if (budget, floor) == (60, 5) else floor
        assert np.all(reviews >= np.minimum(reached, decisions) - 1e-9)


@pytest.mark.parametrize(("floor", "budget"), [(0, 50), (5, 30)])
def test_strata_pools_get_the_allocation_of_strata(floor: int, budget: int) -> None:
    """Stops the annotators in a stratum from counting, as variation or by floors that nobody gets."""
    cells = _operation(4)
    plan = review_plan(**cells, annotator_floor=floor, budget=budget)
    population = np.bincount(cells["stratum"], weights=cells["population"]).astype(np.int64)
    sd = np.array([cells["sd"][cells["stratum"] == stratum][0] for stratum in range(6)])
    expected = neyman_allocation(population, sd=sd, floor=_no_floor(population), budget=budget)
    assert plan.pool_kind == "stratum"
    assert plan.take.tolist() == expected[cells["stratum"]].tolist()


def test_without_a_binding_floor_strata_get_neymans_share() -> None:
    """Stops cells from bending the allocation over strata: N S in proportion, to within a review a cell."""
    cells = _operation(2)
    plan = review_plan(**cells, annotator_floor=0, budget=4000)
    wanted = 4000 * cells["population"] * cells["sd"] / (cells["population"] * cells["sd"]).sum()
    assert np.all(wanted < cells["population"])
    per_stratum = np.bincount(cells["stratum"], weights=plan.take)
    cells_of = np.bincount(cells["stratum"])
    assert np.all(np.abs(per_stratum - np.bincount(cells["stratum"], weights=wanted)) <= cells_of)


def test_smallest_hashes_with_these_chances_estimate_without_bias() -> None:
    """Stops inclusion probabilities that do not undo the unequal sampling.

    500 nights of the rule in the module's first lines, the decisions' hashes being random numbers. Annotators of even
    number err on every third decision, the others hardly ever, and the floor makes small cells likelier to be picked.
    """
    cells = _operation(3)
    cells["population"] = np.where(cells["annotator"] % 2 == 0, cells["population"] // 10 + 1, cells["population"])
    plan = review_plan(**cells, annotator_floor=4, budget=300)
    cell = np.repeat(np.arange(len(plan.pool)), cells["population"])
    rng = np.random.default_rng(3)
    is_defect = rng.random(len(cell)) < np.where(cells["annotator"][cell] % 2 == 0, 1 / 3, 0.01)
    pool, take, chance = plan.pool[cell], plan.take[cell], plan.inclusion_probability[cell]
    start = np.searchsorted(pool, pool, side="left")
    weighted, plain = [], []
    for _ in range(500):
        rank = np.empty(len(cell), dtype=np.int64)
        rank[np.lexsort((rng.random(len(cell)), pool))] = np.arange(len(cell))
        is_picked = rank - start < take
        assert is_picked.sum() == 300
        weighted.append((is_defect[is_picked] / chance[is_picked]).sum() / len(cell))
        plain.append(is_defect[is_picked].mean())
    # Four standard errors of the mean of 500 nights; without the weights the error is many times that.
    tolerance = 4 * np.std(weighted) / np.sqrt(500)
    assert np.mean(weighted) == pytest.approx(is_defect.mean(), abs=tolerance)
    assert np.mean(plain) - is_defect.mean() > 10 * tolerance


def test_planned_error_is_the_one_found_by_sampling() -> None:
    """Stops a planned standard error that sampling does not show: 5,000 samples of two strata without replacement."""
    population, n = np.array([200, 800]), np.array([50, 40])
    defects = np.array([40, 80])
    share = defects / population
    rng = np.random.default_rng(6)
    found = rng.hypergeometric(defects, population - defects, n, (5000, 2)) / n @ population / 1000
    error = stratified_error(population, sd=np.sqrt(share * (1 - share)), n=n)
    # N for N - 1 is worth 0.25 % in the smaller stratum; the standard deviation of 5,000 has a standard error of 1 %.
    assert error == pytest.approx(found.std(), rel=0.045)
    assert stratified_error(population, sd=np.sqrt(share * (1 - share)), n=population) == 0


def test_negative_input_is_refused() -> None:
    """Stops a subtraction gone wrong upstream from becoming a plan."""
    one = np.array([1])
    for population, sd, floor, budget in (
        (-one, one, one, 1),
        (one, -one, one, 1),
        (one, one, -one, 1),
        (one, one, one, -1),
    ):
        with pytest.raises(ValueError, match="not negative"):
            neyman_allocation(population, sd=sd.astype(np.float64), floor=floor, budget=budget)
