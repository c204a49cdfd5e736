"""`marts.rater_vitality`: what an annotator or a vendor does to agreement: alpha with them minus alpha without.

Taking a subject's ratings out of the sums belongs here; alpha is `stats.agreement`.
"""

from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np

from qa_pipeline.config import Config
from qa_pipeline.contracts import REPLICATES
from qa_pipeline.marts.cells import BLOCK_ELEMENTS, Groups, Rows, blocks, group_by, rows_by_key
from qa_pipeline.marts.mart import Headline, Mart, Source
from qa_pipeline.marts.pattern_sums import keys_by_cell, pattern_counts, production_cells
from qa_pipeline.marts.patterns import SEPARATOR, CellScale, labels_in, queue_scale, text_patterns
from qa_pipeline.marts.reading import Codes, Table, read_table
from qa_pipeline.marts.records import JACKKNIFE, NO_METHOD, NO_REASON, REASONS, Figures, constant
from qa_pipeline.stats.agreement import Patterns, alpha_of_coincidences
from qa_pipeline.stats.agreement_intervals import degrees_of_few
from qa_pipeline.stats.jackknife import (
    MIN_UNITS,
    BoolArray,
    FloatArray,
    interval,
    leave_one_out,
    may_speak,
    rarer_outcome,
)
from qa_pipeline.stats.windows import Windows

METRIC = "vitality"
_COMMENT = (
    "vitality: Krippendorff's alpha of a market and queue minus what it is without one annotator or vendor (their "
    "ratings taken out, units left with one rating dropped). Below 0: agreement is better without them. subject_kind: "
    "annotator, vendor. n_items: units that they rated together with others; n_ratings: their ratings on these. "
    "Periods: week, all and the newest trailing_28d. Intervals: jackknife with 100 such units or more, 10 of them in "
    "the rarer of full agreement and any disagreement, in 8 replicates."
)
MART = Mart(
    name="rater_vitality",
    comment=_COMMENT,
    queries=("vitality_units", "agreement_units"),
    headline=Headline("annotator", "", METRIC, ""),
    source=Source("unit_patterns"),
)


def vitality_figures(
    con: duckdb.DuckDBPyConnection, units: Table, *, sql_root: Path, config: Config, windows: Windows
) -> list[Figures]:
    """Figures of marts.rater_vitality from `tallies.rater_patterns` and `units` (see `agreement`); none without any."""
    raters = read_table(con, sql_root=sql_root, name="vitality_units", parameters={})
    if not len(units) or not len(raters):
        return []
    of_units, of_raters = rows_by_key(units, windows), rows_by_key(raters, windows)
    production = production_cells(units)
    figures = []
    for (market, queue), keys in keys_by_cell(raters, np.arange(raters.keys)).items():
        scale = queue_scale(config, queue)
        mine = production[market, queue]
        texts = [units.texts["pattern"].names[code] for code in units.texts["pattern"].values[mine]]
        own, others = (
            [raters.texts[name].names[code] for code in raters.texts[name].values[keys]] for name in ("own", "others")
        )
        labels = scale.order(labels_in((*texts, *own)))
        everybody = _whole(of_units.of_keys(mine), text_patterns(texts, labels), windows)
        both = text_patterns([SEPARATOR.join(filter(None, pair)) for pair in zip(own, others, strict=True)], labels)
        subjects = _Subjects(
            rows=of_raters.of_keys(keys),
            groups=group_by(*(raters.texts[name].values[keys] for name in ("subject_kind", "subject"))),
            kind=raters.texts["subject_kind"],
            name=raters.texts["subject"],
            removed=both.coincidences - text_patterns(others, labels).coincidences,
            is_unanimous=both.is_unanimous,
            own_ratings=np.array([float(text.count(SEPARATOR) + 1) for text in own]),
        )
        figures.append(_figures(subjects, everybody, scale.weights(labels), scale, windows, place=(market, queue)))
    return figures


@dataclass(frozen=True)
class _Subjects:
    """The annotators and vendors of one market and queue.

    `groups` puts the keys of `rows` together by `kind` and `name`. Per key: `removed` `[keys, L, L]` coincidences that
    go with the subject's ratings, `is_unanimous` whether all ratings of the unit are equal, `own_ratings` on a unit.
    """

    rows: Rows
    groups: Groups
    kind: Codes
    name: Codes
    removed: FloatArray
    is_unanimous: BoolArray
    own_ratings: FloatArray


