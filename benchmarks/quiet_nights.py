"""`make study`: how often quiet nights raise an alarm on the control charts, and how soon a vendor's dip does.

Nights are simulated at the level of tallies: defects among reviews per day and series, the true rate of a day drawn
from a beta distribution when days differ (correlation rho between two reviews of a day). A night is its own draw of
baseline and days, so that nights are independent. What is measured is the product's own code, from tallies to
Benjamini-Hochberg. Operations are nights as `marts.control_chart` has them: queues, vendors, annotators and roll-ups
are series of the same reviews, and share the night's error rate by kind. Prints Markdown tables.
"""

import argparse
import itertools
from dataclasses import dataclass

import numpy as np

from qa_pipeline.marts.control_tests import RULES, night_adjusted
from qa_pipeline.stats.control import Judgement, fit_baseline
from qa_pipeline.stats.control_ewma import ewma
from qa_pipeline.stats.control_patterns import nelson_patterns
from qa_pipeline.stats.control_rare import judge_points
from qa_pipeline.stats.false_discovery import adjusted
from qa_pipeline.stats.jackknife import BoolArray, FloatArray, IntArray

BASELINES = (28, 62)
CORRELATIONS = (0.0, 0.001, 0.003, 0.01)
# Geometric means of the daily reviews of a series, and the spread of their logarithm between days.
REVIEWS = {"5 to 500": (5, 500), "5 to 30": (5, 30), "100 to 500": (100, 500)}
DAY_SPREAD = 0.3
RATES = (0.005, 0.15)
LONGEST = 30
SHARE_OF_DAYS_OFF = 0.05
RATE = 0.05
DIP_DAYS = 3
# A share of fewer charts says nothing.
LEAST_CHARTS = 1000
DIP_CORRELATIONS = (0.0, 0.003)
# Median reviews of an annotator a day, their spread and that of annotators' own rates as logarithms.
ANNOTATOR_REVIEWS, ANNOTATOR_SPREAD, ANNOTATOR_RATES = 6, 0.6, 0.3
QUEUES_EACH = 2
# Reviews a day, defect rate before, and what the dip multiplies it by: 2.4 is the simulator's vendor dip.
DIPS = ((60, 200, 600), (0.02, 0.06), (1.5, 2.4))


@dataclass(frozen=True)
class Setting:
    """One kind of night: `series` charts after `baseline` days, reviews a day from `least` to `most`, rho."""

    series: int
    baseline: int
    correlation: float
    reviews: str


@dataclass(frozen=True)
class Operation:
    """Queues whose annotators, of some vendors, decide in two queues each; `correlation` is that of a queue's day."""

    queues: int
    vendors: int
    annotators: int
    baseline: int
    correlation: float


@dataclass(frozen=True)
class QuietOperation:
    """What quiet nights of an operation did: nights with any alarm, and with one of a kind of subject."""

    operation: Operation
    nights: int
    alarms: int
    by_kind: dict[str, int]


KINDS = ("rater_kind", "vendor", "annotator")
OPERATIONS = tuple(
    Operation(*size, baseline=baseline, correlation=correlation)
    for size in ((8, 4, 60), (50, 20, 1000))
    for baseline in BASELINES
    for correlation in DIP_CORRELATIONS
)


@dataclass(frozen=True)
class Tests:
    """P-values `[days, series]` of a night's charts, and what annotated them."""

    point: Judgement
    average: Judgement
    is_rare: BoolArray
    is_patterned: BoolArray

    def alarms(self, *, rate: float = RATE) -> BoolArray:
        """Whether each day's Benjamini-Hochberg over all charts finds each chart, `[days, series]`."""
        found: BoolArray = adjusted(np.concatenate([self.point.p_value, self.average.p_value], axis=1)) <= rate
        series = self.point.p_value.shape[1]
        either: BoolArray = found[:, :series] | found[:, series:]
        return either


@dataclass(frozen=True)
class Quiet:
    """What quiet nights did: nights with any alarm, and shares of single tests at or below 0.001 and of patterns."""

    setting: Setting
    nights: int
    alarms: int
    by_point: int
    by_average: int
    point_tail: float
    average_tail: float
    patterned: float


@dataclass(frozen=True)
class Dip:
    """A vendor's dip: how many of `runs` were signalled on its first day, and within DIP_DAYS days."""

    setting: Setting
    reviews: int
    rate: float
    factor: float
    runs: int
    first_day: int
    within: int


def settings() -> list[Setting]:
    """Every setting of the study."""
    return [Setting(50, *values) for values in itertools.product(BASELINES, CORRELATIONS, REVIEWS)]


