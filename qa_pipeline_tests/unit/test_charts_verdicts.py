"""The rules of status, and the sentences computed from the rows."""

from datetime import date, timedelta

import pytest

from qa_pipeline.charts import findings, verdicts
from qa_pipeline.charts.measures import ACCURACY, AGREEMENT, DEFECT_RATE, Measure
from qa_pipeline.charts.reading import MartRow, Volume, choose_grain, newest
from qa_pipeline.charts.verdicts import judge
from qa_pipeline.marts.verdicts import VERDICTS
from qa_pipeline_tests.fake_marts import mart_row


@pytest.mark.parametrize(
    ("estimate", "low", "high", "n", "target", "word"),
    [
        (0.084, 0.071, 0.099, 1399, 0.07, "act"),
        (0.084, 0.070, 0.099, 1399, 0.07, "watch"),  # the interval touches the target: no cry of wolf
        (0.070, 0.060, 0.081, 1399, 0.07, "on target"),
        (0.02, 0.01, 0.03, 1399, None, "no target set"),
        (0.10, 0.02, 0.31, 20, 0.05, "not enough data"),
        (0.75, 0.53, 0.89, 20, 0.05, "act"),  # few audits, but nearly all of them wrong
        (0.10, None, None, 900, 0.05, "not enough data"),
        (None, None, None, 0, 0.05, "not enough data"),
    ],
)
def test_one_rule_for_every_measure(
    estimate: float | None, low: float | None, high: float | None, n: int, target: float | None, word: str
) -> None:
    """Stops `act` on an estimate alone, `on target` on three audits, and another rule for agreement: it is mirrored."""
    assert judge(mart_row(estimate, low, high, n=n), target, measure=DEFECT_RATE).word == word

    def mirrored(value: float | None) -> float | None:
        return None if value is None else 1 - value

    row = mart_row(mirrored(estimate), mirrored(high), mirrored(low), n=n)
    for measure in (AGREEMENT, ACCURACY):
        assert judge(row, mirrored(target), measure=measure).word == word
    assert judge(None, target, measure=DEFECT_RATE).word == "not enough data"


def test_a_page_shows_the_mart_s_verdict() -> None:
    """Stops a page from judging a coefficient by a rule of its own, and a verdict by colour alone."""
    row = mart_row(0.7, 0.5, 0.9, metric="krippendorff_alpha")._replace(verdict="tentative")
    found = verdicts.reliability(row)
    assert found is not None
    assert (found.word, found.glyph, found.key) == ("tentative", "\u25b2", "watch")
    assert (verdicts.verdict_text(row), verdicts.verdict_label("x", row)) == ("\u25b2\u00a0tentative", "\u25b2 x")
    across = row._replace(verdict="not enough data")
    assert verdicts.verdict_text(across) == "\u25cb\u00a0too\u00a0close\u00a0to\u00a0call"
    assert verdicts.verdict_key([across, row]) == "\u25b2 tentative, \u25cb too close to call"
    none = across._replace(low=None, high=None)
    assert verdicts.verdict_text(none) == "\u25cb\u00a0not\u00a0enough\u00a0data"
    share = mart_row(0.9, 0.8, 0.95, metric="percent_agreement")
    assert (verdicts.reliability(share), verdicts.verdict_text(None), verdicts.verdict_label("x", share)) == (
        None,
        "",
        "x",
    )
    assert set(verdicts.COEFFICIENT) == set(VERDICTS)
    assert verdicts.verdict_key([row, share, row]) == "\u25b2 tentative"


