"""Single sampling plans, decisions on lots and switching between normal and tightened inspection."""

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from qa_pipeline.limits import AQLS
from qa_pipeline.stats.acceptance import (
    LETTERS,
    SAMPLE_SIZES,
    Inspection,
    Level,
    code_letters,
    decide,
    next_severity,
    single_plans,
)
from qa_pipeline.stats.jackknife import IntArray

# The largest lot size of each row, and the letters of levels S-1 S-2 S-3 S-4 I II III: MIL-STD-105E (1989), table I, as
# printed in an inspection chart headed ANSI/ASQC Z1.4, MIL-STD-105E, BS 6001, DIN 40080 and ISO 2859.
TABLE_1 = """
8 A A A A A A B
15 A A A A A B C
25 A A B B B C D
50 A B B C C D E
90 B B C C C E F
150 B B C D D F G
280 B C D E E G H
500 B C D E F H J
1200 C C E F G J K
3200 C D E G H K L
10000 C D F G J L M
35000 C D F H K M N
150000 D E G J L N P
500000 D E G J M P Q
9999999 D E H K N Q R
"""

# Rejection numbers as printed, arrows included (v: first plan below, ^: first plan above), for the AQLs 0.65 1.0 1.5
# 2.5 4.0 6.5 10: tables 1-A (normal) and 1-B (tightened) of nibs.org/FMOC/DPW_AC/AC-TABLE.ASC, which it took from
# MIL-STD-105E, tables II-A and II-B.
PRINTED: dict[Inspection, str] = {
    "normal": """
A 2 v v v v v 1 v
B 3 v v v v 1 ^ v
C 5 v v v 1 ^ v 2
D 8 v v 1 ^ v 2 3
E 13 v 1 ^ v 2 3 4
F 20 1 ^ v 2 3 4 6
G 32 ^ v 2 3 4 6 8
H 50 v 2 3 4 6 8 11
J 80 2 3 4 6 8 11 15
K 125 3 4 6 8 11 15 22
L 200 4 6 8 11 15 22 ^
M 315 6 8 11 15 22 ^ ^
N 500 8 11 15 22 ^ ^ ^
P 800 11 15 22 ^ ^ ^ ^
Q 1250 15 22 ^ ^ ^ ^ ^
""",
    "tightened": """
A 2 v v v v v v v
B 3 v v v v v 1 v
C 5 v v v v 1 v v
D 8 v v v 1 v v 2
E 13 v v 1 v v 2 3
F 20 v 1 v v 2 3 4
G 32 1 v v 2 3 4 6
H 50 v v 2 3 4 6 9
J 80 v 2 3 4 6 9 13
K 125 2 3 4 6 9 13 19
L 200 3 4 6 9 13 19 ^
""",
}
PRINTED_AQLS = (0.65, 1.0, 1.5, 2.5, 4.0, 6.5, 10.0)
INSPECTIONS: tuple[Inspection, ...] = ("normal", "tightened")
LEVELS: tuple[Level, ...] = ("S-1", "S-2", "S-3", "S-4", "I", "II", "III")


def _lot_of(letter: str) -> tuple[int, Level]:
    """A lot whose code letter this is, large enough that its sample is never the whole lot."""
    levels: tuple[Level, ...] = ("S-1", "S-4", "I", "II", "III")
    sizes = np.array([int(row.split()[0]) for row in TABLE_1.strip().splitlines()])
    found = [
        (int(sizes[at]), level) for level in levels for at in np.flatnonzero(code_letters(sizes, level=level) == letter)
    ]
    return max(found)


def _plan(lot_size: int, aql: float, *, level: Level, inspection: Inspection) -> tuple[str, int, int, bool]:
    found = single_plans(np.array([lot_size]), aql_percent=np.array([aql]), level=level, inspection=inspection)
    assert found.reject[0] == found.accept[0] + 1
    return str(found.letter[0]), int(found.n[0]), int(found.accept[0]), bool(found.is_full[0])


def test_code_letters_are_the_printed_ones() -> None:
    """Stops a letter or a bound of a lot size from being mistyped: every row at both of its ends."""
    lowest = 2
    for row in TABLE_1.strip().splitlines():
        highest, *letters = row.split()
        for level, letter in zip(LEVELS, letters, strict=True):
            assert code_letters(np.array([lowest, int(highest)]), level=level).tolist() == [letter, letter]
        lowest = int(highest) + 1


