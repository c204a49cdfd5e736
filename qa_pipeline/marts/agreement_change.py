"""`marts.agreement_change`: whether a week's agreement differs from that of the four weeks before it.

What is compared with what belongs here; the figures are `agreement`, their difference is `differences`.
"""

from pathlib import Path
from typing import TypeAlias

import duckdb
import numpy as np

from qa_pipeline.config import Config
from qa_pipeline.marts.agreement import agreement_figures
from qa_pipeline.marts.cells import Groups, group_by
from qa_pipeline.marts.differences import difference
from qa_pipeline.marts.mart import Headline, Mart, Source
from qa_pipeline.marts.reading import Codes, Table, read_table
from qa_pipeline.marts.records import Figures, constant
from qa_pipeline.stats.jackknife import FloatArray
from qa_pipeline.stats.windows import Windows

METRICS = ("percent_agreement", "krippendorff_alpha", "gwet_ac1")
SAME, OTHER = "same_guideline", "other_guideline"
# Two mixes of guidelines that have less than this in common are of different guidelines whatever leads them.
MOST_DISTANCE = 0.5
# Whose units say which guideline a kind of subject works under, and whether each subject has units of its own there.
_POOL_OF_KIND = {"vendor": ("production", False), "model_version": ("human_model", True)}
_COMMENT = (
    "Agreement of a week minus that of the 28 days before its Monday: change_percent_agreement, "
    "change_krippendorff_alpha and change_gwet_ac1, for pools, vendors (among their own annotators) and model versions "
    "(against people), in each market and queue and, as CROSS, across markets. No roll-ups ALL: theirs would also "
    "change when a market or queue merely had more of the units. reference_kind tells a break apart: other_guideline "
    "where the commonest guideline of the week's units is another one than before or more than half of the mix of "
    "guidelines is (vendors: the units of all people; units without a guideline are left out), else same_guideline. "
    "Intervals: from those of the two figures (Zou and Donner 2008). n_items and n_ratings are the week's."
)
MART = Mart(
    name="agreement_change",
    comment=_COMMENT,
    queries=("agreement_units", "agreement_guidelines"),
    headline=Headline("pool", "production", "change_percent_agreement", SAME),
    source=Source("unit_patterns"),
)
Where: TypeAlias = tuple[int, str, str, str, str]


def change_figures(
    con: duckdb.DuckDBPyConnection, table: Table, *, sql_root: Path, config: Config, windows: Windows
) -> list[tuple[Windows, list[Figures]]]:
    """Figures of marts.agreement_change from units of agreement (see `agreement`), with the weeks that they index."""
    weeks = windows.of_period("week")
    if not len(table) or not len(weeks):
        return []
    now, before = (
        _by_metric(agreement_figures(table, config=config, windows=each, metrics=METRICS, is_rolled_up=False))
        for each in (weeks, weeks.baselines())
    )
    breaks = _breaks(con, sql_root=sql_root, weeks=weeks)
    figures = []
    for metric in METRICS:
        name = constant(f"change_{metric}", len(now[metric].window))
        found = difference(now[metric], before[metric], metric=name, missing="no_baseline")
        figures.append(found.with_texts(reference_kind=_told_apart(found, breaks)))
    return [(weeks, figures)]


def _by_metric(figures: list[Figures]) -> dict[str, Figures]:
    """The rows of each of METRICS. Figures without any row name their metric too."""
    return {
        metric: Figures.joined([each for each in figures if each.texts["metric"].names == (metric,)])
        for metric in METRICS
    }


def _breaks(con: duckdb.DuckDBPyConnection, *, sql_root: Path, weeks: Windows) -> set[Where]:
    """(week, market, queue, pool, subject) whose units were rated under another guideline in the 28 days before.

    Another one: none of the week's commonest guidelines was among the commonest before, or the two mixes are further
    apart (total variation distance) than MOST_DISTANCE.
    """
    table = read_table(con, sql_root=sql_root, name="agreement_guidelines", parameters={})
    if not len(table):
        return set()
    daily = np.zeros((weeks.slots, table.keys))
    np.add.at(daily, (weeks.slot_of(table.dates), table.key), table.numbers["unit_count"])
    now, before = weeks.sums(daily), weeks.baseline_sums(daily)
    names = ("market", "queue", "rater_pool", "subject")
    groups = group_by(*(table.texts[name].values for name in names))
    totals, earlier = groups.sum(now), groups.sum(before)
    leads = (now == _most(now, groups)) & (before == _most(before, groups))
    # Whole numbers, so that a distance of exactly the limit stays one: both sides times both totals.
    distance = groups.sum(np.abs(now * earlier[:, groups.group] - before * totals[:, groups.group])) / 2
    is_other = (groups.sum(leads.astype(np.float64)) == 0) | (distance > MOST_DISTANCE * totals * earlier)
    texts = [[table.texts[name].names[code] for code in part] for name, part in zip(names, groups.parts, strict=True)]
    cells = list(zip(*texts, strict=True))
    chosen = np.argwhere(is_other & (totals > 0) & (earlier > 0)).tolist()
    return {(week, *cells[cell]) for week, cell in chosen}


def _most(values: FloatArray, groups: Groups) -> FloatArray:
    """The largest of each key's group, `[W, keys]`."""
    most: FloatArray = np.maximum.reduceat(values[:, groups.order], groups.starts, axis=1)[:, groups.group]
    return most


def _told_apart(figures: Figures, breaks: set[Where]) -> Codes:
    texts = [
        [figures.texts[name].names[code] for code in figures.texts[name].values]
        for name in ("market", "queue", "subject_kind", "subject")
    ]
    is_break = []
    for week, market, queue, kind, subject in zip(figures.window.tolist(), *texts, strict=True):
        pool, is_own = _POOL_OF_KIND.get(kind, (subject, False))
        is_break.append((week, market, queue, pool, subject if is_own else "") in breaks)
    return Codes(values=np.array(is_break, dtype=np.int64), names=(SAME, OTHER))
