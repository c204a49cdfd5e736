"""What is behind agreement: who with whom, this week, confused labels, vitality and habits say what their rows say."""

import json
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import plotly.graph_objects as go
import pytest

from qa_pipeline.charts.agreement_panels import agreement_panels, panels_note
from qa_pipeline.charts.agreement_rows import read_agreement
from qa_pipeline.charts.confusion import confusion_chart, pair_label, pair_name
from qa_pipeline.charts.habits import habits
from qa_pipeline.charts.reading import MartRow, Reader
from qa_pipeline.charts.theme import Chart, figure_json
from qa_pipeline.charts.trends import Span
from qa_pipeline.charts.vitality import ANNOTATORS_SHOWN, vitality_chart
from qa_pipeline.charts.week_change import week_change
from qa_pipeline.charts.whom import whom_chart, whom_table
from qa_pipeline.config import QueueConfig
from qa_pipeline_tests.fake_draws import HOSTILE
from qa_pipeline_tests.fake_marts import fake_warehouse, mart_row

MONDAY = date(2026, 11, 16)
LAST = date(2026, 11, 19)
NAMES = {"hate": "Hate", "spam": "Spam", "minors": "Minors"}


def _row(about: tuple[str, str], metric: str, value: float | None, half: float = 0.03, **more: Any) -> MartRow:
    ends = (None, None) if value is None else (value - half, value + half)
    more.setdefault("reason", "too_few_items" if value is None else None)
    more.setdefault("reference_kind", "")
    return mart_row(value, *ends, subject_kind=about[0], subject=about[1], metric=metric, **more)


def _alpha(kind: str, subject: str, value: float | None, **more: Any) -> MartRow:
    return _row((kind, subject), "krippendorff_alpha", value, period="trailing_28d", end=LAST, **more)


def _texts(chart: Chart) -> list[str]:
    """The labels of the chart's rows, top first; fails on markup."""
    assert chart.spec is not None
    spec = json.loads(figure_json(chart.spec))
    labels = spec["layout"]["yaxis"]["ticktext"]
    assert "<" not in "".join([*labels, *spec["narrow"]["ticktext"]])
    return list(reversed(labels))


@pytest.fixture
def whom() -> list[MartRow]:
    return [
        _alpha("pool", "production", 0.72),
        _alpha("vendor", "x", 0.5),
        _alpha("vendor", HOSTILE["vendor"], 0.85),
        _alpha("model_version", "judge@v3", 0.7),
        _alpha("pool", "model", None, reason="no_pairs", n=3),
        _alpha("pool", "calibration", 0.9),
        _alpha("pool", "production", 0.6, market="CROSS"),
    ]


def test_who_agrees_with_whom_is_sorted_and_names_only_the_certain(whom: list[MartRow]) -> None:
    """Stops a model's overlapping interval from being called lower, and a verdict by colour alone."""
    chart = whom_chart(whom, key="w", is_total=False)
    labels = _texts(chart)
    # 0.82 to 0.88, 0.69 to 0.75, 0.67 to 0.73, 0.57 to 0.63, 0.47 to 0.53.
    assert [label[0] for label in labels] == ["\u25cf", "\u25b2", "\u25b2", "\u25c6", "\u25c6"]
    assert [label.split(maxsplit=1)[1] for label in labels][1:] == [
        "People",
        "People and judge@v3",
        "Across markets",
        "Vendor x",
    ]
    assert chart.title == (
        "People agree with \u03b1 0.72 (0.69\u20130.75): tentative; "
        "lower than people on the whole: vendor x and across markets"
    )
    assert "Not enough data: LLM judges (no item was judged twice)." in chart.note
    assert chart.table is not None
    assert [row[3] for row in chart.table.rows if row[0] == "Vendor x"] == ["\u25c6\u00a0unreliable"]
    assert whom_chart([], key="w", is_total=False).reason == "no data"


