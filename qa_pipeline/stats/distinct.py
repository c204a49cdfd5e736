"""Equal rows of several columns found once, so that what depends on them alone is computed once.

Most subjects are small: of a million annotators' weeks there are a few thousand different pairs of reviews and defects.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from qa_pipeline.stats.jackknife import FloatArray, IntArray

# Odd constants that mix the bits of a row (P. L'Ecuyer 1999 lists such multipliers; any odd ones would do).
_MIX = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(29)


def distinct_rows(columns: Sequence[FloatArray]) -> tuple[IntArray, IntArray]:
    """First row of each distinct one, `[distinct]`, and the distinct one of each row, `[n]`; columns are `[n]` each.

    Rows are equal when their bits are. They are told apart by a hash of 64 bits; should two different rows share one,
    every row is taken for distinct.

    >>> distinct_rows([np.array([1.0, 2.0, 1.0]), np.array([0.0, 0.0, 0.0])])[1].tolist()
    [0, 1, 0]
    """
    key: npt.NDArray[np.uint64] = np.zeros(len(columns[0]), dtype=np.uint64)
    for column in columns:
        key = (key ^ np.ascontiguousarray(column, dtype=np.float64).view(np.uint64)) * _MIX
        key ^= key >> _SHIFT
    _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
    if len(first) > 1:
        # Numbered in the order of their first row.
        order = np.argsort(first)
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order))
        first, inverse = first[order], rank[inverse]
    for column in columns:
        if not np.array_equal(column[first][inverse], column, equal_nan=True):
            everything = np.arange(len(key))
            return everything, everything
    return first, inverse
