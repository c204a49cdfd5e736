"""What a market's page shows: its standing, tiles, its queues worst first, and charts over all queues. No HTML here."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from qa_pipeline.charts import findings, habits
from qa_pipeline.charts.agreement_panels import agreement_panels, panels_note
from qa_pipeline.charts.agreement_rows import AgreementRows
from qa_pipeline.charts.alarms import Key, State, alarm_list, alarm_sentence, chart_states, shared_sentence
from qa_pipeline.charts.arrivals import Arrivals
from qa_pipeline.charts.drift_map import drift_map
from qa_pipeline.charts.funnel import vendor_funnel_chart
from qa_pipeline.charts.market_rows import MarketRows
from qa_pipeline.charts.market_tiles import tiles
from qa_pipeline.charts.measures import DEFECT_RATE
from qa_pipeline.charts.naming import ALL, slug
from qa_pipeline.charts.overview import Figure, Overview
from qa_pipeline.charts.past_alarms import past_alarms
from qa_pipeline.charts.quality_rows import Signal
from qa_pipeline.charts.queue_section import queue_section
from qa_pipeline.charts.reading import Volume
from qa_pipeline.charts.standing import attention, market_sentence
from qa_pipeline.charts.theme import Chart
from qa_pipeline.charts.verdicts import RULE, shortfall
from qa_pipeline.charts.volume import volume_chart
from qa_pipeline.charts.week_change import week_change
from qa_pipeline.charts.whom import whom_chart, whom_table
from qa_pipeline.config import Config

ATTENTION_SHOWN = 6


def market_context(
    rows: MarketRows,
    *,
    market: str,
    overview: Overview,
    config: Config,
    arrivals: Arrivals,
    all_states: Mapping[Key, State],
    signals: Sequence[Signal],
) -> dict[str, Any]:
    """Everything `market.html.j2` needs, beside the frame that all pages share.

    `all_states` are the control charts of all markets in the newest 7 days, `signals` those of the newest 28.
    """
    queues = _worst_first(overview, market=market)
    volumes = [volume for found in rows.volumes.values() for volume in found]
    states = chart_states(
        (point for found in rows.quality.points.values() for point in found),
        (signal for found in rows.quality.signals.values() for signal in found),
        last=overview.span.last,
        baseline=config.quality.baseline,
    )
    sections = [
        queue_section(
            rows,
            overview=overview,
            states=states,
            market=market,
            queue=queue,
            place=place,
            config=config,
            arrivals=arrivals,
        )
        for place, queue in enumerate(queues)
    ]
    found = attention(overview, files={}, market=market)
    alarms = alarm_list(states, names=overview.names, files={})
    vendors = {subject for _, _, kind, subject in states if kind == "vendor"}
    shared = _shared(all_states, vendors=vendors)
    across = _drift_across(rows, overview=overview, queues=queues)
    return {
        "overview": overview,
        "name": overview.names.market(market),
        "code": market,
        "lead": market_sentence(overview, market=market),
        "attention": found[:ATTENTION_SHOWN],
        "attention_hidden": max(0, len(found) - ATTENTION_SHOWN),
        "alarms": alarms[:ATTENTION_SHOWN],
        "alarms_hidden": max(0, len(alarms) - ATTENTION_SHOWN),
        "alarm_sentence": alarm_sentence(states, alarms, is_one_market=True),
        "shared_sentence": shared_sentence(shared, names=overview.names),
        "shared": alarm_list(shared, names=overview.names, files={}),
        "past": past_alarms(
            signals, last=overview.span.last, names=overview.names, files={}, market=market, vendors=vendors
        ),
        "tiles": tiles(overview, market=market, volumes=volumes),
        "arrivals_missing": [*arrivals.missing(*_wanted(rows)), *_never(rows.agreement)] if sections else [],
        "shows_defects": overview.shows(DEFECT_RATE),
        "can_change": any(section.defect.can_change or section.agreement.can_change for section in sections),
        "sections": sections,
        "total_defect": overview.defects[market, ALL],
        "total_agreement": overview.agreements[market, ALL],
        "across": across,
        "funnel": vendor_funnel_chart(rows.quality.funnel.get(ALL, []), key="funnel-market"),
        "total": volume_chart(_summed(volumes), key="volume-market", span=overview.span, height=across.height or 220),
        "rule": RULE,
    } | _agreement(rows.agreement, overview=overview, market=market, queues=queues)


def _shared(states: Mapping[Key, State], *, vendors: Collection[str]) -> dict[Key, State]:
    """The control charts over all markets that are about a market's vendors."""
    return {key: state for key, state in states.items() if key[0] == ALL and key[2] == "vendor" and key[3] in vendors}


