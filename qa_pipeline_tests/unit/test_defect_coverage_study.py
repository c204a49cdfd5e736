"""A short, seeded form of `make study`: the intervals of defect rates hold the truth as often as they promise."""

import numpy as np
import pytest

from benchmarks.coverage import PROMISE
from benchmarks.defect_coverage import (
    COMPARED,
    PLANS,
    Held,
    Setting,
    draw,
    measure_bounds,
    measure_corrected,
    measure_rate,
    population,
    settings,
)

RUNS = 500
# Three standard errors below 93 %.
LEAST = PROMISE - 3 * np.sqrt(PROMISE * (1 - PROMISE) / RUNS)
SETTINGS = [
    Setting("simple random", 1000, 0.005, 30),
    Setting("simple random", 100, 0.2, 90),
    Setting("unequal chances", 20_000, 0.05, 300),
    Setting("risk, defects x10", 20_000, 0.01, 2000),
    Setting("reverse, defects x1/3", 1000, 0.002, 300),
    Setting("reverse, defects x1/10", 20_000, 0.005, 2000),
    Setting("reverse, defects x1/10", 1000, 0.2, 30),
    Setting("strata, bad ones sampled less", 100, 0.05, 10),
]


def held(found: list[Held], figure: str) -> Held:
    return next(each for each in found if each.figure == figure)


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_given_intervals_hold_the_truth(setting: Setting) -> None:
    """Stops an interval that is too narrow wherever chances, or their tie to defects, are unkind."""
    for found in measure_rate(setting, runs=RUNS, rng=np.random.default_rng(7)):
        if found.figure not in COMPARED:
            assert found.given >= 0.9 * RUNS
            assert found.coverage > LEAST, found.figure


def test_the_rule_before_did_not_hold() -> None:
    """Stops a study that nothing can fail: Wilson on Kish's number misses every third time in the hard case."""
    found = measure_rate(SETTINGS[5], runs=RUNS, rng=np.random.default_rng(7))
    assert held(found, "rate, Wilson on Kish's number").coverage < 0.7


def test_the_largest_weight_of_the_plan_matters() -> None:
    """Stops the caller from passing the largest weight of the sample: what was never drawn is not in it."""
    found = measure_rate(SETTINGS[6], runs=RUNS, rng=np.random.default_rng(7))
    assert held(found, "rate, largest weight of the sample").coverage < 0.85
    assert held(found, "rate").coverage > LEAST


@pytest.mark.parametrize("pool", ["own reviews", "5,000 reviews"])
@pytest.mark.parametrize("plan", ["simple random", "reverse, defects x1/10", "strata, bad ones sampled less"])
def test_corrected_rates_hold_the_truth(plan: str, pool: str) -> None:
    """Stops a correction whose interval forgets that QA's errors are uncertain, or weights."""
    setting = Setting(plan, 20_000, 0.2, 900, f"0.8; 0.95; {pool}")
    found = held(measure_corrected(setting, runs=RUNS, rng=np.random.default_rng(7)), "corrected rate")
    assert found.given > 0.2 * RUNS
    assert found.covered / found.given > PROMISE - 3 * np.sqrt(PROMISE * (1 - PROMISE) / found.given)


def test_thin_arbitration_gives_no_interval() -> None:
    """Stops a corrected rate whose sensitivity rests on a handful of defects."""
    setting = Setting("simple random", 20_000, 0.002, 90, "0.8; 0.95; own reviews")
    found = held(measure_corrected(setting, runs=RUNS, rng=np.random.default_rng(7)), "corrected rate")
    assert found.given == 0


@pytest.mark.parametrize("plan", ["all the wrong ones appeal", "nobody with a case appeals"])
def test_bounds_hold_a_rate_at_their_very_ends(plan: str) -> None:
    """Stops an interval that is too short where the rate lies at one of its bounds."""
    for found in measure_bounds(Setting(plan, 1000, 0.05, 300), runs=RUNS, rng=np.random.default_rng(7)):
        assert found.coverage > LEAST, found.figure


@pytest.mark.parametrize("plan", PLANS)
def test_the_population_is_what_it_is_said_to_be(plan: str) -> None:
    """Stops a truth of another population, and weights that do not add up to it."""
    found = population(Setting(plan, 20_000, 0.05, 900))
    assert found.sizes.sum() == 20_000
    assert found.truth == pytest.approx(0.05)
    # A stratum's number is rounded to whole decisions, half a one each at most.
    assert found.sizes @ found.chances == pytest.approx(900, abs=2)
    drawn = draw(found, runs=4000, rng=np.random.default_rng(3))
    # Standard error of the mean sum of weights: about 20,000 / sqrt(900 * 4,000) = 11, more with unequal chances.
    assert (drawn @ found.weights).mean() == pytest.approx(20_000, abs=80)


def test_defects_are_sampled_as_the_plan_says() -> None:
    """Stops risk-correlated sampling from being independent of defects after all."""
    likelier = {}
    for plan in PLANS:
        found = population(Setting(plan, 20_000, 0.05, 900))
        chance = [
            np.average(found.chances[side], weights=found.sizes[side]) for side in (found.is_defect, ~found.is_defect)
        ]
        likelier[plan] = chance[0] / chance[1]
    assert likelier["simple random"] == likelier["equal chances"] == 1
    assert likelier["unequal chances"] == pytest.approx(1, abs=0.01)
    # Flagged: 80 % of the defects, 10 % of the rest: (0.8 r + 0.2) / (0.1 r + 0.9).
    assert likelier["risk, defects x10"] == pytest.approx(8.2 / 1.9, rel=0.01)
    assert likelier["reverse, defects x1/10"] == pytest.approx(0.28 / 0.91, rel=0.01)


def test_every_setting_has_a_defect_and_something_left_unsampled() -> None:
    """Stops settings in which nothing can go wrong."""
    found = list(settings())
    assert len(found) == len(set(found)) > 500
    assert all(each.sample < each.decisions and round(each.decisions * each.rate) >= 1 for each in found)
