"""Model scores: what each model version says about an item, and which of its decisions QA looks at.

Each version sees the truth through Gaussian noise (feature of the true label N(a, 1), of the others N(0, 1)); its score
is the exact posterior under the market's usual prevalence, so a version is calibrated unless the timeline says
otherwise. Writing is in `writing`.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qa_pipeline.simulation.arrays import Ints, Rows, Stream, count, join, take
from qa_pipeline.simulation.items import unseen_items
from qa_pipeline.simulation.operation import MODELS, QUEUES
from qa_pipeline.simulation.plan import Plan

CHUNK_ITEMS = 250_000
UNSURE_BELOW = 0.6
RANDOM, TARGETED = 0, 1


@dataclass(frozen=True)
class ScoredChunk:
    """Scores of one version on items of one queue: `scores` is items x labels, `chosen` the decision per item.

    `first_row` is the id of the first score; that of item i and label l is first_row + i * labels + l.
    """

    model: int
    queue: int
    items: Rows
    scores: npt.NDArray[np.float64]
    chosen: Ints
    predicted: Ints
    first_row: int


def predicted_items(plan: Plan, items: Rows, *, day: dt.date) -> Rows:
    """Return the items that models see, with `position` in `items` (-1: nobody else sees it)."""
    served = np.array([queue.separation > 0 for queue in QUEUES])
    wanted = plan.predicted_items_per_day
    index = np.flatnonzero(served[items["queue"]])[:wanted]
    rows = take({name: items[name] for name in items if name != "ratings"}, index)
    rows["position"] = index
    missing = wanted - len(index)
    if missing <= 0:
        return rows
    share = sum(queue.share for queue in QUEUES if queue.separation > 0)
    more = unseen_items(plan, day, size=round(missing / share), first=plan.items_per_day)
    more = take(more, served[more["queue"]])
    more["position"] = np.full(count(more), -1, dtype=np.int64)
    return join([rows, more])


def _score(plan: Plan, rng: np.random.Generator, items: Rows, *, model: int, queue: int) -> npt.NDArray[np.float64]:
    spec = QUEUES[queue]
    size, labels = count(items), len(spec.labels)
    strength = np.float32(MODELS[model].separation * spec.separation)
    feature = rng.standard_normal((size, labels), dtype=np.float32)
    feature[np.arange(size), items["truth"]] += strength
    prior = np.log(np.maximum(plan.world.prevalence[:, queue, :labels], 1e-6)).astype(np.float32)
    logit = strength * feature + prior[items["market"]]
    logit *= np.float32(plan.timeline.score_power(model))
    logit -= logit.max(axis=1, keepdims=True)
    np.exp(logit, out=logit)
    scores = logit.astype(np.float64)
    scores /= scores.sum(axis=1, keepdims=True)
    return scores


def score_items(plan: Plan, items: Rows, *, day: dt.date, model: int, first_row: int) -> Iterator[ScoredChunk]:
    """Yield the scores of one version in chunks (items, then queues), numbered from `first_row`."""
    spec = MODELS[model]
    rng = plan.rng(Stream.MODELS + 1 + model, day)
    for begin in range(0, count(items), CHUNK_ITEMS):
        chunk = take(items, np.arange(begin, min(begin + CHUNK_ITEMS, count(items))))
        if spec.share < 1:
            chunk = take(chunk, rng.random(count(chunk)) < spec.share)
        for queue in range(len(QUEUES)):
            mine = take(chunk, chunk["queue"] == queue)
            if not count(mine):
                continue
            scores = _score(plan, rng, mine, model=model, queue=queue)
            chosen = scores.argmax(axis=1)
            if spec.decimals is not None:
                scores = np.round(scores, spec.decimals)
            predicted = mine["enqueued"] + 500 * (model + 1) + rng.integers(0, 500, count(mine))
            yield ScoredChunk(model, queue, mine, scores, chosen, predicted, first_row)
            first_row += scores.size


def sample_decisions(plan: Plan, rng: np.random.Generator, chunk: ScoredChunk) -> Rows:
    """Return the decisions of a chunk that QA picks, as targets of reviews.

    Random: chance p, or 3p where the version is unsure (its inclusion probability says so). Targeted: wrong decisions
    that other signals brought up, without a probability (NaN).
    """
    labels = chunk.scores.shape[1]
    base = plan.prediction_review_rate()
    top = chunk.scores[np.arange(len(chunk.chosen)), chunk.chosen]
    probability = np.where(top < UNSURE_BELOW, min(1.0, 3 * base), base)
    is_random = rng.random(len(top)) < probability
    is_wrong = chunk.chosen != chunk.items["truth"]
    is_targeted = ~is_random & is_wrong & (rng.random(len(top)) < base)
    index = np.flatnonzero(is_random | is_targeted)
    names = ("item", "market", "queue", "truth")
    rows = {name: chunk.items[name][index] for name in names}
    rows["target"] = chunk.first_row + index * labels + chunk.chosen[index]
    rows["answer"] = chunk.chosen[index]
    rows["decided_at"] = chunk.predicted[index]
    rows["sampling"] = np.where(is_random[index], RANDOM, TARGETED)
    rows["probability"] = np.where(is_random[index], probability[index], np.nan)
    rows["rater"] = np.full(len(index), -1, dtype=np.int64)
    return rows
