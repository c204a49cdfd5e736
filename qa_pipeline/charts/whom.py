"""Who agrees with whom: people, vendors, people and models, judges, and the same items in other markets.

Rows in, `Chart` out; the title comes from the same rows.
"""

from collections.abc import Mapping, Sequence

from qa_pipeline.charts import words
from qa_pipeline.charts.agreement_rows import COEFFICIENTS
from qa_pipeline.charts.findings import reliability_text
from qa_pipeline.charts.intervals import Bar, intervals_spec
from qa_pipeline.charts.naming import CROSS
from qa_pipeline.charts.reading import MartRow
from qa_pipeline.charts.series import state_text
from qa_pipeline.charts.theme import LINE, MODEL, MUTED, Chart, Table
from qa_pipeline.charts.verdicts import COEFFICIENT_LIMITS, verdict_key, verdict_label, verdict_text
from qa_pipeline.marts.verdicts import RELIABLE_FROM, TENTATIVE_FROM

SYMBOLS = {"krippendorff_alpha": "\u03b1", "gwet_ac1": "AC1"}
QUESTION = "Who agrees with whom, beyond chance?"
# An interval that reaches further than this beyond every estimate runs off the edge.
REACH = 0.25
_POOLS = {"production": "People", "model": "LLM judges"}


def who(row: MartRow) -> str:
    """`People`, `Vendor a`, `People and judge@v3`, `LLM judges`, `Across markets`; empty for what is not compared."""
    if row.market == CROSS:
        return "Across markets" if row.subject == "production" else ""
    if row.subject_kind == "vendor":
        return f"Vendor {row.subject or '(no name)'}"
    if row.subject_kind == "model_version":
        return f"People and {row.subject}"
    return _POOLS.get(row.subject, "")


def whom_chart(rows: Sequence[MartRow], *, key: str, is_total: bool) -> Chart:
    """Coefficients of one queue (or, `is_total`, over all), newest 28 days, sorted, with intervals.

    `rows` are `marts.agreement` rows of COEFFICIENTS. Alpha speaks; where it cannot, because queues with different
    scales are rolled up, AC1 does.
    """
    metric = _metric(rows)
    found = [row for row in rows if row.metric == metric and who(row)]
    people = next((row for row in found if who(row) == _POOLS["production"]), None)
    title = _title(found, people=people, symbol=SYMBOLS[metric])
    shown = [row for row in found if row.estimate is not None]
    if not shown:
        return Chart(key, title, QUESTION, "", None, words.reason_text(people.reason if people else None), 0, None)
    bars = [_bar(row) for row in shown]
    bars.sort(key=lambda bar: (bar.row.estimate or 0.0, bar.label))
    spec = intervals_spec(
        bars,
        lines=(TENTATIVE_FROM, RELIABLE_FROM),
        row_height=30,
        text=words.coefficient,
        tickformat=".2~f",
        bounds=(-1.0, 1.0),
        reach=REACH,
    )
    text = _note(found, metric=metric, is_total=is_total)
    return Chart(key, title, QUESTION, text, spec, "", spec["layout"]["height"], _table(found, metric=metric))


def whom_table(rows_by_queue: Mapping[str, Sequence[MartRow]], *, names: Mapping[str, str]) -> Table | None:
    """Alpha of everybody in every queue: what a total must not hide."""
    found = [row for queue in names for row in rows_by_queue.get(queue, ()) if row.n_items and who(row)]
    cells: dict[str, dict[str, str]] = {}
    for row in sorted(found, key=order_of):
        if row.metric == COEFFICIENTS[0]:
            cells.setdefault(who(row), {})[row.queue] = _cell(row)
    if not cells:
        return None
    return Table(
        caption="Krippendorff\u2019s alpha by queue, newest 28 days",
        heads=("Who", *names.values()),
        rows=tuple((name, *(mine.get(queue, words.NOTHING) for queue in names)) for name, mine in cells.items()),
        numeric=frozenset(range(1, len(names) + 1)),
    )