def _whole(rows: Rows, patterns: Patterns, windows: Windows) -> FloatArray:
    """Coincidences of all raters together, `[W, 21, L, L]`."""
    return patterns.sum_coincidences(leave_one_out(pattern_counts(rows, len(patterns.ratings), windows)))


def _block(
    subjects: _Subjects,
    chosen: range,
    windows: Windows,
    everybody: FloatArray,
    weights: FloatArray,
    *,
    is_ordinal: bool,
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Alpha without each of the `chosen` subjects `[W, 21, S]`, their units and unanimous ones, and their ratings.

    Units `[W, 20, S]` per replicate, ratings `[W, S]`.
    """
    keys = np.flatnonzero((subjects.groups.group >= chosen.start) & (subjects.groups.group < chosen.stop))
    rows = subjects.rows.of_keys(keys)
    column = subjects.groups.group[keys][rows.key] - chosen.start
    shape = (windows.slots, len(chosen))

    def tally(per_key: FloatArray) -> FloatArray:
        counted = rows.numbers["unit_count"] * per_key[keys][rows.key]
        return windows.sums(rows.by_replicate(counted, column=column, shape=shape))

    cells = subjects.removed.reshape(len(subjects.removed), -1).T
    gone = np.stack([leave_one_out(tally(cell)) for cell in cells], axis=-1)
    rest = everybody[:, :, None] - gone.reshape(*gone.shape[:3], *everybody.shape[-2:])
    return (
        alpha_of_coincidences(rest, weights=weights, is_ordinal=is_ordinal),
        tally(np.ones(len(subjects.removed))),
        tally(subjects.is_unanimous.astype(np.float64)),
        tally(subjects.own_ratings).sum(axis=1),
    )


def _figures(
    subjects: _Subjects,
    everybody: FloatArray,
    weights: FloatArray,
    scale: CellScale,
    windows: Windows,
    *,
    place: tuple[str, str],
) -> Figures:
    """A row for every window and subject that rated a unit together with others."""
    is_ordinal, size = scale.kind == "ordinal", everybody.shape[-1] ** 2
    alpha = alpha_of_coincidences(everybody, weights=weights, is_ordinal=is_ordinal)
    sizes = np.full(len(subjects.groups), len(windows) * (REPLICATES + 1) * size)
    parts = [
        _block(subjects, range(first, stop), windows, everybody, weights, is_ordinal=is_ordinal)
        for first, stop in blocks(sizes, limit=BLOCK_ELEMENTS)
    ]
    without, units, unanimous, ratings = (np.concatenate(part, axis=-1) for part in zip(*parts, strict=True))
    statistics = alpha[:, :, None] - without
    events, spread = rarer_outcome(unanimous, units - unanimous)
    total = units.sum(axis=1)
    found = interval(statistics, transform="identity", degrees=degrees_of_few(None, events=events))
    given = may_speak(total, events, spread) & found.is_given
    reason = np.where(total < MIN_UNITS, REASONS.index("too_few_items"), REASONS.index("too_few_disagreements"))
    reason = np.where(np.isnan(statistics[:, 0]), REASONS.index("one_label_only"), reason)
    window, subject = np.nonzero(total > 0)
    rows_made = len(window)
    kind, name = subjects.groups.parts
    return Figures(
        window=window,
        texts={
            "market": constant(place[0], rows_made),
            "queue": constant(place[1], rows_made),
            "subject_kind": Codes(values=kind[subject], names=subjects.kind.names),
            "subject": Codes(values=name[subject], names=subjects.name.names),
            "metric": constant(METRIC, rows_made),
            "reference_kind": constant("", rows_made),
        },
        method=np.where(given, JACKKNIFE, NO_METHOD)[window, subject],
        estimate=np.where(given, statistics[:, 0], np.nan)[window, subject],
        low=np.where(given, found.low, np.nan)[window, subject],
        high=np.where(given, found.high, np.nan)[window, subject],
        n_items=total[window, subject],
        n_ratings=ratings[window, subject],
        reason=np.where(given, NO_REASON, reason)[window, subject],
    )