def test_a_value_beside_its_target_is_not_rounded_onto_it() -> None:
    """Stops "0.80, target 0.80: watch"."""
    assert AGREEMENT.text_beside(0.797, 0.8) == "0.797"
    assert AGREEMENT.text_beside(0.8, 0.8) == "0.80"
    assert AGREEMENT.text_beside(0.797, 0.667) == "0.80"
    assert AGREEMENT.text_beside(0.79997, 0.8) == "0.79997"
    below = mart_row(0.77, 0.73, 0.798, metric="krippendorff_alpha")
    assert findings.agreement_line(below, target=0.8).startswith("\u03b1 0.77 (0.73\u20130.798), target 0.80")
    above = mart_row(0.09, 0.0703, 0.11, period="trailing_28d")
    assert findings.defect_title([], current=above, target=0.07) == (
        "Defect rate 9.0% (7.03\u201311.0%) is above its target of 7.0%"
    )
    assert DEFECT_RATE.text_beside(0.2004, 0.2) == "20.04%"
    assert (DEFECT_RATE.target_text(0.0025), AGREEMENT.target_text(0.667)) == ("0.25%", "0.667")
    assert (DEFECT_RATE.target_text(0.07), DEFECT_RATE.target_text(None)) == ("7.0%", "\u2013")


def test_drift_needs_effect_and_certainty() -> None:
    """Stops a mark on a large PSI of ten items, and on a certain but tiny one."""
    assert verdicts.has_moved(mart_row(0.3, 0.2, 0.4), 0.01)
    assert not verdicts.has_moved(mart_row(0.3, 0.005, 0.6), 0.01)
    assert not verdicts.has_moved(mart_row(0.05, 0.04, 0.06), 0.01)
    assert not verdicts.has_moved(mart_row(0.3), 0.01)
    assert not verdicts.has_moved(mart_row(0.3, 0.2, 0.4), 0.01, baseline_days=6)


def test_defect_titles_follow_the_rows() -> None:
    """Headlines were typed in the sketches: stops a title that its chart does not show."""
    weeks = [
        mart_row(value, value - 0.02, value + 0.02, start=date(2026, 10, 5) + timedelta(days=7 * place), period="week")
        for place, value in enumerate([0.05, 0.06, 0.09, 0.10])
    ]
    now = mart_row(0.084, 0.071, 0.099, period="trailing_28d", end=date(2026, 11, 1))
    title = findings.defect_title(weeks, current=now, target=0.07)
    assert title == "Defect rate 8.4% (7.1\u20139.9%) is above its target of 7.0%, since 19 Oct"
    assert "may be above its target of 8.0%" in findings.defect_title(weeks, current=now, target=0.08)
    assert "meets its target of 9.0%" in findings.defect_title(weeks, current=now, target=0.09)
    assert "meets its target of 20.0%" in findings.defect_title(weeks, current=now, target=0.2)
    assert findings.defect_title(weeks, current=now, target=None).endswith("no target is set")
    few = now._replace(n_items=12, low=0.01)
    assert findings.defect_title(weeks, current=few, target=0.07).startswith("Too few audits to judge")
    assert findings.defect_title([], current=None, target=0.07) == "Defect rate: not enough data"


def test_since_needs_an_unbroken_stretch() -> None:
    """Stops "since" from reaching back over a good week, and from naming a single bad one."""
    rows = [
        mart_row(value, start=date(2026, 11, 1) + timedelta(days=place)) for place, value in enumerate([0.2, 0.01, 0.2])
    ]
    assert findings.above_since(rows, target=0.1) is None
    rows.append(mart_row(0.3, start=date(2026, 11, 4)))
    assert findings.above_since(rows, target=0.1) == date(2026, 11, 3)


def test_agreement_titles() -> None:
    """Stops a title that says all meet their target over a panel whose interval lies below it."""
    good, middling, bad = mart_row(0.9, 0.85, 0.93), mart_row(0.72, 0.69, 0.75), mart_row(0.5, 0.4, 0.6)
    names = {"a": "A", "b": "B", "c": "C"}

    def title(current: dict[str, MartRow | None], target: float | None) -> str:
        return findings.agreement_title(current, names=names, targets=dict.fromkeys(names, target))

    assert title({"a": good, "b": bad, "c": None}, 0.7) == "Agreement: B is below target"
    assert title({"a": middling, "b": bad}, 0.8) == "Agreement: A and B are below target"
    assert title({"a": good, "b": middling}, 0.74) == "Agreement: B may be below target"
    assert title({"a": good, "b": middling, "c": None}, 0.7) == (
        "Agreement meets its target in all 2 queues we can judge"
    )
    assert title({"a": None}, 0.7) == "Agreement: no queue has enough data to judge"
    assert title({"a": bad}, None) == "Agreement beyond chance; no target is set"
    alpha = mart_row(0.72, 0.69, 0.75, metric="krippendorff_alpha")
    found = findings.coefficients_title(mart_row(0.9), alpha=alpha)
    assert found == "People agree on 90% of pairs; beyond chance, \u03b1 is 0.72 (0.69\u20130.75): tentative"
    wide = alpha._replace(low=0.6, verdict="not enough data")
    assert findings.coefficients_title(mart_row(0.9), alpha=wide).endswith("(0.60\u20130.75): too close to call")


