"""`make study`: how often the intervals of defect rates hold the true rate, by simulation, and how often one is given.

A population is a finite number of decisions in classes that share an inclusion probability and are defects or not, so
a run is one draw per class. What is measured is the product's own code, from sums of weights to the interval. Writes
the tables in `docs/defect_coverage.md`.
"""

import argparse
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.coverage import LEAST_RUNS, PROMISE
from qa_pipeline.contracts import REPLICATES
from qa_pipeline.settings import project_root
from qa_pipeline.stats.arbitration import qa_errors
from qa_pipeline.stats.corrected_rates import Measured, corrected_rate, lang_reiczigel
from qa_pipeline.stats.jackknife import (
    BoolArray,
    FloatArray,
    IntArray,
    Interval,
    divide,
    interval,
    leave_one_out,
    may_speak,
    rarer_outcome,
)
from qa_pipeline.stats.proportions import effective_n, wilson
from qa_pipeline.stats.selection_bounds import manski_bounds, narrowed_bounds
from qa_pipeline.stats.severity import severity_scores
from qa_pipeline.stats.weighted_means import (
    WeightedSums,
    effective_units,
    finite_interval,
    mean_interval,
    sums_of_classes,
    widest,
)

DECISIONS = (100, 1000, 20_000)
RATES = (0.002, 0.005, 0.01, 0.05, 0.2)
SAMPLES = (10, 30, 90, 300, 900, 2000)
# Share of defects and of right decisions that a risk score flags, and how much likelier flagged ones are sampled.
RISKS = {
    "risk, defects x3": (0.8, 0.1, 3.0),
    "risk, defects x10": (0.8, 0.1, 10.0),
    "reverse, defects x1/3": (0.8, 0.1, 1 / 3),
    "reverse, defects x1/10": (0.8, 0.1, 0.1),
    "reverse, half of the defects x1/10": (0.5, 0.2, 0.1),
}
# Five levels of chances that have nothing to do with defects: how much likelier, and share of the decisions.
LEVELS = (np.array([1.0, 2, 4, 7, 10]), np.array([0.4, 0.25, 0.2, 0.1, 0.05]))
# Four market x queue: share of the decisions, how much larger the sampling fraction, and how much likelier defects are.
STRATA = (np.array([0.5, 0.25, 0.15, 0.1]), np.array([1.0, 2, 4, 10]))
STRATUM_RATES = {
    "strata, same rates": np.array([1.0, 1, 1, 1]),
    "strata, bad ones sampled more": np.array([1.0, 2, 4, 8]),
    "strata, bad ones sampled less": np.array([8.0, 4, 2, 1]),
}
SIMPLE, EQUAL, INDEPENDENT = "simple random", "equal chances", "unequal chances"
PLANS = (SIMPLE, EQUAL, INDEPENDENT, *RISKS, *STRATUM_RATES)
# Severities of defects: share and weight of critical, major and minor ones.
SEVERITIES = (np.array([0.05, 0.25, 0.7]), np.array([10.0, 5.0, 1.0]))
SENSITIVITIES, SPECIFICITIES = (0.8, 0.95), (0.95, 0.995)
# Chance with which a verdict is arbitrated: no defect, defect.
ARBITRATED = np.array([0.1, 0.5])
# Reviews behind arbitration: those of the sample itself, or of a longer time too.
POOLS = {"own reviews": 0, "5,000 reviews": 5000}


@dataclass(frozen=True)
class Setting:
    """One population and plan of sampling; `detail` says what else is set."""

    plan: str
    decisions: int
    rate: float
    sample: int
    detail: str = ""


@dataclass(frozen=True)
class Held:
    """Coverage of one figure in one setting: `given` of `runs` had an interval, `covered` of these held the truth."""

    setting: Setting
    figure: str
    runs: int
    given: int
    covered: int

    @property
    def coverage(self) -> float:
        """Share of the given intervals that hold."""
        return self.covered / max(1, self.given)


