"""`make study`: how often the intervals of agreement hold the true value, by simulation, and how often one is given.

Populations are known exactly: an item's true label is drawn from a prevalence, raters err independently, so every
pattern of ratings has a probability and a run is one multinomial draw per replicate. What is measured is the product's
own code, from patterns to the choice of an interval. Writes the table in `docs/coverage.md`.
"""

import argparse
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import factorial, prod
from pathlib import Path

import numpy as np

from qa_pipeline.contracts import REPLICATES
from qa_pipeline.settings import project_root
from qa_pipeline.stats import agreement as stats
from qa_pipeline.stats.agreement import Coefficient, Patterns
from qa_pipeline.stats.agreement_intervals import Chosen, Evidence, choose_interval, degrees_of_freedom
from qa_pipeline.stats.jackknife import FloatArray, leave_one_out
from qa_pipeline.stats.scales import agreement_weights

ITEMS = (30, 50, 100, 300, 1000, 3000, 10_000)
LABELS = (2, 3, 6)
RATERS = {"2": {2: 1.0}, "3": {3: 1.0}, "5": {5: 1.0}, "1 to 5": {1: 0.4, 2: 0.3, 3: 0.2, 5: 0.1}}
PREVALENCES = {"balanced": 0.0, "95:5": 0.95, "99:1": 0.99}
ACCURACIES = {"good": 0.95, "poor": 0.75}
# A coverage from fewer runs says nothing.
LEAST_RUNS = 100
PROMISE = 0.93
# Units per pattern of the population, so many that corrections for small samples vanish.
POPULATION = 1e12
Metric = Callable[[FloatArray, Patterns], Coefficient]


@dataclass(frozen=True)
class Setting:
    """One population and sample size."""

    items: int
    labels: int
    raters: str
    prevalence: str
    accuracy: str


@dataclass(frozen=True)
class Measured:
    """Coverage of one metric in one setting: `given` of `runs` had an interval, `covered` of these held the truth."""

    setting: Setting
    metric: str
    runs: int
    given: int
    covered: int


def settings(items: tuple[int, ...] = ITEMS) -> Iterator[Setting]:
    """Every setting of the study."""
    for values in itertools.product(items, LABELS, RATERS, PREVALENCES, ACCURACIES):
        yield Setting(*values)


def population(setting: Setting) -> tuple[FloatArray, Patterns]:
    """Probability of every pattern of ratings, and the patterns."""
    count, most = setting.labels, PREVALENCES[setting.prevalence]
    rare = np.array([most] + [(1 - most) / (count - 1)] * (count - 1))
    shares = rare if most else np.full(count, 1 / count)
    accuracy = ACCURACIES[setting.accuracy]
    answers = np.full((count, count), (1 - accuracy) / (count - 1))
    np.fill_diagonal(answers, accuracy)
    found: list[tuple[FloatArray, float]] = []
    for raters, frequency in RATERS[setting.raters].items():
        for chosen in itertools.combinations_with_replacement(range(count), raters):
            ratings = np.bincount(chosen, minlength=count).astype(np.float64)
            orders = factorial(raters) / prod(factorial(int(n)) for n in ratings)
            found.append((ratings, frequency * orders * float(shares @ np.prod(answers**ratings, axis=1))))
    chances = np.array([chance for _, chance in found])
    return chances / chances.sum(), Patterns(np.array([ratings for ratings, _ in found]))


def metrics(labels: int) -> dict[str, tuple[str, Metric]]:
    """Name in the table -> the metric whose rules hold, and the coefficient."""
    exact = np.eye(labels)
    ordinal = agreement_weights("ordinal", values=np.arange(labels, dtype=np.float64))
    q = np.array(float(labels))
    return {
        "percent agreement": ("percent_agreement", lambda n, p: stats.percent_agreement(n, p, weights=exact)),
        "AC1": ("gwet_ac1", lambda n, p: stats.gwet_ac(n, p, weights=exact, categories=q)),
        "AC2, ordinal": ("gwet_ac2", lambda n, p: stats.gwet_ac(n, p, weights=ordinal, categories=q)),
        "Fleiss kappa": ("fleiss_kappa", lambda n, p: stats.fleiss_kappa(n, p, weights=exact)),
        "alpha": ("krippendorff_alpha", lambda n, p: stats.krippendorff_alpha(n, p, weights=exact, is_ordinal=False)),
        "alpha, ordinal": (
            "krippendorff_alpha",
            lambda n, p: stats.krippendorff_alpha(n, p, weights=ordinal, is_ordinal=True),
        ),
        "prevalence index": ("prevalence_index", lambda n, p: stats.prevalence_index(n, p, categories=q)),
    }


