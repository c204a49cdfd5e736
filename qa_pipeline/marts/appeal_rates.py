"""`marts.appeal_rates`: how often appeals overturn decisions, and what that says of the decisions nobody appealed.

Which decisions and appeals are counted belongs here; the bounds are `stats.selection_bounds`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import numpy as np

from qa_pipeline.marts.cells import group_by, roll_ups, rows_by_key
from qa_pipeline.marts.defect_rate import corrected_figures_of
from qa_pipeline.marts.differences import matching_rows
from qa_pipeline.marts.mart import Headline, Mart, Source
from qa_pipeline.marts.rates import Subject
from qa_pipeline.marts.reading import Codes, Table, read_table
from qa_pipeline.marts.records import (
    IMBENS_MANSKI,
    NO_METHOD,
    NO_REASON,
    REASONS,
    VARIANCE_RECOVERY,
    WILSON,
    Figures,
    WindowedFigures,
    constant,
)
from qa_pipeline.stats.corrected_rates import Measured
from qa_pipeline.stats.jackknife import BoolArray, FloatArray, IntArray, Interval, divide
from qa_pipeline.stats.proportions import wilson
from qa_pipeline.stats.selection_bounds import Bounds, manski_bounds, narrowed_bounds
from qa_pipeline.stats.windows import Windows

NO_ASSUMPTION, QA = "", "qa"
_COMMENT = (
    "Appeals of people's production decisions (subject_kind rater_kind human, vendor, label) and of the labels chosen "
    "by models (rater_kind model, model_label), on the date of the decision; filed within restate_days. overturn_rate: "
    "appeals that ended overturned or partial / appeals (n). An appeal in the feed has an outcome; those still open "
    "are not there yet and count as not filed. appeal_rate: decisions appealed / decisions (n, as of all that "
    "follow). Who appeals chooses to, so overturn_rate says little of other decisions: overturn_at_least and "
    "overturn_at_most bound the share of all decisions that appeals would overturn, had each been appealed (of several "
    "appeals of a decision the last counts), and overturn_rate_all is the interval for that share itself (Imbens and "
    "Manski 2004), without an estimate (bounds_only). reference_kind empty: no assumption (Manski 1989); qa "
    "(rater_kind, vendor): no more can be overturned than is wrong by defect_rate_corrected of the same row, with its "
    "interval, which is that of the process behind the decisions like those of the other bounds; where that rate is "
    "not known the reason is the same, no_data: none was reviewed at random, contradicted: more was overturned. The "
    "uncorrected rate is no such bound, since QA misses defects. A row wherever market x queue had an appeal of "
    "people's or models' decisions in the period; no_comparison: more decisions with that label were appealed than "
    "made. Labels have the periods "
    "week, all and the newest trailing_28d only. Intervals of shares: Wilson, each appeal and decision by itself."
)
MART = Mart(
    name="appeal_rates",
    comment=_COMMENT,
    queries=("appealed_decisions", "defect_blind", "defect_slices", "qa_verdicts"),
    headline=Headline("rater_kind", "human", "overturn_rate", NO_ASSUMPTION),
    source=Source("appeal_counts"),
)
# Subjects that marts.defect_rate has a corrected rate of, for the same windows.
_CORRECTED = ("rater_kind", "vendor")
_MEASURES = ("decided", "appeals", "overturned_appeals", "appealed", "overturned")


@dataclass(frozen=True)
class _Cells:
    """Pairs of a window and a cell whose market and queue had appeals; `counts` are `[pairs]` by measure."""

    window: IntArray
    texts: dict[str, Codes]
    counts: dict[str, FloatArray]

    def figures(
        self,
        metric: str,
        reference: str,
        *,
        estimate: FloatArray,
        found: Interval,
        n: str,
        reason: IntArray,
        method: int | IntArray,
    ) -> Figures:
        """Rows of one metric; where there is a `reason` but that of bounds, neither an estimate nor an interval."""
        rows = len(self.window)
        given = (reason == NO_REASON) | (reason == REASONS.index("bounds_only"))
        return Figures(
            window=self.window,
            texts=self.texts | {"metric": constant(metric, rows), "reference_kind": constant(reference, rows)},
            method=np.where(given, method, NO_METHOD),
            estimate=np.where(given, estimate, np.nan),
            low=np.where(given, found.low, np.nan),
            high=np.where(given, found.high, np.nan),
            n_items=self.counts[n],
            n_ratings=self.counts[n],
            reason=reason,
        )


def appeal_figures(
    con: duckdb.DuckDBPyConnection,
    defects: WindowedFigures,
    *,
    sql_root: Path,
    windows: Windows,
    label_windows: Windows,
) -> list[tuple[Windows, list[Figures]]]:
    """Figures of marts.appeal_rates from the tallies of appeals and labels, with the windows that they index.

    `defects` are the figures of marts.defect_rate over the same windows.
    """
    table = read_table(con, sql_root=sql_root, name="appealed_decisions", parameters={})
    lots = []
    errors = corrected_figures_of(defects)
    for over, kinds in ((windows, _CORRECTED), (label_windows, ("label", "model_label"))):
        figures: list[Figures] = []
        for kind in kinds:
            for cells in _cells(table, windows=over, subject=_subject(table, kind)):
                figures += _rates(cells)
                figures += _bounds(cells)
                if kind in _CORRECTED:
                    figures += _narrowed(cells, errors)
        lots.append((over, figures))
    return lots


def _subject(table: Table, kind: str) -> Subject:
    rater_kind, vendor, label = (table.texts[name] for name in ("rater_kind", "vendor", "label"))
    is_human = rater_kind.equal("human")
    return {
        "rater_kind": Subject(kind=kind, keys=is_human | ~is_human, name=rater_kind),
        "vendor": Subject(kind=kind, keys=is_human & ~vendor.equal(""), name=vendor),
        "label": Subject(kind=kind, keys=is_human, name=label),
        "model_label": Subject(kind=kind, keys=rater_kind.equal("model"), name=label),
    }[kind]


def _cells(table: Table, *, windows: Windows, subject: Subject) -> Iterator[_Cells]:
    """Counts of a subject in each market x queue and their roll-ups."""
    keys = np.flatnonzero(subject.keys)
    if not len(keys):
        return
    rows = rows_by_key(table, windows)
    daily = {name: rows.by_slot(name, slots=windows.slots)[:, keys] for name in _MEASURES}
    texts = {name: table.texts[name].take(keys) for name in ("market", "queue", "rater_kind")}
    for places in roll_ups(texts):
        named = (places.market, places.queue, texts["rater_kind"].take(places.keys))
        own = subject.name.take(keys).take(places.keys)
        cells = group_by(*(codes.values for codes in (*named, own)))
        sums = {name: windows.sums(cells.sum(values[:, places.keys])) for name, values in daily.items()}
        place = group_by(*cells.parts[:3])
        has_appeals = (place.sum(sums["appeals"]) > 0)[:, place.group]
        window, cell = np.nonzero(has_appeals & (sums["decided"] + sums["appeals"] > 0))
        coded = {"market": places.market, "queue": places.queue, "subject": own}
        parts = (cells.parts[0], cells.parts[1], cells.parts[3])
        yield _Cells(
            window=window,
            texts={
                name: Codes(values=part[cell], names=codes.names)
                for (name, codes), part in zip(coded.items(), parts, strict=True)
            }
            | {"subject_kind": constant(subject.kind, len(window))},
            counts={name: values[window, cell] for name, values in sums.items()},
        )


def _rates(cells: _Cells) -> Iterator[Figures]:
    appeals, decided = cells.counts["appeals"], cells.counts["decided"]
    overturned = divide(cells.counts["overturned_appeals"], appeals)
    yield cells.figures(
        "overturn_rate",
        NO_ASSUMPTION,
        estimate=overturned,
        found=wilson(overturned, appeals),
        n="appeals",
        reason=np.where(appeals > 0, NO_REASON, REASONS.index("no_data")),
        method=WILSON,
    )
    appealed = divide(cells.counts["appealed"], decided)
    yield cells.figures(
        "appeal_rate",
        NO_ASSUMPTION,
        estimate=appealed,
        found=wilson(np.minimum(appealed, 1), decided),
        n="decided",
        reason=_unless_contained(cells),
        method=WILSON,
    )


def _bounds(cells: _Cells) -> Iterator[Figures]:
    reason = _unless_contained(cells)
    with np.errstate(invalid="ignore", divide="ignore"):
        bounds = manski_bounds(**_decided(cells))
    yield cells.figures(
        "overturn_at_least",
        NO_ASSUMPTION,
        estimate=bounds.low,
        found=bounds.low_interval,
        n="decided",
        reason=reason,
        method=WILSON,
    )
    yield from _from_above(cells, NO_ASSUMPTION, bounds, reason=reason, method=WILSON)


def _narrowed(cells: _Cells, errors: Figures | None) -> Iterator[Figures]:
    """The bounds from above by what QA finds wrong."""
    impossible = _unless_contained(cells)
    wrong, why = _wrong(cells, errors)
    with np.errstate(invalid="ignore", divide="ignore"):
        bounds = narrowed_bounds(**_decided(cells), errors=wrong)
        is_manski = wrong.value >= manski_bounds(**_decided(cells)).high
    reason = np.where(bounds.is_crossed, REASONS.index("contradicted"), NO_REASON)
    reason = np.where(why == NO_REASON, reason, why)
    reason = np.where(impossible == NO_REASON, reason, impossible)
    yield from _from_above(cells, QA, bounds, reason=reason, method=np.where(is_manski, WILSON, VARIANCE_RECOVERY))


def _decided(cells: _Cells) -> dict[str, FloatArray]:
    return {
        "decisions": cells.counts["decided"],
        "appealed": cells.counts["appealed"],
        "overturned": cells.counts["overturned"],
        "open_": np.zeros_like(cells.counts["decided"]),
    }


def _from_above(
    cells: _Cells, reference: str, bounds: Bounds, *, reason: IntArray, method: int | IntArray
) -> Iterator[Figures]:
    yield cells.figures(
        "overturn_at_most",
        reference,
        estimate=bounds.high,
        found=bounds.high_interval,
        n="decided",
        reason=reason,
        method=method,
    )
    yield cells.figures(
        "overturn_rate_all",
        reference,
        estimate=np.full(len(reason), np.nan),
        found=bounds.interval,
        n="decided",
        reason=np.where(reason == NO_REASON, REASONS.index("bounds_only"), reason),
        method=IMBENS_MANSKI,
    )


def _unless_contained(cells: _Cells) -> IntArray:
    """Why nothing can be said of all decisions; NO_REASON where those appealed are among them."""
    decided: BoolArray = cells.counts["decided"] > 0
    contained = cells.counts["appealed"] <= cells.counts["decided"]
    return np.where(decided & contained, NO_REASON, REASONS.index("no_comparison"))


def _wrong(cells: _Cells, errors: Figures | None) -> tuple[Measured, IntArray]:
    """The corrected defect rate of the same window and cell, and why there is none."""
    rows = len(cells.window)
    why = np.full(rows, REASONS.index("no_data"))
    value, low, high = (np.full(rows, np.nan) for _ in range(3))
    if errors is not None:
        wanted = replace(errors.where(np.zeros(0, dtype=np.int64)), window=cells.window, texts=cells.texts)
        place = matching_rows(wanted, errors)
        found = place >= 0
        at = place[found]
        why[found] = errors.reason[at]
        value[found], low[found], high[found] = errors.estimate[at], errors.low[at], errors.high[at]
    return Measured(value, Interval(low=low, high=high)), why
