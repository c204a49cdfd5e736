"""Items: what enters the queues on a day, with its true answer, and the known answers (gold) among them.

Decisions on items are in `labels` and `models`; known answers made to test people are in `blind_tests`.
"""

import datetime as dt

import numpy as np

from qa_pipeline.contracts import CONTENT_TYPES
from qa_pipeline.simulation.arrays import Floats, Ints, Rows, Stream, count, day_bounds, draw, join, numbers, take
from qa_pipeline.simulation.operation import MARKETS, QUEUES, TIME_ZONES
from qa_pipeline.simulation.plan import Plan

LANGUAGES = (*dict.fromkeys(market.language for market in MARKETS), "es", "fr")
SHARE_IN_TWO_MARKETS = 0.015
SHARE_NEVER_DECIDED = 0.01
SHARE_DECIDED_NEXT_DAY = 0.02
# Gold comes up to two days before its item and at times a day after.
GOLD_LEADS = (0, 1, 2, -1)
GOLD_LEAD_CHANCES = (0.64, 0.18, 0.10, 0.08)


def _closed(shares: Floats) -> Floats:
    """Return cumulative chances whose last one is exactly 1."""
    cumulative = np.cumsum(shares, axis=-1) / np.sum(shares, axis=-1, keepdims=True)
    cumulative[..., -1] = 1.0
    return np.asarray(cumulative)


def cumulative_prevalence(prevalence: Floats) -> Floats:
    """Return markets x queues x categories, cumulative; places past a queue's categories are 1."""
    cumulative = np.cumsum(prevalence, axis=-1)
    for index, queue in enumerate(QUEUES):
        cumulative[:, index, len(queue.categories) - 1 :] = 1.0
    return np.asarray(cumulative)


def _content_table() -> Floats:
    table = np.zeros((len(QUEUES), len(CONTENT_TYPES)))
    for index, queue in enumerate(QUEUES):
        for content_type, share in queue.content_types:
            table[index, CONTENT_TYPES.index(content_type)] = share
    return _closed(table)


def draw_items(plan: Plan, rng: np.random.Generator, *, day: dt.date, ids: Ints) -> Rows:
    """Return items as they enter on a day: item, market, queue, truth, content, language, priority."""
    size = len(ids)
    one = np.zeros(size, dtype=np.int64)
    market = draw(_closed(np.array([[spec.share for spec in MARKETS]]))[one], rng.random(size))
    queue = draw(_closed(np.array([[spec.share for spec in QUEUES]]))[one], rng.random(size))
    prevalence = cumulative_prevalence(plan.timeline.prevalence(plan.world, day))
    home = np.array([LANGUAGES.index(spec.language) for spec in MARKETS])[market]
    is_home = rng.random(size) < 0.85
    return {
        "item": ids,
        "market": market,
        "queue": queue,
        "truth": draw(prevalence[market, queue], rng.random(size)),
        "content": draw(_content_table()[queue], rng.random(size)),
        "language": np.where(is_home, home, rng.integers(0, len(LANGUAGES), size)),
        "priority": rng.integers(1, 6, size),
    }


def gold_bank(plan: Plan, day: dt.date) -> Rows:
    """Return the gold items of a day: item columns, `key` (their truth), `delivered` (ordinal), `is_everywhere`.

    It depends on the seed and the day only, so that an earlier day can deliver the answers.
    """
    rng = plan.rng(Stream.GOLD, day)
    size = plan.gold_per_day
    rows = draw_items(plan, rng, day=day, ids=numbers(day, size))
    leads = np.array(GOLD_LEADS)[draw(_closed(np.tile(GOLD_LEAD_CHANCES, (size, 1))), rng.random(size))]
    rows["delivered"] = np.maximum(day.toordinal() - leads, plan.timeline.start.toordinal())
    rows["key"] = rows["truth"].copy()
    rows["is_everywhere"] = rng.random(size) < 0.1
    rows["is_dated"] = rng.random(size) < 0.7
    rows["source"] = rng.integers(0, 3, size)
    return rows


def gold_of_day(plan: Plan, day: dt.date) -> Rows:
    """Return the gold rows that are delivered on a day, with `made` (ordinal of their item's day)."""
    parts: list[Rows] = []
    for lead in sorted(GOLD_LEADS):
        made = day + dt.timedelta(days=lead)
        if made < plan.timeline.start:
            continue
        bank = gold_bank(plan, made)
        bank["made"] = np.full(count(bank), made.toordinal())
        parts.append(take(bank, bank["delivered"] == day.toordinal()))
    return join(parts)


def _add_times(rows: Rows, rng: np.random.Generator, day: dt.date) -> None:
    """Add `enqueued`, `first_offset` (days until the first decision) and `decided` (ms; the first decision)."""
    size = count(rows)
    rows["first_offset"] = (rng.random(size) < SHARE_DECIDED_NEXT_DAY).astype(np.int64)
    start, end = day_bounds(day, TIME_ZONES)
    after, after_end = day_bounds(day + dt.timedelta(days=1), TIME_ZONES)
    waits = rows["first_offset"] == 1
    market = rows["market"]
    begin = np.where(waits, after[market], start[market])
    length = np.where(waits, after_end[market], end[market]) - begin
    rows["decided"] = begin + (length * (0.025 + 0.9 * rng.beta(1.6, 1.4, size))).astype(np.int64)
    same_day = start[market] + 0.6 * (rows["decided"] - start[market]) * rng.random(size) ** 0.25
    evening = start[market] + (end[market] - start[market]) * (0.9 + 0.08 * rng.random(size))
    rows["enqueued"] = np.where(waits, evening, same_day).astype(np.int64)


def items_of_day(plan: Plan, day: dt.date) -> Rows:
    """Return the items that enter on a day, gold first.

    Columns (all integers): item, market, queue, truth, content, language, priority, ratings (0: never decided by a
    human), first_offset (days), decided and enqueued (ms since 1970 UTC).
    """
    rng = plan.rng(Stream.ITEMS, day)
    bank = gold_bank(plan, day)
    gold = {name: bank[name] for name in ("item", "market", "queue", "truth", "content", "language", "priority")}
    own = max(plan.items_per_day - plan.gold_per_day, 0)
    rows = join([gold, draw_items(plan, rng, day=day, ids=numbers(day, own, first=plan.gold_per_day))])
    twins = take(rows, rng.random(count(rows)) < SHARE_IN_TWO_MARKETS)
    twins["market"] = (twins["market"] + rng.integers(1, len(MARKETS), count(twins))) % len(MARKETS)
    rows = join([rows, twins])
    _add_times(rows, rng, day)
    u = rng.random(count(rows))
    rows["ratings"] = np.where(rng.random(count(rows)) < SHARE_NEVER_DECIDED, 0, 1 + (u > 0.6) + (u > 0.9))
    return rows


def unseen_items(plan: Plan, day: dt.date, *, size: int, first: int) -> Rows:
    """Return items that only models look at, numbered from `first`."""
    rng = plan.rng(Stream.MODELS, day)
    rows = draw_items(plan, rng, day=day, ids=numbers(day, size, first=first))
    _add_times(rows, rng, day)
    return rows


def calibration_items(plan: Plan, day: dt.date, *, ids: Ints) -> Rows:
    """Return the items of a calibration session (no times)."""
    return draw_items(plan, plan.rng(Stream.CALIBRATION, day), day=day, ids=ids)