def _wanted(rows: MarketRows) -> list[str]:
    """What a market's page has when every feed arrives; experts' decisions are a reference that needs no feed."""
    has_accuracy = any(row.estimate is not None for found in rows.accuracy.values() for row in found)
    has_gold = any(row.reference_kind == "gold" for found in rows.accuracy.values() for row in found)
    kinds = {"references": not has_accuracy, "gold": not has_gold}
    return [kind for kind in ("audits", "references", "gold", "models") if kinds.get(kind, True)]


def _never(rows: AgreementRows) -> list[tuple[str, str]]:
    """What no queue of the market has: said once, with what would bring it."""
    return [line for name, line in habits.ABSENT.items() if not getattr(rows, name)]


def _agreement(rows: AgreementRows, *, overview: Overview, market: str, queues: Sequence[str]) -> dict[str, Any]:
    """Agreement over all queues: trends side by side, what changed this week, who agrees with whom."""
    names = {queue: overview.names.queue(queue) for queue in queues}
    whom = whom_chart(rows.whom.get(ALL, []), key="whom-market", is_total=True)
    by_queue = whom_table(rows.whom, names=names)
    return {
        "week": week_change(rows.changes, names=names, last=overview.span.last),
        "whom": whom,
        "whom_tables": [table for table in (whom.table, by_queue) if table is not None],
    } | _panels(overview, market=market, queues=queues)


def _panels(overview: Overview, *, market: str, queues: Sequence[str]) -> dict[str, Any]:
    """The agreement of every queue side by side, with the title and the note over and under them."""
    figures = {queue: overview.agreements[market, queue] for queue in queues}
    rows = {queue: list(figure.rows) for queue, figure in figures.items()}
    names = {queue: overview.names.queue(queue) for queue in queues}
    targets = {queue: figure.target for queue, figure in figures.items()}
    panels = agreement_panels(rows, names=names, span=overview.span, targets=targets)
    current = {queue: figure.current for queue, figure in figures.items()}
    return {
        "panel_title": findings.agreement_title(current, names=names, targets=targets),
        "panel_note": panels_note(rows, targets=targets, span=overview.span),
        "panels": [
            (panel, f"q-{slug(queue)}", figures[queue].verdict) for panel, queue in zip(panels, queues, strict=True)
        ],
        "panel_tables": [panel.table for panel in panels if panel.table is not None],
    }


def _drift_across(rows: MarketRows, *, overview: Overview, queues: Sequence[str]) -> Chart:
    labels = {
        findings.drift_key(row): overview.names.queue(queue)
        for queue in queues
        for row in rows.drift.get(queue, [])
        if row.subject_kind == "labels"
    }
    return drift_map(
        [row for found in rows.drift.values() for row in found],
        key="drift-market",
        span=overview.span,
        names=labels,
        question="In which queues did the mix of human labels change, and when?",
        caption="PSI of human labels by day",
    )


def _worst_first(overview: Overview, *, market: str) -> list[str]:
    """Queues by their worse verdict, then by the other one, then by how far they are from target."""

    def gap(figure: Figure) -> float:
        if figure.current is None or figure.current.estimate is None or not figure.target:
            return -1.0
        return shortfall(figure.current, figure.target, measure=figure.measure) / figure.target

    def order(queue: str) -> tuple[float, ...]:
        figures = (overview.defects[market, queue], overview.agreements[market, queue])
        ranks = sorted(figure.verdict.rank for figure in figures)
        return (*ranks, -max(gap(figure) for figure in figures))

    return sorted(overview.queues_of(market), key=order)


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
