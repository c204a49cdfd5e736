"""`marts.lot_decisions`: what sampling inspection decides about each lot, and how a vendor's lots came out.

The rows of the mart belong here; lots and their decisions are `lot_acceptance`.
"""

from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np

from qa_pipeline.config import Config
from qa_pipeline.marts.cells import RollUp, group_by, roll_ups, summed
from qa_pipeline.marts.lot_acceptance import (
    ACCEPT,
    REJECT,
    Decisions,
    Lots,
    decisions_of,
    lots_of,
)
from qa_pipeline.marts.mart import Headline, Mart, Source
from qa_pipeline.marts.reading import Codes, Table, coded, read_table
from qa_pipeline.marts.records import (
    NO_METHOD,
    NO_REASON,
    REASONS,
    WILSON,
    WILSON_EFFECTIVE,
    ExtraColumn,
    Figures,
    constant,
)
from qa_pipeline.marts.sampling_plans import PER_UNIT, largest_weights
from qa_pipeline.quality_config import AcceptanceConfig
from qa_pipeline.stats.acceptance import TextArray
from qa_pipeline.stats.acceptance_risk import error_consequences, quality_at
from qa_pipeline.stats.jackknife import FloatArray, IntArray, Interval, divide
from qa_pipeline.stats.proportions import wilson
from qa_pipeline.stats.weighted_means import WeightedSums, mean_interval
from qa_pipeline.stats.windows import Windows

REFERENCE_KIND = "qa"
UNSTATED = "unstated_chances"
_SHARES = ("lots_accepted_share", "lots_rejected_share", "lots_open_share")
_QUALITY_CHANCES = {"quality_accepted_95": 0.95, "quality_accepted_50": 0.5, "quality_accepted_10": 0.1}
_COMMENT = (
    "Acceptance of lots by the random reviews of their decisions. A lot is a batch_id on one business date in one "
    "market, queue and vendor: a row of period day, subject_kind lot, subject vendor/batch_id; its metric defect_rate "
    "is the share of its decisions with a defect, its interval about these very decisions (where all were reviewed, "
    "about the process behind them); n_items and n_ratings are reviews. Plans are those of ISO 2859-1, single "
    "sampling, and decision is the one that binds; sequential_decision is advice. The lots of a market, queue and "
    "vendor are a series that comes under normal or tightened inspection by how those of its lots came out that were "
    "settled before the lot's own date. Reviews count in the order in which they were completed, so later ones change "
    "no decision; what may is a file for an earlier date, more decisions in the lot, or a review with a smaller chance "
    "than any before it in the lot's market, queue, vendor and date. subject_kind vendor: lots_accepted_share, "
    "lots_rejected_share and lots_open_share (not decided) of all lots of a week, of the newest 28 days and of all "
    "dates, with Wilson's interval; n_items are lots, n_ratings reviews."
)
_LOT = "NULL for vendors."
_INSPECTION = (
    "normal; tightened after 2 rejected lots of 5, until 5 in succession are accepted; discontinued: 5 were rejected "
    "under tightened inspection, so the vendor must improve first, and the lot is judged by the tightened plan."
)
_DECISION = "accept, reject, or continue: the reviews so far leave either possible. NULL with a decision_reason;"
_SAMPLED = (
    "Of these the ones that plans may use: where reviews were picked with unequal chances, those that are left when "
    "each is kept with the chance smallest p / own p (by a hash), so that every decision had the smallest."
)
_DECISION_REASON = (
    f"Why a lot has no decision: {UNSTATED}, of the reviews of its market, queue, vendor and date some state the "
    "chance with which they were picked and others do not. NULL otherwise."
)
MART = Mart(
    name="lot_decisions",
    comment=_COMMENT,
    queries=("lot_counts",),
    headline=Headline("vendor", "", "lots_accepted_share", REFERENCE_KIND),
    source=Source("lot_counts", "sort = 'decision'"),
    extra={
        "vendor": ("varchar", f"Vendor of the lot; {_LOT}"),
        "inspection": ("varchar", f"{_INSPECTION} {_LOT}"),
        "code_letter": ("varchar", f"Letter of the plan in ISO 2859-1, after its arrows; {_LOT}"),
        "lot_size": ("bigint", f"Production decisions of the lot; {_LOT}"),
        "sample_size": ("bigint", f"Reviews that the plan needs: the first so many sampled ones; {_LOT}"),
        "accept_number": ("bigint", f"Defects among them with which the lot is still accepted; {_LOT}"),
        "reviewed": ("bigint", f"Decisions of the lot reviewed at random; {_LOT}"),
        "sampled": ("bigint", f"{_SAMPLED} {_LOT}"),
        "defects": ("bigint", f"Defects among all reviewed; {_LOT}"),
        "sample_defects": ("bigint", f"Defects among the first sample_size sampled reviews; {_LOT}"),
        "decision": ("varchar", f"{_DECISION} {_LOT}"),
        "sequential_decision": ("varchar", f"Advice, the same by Wald's test on all sampled reviews; {_LOT}"),
        "decision_reason": ("varchar", _DECISION_REASON),
        "producer_risk": ("double", f"Chance that the plan rejects a lot of the good defect rate; {_LOT}"),
        "needless_reviews": ("double", f"Decisions still to review if it rejects a good lot; {_LOT}"),
        "consumer_risk": ("double", f"Chance that the plan accepts a lot of the bad defect rate; {_LOT}"),
        "passed_defects": ("double", f"Defective decisions left, unseen, if it accepts a bad lot; {_LOT}"),
        **{
            name: ("double", f"Defect rate at which the plan accepts {chance:.0%} of lots; {_LOT}")
            for name, chance in _QUALITY_CHANCES.items()
        },
    },
)