def test_mixed_scales_are_rolled_up_by_ac1(whom: list[MartRow]) -> None:
    """Stops an empty chart over queues with different scales, and AC1 under the name of alpha."""
    mixed = [row._replace(estimate=None, low=None, high=None, reason="mixed_scales") for row in whom]
    ac1 = [row._replace(metric="gwet_ac1") for row in whom]
    chart = whom_chart([*mixed, *ac1], key="w", is_total=True)
    assert chart.title.startswith("People agree with AC1 0.72")
    assert "AC1, because the queues have different scales." in chart.note
    table = whom_table({"hate": whom, "spam": ac1}, names=NAMES)
    assert table is not None
    assert [row[0] for row in table.rows][::5] == ["People", "Across markets"]
    assert {row[0]: row[1:] for row in table.rows}["People"] == (
        "0.72 (0.69\u20130.75) \u25b2\u00a0tentative",
        "\u2013",
        "\u2013",
    )


def test_one_wide_interval_does_not_squeeze_the_others(whom: list[MartRow]) -> None:
    """Stops an interval from -1 to 1 from making all others a dot."""
    wide = whom[1]._replace(low=-0.95, high=0.99)
    chart = whom_chart([*whom[2:], whom[0], wide], key="w", is_total=False)
    assert chart.spec is not None
    assert chart.spec["layout"]["xaxis"]["range"][0] > 0.1
    assert [-0.95, 0.5, 0.99] in [trace["x"] for trace in chart.spec["data"]]


def _change(
    queue: str, value: float | None, *, week: date = MONDAY, about: tuple[str, str] | None = None, **more: Any
) -> MartRow:
    about = about or ("pool", "production")
    return _row(about, "change_krippendorff_alpha", value, period="week", start=week, queue=queue, **more)


def _by_queue(rows: Sequence[MartRow]) -> dict[str, list[MartRow]]:
    return {queue: [row for row in rows if row.queue == queue] for queue in NAMES}


def test_a_week_is_different_only_when_its_interval_says_so() -> None:
    """Stops a change that chance explains from being told, and a new guideline from passing for a change of people."""
    rows = [
        _change("hate", -0.09, reference_kind="other_guideline"),
        _change("spam", 0.02),
        _change("minors", None, reason="no_baseline"),
        _change("spam", -0.2, about=("vendor", "x")),
    ]
    found = week_change(_by_queue(rows), names=NAMES, last=LAST)
    assert found is not None
    assert found.title == "Agreement fell in Hate in the week of 16 Nov"
    assert [(line.verdict.glyph, line.text) for line in found.sentences] == [
        (
            "\u2193",
            (
                "Hate: \u03b1 is 0.09 lower (0.06\u20130.12) than in the four weeks before, most of which was decided "
                "under another guideline: the change may be the guideline\u2019s."
            ),
        ),
        ("\u2248", "No change that the data can show: Spam +0.02 (\u22120.01 to +0.05)."),
        ("\u25cb", "Not enough data: Minors (no 28 days before to compare with)."),
        ("\u2193", "Lower by vendor or model: Spam, Vendor x \u22120.20 (\u22120.23 to \u22120.17)."),
    ]
    assert found.caption.startswith("Week of 16 Nov, so far to 19 Nov")
    assert [row[4:6] for row in found.table.rows] == [
        ("lower", "changed"),
        ("no clear change", "same"),
        ("lower", "same"),
        ("no 28 days before to compare with", "same"),
    ]
    close = week_change(_by_queue([_change("hate", -0.16, half=0.158)]), names=NAMES, last=LAST)
    assert close is not None
    assert close.sentences[0].text.startswith("Hate: \u03b1 is 0.16 lower (0.002\u20130.32) than")
    quiet = week_change(_by_queue(rows[1:3]), names=NAMES, last=LAST)
    assert quiet is not None
    assert quiet.title == "No change of agreement that the data can show in the week of 16 Nov"
    assert week_change({}, names=NAMES, last=LAST) is None


def test_a_vendor_under_another_guideline_is_told_apart_too() -> None:
    """Stops a change of the rules from reading like one of a vendor, or of a model, beside queues that say so."""
    rows = [
        _change("hate", 0.01),
        _change("hate", -0.2, about=("vendor", "x"), reference_kind="other_guideline"),
        _change("hate", -0.1, about=("model_version", "judge@v3")),
    ]
    found = week_change(_by_queue(rows), names=NAMES, last=LAST)
    assert found is not None
    assert found.sentences[-1].text == (
        "Lower by vendor or model: Hate, Vendor x \u22120.20 (\u22120.23 to \u22120.17), under another guideline; "
        "Hate, People and judge@v3 \u22120.10 (\u22120.13 to \u22120.07)."
    )


