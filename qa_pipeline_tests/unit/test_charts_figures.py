"""Figures hold exactly the rows they were given, are valid for Plotly, and let no label become markup."""

import json
from datetime import date, timedelta
from typing import Any

import pytest

from qa_pipeline.charts.agreement_panels import agreement_panels, panels_note
from qa_pipeline.charts.comparisons import accuracy_chart, coefficient_chart, reference_kind, vendor_defect_chart
from qa_pipeline.charts.drift_map import drift_map, subject_name
from qa_pipeline.charts.findings import drift_key
from qa_pipeline.charts.reading import GuidelineChange, MartRow, Volume
from qa_pipeline.charts.theme import figure_json, tick_texts
from qa_pipeline.charts.trends import Span, defect_trend
from qa_pipeline.charts.volume import volume_chart
from qa_pipeline_tests.fake_draws import HOSTILE
from qa_pipeline_tests.fake_marts import mart_row
from qa_pipeline_tests.figure_specs import valid_spec

FIRST = date(2026, 9, 7)
SPAN = Span(FIRST, FIRST + timedelta(days=69))


def _weeks(values: list[float | None], *, provisional_from: int = 99, **more: Any) -> list[MartRow]:
    return [
        mart_row(
            value,
            None if value is None else value - 0.02,
            None if value is None else value + 0.02,
            start=FIRST + timedelta(days=7 * place),
            period="week",
            is_provisional=place >= provisional_from,
            reason="too_few_items" if value is None else None,
            **more,
        )
        for place, value in enumerate(values)
    ]


def test_defect_trend_shows_every_estimate_and_leaves_gaps() -> None:
    """Stops interpolated gaps, a band over them, and provisional points drawn as final."""
    rows = _weeks([0.05, 0.06, None, 0.04, 0.09, 0.1], provisional_from=4)
    rows.append(mart_row(0.08, 0.075, 0.09, period="trailing_28d", end=SPAN.last))
    change = GuidelineChange("BR", "hate", FIRST + timedelta(days=20), HOSTILE["guideline"])
    chart = defect_trend(rows, key="d", span=SPAN, target=0.06, changes=[change])
    spec = valid_spec(chart)
    band, soft_band, line, soft_line, signals, window = spec["data"]
    assert line["y"] == [0.05, 0.06, None, 0.04, None, None]
    # The dashed line starts at the last final point, so that the two join.
    assert soft_line["y"] == [None, None, None, 0.04, 0.09, 0.1]
    assert soft_line["line"]["dash"]
    assert [None in trace["y"] for trace in (band, soft_band)] == [True, False]
    assert sorted(value for value in band["y"] if value is not None)[0] == 0.02
    assert signals["y"] == [0.09, 0.1]
    assert (window["y"], window["x"]) == ([0.08, 0.08], [str(SPAN.last - timedelta(days=27)), str(SPAN.last)])
    assert spec["layout"]["shapes"][0]["y0"] == 0.06
    texts = [entry["text"] for entry in spec["layout"]["annotations"]]
    assert texts[:2] == ["target 6.0%", "<b>28 d 8.0%</b>"]
    assert texts[2].startswith("guideline &lt;svg ")
    assert chart.title == "Defect rate 8.0% (7.5\u20139.0%) is above its target of 6.0%, since 5 Oct"
    assert chart.table is not None
    assert [row[1] for row in chart.table.rows] == ["8.0%", "10.0%", "9.0%", "4.0%", "\u2013", "6.0%", "5.0%"]
    assert [row[4] for row in chart.table.rows][1:5] == ["provisional", "provisional", "final", "too few items"]


@pytest.mark.parametrize("rows", [[], _weeks([None, None])])
def test_no_estimates_give_a_reason_instead_of_a_figure(rows: list[MartRow]) -> None:
    """Stops an empty axis from being shown as if nothing had happened."""
    chart = defect_trend(rows, key="d", span=SPAN, target=0.06, changes=[])
    assert chart.spec is None
    assert chart.reason == ("too few items" if rows else "no data")
    assert chart.title == "Defect rate: not enough data"