def draw(
    setting: Setting, *, days: int, rng: np.random.Generator, dip: tuple[int, float, float] | None = None
) -> tuple[FloatArray, FloatArray]:
    """Defects and reviews `[days, series]`; `dip` sets reviews, rate and factor of series 0's last DIP_DAYS days."""
    least, most = REVIEWS[setting.reviews]
    volume = np.exp(rng.uniform(np.log(least), np.log(most), setting.series))
    rate = np.exp(rng.uniform(np.log(RATES[0]), np.log(RATES[1]), setting.series))
    off = rng.random((days, setting.series)) < SHARE_OF_DAYS_OFF
    rates = np.tile(rate, (days, 1))
    if dip:
        volume[0], rates[:, 0], off[:, 0] = dip[0], dip[1], False
        rates[-DIP_DAYS:, 0] *= dip[2]
    reviews = rng.poisson(volume * np.exp(rng.normal(0, DAY_SPREAD, (days, setting.series))))
    reviews[off] = 0
    if setting.correlation:
        strength = 1 / setting.correlation - 1
        rates = rng.beta(rates * strength, (1 - rates) * strength)
    return rng.binomial(reviews, rates).astype(np.float64), reviews.astype(np.float64)


def test_night(defects: FloatArray, reviews: FloatArray, *, baseline: int) -> Tests:
    """The product's judgements on every day after the first `baseline` ones."""
    marked = np.zeros(reviews.shape, dtype=np.bool_)
    marked[:baseline] = True
    fitted = fit_baseline(defects, reviews, baseline=marked)
    rates = np.divide(defects, reviews, out=np.full(reviews.shape, np.nan), where=reviews > 0)
    patterns = nelson_patterns(np.where(fitted.is_rare, np.nan, rates), centre=fitted.share)
    patterned = (patterns.one_side != 0) | (patterns.trend != 0) | (patterns.alternating != 0)
    return Tests(
        point=judge_points(defects, reviews, fitted=fitted),
        average=ewma(defects, reviews, fitted=fitted).judgement,
        is_rare=fitted.is_rare,
        is_patterned=patterned,
    )


def quiet_nights(setting: Setting, *, nights: int, rng: np.random.Generator) -> Quiet:
    """Newest days of `nights` quiet nights, 1 to LONGEST days after the end of the baseline."""
    found = np.zeros(3, dtype=np.int64)
    point, average, patterned, judged, regular = 0, 0, 0, 0, 0
    for _ in range(nights):
        days = setting.baseline + int(rng.integers(1, LONGEST + 1))
        defects, reviews = draw(setting, days=days, rng=rng)
        tests = test_night(defects, reviews, baseline=setting.baseline)
        newest = [each.p_value[-1] for each in (tests.point, tests.average)]
        q_values = adjusted(np.concatenate(newest)).reshape(2, -1)
        found += [(q_values <= RATE).any(), (q_values[0] <= RATE).any(), (q_values[1] <= RATE).any()]
        point += int((newest[0] <= 0.001).sum())
        average += int((newest[1] <= 0.001).sum())
        judged += int(np.isfinite(newest[0]).sum())
        usual = ~tests.is_rare & (reviews[-1] > 0)
        patterned += int((tests.is_patterned[-1] & usual).sum())
        regular += int(usual.sum())
    return Quiet(
        setting=setting,
        nights=nights,
        alarms=int(found[0]),
        by_point=int(found[1]),
        by_average=int(found[2]),
        point_tail=point / max(1, judged),
        average_tail=average / max(1, judged),
        patterned=patterned / regular if regular >= LEAST_CHARTS else np.nan,
    )


def draw_operation(
    operation: Operation, *, days: int, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray, IntArray]:
    """Defects and reviews `[days, series]` of every series of the operation, and the kind of each `[series]`."""
    people = np.arange(operation.annotators)
    vendor = people % operation.vendors
    first = rng.integers(0, operation.queues, len(people))
    second = (first + 1 + rng.integers(0, operation.queues - 1, len(people))) % operation.queues
    queue, annotator = np.concatenate([first, second]), np.tile(people, QUEUES_EACH)
    own_rate = np.exp(rng.normal(0, ANNOTATOR_RATES, len(people)))
    volume = ANNOTATOR_REVIEWS / QUEUES_EACH * np.exp(rng.normal(0, ANNOTATOR_SPREAD, len(people)))
    at_work = rng.random((days, len(people))) >= SHARE_OF_DAYS_OFF
    rates = np.tile(np.exp(rng.uniform(np.log(RATES[0]), np.log(RATES[1]), operation.queues)), (days, 1))
    if operation.correlation:
        strength = 1 / operation.correlation - 1
        rates = rng.beta(rates * strength, (1 - rates) * strength)
    reviews = rng.poisson(volume[annotator] * at_work[:, annotator])
    defects = rng.binomial(reviews, np.minimum(rates[:, queue] * own_rate[annotator], 0.9))
    series = (
        (queue, np.zeros_like(queue)),
        (vendor[annotator] * operation.queues + queue, vendor[annotator]),
        (annotator,),
    )
    sums = [(kind, _sums(each, defects, reviews)) for kind, parts in enumerate(series) for each in parts]
    x, n = (np.concatenate([found[place] for _, found in sums], axis=1) for place in range(2))
    return x, n, np.concatenate([np.full(found[0].shape[1], kind) for kind, found in sums])


