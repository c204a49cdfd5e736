"""`marts.agreement`: how far raters agree, per market x queue, at roll-ups and across markets.

Intervals, reasons and roll-ups of agreement belong here; the coefficients are `stats.agreement`.
"""

from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np

from qa_pipeline.config import Config
from qa_pipeline.marts.cells import ALL, CROSS, RollUp, group_by, roll_ups, rows_by_key
from qa_pipeline.marts.patterns import read_patterns
from qa_pipeline.marts.reading import read_table
from qa_pipeline.marts.records import JACKKNIFE, NO_METHOD, NO_REASON, REASONS, WILSON, WILSON_KISH, Figures, constant
from qa_pipeline.marts.unit_sums import BASES, METRIC_BASIS, CellSums, Units, cell_groups, cell_sums
from qa_pipeline.stats.agreement import MIN_MINORITY_AGREEMENT, stratified
from qa_pipeline.stats.jackknife import (
    MIN_UNITS,
    BoolArray,
    FloatArray,
    IntArray,
    interval,
    may_speak,
    rarer_outcome,
)
from qa_pipeline.stats.proportions import wilson
from qa_pipeline.stats.windows import Windows

EFFECTIVE_TOLERANCE = 1e-9
MOVED_BY_PREVALENCE = frozenset({"fleiss_1971", "fleiss_kappa", "krippendorff_alpha"})
SHARES = frozenset({"percent_agreement", "percent_agreement_modal"})
COMMENT = (
    "Agreement between raters. A unit is an item within a market and queue (CROSS: over all markets), on the date of "
    "its first decision. percent_agreement, fleiss_kappa (generalised for varying raters), krippendorff_alpha "
    "(nominal) and gwet_ac1 are over units with two ratings or more (prevalence of fleiss_kappa and gwet_ac1: all "
    "units); percent_agreement_modal and fleiss_1971 over units with the commonest number of ratings. Market or queue "
    "ALL, and CROSS x ALL: the mean over market x queue cells weighted by their pairable ratings; names ending in "
    "_pooled throw the units together instead. n_items and n_ratings are those units and their ratings. Intervals: "
    "jackknife with 100 units or more, 10 of them in the rarer of full agreement and any disagreement, in 8 "
    "replicates (kappa and alpha: and 5 in which two raters agree on a label other than the commonest); percent "
    "agreement otherwise Wilson."
)


@dataclass(frozen=True)
class _Members:
    """Which base cells make up each roll-up: `cells` of the first, then of the second, ...; `starts` of each."""

    cells: IntArray
    starts: IntArray

    def sum(self, values: FloatArray) -> FloatArray:
        """Sum `[..., base cells]` over the cells of each roll-up."""
        total: FloatArray = np.add.reduceat(values[..., self.cells], self.starts, axis=-1)
        return total


@dataclass(frozen=True)
class _Evidence:
    """What decides on intervals.

    `units` and `unanimous` `[W, 20, cells]` per replicate; `ratings`, `effective_units` and `minority` `[W, cells]`.
    """

    units: FloatArray
    unanimous: FloatArray
    ratings: FloatArray
    effective_units: FloatArray
    minority: FloatArray


def agreement_figures(
    con: duckdb.DuckDBPyConnection, *, sql_root: Path, config: Config, windows: Windows
) -> list[Figures]:
    """Figures of marts.agreement from `tallies.unit_patterns`; none when the tally is empty."""
    table = read_table(con, sql_root=sql_root, name="agreement_units", parameters={})
    if not len(table):
        return []
    declared_names = (label.code for queue in config.taxonomy.queues.values() for label in queue.labels)
    patterns = read_patterns(table.texts["pattern"].names, labels=tuple(declared_names))
    units = Units(
        rows=rows_by_key(table, windows), pool=table.texts["rater_pool"], patterns=patterns.of(table.texts["pattern"])
    )
    base_places, *other_places = roll_ups(table.texts)
    declared = _declared_labels(config, queues=base_places.queue.names, labels=patterns.label_names)
    own_queue = cell_groups(units, base_places).parts[2]
    base = cell_sums(units, places=base_places, windows=windows, declared=declared[own_queue][None].astype(np.float64))
    figures = _cell_figures(base, suffix="")
    for places in other_places:
        members = _members(base, places)
        present = (base.all_units > 0)[:, members.cells, None] & declared[base.queue.values[members.cells]]
        in_rollup = np.logical_or.reduceat(present, members.starts, axis=1)
        together = cell_sums(units, places=places, windows=windows, declared=in_rollup.astype(np.float64))
        figures += _cell_figures(together, suffix="_pooled")
        figures += _stratified_figures(base, together, members)
    return figures


def _declared_labels(config: Config, *, queues: tuple[str, ...], labels: tuple[str, ...]) -> BoolArray:
    """Which of `labels` each of `queues` declares, `[queues, labels]`; a multi-select queue declares none.

    A multi-select rating is a set of codes, so what could have been chosen is taken to be what was chosen.
    """
    declared = np.zeros((len(queues), len(labels)), dtype=np.bool_)
    for place, code in enumerate(queues):
        queue = config.taxonomy.queues.get(code)
        if queue is not None and not queue.is_multi_select:
            declared[place] = np.isin(labels, [label.code for label in queue.labels])
    return declared


