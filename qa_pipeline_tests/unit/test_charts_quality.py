"""Sorts of defects, QA's own errors, known answers and lots: right numbers, no claim beyond the intervals."""

from datetime import date, timedelta
from typing import Any

import pytest

from qa_pipeline.charts import truth
from qa_pipeline.charts.comparisons import label_chart
from qa_pipeline.charts.defect_types import WEIGHTED, defect_types
from qa_pipeline.charts.lots import LOTS_SHOWN, lots_card, operating_curve
from qa_pipeline.charts.quality_rows import (
    DoubtfulKey,
    Lot,
    read_doubtful_keys,
    read_funnel,
    read_lots,
    read_points,
    read_signals,
)
from qa_pipeline.charts.reading import MartRow, Reader
from qa_pipeline_tests.fake_marts import empty_warehouse, fake_warehouse, mart_row
from qa_pipeline_tests.figure_specs import valid_spec

DAY = date(2026, 11, 19)


def _row(
    metric: str, estimate: float | None, low: float | None = None, high: float | None = None, **more: Any
) -> MartRow:
    return mart_row(estimate, low, high, metric=metric, period="trailing_28d", end=DAY, **more)


TYPES = [
    _row("defect_rate_critical", 0.002, 0.001, 0.006),
    _row("defect_rate_minor", 0.03, 0.02, 0.04),
    _row("defect_rate_wrong_policy", 0.025, 0.018, 0.034),
    _row("defect_rate_technical", 0.004, 0.002, 0.009),
    _row(WEIGHTED, 58.0, 40.0, 80.0),
]


def test_defect_types_are_bars_with_intervals_per_1000() -> None:
    """Stops a bar without its interval, and shares taken for numbers per 1,000."""
    chart = defect_types(TYPES, key="t")
    assert chart.title == (
        "58.0 severity-weighted defects per 1,000 decisions (40.0\u201380.0); wrong policy is the commonest type"
    )
    spec = valid_spec(chart)
    bars, whiskers = spec["data"]
    assert bars["x"] == [2.0, 30.0, 25.0, 4.0]
    assert whiskers["x"] == [1.0, 6.0, None, 20.0, 40.0, None, 18.0, 34.0, None, 2.0, 9.0, None]
    assert spec["layout"]["yaxis"]["ticktext"] == ["critical", "minor", "wrong policy", "technical"]
    assert chart.table is not None
    assert [row[:3] for row in chart.table.rows][:2] == [
        ("severity-weighted", "58.0", "40.0\u201380.0"),
        ("critical", "2.0", "1.0\u20136.0"),
    ]


def test_overlapping_types_have_no_commonest() -> None:
    """Stops a ranking that the intervals do not bear out, and a figure of nothing."""
    close = [*TYPES[:3], _row("defect_rate_technical", 0.02, 0.012, 0.03)]
    assert defect_types(close, key="t").title == "Defect types; no type is clearly the commonest"
    none = defect_types([_row("defect_rate_critical", None, reason="no_data")], key="t")
    assert (none.spec, none.reason, none.title) == (None, "no data", "Defect types: not enough data")


def test_qa_is_not_truth() -> None:
    """Stops a corrected rate without its interval, and silence where it cannot be corrected."""
    qa = [_row("qa_sensitivity", 0.88, 0.8, 0.93), _row("qa_specificity", 0.97, 0.95, 0.985)]
    assert truth.corrected_sentence(_row(truth.CORRECTED, 0.051, 0.039, 0.064), qa=qa) == (
        "QA is not truth: corrected for QA\u2019s own errors the defect rate is 5.1% (3.9\u20136.4%). Arbitration "
        "says: QA finds 88.0% (80.0\u201393.0%) of the defects and leaves 97.0% (95.0\u201398.5%) of the right "
        "decisions alone."
    )
    assert truth.corrected_sentence(_row(truth.CORRECTED, None, reason="no_arbitration"), qa=[]) == (
        "QA is not truth: the defect rate is not corrected for QA\u2019s own errors (none of QA\u2019s blind "
        "verdicts was reviewed again)."
    )
    assert truth.corrected_sentence(None, qa=qa) == ""


def test_gold_is_told_in_sentences() -> None:
    """Stops a leak claimed across 0, a label without keys left out, and a suspected key without its number."""
    rows = [
        _row("gold_share", 0.02, 0.018, 0.022),
        _row("first_look_accuracy", None, subject_kind="label", subject="unclear", n=0, reason="no_data"),
        _row("first_look_accuracy", 0.9, 0.8, 0.95, subject_kind="label", subject="ok"),
        _row("leak_accuracy_gain", 0.06, 0.02, 0.1),
        _row("leak_speed_up", 0.2, 0.1, 0.3),
    ]
    item = _row("disagreement_with_key", 0.9, 0.7, 0.97, subject_kind="item", subject="i1", reference_kind="ok", n=20)
    keys = [DoubtfulKey(item, "violating", suspected=True)]
    assert truth.gold_sentences(rows, keys=keys) == (
        "2.0% (1.8\u20132.2%) of the decisions were on items with a known answer.",
        "No known answer with the label unclear came up: how often people find it is unknown.",
        (
            "Known answers may have leaked: when they saw an item again, people were right more often, +6.0\u00a0pt "
            "(+2.0 to +10.0\u00a0pt), and 20.0% (10.0\u201330.0%) faster."
        ),
        "One key is perhaps wrong: i1, the key says ok, 90% of 20\u00a0decisions by good annotators violating.",
    )
    assert truth.keys_table(keys).rows[0][:3] == ("i1", "ok", "violating")
    unclear = [_row("leak_accuracy_gain", 0.01, -0.02, 0.04)]
    assert truth.gold_sentences(unclear, keys=[])[0].startswith("No clear sign that known answers leaked")
    assert truth.gold_sentences([], keys=[]) == ()