@dataclass(frozen=True)
class Population:
    """`sizes`, `chances` and `is_defect` of every class `[classes]`; `strata` are sampled in fixed numbers."""

    sizes: IntArray
    chances: FloatArray
    is_defect: BoolArray
    strata: int

    @property
    def truth(self) -> float:
        """The true rate of this finite number of decisions."""
        return float(self.sizes[self.is_defect].sum() / self.sizes.sum())

    @property
    def weights(self) -> FloatArray:
        """1 / chance of every class."""
        return 1 / self.chances


def settings(
    plans: tuple[str, ...] = PLANS, decisions: tuple[int, ...] = DECISIONS, samples: tuple[int, ...] = SAMPLES
) -> Iterator[Setting]:
    """Every setting with at least one defect and fewer sampled decisions than there are."""
    for plan, size, rate, sample in itertools.product(plans, decisions, RATES, samples):
        if sample < size and round(size * rate) >= 1:
            yield Setting(plan, size, rate, sample)


def population(setting: Setting) -> Population:
    """The classes of a setting, with chances that give its sample size on average."""
    defects = round(setting.decisions * setting.rate)
    right = setting.decisions - defects
    strata = 0
    if setting.plan in RISKS:
        flagged, false_flags, ratio = RISKS[setting.plan]
        relative = np.array([ratio, 1.0])
        shares = np.array([flagged, 1 - flagged]), np.array([false_flags, 1 - false_flags])
    elif setting.plan in STRATUM_RATES:
        relative, strata = STRATA[1], len(STRATA[0])
        bad = STRATA[0] * STRATUM_RATES[setting.plan]
        shares = bad / bad.sum(), STRATA[0]
    elif setting.plan == INDEPENDENT:
        relative, shares = LEVELS[0], (LEVELS[1], LEVELS[1])
    else:
        relative, shares = np.ones(1), (np.ones(1), np.ones(1))
        strata = 1 if setting.plan == SIMPLE else 0
    sizes = np.concatenate([_split(defects, shares[0]), _split(right, shares[1])])
    places = len(relative)
    chances = _chances(sizes, np.tile(relative, 2), sample=setting.sample)
    if strata:
        # A fixed number per stratum, so the chance is that number over the stratum's size.
        whole = sizes[:places] + sizes[places:]
        drawn = np.clip(np.round(chances[:places] * whole), 1, whole)
        chances = np.tile(drawn / whole, 2)
    return Population(sizes, chances, np.repeat([True, False], places), strata)


def _split(total: int, shares: FloatArray) -> IntArray:
    ends = np.floor(np.cumsum(shares) / shares.sum() * total + 0.5).astype(np.int64)
    return np.diff(np.concatenate([[0], ends]))


def _chances(sizes: IntArray, relative: FloatArray, *, sample: int) -> FloatArray:
    """Inclusion probabilities in proportion to `relative`, none above 1, that add up to the sample size."""
    low, high = 0.0, float(sizes.sum())
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if sizes @ np.minimum(1, relative * middle) < sample else (low, middle)
    return np.minimum(1, relative * high)


def draw(found: Population, *, runs: int, rng: np.random.Generator) -> IntArray:
    """Sampled decisions of every class, `[runs, classes]`: fixed numbers per stratum, else each decision on its own."""
    if not found.strata:
        return rng.binomial(found.sizes, found.chances, size=(runs, len(found.sizes)))
    bad, good = found.sizes[: found.strata], found.sizes[found.strata :]
    drawn = np.round(found.chances[: found.strata] * (bad + good)).astype(np.int64)
    defects = rng.hypergeometric(bad, good, drawn, size=(runs, found.strata))
    return np.concatenate([defects, drawn - defects], axis=1)


def sums(counts: FloatArray, *, weights: FloatArray, scores: FloatArray, is_finite: bool) -> WeightedSums:
    """The sums of `counts` `[..., classes]`, weights and scores `[classes]`."""
    return sums_of_classes(
        units=counts,
        weight=counts * weights,
        squared_weight=counts * weights**2,
        scores=scores,
        is_finite=is_finite,
    )


