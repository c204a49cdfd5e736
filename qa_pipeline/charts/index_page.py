"""What the index shows: the two matrices, the worst queues, the newest day, what is on hold. No HTML here."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from qa_pipeline.charts import findings, words
from qa_pipeline.charts.naming import ALL, CROSS, slug
from qa_pipeline.charts.operations import Operations
from qa_pipeline.charts.overview import Figure, Overview
from qa_pipeline.charts.reading import MartRow, Volume
from qa_pipeline.charts.verdicts import ACT, AGREEMENT_RULE, DEFECT_RULE, UNRELIABLE, WATCH, excess

WORST_SHOWN = 8


@dataclass(frozen=True)
class MatrixCell:
    """A cell of a matrix, ready to print; `href` is empty where there is no page to go to."""

    figure: Figure
    href: str
    where: str
    label: str


@dataclass(frozen=True)
class Finding:
    """A line of the list of the worst queues."""

    glyph: str
    key: str
    name: str
    href: str
    text: str


def index_context(
    overview: Overview, *, files: dict[str, str], volumes: Sequence[Volume], operations: Operations
) -> dict[str, Any]:
    """Everything `index.html.j2` needs, beside the frame that all pages share."""
    cells = [(market, queue) for market in overview.markets for queue in overview.queues]
    real = [overview.defects[cell] for cell in cells]
    agreements = [overview.agreements[cell] for cell in cells]
    found = worst(overview, files=files)
    return {
        "overview": overview,
        # Where nothing is audited, agreement is what there is to see.
        "starts_with_agreement": not any(map(_has_estimate, real)) and any(map(_has_estimate, agreements)),
        "headline": _headline(real, agreements=agreements),
        "hold_sentence": operations.hold_sentence(),
        "defect_matrix": _matrix(overview, kind="defect_rate", files=files),
        "agreement_matrix": _matrix(overview, kind="agreement", files=files),
        "queue_heads": [overview.names.queue(queue) for queue in (*_shown_queues(overview), ALL)],
        "worst": found[:WORST_SHOWN],
        "worst_hidden": max(0, len(found) - WORST_SHOWN),
        "newest_day": _newest_day(overview, files=files, volumes=volumes),
        "operations": operations,
        "defect_rule": DEFECT_RULE,
        "agreement_rule": AGREEMENT_RULE,
    }


def worst(overview: Overview, *, files: dict[str, str], market: str | None = None) -> list[Finding]:
    """Queues to act on (furthest above target first), then unreliable agreement, then queues to watch."""
    markets = overview.markets if market is None else (market,)
    lines: list[tuple[tuple[float, ...], Figure, str]] = []
    for code in markets:
        for queue in overview.queues:
            defect, agreement = overview.defects[code, queue], overview.agreements[code, queue]
            row = defect.current
            if defect.verdict in (ACT, WATCH) and row is not None and defect.target is not None:
                ratio, difference = excess(row, defect.target)
                text = f"defect rate {findings.rate_text(row)}, target {words.percent(defect.target)}"
                text += f"; {words.count(row.n_items)} audited"
                lines.append(((0.0 if defect.verdict == ACT else 2.0, -ratio, -difference), defect, text))
            if agreement.verdict == UNRELIABLE and agreement.current is not None:
                text = f"agreement \u03b1 {findings.alpha_text(agreement.current)} is unreliable"
                lines.append(((1.0, agreement.current.estimate or 0.0, 0.0), agreement, text))
    lines.sort(key=lambda line: (line[0], line[1].market, line[1].queue))
    return [
        Finding(
            glyph=figure.verdict.glyph,
            key=figure.verdict.key,
            name=f"{overview.names.market(figure.market)} \u203a {overview.names.queue(figure.queue)}",
            href=f"{files.get(figure.market, '')}#q-{slug(figure.queue)}",
            text=text,
        )
        for _, figure, text in lines
    ]


def _has_estimate(figure: Figure) -> bool:
    return figure.current is not None and figure.current.estimate is not None


def _headline(defects: Sequence[Figure], *, agreements: Sequence[Figure]) -> str:
    judged = [figure for figure in defects if _has_estimate(figure)]
    act = sum(figure.verdict == ACT for figure in judged)
    watch = sum(figure.verdict == WATCH for figure in judged)
    cells = words.plural(len(judged), "market queue")
    if not judged:
        text = "Nothing was audited yet, so there is no defect rate to judge."
    elif not act and not watch:
        text = f"Nothing to act on: no defect rate of {cells} is above its target."
    else:
        text = f"{act} of {cells} {'needs' if act == 1 else 'need'} action, {watch} to watch."
    paired = [figure for figure in agreements if figure.verdict.key != "few"]
    unreliable = sum(figure.verdict == UNRELIABLE for figure in paired)
    if unreliable:
        text += f" Agreement is unreliable in {unreliable} of {len(paired)}."
    return text


def _shown_queues(overview: Overview) -> list[str]:
    """Queues that some market has a figure of; all when there are none at all."""
    used = [
        queue
        for queue in overview.queues
        if any(
            overview.defects[market, queue].rows or overview.agreements[market, queue].rows
            for market in overview.markets
        )
    ]
    return used or list(overview.queues)


def _matrix(overview: Overview, *, kind: str, files: dict[str, str]) -> list[dict[str, Any]]:
    figures = overview.defects if kind == "defect_rate" else overview.agreements
    queues = (*_shown_queues(overview), ALL)
    tail = [ALL] if len(overview.markets) > 1 else []
    if any(figures[CROSS, queue].rows for queue in queues):
        tail.append(CROSS)
    rows = []
    for market in (*overview.markets, *tail):
        file = files.get(market, "")
        cells = [_cell(overview, figures[market, queue], file=file) for queue in queues]
        rows.append({"name": overview.names.market(market), "href": file, "cells": cells, "is_total": market in tail})
    return rows


def _cell(overview: Overview, figure: Figure, *, file: str) -> MatrixCell:
    where = f"{overview.names.market(figure.market)}, {overview.names.queue(figure.queue)}"
    inside = f", interval {figure.interval}" if figure.interval else f" ({figure.why})" if figure.why else ""
    anchor = "" if figure.queue == ALL else f"#q-{slug(figure.queue)}"
    return MatrixCell(
        figure=figure,
        href=f"{file}{anchor}" if file and figure.rows else "",
        where=where,
        label=f"{where}: {figure.value}{inside}, {figure.verdict.word}",
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
