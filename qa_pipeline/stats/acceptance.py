"""Lot acceptance by single sampling: ISO 2859-1's plans, the decision on a lot, and when inspection is tightened.

Which sample a lot needs and what its reviews decide belong here; how often a plan errs is in `acceptance_risk`, tests
that look after every review are in `sequential`. A lot is a batch of decisions; arrays are `[lots]`.

The plans are those of ISO 2859-1:1999, tables 1, 2-A and 2-B, for percent nonconforming. MIL-STD-105E (1989, approved
for public release) has the same in its tables I, II-A and II-B. Reduced inspection is left out: there the two differ
(ISO took away the gap between acceptance and rejection number), and ISO's table could not be checked against a second
source; normal inspection in its place is never laxer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from qa_pipeline.limits import AQLS
from qa_pipeline.stats.jackknife import BoolArray, FloatArray, IntArray

TextArray: TypeAlias = npt.NDArray[np.str_]
Level = Literal["S-1", "S-2", "S-3", "S-4", "I", "II", "III"]
Inspection = Literal["normal", "tightened"]
Severity = Literal["normal", "tightened", "discontinued"]

# No lot has the letter S: an arrow of tightened inspection leads to it.
LETTERS = "ABCDEFGHJKLMNPQRS"
_TABLE_LETTERS: dict[Inspection, str] = {"normal": LETTERS[:-1], "tightened": LETTERS}
SAMPLE_SIZES = (2, 3, 5, 8, 13, 20, 32, 50, 80, 125, 200, 315, 500, 800, 1250, 2000, 3150)

# The last lot size of each row but the last, and the rows' letters.
_LOT_BOUNDS = (8, 15, 25, 50, 90, 150, 280, 500, 1200, 3200, 10_000, 35_000, 150_000, 500_000)
_CODE_LETTERS: dict[Level, str] = {
    "S-1": "AAAABBBBCCCCDDD",
    "S-2": "AAABBBCCCDDDEEE",
    "S-3": "AABBCCDDEEFFGGH",
    "S-4": "AABCCDEEFGGHJJK",
    "I": "AABCCDEFGHJKLMN",
    "II": "ABCDEFGHJKLMNPQ",
    "III": "BCDEFGHJKLMNPQR",
}

# Sample sizes and AQLs both grow by about 10 ** 0.2 a step, so the expected defects at the AQL, and with them the
# acceptance number, are the same along a diagonal: the index of the letter plus that of the AQL.
_ACCEPT: dict[Inspection, dict[int, int]] = {
    "normal": {14: 0, 17: 1, 18: 2, 19: 3, 20: 5, 21: 7, 22: 10, 23: 14, 24: 21},
    "tightened": {15: 0, 18: 1, 19: 2, 20: 3, 21: 5, 22: 8, 23: 12, 24: 18},
}
# Diagonals whose arrow points to the plan above; every other empty cell points below.
_UP: dict[Inspection, tuple[int, ...]] = {
    "normal": (15, *range(25, 32)),
    "tightened": tuple(range(25, 32)),
}
# Tightened inspection prints no plan for letter A: column 10 has an arrow there.
_NO_PLAN: dict[Inspection, tuple[tuple[int, int], ...]] = {"normal": (), "tightened": ((0, 15),)}

TIGHTEN_REJECTED, TIGHTEN_LOTS = 2, 5
NORMAL_ACCEPTED = 5
DISCONTINUE_REJECTED = 5


@dataclass(frozen=True)
class Plans:
    """A single sampling plan for each lot, `[lots]`.

    `letter` is that of the plan used, after its arrows; `n` the decisions to review; a lot is accepted with at most
    `accept` defects among them. `is_full`: the plan's sample is as large as the lot, so all of it is reviewed.
    """

    letter: TextArray
    n: IntArray
    accept: IntArray
    is_full: BoolArray

    @property
    def reject(self) -> IntArray:
        """Rejection number Re: the lot is rejected with as many defects; one more than `accept`."""
        return self.accept + 1


def code_letters(lot_size: IntArray, *, level: Level) -> TextArray:
    """Sample size code letters of lots of `lot_size` decisions (ISO 2859-1, table 1); a lot of one counts as of two.

    Raises ValueError for an empty lot.

    >>> code_letters(np.array([500, 501]), level="II").tolist()
    ['H', 'J']
    """
    if np.any(lot_size < 1):
        raise ValueError("a lot has at least one decision")
    return np.array(list(_CODE_LETTERS[level]))[np.searchsorted(_LOT_BOUNDS, lot_size)]


def single_plans(lot_size: IntArray, *, aql_percent: FloatArray, level: Level, inspection: Inspection) -> Plans:
    """Single sampling plans for lots of `lot_size` decisions at an AQL, `[lots]` (or one AQL for all).

    `aql_percent` is one of AQLS. Where the table has an arrow, the plan it leads to replaces the sample size too.
    Where the sample is as large as the lot, the whole lot is reviewed, with the plan's acceptance number.
    Raises ValueError for an empty lot or an AQL that the table lacks.

    >>> plans = single_plans(np.array([1000]), aql_percent=np.array(1.0), level="II", inspection="normal")
    >>> plans.letter[0].item(), int(plans.n[0]), int(plans.accept[0]), int(plans.reject[0])
    ('J', 80, 2, 3)
    """
    columns = np.searchsorted(np.array(AQLS) * (1 - 1e-9), aql_percent, side="right") - 1
    if np.any(columns < 0) or not np.allclose(np.array(AQLS)[columns], aql_percent, rtol=1e-9, atol=0):
        raise ValueError(f"the AQL is one of {', '.join(f'{aql:g}' for aql in AQLS)} percent")
    rows = np.searchsorted(list(LETTERS), code_letters(lot_size, level=level))
    used, accept = (table[rows, columns] for table in _master_table(inspection))
    n = np.array(SAMPLE_SIZES)[used]
    return Plans(
        letter=np.array(list(LETTERS))[used],
        n=np.minimum(n, lot_size),
        accept=accept,
        is_full=n >= lot_size,
    )


@cache
def _master_table(inspection: Inspection) -> tuple[IntArray, IntArray]:
    """Row of the plan used and its acceptance number for each letter and AQL, `[letters, AQLs]`."""
    used = np.empty((len(LETTERS), len(AQLS)), dtype=np.int64)
    accept = np.empty_like(used)
    for row in range(len(LETTERS)):
        for column in range(len(AQLS)):
            at = _follow(row, column, inspection)
            used[row, column], accept[row, column] = at, _ACCEPT[inspection][at + column]
    return used, accept


def _follow(row: int, column: int, inspection: Inspection) -> int:
    """Row of the first plan in the arrow's direction; where the table ends before one, in the other direction."""
    above, below = range(row, -1, -1), range(row, len(SAMPLE_SIZES))
    order = (*above, *below) if row + column in _UP[inspection] else (*below, *above)
    found: int = next(at for at in order if _has_plan(at, column, inspection))
    return found


