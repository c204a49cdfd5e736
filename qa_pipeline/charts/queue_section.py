"""What a market's page shows of one queue: its charts by place, and what could not be drawn and why. No HTML here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from qa_pipeline.charts import findings
from qa_pipeline.charts.agreement_rows import AgreementRows
from qa_pipeline.charts.alarms import Key, State
from qa_pipeline.charts.arrivals import AUDITS, GOLD, MODEL_REFERENCES, REFERENCES, Arrivals, Needs
from qa_pipeline.charts.comparisons import accuracy_chart, coefficient_chart, reference_kind, vendor_defect_chart
from qa_pipeline.charts.confusion import confusion_chart
from qa_pipeline.charts.drift_map import drift_map, subject_name
from qa_pipeline.charts.habits import Habits, habits
from qa_pipeline.charts.market_rows import MarketRows
from qa_pipeline.charts.naming import slug
from qa_pipeline.charts.overview import Figure, Overview
from qa_pipeline.charts.queue_quality import QueueQuality, queue_quality
from qa_pipeline.charts.reading import MartRow
from qa_pipeline.charts.theme import Chart
from qa_pipeline.charts.trends import defect_trend
from qa_pipeline.charts.verdicts import Verdict, reliability
from qa_pipeline.charts.vitality import vitality_chart
from qa_pipeline.charts.volume import volume_chart
from qa_pipeline.charts.whom import whom_chart
from qa_pipeline.config import Config

# What a card takes beside its figure: title, question, note, tools, padding and the gap to the next card.
CARD_EXTRA = 205


@dataclass(frozen=True)
class QueueSection:
    """Everything about one queue: its anchor, both figures, its charts by place, and what could not be drawn and why.

    `top` is a row, `left` a stack beside the stack `right`, `bottom` spans the page, `why` are figures of what is
    behind the agreement, side by side, with `habits` after them; a place may be empty. `quality` is what is behind
    the defects.
    """

    anchor: str
    name: str
    defect: Figure
    agreement: Figure
    top: Sequence[Chart]
    left: Sequence[Chart]
    right: Sequence[Chart]
    bottom: Sequence[Chart]
    why: Sequence[Chart]
    habits: Habits | None
    quality: QueueQuality
    missing: Sequence[Chart]

    @property
    def reliability(self) -> Verdict | None:
        """The verdict on the newest alpha, whatever its target."""
        return reliability(self.agreement.current)

    @property
    def worse(self) -> Figure:
        """The figure whose verdict is the worse; of equals the defect rate."""
        return min(self.defect, self.agreement, key=lambda figure: figure.verdict.rank)


def queue_section(
    rows: MarketRows,
    *,
    overview: Overview,
    states: Mapping[Key, State],
    market: str,
    queue: str,
    place: int,
    config: Config,
    arrivals: Arrivals,
) -> QueueSection:
    """Draw everything of a market's queue; `place` numbers the keys of its charts, `states` are its control charts'."""
    defect = overview.defects[market, queue]
    quality = queue_quality(
        rows, overview=overview, states=states, market=market, queue=queue, place=place, config=config
    )
    trend = defect_trend(
        defect.rows,
        key=f"defect-{place}",
        span=overview.span,
        target=defect.target,
        changes=rows.changes.get(queue, []),
    )
    top: list[tuple[Chart, Needs]] = [
        (replace(trend, remarks=(quality.corrected,) if quality.corrected else ()), AUDITS),
        (coefficient_chart(rows.coefficients.get(queue, []), key=f"coefficients-{place}"), ()),
    ]
    left: list[tuple[Chart, Needs]] = [
        (_vendors(rows, market=market, queue=queue, key=f"vendors-{place}", config=config), REFERENCES),
    ]
    versions = _versions(rows, market=market, queue=queue, key=f"versions-{place}", config=config)
    if rows.vendor_defects.get(queue):
        found = _vendor_defects(rows, defect=defect, key=f"vendor-defects-{place}", config=config)
        left.insert(0, (found, AUDITS))
    # Models stand over the volume, so that both columns end together.
    beside = [versions] if versions.spec is not None and len(left) > 1 else []
    stacked = [chart for chart, _ in left] if beside else [*(chart for chart, _ in left), versions]
    volume = volume_chart(
        rows.volumes.get(queue, []),
        key=f"volume-{place}",
        span=overview.span,
        height=_height_beside(_heights(stacked), above=_heights(beside)),
    )
    drift = _drift(rows.drift.get(queue, []), key=f"drift-{place}", overview=overview)
    why = _why(rows.agreement, queue=queue, place=place, config=config)
    return QueueSection(
        anchor=f"q-{slug(queue)}",
        name=overview.names.queue(queue),
        defect=defect,
        agreement=overview.agreements[market, queue],
        top=[chart for chart, _ in top if chart.spec is not None],
        left=[chart for chart in stacked if chart.spec is not None],
        right=[chart for chart in (*beside, volume) if chart.spec is not None],
        bottom=[drift] if drift.spec is not None else [],
        why=[chart for chart in why if chart.spec is not None],
        habits=habits(
            repeats=rows.agreement.repeats.get(queue, []),
            suggestions=rows.agreement.suggestions.get(queue, []),
            sessions=rows.agreement.sessions.get(queue, []),
            last=overview.span.last,
        ),
        quality=_drawn(quality),
        # What a feed keeps away is said once, at the top of the page.
        missing=[
            chart
            for chart, needs in [
                *top,
                *((chart, AUDITS) for chart in quality.control),
                *zip(quality.details, (AUDITS, GOLD), strict=True),
                *left,
                (versions, MODEL_REFERENCES),
                (volume, ()),
                (drift, ()),
                *((chart, ()) for chart in why),
            ]
            if not chart.is_shown and not arrivals.why_not(needs)
        ],
    )


def _drawn(quality: QueueQuality) -> QueueQuality:
    """Without the charts that have nothing to draw; what they have to say is in the list of what is missing."""
    return replace(
        quality,
        control=[chart for chart in quality.control if chart.is_shown],
        details=[chart for chart in quality.details if chart.is_shown],
    )


def _why(rows: AgreementRows, *, queue: str, place: int, config: Config) -> list[Chart]:
    """What is behind a queue's agreement: who agrees with whom, which labels are confused, who pulls it down."""
    return [
        whom_chart(rows.whom.get(queue, []), key=f"whom-{place}", is_total=False),
        confusion_chart(
            rows.confusions.get(queue, []), key=f"confusion-{place}", queue=config.taxonomy.queues.get(queue)
        ),
        vitality_chart(rows.vitality.get(queue, []), key=f"vitality-{place}"),
    ]


