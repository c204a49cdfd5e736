"""Known answers that good annotators disagree with: the keys may be wrong.

Which annotators are good is counted by `sql/marts/gold_disagreements.sql`; what makes a key suspected, and how many
would be by chance, belong here.
"""

from pathlib import Path

import duckdb
import numpy as np
from scipy.stats import binom

from qa_pipeline.marts.cells import group_by
from qa_pipeline.marts.reading import Table, read_table
from qa_pipeline.marts.records import NO_METHOD, NO_REASON, REASONS, WILSON, Figures, constant
from qa_pipeline.stats.jackknife import BoolArray, FloatArray, divide
from qa_pipeline.stats.proportions import wilson
from qa_pipeline.stats.windows import PERIODS, Windows

# Decisions of good annotators that an item needs, and decisions on other items that make an annotator known.
FEWEST_JUDGES = 5
FEWEST_OTHERS = 5


def suspected_key_figures(
    con: duckdb.DuckDBPyConnection, *, sql_root: Path, windows: Windows
) -> tuple[list[Figures], list[Figures]]:
    """Rows of items, which have columns of their own, and rows of queues; for all dates and the trailing 28 days.

    A week has too few good decisions on most items to say anything.
    """
    items, queues = [], []
    for window in np.flatnonzero(windows.period != PERIODS.index("week")).tolist():
        table = read_table(
            con,
            sql_root=sql_root,
            name="gold_disagreements",
            parameters={
                "start_date": windows.start[window].item(),
                "end_date": windows.end[window].item(),
                "fewest_judges": FEWEST_JUDGES,
                "fewest_others": FEWEST_OTHERS,
            },
        )
        if table.keys:
            items.append(_of_items(table, window))
            queues += _of_queues(table, window)
    return items, queues


def is_suspected(alternative: FloatArray, decisions: FloatArray) -> BoolArray:
    """Whether most good annotators would choose the alternative: Wilson's lower end is above one half."""
    suspected: BoolArray = wilson(divide(alternative, decisions), decisions).low > 0.5
    return suspected


def chance_of_suspicion(decisions: FloatArray, *, error: FloatArray) -> FloatArray:
    """Probability `[...]` that a right key is suspected when good annotators err by themselves, each with `error`.

    An upper bound of that: all errors are taken to be for one label. Binomial: the least number of errors that makes an
    item of so many `decisions` suspected, or more.

    >>> round(float(chance_of_suspicion(np.array([5.0]), error=np.array([0.2]))[0]), 5)
    0.00032
    """
    least = np.empty_like(decisions)
    for n in np.unique(decisions):
        counts = np.arange(n + 1)
        least[decisions == n] = counts[is_suspected(counts, np.full(len(counts), n))].min()
    chance: FloatArray = binom.sf(least - 1, decisions, error)
    return chance


def _of_items(table: Table, window: int) -> Figures:
    # Each key has one row: it names the item and its known answer.
    key = table.key
    texts = {name: table.texts[name].take(key) for name in ("market", "queue", "subject", "reference_kind")}
    n, other = (table.numbers[name].astype(np.float64) for name in ("unit_count", "alternative_count"))
    share = other / n
    found = wilson(share, n)
    rows = len(n)
    return Figures(
        window=np.full(rows, window),
        texts=texts | {"subject_kind": constant("item", rows), "metric": constant("disagreement_with_key", rows)},
        method=np.full(rows, WILSON),
        estimate=share,
        low=found.low,
        high=found.high,
        n_items=n,
        n_ratings=n,
        reason=np.full(rows, NO_REASON),
        extra={
            "alternative_label": table.texts["alternative_label"].take(key),
            "suspected": is_suspected(other, n),
        },
    )


def _of_queues(table: Table, window: int) -> list[Figures]:
    """The share of items with a suspected key, and that to expect when every key is right."""
    market, queue = (table.texts[name].take(table.key) for name in ("market", "queue"))
    cells = group_by(market.values, queue.values)
    n, agreeing, other = (
        table.numbers[name].astype(np.float64) for name in ("unit_count", "agreeing", "alternative_count")
    )
    items, decisions = cells.sum(np.ones_like(n)), cells.sum(n)
    error = 1 - cells.sum(agreeing) / decisions
    share = cells.sum(is_suspected(other, n).astype(np.float64)) / items
    expected = cells.sum(chance_of_suspicion(n, error=error[cells.group])) / items
    found = wilson(share, items)
    nothing = np.full(len(items), np.nan)

    def rows(metric: str, *, estimate: FloatArray, low: FloatArray, high: FloatArray, is_expectation: bool) -> Figures:
        size = len(items)
        first = cells.order[cells.starts]
        return Figures(
            window=np.full(size, window),
            texts={
                "market": market.take(first),
                "queue": queue.take(first),
                "subject_kind": constant("rater_kind", size),
                "subject": constant("human", size),
                "metric": constant(metric, size),
                "reference_kind": constant("", size),
            },
            method=np.full(size, NO_METHOD if is_expectation else WILSON),
            estimate=estimate,
            low=low,
            high=high,
            n_items=items,
            n_ratings=decisions,
            reason=np.full(size, REASONS.index("expectation") if is_expectation else NO_REASON),
        )

    return [
        rows("suspected_key_share", estimate=share, low=found.low, high=found.high, is_expectation=False),
        rows("suspected_key_share_by_chance", estimate=expected, low=nothing, high=nothing, is_expectation=True),
    ]
