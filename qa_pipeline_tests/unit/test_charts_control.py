"""Control charts and alarms say what the marts say, once, and never as if it were about the target."""

from datetime import date, timedelta
from typing import Any

import pytest

from qa_pipeline.charts import alarms
from qa_pipeline.charts.alarms import (
    BETTER,
    IN_CONTROL,
    NO_BASELINE,
    NOT_JUDGED,
    WORSE,
    State,
    alarm_list,
    alarm_sentence,
    annotator_sentence,
    chart_states,
)
from qa_pipeline.charts.control import control_chart, vendor_charts, vendors_table, vendors_title
from qa_pipeline.charts.naming import Names
from qa_pipeline.charts.quality_rows import ControlPoint, Signal
from qa_pipeline.charts.reading import GuidelineChange
from qa_pipeline.charts.trends import Span
from qa_pipeline.quality_config import BaselineConfig
from qa_pipeline_tests.fake_draws import HOSTILE
from qa_pipeline_tests.fake_marts import mart_row
from qa_pipeline_tests.figure_specs import valid_spec

FIRST = date(2026, 10, 1)
LAST = FIRST + timedelta(days=29)
SPAN = Span(FIRST, LAST)
FOURTEEN = BaselineConfig(days=14)
HUMAN = ("BR", "hate", "rater_kind", "human")
NAMES = Names(markets={"BR": "Brazil", "ID": "Indonesia"}, queues={"hate": "Hate speech", "spam": "Spam"})


def _point(
    place: int,
    value: float | None,
    *,
    key: alarms.Key = HUMAN,
    chart: str = "p_chart",
    centre: float | None = 0.05,
    phase: str = "",
    is_alarm: bool = False,
    direction: str = "worse",
    patterns: str = "",
    days: int = 14,
) -> ControlPoint:
    market, queue, kind, subject = key
    is_rate = chart == "p_chart" and value is not None
    row = mart_row(
        value,
        max(0.0, (value or 0) - 0.04) if is_rate else None,
        (value or 0) + 0.04 if is_rate else None,
        start=FIRST + timedelta(days=place),
        market=market,
        queue=queue,
        subject_kind=kind,
        subject=subject,
        metric=chart,
        n=50,
        reason=None if is_rate else "control_limits",
    )
    spread = 1.0 if chart == "ewma" else 60.0 if chart == "g_chart" else 0.09
    middle = 0.0 if chart == "ewma" else centre
    found = phase or ("baseline" if place < 14 else "monitored")
    low = None if middle is None else max(-1.0, middle - spread)
    high = None if middle is None else middle + spread
    return ControlPoint(row, found, middle, low, high, 0.001, 0.01, direction, is_alarm, patterns, days)


def _signal(
    place: int,
    *,
    key: alarms.Key = HUMAN,
    rule: str = "rule_1",
    direction: str = "worse",
    changed: int | None = 18,
    rate: float | None = 0.12,
    is_alarm: bool = True,
) -> Signal:
    market, queue, kind, subject = key
    row = mart_row(
        0.13,
        0.08,
        0.2,
        start=FIRST + timedelta(days=place),
        market=market,
        queue=queue,
        subject_kind=kind,
        subject=subject,
        metric=rule,
    )
    day, first, last = (None if changed is None else FIRST + timedelta(days=changed + more) for more in (0, -2, 1))
    action = "Calibrate on false negatives."
    return Signal(row, is_alarm, direction, 0.001, 0.01, 0.05, day, first, last, rate, action)


def _days(values: list[float | None], **more: Any) -> list[ControlPoint]:
    return [_point(place, value, **more) for place, value in enumerate(values)]


QUIET: list[float | None] = [0.04, 0.06] * 15


def _state(points: list[ControlPoint], signals: list[Signal], *, baseline: BaselineConfig = FOURTEEN) -> State:
    (state,) = chart_states(points, signals, last=LAST, baseline=baseline).values()
    return state


