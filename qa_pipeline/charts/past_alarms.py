"""Alarms of the 28 days shown that are no longer among the newest 7: one line a change, not one a night. No HTML here.

Two alarms of one chart are about one change when they point the same way and the later one dates its change no later
than the earlier alarm. What a change says, and what was recommended, is its last alarm's.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from qa_pipeline.charts import words
from qa_pipeline.charts.alarms import (
    BY_DIRECTION,
    RECENT_DAYS,
    WORSE,
    Key,
    capital,
    href,
    key_of,
    order,
    rates_text,
    subject_name,
)
from qa_pipeline.charts.naming import ALL, Names
from qa_pipeline.charts.quality_rows import ALARM_RULES, Signal
from qa_pipeline.charts.verdicts import Verdict

SHOWN_DAYS = 28
CHANGES_SHOWN = 20


@dataclass(frozen=True)
class Change:
    """One change of one chart: `last` is its last alarm, `days` the days with an alarm, in order."""

    key: Key
    last: Signal
    days: tuple[date, ...]

    @property
    def ratio(self) -> float:
        """Rate since the change over the baseline's, as of the last alarm; 1 where either is not known."""
        since, usual = self.last.rate_since, self.last.centre
        return since / usual if since is not None and usual else 1.0

    @property
    def text(self) -> str:
        """`worse from 5 Nov on, 27.0% after 15.4%`, or without what is not known."""
        verdict, since = BY_DIRECTION.get(self.last.direction, WORSE), self.last.change_date
        rates = rates_text(self.last.rate_since, self.last.centre)
        return f"{verdict.word}{f' from {words.short_day(since)} on' if since else ''}{f', {rates}' if rates else ''}"


@dataclass(frozen=True)
class PastAlarm:
    """A change, ready to print: whose, where, what, and what was recommended then."""

    verdict: Verdict
    who: str
    where: str
    href: str
    text: str
    action: str


@dataclass(frozen=True)
class Past:
    """The earlier alarms of a page: the last of them in one sentence, and a list, the newest first."""

    sentence: str
    alarms: Sequence[PastAlarm]
    hidden: int


def past_since(last: date) -> date:
    """First of the 28 days."""
    return last - timedelta(days=SHOWN_DAYS - 1)


def changes_of(signals: Iterable[Signal]) -> list[Change]:
    """The changes that `signals`, in order of time, are alarms about."""
    found: dict[Key, list[Change]] = {}
    for signal in signals:
        if not signal.is_alarm or signal.row.metric not in ALARM_RULES:
            continue
        mine = found.setdefault(key_of(signal), [])
        day = signal.row.end
        if mine and _is_same(mine[-1], signal):
            days = mine[-1].days if day in mine[-1].days else (*mine[-1].days, day)
            mine[-1] = Change(mine[-1].key, signal, days)
        else:
            mine.append(Change(key_of(signal), signal, (day,)))
    return [change for mine in found.values() for change in mine]


def _is_same(change: Change, signal: Signal) -> bool:
    before = change.last
    began = signal.change_date or signal.row.end - timedelta(days=RECENT_DAYS)
    return before.direction == signal.direction and began <= before.row.end


def past_alarms(
    signals: Iterable[Signal],
    *,
    last: date,
    names: Names,
    files: Mapping[str, str],
    market: str = "",
    vendors: Collection[str] = (),
) -> Past:
    """Changes whose last alarm is older than the newest 7 days and within the 28, the newest and largest first.

    On a `market`'s page: its own, and those over all markets that are about its `vendors`. `last` is the newest day.
    """
    shown = [
        change
        for change in changes_of(signals)
        if past_since(last) <= change.days[-1] and (last - change.days[-1]).days >= RECENT_DAYS
        if not market or _concerns(change.key, market=market, vendors=vendors)
    ]
    shown.sort(key=lambda change: order(change.key, change.last.direction, change.ratio))
    shown.sort(key=lambda change: change.days[-1], reverse=True)
    return Past(
        sentence=_sentence(shown[0], names=names, market=market) if shown else "",
        alarms=[_line(change, names=names, files=files, market=market) for change in shown[:CHANGES_SHOWN]],
        hidden=max(0, len(shown) - CHANGES_SHOWN),
    )


def _concerns(key: Key, *, market: str, vendors: Collection[str]) -> bool:
    return key[0] == market or (key[0] == ALL and key[2] == "vendor" and key[3] in vendors)


def place_text(key: Key, *, names: Names, market: str) -> str:
    """`Japan, Hate speech`, `all markets, all queues`; on a market's own page its name goes without saying."""
    where = [] if key[0] == market else ["all markets" if key[0] == ALL else names.market(key[0])]
    return ", ".join([*where, "all queues" if key[1] == ALL else names.queue(key[1])])


def _sentence(change: Change, *, names: Names, market: str) -> str:
    where = place_text(change.key, names=names, market=market)
    who = f"{subject_name(change.key)} ({where})"
    return f"The last alarm was on {words.short_day(change.days[-1])}: {who}, {change.text}."


def _line(change: Change, *, names: Names, files: Mapping[str, str], market: str) -> PastAlarm:
    days = change.days
    if len(days) == 1:
        alarmed = f"alarm on {words.short_day(days[0])}"
    else:
        alarmed = f"{words.count(len(days))} days with an alarm between {words.between_days(days[0], days[-1])}"
    return PastAlarm(
        verdict=BY_DIRECTION.get(change.last.direction, WORSE),
        who=capital(subject_name(change.key)),
        where=place_text(change.key, names=names, market=market),
        href=href(*change.key[:2], names=names, files=files),
        text=f"{capital(change.text)}; {alarmed}.",
        action=change.last.action,
    )
