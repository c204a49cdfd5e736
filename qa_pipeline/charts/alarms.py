"""What control charts say of a queue or a vendor against its own past, and the list of alarms made of it. No HTML here.

The charts judge: alarms come from the mart. How a figure stands against its target is `verdicts`, another question.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from qa_pipeline.charts import words
from qa_pipeline.charts.naming import ALL, Names, slug
from qa_pipeline.charts.quality_rows import ALARM_RULES, ControlPoint, Signal
from qa_pipeline.charts.verdicts import Verdict
from qa_pipeline.limits import MIN_BASELINE_DAYS
from qa_pipeline.quality_config import BaselineConfig

RECENT_DAYS = 7
MOVING_AVERAGE = "ewma"
WORSE = Verdict("act", "\u2191", "worse", 0)
BETTER = Verdict("ok", "\u2193", "better", 1)
IN_CONTROL = Verdict("none", "\u2248", "in control", 2)
NOT_JUDGED = Verdict("few", "\u25cb", "judged from its next day on", 3)
NO_BASELINE = Verdict("few", "\u25cb", "no baseline yet", 4)
BY_DIRECTION = {"worse": WORSE, "better": BETTER}
SUBJECT_KINDS = ("rater_kind", "vendor", "model_version")
ANNOTATORS_NAMED = 6

# Market, queue, subject kind and subject.
Key = tuple[str, str, str, str]


@dataclass(frozen=True)
class State:
    """How one control chart stands: `baseline` is its frozen rate, `signal` the newest alarm of the newest 7 days.

    `since` is the first judged day after the last alarm before that, `waiting` says what a chart without a complete
    baseline waits for, `alarm_days` how many of the newest 7 raised an alarm.
    """

    key: Key
    verdict: Verdict
    baseline: float | None
    signal: Signal | None
    since: date | None
    waiting: str
    alarm_days: int

    @property
    def is_watched(self) -> bool:
        """Whether the chart has a baseline and a day after it."""
        return self.verdict in (WORSE, BETTER, IN_CONTROL)

    @property
    def ratio(self) -> float:
        """Rate since the change over the baseline's; 1 where either is not known."""
        since = self.signal.rate_since if self.signal is not None else None
        return since / self.baseline if since is not None and self.baseline else 1.0

    @property
    def rates(self) -> str:
        """`13.2% after 4.9%`; empty without an alarm, or where either rate is not known."""
        return rates_text(self.signal.rate_since if self.signal is not None else None, self.baseline)

    @property
    def text(self) -> str:
        """`Worse since 6 Nov: 13.2% after 4.9%`, `In control since 19 Oct`, `No baseline yet: 9 of 28 days`."""
        if self.signal is not None:
            word = self.verdict.word.capitalize()
            if self.signal.change_date is None or not self.rates:
                return f"{word}: alarm on {words.short_day(self.signal.row.end)}"
            return f"{word} since {words.short_day(self.signal.change_date)}: {self.rates}"
        if self.verdict is IN_CONTROL and self.since is not None:
            return f"In control since {words.short_day(self.since)}"
        if self.verdict is NO_BASELINE:
            return self.waiting
        return "Not judged yet: no day after its baseline"

    @property
    def change_text(self) -> str:
        """`changed between 4 and 6 Nov`: the days that the data do not rule out; empty where not known."""
        if self.signal is None or self.signal.change_from is None or self.signal.change_to is None:
            return ""
        first, last = self.signal.change_from, self.signal.change_to
        if first == last:
            return f"changed on {words.short_day(first)}"
        return f"changed between {words.between_days(first, last)}"


@dataclass(frozen=True)
class Alarm:
    """A market queue with an alarm of the newest 7 days, ready to print; `also` names the other charts of it.

    `who` is the vendor or model version that `text` is about, empty for all people.
    """

    verdict: Verdict
    market: str
    queue: str
    who: str
    href: str
    text: str
    also: str
    action: str


def key_of(found: ControlPoint | Signal) -> Key:
    """The control chart that a point or a signal belongs to."""
    row = found.row
    return (row.market, row.queue, row.subject_kind, row.subject)


def baseline_rate(point: ControlPoint) -> float | None:
    """The defect rate of a chart's baseline; a g-chart's centre is the right decisions between two defects."""
    if point.centre is None or point.row.metric == MOVING_AVERAGE:
        return None
    return point.centre if point.row.metric == "p_chart" else 1 / (1 + point.centre)