def test_a_week_just_begun_gives_way_to_the_one_before() -> None:
    """Stops "not enough data" every Monday over a whole week that can be compared."""
    before = MONDAY - timedelta(days=7)
    rows = [_change(queue, None) for queue in NAMES] + [_change(queue, 0.1, week=before) for queue in NAMES]
    found = week_change(_by_queue(rows), names=NAMES, last=LAST)
    assert found is not None
    assert found.title == "Agreement rose in Hate, Spam and Minors in the week of 9 Nov"
    assert "so far" not in found.caption
    none = week_change(_by_queue(rows[:3]), names=NAMES, last=LAST)
    assert none is not None
    assert none.title == "Not enough data to compare the week of 16 Nov"


def _pair(subject: str, share: float, gain: float | None, *, n: int = 40) -> list[MartRow]:
    about = ("label_pair", subject)
    return [
        _row(about, "share_of_disagreement", share, period="trailing_28d", n=n),
        _row(about, "alpha_gain_if_merged", gain, 0.01, period="trailing_28d"),
    ]


QUEUE = QueueConfig.model_validate(
    {
        "labels": [
            {"code": "ok", "name": "No violation", "is_violating": False},
            {"code": "slur", "name": "Slur", "is_violating": True},
            {"code": "hate", "is_violating": True},
        ]
    }
)


def test_confused_labels_are_named_with_share_and_gain() -> None:
    """Stops codes where the taxonomy has names, a gain that may be none, and a winner among shares that overlap."""
    rows = [*_pair("ok / slur", 0.6, 0.05), *_pair("hate / ok", 0.3, -0.02), *_pair("hate / slur", 0.1, None)]
    chart = confusion_chart(rows, key="c", queue=QUEUE)
    assert _texts(chart) == ["No violation / Slur", "hate / No violation", "hate / Slur"]
    assert chart.title == "60% of disagreement is over No violation / Slur; as one label \u03b1 gains +0.05"
    assert chart.spec is not None
    shares = [trace["x"][1] for trace in chart.spec["data"] if trace["xaxis"] == "x"]
    gains = {trace["y"][0]: trace["x"][1] for trace in chart.spec["data"] if trace["xaxis"] == "x2"}
    assert (shares, gains) == ([0.1, 0.3, 0.6], {2: 0.05, 1: -0.02})
    assert "No mark: too few items with both for a gain." in chart.note
    assert chart.table is not None
    assert [row[1] for row in chart.table.rows] == ["40", "40", "40"]
    alike = confusion_chart([*_pair("ok / slur", 0.4, 0.005), *_pair("hate / ok", 0.38, 0.03)], key="c", queue=QUEUE)
    assert alike.title == (
        "Most disagreement is over No violation / Slur and hate / No violation, not told apart; "
        "\u03b1 gains most, +0.03, if hate / No violation were one label"
    )
    many = [row for label in "abc" for row in _pair(f"ok / {label}", 0.3, None)]
    assert confusion_chart(many, key="c", queue=QUEUE).title == (
        "Most disagreement is over ok / a and ok / b, not told apart from others; "
        "merging no two labels would raise \u03b1"
    )
    only = confusion_chart(_pair("ok / slur", 1.0, None), key="c", queue=QUEUE)
    assert (only.spec, only.title) == (None, "All disagreement is between No violation / Slur")
    assert confusion_chart([], key="c", queue=None).reason == "no data"


def test_names_of_pairs_stay_apart_when_they_are_cut() -> None:
    """Stops two pairs of long labels from having one label, and a guess where a code holds the joint."""
    assert pair_name("ok|slur / hate", queue=QUEUE) == "No violation + Slur / hate"
    assert pair_name("a / b / c", queue=QUEUE) == "a / b / c"
    one, other = (pair_label(f"Fake identity + {end} / No flag", limit=28) for end in ("Link farming", "Phishing"))
    assert one != other
    assert max(len(one), len(other)) <= 28
    assert pair_label("a" * 40 + " / " + "b" * 40, limit=16).startswith("aa")


def _vitality(subject: str, value: float | None, kind: str = "annotator") -> MartRow:
    return _row((kind, subject), "vitality", value, 0.01, period="trailing_28d")


