"""Numbers and lists as text, file names, and small trends."""

import xml.etree.ElementTree as ET
from datetime import date

import pytest

from qa_pipeline.charts import words
from qa_pipeline.charts.naming import market_files, slug
from qa_pipeline.charts.sparkline import HEIGHT, PAD, Point, sparkline
from qa_pipeline_tests.fake_draws import HOSTILE


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "\u2013"), (0.0623, "6.2%"), (0.0, "0.0%"), (1.0, "100.0%"), (-0.05, "\u22125.0%"), (-0.0001, "0.0%")],
)
def test_percent(value: float | None, text: str) -> None:
    """Stops a missing rate from being shown as 0, and "-0.0%"."""
    assert words.percent(value) == text


def test_ranges_use_a_dash_that_cannot_be_taken_for_a_minus() -> None:
    """Stops "-0.12-0.30", which reads as a subtraction."""
    assert words.percent_range(0.05, 0.074) == "5.0\u20137.4%"
    assert words.coefficient_range(0.59, 0.67) == "0.59\u20130.67"
    assert words.coefficient_range(-0.12, 0.3) == "\u22120.12 to 0.30"
    assert words.percent_range(None, 0.1) == ""


def test_an_end_is_not_rounded_onto_what_it_is_held_against() -> None:
    """Stops "0.77 (0.73-0.80), target 0.80: act" and "0.16 lower (0.00-0.35)": the ends would contradict the rule."""
    assert words.coefficient_range(0.73, 0.7981, limits=(0.8,)) == "0.73\u20130.798"
    assert words.coefficient_range(0.73, 0.8, limits=(0.8, None)) == "0.73\u20130.80"
    assert words.coefficient_range(0.6668, 0.9, limits=(0.667, 0.8)) == "0.6668\u20130.90"
    assert words.coefficient_range(0.0004, 0.35, limits=(0.0,)) == "0.0004\u20130.35"
    assert words.percent_range(0.0704, 0.099, limits=(0.07,)) == "7.04\u20139.9%"
    assert words.percent_range(0.07, 0.099, limits=(0.07,)) == "7.0\u20139.9%"
    assert words.signed_range(-0.35, -0.003) == "\u22120.35 to \u22120.003"
    assert words.signed_range(-0.35, 0.0) == "\u22120.35 to 0.00"
    assert words.points_range(0.0002, 0.03) == "+0.02 to +3.0\u00a0pt"
    # What no page can tell apart is not told apart: no endless digits.
    assert words.coefficient_range(0.5, 0.8 - 1e-12, limits=(0.8,)) == "0.50\u20130.800000"


def test_lists_count_what_they_leave_out() -> None:
    """Stops a title from naming forty queues, and from dropping some silently."""
    assert words.join([]) == ""
    assert words.join(["a"]) == "a"
    assert words.join(["a", "b", "c"]) == "a, b and c"
    assert words.join(list("abcdef")) == "a, b, c and 3 more"


def test_plain_words() -> None:
    """Stops "1 rows", clock times in dates, and reason codes that nobody knows."""
    assert words.plural(1, "row") == "1\u00a0row"
    assert words.plural(1234, "row") == "1,234\u00a0rows"
    assert words.day(date(2026, 11, 9)) == "Mon 9 Nov 2026"
    assert words.between_days(date(2026, 11, 3), date(2026, 11, 16)) == "3 and 16 Nov"
    assert words.between_days(date(2026, 10, 30), date(2026, 11, 2)) == "30 Oct and 2 Nov"
    assert words.points(0.004) == "+0.4\u00a0pt"
    assert words.points(-0.00001) == "0.0\u00a0pt"
    assert (words.change(0.031), words.change(-0.2), words.change(-0.001)) == ("+3%", "\u221220%", "0%")
    assert words.bytes_text(20_480) == "20.5 kB"
    assert words.reason_text("too_few_items") == "too few items"
    assert words.reason_text("some_new_reason") == "some new reason"
    assert words.reason_text(None) == "no data"
    assert words.short("a" * 30, limit=10) == "a" * 9 + "\u2026"
    assert words.short("two\nlines\x00") == "two lines"
    assert words.squeeze("Scores of policy_judge@2026-09", limit=16) == "Scores o\u20262026-09"
    assert words.squeeze("short", limit=16) == "short"


def test_plot_text_leaves_no_tag_to_plotly() -> None:
    """Plotly renders <b> and <a href>: stops a label from becoming markup in a chart."""
    assert words.plot_text(HOSTILE["market"]) == "&lt;img src=x onerror=alert(1)&gt;"


@pytest.mark.parametrize(
    "code", [HOSTILE["market"], "../../etc", "..", "a b", "\u00e9t\u00e9", "x" * 80, "CON:", "&amp;"]
)
def test_odd_codes_give_plain_file_names(code: str) -> None:
    """Stops a market's code from leaving the reports folder or from breaking a link."""
    name = slug(code)
    assert name.isascii()
    assert all(letter.isalnum() or letter in "-_" for letter in name)
    assert 0 < len(name) <= 60
    assert slug("BR") == "BR"
    assert slug("a/b") != slug("a:b")


def test_codes_that_differ_in_case_keep_their_own_page() -> None:
    """On a disk that ignores case br and BR would overwrite each other."""
    files = market_files(["br", "BR", "de"])
    assert files["BR"] == "market-BR.html"
    assert files["de"] == "market-de.html"
    assert len({name.casefold() for name in files.values()}) == 3


def _paths(svg: str, name: str) -> list[str]:
    return [element.attrib["d"] for element in ET.fromstring(svg).iter() if element.attrib.get("class") == name]  # noqa: S314 (our own text)


def test_sparkline_scale_gap_and_provisional_part() -> None:
    """Stops a gap from being bridged, a value from leaving its scale, and provisional points from looking final."""
    points = [Point(0.0), Point(0.1), Point(None), Point(0.05), Point(0.2, is_provisional=True)]
    svg = sparkline(points, low=0.0, high=0.1, target=0.05, status="act")
    (final,) = _paths(svg, "spark-line")
    assert final == f"M{PAD:.1f} {HEIGHT - PAD:.1f}L25.5 {PAD:.1f}"
    (soft,) = _paths(svg, "spark-soft")
    # 0.2 is outside the scale and is drawn at its edge; the dashed part starts at the last final point.
    assert soft == f"M70.5 {HEIGHT / 2:.1f}L93.0 {PAD:.1f}"
    assert len(_paths(svg, "spark-target")) == 1
    assert 'class="spark-end is-act"' in svg
    assert 'aria-hidden="true"' in svg


def test_sparkline_of_nothing_and_of_one_value() -> None:
    """Stops a division by zero, and a lone point from being drawn as a trend."""
    assert ET.fromstring(sparkline([], low=0, high=0, target=None)).tag == "svg"  # noqa: S314 (our own text)
    lone = sparkline([Point(0.3), Point(None), Point(0.2), Point(None)], low=0, high=1, target=None)
    assert "spark-line" not in lone
    assert lone.count("spark-dot") == 2


def test_standalone_sparkline_fits_inline_metadata() -> None:
    """Dagster shows Markdown inline only under 1,000 characters; a hostile label may not break out of the SVG."""
    points = [Point(0.01 * place) for place in range(12)]
    svg = sparkline(points, low=0, high=0.2, target=0.1, label='"><script>', is_standalone=True)
    assert len(svg) < 1000
    assert "<script>" not in svg
    assert 'stroke="#0072B2"' in svg
