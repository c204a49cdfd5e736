"""QA: re-reviews of decisions, arbitration of reviews, and appeals.

Each function takes the decisions of one day and returns rows with `offset`, the days until the review or appeal is
made; the caller holds them until then. Which decisions of models are reviewed is drawn in `models`.
"""

import datetime as dt

import numpy as np

from qa_pipeline.simulation.arrays import Bools, Floats, Ints, Rows, count, day_bounds, draw, join, numbers, take
from qa_pipeline.simulation.labels import PRODUCTION
from qa_pipeline.simulation.models import RANDOM, TARGETED
from qa_pipeline.simulation.operation import MARKETS, MAX_CATEGORIES, QUEUES, TIME_ZONES
from qa_pipeline.simulation.plan import Plan
from qa_pipeline.simulation.world import EXPERT, REVIEWER

OF_LABEL, OF_PREDICTION, OF_REVIEW = range(3)
APPEAL = 2
NONE, FALSE_POSITIVE, FALSE_NEGATIVE, WRONG_POLICY, TECHNICAL = range(5)
CRITICAL, MAJOR, MINOR = range(3)
UPHELD, OVERTURNED, PARTIAL = range(3)
LAG_CHANCES = (0.55, 0.20, 0.11, 0.07, 0.04, 0.03)
# Queues where risky decisions are picked more often; in the others every decision has the same chance.
RISK_SAMPLED = frozenset({"spam", "violence"})
REVIEWER_ERROR = 0.03
# A reviewer who sees the annotator's answer lets a wrong one pass more often.
ANCHORING = 0.10
SHARE_BLIND = 0.35
# Chance that experts arbitrate a verdict: of one that calls a defect, and of one that calls none.
ARBITRATED_CALLED, ARBITRATED_CLEAN = 0.25, 0.04
# What arbitration finds is the truth: QA's own accuracy is measured against it.
ARBITER_ERROR = 0.0
CRITICAL_WEIGHT = 5.0


def violating() -> Bools:
    """Return queues x answers: does the answer break a policy?"""
    table = np.zeros((len(QUEUES), MAX_CATEGORIES), dtype=np.bool_)
    for index, queue in enumerate(QUEUES):
        table[index, : len(queue.categories)] = queue.is_violating
    return table


def _severity_weights() -> Floats:
    table = np.zeros((len(QUEUES), MAX_CATEGORIES))
    for index, queue in enumerate(QUEUES):
        table[index, : len(queue.categories)] = queue.severity
    return table


def _lags(rng: np.random.Generator, size: int, *, longest: int = 5) -> Ints:
    chances = np.cumsum(LAG_CHANCES[: longest + 1]) / sum(LAG_CHANCES[: longest + 1])
    chances[-1] = 1.0
    return draw(np.tile(chances, (size, 1)), rng.random(size))


def _moments(rng: np.random.Generator, rows: Rows, *, day: dt.date) -> Ints:
    """Return a time within the market's local day of `offset`, after `decided_at`."""
    found = np.zeros(count(rows), dtype=np.int64)
    for offset in range(len(LAG_CHANCES)):
        start, end = day_bounds(day + dt.timedelta(days=offset), TIME_ZONES)
        mine = rows["offset"] == offset
        market = rows["market"][mine]
        begin = np.maximum(start[market], rows["decided_at"][mine] + 1)
        found[mine] = (begin + (end[market] - 1 - begin) * rng.random(len(market))).astype(np.int64)
    return found