def test_only_those_whose_interval_excludes_0_are_named() -> None:
    """Stops a ranking that names the lowest of many who cannot be told from 0, and a list of a hundred people."""
    rows = [_vitality(f"a{n:02}", 0.001 * n) for n in range(40)]
    rows += [_vitality(HOSTILE["annotator"], -0.05), _vitality("v", -0.03, "vendor"), _vitality("w", 0.02, "vendor")]
    rows.append(_vitality("few", None))
    chart = vitality_chart(rows, key="v")
    labels = _texts(chart)
    assert len(labels) == ANNOTATORS_SHOWN + 2
    assert labels[1] == "Vendor v"
    assert chart.title == f"Agreement is better without {HOSTILE['annotator']} and vendor v"
    assert (
        "43 of 44\u00a0people and vendors have enough data; about 1 (2.5%) would be named by chance alone."
        in chart.note
    )
    assert chart.table is not None
    assert len(chart.table.rows) == 44
    ten = vitality_chart(rows[:12], key="v")
    assert "12 of 12\u00a0people and vendors have enough data; about 0.3 (2.5%) would be named" in ten.note
    assert "by chance" not in vitality_chart(rows[:9], key="v").note
    quiet = vitality_chart(rows[:5], key="v")
    assert quiet.title == "Nobody pulls agreement down that the data can show"
    assert vitality_chart([_vitality("few", None)], key="v").reason == "too few items"


def test_habits_say_what_is_certain() -> None:
    """Stops "people lean on it" over an interval with 0 in it, and a session judged before its week is over."""
    human, vendor = ("rater_kind", "human"), ("vendor", "x")
    repeats = [_row(human, "self_consistency", 0.9, n=120), _row(vendor, "self_consistency", 0.7)]
    suggestions = [
        _row(human, "suggestion_agreement", 0.9, reference_kind="shown"),
        _row(human, "suggestion_agreement", 0.8, reference_kind="hidden"),
        _row(human, "anchoring", 0.1),
    ]

    def session(day: date, change: float) -> list[MartRow]:
        return [
            _row(about, f"{part}_krippendorff_alpha", value, start=day, n=n)
            for about, value, *sides in (
                (("pool", "production"), change, 212, 198),
                (vendor, -0.2, 30, 31),
                (("vendor", "few"), 0.3, 6, 200),
            )
            for part, n in zip(("before", "after", "change"), (*sides, sides[1]), strict=True)
        ]

    sessions = [*session(LAST - timedelta(days=8), 0.01), *session(LAST - timedelta(days=1), 0.5)]
    found = habits(repeats=repeats, suggestions=suggestions, sessions=sessions, last=LAST)
    assert found is not None
    assert found.title == "Repeats, suggestions and calibration"
    again, shown, session_text = (line.text for line in found.sentences)
    assert again == (
        "An item that came back to the same person got the same label in 90.0% (87.0\u201393.0%) of "
        "120\u00a0cases; less often for Vendor x, 70.0% (67.0\u201373.0%)."
    )
    assert shown == (
        "With the suggestion shown 90.0% (87.0\u201393.0%) decided as suggested, with it hidden 80.0% "
        "(77.0\u201383.0%): +10.0\u00a0pt (+7.0 to +13.0\u00a0pt) when shown; if it is hidden at random, people lean "
        "on it."
    )
    assert session_text == (
        "Calibration on 11 Nov (newest session with a whole week after it; 2\u00a0sessions in the numbers): \u03b1 of "
        "the week after (198\u00a0items) minus the week before (212\u00a0items) is +0.01 (\u22120.02 to +0.04), no "
        "change that the data can show; of the vendors x \u22120.20 (\u22120.23 to \u22120.17). "
        "Other things change in two weeks too: this does not say that the session did it."
    )
    assert len(found.tables) == 3
    newest, *_, oldest = found.tables[2].rows
    assert (newest[0], newest[5]) == ("18 Nov", "+0.50 (+0.47 to +0.53), so far")
    assert (oldest[1], oldest[2]) == ("Vendor few", "0.30 (0.27\u20130.33), 6\u00a0items")
    open_weeks = habits(repeats=[], suggestions=[], sessions=session(LAST - timedelta(days=6), 0.5), last=LAST)
    assert open_weeks is not None
    assert open_weeks.sentences[0].text == (
        "Calibration: no session has a whole week after it yet; 1\u00a0session in the numbers."
    )
    over = habits(repeats=[], suggestions=[], sessions=session(LAST - timedelta(days=7), 0.5), last=LAST)
    assert over is not None
    assert over.sentences[0].text.startswith("Calibration on 12 Nov (")
    assert over.sentences[0].verdict.glyph == "\u2022"
    none = [*suggestions[:2], suggestions[2]._replace(low=-0.01)]
    quiet = habits(repeats=[], suggestions=none, sessions=[], last=LAST)
    assert quiet is not None
    assert quiet.title == "Suggestions"
    assert quiet.sentences[0].text.endswith("no effect that the data can show.")
    shown_only = habits(repeats=[], suggestions=suggestions[:1], sessions=[], last=LAST)
    assert shown_only is not None
    assert "their effect cannot be told" in shown_only.sentences[0].text
    assert habits(repeats=[], suggestions=[], sessions=[], last=LAST) is None


