"""`marts.self_consistency` and `marts.anchoring`: what annotators do when an item comes back or a label is suggested.

What is counted belongs here; rates and their intervals are `rates`, the difference of two rates `differences`.
"""

from pathlib import Path

import duckdb

from qa_pipeline.marts.differences import difference
from qa_pipeline.marts.rates import RateRules, rate_figures
from qa_pipeline.marts.reading import read_table
from qa_pipeline.marts.records import Figures, constant
from qa_pipeline.marts.subjects import subject_lots
from qa_pipeline.stats.windows import Windows

SHOWN, HIDDEN = "shown", "hidden"
CONSISTENCY_COMMENT = (
    "Share of decisions on an item that the same annotator had decided on an earlier business date (within "
    "restate_days), that are the same as then; a correction on the same date is a revision and does not count. "
    "subject_kind: rater_kind, vendor, annotator (weeks, all and the newest trailing_28d only). n_items and n_ratings: "
    "such decisions. Intervals: Wilson."
)
ANCHORING_COMMENT = (
    "Decisions on items with a suggested label. suggestion_agreement: the share that equals the suggestion, "
    "reference_kind shown (the annotator saw it) or hidden. anchoring: shown minus hidden, which is what seeing it "
    "does only where it was hidden at random. subject_kind: rater_kind, vendor, annotator (weeks, all and the "
    "newest trailing_28d only). n_items and n_ratings: decisions (anchoring: those with it shown). Intervals: "
    "Wilson; the difference from both (Zou and Donner 2008)."
)


def consistency_figures(
    con: duckdb.DuckDBPyConnection, *, sql_root: Path, windows: Windows, annotator_windows: Windows
) -> list[tuple[Windows, list[Figures]]]:
    """Figures of marts.self_consistency from `tallies.repeat_counts`, with the windows that they index."""
    table = read_table(con, sql_root=sql_root, name="repeated_decisions", parameters={})
    rules = RateRules(
        events={"self_consistency": table.texts["outcome"].equal("same")},
        references=(constant("", table.keys),),
        prefers_wilson=True,
        is_finite=False,
    )
    return [
        (over, rate_figures(table, windows=over, subjects=subjects, rules=rules))
        for over, subjects in subject_lots(table, windows=windows, annotator_windows=annotator_windows)
    ]


def anchoring_figures(
    con: duckdb.DuckDBPyConnection, *, sql_root: Path, windows: Windows, annotator_windows: Windows
) -> list[tuple[Windows, list[Figures]]]:
    """Figures of marts.anchoring from `tallies.suggestion_counts`, with the windows that they index."""
    table = read_table(con, sql_root=sql_root, name="suggested_decisions", parameters={})
    rules = RateRules(
        events={"suggestion_agreement": table.texts["outcome"].equal("same")},
        references=(table.texts["suggestion"],),
        prefers_wilson=True,
        is_finite=False,
    )
    lots = []
    for over, subjects in subject_lots(table, windows=windows, annotator_windows=annotator_windows):
        figures = rate_figures(table, windows=over, subjects=subjects, rules=rules)
        lots.append((over, [each for rates in figures for each in (rates, _anchoring(rates))]))
    return lots


def _anchoring(rates: Figures) -> Figures:
    shown, hidden = (rates.where(rates.texts["reference_kind"].equal(name)) for name in (SHOWN, HIDDEN))
    rows = len(shown.window)
    found = difference(shown, hidden, metric=constant("anchoring", rows), missing="no_comparison")
    return found.with_texts(reference_kind=constant("", rows))