def test_labels_are_not_held_against_the_target_of_all_decisions() -> None:
    """Stops a rare label from missing a target that was set for all decisions together."""
    rows = [
        _row("accuracy", 0.96, 0.93, 0.98, subject_kind="label", subject="ok", reference_kind="gold"),
        _row("accuracy", 0.7, 0.6, 0.8, subject_kind="label", subject="bad", reference_kind="gold"),
    ]
    chart = label_chart(rows, key="g", overall=_row("accuracy", 0.9, 0.88, 0.92, reference_kind="gold"))
    assert chart.title == "The label bad is found less often than the label ok, by gold answers"
    assert "target" not in chart.note


def _lot(name: str, *, back: int = 0, decision: str = "accept", n: int = 50, accept: int = 5, why: str = "") -> Lot:
    row = mart_row(0.04, 0.01, 0.1, end=DAY - timedelta(days=back), subject_kind="lot", subject=name)
    plan = ("v", "normal", "H", 480, n, accept, n, 2, 2)
    return Lot(row, *plan, decision, decision, why, 0.01, 0.6, 430.0, 44.3, 0.05, 0.11, 0.18)


def test_lots_are_newest_first_rejected_before_accepted() -> None:
    """Stops a rejected lot below the fold, and a lot without a decision from counting as rejected or accepted."""
    found = [
        _lot("v/a"),
        _lot("v/b", decision="reject"),
        _lot("v/c", decision="continue"),
        _lot("v/d", decision="", why="unstated_chances"),
        *(_lot(f"v/old{place}", back=1 + place) for place in range(LOTS_SHOWN)),
    ]
    card = lots_card(found, key="p", shares=(0.04, 0.1))
    assert card is not None
    assert card.title == "1 of 12 lots of 11 Nov to 19 Nov is rejected; 1 needs more reviews"
    assert [line.name for line in card.lines[:4]] == ["v/b", "v/c", "v/a", "v/d"]
    assert card.lines[3].why == "some reviews do not state their chance of being picked"
    assert len(card.lines) == LOTS_SHOWN
    assert card.rest is not None
    assert len(card.rest.rows) == 12 - LOTS_SHOWN
    assert card.costs == [
        "Commonest plan: 50\u00a0reviews of a lot of 480, accepted up to 5\u00a0defects.",
        (
            "A good lot (4.0% defects) is rejected 1.0 times in 100: the other 430 decisions are then reviewed "
            "for nothing."
        ),
        "A bad lot (10.0% defects) is accepted 60.0 times in 100: about 44\u00a0defects then stay in it.",
    ]
    assert lots_card([], key="p", shares=(0.04, 0.1)) is None


def test_the_operating_curve_is_that_of_the_commonest_plan() -> None:
    """Expected: chances of 80 reviews with up to 2 defects, from the binomial distribution's own formula."""
    odd = _lot("v/a", n=20, accept=0)
    card = lots_card([odd, _lot("v/b", n=80, accept=2), _lot("v/c", n=80, accept=2)], key="p", shares=(0.01, 0.05))
    assert card is not None
    line, marks = valid_spec(card.curve)["data"]
    for share, chance in list(zip(line["x"], line["y"], strict=True))[1:40:7]:
        good = 1 - share
        exact = good**80 + 80 * share * good**79 + 3160 * share**2 * good**78
        assert chance == pytest.approx(exact, abs=2e-3)
    assert marks["y"] == [0.95, 0.5, 0.1]
    assert card.curve == operating_curve(_lot("v/c", n=80, accept=2), key="p")


def test_marts_with_columns_of_their_own_are_read_as_they_are() -> None:
    """Stops columns read in another order than the mart's."""
    with fake_warehouse() as con:
        reader = Reader(con)
        points = read_points(reader, subject_kinds=["rater_kind"], since=DAY)
        signals = read_signals(reader, subject_kinds=["rater_kind"], since=DAY)
        funnel = read_funnel(reader, periods=["trailing_28d"], since=DAY)
        lots = read_lots(reader, since=DAY)
        keys = read_doubtful_keys(reader, since=DAY)
        (own,) = con.execute(
            "select count(*) from marts.control_chart where subject = 'human' and period_end = $1", [DAY]
        ).fetchall()
    assert len(points) == own[0]
    assert {point.phase for point in points} == {"monitored", "baseline"}
    assert signals
    assert all(signal.is_alarm and signal.change_date is not None and signal.action for signal in signals)
    assert {point.position for point in funnel} >= {"within"}
    assert {(lot.sample_size, lot.lot_size) for lot in lots} == {(50, 480)}
    assert {(key.row.subject, key.alternative_label) for key in keys} == {("item-4711", "violating")}


@pytest.mark.parametrize("is_absent", [False, True])
def test_marts_that_are_empty_or_absent_give_no_rows(is_absent: bool) -> None:
    """Stops a crash on a home that was never built, or on its first night."""
    with empty_warehouse() as con:
        for table in ("control_chart", "signals", "vendor_funnel", "lot_decisions", "gold_health") if is_absent else ():
            con.execute(f"drop table marts.{table}")
        reader = Reader(con)
        assert not read_points(reader, subject_kinds=["rater_kind"], since=DAY)
        assert not read_signals(reader, subject_kinds=["rater_kind"], since=DAY)
        assert not read_funnel(reader, periods=["trailing_28d"], since=DAY)
        assert not read_lots(reader, since=DAY)
        assert not read_doubtful_keys(reader, since=DAY)