def test_agreement_panels_share_one_scale() -> None:
    """Stops each queue from having a scale of its own, on which 0.6 and 0.9 look alike."""
    rows = {"a": _weeks([0.6, 0.62, 0.61], metric="krippendorff_alpha"), "b": _weeks([0.9, 0.91, None]), "c": []}
    panels = agreement_panels(
        rows, names={"a": "A", "b": "B", "c": "C"}, span=SPAN, targets={"a": 0.7, "b": None, "c": 0.7}
    )
    first, second = (valid_spec(panel) for panel in panels[:2])
    assert first["layout"]["yaxis"]["range"] == second["layout"]["yaxis"]["range"] == [0.53, 1.03]
    assert first["layout"]["xaxis"]["range"] == second["layout"]["xaxis"]["range"]
    assert [trace["y"] for trace in second["data"] if trace["mode"] == "lines" and "fill" not in trace] == [
        [0.9, 0.91, None]
    ]
    assert (len(first["layout"]["shapes"]), len(second["layout"]["shapes"])) == (1, 0)
    assert (panels[2].spec, panels[2].reason) == (None, "no data")
    window = mart_row(0.61, 0.58, 0.64, period="trailing_28d", metric="krippendorff_alpha")
    (panel,) = agreement_panels({"a": [*rows["a"], window]}, names={"a": "A"}, span=SPAN, targets={"a": 0.667})
    assert panel.question == "\u03b1 0.61 (0.58\u20130.64), target 0.667, \u25c6\u00a0unreliable"


def test_notes_name_only_what_is_drawn() -> None:
    """Stops a sentence about a target line, provisional dashes or audits that are not on the figure."""
    final, soft = _weeks([0.05, 0.06, 0.07]), _weeks([0.05, 0.06, 0.07], provisional_from=2)
    plain = defect_trend(final, key="d", span=SPAN, target=None, changes=[])
    assert not [word for word in ("target", "can still change", "\u25c6", "guideline") if word in plain.note]
    assert "target" not in plain.question
    full = defect_trend(soft, key="d", span=SPAN, target=0.02, changes=[])
    assert "long dashes: target; short dashes: can still change; \u25c6 whole interval above the target" in full.note
    note = panels_note({"a": final}, targets={"a": None}, span=SPAN)
    assert note.endswith("all panels share one scale.")
    assert panels_note({"a": soft}, targets={"a": 0.7}, span=SPAN).endswith(
        " Long dashes: target. Short dashes: can still change."
    )
    days = [Volume(FIRST, "BR", "hate", 100, 0, 0)]
    volume = volume_chart(days, key="v", span=SPAN, height=240)
    assert "audit" not in volume.note + volume.question


def test_the_middle_of_a_week_just_begun_is_on_the_axis() -> None:
    """On a Monday the week's point lies ahead of the newest day: stops it from falling off the chart."""
    monday = date(2026, 11, 16)
    rows = [mart_row(0.05, 0.04, 0.06, start=monday - timedelta(days=7 * back), period="week") for back in (2, 1, 0)]
    spec = valid_spec(defect_trend(rows, key="d", span=Span(FIRST, monday), target=0.06, changes=[]))
    assert spec["data"][1]["x"][-1] == "2026-11-19" < spec["layout"]["xaxis"]["range"][1]


def _accuracy(subject: str, value: float | None, kind: str = "gold") -> MartRow:
    ends = (None, None) if value is None else (value - 0.03, value + 0.03)
    return mart_row(value, *ends, subject_kind="vendor", subject=subject, metric="accuracy", reference_kind=kind)


def test_intervals_are_sorted_and_hold_their_rows() -> None:
    """Stops alphabetical order, a swapped end, and a vendor's name from becoming markup."""
    rows = [_accuracy("a", 0.9), _accuracy(HOSTILE["vendor"], 0.7), _accuracy("c", 0.8), _accuracy("d", None)]
    chart = accuracy_chart(rows, key="v", overall=_accuracy("human", 0.85), targets={}, noun="Vendor")
    spec = valid_spec(chart)
    assert [trace["x"] for trace in spec["data"]] == [[0.67, 0.7, 0.73], [0.77, 0.8, 0.83], [0.87, 0.9, 0.93]]
    assert spec["layout"]["yaxis"]["ticktext"] == tick_texts([HOSTILE["vendor"], "c", "a"], limit=28)
    assert "<" not in "".join(spec["layout"]["yaxis"]["ticktext"] + spec["narrow"]["ticktext"])
    assert "dotted: all vendors together, 85.0%" in chart.note
    assert chart.title == f"{HOSTILE['vendor']} is less accurate than a and c, by gold answers"
    assert chart.table is not None
    assert [row[0] for row in chart.table.rows] == ["a", "c", HOSTILE["vendor"], "d"]


