"""Lays counts out in arrays: roll-ups, distinct cells, dense sums over slots and replicates, blocks that fit in memory.

Index work belongs here; statistics and SQL do not. A cell is a market and a queue (either may be ALL) and, for most
marts, a subject. Roll-ups are worked out on the keys of a table, of which there are few, never on its rows.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from qa_pipeline.contracts import REPLICATES
from qa_pipeline.marts.reading import Codes, Table
from qa_pipeline.stats.jackknife import FloatArray, IntArray
from qa_pipeline.stats.windows import Windows

ALL = "ALL"
CROSS = "CROSS"
# Elements of 8 bytes of one array of a block: a few fit in the cache (4 M took twice as long) and many in memory.
BLOCK_ELEMENTS = 1_000_000


@dataclass(frozen=True)
class RollUp:
    """One way to roll up market and queue.

    `keys` are the keys of the table that take part; `market` and `queue` code them, rolled up. Their names are those of
    the table and ALL, so codes of different roll-ups of a table can be compared.
    """

    keys: IntArray
    market: Codes
    queue: Codes
    is_market_all: bool
    is_queue_all: bool


def roll_ups(texts: dict[str, Codes]) -> list[RollUp]:
    """Market x queue as they are, then queue ALL, market ALL, and both; of `texts` `[keys]` market and queue.

    Keys of market CROSS are rolled up over queues only: they hold the same ratings as the markets do. Roll-ups without
    any key are left out.
    """
    market, queue = _with_all(texts["market"]), _with_all(texts["queue"])
    is_cross = market.equal(CROSS)
    found = []
    for is_market_all in (False, True):
        keys = np.flatnonzero(~is_cross if is_market_all else np.ones(len(is_cross), dtype=np.bool_))
        for is_queue_all in (False, True):
            rollup = RollUp(
                keys=keys,
                market=_everywhere(market, keys) if is_market_all else market.take(keys),
                queue=_everywhere(queue, keys) if is_queue_all else queue.take(keys),
                is_market_all=is_market_all,
                is_queue_all=is_queue_all,
            )
            if len(keys):
                found.append(rollup)
    return found


def _with_all(codes: Codes) -> Codes:
    return Codes(values=codes.values, names=(*codes.names, ALL))


def _everywhere(codes: Codes, keys: IntArray) -> Codes:
    return Codes(values=np.full(len(keys), codes.index(ALL), dtype=np.int64), names=codes.names)


@dataclass(frozen=True)
class Groups:
    """Distinct combinations of parts, sorted by the first part, then the second, ...

    `parts` `[groups]` each. `group` `[n]` is the group of each of what was grouped; `order` `[n]` lists these by group
    and `starts` `[groups]` says where in the list each group begins.
    """

    parts: tuple[IntArray, ...]
    group: IntArray
    order: IntArray
    starts: IntArray

    def __len__(self) -> int:
        return len(self.starts)

    def runs(self, depth: int) -> IntArray:
        """First group of each run that has its first `depth` parts in common."""
        changes = np.zeros(len(self), dtype=np.bool_)
        changes[:1] = True
        for part in self.parts[:depth]:
            changes[1:] |= part[1:] != part[:-1]
        return np.flatnonzero(changes)

    def sum(self, values: FloatArray) -> FloatArray:
        """Sum `[..., n]` over the members of each group: `[..., groups]`."""
        total: FloatArray = np.add.reduceat(values[..., self.order], self.starts, axis=-1)
        return total


def group_by(*parts: IntArray) -> Groups:
    """Group by non-negative integer `parts` `[n]` each, n at least 1."""
    key = np.zeros(len(parts[0]), dtype=np.int64)
    sizes = [int(part.max()) + 1 for part in parts]
    for part, size in zip(parts, sizes, strict=True):
        key = key * size + part
    found, group = np.unique(key, return_inverse=True)
    order = np.argsort(group, kind="stable")
    decoded: list[IntArray] = []
    for size in reversed(sizes):
        found, rest = np.divmod(found, size)
        decoded.append(rest)
    return Groups(
        parts=tuple(reversed(decoded)),
        group=group,
        order=order,
        starts=np.searchsorted(group[order], np.arange(len(found))),
    )


@dataclass(frozen=True)
class Rows:
    """The rows of a table sorted by key, so that the rows of some keys can be picked quickly.

    `slot`, `replicate`, `key` and each of `numbers` are `[rows]`; the rows of key k are `bounds[k]` .. `bounds[k + 1]`.
    """

    slot: IntArray
    replicate: IntArray
    key: IntArray
    numbers: dict[str, FloatArray]
    bounds: IntArray

    def of_keys(self, keys: IntArray) -> "Rows":
        """The rows of some distinct `keys`, in their order; the keys are renumbered from 0."""
        counts = np.diff(self.bounds)[keys]
        bounds = np.concatenate([[0], np.cumsum(counts)])
        rows = np.repeat(self.bounds[keys] - bounds[:-1], counts) + np.arange(bounds[-1])
        return Rows(
            slot=self.slot[rows],
            replicate=self.replicate[rows],
            key=np.repeat(np.arange(len(keys)), counts),
            numbers={name: values[rows] for name, values in self.numbers.items()},
            bounds=bounds,
        )

    def by_slot(self, name: str, *, slots: int) -> FloatArray:
        """Sum of a number as `[slots, keys]`."""
        keys = len(self.bounds) - 1
        return summed(self.slot * keys + self.key, self.numbers[name], shape=(slots, keys))

    def by_replicate(self, weights: FloatArray, *, column: IntArray, shape: tuple[int, int]) -> FloatArray:
        """Sum of `weights` `[rows]` as `[slots, replicates, columns]`; `column` `[rows]`, `shape` (slots, columns)."""
        slots, columns = shape
        place = (self.slot * REPLICATES + self.replicate) * columns + column
        return summed(place, weights, shape=(slots, REPLICATES, columns))


def rows_by_key(table: Table, windows: Windows) -> Rows:
    """The rows of `table`, with the slots of `windows` for dates; replicate 0 where the table has none."""
    order = np.argsort(table.key, kind="stable")
    key = table.key[order].astype(np.int64)
    replicate = table.numbers.get("replicate", np.zeros(len(table), dtype=np.int64))
    return Rows(
        slot=windows.slot_of(table.dates[order]),
        replicate=replicate[order].astype(np.int64),
        key=key,
        numbers={
            name: values[order].astype(np.float64) for name, values in table.numbers.items() if name != "replicate"
        },
        bounds=np.searchsorted(key, np.arange(table.keys + 1)),
    )


def summed(place: IntArray, weights: FloatArray, *, shape: tuple[int, ...]) -> FloatArray:
    """Sum of `weights` at each flat `place` of an array of `shape`; whole numbers below 2**53 stay exact."""
    counted: FloatArray = np.bincount(place, weights=weights, minlength=math.prod(shape)).astype(np.float64, copy=False)
    return counted.reshape(shape)


def blocks(sizes: IntArray, *, limit: int) -> Iterator[tuple[int, int]]:
    """Bounds (first, stop) of neighbouring groups whose `sizes` add up to `limit` at most; one group at least."""
    ends = np.cumsum(sizes)
    first = 0
    while first < len(sizes):
        before = int(ends[first - 1]) if first else 0
        stop = max(first + 1, int(np.searchsorted(ends, before + limit, side="right")))
        yield first, stop
        first = stop
