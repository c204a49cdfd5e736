"""`marts.review_needs`: how many random reviews the wanted answers take, and what the present number can show.

Whom the needs are about and what is wanted belong here; the sample sizes are `stats.planning`.
"""

from pathlib import Path

import duckdb
import numpy as np

from qa_pipeline.marts.cells import Groups, RollUp, group_by, roll_ups
from qa_pipeline.marts.mart import Mart, Source
from qa_pipeline.marts.planning_history import PRIOR_REVIEWS, Reviewed, key_sums, read_history, reviewed
from qa_pipeline.marts.reading import Codes, Table
from qa_pipeline.marts.records import NO_METHOD, REASONS, Figures, constant
from qa_pipeline.quality_config import PlanningConfig
from qa_pipeline.stats.allocation import shrunken_shares
from qa_pipeline.stats.jackknife import BoolArray, FloatArray, IntArray
from qa_pipeline.stats.planning import reviews_for_change, reviews_for_half_width, visible_increase
from qa_pipeline.stats.windows import PERIODS, Windows

ALPHA = 0.05
_COMMENT = (
    "How many random reviews of people's decisions a market and queue, or a vendor, needs. reviews_for_half_width: in "
    "28 days, so that the 95 % interval of the defect rate is half_width of quality.toml to either side at most "
    "(corrected for the share of decisions reviewed; all of them at most). reviews_for_change: in each of two periods "
    "of 28 days, to show a rise by the factor visible_change with probability power, two-sided at 5 % (the risen rate "
    "is 1 at most). visible_defect_rate: the smallest risen rate that as many reviews as now, in each of two periods, "
    "would show with probability power. All assume expected_defect_rate, and chances of being reviewed as unequal as "
    "now. n_items: random reviews of the decisions of the newest 28 days; n_ratings: those decisions. subject_kind: "
    "rater_kind (human), vendor. Needs of queues cannot be added up to those of ALL."
)
MART = Mart(
    name="review_needs",
    comment=_COMMENT,
    queries=("planning_strata",),
    headline=None,
    source=Source("annotator_label_counts"),
    extra={
        "expected_defect_rate": (
            "double",
            "Defect rate of the 28 days, with half a defect in one more review (vendors: 20 more as their queue's).",
        )
    },
)


def need_figures(
    con: duckdb.DuckDBPyConnection, *, sql_root: Path, windows: Windows, config: PlanningConfig
) -> list[Figures]:
    """Figures of marts.review_needs for the one trailing_28d of `windows`."""
    history = read_history(con, sql_root=sql_root)
    (window,) = np.flatnonzero(windows.period == PERIODS.index("trailing_28d"))
    is_within = (history.dates >= windows.start[window]) & (history.dates <= windows.end[window])
    if not is_within.any():
        return []
    sums = key_sums(history, rows=is_within)
    figures: list[Figures] = []
    for places in roll_ups(history.texts):
        figures += _humans(sums, places, window=int(window), config=config)
        figures += _vendors(history, sums, places, window=int(window), config=config)
    return figures


def _humans(sums: dict[str, FloatArray], places: RollUp, *, window: int, config: PlanningConfig) -> list[Figures]:
    groups = group_by(places.market.values, places.queue.values)
    known = reviewed(sums, keys=places.keys, groups=groups)
    # Each is its own queue, so it is not drawn anywhere but away from 0 and 1.
    expected = (known.defects + 0.5) / (known.effective + 1)
    subject = constant("human", len(groups))
    texts = _texts(places, groups, kind="rater_kind", subject=subject)
    return _needs(known, expected=expected, texts=texts, window=window, config=config)


def _vendors(
    history: Table, sums: dict[str, FloatArray], places: RollUp, *, window: int, config: PlanningConfig
) -> list[Figures]:
    vendor = history.texts["vendor"].take(places.keys)
    groups = group_by(places.market.values, places.queue.values, vendor.values)
    known = reviewed(sums, keys=places.keys, groups=groups)
    queue = group_by(groups.parts[0], groups.parts[1]).group
    expected = shrunken_shares(known.defects, known.effective, queue=queue, prior_reviews=PRIOR_REVIEWS)
    texts = _texts(places, groups, kind="vendor", subject=Codes(values=groups.parts[2], names=vendor.names))
    return _needs(known, expected=expected, texts=texts, window=window, config=config)


def _texts(places: RollUp, groups: Groups, *, kind: str, subject: Codes) -> dict[str, Codes]:
    return {
        "market": Codes(values=groups.parts[0], names=places.market.names),
        "queue": Codes(values=groups.parts[1], names=places.queue.names),
        "subject_kind": constant(kind, len(groups)),
        "subject": subject,
        "reference_kind": constant("", len(groups)),
    }


def _needs(
    known: Reviewed, *, expected: FloatArray, texts: dict[str, Codes], window: int, config: PlanningConfig
) -> list[Figures]:
    """A figure per metric; only of those that decided or were reviewed in the 28 days."""
    shown = np.flatnonzero((known.decisions > 0) | (known.reviews > 0))
    rows = len(shown)
    values = _estimates(known, expected, shown, config=config)
    is_reviewed = known.reviews[shown] > 0
    return [
        Figures(
            window=np.full(rows, window),
            texts={name: codes.take(shown) for name, codes in texts.items()} | {"metric": constant(metric, rows)},
            method=np.full(rows, NO_METHOD),
            estimate=estimate,
            low=np.full(rows, np.nan),
            high=np.full(rows, np.nan),
            n_items=known.reviews[shown],
            n_ratings=known.decisions[shown],
            reason=_reasons(estimate, is_reviewed),
            extra={"expected_defect_rate": np.where(is_reviewed, expected[shown], np.nan)},
        )
        for metric, estimate in values.items()
    ]


def _estimates(
    known: Reviewed, expected: FloatArray, shown: IntArray, *, config: PlanningConfig
) -> dict[str, FloatArray]:
    """The metrics, `[shown]`; NaN where nothing was reviewed.

    The sample sizes of `stats.planning` are for equal chances. Reviews with unequal ones say as much as
    their effective number, so it takes 1 / (effective / reviews) times as many.
    """
    found = {name: np.full(len(shown), np.nan) for name in ("for_half_width", "for_change", "visible")}
    place = np.flatnonzero((known.reviews[shown] > 0) & (known.decisions[shown] > 0))
    if len(place):
        row = shown[place]
        share, effective, decisions = expected[row], known.effective[row], known.decisions[row]
        times = known.reviews[row] / effective
        simple = reviews_for_half_width(share, wanted=np.array(config.half_width), population=decisions)
        # A product a hair above a whole number is that number.
        found["for_half_width"][place] = np.minimum(np.ceil(simple * times - 1e-9), decisions)
        risen = np.minimum(share * config.visible_change, 1.0)
        change = reviews_for_change(share, risen, alpha=ALPHA, power=config.power)
        found["for_change"][place] = np.ceil(change * times - 1e-9)
        found["visible"][place] = visible_increase(share, n=effective, alpha=ALPHA, power=config.power)
    return {
        "reviews_for_half_width": found["for_half_width"],
        "reviews_for_change": found["for_change"],
        "visible_defect_rate": found["visible"],
    }


def _reasons(estimate: FloatArray, is_reviewed: BoolArray) -> IntArray:
    """Why there is no interval, or no figure: too few reviews show not even a rate of 1."""
    missing = np.where(is_reviewed, REASONS.index("too_few_items"), REASONS.index("no_data"))
    return np.where(np.isnan(estimate), missing, REASONS.index("planned"))