def daily_points(points: Sequence[ControlPoint]) -> list[ControlPoint]:
    """The days of a chart without its moving average; days before the baseline of a g-chart are rates, and left out."""
    daily = [point for point in points if point.row.metric != MOVING_AVERAGE]
    return [point for point in daily if point.row.metric == daily[-1].row.metric]


def chart_states(
    points: Iterable[ControlPoint], signals: Iterable[Signal], *, last: date, baseline: BaselineConfig
) -> dict[Key, State]:
    """The state of every chart that has a point; `last` is the newest day."""
    by_chart: dict[Key, list[ControlPoint]] = {}
    alarms: dict[Key, list[Signal]] = {}
    for point in points:
        by_chart.setdefault(key_of(point), []).append(point)
    for signal in signals:
        if signal.is_alarm and signal.row.metric in ALARM_RULES:
            alarms.setdefault(key_of(signal), []).append(signal)
    return {
        key: _state(key, found, alarms.get(key, []), last=last, baseline=baseline) for key, found in by_chart.items()
    }


def _state(
    key: Key, points: Sequence[ControlPoint], alarms: Sequence[Signal], *, last: date, baseline: BaselineConfig
) -> State:
    recent = [signal for signal in alarms if (last - signal.row.end).days < RECENT_DAYS]
    # Of one day the daily point speaks before the moving average.
    newest = max(recent, key=lambda signal: (signal.row.end, signal.row.metric == "rule_1"), default=None)
    daily = daily_points(points)
    monitored = [point.row.end for point in daily if point.phase == "monitored"]
    older = max((signal.row.end for signal in alarms), default=date.min)
    rates = [rate for rate in map(baseline_rate, daily) if rate is not None]
    return State(
        key=key,
        verdict=_verdict(newest, daily, is_monitored=bool(monitored)),
        baseline=rates[-1] if rates else None,
        signal=newest,
        since=min((day for day in monitored if day > older), default=None),
        waiting=_waiting(points[-1].baseline_days, last=last, baseline=baseline),
        alarm_days=len({signal.row.end for signal in recent}),
    )


def _verdict(newest: Signal | None, daily: Sequence[ControlPoint], *, is_monitored: bool) -> Verdict:
    if newest is not None:
        return BY_DIRECTION.get(newest.direction, WORSE)
    if is_monitored:
        return IN_CONTROL
    return NOT_JUDGED if any(point.centre is not None for point in daily) else NO_BASELINE


def _waiting(days: int, *, last: date, baseline: BaselineConfig) -> str:
    """Why there is no baseline: days that it still lacks, fixed dates that are not over, or too few days in these."""
    if baseline.end is None:
        return f"No baseline yet: {days} of {baseline.days} days"
    if last <= baseline.end:
        return f"No baseline yet: its dates end on {words.short_day(baseline.end)}"
    return f"No baseline: {words.plural(days, 'day')} with audits in its dates, of {MIN_BASELINE_DAYS} at least"


def alarm_list(states: Mapping[Key, State], *, names: Names, files: Mapping[str, str]) -> list[Alarm]:
    """A line for every market queue with an alarm: worse before better, totals last, the largest change first."""
    by_queue: dict[tuple[str, str], list[State]] = {}
    for key, state in states.items():
        if state.signal is not None:
            by_queue.setdefault(key[:2], []).append(state)
    lines = [(sorted(found, key=_order)) for found in by_queue.values()]
    lines.sort(key=lambda found: _order(found[0]))
    return [_alarm(found, names=names, files=files) for found in lines]


def _order(state: State) -> tuple[object, ...]:
    return order(state.key, state.signal.direction if state.signal is not None else "", state.ratio)


def order(key: Key, direction: str, ratio: float) -> tuple[object, ...]:
    """What to sort alarms by: worse before better, totals last, all people before a vendor, the larger change first."""
    market, queue, kind, subject = key
    verdict = BY_DIRECTION.get(direction, WORSE)
    size = ratio if verdict is WORSE else 1 / max(ratio, 1e-9)
    return (verdict.rank, ALL in (market, queue), kind != "rater_kind", -size, market, queue, subject)


def _alarm(found: Sequence[State], *, names: Names, files: Mapping[str, str]) -> Alarm:
    first = found[0]
    market, queue, kind, subject = first.key
    who = "" if (kind, subject) == ("rater_kind", "human") else subject_name(first.key)
    said = f"{capital(who)}: {first.text[0].lower()}{first.text[1:]}" if who else first.text
    parts = [said, first.change_text]
    parts.append(f"alarm on {first.alarm_days} of the newest {RECENT_DAYS} days")
    also = [f"{subject_name(state.key)} {state.verdict.word}{_in_brackets(state.rates)}" for state in found[1:]]
    return Alarm(
        verdict=first.verdict,
        market=names.market(market),
        queue=names.queue(queue),
        who=who,
        href=href(market, queue, names=names, files=files),
        text="; ".join(part for part in parts if part) + ".",
        also=f"Also: {words.join(also)}." if also else "",
        action=first.signal.action if first.signal is not None else "",
    )