def lot_decision_figures(
    con: duckdb.DuckDBPyConnection, *, sql_root: Path, config: Config, windows: Windows, vendor_windows: Windows
) -> list[tuple[Windows, list[Figures]]]:
    """Figures of marts.lot_decisions from `tallies.lot_counts`, with the windows that they index.

    `windows` has the days, `vendor_windows` the periods over which a vendor's lots are counted.
    """
    table = read_table(con, sql_root=sql_root, name="lot_counts", parameters={})
    if not len(table):
        return []
    lots, sample = lots_of(table, per_unit=PER_UNIT)
    if not len(lots):
        return []
    settings = config.quality.acceptance
    queue = table.texts["queue"].take(lots.key)
    decisions = decisions_of(lots, sample, queue=queue, settings=settings)
    days = windows.of_period("day")
    return [
        (days, [_lot_figures(table, lots, decisions, windows=days, queue=queue, settings=settings)]),
        (vendor_windows, _vendor_figures(table, lots, decisions, windows=vendor_windows)),
    ]


def _lot_figures(
    table: Table, lots: Lots, decisions: Decisions, *, windows: Windows, queue: Codes, settings: AcceptanceConfig
) -> Figures:
    rows = len(lots)
    window = np.searchsorted(windows.start, lots.dates)
    found = _defect_rates(lots, largest=_largest_weights(table, lots, window=window, windows=windows))
    reviewed, defects = lots.reviewed.astype(np.float64), lots.defects.astype(np.float64)
    vendor, batch = table.texts["vendor"], table.texts["lot"]
    names = [f"{vendor.names[v]}/{batch.names[b]}" for v, b in zip(vendor.values, batch.values, strict=True)]
    return Figures(
        window=window,
        texts={
            "market": table.texts["market"].take(lots.key),
            "queue": queue,
            "subject_kind": constant("lot", rows),
            "subject": coded(names).take(lots.key),
            "metric": constant("defect_rate", rows),
            "reference_kind": constant(REFERENCE_KIND, rows),
        },
        method=np.select([lots.reviewed == 0, lots.is_simple], [NO_METHOD, WILSON], WILSON_EFFECTIVE),
        estimate=np.where(lots.is_simple, divide(defects, reviewed), divide(lots.defect_weight, lots.weight)),
        low=found.low,
        high=found.high,
        n_items=reviewed,
        n_ratings=reviewed,
        reason=np.where(lots.reviewed > 0, NO_REASON, REASONS.index("no_data")),
        extra=_lot_columns(lots, decisions, vendor=vendor.take(lots.key), queue=queue, settings=settings),
    )


def _largest_weights(table: Table, lots: Lots, *, window: IntArray, windows: Windows) -> FloatArray:
    """Largest 1 / p of each lot's market and queue around its date."""
    plans = group_by(table.texts["market"].values, table.texts["queue"].values).group
    return largest_weights(table, windows=windows, plans=plans)[window, plans[lots.key]]


def _defect_rates(lots: Lots, *, largest: FloatArray) -> Interval:
    """Intervals about the lots' own decisions; where all were reviewed, about the process behind them.

    In a simple random sample every review stands for size / reviewed decisions, whatever chance it was said to have.
    """
    n = lots.reviewed.astype(np.float64)
    weight = np.where(lots.is_simple, divide(lots.size.astype(np.float64), n, otherwise=0), 1.0)
    total, events = (
        np.where(lots.is_simple, weight * counted, weighted)
        for counted, weighted in ((n, lots.weight), (lots.defects, lots.defect_weight))
    )
    squared, events_squared = (
        np.where(lots.is_simple, weight**2 * counted, weighted)
        for counted, weighted in ((n, lots.squared_weight), (lots.defects, lots.squared_defect_weight))
    )
    process = WeightedSums(n, total, events, squared, events_squared, events_squared)
    spread, spread_events = np.maximum(squared - total, 0), np.maximum(events_squared - events, 0)
    finite = replace(process, spread=spread, spread_value=spread_events, spread_square=spread_events)
    most = np.where(lots.is_simple, weight, largest)
    known = mean_interval(finite, largest_weight=most, is_finite=True)
    ongoing = mean_interval(process, largest_weight=most, is_finite=False)
    return Interval(
        low=np.where(known.is_given, known.low, ongoing.low),
        high=np.where(known.is_given, known.high, ongoing.high),
    )