def order_of(row: MartRow) -> int:
    """People first, then vendors, models, judges, and other markets."""
    if row.market == CROSS:
        return 4
    if row.subject_kind == "pool":
        return 0 if row.subject == "production" else 3
    return 1 if row.subject_kind == "vendor" else 2


def _cell(row: MartRow) -> str:
    if row.estimate is None:
        return words.reason_text(row.reason)
    inside = words.coefficient_range(row.low, row.high, limits=COEFFICIENT_LIMITS)
    return f"{words.coefficient(row.estimate)} ({inside}) {verdict_text(row)}"


def _metric(rows: Sequence[MartRow]) -> str:
    """Alpha, unless only AC1 has an estimate."""
    given = {row.metric for row in rows if row.estimate is not None and who(row)}
    return next((metric for metric in COEFFICIENTS if metric in given), COEFFICIENTS[0])


def _title(rows: Sequence[MartRow], *, people: MartRow | None, symbol: str) -> str:
    """What people reach among themselves, and who is surely below it."""
    if people is None or people.estimate is None:
        return "Who agrees with whom: not enough data among people"
    inside = words.coefficient_range(people.low, people.high, limits=COEFFICIENT_LIMITS)
    title = f"People agree with {symbol} {words.coefficient(people.estimate)} ({inside}){reliability_text(people)}"
    others = [row for row in rows if row is not people and row.low is not None and row.high is not None]
    if not others or people.low is None or people.high is None:
        return title
    lower = [_in_title(row) for row in others if row.high is not None and row.high < people.low]
    if lower:
        return f"{title}; lower than people on the whole: {words.join(lower)}"
    return f"{title}; nobody is lower than people on the whole"


def _bar(row: MartRow) -> Bar:
    # The colour tells vendors and models apart where there is no room for a word.
    narrow = verdict_label(who(row) if row.subject_kind == "pool" else row.subject, row)
    return Bar(verdict_label(who(row), row), row, _color(row), None, narrow=narrow)


def _in_title(row: MartRow) -> str:
    if row.subject_kind == "model_version":
        return f"people with {row.subject}"
    name = who(row)
    return name if name == _POOLS["model"] else name[0].lower() + name[1:]


def _color(row: MartRow) -> str:
    if row.market == CROSS:
        return MUTED
    return MODEL if row.subject_kind == "model_version" or row.subject == "model" else LINE


def _note(rows: Sequence[MartRow], *, metric: str, is_total: bool) -> str:
    """How to read the figure, and who is not on it."""
    shown = [row for row in rows if row.estimate is not None]
    parts = [f"Newest 28 days with 95% intervals. {verdict_key(shown)}; dotted: {TENTATIVE_FROM} and {RELIABLE_FROM}."]
    if any(row.subject_kind == "vendor" for row in shown):
        parts.append("A vendor: among its own annotators.")
    if any(row.market == CROSS for row in shown):
        parts.append("Across markets: items that several markets judged.")
    if is_total and metric == "gwet_ac1":
        parts.append("AC1, because the queues have different scales.")
    if is_total:
        parts.append("Who works in harder queues looks worse here: the numbers below are by queue.")
    absent = [f"{who(row)} ({words.reason_text(row.reason)})" for row in rows if row.estimate is None and row.n_items]
    if absent:
        parts.append(f"Not enough data: {words.join(absent)}.")
    return " ".join(parts)


def _table(rows: Sequence[MartRow], *, metric: str) -> Table:
    ordered = sorted(rows, key=lambda row: row.estimate if row.estimate is not None else -2.0, reverse=True)
    symbol = SYMBOLS[metric]
    return Table(
        caption=f"{symbol}, newest 28 days",
        heads=("Who", symbol, "95% interval", "Verdict", "Items", "Ratings", "State"),
        rows=tuple(
            (
                who(row),
                words.coefficient(row.estimate),
                words.coefficient_range(row.low, row.high, limits=COEFFICIENT_LIMITS),
                verdict_text(row),
                words.count(row.n_items),
                words.count(row.n_ratings),
                state_text(row),
            )
            for row in ordered
        ),
        numeric=frozenset({1, 2, 4, 5}),
    )
