"""Checks a figure's specification as Plotly itself does, with colours painted as `assets/pages.js` does."""

import json
from typing import Any

import plotly.graph_objects as go

from qa_pipeline.charts.theme import Chart, figure_json


def valid_spec(chart: Chart) -> dict[str, Any]:
    """The chart's specification after Plotly's own validation; fails on any property it does not know."""
    assert chart.spec is not None
    spec = json.loads(figure_json(chart.spec))
    go.Figure(_painted({"data": spec["data"], "layout": spec["layout"]}))
    assert isinstance(spec, dict)
    return spec


def _painted(node: Any, key: str = "") -> Any:
    """What assets/pages.js does: roles become colours at keys that name a colour, and nowhere else."""
    if isinstance(node, list):
        return [_painted(entry, key) for entry in node]
    if isinstance(node, dict):
        return {name: _painted(value, name) for name, value in node.items()}
    is_role = isinstance(node, str) and node.startswith("@") and key.endswith(("color", "colorscale"))
    return "#123456" if is_role else node