def href(market: str, queue: str, *, names: Names, files: Mapping[str, str]) -> str:
    """The queue's section, a market's page for its total, nothing for all markets."""
    if market not in names.markets:
        return ""
    return f"{files.get(market, '')}#q-{slug(queue)}" if queue in names.queues else files.get(market, "")


def subject_name(key: Key) -> str:
    """`all people`, `vendor borealis`, `model version guard@2026.1`."""
    if key[2] == "rater_kind":
        return "all models" if key[3] == "model" else "all people"
    return f"{key[2].replace('_', ' ')} {key[3] or '(no name)'}"


def annotator_sentence(signals: Sequence[Signal]) -> str:
    """Annotators with an alarm, newest signal of each, the largest change first; empty without any."""
    newest = {signal.row.subject: signal for signal in signals if signal.is_alarm}
    if not newest:
        return ""
    texts = [
        f"{name} {signal.direction}"
        + (
            f" ({words.percent(signal.rate_since)} after {words.percent(signal.centre)})"
            if signal.rate_since is not None and signal.centre is not None
            else ""
        )
        for name, signal in sorted(
            newest.items(), key=lambda entry: (entry[1].direction != "worse", -(entry[1].rate_since or 0.0), entry[0])
        )
    ]
    return f"Annotators with an alarm: {words.join(texts, limit=ANNOTATORS_NAMED)}."


def rates_text(since: float | None, before: float | None) -> str:
    """`13.2% after 4.9%`; empty where either is not known."""
    if since is None or before is None:
        return ""
    digits = words.digits_beside(since * 100, [before * 100], digits=1)
    return f"{words.percent(since, digits=digits)} after {words.percent(before, digits=digits)}"


def capital(text: str) -> str:
    """`text` with its first letter as a capital and the rest as it is."""
    return f"{text[:1].upper()}{text[1:]}"


def _in_brackets(text: str) -> str:
    return f" ({text})" if text else ""


def alarm_sentence(states: Mapping[Key, State], alarms: Sequence[Alarm], *, is_one_market: bool = False) -> str:
    """Alarms in one sentence, with how many charts were watched; empty where there is no chart at all."""
    if not states:
        return ""
    watched = sum(state.is_watched for state in states.values())
    if not watched:
        return f"Against their own past: nothing is judged yet, the baselines of {len(states)} charts are not complete."
    charts = words.plural(watched, "control chart")
    if not alarms:
        return f"Against their own past: no alarm in the newest {RECENT_DAYS} days, {charts} watched."
    parts = []
    for verdict in (WORSE, BETTER):
        named = [_named(alarm, is_one_market=is_one_market) for alarm in alarms if alarm.verdict is verdict]
        if named:
            parts.append(f"{words.join(named)} {'is' if len(named) == 1 else 'are'} {verdict.word}")
    raised = sum(state.signal is not None for state in states.values())
    return f"Against their own past: {'; '.join(parts)} (alarms on {raised} of {charts})."


def shared_sentence(states: Mapping[Key, State], *, names: Names) -> str:
    """`Over all markets: vendor borealis is worse in Spam and all queues.`; empty without an alarm in `states`."""
    found: dict[str, list[str]] = {}
    for key, state in sorted(states.items(), key=lambda entry: _order(entry[1])):
        if state.signal is not None:
            where = "all queues" if key[1] == ALL else names.queue(key[1])
            found.setdefault(f"{subject_name(key)} is {state.verdict.word}", []).append(where)
    said = [f"{lead} in {words.join(queues)}" for lead, queues in found.items()]
    return f"Over all markets: {'; '.join(said)}." if said else ""


def _named(alarm: Alarm, *, is_one_market: bool) -> str:
    """`Hate speech`, `vendor borealis in Brazil \u203a Spam`."""
    where = alarm.queue if is_one_market else f"{alarm.market} \u203a {alarm.queue}"
    return f"{alarm.who} in {where}" if alarm.who else where


def recent_since(last: date) -> date:
    """First of the newest 7 days."""
    return last - timedelta(days=RECENT_DAYS - 1)
