"""Alarms that are over are told once a change, with what was recommended then."""

from datetime import date, timedelta

from qa_pipeline.charts.alarms import Key, chart_states, shared_sentence
from qa_pipeline.charts.naming import Names
from qa_pipeline.charts.past_alarms import changes_of, past_alarms
from qa_pipeline.charts.quality_rows import ControlPoint, Signal
from qa_pipeline.quality_config import BaselineConfig
from qa_pipeline_tests.fake_marts import mart_row

LAST = date(2026, 11, 28)
NAMES = Names(markets={"JP": "Japan", "BR": "Brazil"}, queues={"hate": "Hate speech"})
EVERYWHERE: Key = ("ALL", "ALL", "vendor", "castellan")
JAPAN: Key = ("JP", "hate", "vendor", "castellan")


def _signal(key: Key, *, ago: int, changed: int | None, rate: float = 0.3, direction: str = "worse") -> Signal:
    market, queue, kind, subject = key
    day = LAST - timedelta(days=ago)
    row = mart_row(
        0.3, 0.2, 0.4, start=day, market=market, queue=queue, subject_kind=kind, subject=subject, metric="ewma"
    )
    began = None if changed is None else LAST - timedelta(days=changed)
    return Signal(row, True, direction, 0.001, 0.01, 0.15, began, began, began, rate, f"Look at {ago}.")


def test_one_change_is_one_line() -> None:
    """Stops a week of alarms about one change from filling the list, and two changes from becoming one."""
    signals = [
        _signal(EVERYWHERE, ago=20, changed=21),
        _signal(EVERYWHERE, ago=19, changed=21),
        _signal(EVERYWHERE, ago=18, changed=20, rate=0.45),
        _signal(EVERYWHERE, ago=10, changed=12, rate=0.36),
        _signal(EVERYWHERE, ago=9, changed=12, direction="better", rate=0.05),
        _signal(EVERYWHERE, ago=8, changed=None, direction="better", rate=0.05),
    ]
    assert [len(change.days) for change in changes_of(signals)] == [3, 1, 2]
    past = past_alarms(signals, last=LAST, names=NAMES, files={})
    assert [alarm.action for alarm in past.alarms] == ["Look at 8.", "Look at 10.", "Look at 18."]
    said = "Worse from 8 Nov on, 45.0% after 15.0%; 3 days with an alarm between 8 and 10 Nov."
    assert past.alarms[2].text == said
    assert (past.alarms[2].who, past.alarms[2].where) == ("Vendor castellan", "all markets, all queues")
    assert (
        past.sentence
        == "The last alarm was on 20 Nov: vendor castellan (all markets, all queues), better, 5.0% after 15.0%."
    )


def test_only_what_is_over_and_not_too_old_is_earlier() -> None:
    """Stops an alarm from standing in both lists, and a change that goes on from being called over."""
    signals = [
        _signal(EVERYWHERE, ago=28, changed=30),
        _signal(JAPAN, ago=9, changed=10),
        _signal(JAPAN, ago=6, changed=10),
        _signal(("BR", "hate", "vendor", "castellan"), ago=7, changed=7),
        _signal(("BR", "ALL", "rater_kind", "human"), ago=27, changed=27),
    ]
    past = past_alarms(signals, last=LAST, names=NAMES, files={"BR": "market-BR.html"})
    assert [(alarm.where, alarm.href) for alarm in past.alarms] == [
        ("Brazil, Hate speech", "market-BR.html#q-hate"),
        ("Brazil, all queues", "market-BR.html"),
    ]
    assert past_alarms([], last=LAST, names=NAMES, files={}).sentence == ""


def test_a_market_hears_of_its_vendors_alarms_over_all_markets() -> None:
    """Stops a vendor's dip that only all markets together show from being missing where the vendor works."""
    signals = [_signal(EVERYWHERE, ago=9, changed=10), _signal(JAPAN, ago=9, changed=10)]

    def wheres(market: str, vendors: set[str]) -> list[str]:
        found = past_alarms(signals, last=LAST, names=NAMES, files={}, market=market, vendors=vendors)
        return [alarm.where for alarm in found.alarms]

    assert wheres("JP", {"castellan"}) == ["Hate speech", "all markets, all queues"]
    assert wheres("BR", {"castellan"}) == ["all markets, all queues"]
    assert wheres("BR", {"averline"}) == []

    signal = _signal(EVERYWHERE, ago=1, changed=3)
    row = signal.row._replace(metric="p_chart")
    point = ControlPoint(row, "monitored", 0.15, 0.1, 0.2, 0.001, 0.01, "worse", True, "", 14)
    states = chart_states([point], [signal], last=LAST, baseline=BaselineConfig(days=14))
    assert shared_sentence(states, names=NAMES) == "Over all markets: vendor castellan is worse in all queues."
