"""The state of every market and queue: newest defect rate and agreement, their verdicts and small trends.

Built once and used by the index and by every market's page, so that one cell is judged once, by one rule.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from markupsafe import Markup

from qa_pipeline.charts import words
from qa_pipeline.charts.measures import AGREEMENT, DEFECT_RATE, HEADLINE, Measure
from qa_pipeline.charts.naming import ALL, CROSS, Names
from qa_pipeline.charts.reading import MartRow, Reader, newest
from qa_pipeline.charts.series import GRAIN_ADJECTIVES
from qa_pipeline.charts.sparkline import Point, sparkline
from qa_pipeline.charts.trends import Span
from qa_pipeline.charts.verdicts import ABSENT, MIN_ITEMS, NO_TARGET, TOTAL, Verdict, judge
from qa_pipeline.config import Config
from qa_pipeline.stats.agreement_intervals import MIN_UNITS_LINEARISED

SHOWN_DAYS = 84
PERIODS = ("day", "week", "trailing_28d")

Key = tuple[str, str]


@dataclass(frozen=True)
class Figure:
    """One figure of one market and queue: the rows behind it, the newest 28 days, the verdict and the small trend.

    `observed` is the share of equal pairs behind an agreement: it has an estimate where alpha needs more items.
    """

    market: str
    queue: str
    measure: Measure
    rows: Sequence[MartRow]
    current: MartRow | None
    before: MartRow | None
    observed: MartRow | None
    target: float | None
    verdict: Verdict
    spark: Markup

    @property
    def value(self) -> str:
        """The newest estimate as text."""
        return self.measure.text_beside(self.current.estimate if self.current else None, self.target)

    @property
    def interval(self) -> str:
        """The newest interval as text; empty when there is none."""
        if self.current is None:
            return ""
        return self.measure.range_text(self.current.low, self.current.high, limits=(self.target,))

    @property
    def target_text(self) -> str:
        """The target as text; empty when there is none."""
        return "" if self.target is None else self.measure.target_text(self.target)

    @property
    def why(self) -> str:
        """Why there is no estimate or no interval; empty when there are both."""
        if self.current is None:
            return words.reason_text(None)
        if self.current.low is not None:
            return ""
        if self.measure is AGREEMENT and self.current.reason == "too_few_items":
            return f"{words.count(self.current.n_items)} of {words.plural(MIN_UNITS_LINEARISED, 'item')} needed"
        return words.reason_text(self.current.reason)

    @property
    def observed_text(self) -> str:
        """`80% of pairs agree`, where there is that and no coefficient; else empty."""
        if self.observed is None or self.observed.estimate is None:
            return ""
        if self.current is not None and self.current.estimate is not None:
            return ""
        return f"{words.percent(self.observed.estimate, digits=0)} of pairs agree"

    @property
    def has_items(self) -> bool:
        """Whether any period has an item to make an estimate of, be they enough for one or not."""
        return any(row.n_items or row.estimate is not None for row in self.rows)

    @property
    def can_change(self) -> bool:
        """Whether any estimate of it can still change."""
        return any(row.is_provisional and row.estimate is not None for row in self.rows)


@dataclass(frozen=True)
class Overview:
    """Everything by market and queue, totals included; `markets` and `queues` are the codes without totals."""

    markets: tuple[str, ...]
    queues: tuple[str, ...]
    names: Names
    span: Span
    grain: str
    defects: Mapping[Key, Figure]
    agreements: Mapping[Key, Figure]

    @property
    def spark_words(self) -> str:
        """`weekly` or `daily`: what a small trend's points are."""
        return GRAIN_ADJECTIVES[self.grain]

    def figures(self, measure: Measure) -> Mapping[Key, Figure]:
        """Figures of a measure by market and queue."""
        return self.defects if measure is DEFECT_RATE else self.agreements

    def queues_of(self, market: str) -> list[str]:
        """Queues of which the market has a figure, in the config's order."""
        return [queue for queue in self.queues if self.defects[market, queue].verdict is not ABSENT]

    def cells(self, measure: Measure, *, market: str | None = None) -> list[Figure]:
        """Figures of every market and queue that there is, without totals: what is judged, counted and listed."""
        markets = self.markets if market is None else (market,)
        return [self.figures(measure)[code, queue] for code in markets for queue in self.queues_of(code)]

    def shows(self, measure: Measure) -> bool:
        """Whether any market and queue has an item of it; else a page says what is missing in its place."""
        return any(figure.has_items for figure in self.cells(measure))


