"""`marts.self_consistency` and `marts.anchoring`: what annotators do when an item comes back or a label is suggested.

What is counted belongs here; rates and their intervals are `rates`, the difference of two rates `differences`.
"""

from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np

from qa_pipeline.contracts import REPLICATES
from qa_pipeline.marts.cells import BLOCK_ELEMENTS, RollUp, blocks, group_by, roll_ups, rows_by_key
from qa_pipeline.marts.differences import difference
from qa_pipeline.marts.mart import Headline, Mart, Source
from qa_pipeline.marts.rates import RateRules, Subject, rate_figures, share
from qa_pipeline.marts.reading import Table, read_table
from qa_pipeline.marts.records import DIFFERENCE, JACKKNIFE, NO_METHOD, NO_REASON, REASONS, Figures, constant
from qa_pipeline.marts.subjects import subject_lots
from qa_pipeline.stats.jackknife import (
    MIN_UNITS,
    FloatArray,
    IntArray,
    divide,
    interval,
    leave_one_out,
    may_speak,
    rarer_outcome,
)
from qa_pipeline.stats.windows import Windows

SHOWN, HIDDEN = "shown", "hidden"
_CONSISTENCY_COMMENT = (
    "Share of decisions on an item that the same annotator had decided on an earlier business date (within "
    "restate_days), that are the same as then; a correction on the same date is a revision and does not count. "
    "subject_kind: rater_kind, vendor, annotator (weeks, all and the newest trailing_28d only). n_items and n_ratings: "
    "such decisions. Intervals: jackknife where it may speak, else none, because several people decide the same item; "
    "annotator: Wilson."
)
CONSISTENCY = Mart(
    name="self_consistency",
    comment=_CONSISTENCY_COMMENT,
    queries=("repeated_decisions",),
    headline=Headline("rater_kind", "human", "self_consistency", ""),
    source=Source("unit_patterns"),
)
_ANCHORING_COMMENT = (
    "Decisions on items with a suggested label. suggestion_agreement: the share that equals the suggestion, "
    "reference_kind shown (the annotator saw it) or hidden. anchoring: shown minus hidden, which is what seeing it "
    "does only where it was hidden at random. subject_kind: rater_kind, vendor, annotator (weeks, all and the "
    "newest trailing_28d only). n_items and n_ratings: decisions (anchoring: those with it shown). Intervals: "
    "jackknife, of the difference too, where it may speak, else none, because several people decide the same item; "
    "annotator: Wilson, and the difference from both (Zou and Donner 2008)."
)
ANCHORING = Mart(
    name="anchoring",
    comment=_ANCHORING_COMMENT,
    queries=("suggested_decisions",),
    headline=Headline("rater_kind", "human", "anchoring", ""),
    source=Source("unit_patterns"),
)


def consistency_figures(
    con: duckdb.DuckDBPyConnection, *, sql_root: Path, windows: Windows, annotator_windows: Windows
) -> list[tuple[Windows, list[Figures]]]:
    """Figures of marts.self_consistency from `tallies.repeat_counts`, with the windows that they index."""
    table = read_table(con, sql_root=sql_root, name="repeated_decisions", parameters={})
    score = share(table.texts["outcome"].equal("same"))
    references = (constant("", table.keys),)
    lots = []
    for over, subjects in subject_lots(table, windows=windows, annotator_windows=annotator_windows):
        figures: list[Figures] = []
        for subject in subjects:
            rules = RateRules(
                {"self_consistency": score}, references, prefers_wilson=_is_one_person(subject), is_finite=False
            )
            figures += _given(rate_figures(table, windows=over, subjects=(subject,), rules=rules), subject)
        lots.append((over, figures))
    return lots


def anchoring_figures(
    con: duckdb.DuckDBPyConnection, *, sql_root: Path, windows: Windows, annotator_windows: Windows
) -> list[tuple[Windows, list[Figures]]]:
    """Figures of marts.anchoring from `tallies.suggestion_counts`, with the windows that they index."""
    table = read_table(con, sql_root=sql_root, name="suggested_decisions", parameters={})
    score = share(table.texts["outcome"].equal("same"))
    references = (table.texts["suggestion"],)
    lots = []
    for over, subjects in subject_lots(table, windows=windows, annotator_windows=annotator_windows):
        figures: list[Figures] = []
        for subject in subjects:
            is_one = _is_one_person(subject)
            rules = RateRules({"suggestion_agreement": score}, references, prefers_wilson=is_one, is_finite=False)
            rates = rate_figures(table, windows=over, subjects=(subject,), rules=rules)
            figures += _given(rates, subject)
            # Rates of a subject are one lot for each roll-up, in the order of the roll-ups.
            for found, places in zip(rates, _places(table, subject), strict=True):
                apart, alone = _anchoring(found)
                figures += [apart if is_one else _jackknifed(apart, table, over, subject, places), alone]
        lots.append((over, figures))
    return lots


def _is_one_person(subject: Subject) -> bool:
    """Whether the subject's decisions are on distinct items, so that they are independent."""
    return subject.kind == "annotator"


