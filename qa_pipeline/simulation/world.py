"""The people and the true state of the simulated world: who labels what, how well, and how common each answer is.

What is drawn once per (seed, start) belongs here. Changes over time (incidents) are in `timeline`; rows of feeds
are made elsewhere. Given an item's truth, annotators err independently (Dawid and Skene 1979), so that every
estimator of the pipeline has a known answer.
"""

import datetime as dt
import hashlib
from dataclasses import dataclass

import numpy as np

from qa_pipeline.simulation.arrays import Bools, Floats, Ints, Stream, generator
from qa_pipeline.simulation.operation import IN_HOUSE, MARKETS, MAX_CATEGORIES, QUEUES, VENDORS, QueueSpec

ROLES = ("annotator", "reviewer", "expert")
ANNOTATOR, REVIEWER, EXPERT = range(3)
REVIEWERS_PER_MARKET = 4
EXPERTS_PER_MARKET = 2
# People with a place below this in their market were hired long ago and stay, so no pool ever runs dry.
CORE_PEOPLE = 12
TRAINING_DAYS = 5
NOTICE_DAYS = 5
NEVER = dt.date.max.toordinal()
LEARNING_EXTRA = 1.2
LEARNING_DAYS = 25.0
MAX_ROW_ERROR = 0.8


@dataclass(frozen=True)
class World:
    """Everybody (persons x …) and the true prevalence (markets x queues x categories).

    `errors` is persons x queues x truth x answer with a zero diagonal: an experienced person's chance of each wrong
    answer. `hired`, `certified` and `left` are day ordinals.
    """

    seed: int
    ids: tuple[str, ...]
    role: Ints
    vendor: Ints
    market: Ints
    site: Ints
    hired: Ints
    left: Ints
    serves: Bools
    errors: Floats
    speed: Floats
    prevalence: Floats

    def learning_factor(self, day: dt.date) -> Floats:
        """Return per person the factor on errors from short tenure: 1 + 1.2 exp(-days since hire / 25)."""
        tenure = np.maximum(day.toordinal() - self.hired, 0)
        return np.asarray(1 + LEARNING_EXTRA * np.exp(-tenure / LEARNING_DAYS), dtype=np.float64)

    def is_employed(self, day: dt.date) -> Bools:
        """Return per person: on the roster of the day?"""
        ordinal = day.toordinal()
        return np.asarray((self.hired <= ordinal) & (ordinal < self.left))

    def is_certified(self, day: dt.date) -> Bools:
        """Return per person: employed and past the training?"""
        return np.asarray(self.is_employed(day) & (self.hired + TRAINING_DAYS <= day.toordinal()))

    def is_working(self, day: dt.date) -> Bools:
        """Return per person: certified and present (some people are away each day, the core never)."""
        away = generator(self.seed, Stream.STAFF, day).random(len(self.ids)) < 0.08
        return np.asarray(self.is_certified(day) & ~(away & (self.role == ANNOTATOR)))

    def pools(self, day: dt.date) -> tuple[Ints, Ints]:
        """Return (markets x queues x places padded with -1, sizes) of the annotators at work.

        A pool that would have fewer than three people at work takes in those who are away. Who leaves within the next
        days gets no more items: a decision may come days after its item, and must come from somebody on the roster.
        """
        stays = self.left > day.toordinal() + NOTICE_DAYS
        working, certified = self.is_working(day) & stays, self.is_certified(day) & stays
        found: list[Ints] = []
        for market in range(len(MARKETS)):
            for queue in range(len(QUEUES)):
                mine = (self.market == market) & self.serves[:, queue] & (self.role == ANNOTATOR)
                pool = np.flatnonzero(mine & working)
                found.append(pool if len(pool) >= 3 else np.flatnonzero(mine & certified))
        sizes = np.array([len(pool) for pool in found], dtype=np.int64)
        padded = np.full((len(found), int(sizes.max())), -1, dtype=np.int64)
        for row, pool in enumerate(found):
            padded[row, : len(pool)] = pool
        shape = (len(MARKETS), len(QUEUES))
        return padded.reshape(*shape, -1), sizes.reshape(shape)


def pseudonym(seed: int, number: int, *, prefix: str = "ann") -> str:
    """Return the stable pseudonym of the person with this number."""
    return f"{prefix}-{hashlib.blake2b(f'{seed}:{number}'.encode(), digest_size=5).hexdigest()}"


def confusion(errors: Floats, *, factor: Floats | float = 1.0) -> Floats:
    """Return answer probabilities (… x truth x answer) from chances of wrong answers times a factor.

    A row's errors are capped at 0.8 in all, so that no factor makes an answer negative.
    """
    wrong = errors * np.asarray(factor, dtype=np.float64)
    total = wrong.sum(axis=-1, keepdims=True)
    wrong = wrong * np.minimum(1.0, MAX_ROW_ERROR / np.maximum(total, 1e-12))
    right = 1 - wrong.sum(axis=-1)
    return np.asarray(wrong + np.eye(MAX_CATEGORIES) * right[..., None])