def _members(base: CellSums, places: RollUp) -> _Members:
    """The base cells of each roll-up, in the order in which `cell_sums` puts the roll-ups."""
    market, queue = base.market, base.queue
    is_in = ~market.equal(CROSS) if places.is_market_all else np.ones(len(market.values), dtype=np.bool_)
    chosen = np.flatnonzero(is_in)
    markets = np.full(len(chosen), market.index(ALL)) if places.is_market_all else market.values[chosen]
    queues = np.full(len(chosen), queue.index(ALL)) if places.is_queue_all else queue.values[chosen]
    groups = group_by(base.pool.values[chosen], markets, queues)
    return _Members(cells=chosen[groups.order], starts=groups.starts)


def _cell_figures(cells: CellSums, *, suffix: str) -> list[Figures]:
    evidence = {
        basis: _Evidence(
            units=cells.units[basis],
            unanimous=cells.unanimous[basis],
            ratings=cells.ratings[basis][:, 0],
            effective_units=cells.units[basis].sum(axis=1),
            minority=cells.minority[basis],
        )
        for basis in BASES
    }
    return [
        _figures(cells, cells.statistics[metric], evidence[basis], metric=metric, suffix=suffix)
        for metric, basis in METRIC_BASIS.items()
    ]


def _stratified_figures(base: CellSums, rollups: CellSums, members: _Members) -> list[Figures]:
    evidence: dict[str, _Evidence] = {}
    for basis in BASES:
        ratings, units = base.ratings[basis][:, 0], base.units[basis].sum(axis=1)
        total = members.sum(ratings)
        with np.errstate(divide="ignore", invalid="ignore"):
            squares = members.sum(np.where(units > 0, ratings * ratings / units, 0))
            effective = np.where(squares > 0, total * total / squares, 0)
        evidence[basis] = _Evidence(
            units=members.sum(base.units[basis]),
            unanimous=members.sum(base.unanimous[basis]),
            ratings=total,
            effective_units=effective,
            minority=members.sum(base.minority[basis]),
        )
    figures = []
    for metric, basis in METRIC_BASIS.items():
        statistics = stratified(
            base.statistics[metric], weights=base.ratings[basis], members=members.cells, starts=members.starts
        )
        figures.append(_figures(rollups, statistics, evidence[basis], metric=metric, suffix=""))
    return figures


def _figures(cells: CellSums, statistics: FloatArray, evidence: _Evidence, *, metric: str, suffix: str) -> Figures:
    """Rows of one metric: one per window and cell that has any unit."""
    is_share = metric in SHARES
    units = evidence.units.sum(axis=1)
    events, spread = rarer_outcome(evidence.unanimous, evidence.units - evidence.unanimous)
    found = interval(statistics, transform="logit" if is_share else "atanh")
    estimate = statistics[:, 0]
    speaks = may_speak(units, events, spread) & found.is_given
    method = np.where(speaks, JACKKNIFE, NO_METHOD)
    reason = _reasons(units, estimate)
    low, high = np.where(speaks, found.low, np.nan), np.where(speaks, found.high, np.nan)
    if is_share:
        fallback = wilson(estimate, evidence.effective_units)
        low, high = np.where(speaks, low, fallback.low), np.where(speaks, high, fallback.high)
        is_kish = np.abs(evidence.effective_units - units) > EFFECTIVE_TOLERANCE * units
        wilson_method = np.where(is_kish, WILSON_KISH, WILSON)
        method = np.where(speaks | (units == 0), method, wilson_method)
        reason = np.where(units > 0, NO_REASON, reason)
    else:
        estimate = np.where(speaks, estimate, np.nan)
        reason = np.where(speaks, NO_REASON, reason)
    if metric in MOVED_BY_PREVALENCE:
        is_rare = speaks & (evidence.minority < MIN_MINORITY_AGREEMENT)
        low, high = np.where(is_rare, np.nan, low), np.where(is_rare, np.nan, high)
        method = np.where(is_rare, NO_METHOD, method)
        reason = np.where(is_rare, REASONS.index("rare_labels"), reason)
    window, cell = np.nonzero(cells.all_units > 0)
    rows = len(window)
    return Figures(
        window=window,
        texts={
            "market": cells.market.take(cell),
            "queue": cells.queue.take(cell),
            "subject_kind": constant("pool", rows),
            "subject": cells.pool.take(cell),
            "metric": constant(metric + suffix, rows),
            "reference_kind": constant("", rows),
        },
        method=method[window, cell],
        estimate=estimate[window, cell],
        low=low[window, cell],
        high=high[window, cell],
        n_items=units[window, cell],
        n_ratings=evidence.ratings[window, cell],
        reason=reason[window, cell],
    )


def _reasons(units: FloatArray, estimate: FloatArray) -> IntArray:
    """Why a coefficient is not given, the first of these that holds."""
    reason = np.full(units.shape, REASONS.index("too_few_disagreements"))
    reason = np.where(units < MIN_UNITS, REASONS.index("too_few_items"), reason)
    reason = np.where(np.isnan(estimate), REASONS.index("one_label_only"), reason)
    return np.where(units == 0, REASONS.index("no_pairs"), reason)
