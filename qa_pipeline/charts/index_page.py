"""What the index shows: the two matrices, the worst queues, the newest day, what is on hold. No HTML here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from qa_pipeline.charts import words
from qa_pipeline.charts.alarms import Key, State, alarm_list, alarm_sentence, annotator_sentence
from qa_pipeline.charts.arrivals import Arrivals
from qa_pipeline.charts.measures import AGREEMENT, DEFECT_RATE, HEADLINE, Measure
from qa_pipeline.charts.naming import ALL, CROSS, slug
from qa_pipeline.charts.operations import Operations
from qa_pipeline.charts.overview import Figure, Overview
from qa_pipeline.charts.past_alarms import past_alarms
from qa_pipeline.charts.quality_rows import Signal
from qa_pipeline.charts.reading import MartRow, Volume
from qa_pipeline.charts.standing import Count, attention, counts, headline
from qa_pipeline.charts.verdicts import ABSENT, ACT, RULE, WATCH

ATTENTION_SHOWN = 12


@dataclass(frozen=True)
class MatrixCell:
    """A cell of a matrix, ready to print; `href` is empty where there is no page to go to."""

    figure: Figure
    href: str
    where: str
    label: str


@dataclass(frozen=True)
class Matrix:
    """A measure by market and queue: `question` is what it answers, `note` how to read it, `rows` hold MatrixCells."""

    measure: Measure
    question: str
    caption: str
    note: str
    rows: Sequence[dict[str, Any]]


def index_context(
    overview: Overview,
    *,
    files: dict[str, str],
    volumes: Sequence[Volume],
    operations: Operations,
    arrivals: Arrivals,
    states: Mapping[Key, State],
    signals: Sequence[Signal],
    annotators: Sequence[Signal],
) -> dict[str, Any]:
    """Everything `index.html.j2` needs, beside the frame that all pages share.

    `states` are the control charts of all markets in the newest 7 days, `annotators` the signals of annotators in them;
    `signals` are those of all others in the newest 28 days.
    """
    found = attention(overview, files=files)
    alarms = alarm_list(states, names=overview.names, files=files)
    shown = [measure for measure in HEADLINE if overview.shows(measure)]
    numbers = counts(overview)
    return {
        "overview": overview,
        "headline": _headline(numbers_text=headline(numbers), operations=operations, has_figures=bool(shown)),
        "counts": numbers,
        "hold_sentence": operations.hold_sentence(),
        "matrices": [_matrix(overview, measure=measure, files=files) for measure in shown],
        "arrivals_missing": _missing(arrivals, shown=shown),
        "opens_on": _opens_on(numbers),
        "queue_heads": [overview.names.queue(queue) for queue in (*_shown_queues(overview), ALL)],
        "attention": found[:ATTENTION_SHOWN],
        "attention_hidden": max(0, len(found) - ATTENTION_SHOWN),
        "alarms": alarms[:ATTENTION_SHOWN],
        "alarms_hidden": max(0, len(alarms) - ATTENTION_SHOWN),
        "alarm_sentence": alarm_sentence(states, alarms),
        "past": past_alarms(signals, last=overview.span.last, names=overview.names, files=files),
        "annotator_alarms": annotator_sentence(annotators),
        "newest_day": _newest_day(overview, files=files, volumes=volumes),
        "shows_defects": DEFECT_RATE in shown,
        "can_change": any(figure.can_change for measure in shown for figure in overview.cells(measure)),
        "operations": operations,
        "rule": RULE,
    }


def _missing(arrivals: Arrivals, *, shown: Sequence[Measure]) -> list[tuple[str, str]]:
    """What the matrices lack, and why."""
    if not shown:
        return []
    lines = arrivals.missing("audits")
    if DEFECT_RATE not in shown and not lines:
        lines.append((DEFECT_RATE.name, "no decision of a person has been audited at random yet"))
    if AGREEMENT not in shown:
        lines.append((AGREEMENT.name, "no item has been labelled by two people yet"))
    return lines


def _opens_on(found: Sequence[Count]) -> str:
    """Key of the measure whose matrix shows first: that with the most to act on, then to watch; of equals the first."""
    first = max(found, key=lambda count: (count.numbers[ACT], count.numbers[WATCH]), default=None)
    return first.measure.key if first else ""


def _headline(*, numbers_text: str, operations: Operations, has_figures: bool) -> str:
    if not has_figures and operations.is_all_aside:
        return "No figures yet: all that has landed is in quarantine or on hold."
    return numbers_text


def _shown_queues(overview: Overview) -> list[str]:
    """Queues that some market has a figure of."""
    used = {queue for market in overview.markets for queue in overview.queues_of(market)}
    return [queue for queue in overview.queues if queue in used]


def _matrix(overview: Overview, *, measure: Measure, files: dict[str, str]) -> Matrix:
    figures = overview.figures(measure)
    queues = (*_shown_queues(overview), ALL)
    tail = [ALL] if len(overview.markets) > 1 else []
    if any(figures[CROSS, queue].rows for queue in queues):
        tail.append(CROSS)
    rows = []
    for market in (*overview.markets, *tail):
        file = files.get(market, "")
        cells = [_cell(overview, figures[market, queue], file=file) for queue in queues]
        rows.append({"name": overview.names.market(market), "href": file, "cells": cells, "is_total": market in tail})
    return _MATRICES[measure.key](overview, rows)


def _defect_matrix(overview: Overview, rows: Sequence[dict[str, Any]]) -> Matrix:
    return Matrix(
        measure=DEFECT_RATE,
        question="What share of randomly audited decisions was wrong, and is that above target?",
        caption="Defect rate of the newest 28 days with its 95% interval and target, by market and queue",
        note="Large: share of randomly audited decisions with a defect; below it the 95% interval. "
        + _spark_note(overview, measure=DEFECT_RATE)
        + " each column has one scale from 0. Totals are not judged: their queues have targets of their own.",
        rows=rows,
    )


def _agreement_matrix(overview: Overview, rows: Sequence[dict[str, Any]]) -> Matrix:
    return Matrix(
        measure=AGREEMENT,
        question="Do two people give the same item the same label, beyond chance?",
        caption="Krippendorff\u2019s alpha of the newest 28 days with its 95% interval and target, by market and queue",
        note="Large: Krippendorff\u2019s alpha (1 perfect, 0 chance); below it the 95% interval. "
        + _spark_note(overview, measure=AGREEMENT)
        + " each column has one scale. Totals average the queues, weighted by ratings, and are not judged.",
        rows=rows,
    )


_MATRICES = {DEFECT_RATE.key: _defect_matrix, AGREEMENT.key: _agreement_matrix}


def _spark_note(overview: Overview, *, measure: Measure) -> str:
    """How to read the small trends; nothing that is not in them."""
    figures = overview.cells(measure)
    parts = [f"Line: {overview.spark_words}, up to 12 weeks"]
    if any(figure.can_change for figure in figures):
        parts.append("dashed where it can still change")
    if any(figure.target is not None for figure in figures):
        parts.append("dashed across: target")
    return "; ".join(parts) + ";"


def _cell(overview: Overview, figure: Figure, *, file: str) -> MatrixCell:
    where = f"{overview.names.market(figure.market)}, {overview.names.queue(figure.queue)}"
    parts = [f"{where}: {figure.value}"]
    if figure.verdict is ABSENT:
        parts = [where]
    elif figure.interval:
        parts.append(f"interval {figure.interval}")
    elif figure.why:
        parts[0] += f" ({figure.why})"
    if figure.observed_text:
        parts.append(figure.observed_text)
    if figure.target is not None:
        parts.append(f"target {figure.target_text}")
    if figure.current is not None and figure.current.estimate is not None:
        parts.append(words.plural(figure.current.n_items, figure.measure.unit))
    anchor = "" if figure.queue == ALL else f"#q-{slug(figure.queue)}"
    return MatrixCell(
        figure=figure,
        href=f"{file}{anchor}" if file and figure.rows else "",
        where=where,
        label=f"{', '.join(parts)}: {figure.verdict.word}",
    )


def _newest_day(overview: Overview, *, files: dict[str, str], volumes: Sequence[Volume]) -> list[dict[str, Any]]:
    """One line a market: the newest day's decisions against a usual day, its audits and its defect rate."""
    lines = []
    last = overview.span.last
    for market in overview.markets:
        totals: dict[Any, int] = {}
        audited = 0
        for volume in volumes:
            if volume.market == market:
                totals[volume.day] = totals.get(volume.day, 0) + volume.human
                audited += volume.reviewed if volume.day == last else 0
        before = [number for day, number in totals.items() if 0 < (last - day).days <= 28]
        usual = median(before) if len(before) >= 7 else None
        rate = _day_rate(overview.defects[market, ALL].rows, overview=overview)
        lines.append(
            {
                "name": overview.names.market(market),
                "href": files[market],
                "made": words.count(totals.get(last, 0)),
                "change": words.change(totals.get(last, 0) / usual - 1) if usual else words.NOTHING,
                "is_far": bool(usual) and abs(totals.get(last, 0) / (usual or 1.0) - 1) >= 0.25,
                "audited": words.count(audited),
                "rate": words.percent(rate.estimate if rate else None),
                "interval": words.percent_range(rate.low, rate.high) if rate else "",
            }
        )
    return lines


def _day_rate(rows: Sequence[MartRow], *, overview: Overview) -> MartRow | None:
    return next((row for row in rows if row.period == "day" and row.end == overview.span.last), None)