def _lot_columns(
    lots: Lots, decisions: Decisions, *, vendor: Codes, queue: Codes, settings: AcceptanceConfig
) -> dict[str, ExtraColumn]:
    tested = np.array([settings.tested_shares(name) for name in queue.names])[queue.values]
    plan = {"n": decisions.n, "accept": decisions.accept}
    wrong = error_consequences(**plan, lot_size=lots.size, good_share=tested[:, 0], bad_share=tested[:, 1])
    return {
        "vendor": vendor,
        "inspection": _words(decisions.severity),
        "code_letter": _words(decisions.letter),
        "lot_size": lots.size,
        "sample_size": decisions.n,
        "accept_number": decisions.accept,
        "reviewed": lots.reviewed,
        "sampled": lots.sampled,
        "defects": lots.defects,
        "sample_defects": decisions.sample_defects,
        "decision": _words(decisions.decision),
        "sequential_decision": _words(decisions.sequential),
        "decision_reason": _words(np.where(lots.is_decidable, "", UNSTATED)),
        "producer_risk": wrong.producer_risk,
        "needless_reviews": wrong.needless_reviews,
        "consumer_risk": wrong.consumer_risk,
        "passed_defects": wrong.passed_defects,
        **{name: quality_at(np.array(chance), **plan) for name, chance in _QUALITY_CHANCES.items()},
    }


def _words(texts: TextArray) -> Codes:
    """Texts as codes; an empty one is NULL."""
    names, values = np.unique(texts, return_inverse=True)
    return Codes(values=np.where(texts == "", -1, values), names=tuple(names.tolist()))


def _vendor_figures(table: Table, lots: Lots, decisions: Decisions, *, windows: Windows) -> list[Figures]:
    """Shares of accepted, rejected and open lots, per vendor with roll-ups over markets and queues."""
    texts = {name: table.texts[name].take(lots.key) for name in ("market", "queue", "vendor")}
    outcome = np.select([decisions.decision == ACCEPT, decisions.decision == REJECT], [0, 1], 2)
    slot = windows.slot_of(lots.dates)
    figures: list[Figures] = []
    for places in roll_ups(texts):
        figures += _vendor_shares(places, lots, vendor=texts["vendor"], outcome=outcome, slot=slot, windows=windows)
    return figures


def _vendor_shares(
    places: RollUp, lots: Lots, *, vendor: Codes, outcome: IntArray, slot: IntArray, windows: Windows
) -> list[Figures]:
    own = places.keys
    vendors = vendor.take(own)
    cells = group_by(places.market.values, places.queue.values, vendors.values)

    def totals(counted: FloatArray) -> FloatArray:
        shape = (windows.slots, len(cells))
        return windows.sums(summed(slot[own] * len(cells) + cells.group, counted, shape=shape))

    lots_all = totals(np.ones(len(own)))
    window, cell = np.nonzero(lots_all)
    n = lots_all[window, cell]
    by_outcome = [totals((outcome[own] == each).astype(np.float64))[window, cell] for each in range(len(_SHARES))]
    reviews = totals(lots.reviewed[own].astype(np.float64))[window, cell]
    unstated = totals((~lots.is_decidable[own]).astype(np.float64))[window, cell]
    is_open = by_outcome[2] == n
    why = np.where(unstated == n, REASONS.index(UNSTATED), REASONS.index("no_data"))
    names = {"market": places.market.names, "queue": places.queue.names, "subject": vendors.names}
    texts = {
        name: Codes(values=part, names=names[name]).take(cell) for name, part in zip(names, cells.parts, strict=True)
    }
    figures = []
    for metric, counted in zip(_SHARES, by_outcome, strict=True):
        # Where nothing could be decided, 0 % accepted would be no finding.
        is_unknown = is_open & (metric != _SHARES[2])
        share = np.where(is_unknown, np.nan, counted / n)
        found = wilson(share, n)
        figures.append(
            Figures(
                window=window,
                texts=texts
                | {
                    "subject_kind": constant("vendor", len(window)),
                    "metric": constant(metric, len(window)),
                    "reference_kind": constant(REFERENCE_KIND, len(window)),
                },
                method=np.where(is_unknown, NO_METHOD, WILSON),
                estimate=share,
                low=found.low,
                high=found.high,
                n_items=n,
                n_ratings=reviews,
                reason=np.where(is_unknown, why, NO_REASON),
            )
        )
    return figures