@pytest.mark.parametrize("inspection", INSPECTIONS)
def test_plans_are_the_printed_ones(inspection: Inspection) -> None:
    """Stops a wrong acceptance number and an arrow followed the wrong way: every printed cell, arrows followed here."""
    table = [row.split() for row in PRINTED[inspection].strip().splitlines()]
    for at, column in product(range(len(table)), range(len(PRINTED_AQLS))):
        target = at
        while (cell := table[target][2 + column]) in "v^":
            target += 1 if cell == "v" else -1
        lot_size, level = _lot_of(table[at][0])
        found = _plan(lot_size, PRINTED_AQLS[column], level=level, inspection=inspection)
        assert found == (table[target][0], int(table[target][1]), int(cell) - 1, False), (table[at][0], column)


@pytest.mark.parametrize(
    ("lot_size", "level", "aql", "inspection", "expected"),
    [
        # The two plans every introduction shows.
        (1000, "II", 1.0, "normal", ("J", 80, 2, False)),
        (500, "II", 2.5, "normal", ("H", 50, 3, False)),
        # F at 1.0 has an arrow up, G at 1.0 one down: the sample size changes with the plan.
        (120, "II", 1.0, "normal", ("E", 13, 0, False)),
        (200, "II", 1.0, "normal", ("H", 50, 1, False)),
        # The whole lot: 40 decisions are D; at 0.10 the arrow ends at K, n = 125.
        (40, "II", 0.10, "normal", ("K", 40, 0, True)),
        (50, "II", 0.25, "normal", ("H", 50, 0, True)),
        (51, "II", 0.25, "normal", ("H", 50, 0, False)),
        # The corners: nothing lies below R in the normal table, and S in the tightened one exists for R's arrow.
        (600_000, "III", 0.010, "normal", ("Q", 1250, 0, False)),
        (600_000, "III", 0.015, "normal", ("P", 800, 0, False)),
        (600_000, "III", 0.025, "normal", ("R", 2000, 1, False)),
        (600_000, "III", 0.010, "tightened", ("R", 2000, 0, False)),
        (600_000, "III", 0.015, "tightened", ("Q", 1250, 0, False)),
        (600_000, "III", 0.025, "tightened", ("S", 3150, 1, False)),
        # Beyond acceptance number 21 (18 tightened) the sample shrinks instead.
        (600_000, "III", 10.0, "normal", ("K", 125, 21, False)),
        (600_000, "III", 10.0, "tightened", ("K", 125, 18, False)),
        (1, "II", 1.0, "normal", ("E", 1, 0, True)),
    ],
)
def test_plans_of_single_lots(
    lot_size: int, level: Level, aql: float, inspection: Inspection, expected: tuple[str, int, int, bool]
) -> None:
    """Stops the best-known plans, the arrows, 100 % inspection and the table's corners from changing."""
    assert _plan(lot_size, aql, level=level, inspection=inspection) == expected


@pytest.mark.parametrize(
    ("inspection", "series"),
    [("normal", (0, 1, 2, 3, 5, 7, 10, 14, 21)), ("tightened", (0, 1, 2, 3, 5, 8, 12, 18))],
)
def test_the_table_is_built_as_the_standard_says(inspection: Inspection, series: tuple[int, ...]) -> None:
    """Stops a plan off its diagonal: the expected defects at the AQL decide the acceptance number, at every AQL.

    Sample sizes and AQLs are rounded members of the series 10^(k/5), the sizes by -5.1 to 3.3 % (3 and 13), the AQLs by
    -5.4 to 3.0 % (0.015 and 0.65), so along a diagonal n x AQL varies by a factor of at most 1.033 x 1.030 / (0.949 x
    0.946) = 1.19, less than the step of 1.58 to the next.
    """
    expected_defects: dict[int, list[float]] = {}
    for letter, aql in product(LETTERS[:-1], AQLS):
        lot_size, level = _lot_of(letter)
        used, n, accept, is_full = _plan(lot_size, aql, level=level, inspection=inspection)
        if not is_full and used == letter:
            expected_defects.setdefault(accept, []).append(n * aql / 100)
    assert tuple(sorted(expected_defects)) == series
    for products in expected_defects.values():
        assert max(products) / min(products) < 1.19
    for fewer, more in pairwise(series):
        assert max(expected_defects[fewer]) < min(expected_defects[more])


def test_producers_risk_at_the_aql() -> None:
    """Stops plans that a good vendor could not live with.

    By binomial sums the producer's risk at the AQL is 11 to 13 % with acceptance number 0 and falls to 2 % or less from
    5 on; tightened inspection asks more of the producer in every cell.
    """
    for letter, aql in product(LETTERS[:-1], AQLS):
        lot_size, level = _lot_of(letter)
        used, n, accept, _ = _plan(lot_size, aql, level=level, inspection="normal")
        risk = scipy_stats.binom.sf(accept, n, aql / 100)
        if used == letter:
            low, high = (0.11, 0.13) if accept == 0 else (0.08, 0.10) if accept == 1 else (0.005, 0.05)
            assert low < risk < high, (letter, aql)
            assert accept < 5 or risk < 0.02
            tight = _plan(lot_size, aql, level=level, inspection="tightened")
            assert scipy_stats.binom.cdf(tight[2], tight[1], aql / 100) < 1 - risk


