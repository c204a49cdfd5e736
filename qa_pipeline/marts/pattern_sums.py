"""Units of a market and queue by pattern: what vitality and confused labels both start from.

Picking keys and summing them belong here; statistics do not.
"""

import numpy as np

from qa_pipeline.marts.cells import Rows, group_by
from qa_pipeline.marts.reading import Table
from qa_pipeline.stats.jackknife import FloatArray, IntArray
from qa_pipeline.stats.windows import Windows


def production_cells(table: Table) -> dict[tuple[str, str], IntArray]:
    """Keys of pool production for each market and queue; `table` has the text rater_pool."""
    return keys_by_cell(table, np.flatnonzero(table.texts["rater_pool"].equal("production")))


def keys_by_cell(table: Table, keys: IntArray) -> dict[tuple[str, str], IntArray]:
    """Those of `keys` that belong to each market and queue."""
    if not len(keys):
        return {}
    market, queue = table.texts["market"], table.texts["queue"]
    cells = group_by(market.values[keys], queue.values[keys])
    lists = np.split(keys[cells.order], cells.starts[1:])
    names = zip(*cells.parts, strict=True)
    return {(market.names[m], queue.names[q]): found for (m, q), found in zip(names, lists, strict=True)}


def pattern_counts(rows: Rows, keys: int, windows: Windows) -> FloatArray:
    """Units of each key per window and replicate, `[W, 20, keys]`."""
    daily = rows.by_replicate(rows.numbers["unit_count"], column=rows.key, shape=(windows.slots, keys))
    return windows.sums(daily)
