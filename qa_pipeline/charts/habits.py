"""Repeats, suggestions and calibration: what people do when an item comes back, a label is offered, a session is held.

Rows in, sentences and tables out; no figure, because each is two or three numbers.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial

from qa_pipeline.charts import words
from qa_pipeline.charts.differences import FACT, HIGHER, LOWER, UNKNOWN, Sentence, difference_text, direction
from qa_pipeline.charts.reading import MartRow
from qa_pipeline.charts.series import state_text
from qa_pipeline.charts.theme import Table
from qa_pipeline.charts.verdicts import MIN_ITEMS, WATCH
from qa_pipeline.marts.habits import HIDDEN, SHOWN
from qa_pipeline.stats.windows import SESSION_DAYS

ALPHA, OBSERVED = "krippendorff_alpha", "percent_agreement"
# What is missing everywhere in a market is said once: name, and what would bring it.
ABSENT = {
    "repeats": ("Self-consistency", "no item came back to the same person on a later day"),
    "suggestions": ("Effect of suggestions", "no decision came with a suggested label"),
    "sessions": ("Calibration", "no calibration session was held"),
}
CAVEAT = "Other things change in two weeks too: this does not say that the session did it."


# Rows, what they are about, the question, and what makes the sentence and the table.
_Part = tuple[
    Sequence[MartRow], str, str, Callable[[Sequence[MartRow]], Sentence], Callable[[Sequence[MartRow]], Table]
]


@dataclass(frozen=True)
class Habits:
    """A title and question, a sentence each for repeats, suggestions and a session, and the numbers behind them."""

    title: str
    question: str
    sentences: Sequence[Sentence]
    tables: Sequence[Table]


def habits(
    *, repeats: Sequence[MartRow], suggestions: Sequence[MartRow], sessions: Sequence[MartRow], last: date
) -> Habits | None:
    """What the marts self_consistency, anchoring and calibration say of one queue; None when they say nothing.

    `last` is the newest day.
    """
    parts: list[_Part] = [
        (repeats, "repeats", "Do people say the same again?", _repeats, _repeat_table),
        (suggestions, "suggestions", "Do they lean on suggestions?", _suggestions, _suggestion_table),
        (
            sessions,
            "calibration",
            "Does calibration help?",
            partial(_sessions, last=last),
            partial(_session_table, last=last),
        ),
    ]
    filled = [part for part in parts if part[0]]
    if not filled:
        return None
    title = words.join([name for _, name, *_ in filled])
    return Habits(
        title=title[0].upper() + title[1:],
        question=" ".join(question for _, _, question, *_ in filled),
        sentences=[sentence(rows) for rows, _, _, sentence, _ in filled],
        tables=[table(rows) for rows, *_, table in filled],
    )


def _rate(row: MartRow) -> str:
    interval = words.percent_range(row.low, row.high)
    return f"{words.percent(row.estimate)} ({interval or words.reason_text(row.reason)})"


def _name(row: MartRow) -> str:
    return f"Vendor {row.subject or '(no name)'}" if row.subject_kind == "vendor" else "All people"


def _repeats(rows: Sequence[MartRow]) -> Sentence:
    """How often the same person says the same, and which vendors are surely below all people."""
    everybody = _first(rows, kind="rater_kind", metric="self_consistency")
    if everybody is None or everybody.low is None or everybody.high is None:
        reason = words.reason_text(everybody.reason if everybody else None)
        return Sentence(UNKNOWN, f"The same item again: not enough data, {reason}.")
    text = (
        f"An item that came back to the same person got the same label in {_rate(everybody)} of "
        f"{words.plural(everybody.n_items, 'case')}"
    )
    low = [row for row in rows if row.subject_kind == "vendor" and row.high is not None and row.high < everybody.low]
    if not low:
        return Sentence(FACT, f"{text}.")
    return Sentence(WATCH, f"{text}; less often for {words.join([f'{_name(row)}, {_rate(row)}' for row in low])}.")


def _suggestions(rows: Sequence[MartRow]) -> Sentence:
    """How often people decide as suggested when they see it and when they do not."""
    effect = _first(rows, kind="rater_kind", metric="anchoring")
    seen = _first(rows, kind="rater_kind", metric="suggestion_agreement", reference=SHOWN)
    unseen = _first(rows, kind="rater_kind", metric="suggestion_agreement", reference=HIDDEN)
    if seen is None or unseen is None:
        one = seen or unseen
        if one is None:
            return Sentence(UNKNOWN, "Suggestions: not enough data.")
        how = "shown" if one is seen else "hidden"
        text = f"Suggestions were always {how}: {_rate(one)} of decisions equal them; their effect cannot be told."
        return Sentence(UNKNOWN, text)
    text = f"With the suggestion shown {_rate(seen)} decided as suggested, with it hidden {_rate(unseen)}"
    way = UNKNOWN if effect is None else direction(effect)
    if effect is None or way is UNKNOWN:
        return Sentence(UNKNOWN, f"{text}; not enough data for the difference.")
    moved = difference_text(effect, is_share=True)
    if way is HIGHER:
        return Sentence(WATCH, f"{text}: {moved} when shown; if it is hidden at random, people lean on it.")
    if way is LOWER:
        return Sentence(FACT, f"{text}: {moved} when shown: no sign that people lean on it.")
    return Sentence(FACT, f"{text}: {moved}, no effect that the data can show.")


def _sessions(rows: Sequence[MartRow], *, last: date) -> Sentence:
    """The newest session whose week after is over: what changed, on how many items, for all and for which vendors."""
    held = words.plural(len({row.start for row in rows}), "session")
    rows = _telling_session([row for row in rows if _is_over(row, last=last)])
    if not rows:
        return Sentence(UNKNOWN, f"Calibration: no session has a whole week after it yet; {held} in the numbers.")
    metric = _session_metric(rows)
    is_share = metric == OBSERVED
    change = _first(rows, kind="pool", metric=f"change_{metric}")
    symbol = "\u03b1" if metric == ALPHA else "observed agreement"
    when = (
        f"Calibration on {words.short_day(rows[0].start)} (newest session with a whole week after it; "
        f"{held} in the numbers)"
    )
    if change is None or change.low is None:
        reason = words.reason_text(change.reason if change else None)
        return Sentence(UNKNOWN, f"{when}: the weeks before and after cannot be compared ({reason}).")
    before, after = _sides(rows, change)
    text = (
        f"{when}: {symbol} of the week after ({words.plural(after, 'item')}) minus the week before "
        f"({words.plural(before, 'item')}) is {difference_text(change, is_share=is_share)}"
    )
    unclear = "" if direction(change) in (LOWER, HIGHER) else ", no change that the data can show"
    vendors = [
        f"{row.subject or '(no name)'} {difference_text(row, is_share=is_share)}"
        for row in rows
        if row.subject_kind == "vendor"
        and row.metric == f"change_{metric}"
        and direction(row) in (LOWER, HIGHER)
        and min(_sides(rows, row)) >= MIN_ITEMS
    ]
    more = f"; of the vendors {words.join(vendors)}" if vendors else ""
    # No arrow: the direction is no finding about the session.
    return Sentence(FACT, f"{text}{unclear}{more}. {CAVEAT}")


def _is_over(row: MartRow, *, last: date) -> bool:
    """Whether the week after the session has ended."""
    return row.start + timedelta(days=SESSION_DAYS) <= last


def _telling_session(rows: Sequence[MartRow]) -> list[MartRow]:
    """Rows of the newest session whose change has an interval; of the newest at all if none has."""
    given = [row.start for row in rows if row.metric.startswith("change_") and row.low is not None]
    day = max(given or [row.start for row in rows], default=None)
    return [row for row in rows if row.start == day]


def _sides(rows: Sequence[MartRow], change: MartRow) -> tuple[int, int]:
    """Items in the week before and the week after of one change; 0 where a week has no row."""
    metric = change.metric.removeprefix("change")
    found = {
        row.metric.removesuffix(metric): row.n_items
        for row in rows
        if (row.start, row.subject_kind, row.subject) == (change.start, change.subject_kind, change.subject)
        and row.metric.endswith(metric)
    }
    return found.get("before", 0), found.get("after", 0)


def _session_metric(rows: Sequence[MartRow]) -> str:
    """Alpha where it could be compared, else observed agreement."""
    alpha = _first(rows, kind="pool", metric=f"change_{ALPHA}")
    return ALPHA if alpha is not None and alpha.low is not None else OBSERVED


def _first(rows: Sequence[MartRow], *, kind: str, metric: str, reference: str = "") -> MartRow | None:
    wanted = (kind, metric, reference)
    found = (
        row
        for row in rows
        if (row.subject_kind, row.metric, row.reference_kind) == wanted and row.subject in ("human", "production")
    )
    return next(found, None)


def _repeat_table(rows: Sequence[MartRow]) -> Table:
    return Table(
        caption="The same person, the same item again, newest 28 days",
        heads=("Who", "Same label", "95% interval", "Cases", "State"),
        rows=tuple(
            (
                _name(row),
                words.percent(row.estimate),
                words.percent_range(row.low, row.high),
                words.count(row.n_items),
                state_text(row),
            )
            for row in rows
        ),
        numeric=frozenset({1, 2, 3}),
    )


def _suggestion_table(rows: Sequence[MartRow]) -> Table:
    cells: dict[str, dict[str, MartRow]] = {}
    for row in rows:
        cells.setdefault(_name(row), {})[row.reference_kind] = row

    def rate(found: dict[str, MartRow], kind: str) -> str:
        return _rate(found[kind]) if kind in found else words.NOTHING

    def effect(found: dict[str, MartRow]) -> str:
        row = found.get("")
        return words.reason_text("no_comparison") if row is None else difference_text(row, is_share=True)

    return Table(
        caption="Decisions equal to the suggested label, newest 28 days",
        heads=("Who", "Suggestion shown", "Suggestion hidden", "Difference"),
        rows=tuple((name, rate(found, SHOWN), rate(found, HIDDEN), effect(found)) for name, found in cells.items()),
        numeric=frozenset({1, 2, 3}),
    )


def _session_table(rows: Sequence[MartRow], *, last: date) -> Table:
    """Every session, the newest first: the week before, the session, the week after and the change, for each vendor."""
    cells: dict[tuple[str, str], dict[str, MartRow]] = {}
    for row in sorted(rows, key=lambda row: row.start, reverse=True):
        if row.metric.endswith(ALPHA):
            name = "All people" if row.subject_kind == "pool" else _name(row)
            cells.setdefault((words.short_day(row.start), name), {})[row.metric.removesuffix(f"_{ALPHA}")] = row

    def value(found: dict[str, MartRow], part: str) -> str:
        row = found.get(part)
        if row is None:
            return words.NOTHING
        if row.estimate is None:
            return words.reason_text(row.reason)
        so_far = ", so far" if part in ("after", "change") and not _is_over(row, last=last) else ""
        if part == "change":
            return f"{difference_text(row, is_share=False)}{so_far}"
        items = words.plural(row.n_items, "item")
        inside = words.coefficient_range(row.low, row.high) or words.reason_text(row.reason)
        return f"{words.coefficient(row.estimate)} ({inside}), {items}{so_far}"

    return Table(
        caption="Krippendorff\u2019s alpha around calibration sessions, newest first",
        heads=("Session", "Who", "Week before", "In the session", "Week after", "Change"),
        rows=tuple(
            (when, name, *(value(found, part) for part in ("before", "session", "after", "change")))
            for (when, name), found in cells.items()
        ),
        numeric=frozenset({2, 3, 4, 5}),
    )
