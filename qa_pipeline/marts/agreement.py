"""`marts.agreement`: how far raters agree, per market x queue, at roll-ups and across markets.

Intervals, reasons and roll-ups of agreement belong here; the coefficients are `stats.agreement`.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from qa_pipeline.config import Config
from qa_pipeline.marts.cells import ALL, CROSS, RollUp, group_by, roll_ups, rows_by_key
from qa_pipeline.marts.mart import Headline, Mart, Source
from qa_pipeline.marts.patterns import MIXED, CellScale, queue_scale, read_patterns
from qa_pipeline.marts.reading import Codes, Table, coded
from qa_pipeline.marts.records import (
    JACKKNIFE,
    LINEARISED,
    NO_METHOD,
    NO_REASON,
    REASONS,
    WILSON,
    WILSON_KISH,
    Figures,
    constant,
)
from qa_pipeline.marts.unit_sums import METRIC_BASIS, WEIGHTED, CellSums, Units, cell_groups, cell_sums
from qa_pipeline.stats.agreement import stratified
from qa_pipeline.stats.agreement_intervals import (
    MIN_MINORITY_AGREEMENT,
    MIN_UNITS_LINEARISED,
    MOVED_BY_PREVALENCE,
    Evidence,
    choose_interval,
    combined_degrees,
    degrees_of_freedom,
)
from qa_pipeline.stats.jackknife import BoolArray, FloatArray, IntArray, divide
from qa_pipeline.stats.windows import Windows

EFFECTIVE_TOLERANCE = 1e-9
# Pools whose subject is not the pool itself.
KIND_OF_POOL = {"vendor": "vendor", "human_model": "model_version"}
_JOINT = "\t"
NEEDS_ONE_SCALE = WEIGHTED | {"krippendorff_alpha"}
_COMMENT = (
    "Agreement between raters. A unit is an item within a market and queue (CROSS: over all markets), on the date of "
    "its first decision. subject_kind pool: production, calibration, model (LLM judges); vendor: among its own "
    "annotators; model_version: against people. percent_agreement, fleiss_kappa (generalised for varying raters), "
    "krippendorff_alpha (by the queue's scale; MASI for multi-select), gwet_ac1 and, by the scale's weights, "
    "percent_agreement_weighted, fleiss_kappa_weighted and gwet_ac2 are over units with two ratings or more "
    "(prevalence of kappa, AC1, AC2 and prevalence_index: all units, single ratings too; of subject_kind vendor: only "
    "the vendor's ratings of units that two people or more rated, so compare vendors with each other, or by alpha); "
    "percent_agreement_modal and fleiss_1971 over "
    "units with the commonest number of ratings. Market or queue "
    "ALL, and CROSS x ALL: the mean over market x queue cells weighted by their pairable ratings; names ending in "
    "_pooled throw the units together instead. n_items and n_ratings are those units and their ratings. Intervals: "
    "jackknife with 100 units or more, 10 of them in the rarer of full agreement and any disagreement, in 8 "
    "replicates (kappa and alpha: and 5 in which two raters agree on a label other than the commonest); otherwise "
    "Wilson for percent agreement, and with 20 units or more linearised for coefficients."
)
MART = Mart(
    name="agreement",
    comment=_COMMENT,
    queries=("agreement_units",),
    headline=Headline("pool", "production", "percent_agreement", ""),
    source=Source("unit_patterns"),
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

    def lists(self) -> list[IntArray]:
        """The base cells of each roll-up."""
        return np.split(self.cells, self.starts[1:])


@dataclass(frozen=True)
class _Estimates:
    """One metric: `statistics` `[W, 21, cells]`; `ratings`, linearised `variance` and its `degrees` `[W, cells]`."""

    ratings: FloatArray
    statistics: FloatArray
    variance: FloatArray
    degrees: FloatArray


def agreement_figures(
    table: Table,
    *,
    config: Config,
    windows: Windows,
    metrics: Collection[str] = tuple(METRIC_BASIS),
    is_rolled_up: bool = True,
) -> list[Figures]:
    """Figures of the `metrics` for every window, market x queue and subject; none without units.

    Their roll-ups too, unless `is_rolled_up` is False.

    `table` is `sql/marts/agreement_units.sql`: texts market, queue, rater_pool, subject and pattern, a replicate and
    unit_count. One Figures a metric and form.
    """
    if not len(table):
        return []
    declared_names = (label.code for queue in config.taxonomy.queues.values() for label in queue.labels)
    patterns = read_patterns(table.texts["pattern"].names, labels=tuple(declared_names))
    units = Units(
        rows=rows_by_key(table, windows),
        who=_who(table.texts["rater_pool"], table.texts["subject"]),
        pattern=table.texts["pattern"].values,
        table=patterns,
    )
    base_places, *others = roll_ups(table.texts)
    other_places = others if is_rolled_up else []
    queues = base_places.queue.names
    declared = _declared_labels(config, queues=queues, labels=patterns.label_names)
    own_queue = cell_groups(units, base_places).parts[2]
    scales = [queue_scale(config, queue) for queue in queues]
    base = cell_sums(
        units,
        places=base_places,
        windows=windows,
        scales=[scales[queue] for queue in own_queue],
        declared=declared[own_queue][None].astype(np.float64),
        metrics=metrics,
    )
    figures = _cell_figures(base, suffix="")
    for places in other_places:
        members = _members(base, places)
        present = (base.all_units > 0)[:, members.cells, None] & declared[base.queue.values[members.cells]]
        in_rollup = np.logical_or.reduceat(present, members.starts, axis=1)
        together = cell_sums(
            units,
            places=places,
            windows=windows,
            scales=[_common({base.scales[cell] for cell in cells}) for cells in members.lists()],
            declared=in_rollup.astype(np.float64),
            metrics=metrics,
        )
        figures += _cell_figures(together, suffix="_pooled")
        figures += _stratified_figures(base, together, members)
    return figures


def _who(pool: Codes, subject: Codes) -> Codes:
    """Pool and subject of each key as one text."""
    pairs = pool.values * max(1, len(subject.names)) + subject.values
    found, codes = np.unique(pairs, return_inverse=True)
    names = [divmod(int(pair), max(1, len(subject.names))) for pair in found]
    return Codes(values=codes, names=tuple(f"{pool.names[a]}{_JOINT}{subject.names[b]}" for a, b in names))


def _subjects(who: Codes) -> dict[str, Codes]:
    """subject_kind and subject of mart rows: a pool, a vendor among its own, a model version against people."""
    kinds, names = [], []
    for joint in who.names:
        pool, subject = joint.split(_JOINT)
        kinds.append(KIND_OF_POOL.get(pool, "pool"))
        names.append(subject if pool in KIND_OF_POOL else pool)
    kind, name = coded(kinds), coded(names)
    return {
        "subject_kind": Codes(values=kind.values[who.values], names=kind.names),
        "subject": Codes(values=name.values[who.values], names=name.names),
    }


def _common(scales: set[CellScale]) -> CellScale:
    return next(iter(scales)) if len(scales) == 1 else MIXED


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
    groups = group_by(base.who.values[chosen], markets, queues)
    return _Members(cells=chosen[groups.order], starts=groups.starts)


def _cell_figures(cells: CellSums, *, suffix: str) -> list[Figures]:
    figures = []
    for metric, statistics in cells.statistics.items():
        basis = METRIC_BASIS[metric]
        evidence = _own_evidence(cells, basis)
        degrees = degrees_of_freedom(metric, evidence, effective_units=cells.effective_units[metric])
        found = _Estimates(cells.ratings[basis][:, 0], statistics, cells.variance[metric], degrees)
        figures.append(_figures(cells, found, evidence, metric=metric, suffix=suffix))
    return figures


def _own_evidence(cells: CellSums, basis: str) -> Evidence:
    units = cells.units[basis]
    return Evidence(units, cells.unanimous[basis], cells.minority[basis], wilson_units=units.sum(axis=1))


def _stratified_figures(base: CellSums, rollups: CellSums, members: _Members) -> list[Figures]:
    figures = []
    for metric, values in base.statistics.items():
        basis = METRIC_BASIS[metric]
        own, weights = _own_evidence(base, basis), base.ratings[basis]
        total = members.sum(weights[:, 0])
        squares = members.sum(divide(np.square(weights[:, 0]), own.total, otherwise=0))
        evidence = Evidence(
            units=members.sum(own.units),
            unanimous=members.sum(own.unanimous),
            minority=members.sum(own.minority),
            wilson_units=divide(np.square(total), squares, otherwise=0),
        )
        degrees = degrees_of_freedom(metric, own, effective_units=base.effective_units[metric])
        variance, together = _combined(values[:, 0], weights[:, 0], base.variance[metric], degrees, members)
        statistics = stratified(values, weights=weights, members=members.cells, starts=members.starts)
        found = _Estimates(total, _unmixed(statistics, rollups, metric), variance, together)
        figures.append(_figures(rollups, found, evidence, metric=metric, suffix=""))
    return figures


def _combined(
    values: FloatArray, weights: FloatArray, variance: FloatArray, degrees: FloatArray, members: _Members
) -> tuple[FloatArray, FloatArray]:
    """Variance of a weighted mean of cells and its degrees of freedom (Satterthwaite 1946), `[W, rollups]`.

    Cells that take no part in the mean take none here. A cell without any variance of its own (all its units alike)
    would make the mean look surer than it is, so it leaves the roll-up without a linearised interval.
    """
    held = np.where(np.isfinite(values), weights, 0)
    share = np.square(held) * np.where(held > 0, variance, 0)
    total = members.sum(held)
    summed = members.sum(share)
    together = combined_degrees(summed, members.sum(np.square(share) / degrees))
    return divide(summed, np.square(total)), together


def _unmixed(statistics: FloatArray, rollups: CellSums, metric: str) -> FloatArray:
    """NaN where the metric needs one scale and the cells rolled up have several."""
    if metric not in NEEDS_ONE_SCALE:
        return statistics
    is_mixed = np.array([scale.kind == "mixed" for scale in rollups.scales])
    return np.where(is_mixed, np.nan, statistics)


def _figures(cells: CellSums, found: _Estimates, evidence: Evidence, *, metric: str, suffix: str) -> Figures:
    """Rows of one metric: one per window and cell that has any unit and whose scale has the metric."""
    units, estimate = evidence.total, found.statistics[:, 0]
    chosen = choose_interval(
        metric, statistics=found.statistics, variance=found.variance, degrees=found.degrees, evidence=evidence
    )
    is_kish = np.abs(evidence.wilson_units - units) > EFFECTIVE_TOLERANCE * units
    method = np.where(chosen.is_wilson, np.where(is_kish, WILSON_KISH, WILSON), NO_METHOD)
    method = np.where(chosen.is_linearised, LINEARISED, method)
    method = np.where(chosen.is_jackknife, JACKKNIFE, method)
    reason = np.where(chosen.is_given, NO_REASON, _reasons(metric, cells, evidence, estimate))
    wanted = cells.all_units > 0
    if metric in WEIGHTED:
        wanted = wanted & np.array([scale.kind != "nominal" for scale in cells.scales])
    window, cell = np.nonzero(wanted)
    rows = len(window)
    return Figures(
        window=window,
        texts={
            "market": cells.market.take(cell),
            "queue": cells.queue.take(cell),
            **_subjects(cells.who.take(cell)),
            "metric": constant(metric + suffix, rows),
            "reference_kind": constant("", rows),
        },
        method=method[window, cell],
        estimate=np.where(chosen.is_given, estimate, np.nan)[window, cell],
        low=chosen.interval.low[window, cell],
        high=chosen.interval.high[window, cell],
        n_items=units[window, cell],
        n_ratings=found.ratings[window, cell],
        reason=reason[window, cell],
    )


def _reasons(metric: str, cells: CellSums, evidence: Evidence, estimate: FloatArray) -> IntArray:
    """Why a figure is not given, the last of these that holds."""
    units = evidence.total
    reason = np.full(units.shape, REASONS.index("too_few_disagreements"))
    if metric in MOVED_BY_PREVALENCE:
        is_rare = (evidence.minority < MIN_MINORITY_AGREEMENT) & (evidence.events >= 1)
        reason = np.where(is_rare, REASONS.index("rare_labels"), reason)
    reason = np.where(units < MIN_UNITS_LINEARISED, REASONS.index("too_few_items"), reason)
    reason = np.where(np.isnan(estimate), REASONS.index("one_label_only"), reason)
    if metric in NEEDS_ONE_SCALE:
        is_mixed = np.array([scale.kind == "mixed" for scale in cells.scales])
        reason = np.where(is_mixed, REASONS.index("mixed_scales"), reason)
    return np.where(units == 0, REASONS.index("no_pairs"), reason)
