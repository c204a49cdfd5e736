"""`marts.gold_health`: whether known answers are many enough, unknown to those they test, right, and of this guideline.

Which figures the mart has, and of whom, belongs here; they are made by `known_answers`, `suspected_keys` and `rates`.
"""

from collections.abc import Iterable
from pathlib import Path

import duckdb

from qa_pipeline.config import Config
from qa_pipeline.marts.cells import ALL
from qa_pipeline.marts.differences import completed
from qa_pipeline.marts.known_answers import declared_labels, first_look_accuracy, guideline_gap, leaks, subject_of
from qa_pipeline.marts.mart import Headline, Mart, Source
from qa_pipeline.marts.rates import RateRules, rate_figures, share
from qa_pipeline.marts.reading import Table, read_table
from qa_pipeline.marts.records import Figures, constant
from qa_pipeline.marts.suspected_keys import suspected_key_figures
from qa_pipeline.stats.jackknife import BoolArray
from qa_pipeline.stats.windows import Windows

_COMMENT = (
    "Health of known answers (gold), from people's production decisions on items with one. gold_share: the share of "
    "decisions that were on such items (subject_kind rater_kind human; label: by the label decided). Every decision "
    "is counted, so the share is exact; its interval is about the process that hands items out. first_look_accuracy: "
    "right decisions among annotators' first looks (human; label: by the known answer, n_items = distinct items with "
    "it). Every declared label of a queue has both, no_data where there is nothing. leak_accuracy_gain and "
    "leak_speed_up (human, vendor): annotators who see an item again on a later date (within restate_days), beside "
    "their own first look: accuracy then minus accuracy first, and 1 - mean handling time then / first; on the date "
    "of the repeat, n = repeats. disagreement_with_key (subject_kind item, reference_kind = the known answer; "
    "trailing 28 days and all): of first looks by good annotators the share that chose alternative_label, the "
    "commonest other one; n = these decisions, 5 or more; suspected: the lower end is above one half. Good: on items "
    "of the other replicates of the market and queue (5 decisions or more) as often right as the median annotator, or"
    " more. suspected_key_share: of such items, with suspected_key_share_by_chance to compare with, an upper bound of"
    " what independent errors would make. other_guideline_share (human, label): decisions whose known answer was "
    "given under another guideline (unknown ones count as the same); other_guideline_accuracy_gap: accuracy of first "
    "looks under the same minus under another. Of a multi-select label each code counts. Periods week, all and the "
    "newest trailing_28d. Intervals: jackknife by items where it may speak, no shorter than Wilson; shares else "
    "Wilson (first_look_accuracy: on distinct items), differences else none."
)
MART = Mart(
    name="gold_health",
    comment=_COMMENT,
    queries=("gold_known", "gold_guidelines", "gold_first_looks", "gold_repeats", "gold_disagreements"),
    headline=Headline("rater_kind", "human", "gold_share", ""),
    source=Source("label_counts", "rater_kind = 'human'"),
    extra={
        "alternative_label": (
            "varchar",
            "Rows of items: the commonest label other than the known answer; empty where all chose the known answer.",
        ),
        "suspected": (
            "boolean",
            "Rows of items: whether most good annotators chose alternative_label, so that the key may be wrong.",
        ),
    },
)


def gold_health_figures(
    con: duckdb.DuckDBPyConnection, *, sql_root: Path, config: Config, windows: Windows
) -> list[tuple[Windows, list[Figures]]]:
    """Figures of marts.gold_health from `tallies.gold_counts` and `tallies.label_counts`.

    Rows of items have columns of their own, so they are a lot of their own.
    """
    tables = {
        name: read_table(con, sql_root=sql_root, name=name, parameters={})
        for name in ("gold_known", "gold_guidelines", "gold_first_looks", "gold_repeats")
    }
    known, guidelines, looks, repeats = tables.values()
    labels = {code: tuple(label.code for label in queue.labels) for code, queue in config.taxonomy.queues.items()}
    shares = _shares(known, "gold_share", known.texts["is_known"].equal("yes"), kind="rater_kind", windows=windows)
    figures = list(shares)
    found = _shares(known, "gold_share", known.texts["is_known"].equal("yes"), kind="label", windows=windows)
    figures += _of_declared(found, about=shares, labels=labels, metric="gold_share")
    figures += first_look_accuracy(looks, windows=windows, subject=subject_of(looks, "rater_kind"))
    by_label = first_look_accuracy(looks, windows=windows, subject=subject_of(looks, "label"))
    figures += _of_declared(_of_queues(by_label), about=shares, labels=labels, metric="first_look_accuracy")
    is_other = guidelines.texts["guideline"].equal("other")
    for kind in ("rater_kind", "label"):
        figures += _shares(guidelines, "other_guideline_share", is_other, kind=kind, windows=windows)
        gaps = guideline_gap(guidelines, windows=windows, subject=subject_of(guidelines, kind))
        figures += _of_queues(gaps) if kind == "label" else gaps
    for kind in ("rater_kind", "vendor"):
        figures += leaks(repeats, windows=windows, subject=subject_of(repeats, kind))
    items, queues = suspected_key_figures(con, sql_root=sql_root, windows=windows)
    return [(windows, figures + queues), (windows, items)]


def _shares(table: Table, metric: str, events: BoolArray, *, kind: str, windows: Windows) -> list[Figures]:
    rules = RateRules(
        scores={metric: share(events)}, references=(constant("", table.keys),), prefers_wilson=False, is_finite=False
    )
    figures = rate_figures(table, windows=windows, subjects=(subject_of(table, kind),), rules=rules)
    return _of_queues(figures) if kind == "label" else figures


def _of_queues(figures: Iterable[Figures]) -> list[Figures]:
    """Labels of one queue each: a code means something else in another queue."""
    return [each.where(~each.texts["queue"].equal(ALL)) for each in figures]


def _of_declared(
    found: list[Figures], *, about: list[Figures], labels: dict[str, tuple[str, ...]], metric: str
) -> list[Figures]:
    """Rows of labels, and one without an estimate for each declared label that has none where there are decisions."""
    if not about:
        return found
    like = declared_labels(Figures.joined(about), labels=labels, metric=metric)
    if not found:
        found = [like.where(like.window < 0)]
    return [completed(Figures.joined(found), like=like, reason="no_data")]
