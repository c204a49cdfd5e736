"""`marts.agreement_change`: whether a week's agreement differs from that of the four weeks before it.

What is compared with what belongs here; the figures are `agreement`, their difference is `differences`.
"""

from pathlib import Path

import duckdb
import numpy as np

from qa_pipeline.config import Config
from qa_pipeline.marts.agreement import agreement_figures
from qa_pipeline.marts.cells import ALL
from qa_pipeline.marts.differences import difference
from qa_pipeline.marts.reading import Codes, Table, read_table
from qa_pipeline.marts.records import Figures, constant
from qa_pipeline.stats.windows import Windows

METRICS = ("percent_agreement", "krippendorff_alpha", "gwet_ac1")
SAME, OTHER = "same_guideline", "other_guideline"
# A guideline that most of the units before the week were not rated under is another one.
LEAST_SHARE = 0.5
COMMENT = (
    "Agreement of a week minus that of the 28 days before its Monday: change_percent_agreement, "
    "change_krippendorff_alpha and change_gwet_ac1, for pools, vendors (among their own annotators) and model versions "
    "(against people). reference_kind tells a break apart: other_guideline where most units before the week were rated "
    "under another guideline than most of the week's, else same_guideline. Intervals: from those of the two figures "
    "(Zou and Donner 2008). n_items and n_ratings are the week's."
)


def change_figures(
    con: duckdb.DuckDBPyConnection, table: Table, *, sql_root: Path, config: Config, windows: Windows
) -> list[tuple[Windows, list[Figures]]]:
    """Figures of marts.agreement_change from units of agreement (see `agreement`), with the weeks that they index."""
    weeks = windows.of_period("week")
    if not len(table) or not len(weeks):
        return []
    now = agreement_figures(table, config=config, windows=weeks, metrics=METRICS)
    before = _by_metric(agreement_figures(table, config=config, windows=weeks.baselines(), metrics=METRICS))
    breaks = _breaks(con, sql_root=sql_root, weeks=weeks)
    figures = []
    for each in now:
        metric = _metric(each)
        if metric in METRICS and metric in before:
            name = constant(f"change_{metric}", len(each.window))
            found = difference(each, Figures.joined(before[metric]), metric=name, missing="no_baseline")
            figures.append(found.with_texts(reference_kind=_told_apart(found, breaks)))
    return [(weeks, figures)]


def _metric(figures: Figures) -> str:
    return figures.texts["metric"].names[0] if len(figures.window) else ""


def _by_metric(figures: list[Figures]) -> dict[str, list[Figures]]:
    found: dict[str, list[Figures]] = {}
    for each in figures:
        found.setdefault(_metric(each), []).append(each)
    return found


def _breaks(con: duckdb.DuckDBPyConnection, *, sql_root: Path, weeks: Windows) -> set[tuple[int, str, str]]:
    """(week, market, queue) whose commonest guideline most units of the 28 days before were not rated under.

    Market and queue may be ALL: a break anywhere in a roll-up is a break of it.
    """
    table = read_table(con, sql_root=sql_root, name="agreement_guidelines", parameters={})
    slots = weeks.slot_of(table.dates)
    daily = np.zeros((weeks.slots, table.keys))
    np.add.at(daily, (slots, table.key), table.numbers["unit_count"])
    now, before = weeks.sums(daily), weeks.baseline_sums(daily)
    market, queue = table.texts["market"], table.texts["queue"]
    found = set()
    cells = {(int(m), int(q)) for m, q in zip(market.values, queue.values, strict=True)}
    for m, q in cells:
        keys = np.flatnonzero((market.values == m) & (queue.values == q))
        commonest = keys[now[:, keys].argmax(axis=1)]
        total = before[:, keys].sum(axis=1)
        share = before[np.arange(len(weeks)), commonest] / np.maximum(total, 1)
        for week in np.flatnonzero((now[:, keys].sum(axis=1) > 0) & (total > 0) & (share < LEAST_SHARE)):
            for rolled_market in (market.names[m], ALL):
                found |= {(int(week), rolled_market, queue.names[q]), (int(week), rolled_market, ALL)}
    return found


def _told_apart(figures: Figures, breaks: set[tuple[int, str, str]]) -> Codes:
    market, queue = figures.texts["market"], figures.texts["queue"]
    rows = zip(figures.window.tolist(), market.values, queue.values, strict=True)
    is_break = [(week, market.names[m], queue.names[q]) in breaks for week, m, q in rows]
    return Codes(values=np.array(is_break, dtype=np.int64), names=(SAME, OTHER))