def _given(rates: list[Figures], subject: Subject) -> list[Figures]:
    """The rates; of many people with an interval only where the jackknife speaks.

    With three people on each item Wilson's interval on decisions covered 79 to 86 %.
    """
    if _is_one_person(subject):
        return rates
    found = []
    for each in rates:
        given = each.method == JACKKNIFE
        found.append(
            replace(
                each,
                method=np.where(given, JACKKNIFE, NO_METHOD),
                low=np.where(given, each.low, np.nan),
                high=np.where(given, each.high, np.nan),
                reason=np.where(given, NO_REASON, _too_few(each.n_items)),
            )
        )
    return found


def _too_few(units: FloatArray) -> IntArray:
    return np.where(units < MIN_UNITS, REASONS.index("too_few_items"), REASONS.index("too_few_events"))


def _places(table: Table, subject: Subject) -> list[RollUp]:
    """The roll-ups of a subject's keys; their `keys` index the keys of `subject`."""
    keys = np.flatnonzero(subject.keys)
    return roll_ups({name: table.texts[name].take(keys) for name in ("market", "queue")}) if len(keys) else []


def _anchoring(rates: Figures) -> tuple[Figures, Figures]:
    """Shown minus hidden, a row for every rate of shown; and a row for every rate of hidden that has none of shown."""
    shown, hidden = (rates.where(rates.texts["reference_kind"].equal(name)) for name in (SHOWN, HIDDEN))
    found = []
    for one, other in ((shown, hidden), (hidden, shown)):
        metric = constant("anchoring", len(one.window))
        apart = difference(one, other, metric=metric, missing="no_comparison")
        found.append(apart.with_texts(reference_kind=constant("", len(one.window))))
    alone = found[1].where(found[1].reason == REASONS.index("no_comparison"))
    nothing = np.zeros(len(alone.window))
    return found[0], replace(alone, n_items=nothing, n_ratings=nothing)


def _jackknifed(apart: Figures, table: Table, windows: Windows, subject: Subject, places: RollUp) -> Figures:
    """The differences with their own jackknife interval: what is shown and what is hidden may be the same items.

    It speaks where it may for both rates; elsewhere there is no difference, and a reason.
    """
    keys = np.flatnonzero(subject.keys)[places.keys]
    named = [places.market, places.queue, subject.name.take(keys)]
    cells = group_by(*(codes.values for codes in named))
    parts = [[codes.names[value] for value in part] for codes, part in zip(named, cells.parts, strict=True)]
    place = {cell: index for index, cell in enumerate(zip(*parts, strict=True))}
    wanted = [apart.texts[name] for name in ("market", "queue", "subject")]
    texts = zip(*([codes.names[value] for value in codes.values] for codes in wanted), strict=True)
    cell = np.array([place[key] for key in texts], dtype=np.int64)
    compared = apart.method == DIFFERENCE
    low, high = np.full(len(cell), np.nan), np.full(len(cell), np.nan)
    units = np.zeros(len(cell))
    is_same, is_shown = table.texts["outcome"].equal("same")[keys], table.texts["suggestion"].equal(SHOWN)[keys]
    rows = rows_by_key(table, windows).of_keys(keys)
    sizes = np.full(len(cells), windows.slots * REPLICATES)
    for first, stop in blocks(sizes, limit=BLOCK_ELEMENTS):
        chosen = np.flatnonzero(compared & (cell >= first) & (cell < stop))
        own = np.flatnonzero((cells.group >= first) & (cells.group < stop))
        counted = rows.of_keys(own)
        column = (cells.group[own] - first)[counted.key]
        rates, speaks, least = [], np.ones(len(chosen), dtype=np.bool_), np.full(len(chosen), np.inf)
        for side in (is_shown[own], ~is_shown[own]):
            sums = [
                windows.pair_sums(
                    counted.by_replicate(
                        counted.numbers["unit_count"] * counts[counted.key],
                        column=column,
                        shape=(windows.slots, stop - first),
                    ),
                    window=apart.window[chosen],
                    column=cell[chosen] - first,
                )
                for counts in (side, side & is_same[own])
            ]
            events, spread = rarer_outcome(sums[1], sums[0] - sums[1])
            total = sums[0].sum(axis=0)
            speaks, least = speaks & may_speak(total, events, spread), np.minimum(least, total)
            rates.append(divide(leave_one_out(sums[1]), leave_one_out(sums[0])))
        found = interval(rates[0] - rates[1], transform="identity")
        low[chosen] = np.where(speaks, np.maximum(found.low, -1), np.nan)
        high[chosen] = np.where(speaks, np.minimum(found.high, 1), np.nan)
        units[chosen] = least
    given = np.isfinite(low) & np.isfinite(high)
    return replace(
        apart,
        method=np.where(given, JACKKNIFE, NO_METHOD),
        estimate=np.where(given, apart.estimate, np.nan),
        low=low,
        high=high,
        reason=np.where(given, NO_REASON, np.where(compared, _too_few(units), apart.reason)),
    )