def rate_interval(counts: IntArray, found: Population, *, rng: np.random.Generator, largest: FloatArray) -> Interval:
    """The product's interval of the rate for every run: the jackknife widens it where it may speak."""
    scores, weights = found.is_defect.astype(np.float64), found.weights
    finite = sums(counts.astype(np.float64), weights=weights, scores=scores, is_finite=True)
    chosen = mean_interval(finite, largest_weight=largest, is_finite=True)
    if found.strata == 1 or np.ptp(weights) == 0:
        return chosen
    process = sums(counts.astype(np.float64), weights=weights, scores=scores, is_finite=False)
    ratio = np.sqrt(divide(finite.variance, process.variance))
    spread = rng.multinomial(counts, np.full(REPLICATES, 1 / REPLICATES)).astype(np.float64)
    units, events = spread.sum(axis=1).T, (spread * scores[:, None]).sum(axis=1).T
    weight = leave_one_out((spread * weights[:, None]).sum(axis=1).T)
    value = leave_one_out((spread * (weights * scores)[:, None]).sum(axis=1).T)
    jackknife = interval(np.clip(divide(value, weight), 0, 1), transform="logit")
    rarer, replicates = rarer_outcome(events, units - events)
    speaks = may_speak(units.sum(axis=0), rarer, replicates) & jackknife.is_given
    jackknife = finite_interval(jackknife, mean=finite.mean, ratio=ratio)
    both = widest(chosen, jackknife)
    return Interval(low=np.where(speaks, both.low, chosen.low), high=np.where(speaks, both.high, chosen.high))


def measure_rate(setting: Setting, *, runs: int, rng: np.random.Generator) -> list[Held]:
    """The rate and the severity-weighted rate: the product's intervals, and two that are not given, for comparison."""
    found = population(setting)
    counts = draw(found, runs=runs, rng=rng)
    counts = counts[counts.sum(axis=1) > 0]
    numbers, weights = counts.astype(np.float64), found.weights
    largest = np.full(len(counts), weights.max())
    seen = np.where(counts > 0, weights, 0).max(axis=1)
    weight, squares = numbers @ weights, numbers @ weights**2
    rate = numbers @ (weights * found.is_defect) / weight
    figures = {
        "rate": rate_interval(counts, found, rng=rng, largest=largest),
        "rate, largest weight of the sample": rate_interval(counts, found, rng=rng, largest=seen),
        "rate, Wilson on Kish's number": wilson(rate, effective_n(numbers.sum(axis=1), weight, squares)),
    }
    held = [_held(setting, name, runs, each, found.truth) for name, each in figures.items()]
    return [*held, _severity(setting, found, counts, runs=runs, rng=rng)]


def _severity(setting: Setting, found: Population, counts: IntArray, *, runs: int, rng: np.random.Generator) -> Held:
    """Defects of every class are of three severities in fixed numbers; those sampled are drawn from these."""
    shares, points = SEVERITIES
    places = np.flatnonzero(found.is_defect)
    sizes = [_split(int(found.sizes[place]), shares) for place in places]
    defects = [_severities(each, counts[:, place], rng=rng) for place, each in zip(places, sizes, strict=True)]
    clear = counts[:, ~found.is_defect]
    units = np.concatenate([*defects, clear], axis=1).astype(np.float64)
    weights = np.concatenate([np.repeat(found.weights[places], len(points)), found.weights[~found.is_defect]])
    scores, scale = severity_scores(np.concatenate([np.tile(points, len(places)), np.zeros(clear.shape[1])]))
    finite = sums(units, weights=weights, scores=scores, is_finite=True)
    share = mean_interval(finite, largest_weight=np.full(len(units), weights.max()), is_finite=True)
    measured = Interval(low=share.low * scale, high=share.high * scale)
    truth = float(sum(each @ points for each in sizes) / found.sizes.sum() * 1000)
    return _held(setting, "severity-weighted per 1,000", runs, measured, truth)


