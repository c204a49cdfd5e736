"""What a market's page shows of one queue's defects: control, types, known answers and lots. No HTML here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from qa_pipeline.charts import truth
from qa_pipeline.charts.alarms import Key, State, key_of
from qa_pipeline.charts.comparisons import label_chart
from qa_pipeline.charts.control import HEIGHT, control_chart, vendor_charts, vendors_table, vendors_title
from qa_pipeline.charts.defect_types import defect_types
from qa_pipeline.charts.funnel import vendor_funnel_chart
from qa_pipeline.charts.lots import Lots, lots_card
from qa_pipeline.charts.market_rows import MarketRows
from qa_pipeline.charts.naming import ALL
from qa_pipeline.charts.overview import Overview
from qa_pipeline.charts.quality_rows import ControlPoint, Signal
from qa_pipeline.charts.reading import MartRow
from qa_pipeline.charts.theme import Chart, Table
from qa_pipeline.config import Config, QueueConfig

OfChart = TypeVar("OfChart", ControlPoint, Signal)
VENDOR_QUESTION = "Which vendors are different from their own past?"


@dataclass(frozen=True)
class VendorPanels:
    """The control charts of vendors with an alarm, under a title that is about all vendors."""

    title: str
    question: str
    panels: Sequence[Chart]
    tables: Sequence[Table]


@dataclass(frozen=True)
class QueueQuality:
    """`control` stand beside each other: the queue against its past, then the vendors against each other (a funnel).

    `corrected` is the sentence under the defect rate, `details` what sorts of defects and which labels are missed.
    """

    control: Sequence[Chart]
    vendors: VendorPanels | None
    corrected: str
    details: Sequence[Chart]
    lots: Lots | None


def queue_quality(
    rows: MarketRows,
    *,
    overview: Overview,
    states: Mapping[Key, State],
    market: str,
    queue: str,
    place: int,
    config: Config,
) -> QueueQuality:
    """Draw it all; `states` are the market's control charts, `place` numbers the keys of the charts."""
    found = rows.quality
    points = _by_subject(found.points.get(queue, []))
    signals = _by_subject(found.signals.get(queue, []))
    mine = {key[2:]: state for key, state in states.items() if key[:2] == (market, queue)}
    vendors = {name: state for (kind, name), state in mine.items() if kind == "vendor"}
    funnel = found.funnel.get(queue, [])
    beside = vendor_funnel_chart(funnel, key=f"funnel-{place}") if funnel else None
    control = control_chart(
        points.get(("rater_kind", "human"), []),
        key=f"control-{place}",
        span=overview.span,
        state=mine.get(("rater_kind", "human")),
        signals=signals.get(("rater_kind", "human"), []),
        changes=rows.changes.get(queue, []),
        height=beside.height if beside is not None and beside.spec is not None else HEIGHT,
    )
    panels = vendor_charts(
        {name: points["vendor", name] for name in vendors},
        {name: signals.get(("vendor", name), []) for name in vendors},
        key=f"vendor-control-{place}",
        span=overview.span,
        states=vendors,
    )
    if vendors and not panels and control.spec is not None:
        # Nothing to draw: one sentence and the numbers under the queue's own chart.
        control = replace(
            control,
            remarks=(*control.remarks, f"{vendors_title(vendors)}."),
            more_tables=(vendors_table(vendors),),
        )
    types = found.types.get(queue, [])
    corrected = next((row for row in types if row.metric == truth.CORRECTED), None)
    return QueueQuality(
        control=[control, *([beside] if beside is not None else [])],
        vendors=_vendor_panels(vendors, panels),
        corrected=truth.corrected_sentence(corrected, qa=_known(found.qa, queue)),
        details=[
            defect_types([row for row in types if row.metric != truth.CORRECTED], key=f"types-{place}"),
            _gold(rows, queue=queue, key=f"gold-{place}", named=config.taxonomy.queues.get(queue)),
        ],
        lots=lots_card(
            found.lots.get(queue, []),
            key=f"plan-{place}",
            shares=config.quality.acceptance.tested_shares(queue),
        ),
    )


def _by_subject(rows: Sequence[OfChart]) -> dict[tuple[str, str], list[OfChart]]:
    found: dict[tuple[str, str], list[OfChart]] = {}
    for row in rows:
        found.setdefault(key_of(row)[2:], []).append(row)
    return found


def _vendor_panels(states: Mapping[str, State], panels: Sequence[Chart]) -> VendorPanels | None:
    if not panels:
        return None
    tables = [vendors_table(states), *(panel.table for panel in panels if panel.table is not None)]
    return VendorPanels(vendors_title(states), VENDOR_QUESTION, panels, tables)


def _known(qa: Mapping[str, Sequence[MartRow]], queue: str) -> Sequence[MartRow]:
    """How well QA judges: in the queue, else in all queues of the market together."""
    own = [row for row in qa.get(queue, []) if row.estimate is not None]
    return own or qa.get(ALL, [])


def _gold(rows: MarketRows, *, queue: str, key: str, named: QueueConfig | None) -> Chart:
    """Labels by known answers, with what is to be said of the answers themselves."""
    by_gold = [row for row in rows.accuracy.get(queue, []) if row.reference_kind == "gold"]
    people = (row for row in by_gold if (row.subject_kind, row.subject) == ("rater_kind", "human"))
    labels = [row for row in by_gold if row.subject_kind == "label"]
    chart = label_chart(labels, key=key, overall=next(people, None), queue=named)
    keys = rows.quality.keys.get(queue, [])
    return replace(
        chart,
        remarks=truth.gold_sentences(rows.quality.gold.get(queue, []), keys=keys, queue=named),
        more_tables=(truth.keys_table(keys, queue=named),) if keys else (),
    )