def _has_plan(row: int, column: int, inspection: Inspection) -> bool:
    is_printed = row < len(_TABLE_LETTERS[inspection]) and (row, column) not in _NO_PLAN[inspection]
    return is_printed and row + column in _ACCEPT[inspection]


def decide(*, n: IntArray, accept: IntArray, reviewed: IntArray, defects: IntArray) -> TextArray:
    """`accept`, `reject` or `continue` for lots with `defects` found in `reviewed` of the plan's `n` decisions.

    Curtailed inspection: rejected as soon as there are more than `accept` defects, accepted as soon as the missing
    reviews could not add enough, otherwise continued. The outcome is the one that all `n` reviews would have led to, so
    the operating curve is untouched. The share of defects in a sample that stopped early is biased (it stops at a
    defect): a defect rate needs the whole sample.

    The reviews are those of randomly sampled decisions only (a targeted one says nothing about the lot), in the order
    in which they were completed, which must not depend on what they find. Raises ValueError where there are more
    reviews than `n` (which of them count must not be chosen after the fact: take the first), or more defects than
    reviews.

    >>> decide(n=np.array([80, 80]), accept=np.array([2, 2]), reviewed=np.array([40, 79]), defects=np.array([3, 1]))
    array(['reject', 'accept'], dtype='<U8')
    """
    if np.any(reviewed > n):
        raise ValueError("more reviews than the plan's sample: count the first n completed")
    if np.any((defects < 0) | (defects > reviewed)):
        raise ValueError("defects are between 0 and the number of reviews")
    is_rejected, is_accepted = defects > accept, defects + (n - reviewed) <= accept
    return np.select([is_rejected, is_accepted], ["reject", "accept"], "continue")


def next_severity(history: Sequence[tuple[Inspection, bool]]) -> Severity:
    """Inspection under which the next lot of a series comes, from `(inspection, accepted)` of its lots, oldest first.

    ISO 2859-1, clause 9.3: from normal to tightened when 2 of 5 or fewer lots in succession are rejected; back to
    normal when 5 in succession are accepted; inspection is discontinued (the vendor must improve first) once 5 lots are
    rejected while it is tightened. The plans' protection rests on these switches. After `discontinued` the series
    starts anew, tightened: pass the lots since then.

    >>> next_severity([("normal", False), ("normal", True), ("normal", False)])
    'tightened'
    """
    if not history:
        return "normal"
    current = history[-1][0]
    stretch = []
    for inspection, is_accepted in reversed(history):
        if inspection != current:
            break
        stretch.append(is_accepted)
    if current == "normal":
        rejected = stretch[:TIGHTEN_LOTS].count(False)
        return "tightened" if rejected >= TIGHTEN_REJECTED else "normal"
    if len(stretch) >= NORMAL_ACCEPTED and all(stretch[:NORMAL_ACCEPTED]):
        return "normal"
    return "discontinued" if stretch.count(False) >= DISCONTINUE_REJECTED else "tightened"