def _sums(series: IntArray, defects: IntArray, reviews: IntArray) -> tuple[FloatArray, FloatArray]:
    """Defects and reviews of `[days, parts]` added up over the parts of each of the `series` `[parts]`."""
    order = np.argsort(series, kind="stable")
    starts = np.flatnonzero(np.diff(series[order], prepend=-1))
    x, n = (np.add.reduceat(each[:, order], starts, axis=1).astype(np.float64) for each in (defects, reviews))
    return x, n


def quiet_operation(operation: Operation, *, nights: int, rng: np.random.Generator) -> QuietOperation:
    """Newest days of `nights` quiet nights of an operation, 1 to LONGEST days after the end of the baseline."""
    found = np.zeros(1 + len(KINDS), dtype=np.int64)
    for _ in range(nights):
        days = operation.baseline + int(rng.integers(1, LONGEST + 1))
        defects, reviews, kind = draw_operation(operation, days=days, rng=rng)
        tests = test_night(defects, reviews, baseline=operation.baseline)
        newest = [each.p_value[-1:] for each in (tests.point, tests.average)]
        family = night_adjusted(*newest, kind=kind, same_as=np.arange(len(kind)))
        is_alarm = np.any([family[rule][0] <= RATE for rule in RULES], axis=0)
        found += [is_alarm.any(), *((is_alarm & (kind == each)).any() for each in range(len(KINDS)))]
    return QuietOperation(
        operation, nights=nights, alarms=int(found[0]), by_kind=dict(zip(KINDS, found[1:].tolist(), strict=True))
    )


def dips(setting: Setting, *, dip: tuple[int, float, float], runs: int, rng: np.random.Generator) -> Dip:
    """How soon series 0, at `dip`'s reviews a day and rate, is signalled among quiet ones when its rate rises."""
    first, within = 0, 0
    for _ in range(runs):
        before = int(rng.integers(0, LONGEST))
        defects, reviews = draw(setting, days=setting.baseline + before + DIP_DAYS, rng=rng, dip=dip)
        tests = test_night(defects, reviews, baseline=setting.baseline)
        signalled = tests.alarms()[-DIP_DAYS:, 0]
        first += bool(signalled[0])
        within += bool(signalled.any())
    return Dip(setting, *dip, runs=runs, first_day=first, within=within)


def quiet_table(found: list[Quiet]) -> str:
    """Markdown: a line per setting of quiet nights."""
    lines = [
        "| baseline days | reviews a day | rho | nights | any alarm | point | EWMA | point .001 | EWMA .001 | Nelson |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for each in found:
        setting = each.setting
        lines.append(
            f"| {setting.baseline} | {setting.reviews} | {setting.correlation:g} | {each.nights:,} "
            f"| {each.alarms / each.nights:.1%} | {each.by_point / each.nights:.1%} "
            f"| {each.by_average / each.nights:.1%} | {each.point_tail:.3%} | {each.average_tail:.3%} "
            f"| {'' if np.isnan(each.patterned) else f'{each.patterned:.2%}'} |"
        )
    return "\n".join(lines)


def operation_table(found: list[QuietOperation]) -> str:
    """Markdown: a line per operation of quiet nights."""
    lines = [
        "| queues | vendors | annotators | baseline days | rho | nights | any alarm | queue | vendor | annotator |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for each in found:
        size = each.operation
        shares = " | ".join(f"{each.by_kind[kind] / each.nights:.1%}" for kind in KINDS)
        lines.append(
            f"| {size.queues} | {size.vendors} | {size.annotators:,} | {size.baseline} | {size.correlation:g} "
            f"| {each.nights:,} | {each.alarms / each.nights:.1%} | {shares} |"
        )
    return "\n".join(lines)


def dip_table(found: list[Dip]) -> str:
    """Markdown: a line per size of dip."""
    lines = [
        "| baseline days | rho | reviews a day | rate | times | runs | signalled on day 1 | within 3 days |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {each.setting.baseline} | {each.setting.correlation:g} | {each.reviews} | {each.rate:.1%} "
        f"| {each.factor:g} | {each.runs} | {each.first_day / each.runs:.0%} | {each.within / each.runs:.0%} |"
        for each in found
    ]
    return "\n".join(lines)


def main() -> None:
    """Run the study and print its tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nights", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=20261122)
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    quiet = [quiet_nights(setting, nights=arguments.nights, rng=rng) for setting in settings()]
    print(quiet_table(quiet), end="\n\n")
    operations = [quiet_operation(each, nights=arguments.nights, rng=rng) for each in OPERATIONS]
    print(operation_table(operations), end="\n\n")
    usual = [each for each in settings() if each.reviews == "5 to 500" and each.correlation in DIP_CORRELATIONS]
    found = [dips(each, dip=dip, runs=arguments.runs, rng=rng) for dip in itertools.product(*DIPS) for each in usual]
    print(dip_table(found))


if __name__ == "__main__":
    main()
