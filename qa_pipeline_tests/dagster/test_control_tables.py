"""The worst queue's chart and the newest alarms, as the UI shows them."""

import base64
import doctest
from datetime import timedelta
from typing import Any
from xml.etree import ElementTree as ET

import duckdb
import pandas as pd

from qa_pipeline.charts import control_spark
from qa_pipeline.charts.control_spark import ChartPoint
from qa_pipeline.defs.control_tables import control_metadata
from qa_pipeline.marts.build import MARTS
from qa_pipeline_tests.tally_tables import DAY, empty_warehouse

# The UI shows longer Markdown as a link.
INLINE_CHARACTERS = 1000
SVG = "{http://www.w3.org/2000/svg}"


def _warehouse(name: str, rows: list[dict[str, Any]]) -> duckdb.DuckDBPyConnection:
    con = empty_warehouse()
    for mart in ("control_chart", "signals"):
        columns = ", ".join(f"{column} {kind}" for column, (kind, _) in MARTS[mart].columns.items())
        con.execute(f"create table marts.{mart} ({columns})")
    con.register("given", pd.DataFrame(rows))
    con.execute(f"insert into marts.{name} by name from given")
    return con


def _chart(queue: str, *, days: int = 40, height: float = 0.06, **last: Any) -> list[dict[str, Any]]:
    """A queue's p-chart about 0.06 with stepped limits; the last day is at `height` and has the values given."""
    rows: list[dict[str, Any]] = [
        {
            "period": "day",
            "period_start": DAY + timedelta(days=day),
            "period_end": DAY + timedelta(days=day),
            "market": "AU",
            "queue": queue,
            "subject_kind": "rater_kind",
            "subject": "human",
            "metric": "p_chart",
            "estimate": 0.06 + 0.01 * (day % 5 - 2),
            "centre": 0.06,
            "lower_limit": 0.03 - 0.002 * (day % 3),
            "upper_limit": 0.09 + 0.002 * (day % 3),
            "phase": "monitored",
            "direction": "worse",
            "is_alarm": False,
            "p_adjusted": 0.5,
        }
        for day in range(days)
    ]
    rows[-1] |= {"estimate": height, **last}
    return rows


def _drawn(con: duckdb.DuckDBPyConnection) -> tuple[str, ET.Element]:
    words, drawing = control_metadata(con, "control_chart").values()
    assert len(drawing.value) < INLINE_CHARACTERS
    _, _, data = drawing.value.partition("base64,")
    return words, ET.fromstring(base64.b64decode(data.removesuffix(")")))  # noqa: S314 - drawn by ourselves


def test_the_worst_queue_is_drawn_in_under_a_thousand_characters() -> None:
    """Stops a drawing so long that the UI shows a link, one without centre or limits, and the wrong queue."""
    con = _warehouse("control_chart", _chart("calm") + _chart("high", height=0.085) + _chart("zoo"))
    text, svg = _drawn(con)
    assert text.startswith("high in AU: 8.5% on ")
    assert "centre 6.0%, limits 3.0% to 9.0%" in text
    assert len(svg.findall(f"{SVG}path")) == 4
    line = svg.findall(f"{SVG}path")[-1].attrib["d"]
    assert sum(line.count(letter) for letter in "lh") == 27


def test_the_newest_alarm_comes_before_a_high_point() -> None:
    """Stops a point near its limit from hiding an alarm, and an alarm of the average alone from being overlooked."""
    alarm: dict[str, Any] = {"is_alarm": True, "p_adjusted": 0.001}
    con = _warehouse("control_chart", _chart("alarmed", **alarm) + _chart("high", height=0.089))
    text, svg = _drawn(con)
    assert text.startswith("alarmed in AU")
    assert len(svg.findall(f"{SVG}path")) == 5
    average = [_chart("slow")[-1] | alarm | {"metric": "ewma"}]
    text, svg = _drawn(_warehouse("control_chart", _chart("slow") + average + _chart("high", height=0.089)))
    assert text.startswith("slow in AU")
    assert len(svg.findall(f"{SVG}path")) == 4
    better = alarm | {"direction": "better"}
    text, _ = _drawn(_warehouse("control_chart", _chart("mended", **better) + _chart("high", height=0.089)))
    assert text.startswith("high in AU")


def test_the_longest_drawing_still_fits() -> None:
    """Stops a chart whose every step is as long as can be, and names of any length, from passing the limit."""
    rows = _chart("q" * 400, is_alarm=True)
    for place, row in enumerate(rows):
        row |= {"estimate": 0.0 if place % 2 else 0.97, "lower_limit": 0.1, "upper_limit": 0.5 + 0.4 * (place % 2)}
    _, svg = _drawn(_warehouse("control_chart", rows))
    assert len(svg.findall(f"{SVG}path")) == 5


def test_nothing_to_show_is_nothing() -> None:
    """Stops an empty drawing or a failure where no queue is monitored yet, or the mart is another one."""
    con = _warehouse("control_chart", [row | {"phase": "no_baseline"} for row in _chart("new")])
    assert control_metadata(con, "control_chart") == {}
    assert control_metadata(con, "signals") == {}
    assert control_metadata(con, "agreement") == {}


def test_alarms_of_the_newest_date_are_listed_with_their_action() -> None:
    """Stops old alarms and notes from being shown as news."""
    chart = _chart("hate")[-1]
    alarm = {name: value for name, value in chart.items() if name in MARTS["signals"].columns} | {
        "subject_kind": "vendor",
        "subject": "v1",
        "metric": "ewma",
        "is_alarm": True,
        "action": "Hold back",
    }
    con = _warehouse("control_chart", [chart])
    con.register("found", pd.DataFrame([alarm, alarm | {"metric": "nelson_2", "is_alarm": False}]))
    con.execute("insert into marts.signals by name from found")
    old = alarm | {"period_end": DAY, "period_start": DAY}
    con.register("earlier", pd.DataFrame([old]))
    con.execute("insert into marts.signals by name from earlier")
    ((_, table),) = control_metadata(con, "signals").items()
    (record,) = table.records
    assert (record.data["who"], record.data["rule"], record.data["action"]) == ("vendor v1", "ewma", "Hold back")


def test_gaps_break_the_line_and_examples_are_true() -> None:
    """Stops a line drawn through days without a point."""
    points = [ChartPoint(value, 1.0, 0.0, 2.0, is_alarm=False) for value in (1.0, None, 2.0, 2.0)]
    svg = ET.fromstring(control_spark.control_spark(points, label="x"))  # noqa: S314 - drawn by ourselves
    assert svg.findall(f"{SVG}path")[-1].attrib["d"].count("M") == 2
    found = doctest.testmod(control_spark)
    assert (found.failed, found.attempted) == (0, 1)