def label_targets(plan: Plan, rng: np.random.Generator, labels: Rows, *, answers_right: Bools) -> Rows:
    """Return the production decisions of a day that QA picks, with sampling and inclusion probability.

    Random in every stratum (market x queue): equal chances, or, in the queues of RISK_SAMPLED, three times the chance
    for violating answers and twice for people new on the job. Targeted: what looks wrong; half without a chance.
    """
    base = plan.review_rate() * np.where(np.array([spec.share for spec in MARKETS]) < 0.15, 1.5, 1.0)
    probability = base[labels["market"]]
    risky = np.array([queue.code in RISK_SAMPLED for queue in QUEUES])[labels["queue"]]
    is_new = (labels["submitted"] // 86_400_000 + 719_163) - plan.world.hired[labels["rater"]] < 30
    weight = np.where(violating()[labels["queue"], labels["answer"]], 3.0, 1.0) * np.where(is_new, 2.0, 1.0)
    probability = np.minimum(1.0, np.where(risky, probability * weight * 0.6, probability))
    eligible = labels["stage"] == PRODUCTION
    is_random = eligible & (rng.random(len(eligible)) < probability)
    # A score that is high for three quarters of the wrong answers and a tenth of the right ones picks what to look at.
    is_suspect = rng.random(len(eligible)) < np.where(answers_right, 0.1, 0.75)
    chance = np.where(is_suspect, plan.review_rate() / 2, plan.review_rate() / 20)
    is_targeted = eligible & ~is_random & (rng.random(len(eligible)) < chance)
    index = np.flatnonzero(is_random | is_targeted)
    rows = {name: labels[name][index] for name in ("item", "market", "queue", "truth", "answer", "rater")}
    rows["target"] = labels["label_id"][index]
    rows["decided_at"] = labels["submitted"][index]
    rows["sampling"] = np.where(is_random[index], RANDOM, TARGETED)
    targeted = np.where(rng.random(len(index)) < 0.5, (1 - probability[index]) * chance[index], np.nan)
    rows["probability"] = np.where(is_random[index], probability[index], targeted)
    return rows


def _judge(rng: np.random.Generator, rows: Rows, *, error: float) -> None:
    """Add verdict, error_category (TSPA's types, verdict against answer) and severity."""
    size = count(rows)
    categories = np.array([len(queue.categories) for queue in QUEUES])[rows["queue"]]
    other = (rows["truth"] + 1 + (rng.random(size) * (categories - 1)).astype(np.int64)) % categories
    verdict = np.where(rng.random(size) < error, other, rows["truth"])
    anchored = ~rows["is_blind"] & (rng.random(size) < ANCHORING)
    rows["verdict"] = np.where(anchored, rows["answer"], verdict)
    bad, weights = violating(), _severity_weights()
    was_bad, is_bad = bad[rows["queue"], rows["answer"]], bad[rows["queue"], rows["verdict"]]
    same = rows["verdict"] == rows["answer"]
    category = np.select(
        [same & (rng.random(size) < 0.005), same, was_bad & ~is_bad, ~was_bad & is_bad],
        [TECHNICAL, NONE, FALSE_POSITIVE, FALSE_NEGATIVE],
        WRONG_POLICY,
    )
    heavy = weights[rows["queue"], rows["verdict"]] >= CRITICAL_WEIGHT
    missed = category == FALSE_NEGATIVE
    rows["category"] = category
    rows["severity"] = np.select([missed & heavy, missed | (category == FALSE_POSITIVE)], [CRITICAL, MAJOR], MINOR)
    causes = np.where(category == NONE, -1, rng.integers(0, 4, size))
    rows["cause"] = causes


def reviews_of(plan: Plan, rng: np.random.Generator, targets: Rows, *, day: dt.date, kind: int, first: int) -> Rows:
    """Return the reviews of a day's targets, with ids counted from `first` and `offset` days until they are made.

    `kind` is OF_LABEL or OF_PREDICTION. The reviewer works in the item's market and never judges their own decision:
    reviewers don't take production work.
    """
    rows = dict(targets)
    size = count(rows)
    people = np.flatnonzero(plan.world.role == REVIEWER).reshape(len(MARKETS), -1)
    rows["kind"] = np.full(size, kind, dtype=np.int64)
    rows["reviewer"] = people[rows["market"], rng.integers(0, people.shape[1], size)]
    rows["is_blind"] = rng.random(size) < SHARE_BLIND
    rows["offset"] = _lags(rng, size)
    rows["reviewed_at"] = _moments(rng, rows, day=day)
    rows["review_id"] = numbers(day, size, first=first)
    _judge(rng, rows, error=REVIEWER_ERROR)
    return rows


def arbitrations_of(plan: Plan, rng: np.random.Generator, reviews: Rows, *, day: dt.date, first: int) -> Rows:
    """Return experts' blind judgements of a day's reviews (`target_kind = review`), made up to two days later.

    Which reviews is random, called defects with a higher chance; the chance is the inclusion probability.
    """
    probability = np.where(reviews["category"] != NONE, ARBITRATED_CALLED, ARBITRATED_CLEAN)
    chosen = (rng.random(count(reviews)) < probability) & (reviews["kind"] != OF_REVIEW)
    picked = take(reviews, chosen)
    rows = {name: picked[name] for name in ("item", "market", "queue", "truth")}
    size = count(rows)
    rows |= {"target": picked["review_id"], "answer": picked["verdict"], "rater": picked["reviewer"]}
    rows |= {"decided_at": picked["reviewed_at"], "sampling": np.full(size, RANDOM)}
    rows["probability"] = probability[chosen]
    rows["kind"] = np.full(size, OF_REVIEW)
    rows["reviewer"] = rng.choice(np.flatnonzero(plan.world.role == EXPERT), size)
    rows["is_blind"] = np.ones(size, dtype=np.bool_)
    rows["offset"] = _lags(rng, size, longest=2)
    rows["reviewed_at"] = _moments(rng, rows, day=day)
    rows["review_id"] = numbers(day, size, first=first)
    _judge(rng, rows, error=ARBITER_ERROR)
    return rows


def _appeal_targets(rng: np.random.Generator, decisions: Rows, *, base: float) -> Rows:
    is_bad = violating()[decisions["queue"], decisions["answer"]]
    chance = np.where(decisions["truth"] == decisions["answer"], base, min(1.0, 2 * base))
    names = ("item", "market", "queue", "truth", "answer", "target", "decided_at", "kind", "rater")
    return take({name: decisions[name] for name in names}, is_bad & (rng.random(len(is_bad)) < chance))


def appeals_of(plan: Plan, rng: np.random.Generator, labels: Rows, predictions: Rows, *, day: dt.date) -> Rows:
    """Return the appeals of a day's violating decisions, with `offset` days until they are filed.

    `predictions` are the sampled decisions of models. A right decision is upheld, a wrong one overturned if the truth
    breaks no policy and else partly so; 5 % of the wrong ones are upheld all the same. 15 % are still open.
    """
    production = take(labels, labels["stage"] == PRODUCTION)
    ours = production | {"target": production["label_id"], "decided_at": production["submitted"]}
    ours["kind"] = np.full(count(ours), OF_LABEL)
    parts = [_appeal_targets(rng, ours, base=plan.appeal_rate())]
    if predictions:
        models = predictions | {"kind": np.full(count(predictions), OF_PREDICTION)}
        parts.append(_appeal_targets(rng, models, base=0.05))
    rows = join(parts)
    size = count(rows)
    rows["offset"] = _lags(rng, size)
    rows["filed_at"] = _moments(rng, rows, day=day)
    is_right = (rows["truth"] == rows["answer"]) | (rng.random(size) < 0.05)
    truth_bad = violating()[rows["queue"], rows["truth"]]
    rows["outcome"] = np.select([is_right, truth_bad], [UPHELD, PARTIAL], OVERTURNED)
    rows["final"] = np.where(is_right, rows["answer"], rows["truth"])
    took = (rng.lognormal(2.0, 0.9, size) * 3_600_000).astype(np.int64)
    rows["resolved_at"] = np.where(rng.random(size) < 0.15, -1, rows["filed_at"] + took)
    rows["appeal_id"] = numbers(day, size)
    return rows


def appealed_targets(rng: np.random.Generator, appeals: Rows) -> Rows:
    """Return the annotators' decisions that QA looks at again because of the appeals filed on a day (half of them)."""
    led = take(appeals, (appeals["kind"] == OF_LABEL) & (rng.random(count(appeals)) < 0.5))
    rows = {name: led[name] for name in ("item", "market", "queue", "truth", "answer", "rater", "target")}
    rows["decided_at"] = led["filed_at"]
    rows["sampling"] = np.full(count(led), APPEAL)
    rows["probability"] = np.full(count(led), np.nan)
    return rows