def test_a_vendor_with_few_judged_decisions_is_hollow() -> None:
    """Stops a verdict on a vendor from 29 decisions, and a comparison against gold where only the mix has enough."""
    few = _accuracy("a", 0.5)._replace(n_items=29)
    rows = [few, _accuracy("b", 0.84), _accuracy("c", 0.8)]
    chart = accuracy_chart(rows, key="v", overall=None, targets=dict.fromkeys("abc", 0.7), noun="Vendor")
    *bars, _ = valid_spec(chart)["data"]
    assert [trace["marker"]["symbol"] for trace in bars] == ["circle-open", "circle", "circle"]
    assert chart.title == "Vendors cannot be told apart by gold answers: their intervals overlap"
    assert "hollow: not enough data, fewer than 30 (a 29)" in chart.note
    alone = accuracy_chart([few], key="v", overall=None, targets={}, noun="Vendor")
    assert (alone.spec, alone.reason) == (None, "fewer than 30 judged decisions (a 29)")
    mixed = [row._replace(reference_kind="any", n_items=400) for row in rows]
    assert reference_kind([*rows[1:], *mixed[1:]]) == "gold"
    assert reference_kind([*rows, *mixed]) == "any"


def test_vendors_by_random_audits_have_the_best_on_top() -> None:
    """Stops a rate of defects from being judged and sorted as an accuracy."""
    rates = {"a": 0.09, "b": 0.05, "c": 0.2}
    rows = [mart_row(rate, rate - 0.02, rate + 0.02, subject=name) for name, rate in rates.items()]
    chart = vendor_defect_chart(rows, key="v", overall=mart_row(0.1), targets=dict.fromkeys(rates, 0.1))
    *bars, strokes = valid_spec(chart)["data"]
    assert [trace["x"][1] for trace in bars] == [0.2, 0.09, 0.05]
    assert [trace["marker"]["symbol"] for trace in bars] == ["diamond", "circle", "circle"]
    assert strokes["x"] == [0.1] * 3
    assert chart.title == "c has more defects than the target of 10.0%, by random audits"
    assert "\u25c6 the whole interval is above target" in chart.note


def test_each_vendor_has_its_own_target() -> None:
    """Stops a vendor from being judged by another one's target, and a title that its target strokes contradict."""
    rows = [_accuracy("a", 0.9), _accuracy("b", 0.84), _accuracy("c", 0.8)]
    targets = {"a": 0.99, "b": 0.85, "c": None}
    chart = accuracy_chart(rows, key="v", overall=None, targets=targets, noun="Vendor")
    *bars, strokes = valid_spec(chart)["data"]
    assert [trace["marker"]["symbol"] for trace in bars] == ["circle", "circle", "diamond"]
    assert list(zip(strokes["x"], strokes["y"], strict=True)) == [(0.85, 1), (0.99, 2)]
    assert chart.title == "a is less accurate than the target of 99.0%, by gold answers"
    assert "upright stroke: target, 85.0% and 99.0%" in chart.note
    assert chart.table is not None
    assert [row[3] for row in chart.table.rows] == ["99.0%", "85.0%", "\u2013"]
    within = accuracy_chart(rows, key="v", overall=None, targets=dict.fromkeys("abc", 0.8), noun="Vendor")
    assert within.title == "c is less accurate than a, by gold answers; the other intervals overlap"


def test_one_comparison_uses_one_reference() -> None:
    """Comparing one vendor against gold with another against audits would compare the references."""
    both = [
        _accuracy("a", 0.9, "gold"),
        _accuracy("a", 0.8, "qa"),
        _accuracy("b", 0.7, "qa"),
        _accuracy("b", None, "gold"),
    ]
    assert reference_kind(both) == "qa"
    assert reference_kind([*both, _accuracy("b", 0.8, "gold")]) == "gold"
    assert reference_kind([_accuracy("a", 0.9, "gold"), _accuracy("b", 0.9, "qa")]) == "any"
    assert reference_kind([]) == "any"


def test_coefficients_stand_side_by_side() -> None:
    """Stops alpha from being shown without observed agreement, and a missing interval from hiding the estimate."""
    rows = [
        mart_row(0.94, 0.92, 0.96, metric="percent_agreement"),
        mart_row(-0.03, reason="too_few_disagreements", metric="krippendorff_alpha"),
        mart_row(0.94, 0.9, 0.97, metric="gwet_ac1"),
    ]
    chart = coefficient_chart(rows, key="c")
    spec = valid_spec(chart)
    assert [trace["x"][1] for trace in spec["data"]] == [-0.03, 0.94, 0.94]
    assert spec["data"][0]["x"] == [None, -0.03, None]
    assert spec["data"][0]["marker"]["symbol"] == "circle-open"
    assert chart.title == (
        "People agree on 94% of pairs; beyond chance, \u03b1 is \u22120.03 (too few disagreements for an interval)"
    )
    assert coefficient_chart([], key="c").spec is None


def _psi(
    day: int, value: float | None, *, metric: str = "psi", subject: str = "human", kind: str = "labels"
) -> MartRow:
    ends = (None, None) if value is None else (value - 0.05, value + 0.05)
    when = FIRST + timedelta(days=day)
    return mart_row(value, *ends, start=when, subject_kind=kind, subject=subject, metric=metric)


