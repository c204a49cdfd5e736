"""Sentences computed from the rows that a figure shows: its title says what was found, never what was hoped.

Rows in, text out; no HTML. Names of markets, queues and subjects are inserted as they are and escaped by the page.
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from statistics import median

from qa_pipeline.charts import words
from qa_pipeline.charts.measures import AGREEMENT, DEFECT_RATE, Measure
from qa_pipeline.charts.reading import MartRow, Volume
from qa_pipeline.charts.series import period_text, point_time
from qa_pipeline.charts.verdicts import (
    ACT,
    COEFFICIENT_LIMITS,
    MIN_BASELINE_DAYS,
    MIN_ITEMS,
    NO_TARGET,
    ON_TARGET,
    PSI_LARGE,
    PSI_NOTICEABLE,
    TOO_FEW,
    WATCH,
    has_moved,
    judge,
    reliability,
)


def rate_text(row: MartRow) -> str:
    """`6.2% (5.0-7.4%)`."""
    return f"{words.percent(row.estimate)} ({words.percent_range(row.low, row.high)})"


def alpha_text(row: MartRow) -> str:
    """`0.71 (0.66-0.75)`; without an interval, the reason in its place."""
    inside = words.coefficient_range(row.low, row.high, limits=COEFFICIENT_LIMITS) or words.reason_text(row.reason)
    return f"{words.coefficient(row.estimate)} ({inside})"


def defect_title(points: Sequence[MartRow], *, current: MartRow | None, target: float | None) -> str:
    """Title of a defect trend; `points` is the line drawn, `current` the newest 28 days."""
    if current is None or current.estimate is None:
        filled = [row for row in points if row.estimate is not None]
        if not filled:
            return "Defect rate: not enough data"
        return f"Defect rate {rate_text(filled[-1])}, {period_text(filled[-1])}; no 28-day figure yet"
    value = DEFECT_RATE.text_beside(current.estimate, target)
    rate = f"{value} ({words.percent_range(current.low, current.high, limits=(target,))})"
    verdict = judge(current, target, measure=DEFECT_RATE)
    if verdict is TOO_FEW:
        return f"Too few audits to judge: {rate} of {words.plural(current.n_items, 'audited decision')}"
    if target is None:
        return f"Defect rate {rate} over 28 days; no target is set"
    found = {ACT: "is above", WATCH: "may be above"}.get(verdict, "meets")
    since = above_since(points, target=target) if verdict is ACT else None
    return f"Defect rate {rate} {found} its target of {words.exact_percent(target)}" + (
        f", since {words.short_day(since)}" if since else ""
    )


def above_since(points: Sequence[MartRow], *, target: float) -> date | None:
    """First day of the last unbroken stretch of two or more estimates above the target that reaches the newest one."""
    start: date | None = None
    length = 0
    for row in reversed([row for row in points if row.estimate is not None]):
        if row.estimate is None or row.estimate <= target:
            break
        start = row.start if row.period != "trailing_28d" else point_time(row).date()
        length += 1
    return start if length >= 2 else None


def agreement_line(current: MartRow | None, *, target: float | None) -> str:
    """One line under a queue's name: the newest 28 days' alpha, its target and its verdict."""
    if current is None or current.estimate is None:
        return words.reason_text(current.reason if current else None)
    goal = "" if target is None else f", target {words.exact_coefficient(target)}"
    found = reliability(current)
    mark = "" if found is None else f", {found.glyph}{words.NBSP}"
    value = AGREEMENT.text_beside(current.estimate, target)
    limits = (target, *COEFFICIENT_LIMITS)
    inside = words.coefficient_range(current.low, current.high, limits=limits) or words.reason_text(current.reason)
    return f"\u03b1 {value} ({inside}){goal}{reliability_text(current, lead=mark)}"


def agreement_title(
    current: Mapping[str, MartRow | None], *, names: Mapping[str, str], targets: Mapping[str, float | None]
) -> str:
    """Title over the agreement panels: which queues are below target, else which may be, else how many meet it."""
    verdicts = {queue: judge(row, targets[queue], measure=AGREEMENT) for queue, row in current.items()}
    for verdict, singular, plural in (
        (ACT, "is below target", "are below target"),
        (WATCH, "may be below target", "may be below target"),
    ):
        named = [names[queue] for queue, found in verdicts.items() if found is verdict]
        if named:
            return f"Agreement: {words.join(named)} {singular if len(named) == 1 else plural}"
    good = sum(found is ON_TARGET for found in verdicts.values())
    if good:
        return f"Agreement meets its target in {'the one queue' if good == 1 else f'all {good} queues'} we can judge"
    if NO_TARGET in verdicts.values():
        return "Agreement beyond chance; no target is set"
    return "Agreement: no queue has enough data to judge"


def coefficients_title(observed: MartRow | None, *, alpha: MartRow | None) -> str:
    """Title over the coefficients: observed agreement, alpha, and Krippendorff's own verdict on it where he has one."""
    if observed is None or observed.estimate is None:
        return "Agreement: not enough data"
    title = f"People agree on {words.percent(observed.estimate, digits=0)} of pairs"
    if alpha is None or alpha.estimate is None:
        return title
    return f"{title}; beyond chance, \u03b1 is {alpha_text(alpha)}{reliability_text(alpha)}"


def reliability_text(row: MartRow, *, lead: str = ": ") -> str:
    """`: tentative`, or `: too close to call` where the interval lies across a limit; empty without an interval."""
    found = reliability(row)
    if found is None or row.low is None:
        return ""
    return f"{lead}{found.word}"