def measure(setting: Setting, *, runs: int, rng: np.random.Generator) -> list[Measured]:
    """Draw `runs` samples and count how often each metric's interval is given and holds the truth."""
    chances, patterns = population(setting)
    sizes = rng.multinomial(setting.items, np.full(REPLICATES, 1 / REPLICATES), size=runs)
    counts = np.stack([rng.multinomial(sizes[:, g], chances) for g in range(REPLICATES)], axis=1).astype(np.float64)
    found = []
    for name, (metric, coefficient) in metrics(setting.labels).items():
        truth = float(coefficient(chances * POPULATION, patterns).value)
        chosen = interval_of(metric, coefficient, counts, patterns)
        holds = (chosen.interval.low <= truth) & (truth <= chosen.interval.high)
        found.append(Measured(setting, name, runs, int(chosen.is_given.sum()), int((holds & chosen.is_given).sum())))
    return found


def interval_of(metric: str, coefficient: Metric, counts: FloatArray, patterns: Patterns) -> Chosen:
    """The product's interval for every run; `counts` `[runs, 20, P]`."""
    without = leave_one_out(counts)
    units = counts @ patterns.is_pairable.astype(np.float64)
    evidence = Evidence(
        units=units.T,
        unanimous=(counts @ patterns.is_unanimous.astype(np.float64)).T,
        minority=stats.minority_agreement(without[:, 0], patterns),
        wilson_units=units.sum(axis=1),
    )
    whole = coefficient(without[:, 0], patterns)
    effective = whole.effective_units(without[:, 0])
    return choose_interval(
        metric,
        statistics=coefficient(without, patterns).value.T,
        variance=whole.variance(without[:, 0]),
        degrees=degrees_of_freedom(metric, evidence, effective_units=effective),
        evidence=evidence,
    )


def table(found: list[Measured]) -> str:
    """Markdown: a line per metric and number of items."""
    lines = [
        "| metric | items | settings judged | least coverage | mean coverage | where least | runs without interval |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, items in itertools.product(metrics(2), sorted({each.setting.items for each in found})):
        mine = [each for each in found if each.metric == name and each.setting.items == items]
        judged = [each for each in mine if each.given >= LEAST_RUNS]
        without = 1 - sum(each.given for each in mine) / sum(each.runs for each in mine)
        if not judged:
            lines.append(f"| {name} | {items:,} | 0 | | | | {without:.0%} |")
            continue
        worst = min(judged, key=lambda each: each.covered / each.given)
        mean = sum(each.covered for each in judged) / sum(each.given for each in judged)
        where = worst.setting
        lines.append(
            f"| {name} | {items:,} | {len(judged)} | {worst.covered / worst.given:.1%} | {mean:.1%} | {where.labels} "
            f"labels, {where.raters} raters, {where.prevalence}, {where.accuracy} | {without:.0%} |"
        )
    return "\n".join(lines)


def page(found: list[Measured], *, runs: int, seed: int) -> str:
    """The whole of docs/coverage.md."""
    judged = [each for each in found if each.given >= LEAST_RUNS]
    below = [each for each in judged if each.covered / each.given < PROMISE]
    rest = [each for each in found if 0 < each.given < LEAST_RUNS]
    few = sum(each.covered for each in rest) / max(1, sum(each.given for each in rest))
    return f"""# How often do the intervals of agreement hold? (statistician)

`make study` writes this page (seed {seed}). {runs:,} runs a setting: {", ".join(f"{n:,}" for n in ITEMS)} items; 2, 3
and 6 labels; 2, 3, 5 or 1 to 5 raters an item; labels balanced or one of them at 95 or 99 %; raters right in 95 %
(good) or 75 % (poor) of cases. The truth is known exactly from the population. Coverage is the share of *given* 95 %
intervals that hold it; a setting is judged when at least {LEAST_RUNS} runs gave an interval.

**{len(below)} of {len(judged)} settings lie below {PROMISE:.0%}.** In the {len(rest)} settings in which some but fewer
than {LEAST_RUNS} runs gave an interval, {few:.1%} of these held. The last column is what the promise costs: runs that
say "not enough data" instead.

{table(found)}
"""


def main() -> None:
    """Run the study and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=20261122)
    parser.add_argument("--out", type=Path, default=project_root() / "docs" / "coverage.md")
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    found: list[Measured] = []
    for setting in settings():
        found += measure(setting, runs=arguments.runs, rng=rng)
    arguments.out.write_text(page(found, runs=arguments.runs, seed=arguments.seed), encoding="utf-8")
    judged = [each for each in found if each.given >= LEAST_RUNS]
    worst = min(judged, key=lambda each: each.covered / each.given)
    below = sum(each.covered / each.given < PROMISE for each in judged)
    print(f"agreement settings judged: {len(judged)} settings")
    print(f"agreement settings below {PROMISE:.0%}: {below} settings")
    print(f"agreement least coverage: {100 * worst.covered / worst.given:.1f} % ({worst.metric}, {worst.setting})")


if __name__ == "__main__":
    main()