def test_lots_and_aqls_the_table_lacks_are_refused() -> None:
    """Stops an AQL in another unit, or between two columns, from silently taking a neighbour's plan."""
    for aql in (0.02, 0.0101, 12.0, 0.009, 100.0):
        with pytest.raises(ValueError, match=r"the AQL is one of 0\.01, 0\.015"):
            _plan(100, aql, level="II", inspection="normal")
    with pytest.raises(ValueError, match="at least one decision"):
        code_letters(np.array([0]), level="II")


def test_plans_of_many_lots_are_those_of_each() -> None:
    """Stops lots from being given each other's plan."""
    sizes = np.array([3, 40, 700, 20_000, 700])
    aqls = np.array([10.0, 0.10, 2.5, 0.65, 4.0])
    together = single_plans(sizes, aql_percent=aqls, level="I", inspection="normal")
    rows = zip(
        together.letter.tolist(), together.n.tolist(), together.accept.tolist(), together.is_full.tolist(), strict=True
    )
    assert list(rows) == [
        _plan(int(size), aql, level="I", inspection="normal") for size, aql in zip(sizes, aqls, strict=True)
    ]


@settings(deadline=None, derandomize=True)
@given(st.lists(st.booleans(), min_size=1, max_size=60), st.integers(0, 22), st.data())
def test_curtailed_inspection_never_changes_the_verdict(
    defective: list[bool], accept: int, data: st.DataObject
) -> None:
    """Stops a verdict before it is certain: every early verdict is the one of the whole sample, and `continue` is
    said only while both verdicts are still possible."""
    n = len(defective)
    reviewed = data.draw(st.integers(0, n))
    verdict, final = (
        decide(
            n=np.array([n]),
            accept=np.array([accept]),
            reviewed=np.array([seen]),
            defects=np.array([sum(defective[:seen])]),
        )
        for seen in (reviewed, n)
    )
    assert final[0] == ("accept" if sum(defective) <= accept else "reject")
    if verdict[0] == "continue":
        found = sum(defective[:reviewed])
        assert found <= accept < found + n - reviewed
    else:
        assert verdict[0] == final[0]


def test_a_lot_reviewed_beyond_its_plan_is_refused() -> None:
    """Stops extra reviews (a targeted second look, say) from tipping a lot."""
    with pytest.raises(ValueError, match="count the first n"):
        decide(n=np.array([80]), accept=np.array([2]), reviewed=np.array([81]), defects=np.array([2]))
    with pytest.raises(ValueError, match="between 0 and the number"):
        decide(n=np.array([80]), accept=np.array([2]), reviewed=np.array([5]), defects=np.array([6]))


def _series(verdicts: str) -> list[str]:
    """Severity of each lot of a series (`a` accepted, `r` rejected), until it is discontinued."""
    history: list[tuple[Inspection, bool]] = []
    severities: list[str] = []
    for verdict in verdicts:
        severity = next_severity(history)
        severities.append(severity[0])
        if severity == "discontinued":
            break
        history.append((severity, verdict == "a"))
    return severities


@pytest.mark.parametrize(
    ("verdicts", "severities"),
    [
        # Two of five rejected: the sixth lot is tightened. Two of six are not.
        ("raaara", "nnnnnt"),
        ("raaaara", "nnnnnnn"),
        ("rra", "nnt"),
        # Five in succession accepted: back to normal, and the old rejections are forgotten.
        ("rraaaaaran", "nntttttnnn"),
        # A rejection starts the count of five anew.
        ("rraaaaraaaaaa", "nnttttttttttn"),
        # The fifth rejected lot under tightened inspection ends it, however many were accepted in between.
        ("rrrarararaara", "nnttttttttttd"),
        ("rrrrrrra", "nntttttd"),
    ],
)
def test_switching_rules(verdicts: str, severities: str) -> None:
    """Stops the switching rules of ISO 2859-1 (clause 9.3) from being off by one lot."""
    assert "".join(_series(verdicts)) == severities


def test_sample_sizes_match_the_letters() -> None:
    """Stops one of the two lists from losing a member."""
    assert len(LETTERS) == len(SAMPLE_SIZES) == len(set(LETTERS)) == 17
    sizes: IntArray = np.array(SAMPLE_SIZES)
    assert np.all(np.abs(np.log10(sizes / 2) - np.arange(17) / 5) < 0.05)
