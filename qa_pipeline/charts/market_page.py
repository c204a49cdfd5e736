"""What a market's page shows: tiles, its queues worst first, and the charts of each queue. No HTML here."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from qa_pipeline.charts import findings
from qa_pipeline.charts.comparisons import accuracy_chart, coefficient_chart, reference_kind
from qa_pipeline.charts.drift_map import drift_map, subject_name
from qa_pipeline.charts.index_page import worst
from qa_pipeline.charts.market_rows import MarketRows
from qa_pipeline.charts.market_tiles import tiles
from qa_pipeline.charts.naming import ALL, slug
from qa_pipeline.charts.overview import Figure, Overview
from qa_pipeline.charts.reading import GuidelineChange, MartRow, Volume
from qa_pipeline.charts.theme import Chart
from qa_pipeline.charts.trends import agreement_panels, defect_trend
from qa_pipeline.charts.verdicts import AGREEMENT_RULE, DEFECT_RULE
from qa_pipeline.charts.volume import volume_chart
from qa_pipeline.config import Config

# What a card takes beside its figure: title, question, note, tools, padding and the gap to the next card.
CARD_EXTRA = 176


@dataclass(frozen=True)
class QueueSection:
    """Everything about one queue: its anchor, both figures, its charts by place, and what could not be drawn and why.

    `top` is a row, `left` a stack beside `right`, `bottom` spans the page; a place may be empty.
    """

    anchor: str
    name: str
    defect: Figure
    agreement: Figure
    top: Sequence[Chart]
    left: Sequence[Chart]
    right: Sequence[Chart]
    bottom: Sequence[Chart]
    missing: Sequence[Chart]

    @property
    def worse(self) -> Figure:
        """The figure whose verdict is the worse; of equals the defect rate."""
        return min(self.defect, self.agreement, key=lambda figure: figure.verdict.rank)


def market_context(
    rows: MarketRows,
    *,
    market: str,
    overview: Overview,
    config: Config,
    volumes: Sequence[Volume],
    changes: Sequence[GuidelineChange],
) -> dict[str, Any]:
    """Everything `market.html.j2` needs, beside the frame that all pages share."""
    names = overview.names
    queues = _worst_first(overview, market=market)
    mine = [volume for volume in volumes if volume.market == market]
    sections = [
        _section(
            rows,
            overview=overview,
            market=market,
            queue=queue,
            place=place,
            config=config,
            volumes=[volume for volume in mine if volume.queue == queue],
            changes=[change for change in changes if (change.market, change.queue) == (market, queue)],
        )
        for place, queue in enumerate(queues)
    ]
    panels = agreement_panels(
        {queue: list(overview.agreements[market, queue].rows) for queue in queues},
        names={queue: names.queue(queue) for queue in queues},
        span=overview.span,
        targets={queue: overview.agreements[market, queue].target for queue in queues},
    )
    labels = {
        findings.drift_key(row): names.queue(queue)
        for queue in queues
        for row in rows.drift.get(queue, [])
        if row.subject_kind == "labels"
    }
    across = drift_map(
        [row for found in rows.drift.values() for row in found],
        key="drift-market",
        span=overview.span,
        names=labels,
        question="In which queues did the mix of human labels change, and when?",
        caption="PSI of human labels by day",
    )
    total = volume_chart(_summed(mine), key="volume-market", span=overview.span, height=across.height or 220)
    return {
        "overview": overview,
        "name": names.market(market),
        "code": market,
        "lead": findings.status_sentence(
            {names.queue(queue): overview.defects[market, queue].verdict for queue in queues}
        ),
        "worst": worst(overview, files={}, market=market),
        "tiles": tiles(overview, market=market, volumes=mine),
        "sections": sections,
        "total_defect": overview.defects[market, ALL],
        "total_agreement": overview.agreements[market, ALL],
        "panel_title": findings.agreement_title(
            {queue: overview.agreements[market, queue].current for queue in queues},
            names={queue: names.queue(queue) for queue in queues},
            targets={queue: overview.agreements[market, queue].target for queue in queues},
        ),
        "panel_grain": next((panel.note.split(" ", 1)[0] for panel in panels if panel.note), "28 days"),
        "panels": [(panel, f"q-{slug(queue)}") for panel, queue in zip(panels, queues, strict=True)],
        "panel_tables": [panel.table for panel in panels if panel.table is not None],
        "across": across,
        "total": total,
        "defect_rule": DEFECT_RULE,
        "agreement_rule": AGREEMENT_RULE,
    }


def _section(
    rows: MarketRows,
    *,
    overview: Overview,
    market: str,
    queue: str,
    place: int,
    config: Config,
    volumes: Sequence[Volume],
    changes: Sequence[GuidelineChange],
) -> QueueSection:
    defect = overview.defects[market, queue]
    accuracy = rows.accuracy.get(queue, [])
    drift = rows.drift.get(queue, [])
    goal = config.target("accuracy", market=market, queue=queue)
    charts = [
        defect_trend(defect.rows, key=f"defect-{place}", span=overview.span, target=defect.target, changes=changes),
        coefficient_chart(rows.coefficients.get(queue, []), key=f"coefficients-{place}"),
        _accuracy(accuracy, key=f"vendors-{place}", subject_kind="vendor", target=goal),
        _accuracy(accuracy, key=f"versions-{place}", subject_kind="model_version", target=goal),
        drift_map(
            drift,
            key=f"drift-{place}",
            span=overview.span,
            names={findings.drift_key(row): subject_name(row) for row in sorted(drift, key=_drift_order)},
            question="Did the mix of labels, decisions or scores change?",
            caption="PSI by day",
        ),
    ]
    beside = [chart.height for chart in charts[2:4] if chart.spec is not None]
    charts.append(volume_chart(volumes, key=f"volume-{place}", span=overview.span, height=_height_beside(beside)))
    return QueueSection(
        anchor=f"q-{slug(queue)}",
        name=overview.names.queue(queue),
        defect=defect,
        agreement=overview.agreements[market, queue],
        top=[chart for chart in charts[:2] if chart.spec is not None],
        left=[chart for chart in charts[2:4] if chart.spec is not None],
        right=[chart for chart in charts[5:] if chart.spec is not None],
        bottom=[chart for chart in charts[4:5] if chart.spec is not None],
        missing=[chart for chart in charts if chart.spec is None],
    )


def _height_beside(heights: Sequence[int]) -> int:
    """Height of a figure beside a stack of cards with figures of these heights, so that both columns end together."""
    return sum(heights) + CARD_EXTRA * max(0, len(heights) - 1) if heights else 220


def _accuracy(rows: Sequence[MartRow], *, key: str, subject_kind: str, target: float | None) -> Chart:
    """Vendors beside all humans, or model versions beside all models, against one kind of reference."""
    subjects = [row for row in rows if row.subject_kind == subject_kind]
    kind = reference_kind(subjects)
    whole = "human" if subject_kind == "vendor" else "model"
    overall = next(
        (row for row in rows if (row.subject_kind, row.subject, row.reference_kind) == ("rater_kind", whole, kind)),
        None,
    )
    noun = "Vendor" if subject_kind == "vendor" else "Model version"
    compared = [row for row in subjects if row.reference_kind == kind]
    return accuracy_chart(compared, key=key, overall=overall, target=target, noun=noun)


def _worst_first(overview: Overview, *, market: str) -> list[str]:
    def order(queue: str) -> tuple[float, ...]:
        defect, agreement = overview.defects[market, queue], overview.agreements[market, queue]
        estimate = defect.current.estimate if defect.current and defect.current.estimate is not None else -1.0
        ratio = estimate / defect.target if defect.target else estimate
        return (defect.verdict.rank, agreement.verdict.rank, -ratio)

    return sorted(overview.queues_of(market), key=order)


def _drift_order(row: MartRow) -> tuple[int, str]:
    return (("labels", "predictions", "scores").index(row.subject_kind), row.subject)


def _summed(volumes: Sequence[Volume]) -> list[Volume]:
    totals: dict[Any, Volume] = {}
    for volume in volumes:
        have = totals.get(volume.day)
        totals[volume.day] = Volume(
            day=volume.day,
            market=volume.market,
            queue=ALL,
            human=volume.human + (have.human if have else 0),
            model=volume.model + (have.model if have else 0),
            reviewed=volume.reviewed + (have.reviewed if have else 0),
        )
    return list(totals.values())
