"""`marts.vendor_funnel`: defect rates of vendors, adjusted for their mix of work, and the limits of chance around all.

Which reviews enter and how the rows are laid out belong here; the figures are `stats.funnel`.
"""

from dataclasses import dataclass

import numpy as np

from qa_pipeline.marts.cells import Groups, RollUp, group_by, roll_ups, rows_by_key
from qa_pipeline.marts.mart import Headline, Mart, Source
from qa_pipeline.marts.rates import MEASURES, RateRules, Subject, rate_figures, share
from qa_pipeline.marts.reading import Codes, Table
from qa_pipeline.marts.records import NO_REASON, REASONS, WILSON_EFFECTIVE, Figures, constant
from qa_pipeline.marts.sampling_plans import PER_UNIT, largest_weights
from qa_pipeline.marts.subjects import slice_of
from qa_pipeline.stats.funnel import (
    MIN_DISPERSED,
    MIN_REVIEWS,
    POSITIONS,
    Adjusted,
    Layout,
    PairSums,
    adjusted_interval,
    adjusted_rates,
    funnel_limits,
    overdispersion,
    positions,
    sum_by,
)
from qa_pipeline.stats.jackknife import BoolArray, FloatArray, IntArray, Interval
from qa_pipeline.stats.weighted_means import WeightedSums, mean_interval
from qa_pipeline.stats.windows import Windows

METRIC = "defect_rate_adjusted"
REFERENCE_KIND = "qa"
_COMMENT = (
    "Defect rate of each vendor beside all vendors, in periods week, all and the newest trailing_28d. In a market and "
    "queue it is that of marts.defect_rate. Where market or queue is ALL it is adjusted for the mix of work (indirect "
    "standardisation): centre x observed / expected, expected being the rate of all vendors in the vendor's markets "
    "and queues, weighted by the vendor's own decisions; only work that another vendor has too counts (reason "
    "no_comparison: there is none, or nobody has a defect in it). It can exceed 1 where most decisions are defects. "
    "Limits are binomial (mid-p, interpolated), around the centre at effective_n: of vendors that do not differ, about "
    f"5 % lie outside 95 % and 0.2 % outside 99.8 %, or fewer. From {MIN_DISPERSED} vendors on they allow for "
    f"over-dispersion. Vendors with under {MIN_REVIEWS} reviews, nobody to compare with, no defects around them or too "
    "few reviews for a limit below 1 have no limits and position ''. n_items and n_ratings are reviews that count. "
    "Intervals: as marts.defect_rate, in roll-ups Wilson's on the effective number, widened by the error of the "
    "expected rate."
)
_EFFECTIVE_N = (
    "So many independent reviews would stray from a fixed centre as far as this vendor from one that it is part of "
    "(so it may exceed the reviews of a vendor that does much of the work), divided by the over-dispersion."
)
_EXTRA = {
    "effective_n": ("double", _EFFECTIVE_N),
    "centre": ("double", "Defect rate of all vendors together in the same work."),
    "limit_95_low": ("double", "Lower limit at 95 %."),
    "limit_95_high": ("double", "Upper limit at 95 %."),
    "limit_998_low": ("double", "Lower limit at 99.8 %."),
    "limit_998_high": ("double", "Upper limit at 99.8 %."),
    "overdispersion": ("double", "How much more the vendors vary than by chance; 1 where limits do not allow for it."),
    "position": ("varchar", "above 99.8 %, above 95 %, within, below 95 % or below 99.8 %; empty without limits."),
}
MART = Mart(
    name="vendor_funnel",
    comment=_COMMENT,
    queries=("defect_slices",),
    headline=Headline("vendor", "", METRIC, REFERENCE_KIND),
    source=Source("review_counts", "sampling = 'random' and rater_kind = 'human' and vendor <> ''"),
    extra=_EXTRA,
)


@dataclass(frozen=True)
class _Pairs:
    """Reviews of each vendor in each market x queue: sums `[W, pairs]` and texts `[pairs]`.

    `market` and `queue` are coded as in the table. `largest` is the largest weight of the sampling plan `[W, pairs]`.
    """

    sums: PairSums
    texts: dict[str, Codes]
    largest: FloatArray


def vendor_funnel_figures(reviews: Table, *, windows: Windows) -> list[Figures]:
    """Figures of marts.vendor_funnel from the rows of query `defect_slices`."""
    vendors = slice_of(reviews, "vendor")
    if not vendors.keys.any():
        return []
    is_defect = ~reviews.texts["error_category"].equal("none")
    pairs = _pairs(reviews, windows, vendors=vendors, is_defect=is_defect)
    rules = RateRules(
        scores={METRIC: share(is_defect)},
        references=(constant(REFERENCE_KIND, reviews.keys),),
        prefers_wilson=True,
        is_finite=True,
    )
    rates = rate_figures(reviews, windows=windows, subjects=(vendors,), rules=rules)
    # The first are those of every market x queue, in the order of the first roll-up: by window, market, queue, vendor.
    return [
        _funnel(pairs, places, rates=None if places.is_market_all or places.is_queue_all else rates[0])
        for places in roll_ups(pairs.texts)
    ]


