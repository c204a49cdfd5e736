"""The state of every market and queue: newest defect rate and agreement, their verdicts and small trends.

Built once and used by the index and by every market's page, so that one cell is judged once, by one rule.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from markupsafe import Markup

from qa_pipeline.charts import words
from qa_pipeline.charts.naming import ALL, CROSS, Names
from qa_pipeline.charts.reading import MartRow, Reader, newest
from qa_pipeline.charts.series import GRAIN_ADJECTIVES
from qa_pipeline.charts.sparkline import Point, sparkline
from qa_pipeline.charts.trends import Span
from qa_pipeline.charts.verdicts import MIN_AUDITED, Verdict, agreement_verdict, defect_verdict
from qa_pipeline.config import Config

SHOWN_DAYS = 84
PERIODS = ("day", "week", "trailing_28d")

Key = tuple[str, str]
Kind = Literal["defect_rate", "agreement"]


@dataclass(frozen=True)
class Figure:
    """One figure of one market and queue: the rows behind it, the newest 28 days, the verdict and the small trend."""

    market: str
    queue: str
    kind: Kind
    rows: Sequence[MartRow]
    current: MartRow | None
    before: MartRow | None
    target: float | None
    verdict: Verdict
    spark: Markup

    @property
    def value(self) -> str:
        """The newest estimate as text."""
        estimate = self.current.estimate if self.current else None
        return words.percent(estimate) if self.kind == "defect_rate" else words.coefficient(estimate)

    @property
    def interval(self) -> str:
        """The newest interval as text; empty when there is none."""
        if self.current is None:
            return ""
        text = words.percent_range if self.kind == "defect_rate" else words.coefficient_range
        return text(self.current.low, self.current.high)

    @property
    def why(self) -> str:
        """Why there is no estimate or no interval; empty when there are both."""
        if self.current is None:
            return words.reason_text(None)
        return "" if self.current.low is not None else words.reason_text(self.current.reason)


@dataclass(frozen=True)
class Overview:
    """Everything by market and queue, roll-ups included; `markets` and `queues` are the codes without roll-ups."""

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

    def queues_of(self, market: str) -> list[str]:
        """Queues of which the market has a figure, in the config's order."""
        return [
            queue for queue in self.queues if self.defects[market, queue].rows or self.agreements[market, queue].rows
        ]


def build_overview(reader: Reader, *, config: Config, names: Names, span: Span) -> Overview:
    """Read the two headline figures of every cell and judge them."""
    defects = reader.mart(
        "defect_rate", metrics=["defect_rate"], subject_kinds=["rater_kind"], periods=PERIODS, since=span.first
    )
    agreements = reader.mart(
        "agreement", metrics=["krippendorff_alpha"], subject_kinds=["pool"], periods=PERIODS, since=span.first
    )
    by_kind: dict[Kind, dict[Key, list[MartRow]]] = {
        "defect_rate": _by_cell([row for row in defects if row.subject == "human"]),
        "agreement": _by_cell([row for row in agreements if row.subject == "production"]),
    }
    markets, queues = tuple(names.markets), tuple(names.queues)
    weeks = {row.start for rows in by_kind.values() for cell in rows.values() for row in cell if row.period == "week"}
    grain = "week" if len(weeks) >= 5 else "day"
    figures: dict[Kind, dict[Key, Figure]] = {"defect_rate": {}, "agreement": {}}
    for kind, cells in by_kind.items():
        for queue in (*queues, ALL):
            column = [(market, queue) for market in (*markets, ALL, CROSS)]
            targets = {key: config.target(kind, market=_star(key[0]), queue=_star(queue)) for key in column}
            scale = _scale([cells.get(key, []) for key in column], grain=grain, kind=kind, targets=targets)
            for key in column:
                figures[kind][key] = _figure(
                    key, cells.get(key, []), kind=kind, target=targets[key], grain=grain, scale=scale
                )
    return Overview(
        markets=markets,
        queues=queues,
        names=names,
        span=span,
        grain=grain,
        defects=figures["defect_rate"],
        agreements=figures["agreement"],
    )


def _star(code: str) -> str:
    """A roll-up is judged by the target that holds for everything."""
    return "*" if code in (ALL, CROSS) else code


def _by_cell(rows: Sequence[MartRow]) -> dict[Key, list[MartRow]]:
    cells: dict[Key, list[MartRow]] = {}
    for row in rows:
        cells.setdefault((row.market, row.queue), []).append(row)
    return cells


def _scale(
    column: Sequence[Sequence[MartRow]], *, grain: str, kind: Kind, targets: Mapping[Key, float | None]
) -> tuple[float, float]:
    """One scale for a queue's small trends: from 0 for rates, from the lowest value for alpha."""
    # A week of three audits would set the scale for everybody; such points are drawn at its edge.
    points = [row for rows in column for row in rows if row.period == grain and row.n_items >= MIN_AUDITED]
    values = [row.estimate for row in points if row.estimate is not None]
    values += [row.estimate for row in map(newest, column) if row is not None and row.estimate is not None]
    values += [target for target in targets.values() if target is not None]
    if not values:
        return 0.0, 1.0
    return (0.0, max(values)) if kind == "defect_rate" else (min(values), max(values))


def _figure(
    key: Key, rows: Sequence[MartRow], *, kind: Kind, target: float | None, grain: str, scale: tuple[float, float]
) -> Figure:
    current = newest(rows)
    verdict = defect_verdict(current, target) if kind == "defect_rate" else agreement_verdict(current)
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
        kind=kind,
        rows=rows,
        current=current,
        before=before,
        target=target,
        verdict=verdict,
        # Safe: made of numbers and of our own class names.
        spark=Markup(drawing),  # noqa: S704
    )