@pytest.mark.parametrize(
    ("points", "signals", "verdict", "text"),
    [
        (_days(QUIET), [], IN_CONTROL, "In control since 15 Oct"),
        (_days(QUIET), [_signal(27)], WORSE, "Worse since 19 Oct: 12.0% after 5.0%"),
        (_days(QUIET), [_signal(27, direction="better", rate=0.02)], BETTER, "Better since 19 Oct: 2.0% after 5.0%"),
        (_days(QUIET), [_signal(27, changed=None)], WORSE, "Worse: alarm on 28 Oct"),
        # The newest 7 days decide: an older alarm is over, and control counts from the day after it.
        (_days(QUIET), [_signal(22)], IN_CONTROL, "In control since 24 Oct"),
        (_days(QUIET), [_signal(23)], WORSE, "Worse since 19 Oct: 12.0% after 5.0%"),
        # Run rules never alarm, whatever column says what.
        (
            _days(QUIET),
            [_signal(27, rule="nelson_2"), _signal(27, is_alarm=False)],
            IN_CONTROL,
            "In control since 15 Oct",
        ),
        # The newest alarm speaks; of one day, the day's own before the average.
        (
            _days(QUIET),
            [_signal(26), _signal(28, direction="better", rate=0.03), _signal(28, rule="ewma")],
            BETTER,
            "Better since 19 Oct: 3.0% after 5.0%",
        ),
        (
            [_point(place, 0.05, centre=None, phase="baseline", days=9) for place in range(9)],
            [],
            NO_BASELINE,
            "No baseline yet: 9 of 14 days",
        ),
        (_days(QUIET[:14]), [], NOT_JUDGED, "Not judged yet: no day after its baseline"),
    ],
)
def test_a_chart_s_state(points: list[ControlPoint], signals: list[Signal], verdict: Any, text: str) -> None:
    """Stops an old alarm from being open for ever, a run rule from alarming, and 0 days from being "in control"."""
    state = _state(points, signals)
    assert (state.verdict, state.text) == (verdict, text)


@pytest.mark.parametrize(
    ("baseline", "text"),
    [
        (BaselineConfig(), "No baseline yet: 9 of 28 days"),
        (BaselineConfig(start=FIRST, end=LAST), "No baseline yet: its dates end on 30 Oct"),
        (
            BaselineConfig(start=FIRST, end=LAST - timedelta(days=1)),
            "No baseline: 9\u00a0days with audits in its dates, of 14 at least",
        ),
    ],
)
def test_a_chart_that_waits_says_what_for(baseline: BaselineConfig, text: str) -> None:
    """Stops a count to a number that is not the configured one, and days that are not of the baseline in it."""
    points = [_point(place, 0.05, centre=None, phase="baseline", days=9) for place in range(12)]
    assert _state(points, [], baseline=baseline).text == text


def test_the_baseline_of_a_g_chart_is_a_rate() -> None:
    """Stops "12% after 19": the centre of a g-chart is 19 right decisions between defects, one in 20 is wrong."""
    points = _days([20.0] * 30, chart="g_chart", centre=19.0)
    assert _state(points, [_signal(27)]).text == "Worse since 19 Oct: 12.0% after 5.0%"


def test_two_rates_that_look_alike_get_more_digits() -> None:
    """Stops "Worse: 5.0% after 5.0%"."""
    assert _state(_days(QUIET), [_signal(27, rate=0.0503)]).rates == "5.03% after 5.00%"