def _pairs(table: Table, windows: Windows, *, vendors: Subject, is_defect: BoolArray) -> _Pairs:
    keys = np.flatnonzero(vendors.keys)
    codes = {"market": table.texts["market"], "queue": table.texts["queue"], "vendor": vendors.name}
    groups = group_by(*(each.values[keys] for each in codes.values()))
    rows = rows_by_key(table, windows)
    daily = {name: rows.by_slot(name, slots=windows.slots)[:, keys] for name in MEASURES}
    totals = {name: windows.sums(groups.sum(values)) for name, values in daily.items()}
    events = {name: windows.sums(groups.sum(values * is_defect[keys])) for name, values in daily.items()}
    plans = group_by(*(table.texts[name].values for name in ("market", "queue", "rater_kind"))).group
    first = keys[groups.order[groups.starts]]
    return _Pairs(
        sums=PairSums(
            units=totals["unit_count"],
            weight=totals["weight"] / PER_UNIT,
            value=events["weight"] / PER_UNIT,
            squared=totals["weight_squared"] / PER_UNIT,
            squared_value=events["weight_squared"] / PER_UNIT,
        ),
        texts={name: each.take(first) for name, each in codes.items()},
        largest=largest_weights(table, windows=windows, plans=plans)[:, plans[first]],
    )


def _funnel(pairs: _Pairs, places: RollUp, *, rates: Figures | None) -> Figures:
    """The funnels of one way to roll up; `rates` are the figures of marts.defect_rate where nothing is rolled up."""
    keys = places.keys
    sums, texts = pairs.sums.take(keys), {name: each.take(keys) for name, each in pairs.texts.items()}
    coded = {"market": places.market, "queue": places.queue, "subject": texts["vendor"]}
    vendors = group_by(*(each.values for each in coded.values()))
    layout = Layout(
        cell=group_by(texts["market"].values, texts["queue"].values).group,
        vendor=vendors.group,
        region=group_by(*vendors.parts[:2]).group,
    )
    found = adjusted_rates(sums, layout)
    reviews = sum_by(np.where(found.kept, sums.units, 0.0), layout.vendor, len(vendors))
    judged = (reviews >= MIN_REVIEWS) & np.isfinite(found.effective_n) & np.isfinite(found.rate)
    dispersion = overdispersion(found, judged=judged, layout=layout)
    window, vendor = np.nonzero(sum_by(sums.weight, layout.vendor, len(vendors)) > 0)
    at = window, vendor
    effective = np.where(judged, found.effective_n / dispersion, np.nan)[at]
    limits = funnel_limits(effective, centre=found.centre[at])
    if rates is None:
        interval, rate = _interval(sums, found, layout, largest=pairs.largest[:, keys]), found.rate[at]
        low, high, method = interval.low[at], interval.high[at], np.full(len(window), WILSON_EFFECTIVE)
    else:
        rate, low, high, method = rates.estimate, rates.low, rates.high, rates.method
    is_known = np.isfinite(rate)
    return Figures(
        window=window,
        texts=_texts(coded, vendors, vendor),
        method=np.where(is_known, method, 0),
        estimate=rate,
        low=np.where(is_known, low, np.nan),
        high=np.where(is_known, high, np.nan),
        n_items=reviews[at],
        n_ratings=reviews[at],
        reason=np.where(is_known, NO_REASON, REASONS.index("no_comparison")),
        extra={
            "effective_n": effective,
            "centre": found.centre[at],
            "limit_95_low": limits.low_95,
            "limit_95_high": limits.high_95,
            "limit_998_low": limits.low_998,
            "limit_998_high": limits.high_998,
            "overdispersion": np.where(np.isfinite(effective), dispersion[at], np.nan),
            "position": Codes(values=positions(rate, limits), names=POSITIONS),
        },
    )


def _texts(coded: dict[str, Codes], vendors: Groups, chosen: IntArray) -> dict[str, Codes]:
    """Texts of the chosen vendors."""
    named = {
        name: Codes(values=part[chosen], names=coded[name].names)
        for name, part in zip(coded, vendors.parts, strict=True)
    }
    fixed = {"subject_kind": "vendor", "metric": METRIC, "reference_kind": REFERENCE_KIND}
    return named | {name: constant(text, len(chosen)) for name, text in fixed.items()}


def _interval(sums: PairSums, found: Adjusted, layout: Layout, *, largest: FloatArray) -> Interval:
    """Intervals of adjusted rates: of the very decisions, or of the process behind them where all were reviewed."""
    size = len(layout.region)
    own = sums.where(found.kept).by(layout.vendor, size)
    heaviest = np.zeros((size, len(largest)))
    np.maximum.at(heaviest, layout.vendor, np.where(found.kept, largest, 0.0).T)
    process = _weighted(own, own.squared, own.squared_value)
    finite = _weighted(own, np.maximum(own.squared - own.weight, 0), np.maximum(own.squared_value - own.value, 0))
    wide = mean_interval(process, largest_weight=heaviest.T, is_finite=False)
    known = mean_interval(finite, largest_weight=heaviest.T, is_finite=True)
    observed = Interval(
        low=np.where(known.is_given, known.low, wide.low), high=np.where(known.is_given, known.high, wide.high)
    )
    return adjusted_interval(observed, found=found)


def _weighted(own: PairSums, spread: FloatArray, spread_defects: FloatArray) -> WeightedSums:
    return WeightedSums(
        units=own.units,
        weight=own.weight,
        value=own.value,
        spread=spread,
        spread_value=spread_defects,
        spread_square=spread_defects,
    )
