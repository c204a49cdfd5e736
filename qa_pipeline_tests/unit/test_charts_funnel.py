"""The funnel of vendors holds its records, says what they say, and lets no vendor's name become markup."""

import json
import re

import numpy as np
import plotly.graph_objects as go
import pytest

from qa_pipeline.charts.funnel import vendor_funnel_chart
from qa_pipeline.charts.quality_rows import FunnelRow
from qa_pipeline.charts.theme import Chart, Spec, figure_json
from qa_pipeline.stats.funnel import POSITIONS, funnel_limits, positions
from qa_pipeline_tests.fake_draws import HOSTILE
from qa_pipeline_tests.fake_marts import mart_row


def _vendor(name: str, rate: float, effective_n: float | None, *, centre: float = 0.05, n: int = 400) -> FunnelRow:
    row = mart_row(rate, rate - 0.01, rate + 0.01, subject_kind="vendor", subject=name, n=n)
    if effective_n is None:
        return FunnelRow(row, None, centre, None, "")
    limits = funnel_limits(np.array([effective_n]), centre=np.array([centre]))
    place = POSITIONS[positions(np.array([rate]), limits)[0]]
    return FunnelRow(row, effective_n, centre, 1.0, place)


def _valid(chart: Chart) -> Spec:
    """The specification after Plotly's own validation, every colour role replaced."""
    assert chart.spec is not None
    text = str(figure_json(chart.spec))
    spec: Spec = json.loads(text)
    for role in ("line", "band-light", "band", "act", "watch", "good", "ink", "muted", "grid", "card"):
        text = text.replace(f'"@{role}"', '"#123456"')
    go.Figure({key: json.loads(text)[key] for key in ("data", "layout")})
    return spec


def test_points_lie_where_their_position_says() -> None:
    """Stops curves of another function than the mart's: a point named above lies above the band at its place."""
    rows = [
        _vendor("a", 0.12, 300.0),
        _vendor("b", 0.05, 900.0),
        _vendor("c", 0.02, 2000.0),
        _vendor("d", 0.072, 500.0),
    ]
    chart = vendor_funnel_chart(rows, key="f")
    outer, inner, *points = _valid(chart)["data"]
    for each, point in zip(rows, points, strict=True):
        assert [point["x"][1], point["y"][1]] == [each.effective_n, each.row.estimate]
        edges = []
        for band in (outer, inner):
            half = len(band["x"]) // 2
            upper = np.interp(point["x"][1], band["x"][:half], band["y"][:half])
            lower = np.interp(point["x"][1], band["x"][half:][::-1], band["y"][half:][::-1])
            edges.append(point["y"][1] > upper or point["y"][1] < lower)
        assert edges == ["99.8" in each.position, each.position != "within"]
    assert chart.title == "a makes more defects than chance explains"
    assert len(_valid(chart)["layout"]["annotations"]) == 4


@pytest.mark.parametrize(
    ("rates", "title"),
    [
        ((0.05, 0.051), "Vendors differ no more than chance explains"),
        ((0.05, 0.072), "b may make more defects than the others: beyond 95%, within 99.8%"),
        ((0.05, 0.01), "No vendor makes more defects than chance explains; b makes fewer"),
        ((0.12, 0.13), "a and b make more defects than chance explains"),
    ],
)
def test_the_title_says_what_the_limits_say(rates: tuple[float, float], title: str) -> None:
    """Stops a title that blames a vendor between the limits, or names none that is outside."""
    rows = [_vendor(name, rate, 500.0) for name, rate in zip("ab", rates, strict=True)]
    assert vendor_funnel_chart(rows, key="f").title == title


def test_many_vendors_are_named_only_outside_the_limits() -> None:
    """Stops twenty names on top of each other, and one outlier without a name."""
    rows = [_vendor(f"v{place:02}", 0.05, 400.0 + place) for place in range(9)] + [_vendor("bad", 0.15, 500.0)]
    (only,) = _valid(vendor_funnel_chart(rows, key="f"))["layout"]["annotations"]
    assert only["text"] == "bad"


def test_names_are_escaped_and_those_not_judged_are_said() -> None:
    """Stops markup in a vendor's name, and a vendor that silently disappears."""
    rows = [_vendor(HOSTILE["vendor"], 0.15, 500.0), _vendor("few", 0.4, None, n=9), _vendor("b", 0.05, 900.0)]
    chart = vendor_funnel_chart(rows, key="f")
    spec = _valid(chart)
    texts = [entry["text"] for entry in spec["layout"]["annotations"]]
    texts += [re.sub(r"</?b>|<br>", "", text) for trace in spec["data"] for text in trace.get("text", [])]
    assert "<" not in "".join(texts)
    assert "not judged: few" in chart.note
    assert chart.table is not None
    assert [row[0] for row in chart.table.rows] == ["few", HOSTILE["vendor"], "b"]
    assert chart.table.rows[0][4] == "not judged"


def test_without_limits_there_is_a_reason() -> None:
    """Stops an empty funnel, as if all were well."""
    chart = vendor_funnel_chart([_vendor("few", 0.4, None)], key="f")
    assert (chart.spec, chart.title) == (None, "Vendors: not enough data to compare")
    assert chart.reason == "no vendor has enough reviews, and others on the same work, to be judged"
    assert vendor_funnel_chart([], key="f").reason == "no data"