def test_a_week_without_enough_data_is_visibly_absent() -> None:
    """Stops a gap in a panel from looking like a week that has not come yet."""
    first = date(2026, 10, 5)

    def weeks(*values: float | None) -> list[MartRow]:
        return [
            _row(
                ("pool", "production"), "krippendorff_alpha", value, period="week", start=first + timedelta(days=7 * n)
            )
            for n, value in enumerate(values)
        ]

    rows = {"a": weeks(0.7, 0.7, 0.7, 0.7), "b": weeks(0.8, None, 0.8)}
    span, targets = Span(first, first + timedelta(days=27)), {"a": None, "b": None}
    whole, gaps = agreement_panels(rows, names={"a": "A", "b": "B"}, span=span, targets=targets)
    assert whole.spec is not None
    assert gaps.spec is not None
    assert not [trace for trace in whole.spec["data"] if trace.get("marker", {}).get("symbol") == "circle-open"]
    (absent,) = [trace for trace in gaps.spec["data"] if trace.get("marker", {}).get("symbol") == "circle-open"]
    assert absent["x"] == ["2026-10-15", "2026-10-29"]
    assert set(absent["y"]) == {gaps.spec["layout"]["yaxis"]["range"][0]}
    assert absent["text"][0].endswith("not enough data: too few items")
    assert panels_note(rows, targets=targets, span=span).endswith("\u25cb at the foot: not enough data that week.")
    assert "at the foot" not in panels_note({"a": rows["a"]}, targets=targets, span=span)


def test_a_subject_is_shown_once_whatever_windows_there_are() -> None:
    """Stops a vendor from being listed twice when a late tally makes one more window of 28 days."""
    with fake_warehouse() as con:
        con.execute(
            "insert into marts.agreement select * replace (period_end + 1 as period_end, 0.1 as estimate) "
            "from marts.agreement where period = 'trailing_28d' and subject_kind = 'vendor'"
        )
        rows = read_agreement(Reader(con), market="BR", first=LAST - timedelta(days=60), last=LAST)
    vendors = [row for row in rows.whom["hate"] if row.subject_kind == "vendor"]
    assert [row.estimate for row in vendors] == [0.1] * 3
    assert {queue for queue in rows.whom if any(row.market == "CROSS" for row in rows.whom[queue])} == {
        "hate",
        "spam",
        "minors",
        "nudity",
        "violence",
    }


def test_plotly_knows_every_property(whom: list[MartRow]) -> None:
    """Stops a property that Plotly does not know: it would be dropped without a word."""
    charts = [
        whom_chart(whom, key="w", is_total=False),
        confusion_chart([*_pair("ok / slur", 0.6, 0.05), *_pair("hate / ok", 0.3, -0.02)], key="c", queue=QUEUE),
        vitality_chart([_vitality("a", -0.1), _vitality("b", 0.1)], key="v"),
    ]
    for chart in charts:
        assert chart.spec is not None
        text = json.dumps({"data": chart.spec["data"], "layout": chart.spec["layout"]})
        for role in ("line", "model", "muted", "act", "ink", "grid", "card"):
            text = text.replace(f'"@{role}"', '"#123456"')
        go.Figure(json.loads(text))