def subjects_title(
    rows: Sequence[MartRow],
    *,
    noun: str,
    measure: Measure,
    by: str,
    names: Mapping[str, str],
    targets: Mapping[str, float | None],
) -> str:
    """Who misses the target for certain, else what the intervals say of one another; `by` names what judged them.

    Who has fewer than MIN_ITEMS judged decisions takes no part.
    """
    enough = [row for row in rows if row.n_items >= MIN_ITEMS]
    misses = [row.subject for row in enough if judge(row, targets.get(row.subject), measure=measure) is ACT]
    if not misses:
        return compare_title(enough, noun=noun, measure=measure, by=by, names=names)
    goals = {targets[subject] for subject in misses}
    goal = f"the target of {words.exact_percent(goals.pop())}" if len(goals) == 1 else "target"
    return f"{_worse(misses, measure=measure, names=names)} {goal}, by {by}"


def _worse(subjects: Sequence[str], *, measure: Measure, names: Mapping[str, str]) -> str:
    one, several = measure.worse
    return f"{words.join([names[subject] for subject in subjects])} {one if len(subjects) == 1 else several}"


def compare_title(rows: Sequence[MartRow], *, noun: str, measure: Measure, by: str, names: Mapping[str, str]) -> str:
    """Who is worse for certain: whose whole interval lies on the bad side of those of most others, or of some."""
    ends = {
        row.subject: (-row.high, -row.low) if measure.is_high_bad else (row.low, row.high)
        for row in rows
        if row.low is not None and row.high is not None
    }
    if not ends:
        return f"{noun}s: not enough data to compare, by {by}"
    if len(ends) == 1:
        only = next(row for row in rows if row.subject in ends)
        return f"{noun} {names[only.subject]}: {measure.name.lower()} {rate_text(only)}, by {by}"
    above = {one: [other for other in ends if ends[other][0] > ends[one][1]] for one in ends}
    low = [one for one in ends if above[one] and 2 * len(above[one]) > len(ends) - 1]
    if not low:
        worst = max(ends, key=lambda one: len(above[one]))
        if not above[worst]:
            return f"{noun}s cannot be told apart by {by}: their intervals overlap"
        better = words.join([names[other] for other in above[worst]])
        alike = [one for one in ends if above[one] == above[worst]]
        return f"{_worse(alike, measure=measure, names=names)} {better}, by {by}; the other intervals overlap"
    who = _worse(low, measure=measure, names=names)
    if len(low) == 1 and len(above[low[0]]) <= 3:
        return f"{who} {words.join([names[other] for other in above[low[0]]])}, by {by}"
    return f"{who} most other {noun.lower()}s, by {by}"


def drift_title(
    rows: Sequence[MartRow],
    *,
    no_drift: Mapping[tuple[date, str], float],
    baselines: Mapping[tuple[date, str], int],
    names: Mapping[str, str],
) -> str:
    """Which row of a drift map moved on most days, how far, and since when.

    `names` is keyed as the rows of the map; `baselines` gives the days with data among the 28 before.
    """
    known = [row for row in rows if row.estimate is not None and row.low is not None]
    if not known:
        return "Drift: not enough data"
    judged = [row for row in known if baselines[row.end, drift_key(row)] >= MIN_BASELINE_DAYS]
    if not judged:
        return f"Drift: not judged, the baseline is short: fewer than {MIN_BASELINE_DAYS} days"
    moved: dict[str, list[MartRow]] = {}
    for row in judged:
        key = drift_key(row)
        if has_moved(row, no_drift.get((row.end, key))):
            moved.setdefault(key, []).append(row)
    days = len({row.end for row in judged})
    if not moved:
        quiet = f"No shift on any of the {words.plural(days, 'day')} judged"
        high = max(row.estimate or 0.0 for row in judged)
        if high < PSI_NOTICEABLE:
            return quiet
        return f"{quiet}: PSI up to {words.coefficient(high)}, not told apart from no shift at 95%"
    key, worst = max(moved.items(), key=lambda entry: (len(entry[1]), max(row.estimate or 0.0 for row in entry[1])))
    peak = max(row.estimate or 0.0 for row in worst)
    size = "far" if peak >= PSI_LARGE else "noticeably"
    when = f"on {words.short_day(worst[0].end)}"
    if len(worst) > 1:
        when = f"on {len(worst)} days between {words.between_days(worst[0].end, worst[-1].end)}"
    more = f"; {len(moved) - 1} more moved" if len(moved) > 1 else ""
    return f"{names[key]} moved {size} {when}: PSI up to {words.coefficient(peak)}{more}"


def drift_key(row: MartRow) -> str:
    """Row of a drift map: queue, kind and subject together."""
    return f"{row.queue}\x1f{row.subject_kind}\x1f{row.subject}"


def volume_title(volumes: Sequence[Volume]) -> str:
    """Newest day's human decisions against the median of the up to 28 days before."""
    days = sorted(volumes, key=lambda volume: volume.day)
    last = days[-1]
    first = last.day - timedelta(days=28)
    before = [volume.human for volume in days[:-1] if volume.day >= first]
    made = f"{words.plural(last.human, 'human decision')} on {words.short_day(last.day)}"
    if len(before) < 7 or not median(before):
        return made
    change = last.human / median(before) - 1
    if abs(change) < 0.25:
        return f"Volume is as usual: {made}"
    return f"{made}, {abs(change):.0%} {'below' if change < 0 else 'above'} the usual day"
