"""How the market queues stand: counts, the headline and the list of what needs attention.

All three are made of the same figures, those of the matrix, so that they cannot contradict each other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from qa_pipeline.charts import words
from qa_pipeline.charts.measures import HEADLINE, Measure
from qa_pipeline.charts.naming import slug
from qa_pipeline.charts.overview import Figure, Overview
from qa_pipeline.charts.verdicts import ACT, NO_TARGET, ON_TARGET, TOO_FEW, WATCH, Verdict, shortfall

ORDER = (ACT, WATCH, ON_TARGET, TOO_FEW, NO_TARGET)


@dataclass(frozen=True)
class Count:
    """How many figures of a measure have each verdict; `numbers` add up to `total`."""

    measure: Measure
    numbers: Mapping[Verdict, int]
    total: int

    @property
    def shown(self) -> list[tuple[Verdict, int]]:
        """What a page prints: the number to act on, even 0, and whatever else there is."""
        return [(verdict, self.numbers[verdict]) for verdict in ORDER if verdict is ACT or self.numbers[verdict]]

    @property
    def is_judged(self) -> bool:
        """Whether any figure could be held against a target."""
        return any(self.numbers[verdict] for verdict in (ACT, WATCH, ON_TARGET))


@dataclass(frozen=True)
class Finding:
    """A line of the list of what needs attention."""

    verdict: Verdict
    measure: Measure
    market: str
    queue: str
    href: str
    text: str


def counts(overview: Overview, *, market: str | None = None) -> list[Count]:
    """Counts of every measure that is shown, of one market or of all."""
    found = []
    for measure in HEADLINE:
        if not overview.shows(measure):
            continue
        verdicts = [figure.verdict for figure in overview.cells(measure, market=market)]
        found.append(Count(measure, {verdict: verdicts.count(verdict) for verdict in ORDER}, len(verdicts)))
    return found


def headline(found: Sequence[Count]) -> str:
    """`To act on: agreement in 15 of 25 market queues. To watch: defect rate in 5, agreement in 3.`"""
    if not any(count.total for count in found):
        return "No figures yet."
    if not any(count.is_judged for count in found):
        if any(count.numbers[NO_TARGET] for count in found):
            return "Nothing is judged: no figure has both a target and enough data."
        return "Nothing is judged: no figure has enough data."
    parts: list[str] = []
    for verdict, verb in ((ACT, "To act on"), (WATCH, "To watch")):
        named = [count for count in found if count.numbers[verdict]]
        if named:
            texts = [f"{count.measure.name.lower()} in {count.numbers[verdict]}" for count in named]
            texts[0] += f" of {words.plural(named[0].total, 'market queue')}" if not parts else ""
            parts.append(f"{verb}: {words.join(texts)}.")
        elif verdict is ACT:
            judged = sum(count.numbers[one] for count in found for one in (WATCH, ON_TARGET))
            parts.append(f"Nothing to act on among {words.plural(judged, 'figure')} with a target.")
    return " ".join(parts)


def market_sentence(overview: Overview, *, market: str) -> str:
    """`Defect rate: all 5 queues are on target. Agreement: act on Hate; watch Spam; 3 are on target.`"""
    sentences = []
    found = attention(overview, files={}, market=market)
    for count in counts(overview, market=market):
        if not count.total:
            continue
        mine = [line for line in found if line.measure is count.measure]
        named = {verdict: [line.queue for line in mine if line.verdict is verdict] for verdict in (ACT, WATCH)}
        sentences.append(f"{count.measure.name}: {_clauses(count, named=named)}.")
    return " ".join(sentences) or "No figures for this market yet."


def _clauses(count: Count, *, named: Mapping[Verdict, Sequence[str]]) -> str:
    states = {ON_TARGET: "on target", NO_TARGET: "without a target", TOO_FEW: "without enough data to judge"}
    only = next((verdict for verdict in states if count.numbers[verdict] == count.total), None)
    if only is not None:
        return (
            f"the one queue is {states[only]}" if count.total == 1 else f"all {count.total} queues are {states[only]}"
        )
    parts = []
    for verdict, verb in ((ACT, "act on"), (WATCH, "watch")):
        is_all = len(named[verdict]) == count.total > 4
        if named[verdict]:
            parts.append(f"{verb} {f'all {count.total} queues' if is_all else words.join(named[verdict])}")
    for verdict, state in states.items():
        if count.numbers[verdict]:
            parts.append(f"{words.plural(count.numbers[verdict], 'queue is', 'queues are')} {state}")
    return "; ".join(parts)


def attention(overview: Overview, *, files: Mapping[str, str], market: str | None = None) -> list[Finding]:
    """Every figure to act on, then every figure to watch, each measure's furthest from its target first."""
    lines: list[tuple[tuple[float, ...], Figure]] = []
    for place, measure in enumerate(HEADLINE):
        if not overview.shows(measure):
            continue
        for figure in overview.cells(measure, market=market):
            if figure.verdict in (ACT, WATCH) and figure.current is not None and figure.target is not None:
                gap = shortfall(figure.current, figure.target, measure=measure)
                lines.append(((figure.verdict.rank, place, -gap / (figure.target or 1.0)), figure))
    lines.sort(key=lambda line: (line[0], line[1].market, line[1].queue))
    return [
        Finding(
            verdict=figure.verdict,
            measure=figure.measure,
            market=overview.names.market(figure.market),
            queue=overview.names.queue(figure.queue),
            href=f"{files.get(figure.market, '')}#q-{slug(figure.queue)}",
            text=_line(figure),
        )
        for _, figure in lines
    ]


def _line(figure: Figure) -> str:
    measure, number = figure.measure, figure.current.n_items if figure.current else 0
    return (
        f"{measure.title.lower()} {figure.value} ({figure.interval}), target {figure.target_text}; "
        f"{words.plural(number, measure.unit)}"
    )