def test_comparisons_name_only_what_is_certain() -> None:
    """Stops a ranking of vendors whose intervals overlap, and silence about one that lies below the others."""
    names = {"x": "X", "y": "Y", "z": "Z"}
    x, y, z = (
        mart_row(0.8, 0.75, 0.84, subject="x"),
        mart_row(0.9, 0.86, 0.93, subject="y"),
        mart_row(0.92, 0.9, 0.94, subject="z"),
    )

    def title(rows: list[MartRow], *, measure: Measure = ACCURACY, target: float | None = None) -> str:
        targets = dict.fromkeys(names, target)
        by = "gold answers" if measure is ACCURACY else "random audits"
        return findings.subjects_title(rows, noun="Vendor", measure=measure, by=by, names=names, targets=targets)

    assert title([x, y, z]) == "X is less accurate than Y and Z, by gold answers"
    near = mart_row(0.87, 0.83, 0.895, subject="x")
    assert title([near, y, z]) == "X is less accurate than Z, by gold answers; the other intervals overlap"
    assert title([y, z]) == "Vendors cannot be told apart by gold answers: their intervals overlap"
    assert title([y]) == "Vendor Y: accuracy 90.0% (86.0\u201393.0%), by gold answers"
    assert title([mart_row(None)]) == "Vendors: not enough data to compare, by gold answers"
    # Of a rate of defects the high interval is the bad one.
    assert title([x, y, z], measure=DEFECT_RATE) == (
        "Y and Z have more defects than X, by random audits; the other intervals overlap"
    )
    assert title([x, z], measure=DEFECT_RATE) == "Z has more defects than X, by random audits"
    assert title([x, z], measure=DEFECT_RATE, target=0.85) == (
        "Z has more defects than the target of 85.0%, by random audits"
    )
    # Fewer than 30 judged decisions take no part, whatever their interval says.
    assert title([x._replace(n_items=29), y, z]) == title([y, z])
    assert title([x._replace(n_items=29), y, z], target=0.85) == title([y, z])


def test_volume_titles() -> None:
    """Stops a halved night from being called usual."""
    days = [Volume(date(2026, 11, 1) + timedelta(days=place), "BR", "hate", 100, 0, 0) for place in range(10)]
    assert findings.volume_title(days) == "Volume is as usual: 100\u00a0human decisions on 10 Nov"
    half = Volume(date(2026, 11, 11), "BR", "hate", 40, 0, 0)
    assert findings.volume_title([*days, half]).endswith("60% below the usual day")
    assert findings.volume_title(days[:2]) == "100\u00a0human decisions on 2 Nov"


def test_grain_follows_the_amount_of_data() -> None:
    """Stops a daily line through twelve audits a day, and an empty chart where only weeks have an estimate."""
    days = [mart_row(0.1, 0.0, 0.3, start=date(2026, 11, 1) + timedelta(days=place), n=12) for place in range(14)]
    weeks = [
        mart_row(0.1, 0.05, 0.2, start=date(2026, 10, 5) + timedelta(days=7 * place), period="week", n=84)
        for place in range(4)
    ]
    assert choose_grain([*days, *weeks]) == "week"
    assert choose_grain([row._replace(n_items=300) for row in days] + weeks) == "day"
    assert choose_grain(days) == "day"
    assert choose_grain([]) == "day"
    assert newest([*days, *weeks]) is None
    assert newest(days, period="day") == days[-1]