def test_drift_map_holds_every_day_and_marks_only_what_moved() -> None:
    """Stops a missing day from being shown as no drift, and a mark on what chance explains."""
    version = HOSTILE["version"]
    moving = (("human", "labels"), (version, "scores"))
    rows = [_psi(60, None), _psi(61, 0.02), _psi(63, 0.3), _psi(64, 0.12)]
    rows += [_psi(day, 0.09, metric="psi_no_drift") for day in (61, 63, 64)]
    rows += [_psi(day, None, subject=subject, kind=kind) for day in range(50, 60) for subject, kind in moving]
    rows += [_psi(64, 0.4, subject=version, kind="scores"), _psi(64, None, subject="none", kind="scores")]
    names = {drift_key(row): subject_name(row) for row in rows}
    chart = drift_map(rows, key="m", span=SPAN, names=names, question="?", caption="PSI by day")
    spec = valid_spec(chart)
    heat, marks = spec["data"]
    assert heat["x"] == [str(FIRST + timedelta(days=day)) for day in range(61, 70)]
    # The interval of 0.12 reaches what chance gives: it stays blue, whatever its size.
    assert heat["z"][0] == [0.02, None, 0.3, 0.099, *[None] * 5]
    assert heat["z"][1] == [None, None, None, 0.4, *[None] * 5]
    assert list(zip(marks["x"], marks["y"], strict=True)) == [
        (str(FIRST + timedelta(days=63)), 0),
        (str(FIRST + timedelta(days=64)), 1),
    ]
    assert "<a" not in json.dumps(heat["text"]) + json.dumps(spec["layout"]["yaxis"]["ticktext"])
    assert chart.title.endswith("; 1 more moved")
    assert chart.note.endswith("Blank: not enough data. Not enough data on any day: Scores of none.")
    assert (
        "PSI 0.120 (0.07\u20130.17): not told apart from no shift at 95%<br>without any shift 0.090"
        in heat["text"][0][3]
    )
    assert chart.table is not None
    assert chart.table.rows[0][1:] == ("0.120 (0.090)", "0.400 \u25c6")
    nothing = drift_map([_psi(61, None)], key="m", span=SPAN, names=names, question="?", caption="")
    assert (nothing.spec, nothing.title) == (None, "Drift: not enough data")
    before = [_psi(day, None) for day in range(54, 61)]
    quiet = drift_map([*before, _psi(61, 0.02)], key="m", span=SPAN, names=names, question="?", caption="")
    assert quiet.title == "No shift on any of the 1\u00a0day judged"
    assert not [word for word in ("\u25c6", "Yellow") if word in quiet.note]
    chance = [_psi(61, 0.3), _psi(61, 0.28, metric="psi_no_drift")]
    wide = drift_map([*before, *chance], key="m", span=SPAN, names=names, question="?", caption="")
    assert wide.title == "No shift on any of the 1\u00a0day judged: PSI up to 0.30, not told apart from no shift at 95%"
    short = drift_map([*before[:6], _psi(61, 0.3)], key="m", span=SPAN, names=names, question="?", caption="")
    assert short.spec is not None
    assert (short.title, len(short.spec["data"])) == (
        "Drift: not judged, the baseline is short: fewer than 7 days",
        1,
    )
    assert "short baseline (6\u00a0days), not judged" in short.spec["data"][0]["text"][0][0]
    assert "Blue, too: short baseline, data on fewer than 7 of the 28 days before." in short.note


def test_volume_panels() -> None:
    """Stops model and human decisions from sharing a scale, and a day without decisions from dividing by zero."""
    days = [Volume(FIRST + timedelta(days=place), "BR", "hate", 100 * place, 5000, 2 * place) for place in range(3)]
    spec = valid_spec(volume_chart(days, key="v", span=SPAN, height=240))
    human, model, share = spec["data"]
    assert (human["y"], model["y"], share["y"]) == ([0, 100, 200], [5000] * 3, [None, 0.02, 0.02])
    assert [trace["yaxis"] for trace in spec["data"]] == ["y", "y2", "y3"]
    domains = [spec["layout"][name]["domain"] for name in ("yaxis", "yaxis2", "yaxis3")]
    assert domains[0][0] > domains[1][1] > domains[1][0] > domains[2][1]
    assert volume_chart([], key="v", span=SPAN, height=240).spec is None


def test_json_in_a_script_element_cannot_end_it() -> None:
    """Stops `</script>` in a label from closing the element, and NaN from reaching JSON.parse."""
    text = figure_json({"a": "</script><!-- & \u2028"})
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text) == {"a": "</script><!-- & \u2028"}
    with pytest.raises(ValueError, match="not JSON compliant"):
        figure_json({"a": float("nan")})
