"""`marts.review_plan`: how many of the newest decisions to review, of whom, and with which chance each is picked.

Cells, pools and what a row says belong here; allocation is `stats.allocation`. Picking is `sql/reports/review_sample`.
"""

from pathlib import Path

import duckdb
import numpy as np

from qa_pipeline.marts.cells import Groups, group_by
from qa_pipeline.marts.mart import Mart, Source
from qa_pipeline.marts.planning_history import PRIOR_REVIEWS, Reviewed, key_sums, read_history, reviewed
from qa_pipeline.marts.reading import Codes, Table, coded, read_table
from qa_pipeline.marts.records import NO_METHOD, REASONS, Figures, constant
from qa_pipeline.quality_config import PlanningConfig
from qa_pipeline.stats.allocation import PoolKind, ReviewPlan, review_plan, shrunken_shares
from qa_pipeline.stats.jackknife import FloatArray, IntArray
from qa_pipeline.stats.windows import PERIODS, Windows

_COMMENT = (
    "The next random reviews, drawn from people's production decisions of the newest date that has any. A row is a "
    "cell: an annotator in a market and queue. estimate: reviews of the cell's pool, drawn from its pool_size "
    "decisions, each with the chance inclusion_probability; cells with the same pool are drawn from together, so add "
    "up a pool once. Pools are cells if the budget gives every cell a review and every annotator the floor of "
    "quality.toml, else annotators, else strata (market x queue x vendor). The budget is spread by Neyman's "
    "allocation: most where decisions are many and a defect rate uncertain (near 50 %). n_items and n_ratings: random "
    "reviews of the cell's stratum in the 28 days before, which expected_defect_rate is made from. Which decisions: "
    "reports/review_sample-<date>.csv of the home."
)
MART = Mart(
    name="review_plan",
    comment=_COMMENT,
    queries=("planning_annotators", "planning_strata"),
    headline=None,
    source=Source("annotator_label_counts"),
    extra={
        "vendor": ("varchar", "Whom the annotator works for; of several in a market and queue, for most decisions."),
        "pool_kind": ("varchar", "What is drawn from together: cell, annotator or stratum; the same in all rows."),
        "pool": ("varchar", "The pool: market/queue/annotator, annotator, or market/queue/vendor."),
        "decisions": ("bigint", "Decisions of the cell."),
        "pool_size": ("bigint", "Decisions of the pool."),
        "expected_defect_rate": (
            "double",
            "Defect rate of the stratum in the 28 days, drawn towards its market and queue's as if by 20 more reviews.",
        ),
        "inclusion_probability": (
            "double",
            "Chance of each decision of the pool to be picked: estimate / pool_size.",
        ),
    },
)


def plan_figures(
    con: duckdb.DuckDBPyConnection, *, sql_root: Path, windows: Windows, config: PlanningConfig
) -> list[Figures]:
    """Figures of marts.review_plan; none without decisions."""
    table = read_table(con, sql_root=sql_root, name="planning_annotators", parameters={})
    if not table.keys:
        return []
    history = read_history(con, sql_root=sql_root)
    strata = group_by(*(history.texts[name].values for name in ("market", "queue", "vendor")))
    known = reviewed(
        key_sums(history, rows=np.ones(len(history), dtype=np.bool_)), keys=np.arange(history.keys), groups=strata
    )
    queues = group_by(strata.parts[0], strata.parts[1]).group
    share = shrunken_shares(known.defects, known.effective, queue=queues, prior_reviews=PRIOR_REVIEWS)
    cells = group_by(*(table.texts[name].values for name in ("market", "queue", "rater")))
    decisions = cells.sum(_per_key(table)).astype(np.int64)
    vendor = _main_vendor(table, cells)
    texts = {
        "market": Codes(values=cells.parts[0], names=table.texts["market"].names),
        "queue": Codes(values=cells.parts[1], names=table.texts["queue"].names),
        "rater": Codes(values=cells.parts[2], names=table.texts["rater"].names),
        "vendor": vendor,
    }
    stratum = _places(texts, history, strata)
    plan = review_plan(
        decisions,
        stratum=stratum,
        annotator=cells.parts[2],
        sd=np.sqrt(share * (1 - share))[stratum],
        annotator_floor=config.annotator_floor,
        budget=review_budget(history, config=config),
    )
    window = _day(windows, table.dates.max())
    return [_rows(plan, window=window, texts=texts, decisions=decisions, known=known, share=share, stratum=stratum)]