def _pattern(queue: QueueSpec) -> Floats:
    """Return truth x answer: where errors go. Ordinal: to neighbours; nominal: to what is common."""
    size = len(queue.categories)
    if queue.scale == "ordinal":
        step = np.abs(np.subtract.outer(np.arange(size), np.arange(size))).astype(np.float64)
        weight = np.where(step > 0, 1 / np.maximum(step, 1) ** 2.5, 0.0)
    else:
        weight = np.tile(np.array(queue.prevalence) + 0.08, (size, 1))
        np.fill_diagonal(weight, 0.0)
    return np.asarray(weight / weight.sum(axis=1, keepdims=True))


def _errors(rng: np.random.Generator, role: Ints, vendor: Ints) -> Floats:
    people = len(role)
    skill = np.exp(rng.normal(0.0, 0.35, people))
    skill *= np.array([spec.error_factor for spec in VENDORS])[vendor]
    # Reviewers and experts are the senior people: about a seventh of an annotator's errors.
    skill = np.where(role == ANNOTATOR, skill, skill * 0.15)
    errors = np.zeros((people, len(QUEUES), MAX_CATEGORIES, MAX_CATEGORIES))
    for index, queue in enumerate(QUEUES):
        size = len(queue.categories)
        bent = rng.gamma(np.broadcast_to(_pattern(queue) * 20 + 1e-9, (people, size, size)))
        bent[:, np.arange(size), np.arange(size)] = 0.0
        bent /= bent.sum(axis=2, keepdims=True)
        own = skill * np.exp(rng.normal(0.0, 0.15, people))
        rate = np.minimum(np.array(queue.error) * own[:, None], 0.6)
        errors[:, index, :size, :size] = bent * rate[:, :, None]
    return errors


def _prevalence(rng: np.random.Generator) -> Floats:
    found = np.zeros((len(MARKETS), len(QUEUES), MAX_CATEGORIES))
    for index, queue in enumerate(QUEUES):
        found[:, index, : len(queue.categories)] = rng.dirichlet(np.array(queue.prevalence) * 250, len(MARKETS))
    return found


def _staff() -> tuple[Ints, Ints, Ints, Ints]:
    """Return role, market, vendor and place within the market of everybody, in the order of the ids."""
    rows: list[tuple[int, int, int, int]] = []
    for market, spec in enumerate(MARKETS):
        rows += [(ANNOTATOR, market, place % IN_HOUSE, place) for place in range(spec.annotators)]
    for role, size in ((REVIEWER, REVIEWERS_PER_MARKET), (EXPERT, EXPERTS_PER_MARKET)):
        rows += [(role, market, IN_HOUSE, place) for market in range(len(MARKETS)) for place in range(size)]
    role_of, market_of, vendor_of, place_of = np.array(rows, dtype=np.int64).T
    return role_of, market_of, vendor_of, place_of


def build_world(seed: int, start: dt.date) -> World:
    """Return the world of a seed; dates of hire are relative to the first day."""
    rng = generator(seed, Stream.WORLD)
    role, market, vendor, place = _staff()
    people = len(role)
    is_core = (place < CORE_PEOPLE) | (role != ANNOTATOR)
    tenure = np.where(is_core, rng.integers(60, 1500, people), rng.integers(20, 900, people))
    joins_late = ~is_core & (rng.random(people) < 0.25)
    tenure = np.where(joins_late, rng.integers(-30, 21, people), tenure)
    leaves = ~is_core & ~joins_late & (rng.random(people) < 0.06)
    first = start.toordinal()
    served = np.stack([place % 5, (place + 1) % 5, np.where(place % 2 == 0, (place + 3) % 5, place % 5)])
    serves = np.zeros((people, len(QUEUES)), dtype=np.bool_)
    for row in served:
        serves[np.arange(people), row % len(QUEUES)] = True
    serves[role != ANNOTATOR] = True
    sites = np.array([len(spec.sites) for spec in VENDORS])[vendor]
    return World(
        seed=seed,
        ids=tuple(pseudonym(seed, number) for number in range(people)),
        role=role,
        vendor=vendor,
        market=market,
        site=place % sites,
        hired=first - tenure,
        left=np.where(leaves, first + rng.integers(5, 60, people), NEVER),
        serves=serves,
        errors=_errors(rng, role, vendor),
        speed=np.exp(rng.normal(0.0, 0.25, people)),
        prevalence=_prevalence(rng),
    )