def test_the_figure_has_the_points_limits_and_alarms_of_the_mart() -> None:
    """Stops a marker without an alarm, an alarm told by colour alone, and a label that becomes markup."""
    points = _days(QUIET)
    points[25] = _point(25, 0.2, is_alarm=True)
    points[20] = _point(20, 0.06, patterns="nelson_2 above; nelson_3 rising")
    points += [_point(place, 0.9, chart="ewma", is_alarm=place in (25, 26)) for place in range(14, 30)]
    signals = [_signal(25), _signal(25, rule="ewma"), _signal(26, rule="ewma", rate=0.11)]
    state = _state(points, signals)
    change = GuidelineChange("BR", "hate", FIRST + timedelta(days=5), HOSTILE["guideline"])
    chart = control_chart(points, key="c", span=SPAN, state=state, signals=signals, changes=[change])
    spec = valid_spec(chart)
    upper, lower, line, level, day, average, run = spec["data"]
    assert line["y"] == [point.row.estimate for point in points[:30]]
    assert upper["line"]["shape"] == lower["line"]["shape"] == "hvh"
    assert upper["y"] == [0.14] * 30
    assert (level["x"], level["y"]) == (["2026-10-19", "2026-10-30"], [0.11, 0.11])
    assert (day["x"], day["y"], day["marker"]["symbol"]) == (["2026-10-26"], [0.2], "diamond")
    # The average's alarm lies on the level since the change, not on a day that may be quiet.
    assert (average["x"], average["y"], average["marker"]["symbol"]) == (["2026-10-27"], [0.11], "diamond-open")
    assert (run["x"], run["marker"]["symbol"]) == (["2026-10-21"], "circle-open")
    stretches = [(shape["x0"], shape["x1"]) for shape in spec["layout"]["shapes"] if shape["type"] == "rect"]
    assert stretches == [("2026-09-30T12:00", "2026-10-14T12:00"), ("2026-10-16T12:00", "2026-10-20T12:00")]
    texts = [entry["text"] for entry in spec["layout"]["annotations"]]
    assert texts[:4] == ["usual 5.0%", "<b>since 11.0%</b>", "baseline", "changed 19 Oct"]
    assert texts[4].startswith("guideline &lt;svg ")
    assert chart.title == "Defect rate worse since 19 Oct: 11.0% after 5.0%"
    assert chart.remarks == ("It changed between 17 and 20 Oct. What to do: Calibrate on false negatives.",)
    for part in ("\u25c6 alarm, worse", "\u25c7 alarm, worse", "\u25cb a run of days", "dotted upright", "thick"):
        assert part in chart.note, part
    assert chart.table is not None
    noticed = {row[0]: row[5] for row in chart.table.rows}
    assert noticed["Mon 26 Oct 2026"] == "alarm, worse: beyond chance; alarm, worse: moving average"
    assert noticed["Wed 21 Oct 2026"] == "nine days in a row above the usual; six days in a row rising"
    assert [row[6] for row in chart.table.rows] == ["final"] * 30


def test_a_quiet_chart_speaks_of_nothing_that_is_not_on_it() -> None:
    """Stops a legend of marks, bands and dashes over a chart that has none."""
    points = _days(QUIET)
    chart = control_chart(points, key="c", span=SPAN, state=_state(points, []), signals=[], changes=[])
    assert len(valid_spec(chart)["data"]) == 3
    assert chart.title == "Defect rate in control since 15 Oct"
    assert chart.remarks == ()
    words = ("alarm", "thick", "run of days", "dashed", "guideline")
    assert not [word for word in words if word in chart.note]


@pytest.mark.parametrize("count", [0, 9])
def test_without_a_baseline_there_is_a_sentence_and_no_figure(count: int) -> None:
    """Stops limits drawn around nothing."""
    points = [_point(place, 0.05, centre=None, phase="baseline", days=count) for place in range(count)]
    state = _state(points, []) if points else None
    chart = control_chart(points, key="c", span=SPAN, state=state, signals=[], changes=[])
    assert (chart.spec, chart.table) == (None, None)
    title = "Defect rate: no baseline yet: 9 of 14 days" if count else "Defect rate against its own past: no data"
    assert chart.title == title
    assert chart.reason


def test_a_g_chart_is_on_its_own_scale() -> None:
    """Stops a share on an axis of counts: the level since the change is right decisions between defects too."""
    points = _days([20.0] * 30, chart="g_chart", centre=19.0)
    # Days before a fixed baseline are rates: not on this chart.
    points.insert(0, _point(0, 0.05, phase="no_baseline"))
    signals = [_signal(27, rate=0.125)]
    chart = control_chart(points, key="c", span=SPAN, state=_state(points, signals), signals=signals, changes=[])
    spec = valid_spec(chart)
    level = next(trace for trace in spec["data"] if trace["line"].get("width") == 3)
    assert level["y"] == [7.0, 7.0]
    assert spec["layout"]["yaxis"]["range"][1] > 19
    assert "higher is better" in chart.note
    assert chart.table is not None
    assert chart.table.rows[0][1] == "20"


def _vendors(names: str, **more: Any) -> dict[str, list[ControlPoint]]:
    return {name: _days(QUIET, key=("BR", "hate", "vendor", name), **more) for name in names}