def _heights(charts: Sequence[Chart]) -> list[int]:
    return [chart.height for chart in charts if chart.spec is not None]


def _height_beside(heights: Sequence[int], *, above: Sequence[int]) -> int:
    """Height of a figure beside a stack of cards with figures of these heights, so that both columns end together.

    `above` are the heights of figures that stand over it in its own column.
    """
    if not heights:
        return 220
    return max(220, sum(heights) - sum(above) + CARD_EXTRA * (len(heights) - 1 - len(above)))


def _vendor_defects(rows: MarketRows, *, defect: Figure, key: str, config: Config) -> Chart:
    """Vendors beside all humans by random audits, each with its own target."""
    vendors = rows.vendor_defects[defect.queue]
    targets = {
        row.subject: config.target("defect_rate", market=defect.market, queue=defect.queue, vendor=row.subject)
        for row in vendors
    }
    return vendor_defect_chart(vendors, key=key, overall=defect.current, targets=targets)


def _vendors(rows: MarketRows, *, market: str, queue: str, key: str, config: Config) -> Chart:
    """Vendors beside all humans, against one kind of reference, each with its own target."""
    accuracy = rows.accuracy.get(queue, [])
    vendors = [row for row in accuracy if row.subject_kind == "vendor"]
    targets = {
        row.subject: config.target("accuracy", market=market, queue=queue, vendor=row.subject) for row in vendors
    }
    compared, overall = _against_one_reference(vendors, accuracy=accuracy, whole="human")
    return accuracy_chart(compared, key=key, overall=overall, targets=targets, noun="Vendor")


def _versions(rows: MarketRows, *, market: str, queue: str, key: str, config: Config) -> Chart:
    """Model versions beside all models, against one kind of reference."""
    accuracy = rows.accuracy.get(queue, [])
    versions = [row for row in accuracy if row.subject_kind == "model_version"]
    target = config.target("accuracy", market=market, queue=queue)
    compared, overall = _against_one_reference(versions, accuracy=accuracy, whole="model")
    targets = {row.subject: target for row in versions}
    return accuracy_chart(compared, key=key, overall=overall, targets=targets, noun="Model version")


def _against_one_reference(
    subjects: Sequence[MartRow], *, accuracy: Sequence[MartRow], whole: str
) -> tuple[list[MartRow], MartRow | None]:
    """The rows of the one kind of reference that serves them all, and the row of all raters against it."""
    kind = reference_kind(subjects)
    wanted = ("rater_kind", whole, kind)
    overall = (row for row in accuracy if (row.subject_kind, row.subject, row.reference_kind) == wanted)
    return [row for row in subjects if row.reference_kind == kind], next(overall, None)


def _drift(rows: Sequence[MartRow], *, key: str, overview: Overview) -> Chart:
    kinds = ("labels", "predictions", "scores")
    ordered = sorted(rows, key=lambda row: (kinds.index(row.subject_kind), row.subject))
    has_models = any(row.subject_kind != "labels" for row in rows)
    return drift_map(
        rows,
        key=key,
        span=overview.span,
        names={findings.drift_key(row): subject_name(row) for row in ordered},
        question=f"Did the mix of labels{', decisions or scores' if has_models else ''} change?",
        caption="PSI by day",
    )