def review_budget(history: Table, *, config: PlanningConfig) -> int:
    """Reviews to make: those of `reviews_per_day`, else the mean of the days up to the newest reviewed; 1 at least.

    Days after the newest one reviewed have their reviews still to come. If they counted, a plan made the night after
    the decisions would always ask for less than was done before.
    """
    if config.reviews_per_day is not None:
        return config.reviews_per_day
    days, place = np.unique(history.dates, return_inverse=True)
    decisions = np.bincount(place, weights=history.numbers["decision_count"])
    reviews = np.bincount(place, weights=history.numbers["review_count"])
    if not reviews.any():
        return 1
    counted = days <= days[reviews > 0].max()
    mean = reviews.sum() / max(int(np.count_nonzero(counted & (decisions > 0))), 1)
    return max(int(np.floor(mean + 0.5)), 1)


def _per_key(table: Table) -> FloatArray:
    return np.bincount(table.key, weights=table.numbers["decision_count"], minlength=table.keys).astype(np.float64)


def _main_vendor(table: Table, cells: Groups) -> Codes:
    """The vendor of most of each cell's decisions; ties go to the first name."""
    vendor = table.texts["vendor"]
    order = np.lexsort((vendor.values, -_per_key(table), cells.group))
    first = order[np.searchsorted(cells.group[order], np.arange(len(cells)))]
    return vendor.take(first)


def _places(texts: dict[str, Codes], history: Table, strata: Groups) -> IntArray:
    """Stratum of each cell, as numbered by `strata`; every cell has one, because its decisions are in the history."""
    names = ("market", "queue", "vendor")
    known = [_names(Codes(part, history.texts[name].names)) for part, name in zip(strata.parts, names, strict=True)]
    number = {key: place for place, key in enumerate(zip(*known, strict=True))}
    cells = zip(*(_names(texts[name]) for name in names), strict=True)
    return np.array([number[key] for key in cells], dtype=np.int64)


def _names(codes: Codes) -> list[str]:
    return [codes.names[value] for value in codes.values]


def _day(windows: Windows, date: np.datetime64) -> int:
    """The window of one day."""
    (found,) = np.flatnonzero((windows.period == PERIODS.index("day")) & (windows.end == date))
    return int(found)


def _rows(
    plan: ReviewPlan,
    *,
    window: int,
    texts: dict[str, Codes],
    decisions: IntArray,
    known: Reviewed,
    share: FloatArray,
    stratum: IntArray,
) -> Figures:
    rows = len(decisions)
    reviews = known.reviews[stratum]
    return Figures(
        window=np.full(rows, window),
        texts={
            "market": texts["market"],
            "queue": texts["queue"],
            "subject_kind": constant("annotator", rows),
            "subject": texts["rater"],
            "metric": constant("reviews", rows),
            "reference_kind": constant("", rows),
        },
        method=np.full(rows, NO_METHOD),
        estimate=plan.take.astype(np.float64),
        low=np.full(rows, np.nan),
        high=np.full(rows, np.nan),
        n_items=reviews,
        n_ratings=reviews,
        reason=np.full(rows, REASONS.index("planned")),
        extra={
            "vendor": texts["vendor"],
            "pool_kind": constant(plan.pool_kind, rows),
            "pool": _pool_names(plan.pool_kind, texts),
            "decisions": decisions,
            "pool_size": plan.pool_size,
            "expected_defect_rate": share[stratum],
            "inclusion_probability": plan.inclusion_probability,
        },
    )


def _pool_names(kind: PoolKind, texts: dict[str, Codes]) -> Codes:
    """What each cell's pool is called. No two are called the same: codes of markets and queues have no slash."""
    parts = {
        "cell": ("market", "queue", "rater"),
        "annotator": ("rater",),
        "stratum": ("market", "queue", "vendor"),
    }[kind]
    return coded(["/".join(names) for names in zip(*(_names(texts[part]) for part in parts), strict=True)])
