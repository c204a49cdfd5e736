"""A short, seeded form of `make study`: the intervals of agreement hold the truth as often as they promise."""

import numpy as np
import pytest

from benchmarks.coverage import PROMISE, Setting, measure, population
from qa_pipeline.stats.agreement import krippendorff_alpha, percent_agreement

RUNS = 500
SETTINGS = [
    Setting(items=50, labels=2, raters="2", prevalence="balanced", accuracy="good"),
    Setting(items=100, labels=3, raters="5", prevalence="99:1", accuracy="poor"),
    Setting(items=300, labels=2, raters="1 to 5", prevalence="95:5", accuracy="good"),
    Setting(items=1000, labels=6, raters="3", prevalence="99:1", accuracy="good"),
]


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_given_intervals_hold_the_truth(setting: Setting) -> None:
    """Stops an interval that is too narrow, or a rule that gives one too early: three standard errors below 93 %."""
    for found in measure(setting, runs=RUNS, rng=np.random.default_rng(7)):
        if found.given >= RUNS / 4:
            slack = 3 * np.sqrt(PROMISE * (1 - PROMISE) / found.given)
            assert found.covered / found.given > PROMISE - slack, found.metric


def test_some_intervals_are_withheld_and_some_are_given() -> None:
    """Stops a rule that never speaks, which would hold its promise too."""
    given = {
        found.metric: found.given / RUNS for found in measure(SETTINGS[2], runs=RUNS, rng=np.random.default_rng(7))
    }
    assert given["percent agreement"] == 1
    assert given["AC1"] > 0.95
    assert 0.5 < given["alpha"] < 1


def test_the_population_is_what_it_is_said_to_be() -> None:
    """Stops a truth of another population: two raters who are right in 95 % of cases, two even labels.

    They agree with probability 0.95^2 + 0.05^2 = 0.905; with even labels alpha is 2 * 0.905 - 1 in a large sample.
    """
    chances, patterns = population(Setting(100, 2, "2", "balanced", "good"))
    assert chances.sum() == pytest.approx(1)
    counts, exact = chances * 1e12, np.eye(2)
    assert percent_agreement(counts, patterns, weights=exact).value == pytest.approx(0.905)
    assert krippendorff_alpha(counts, patterns, weights=exact, is_ordinal=False).value == pytest.approx(0.81)
