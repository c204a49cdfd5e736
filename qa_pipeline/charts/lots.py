"""Lots of a queue: what is decided about each, what it costs to be wrong, and the operating curve of the usual plan.

Rows in, sentences, a table and a `Chart` out; no HTML here. The decisions are the mart's.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from qa_pipeline.charts import words
from qa_pipeline.charts.quality_rows import Lot
from qa_pipeline.charts.theme import INK, LINE, Chart, Spec, Table, axis, layout, note, rounded
from qa_pipeline.charts.verdicts import Verdict
from qa_pipeline.stats.acceptance_risk import acceptance_probability, quality_at

ACCEPT = Verdict("ok", "\u25cf", "accept", 2)
REJECT = Verdict("act", "\u25c6", "reject", 0)
CONTINUE = Verdict("few", "\u25cb", "go on reviewing", 1)
UNDECIDED = Verdict("none", "\u2013", "not decided", 3)
_DECISIONS = {"accept": ACCEPT, "reject": REJECT, "continue": CONTINUE}
LOTS_SHOWN = 8
HEADS = ("Reviewed", "Defects (accepted)", "Defect rate (95%)", "Inspection", "Advice (sequential test)")
QUESTION = "Which batches can be handed over?"
CURVE_QUESTION = "Which lots does the usual plan let through?"
_CHANCES = (0.95, 0.5, 0.1)
_STEPS = 60
HEIGHT = 230


@dataclass(frozen=True)
class LotLine:
    """One lot as the table shows it: its verdict, then text cells."""

    verdict: Verdict
    why: str
    name: str
    day: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Lots:
    """What a page says of a queue's lots: `lines` the newest, `rest` those after them, `costs` what errors cost."""

    title: str
    question: str
    heads: tuple[str, ...]
    lines: Sequence[LotLine]
    rest: Table | None
    costs: Sequence[str]
    curve: Chart


def lots_card(found: Sequence[Lot], *, key: str, shares: tuple[float, float]) -> Lots | None:
    """Lots of one market and queue; None when there is none.

    `shares` are the good and the bad defect rate that the risks of the plan are stated for.
    """
    if not found:
        return None
    ordered = sorted(found, key=lambda lot: (-lot.row.end.toordinal(), _verdict(lot).rank, lot.row.subject))
    plan = _usual_plan(found)
    return Lots(
        title=lots_title(found),
        question=QUESTION,
        heads=("Lot", "Day", "Decided", *HEADS),
        lines=[_line(lot) for lot in ordered[:LOTS_SHOWN]],
        rest=_rest(ordered[LOTS_SHOWN:]),
        costs=_costs(plan, shares=shares),
        curve=operating_curve(plan, key=key),
    )


def lots_title(found: Sequence[Lot]) -> str:
    """`3 of 9 lots of 17 and 19 Nov are rejected; 2 need more reviews`."""
    days = [lot.row.end for lot in found]
    counts = Counter(_verdict(lot).word for lot in found)
    which = f"lot of {_days(days)}" if len(found) == 1 else f"lots of {_days(days)}"
    rejected, pending = counts[REJECT.word], counts[CONTINUE.word]
    verb = "is" if rejected == 1 else "are"
    title = f"{rejected or 'None'} of {words.count(len(found))} {which} {verb} rejected"
    return f"{title}; {pending} {'needs' if pending == 1 else 'need'} more reviews" if pending else title


def operating_curve(lot: Lot, *, key: str) -> Chart:
    """Chance that the plan of this lot accepts, by the lot's defect rate (binomial), with three qualities marked."""
    n, accept = np.array(lot.sample_size), np.array(lot.accept_number)
    marks = [float(quality_at(np.array(chance), n=n, accept=accept)) for chance in _CHANCES]
    top = float(quality_at(np.array(0.01), n=n, accept=accept))
    shares = np.linspace(0.0, top, _STEPS)
    chances = acceptance_probability(shares, n=n, accept=accept, lot_size=None)
    plan = f"{words.count(lot.sample_size)} reviews, accept up to {words.plural(lot.accept_number, 'defect')}"
    good, _, bad = (words.percent(mark) for mark in marks)
    title = f"A lot with {good} defects passes 95 times in 100, one with {bad} 10 times"
    return Chart(
        key,
        title,
        CURVE_QUESTION,
        f"Commonest plan, {plan}; across the lot\u2019s true defect rate, up its chance to pass.",
        _curve_spec(shares.tolist(), chances.tolist(), marks=marks),
        "",
        HEIGHT,
        _curve_table(marks, plan=plan),
    )