def build_overview(reader: Reader, *, config: Config, names: Names, span: Span) -> Overview:
    """Read the two headline figures of every cell and judge them."""
    defects = reader.mart(
        "defect_rate", metrics=["defect_rate"], subject_kinds=["rater_kind"], periods=PERIODS, since=span.first
    )
    agreements = reader.mart(
        "agreement", metrics=["krippendorff_alpha"], subject_kinds=["pool"], periods=PERIODS, since=span.first
    )
    pairs = reader.mart(
        "agreement", metrics=["percent_agreement"], subject_kinds=["pool"], periods=["trailing_28d"], since=span.first
    )
    observed = _by_cell([row for row in pairs if row.subject == "production"])
    rows = {
        DEFECT_RATE.key: _by_cell([row for row in defects if row.subject == "human"]),
        AGREEMENT.key: _by_cell([row for row in agreements if row.subject == "production"]),
    }
    markets, queues = tuple(names.markets), tuple(names.queues)
    weeks = {row.start for cells in rows.values() for cell in cells.values() for row in cell if row.period == "week"}
    grain = "week" if len(weeks) >= 5 else "day"
    known = {key for cells in rows.values() for key, cell in cells.items() if any(row.n_ratings for row in cell)}
    figures: dict[str, dict[Key, Figure]] = {}
    for measure in HEADLINE:
        figures[measure.key] = {}
        cells = rows[measure.key]
        for queue in (*queues, ALL):
            column = [(market, queue) for market in (*markets, ALL, CROSS)]
            targets = {key: _target(config, key, measure=measure) for key in column}
            scale = _scale([cells.get(key, []) for key in column], grain=grain, measure=measure, targets=targets)
            for key in column:
                is_known = key in known or _is_total(key)
                figures[measure.key][key] = _figure(
                    key,
                    cells.get(key, []) if is_known else [],
                    measure=measure,
                    observed=newest(observed.get(key, [])) if measure is AGREEMENT else None,
                    target=targets[key] if is_known else None,
                    grain=grain,
                    scale=scale,
                    is_known=is_known,
                )
    return Overview(
        markets=markets,
        queues=queues,
        names=names,
        span=span,
        grain=grain,
        defects=figures[DEFECT_RATE.key],
        agreements=figures[AGREEMENT.key],
    )


def _is_total(key: Key) -> bool:
    return key[0] in (ALL, CROSS) or key[1] == ALL


def _target(config: Config, key: Key, *, measure: Measure) -> float | None:
    """A total has no target: its queues have their own, and the mix of queues would decide."""
    return None if _is_total(key) else config.target(measure.key, market=key[0], queue=key[1])


def _by_cell(rows: Sequence[MartRow]) -> dict[Key, list[MartRow]]:
    cells: dict[Key, list[MartRow]] = {}
    for row in rows:
        cells.setdefault((row.market, row.queue), []).append(row)
    return cells


def _scale(
    column: Sequence[Sequence[MartRow]], *, grain: str, measure: Measure, targets: Mapping[Key, float | None]
) -> tuple[float, float]:
    """One scale for a queue's small trends: from 0 for rates, from the lowest value for alpha."""
    # A week of three audits would set the scale for everybody; such points are drawn at its edge.
    points = [row for rows in column for row in rows if row.period == grain and row.n_items >= MIN_ITEMS]
    values = [row.estimate for row in points if row.estimate is not None]
    values += [row.estimate for row in map(newest, column) if row is not None and row.estimate is not None]
    values += [target for target in targets.values() if target is not None]
    if not values:
        return 0.0, 1.0
    return (0.0 if measure is DEFECT_RATE else min(values), max(values))


def _figure(
    key: Key,
    rows: Sequence[MartRow],
    *,
    measure: Measure,
    observed: MartRow | None,
    target: float | None,
    grain: str,
    scale: tuple[float, float],
    is_known: bool,
) -> Figure:
    current = newest(rows)
    verdict = judge(current, target, measure=measure) if is_known else ABSENT
    if _is_total(key) and verdict is NO_TARGET:
        verdict = TOTAL
    points = [
        Point(row.estimate, row.is_provisional)
        for row in sorted((row for row in rows if row.period == grain), key=lambda row: row.end)
    ]
    drawing = sparkline(points, low=scale[0], high=scale[1], target=target, status=verdict.key)
    before = None
    if current is not None:
        end, begin = current.end - timedelta(days=28), min(row.end for row in rows)
        before = next((row for row in rows if row.period == "trailing_28d" and row.end == end), None)
        # A window that reaches back beyond the data is not 28 days.
        before = None if before is not None and before.start < begin else before
    return Figure(
        market=key[0],
        queue=key[1],
        measure=measure,
        rows=rows,
        current=current,
        before=before,
        observed=observed,
        target=target,
        verdict=verdict,
        # Safe: made of numbers and of our own class names.
        spark=Markup(drawing),  # noqa: S704
    )
