"""Numbers, dates and lists as a reader wants to see them. Text only: nothing here reads rows or knows HTML."""

import html
import re
from collections.abc import Iterable, Sequence
from datetime import date

MINUS = "\u2212"
EN_DASH = "\u2013"
NBSP = "\u00a0"
NOTHING = "\u2013"
# How many digits more a number gets at most to be told from a limit.
MORE_DIGITS = 4

_REASONS = {
    "bounds_only": "only bounds are known",
    "contradicted": "fewer defects were found than QA\u2019s own false alarms",
    "control_limits": "judged by its limits",
    "expectation": "an expectation has no interval",
    "mixed_scales": "the queues use different scales",
    "no_arbitration": "none of QA\u2019s blind verdicts was reviewed again",
    "no_baseline": "no 28 days before to compare with",
    "no_comparison": "nothing to compare with",
    "no_data": "no data",
    "no_pairs": "no item was judged twice",
    "one_label_only": "only one label was used",
    "one_sided_arbitration": "QA\u2019s verdicts of one sort were never reviewed again",
    "planned": "a number to plan with has no interval",
    "rare_labels": "labels other than the commonest are too rare for an interval",
    "scores_incomplete": "scores are not delivered for every label",
    "short_baseline": "its baseline is not complete",
    "sparse_categories": "some labels are too rare for an interval",
    "thin_arbitration": "too few of QA\u2019s verdicts were reviewed again",
    "too_few_disagreements": "too few disagreements for an interval",
    "too_few_events": "too few of the rarer outcome for an interval",
    "too_few_items": "too few items",
    "uninformative_qa": "QA\u2019s verdicts say nothing: they are right as often as chance",
    "unstated_chances": "some reviews do not state their chance of being picked",
}


def reason_text(reason: str | None) -> str:
    """Plain words for a mart's reason code; a code that is not known is shown with its underscores opened."""
    if not reason:
        return "no data"
    return _REASONS.get(reason, reason.replace("_", " "))


def percent(value: float | None, *, digits: int = 1) -> str:
    """`0.0623` as `6.2%`; a dash for None."""
    if value is None:
        return NOTHING
    return f"{_signless(value * 100, digits)}%"


def coefficient(value: float | None, *, digits: int = 2) -> str:
    """`0.713` as `0.71`; a dash for None."""
    return NOTHING if value is None else _signless(value, digits)


def exact_percent(value: float | None) -> str:
    """A share that somebody set, not rounded to another one: `0.07` as `7.0%`, `0.0025` as `0.25%`."""
    return NOTHING if value is None else f"{_exact(value * 100, least=1)}%"


def exact_coefficient(value: float | None) -> str:
    """A coefficient that somebody set, not rounded to another one: `0.8` as `0.80`, `0.667` as `0.667`."""
    return NOTHING if value is None else _exact(value, least=2)


def count(value: int | None) -> str:
    """`1234567` as `1,234,567`; a dash for None."""
    return NOTHING if value is None else f"{value:,}".replace("-", MINUS)


def bytes_text(value: int) -> str:
    """`20480` as `20.5 kB`: powers of 1,000, as disks and networks count."""
    size = float(value)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def digits_beside(value: float, limits: Iterable[float | None], *, digits: int) -> int:
    """How many digits, `digits` at least, tell `value` from every limit that it is held against and does not equal."""
    others = [limit for limit in limits if limit is not None and limit != value]
    enough = (
        number
        for number in range(digits, digits + MORE_DIGITS + 1)
        if all(_signless(value, number) != _signless(limit, number) for limit in others)
    )
    return next(enough, digits + MORE_DIGITS)


def percent_range(
    low: float | None, high: float | None, *, digits: int = 1, limits: Sequence[float | None] = ()
) -> str:
    """`5.0-7.4%` (with an en dash), or nothing when an end is missing.

    An end that would round onto one of `limits` without being it gets more digits.
    """
    if low is None or high is None:
        return ""
    goals = [None if limit is None else limit * 100 for limit in limits]
    left, right = (_signless(end * 100, digits_beside(end * 100, goals, digits=digits)) for end in (low, high))
    return f"{left}{EN_DASH}{right}%"


def coefficient_range(
    low: float | None, high: float | None, *, digits: int = 2, limits: Sequence[float | None] = ()
) -> str:
    """`0.59-0.67` with an en dash; `to` stands between numbers of which one is negative.

    An end that would round onto one of `limits` without being it gets more digits.
    """
    if low is None or high is None:
        return ""
    between = " to " if low < 0 or high < 0 else EN_DASH
    left, right = (_signless(end, digits_beside(end, limits, digits=digits)) for end in (low, high))
    return f"{left}{between}{right}"