def test_only_vendors_with_an_alarm_are_drawn_and_all_are_in_the_table() -> None:
    """Stops a wall of quiet charts, scales that differ, and a vendor that is nowhere."""
    points = _vendors("abc")
    points["a"][20] = _point(20, 0.4, key=("BR", "hate", "vendor", "a"))
    signals = {
        "a": [_signal(28, key=("BR", "hate", "vendor", "a"))],
        "c": [_signal(28, key=("BR", "hate", "vendor", "c"), rate=0.2)],
    }
    found = chart_states(
        [point for each in points.values() for point in each],
        [one for each in signals.values() for one in each],
        last=LAST,
        baseline=FOURTEEN,
    )
    states = {key[3]: state for key, state in found.items()}
    charts = vendor_charts(points, signals, key="v", span=SPAN, states=states)
    assert [chart.title for chart in charts] == ["c", "a"]
    assert len({str(valid_spec(chart)["layout"]["yaxis"]["range"]) for chart in charts}) == 1
    assert vendors_title(states) == "Vendors against their own past: a and c are worse; 1 in control"
    assert [row[0] for row in vendors_table(states).rows] == ["c", "a", "b"]
    quiet = {"b": states["b"]}
    assert vendor_charts(points, {}, key="v", span=SPAN, states=quiet) == []
    assert vendors_title(quiet) == "Vendors against their own past: the one watched is in control"


def test_alarms_are_one_line_a_market_queue_worst_first() -> None:
    """Stops a queue and its vendor as two alarms, better before worse, totals before queues, and links to nowhere."""
    keys = {
        "queue": HUMAN,
        "vendor": ("BR", "hate", "vendor", "</script>x"),
        "other": ("ID", "spam", "rater_kind", "human"),
        "total": ("ALL", "ALL", "rater_kind", "human"),
        "market": ("BR", "ALL", "rater_kind", "human"),
        "quiet": ("ID", "hate", "rater_kind", "human"),
    }
    points = [point for key in keys.values() for point in _days(QUIET, key=key)]
    signals = [
        _signal(28, key=keys["queue"]),
        _signal(27, key=keys["queue"], rule="ewma"),
        _signal(28, key=keys["vendor"], rate=0.3),
        _signal(28, key=keys["other"], direction="better", rate=0.01),
        _signal(28, key=keys["total"], rate=0.5),
        _signal(28, key=keys["market"], rate=0.4),
    ]
    states = chart_states(points, signals, last=LAST, baseline=FOURTEEN)
    found = alarm_list(states, names=NAMES, files={"BR": "market-BR.html", "ID": "market-ID.html"})
    assert [(alarm.market, alarm.queue, alarm.href) for alarm in found] == [
        ("Brazil", "Hate speech", "market-BR.html#q-hate"),
        ("All markets", "All queues", ""),
        ("Brazil", "All queues", "market-BR.html"),
        ("Indonesia", "Spam", "market-ID.html#q-spam"),
    ]
    assert found[0].text == (
        "Worse since 19 Oct: 12.0% after 5.0%; changed between 17 and 20 Oct; alarm on 2 of the newest 7 days."
    )
    assert found[0].also == "Also: vendor </script>x worse (30.0% after 5.0%)."
    assert found[0].action == "Calibrate on false negatives."
    sentence = alarm_sentence(states, found)
    assert sentence == (
        "Against their own past: Brazil \u203a Hate speech, All markets \u203a All queues and Brazil \u203a All queues "
        "are worse; Indonesia \u203a Spam is better (alarms on 5 of 6\u00a0control charts)."
    )


def test_no_alarm_says_how_many_charts_were_watched() -> None:
    """Stops an empty list that could mean "all is well" or "nothing was looked at"."""
    states = chart_states(_days(QUIET), [], last=LAST, baseline=FOURTEEN)
    watched = "Against their own past: no alarm in the newest 7 days, 1\u00a0control chart watched."
    assert alarm_sentence(states, []) == watched
    young = chart_states([_point(0, 0.05, centre=None, phase="baseline")], [], last=LAST, baseline=FOURTEEN)
    assert "nothing is judged yet" in alarm_sentence(young, [])
    assert alarm_sentence({}, []) == ""


def test_annotators_with_an_alarm_are_named_by_pseudonym() -> None:
    """Stops alarms on people from being computed and shown nowhere."""
    key = ("ALL", "ALL", "annotator", "a7")
    signals = [_signal(27, key=key, rate=0.3), _signal(28, key=key, rate=0.2)]
    assert annotator_sentence(signals) == "Annotators with an alarm: a7 worse (20.0% after 5.0%)."
    assert annotator_sentence([]) == ""
