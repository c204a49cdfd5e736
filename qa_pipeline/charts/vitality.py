"""Who pulls agreement down: alpha with an annotator or vendor minus alpha without them. Rows in, `Chart` out."""

from collections.abc import Sequence

from qa_pipeline.charts import words
from qa_pipeline.charts.intervals import Bar, intervals_spec
from qa_pipeline.charts.reading import MartRow
from qa_pipeline.charts.series import state_text
from qa_pipeline.charts.theme import ACT, LINE, MUTED, Chart, Table
from qa_pipeline.charts.verdicts import ACT as ACT_VERDICT

QUESTION = "Whose decisions pull agreement down?"
# Of the annotators the worst; vendors are few and all shown.
ANNOTATORS_SHOWN = 8
# Of fewer it goes without saying that one named by chance is unlikely.
MIN_JUDGED = 10
# One side of a 95% interval.
BY_CHANCE = 0.025


def vitality_chart(rows: Sequence[MartRow], *, key: str) -> Chart:
    """Intervals of vitality, newest 28 days, the worst on top: all vendors and the worst annotators.

    `rows` are `marts.rater_vitality` rows of one market and queue. Only those whose interval is wholly below 0 are
    named and marked.
    """
    given = [row for row in rows if row.estimate is not None]
    title = _title(given)
    if not given:
        reason = words.reason_text(rows[0].reason if rows else None)
        return Chart(key, title, QUESTION, "", None, reason, 0, None)
    order = sorted(given, key=lambda row: (row.estimate or 0.0, row.subject))
    annotators = [row for row in order if row.subject_kind == "annotator"]
    kept = {row.subject for row in annotators[:ANNOTATORS_SHOWN]}
    shown = [row for row in order if row.subject_kind == "vendor" or row.subject in kept]
    bars = [Bar(rater(row), row, _color(row), None, narrow=row.subject) for row in reversed(shown)]
    spec = intervals_spec(
        bars, lines=(0.0,), row_height=26, text=_signed, tickformat=".2~f", bounds=(-1.0, 1.0), reach=0.1
    )
    return Chart(key, title, QUESTION, _note(rows, given, shown), spec, "", spec["layout"]["height"], _table(rows))


def rater(row: MartRow) -> str:
    """`Vendor a`, or an annotator's pseudonym."""
    return f"Vendor {row.subject or '(no name)'}" if row.subject_kind == "vendor" else row.subject


def _in_sentence(row: MartRow) -> str:
    return f"vendor {row.subject or '(no name)'}" if row.subject_kind == "vendor" else row.subject


def pulls_down(row: MartRow) -> bool:
    """Whether agreement is better without them for certain."""
    return row.high is not None and row.high < 0


def _color(row: MartRow) -> str:
    if pulls_down(row):
        return ACT
    return LINE if row.subject_kind == "vendor" else MUTED


def _title(given: Sequence[MartRow]) -> str:
    """Who pulls agreement down for certain, the worst first."""
    if not given:
        return "Who pulls agreement down: not enough data"
    found = sorted((row for row in given if pulls_down(row)), key=lambda row: row.estimate or 0.0)
    if not found:
        return "Nobody pulls agreement down that the data can show"
    return f"Agreement is better without {words.join([_in_sentence(row) for row in found])}"


def _note(rows: Sequence[MartRow], given: Sequence[MartRow], shown: Sequence[MartRow]) -> str:
    """How to read the figure, how many are judged, and how many would be named by chance."""
    hidden = len(given) - len(shown)
    lead = "\u03b1 of the queue minus \u03b1 without them, newest 28 days, 95% intervals"
    parts = [f"{lead}; left of 0 agreement is better without them."]
    if any(pulls_down(row) for row in shown):
        parts.append(f"{ACT_VERDICT.glyph} the whole interval is below 0.")
    counted = f"{len(given)} of {words.plural(len(rows), 'person or vendor', 'people and vendors')} have enough data"
    chance = len(given) * BY_CHANCE
    by_chance = ""
    if len(given) >= MIN_JUDGED:
        number = f"{chance:.0f}" if chance >= 1 else f"{chance:.1f}"
        by_chance = f"; about {number} (2.5%) would be named by chance alone"
    parts.append(f"{counted}{by_chance}.")
    if hidden > 0:
        parts.append(f"{words.plural(hidden, 'annotator')} with better agreement: in the numbers.")
    return " ".join(parts)


def _signed(value: float | None) -> str:
    return words.NOTHING if value is None else words.signed(value, digits=3)


def _table(rows: Sequence[MartRow]) -> Table:
    ordered = sorted(rows, key=lambda row: (row.estimate is None, row.estimate or 0.0, row.subject))
    return Table(
        caption="Alpha minus alpha without them, newest 28 days, worst first",
        heads=("Who", "Difference", "95% interval", "Items", "Decisions", "State"),
        rows=tuple(
            (
                rater(row),
                _signed(row.estimate),
                words.signed_range(row.low, row.high, digits=3),
                words.count(row.n_items),
                words.count(row.n_ratings),
                state_text(row),
            )
            for row in ordered
        ),
        numeric=frozenset({1, 2, 3, 4}),
    )