def _severities(sizes: IntArray, drawn: IntArray, *, rng: np.random.Generator) -> IntArray:
    """Severities of `drawn` `[runs]` defects out of `sizes` `[severities]`, `[runs, severities]`."""
    found = []
    for place, size in enumerate(sizes[:-1]):
        found.append(rng.hypergeometric(size, sizes[place + 1 :].sum(), drawn))
        drawn = drawn - found[-1]
    return np.stack([*found, drawn], axis=1)


def _held(setting: Setting, figure: str, runs: int, chosen: Interval, truth: float) -> Held:
    given = chosen.is_given
    holds = given & (chosen.low <= truth) & (truth <= chosen.high)
    return Held(setting, figure, runs, int(given.sum()), int(holds.sum()))


def corrected_settings(
    plans: tuple[str, ...] = PLANS, decisions: tuple[int, ...] = (1000, 20_000), samples: tuple[int, ...] = SAMPLES[2:]
) -> Iterator[Setting]:
    """Settings of the corrected rate; `detail` is sensitivity, specificity and the pool of arbitration."""
    for setting in settings(plans, decisions, samples):
        for detail in itertools.product(SENSITIVITIES, SPECIFICITIES, POOLS):
            yield Setting(**{**vars(setting), "detail": "; ".join(str(part) for part in detail)})


def measure_corrected(setting: Setting, *, runs: int, rng: np.random.Generator) -> list[Held]:
    """The corrected rate, as the product makes it and by Lang and Reiczigel on the effective number.

    A verdict errs by chance. Arbitration picks verdicts at random, defects more often, from the sample itself or also
    from `POOLS` reviews of a longer time drawn by the same plan.
    """
    sensitivity, specificity, pool = setting.detail.split("; ")
    found = population(setting)
    counts = draw(found, runs=runs, rng=rng)
    says = np.where(found.is_defect, float(sensitivity), 1 - float(specificity))
    alarms = rng.binomial(counts, says)
    said = np.concatenate([alarms, counts - alarms], axis=1).astype(np.float64)
    is_alarm = np.repeat([1.0, 0.0], len(says))
    weights = np.tile(found.weights, 2)
    process = sums(said, weights=weights, scores=is_alarm, is_finite=False)
    largest = np.full(runs, weights.max())
    apparent = Measured(process.mean, mean_interval(process, largest_weight=largest, is_finite=False))
    verdicts = _verdicts(alarms, counts - alarms, found.is_defect)
    if POOLS[pool]:
        more = rng.multinomial(POOLS[pool], found.sizes * found.chances / (found.sizes @ found.chances), size=runs)
        more_alarms = rng.binomial(more, says)
        verdicts = verdicts + _verdicts(more_alarms, more - more_alarms, found.is_defect)
    arbitrated = rng.binomial(verdicts, ARBITRATED[:, None]).astype(np.float64)
    errors = qa_errors(
        arbitrated,
        weight=arbitrated / ARBITRATED[:, None],
        squared_weight=arbitrated / ARBITRATED[:, None] ** 2,
        largest_weight=np.full(runs, 1 / ARBITRATED.min()),
        verdicts=verdicts.sum(axis=-1).astype(np.float64),
    )
    ours = corrected_rate(apparent, sensitivity=errors.sensitivity, specificity=errors.specificity).interval
    clear, defects = arbitrated.sum(axis=1).T
    theirs = lang_reiczigel(
        apparent.value,
        units=np.nan_to_num(effective_units(process), nan=1.0),
        sensitivity=errors.sensitivity.value,
        defects=defects,
        specificity=errors.specificity.value,
        clear=clear,
    )
    return [
        _held(setting, name, runs, _where(errors.is_known, each), found.truth)
        for name, each in {"corrected rate": ours, "corrected rate, Lang and Reiczigel": theirs}.items()
    ]


