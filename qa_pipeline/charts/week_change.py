"""Is this week different? Sentences from `marts.agreement_change`, and the table under them. Rows in, text out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from qa_pipeline.charts import words
from qa_pipeline.charts.differences import (
    HIGHER,
    LOWER,
    NO_CHANGE,
    UNKNOWN,
    Sentence,
    difference_text,
    direction,
)
from qa_pipeline.charts.reading import MartRow
from qa_pipeline.charts.theme import Table
from qa_pipeline.charts.whom import order_of, who
from qa_pipeline.marts.agreement_change import OTHER

# Sentences about vendors and models beside those about all people; the table has everybody.
OTHERS_SHOWN = 3
_PEOPLE = ("pool", "production")


@dataclass(frozen=True)
class WeekChange:
    """What changed: a headline, a sentence for each finding, how to read it, and the numbers."""

    title: str
    sentences: Sequence[Sentence]
    caption: str
    table: Table


def week_change(
    rows_by_queue: Mapping[str, Sequence[MartRow]], *, names: Mapping[str, str], last: date
) -> WeekChange | None:
    """The newest week that most queues have enough data for, against the four weeks before it; None without any row.

    `rows_by_queue` are `marts.agreement_change` rows of alpha; `names` are the queues in the order of the page.
    """
    rows = [row for queue in names for row in sorted(rows_by_queue.get(queue, ()), key=order_of) if who(row)]
    people = [row for row in rows if (row.subject_kind, row.subject) == _PEOPLE]
    if not people:
        return None
    week = _week(people)
    rows, people = ([row for row in found if row.start == week] for found in (rows, people))
    others = [row for row in rows if (row.subject_kind, row.subject) != _PEOPLE]
    judged = sum(row.low is not None for row in rows)
    return WeekChange(
        title=_title(people, names=names, week=week),
        sentences=[*_sentences(people, names=names), *_others(others, names=names)],
        caption=_caption(week, last=last, judged=judged, is_open=people[0].end > last),
        table=_table(rows, names=names, week=week),
    )


def _week(people: Sequence[MartRow]) -> date:
    """The newest week in which half of the queues or more have an interval, else with any, else the newest."""
    weeks = sorted({row.start for row in people}, reverse=True)
    given = {week: sum(row.start == week and row.low is not None for row in people) for week in weeks}
    queues = len({row.queue for row in people})
    for least in (queues / 2, 1):
        for week in weeks:
            if given[week] >= least:
                return week
    return weeks[0]


def _title(people: Sequence[MartRow], *, names: Mapping[str, str], week: date) -> str:
    """Which queues moved, or that the data show no change."""
    parts = []
    for way, verb in ((LOWER, "fell"), (HIGHER, "rose")):
        moved = [names[row.queue] for row in people if direction(row) is way]
        if moved:
            parts.append(f"{verb} in {words.join(moved)}")
    when = f"in the week of {words.short_day(week)}"
    if parts:
        return f"Agreement {' and '.join(parts)} {when}"
    if all(direction(row) is UNKNOWN for row in people):
        return f"Not enough data to compare the week of {words.short_day(week)}"
    return f"No change of agreement that the data can show {when}"


def _sentences(people: Sequence[MartRow], *, names: Mapping[str, str]) -> list[Sentence]:
    found = [_moved(row, name=names[row.queue]) for row in people if direction(row) in (LOWER, HIGHER)]
    found.sort(key=lambda sentence: sentence.verdict.rank)
    for way, lead in ((NO_CHANGE, "No change that the data can show"), (UNKNOWN, "Not enough data")):
        rows = [row for row in people if direction(row) is way]
        texts = [_quiet(row, name=names[row.queue]) for row in rows]
        if rows:
            found.append(Sentence(way, f"{lead}: {'; '.join(texts)}."))
    return found


def _quiet(row: MartRow, *, name: str) -> str:
    """A queue without a clear change: the difference, or why there is none."""
    if row.low is None:
        return f"{name} ({words.reason_text(row.reason)})"
    return _told(row, name=name)


def _told(row: MartRow, *, name: str) -> str:
    """`Hate speech +0.03 (-0.02 to +0.08), under another guideline`."""
    guideline = ", under another guideline" if row.reference_kind == OTHER else ""
    return f"{name} {difference_text(row, is_share=False)}{guideline}"


def _moved(row: MartRow, *, name: str) -> Sentence:
    """`Hate speech: alpha is 0.08 lower (0.03-0.13) than in the four weeks before.`"""
    way = direction(row)
    size = words.coefficient(abs(row.estimate or 0.0))
    inside = words.coefficient_range(*sorted(abs(end) for end in (row.low or 0.0, row.high or 0.0)), limits=(0.0,))
    text = f"{name}: \u03b1 is {size} {way.word} ({inside}) than in the four weeks before"
    if row.reference_kind == OTHER:
        text += ", most of which was decided under another guideline: the change may be the guideline\u2019s"
    return Sentence(way, f"{text}.")


def _others(rows: Sequence[MartRow], *, names: Mapping[str, str]) -> list[Sentence]:
    """Vendors and models that moved, the largest move first, one sentence a direction."""
    found = []
    for way, verb in ((LOWER, "Lower"), (HIGHER, "Higher")):
        moved = sorted(
            (row for row in rows if direction(row) is way),
            key=lambda row: (-abs(row.estimate or 0.0), names[row.queue], row.subject),
        )
        texts = [_told(row, name=f"{names[row.queue]}, {who(row)}") for row in moved[:OTHERS_SHOWN]]
        if len(moved) > len(texts):
            texts.append(f"{len(moved) - len(texts)} more in the numbers")
        if moved:
            found.append(Sentence(way, f"{verb} by vendor or model: {'; '.join(texts)}."))
    return found


def _caption(week: date, *, last: date, judged: int, is_open: bool) -> str:
    so_far = f", so far to {words.short_day(last)}" if is_open else ""
    parts = [f"Week of {words.short_day(week)}{so_far}, against the 28 days before it; 95% intervals."]
    if judged >= 10:
        parts.append(f"Of {judged} comparisons about {round(judged * 0.05)} would stand out by chance alone.")
    return " ".join(parts)


def _table(rows: Sequence[MartRow], *, names: Mapping[str, str], week: date) -> Table:
    return Table(
        caption=f"Change of Krippendorff\u2019s alpha, week of {words.short_day(week)} minus the 28 days before",
        heads=("Queue", "Who", "Change", "95% interval", "Finding", "Guideline", "Items"),
        rows=tuple(
            (
                names[row.queue],
                who(row),
                words.NOTHING if row.estimate is None else words.signed(row.estimate),
                words.signed_range(row.low, row.high),
                direction(row).word if row.low is not None else words.reason_text(row.reason),
                "changed" if row.reference_kind == OTHER else "same",
                words.count(row.n_items),
            )
            for row in rows
        ),
        numeric=frozenset({2, 3, 6}),
    )