def _curve_spec(shares: Sequence[float], chances: Sequence[float], *, marks: Sequence[float]) -> Spec:
    points = list(zip(marks, _CHANCES, strict=True))
    return {
        "data": [
            {
                "type": "scatter",
                "mode": "lines",
                "x": [rounded(share) for share in shares],
                "y": [rounded(chance) for chance in chances],
                "line": {"color": LINE, "width": 2},
                "hovertemplate": "%{x:.1%} defects: passes %{y:.0%} of the time<extra></extra>",
            },
            {
                "type": "scatter",
                "mode": "markers",
                "x": [rounded(share) for share, _ in points],
                "y": [chance for _, chance in points],
                "marker": {"symbol": "circle", "size": 8, "color": INK},
                "hoverinfo": "skip",
            },
        ],
        "layout": layout(
            height=HEIGHT,
            margin=(8, 14, 28, 46),
            xaxis=axis(range=[0, rounded(shares[-1])], tickformat=".0%", nticks=6, showgrid=False),
            yaxis=axis(range=[0, 1.04], tickformat=".0%", nticks=6),
            annotations=[
                note(f"{words.percent(share)}", x=rounded(share), y=chance, xanchor="left", xshift=7, yshift=8)
                for share, chance in points
            ],
        ),
    }


def _curve_table(marks: Sequence[float], *, plan: str) -> Table:
    return Table(
        caption=f"What the plan lets through: {plan}",
        heads=("Passes", "Defect rate of the lot"),
        rows=tuple(
            (words.percent(chance, digits=0), words.percent(share))
            for chance, share in zip(_CHANCES, marks, strict=True)
        ),
        numeric=frozenset({0, 1}),
    )


def _verdict(lot: Lot) -> Verdict:
    return _DECISIONS.get(lot.decision, UNDECIDED)


def _usual_plan(found: Sequence[Lot]) -> Lot:
    """A lot, the newest, of the commonest plan."""
    counts = Counter((lot.sample_size, lot.accept_number) for lot in found)
    plan, _ = max(counts.items(), key=lambda entry: (entry[1], entry[0]))
    return max(
        (lot for lot in found if (lot.sample_size, lot.accept_number) == plan),
        key=lambda lot: (lot.row.end, lot.row.subject),
    )


def _line(lot: Lot) -> LotLine:
    why = words.reason_text(lot.decision_reason) if lot.decision_reason else ""
    return LotLine(_verdict(lot), why, lot.row.subject, words.short_day(lot.row.end), _cells(lot))


def _cells(lot: Lot) -> tuple[str, ...]:
    """Reviewed of n, defects in the sample, the most that accepts, the lot's rate, inspection, the sequential test."""
    inside = words.percent_range(lot.row.low, lot.row.high)
    sequential = _DECISIONS.get(lot.sequential_decision, UNDECIDED)
    return (
        f"{words.count(lot.sampled)} of {words.count(lot.sample_size)}",
        f"{words.count(lot.sample_defects)} (up to {words.count(lot.accept_number)})",
        f"{words.percent(lot.row.estimate)}" + (f" ({inside})" if inside else ""),
        lot.inspection,
        f"{sequential.glyph}\u00a0{sequential.word}",
    )


def _rest(found: Sequence[Lot]) -> Table | None:
    if not found:
        return None
    return Table(
        caption="Lots before these, newest first",
        heads=("Lot", "Day", "Decided", *HEADS),
        rows=tuple(
            (
                lot.row.subject,
                words.short_day(lot.row.end),
                f"{_verdict(lot).glyph}\u00a0{_verdict(lot).word}",
                *_cells(lot),
            )
            for lot in found
        ),
        numeric=frozenset({3, 4, 5}),
    )


def _costs(lot: Lot, *, shares: tuple[float, float]) -> list[str]:
    """What being wrong costs under the usual plan, both ways."""
    good, bad = shares
    plan = f"Commonest plan: {words.plural(lot.sample_size, 'review')} of a lot of {words.count(lot.lot_size)}"
    lines = [f"{plan}, accepted up to {words.plural(lot.accept_number, 'defect')}."]
    if lot.producer_risk is not None and lot.needless_reviews is not None:
        lines.append(
            f"A good lot ({words.exact_percent(good)} defects) is rejected {_times(lot.producer_risk)}: the other "
            f"{words.count(round(lot.needless_reviews))} decisions are then reviewed for nothing."
        )
    if lot.consumer_risk is not None and lot.passed_defects is not None:
        lines.append(
            f"A bad lot ({words.exact_percent(bad)} defects) is accepted {_times(lot.consumer_risk)}: about "
            f"{words.plural(round(lot.passed_defects), 'defect')} then stay in it."
        )
    return lines


def _times(risk: float) -> str:
    """`6.2 times in 100`."""
    return f"{words.coefficient(risk * 100, digits=1)} times in 100"


def _days(days: Sequence[date]) -> str:
    first, last = min(days), max(days)
    return words.short_day(last) if first == last else f"{words.short_day(first)} to {words.short_day(last)}"