def _verdicts(alarms: IntArray, passes: IntArray, is_defect: BoolArray) -> IntArray:
    """Verdicts by what QA said (0 no defect, 1 defect) and what is true, `[runs, 2, 2]`."""
    sides = [[part[:, ~is_defect].sum(axis=1), part[:, is_defect].sum(axis=1)] for part in (passes, alarms)]
    return np.stack([np.stack(side, axis=-1) for side in sides], axis=1)


def _where(chosen: BoolArray, found: Interval) -> Interval:
    return Interval(low=np.where(chosen, found.low, np.nan), high=np.where(chosen, found.high, np.nan))


# Appeals: chance that a wrong decision is appealed, that a right one is, and that an appeal against a wrong one wins.
APPEALS = {
    "few appeal": (0.05, 0.01, 0.9),
    "many appeal": (0.6, 0.05, 0.9),
    "all the wrong ones appeal": (1.0, 0.02, 1.0),
    "nobody with a case appeals": (0.0, 0.02, 1.0),
}


def bounds_settings() -> Iterator[Setting]:
    """Settings of the bounds on the overturn rate; the plan is who appeals, the sample that of random QA."""
    for plan, decisions, rate, sample in itertools.product(APPEALS, (1000, 20_000), RATES[1:], SAMPLES[1:5]):
        if sample < decisions:
            yield Setting(plan, decisions, rate, sample)


def measure_bounds(setting: Setting, *, runs: int, rng: np.random.Generator) -> list[Held]:
    """Manski's bounds and those narrowed by random QA: do they hold the rate had every decision been appealed?"""
    if_wrong, if_right, wins = APPEALS[setting.plan]
    wrong = rng.binomial(setting.decisions, setting.rate, size=runs)
    appealed_wrong = rng.binomial(wrong, if_wrong)
    appealed = (appealed_wrong + rng.binomial(setting.decisions - wrong, if_right)).astype(np.float64)
    open_ = rng.binomial(appealed_wrong, 0.1)
    overturned = rng.binomial(appealed_wrong - open_, wins).astype(np.float64)
    decisions = np.full(runs, float(setting.decisions))
    seen = rng.hypergeometric(wrong, setting.decisions - wrong, setting.sample)
    weight = setting.decisions / setting.sample
    errors = sums(
        np.stack([seen, setting.sample - seen], axis=1).astype(np.float64),
        weights=np.full(2, weight),
        scores=np.array([1.0, 0.0]),
        is_finite=False,
    )
    measured = Measured(errors.mean, mean_interval(errors, largest_weight=np.full(runs, weight), is_finite=False))
    counts = {"decisions": decisions, "appealed": appealed, "overturned": overturned, "open_": open_.astype(np.float64)}
    found = {
        "overturn rate, Manski's bounds": manski_bounds(**counts),
        "overturn rate, narrowed by random QA": narrowed_bounds(**counts, errors=measured),
    }
    return [_held(setting, name, runs, each.interval, setting.rate * wins) for name, each in found.items()]


# Figures that the product does not give: what the rule is compared with, or what it supposes.
COMPARED = (
    "rate, largest weight of the sample",
    "rate, Wilson on Kish's number",
    "corrected rate, Lang and Reiczigel",
)