def change(share: float) -> str:
    """A relative change in whole percent, signed: `+3%`; without a sign when it rounds to nothing."""
    text = f"{abs(share) * 100:.0f}"
    sign = "" if text == "0" else "+" if share > 0 else MINUS
    return f"{sign}{text}%"


def points(change: float, *, digits: int = 1) -> str:
    """A difference of two shares in percentage points, signed: `+0.4 pt`."""
    text = f"{abs(change) * 100:.{digits}f}"
    sign = "" if float(text) == 0 else "+" if change > 0 else MINUS
    return f"{sign}{text}{NBSP}pt"


def points_range(low: float | None, high: float | None) -> str:
    """The interval of a difference of shares: `-0.4 to +1.2 pt`; nothing when an end is missing.

    An end that would round to 0 without being it gets more digits, as in `signed_range`.
    """
    if low is None or high is None:
        return ""
    left, right = (points(end, digits=digits_beside(end * 100, (0.0,), digits=1)) for end in (low, high))
    return f"{left.removesuffix(f'{NBSP}pt')} to {right}"


def signed(change: float, *, digits: int = 2) -> str:
    """A difference of two coefficients, signed: `+0.04`."""
    text = f"{abs(change):.{digits}f}"
    sign = "" if float(text) == 0 else "+" if change > 0 else MINUS
    return f"{sign}{text}"


def signed_range(low: float | None, high: float | None, *, digits: int = 2) -> str:
    """The interval of a difference: `-0.02 to +0.08`; nothing when an end is missing.

    An end that would round to 0 without being it gets more digits: whether 0 is inside is what the interval says.
    """
    if low is None or high is None:
        return ""
    left, right = (signed(end, digits=digits_beside(end, (0.0,), digits=digits)) for end in (low, high))
    return f"{left} to {right}"


def day(value: date | None) -> str:
    """`Thu 19 Nov 2026`; a dash for None."""
    return NOTHING if value is None else f"{value:%a} {value.day} {value:%b %Y}"


def short_day(value: date) -> str:
    """`19 Nov`."""
    return f"{value.day} {value:%b}"


def between_days(first: date, last: date) -> str:
    """`3 and 16 Nov`, `30 Oct and 2 Nov`."""
    start = f"{first.day}" if (first.year, first.month) == (last.year, last.month) else short_day(first)
    return f"{start} and {short_day(last)}"


def join(names: Sequence[str], *, limit: int = 4) -> str:
    """`a, b and c`; from more than `limit` names the rest is counted: `a, b, c and 3 more`."""
    shown = list(names)
    if len(shown) > limit:
        kept = shown[: limit - 1]
        shown = [*kept, f"{len(names) - len(kept)} more"]
    if len(shown) < 2:
        return "".join(shown)
    return f"{', '.join(shown[:-1])} and {shown[-1]}"


def plural(number: int, one: str, many: str | None = None) -> str:
    """`1 queue`, `2 queues`; `many` where the plural is not one + s."""
    return f"{count(number)}{NBSP}{one if number == 1 else many or one + 's'}"


def short(text: str, *, limit: int = 24) -> str:
    """`text` cut to `limit` characters with an ellipsis; line breaks and control characters become spaces."""
    clean = re.sub(r"[\s\x00-\x1f\x7f]+", " ", text).strip()
    return clean if len(clean) <= limit else clean[: limit - 1].rstrip() + "\u2026"


def squeeze(text: str, *, limit: int) -> str:
    """`text` cut in its middle to `limit` characters: the end of a model version is what tells it from another."""
    clean = short(text, limit=10_000)
    if len(clean) <= limit:
        return clean
    tail = (limit - 1) // 2
    return clean[: limit - 1 - tail].rstrip() + "\u2026" + clean[-tail:].lstrip()


def plain(text: str) -> str:
    """`text` of our own (no user's data) without its tags, to measure it."""
    return re.sub(r"<[^>]*>", "", text)


def plot_text(text: str) -> str:
    """`text` for a Plotly text: Plotly renders tags such as `<a>` and `<b>`, so they are escaped."""
    return html.escape(text, quote=False)


def _exact(value: float, *, least: int) -> str:
    """`value` with as many decimals as it needs, at least `least` and at most 6."""
    digits = next((number for number in range(least, 6) if round(value, number) == round(value, 6)), 6)
    return _signless(value, digits)


def _signless(value: float, digits: int) -> str:
    """Fixed decimals, a real minus sign, and never a negative zero."""
    text = f"{abs(value):.{digits}f}"
    return text if value >= 0 or float(text) == 0 else MINUS + text