def table(held: list[Held]) -> str:
    """Markdown: a line per figure and plan."""
    lines = [
        "| figure | plan | settings judged | below 93 % | least coverage | mean coverage | where least | not given |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for figure in dict.fromkeys(each.figure for each in held):
        for plan in dict.fromkeys(each.setting.plan for each in held if each.figure == figure):
            mine = [each for each in held if (each.figure, each.setting.plan) == (figure, plan)]
            lines.append(f"| {figure} | {plan} | {_summary(mine)} |")
    return "\n".join(lines)


def _summary(mine: list[Held]) -> str:
    judged = [each for each in mine if each.given >= LEAST_RUNS]
    without = 1 - sum(each.given for each in mine) / sum(each.runs for each in mine)
    if not judged:
        return f"0 | | | | | {without:.1%}"
    worst = min(judged, key=lambda each: each.coverage)
    mean = sum(each.covered for each in judged) / sum(each.given for each in judged)
    where = f"{worst.setting.sample:,} of {worst.setting.decisions:,}, {worst.setting.rate:.1%}"
    detail = f"; {worst.setting.detail}" if worst.setting.detail else ""
    below = sum(each.coverage < PROMISE for each in judged)
    return f"{len(judged)} | {below} | {worst.coverage:.1%} | {mean:.1%} | {where}{detail} | {without:.1%}"


def page(held: list[Held], *, runs: int, seed: int) -> str:
    """The whole of docs/defect_coverage.md."""
    ours = [each for each in held if each.figure not in COMPARED and each.given >= LEAST_RUNS]
    below = sum(each.coverage < PROMISE for each in ours)
    given = [each for each in held if each.figure not in COMPARED]
    compared = [each for each in held if each.figure in COMPARED]
    return f"""# How often do the intervals of defect rates hold? (statistician)

`make study` writes this page (seed {seed}). {runs:,} runs a setting: {", ".join(f"{n:,}" for n in DECISIONS)}
decisions; true rates of {", ".join(f"{rate:.1%}" for rate in RATES)}; samples of
{", ".join(f"{n:,}" for n in SAMPLES)}. The truth is the rate of those very decisions. Coverage is the share of *given*
95 % intervals that hold it; a setting is judged when at least {LEAST_RUNS} runs gave an interval.

- *simple random*: a fixed number is drawn; *equal chances*: each decision on its own
- *unequal chances*: five levels, 1 to 10, that have nothing to do with defects
- *risk*: a score flags 80 % of the defects and 10 % of the rest; what it flags is sampled 3 or 10 times likelier
- *reverse*: the same, 3 or 10 times less likely (*half*: the score flags 50 and 20 %)
- *strata*: four market x queue with sampling fractions of 1 : 2 : 4 : 10
- severity: 5 % of the defects are critical (10 points), 25 % major (5), the rest minor (1)
- corrected rate: sensitivity {" or ".join(map(str, SENSITIVITIES))},
  specificity {" or ".join(map(str, SPECIFICITIES))}; half of the defect verdicts and a tenth of the others arbitrated,
  of the sample alone (*own reviews*) or of 5,000 more; not given with under 10 arbitrated defects or right decisions
- overturn rate: had every decision been appealed, where 0 to 100 % of the wrong ones are and 1 to 5 % of the others

**{below} of {len(ours)} settings lie below {PROMISE:.0%}.**

{table(given)}

## What the rule is compared with

*Wilson on Kish's number* is what weighted rates had before. *Largest weight of the sample*: the same rule when the
plan's largest weight is not known and that of the sampled decisions is taken for it. *Lang and Reiczigel*: their
interval on the effective number. The product gives none of these.

{table(compared)}
"""


def main() -> None:
    """Run the study and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=20261122)
    parser.add_argument("--out", type=Path, default=project_root() / "docs" / "defect_coverage.md")
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    held: list[Held] = []
    studies = (
        (settings(), measure_rate),
        (corrected_settings(), measure_corrected),
        (bounds_settings(), measure_bounds),
    )
    for chosen, measure in studies:
        for setting in chosen:
            held += measure(setting, runs=arguments.runs, rng=rng)
    arguments.out.write_text(page(held, runs=arguments.runs, seed=arguments.seed), encoding="utf-8")
    judged = [each for each in held if each.figure not in COMPARED and each.given >= LEAST_RUNS]
    worst = min(judged, key=lambda each: each.coverage)
    print(f"defect settings judged: {len(judged)} settings")
    print(f"defect settings below {PROMISE:.0%}: {sum(each.coverage < PROMISE for each in judged)} settings")
    print(f"defect least coverage: {100 * worst.coverage:.1f} % ({worst.figure}, {worst.setting})")


if __name__ == "__main__":
    main()
