"""The tables that the UI shows of marts: which rows, in which order, and how."""

from datetime import date, timedelta
from typing import Any

import duckdb
import pandas as pd
import pytest

from qa_pipeline.defs.mart_tables import HEADLINES, RANKINGS, Ranking, worst_rows
from qa_pipeline.marts.build import MARTS
from qa_pipeline_tests.tally_tables import DAY, empty_warehouse

DAYS = {"week": 7, "trailing_28d": 28, "day": 1}
# What a row of a mart of its own columns must have to be shown.
SHOWN_ONLY = {"lot_decisions": {"decision": "reject"}}
WITH_INTERVALS = [name for name, ranking in RANKINGS.items() if ranking.order is None]


def _rows(name: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Records of the table that the UI shows of a mart with these rows, which have the ranking's own columns else."""
    ranking = RANKINGS[name]
    con = empty_warehouse()
    columns = (f"{column} {kind}" for column, (kind, _) in MARTS[name].columns.items())
    con.execute(f"create table marts.{name} ({', '.join(columns)})")
    plain = _plain(ranking) | SHOWN_ONLY.get(name, {})
    con.register("given", pd.DataFrame([plain | row for row in rows]))
    con.execute(f"insert into marts.{name} by name from given")
    shown = worst_rows(con, name)
    assert set(shown) <= {ranking.title}
    return [dict(record.data) for table in shown.values() for record in table.records]


def _plain(ranking: Ranking) -> dict[str, Any]:
    return {
        "period": ranking.period,
        "period_start": DAY,
        "period_end": DAY + timedelta(days=DAYS[ranking.period] - 1),
        "market": "AU",
        "queue": "hate",
        "subject_kind": ranking.subject_kinds[0],
        "subject": "x",
        "metric": ranking.metric,
        "reference_kind": "",
        "method": "jackknife",
        "estimate": 0.1,
        "ci_low": 0.0,
        "ci_high": 0.2,
        "n_items": 200,
        "n_ratings": 200,
        "is_provisional": False,
        "reason": None,
    }


def test_every_mart_shows_a_table() -> None:
    """Stops a new mart from showing nothing but its number of rows."""
    assert set(HEADLINES) | set(RANKINGS) == set(MARTS)
    assert not set(HEADLINES) & set(RANKINGS)


@pytest.mark.parametrize("name", WITH_INTERVALS)
def test_the_surest_bad_row_comes_first(name: str) -> None:
    """Stops a wide interval with an extreme estimate, three items say, from leading the table; eight rows at most."""
    sign = -1 if RANKINGS[name].is_low_bad else 1
    wide = {"subject": "wide", "estimate": 0.9 * sign, "ci_low": 0.9 * sign - 1, "ci_high": 0.9 * sign + 1}
    sure = {"subject": "sure", "estimate": 0.5 * sign, "ci_low": 0.5 * sign - 0.1, "ci_high": 0.5 * sign + 0.1}
    good = [{"subject": f"good{place}", "estimate": 0.4 * -sign, "ci_low": -0.6, "ci_high": 0.6} for place in range(9)]
    found = _rows(name, [wide, *good, sure])
    assert [row["estimate"] for row in found[:2]] == [0.5 * sign, 0.9 * sign]
    assert len(found) == 8
    assert found[0]["95 % interval"] == f"{0.5 * sign - 0.1:.3f} to {0.5 * sign + 0.1:.3f}"
    assert 6 <= len(found[0]) <= 7


@pytest.mark.parametrize("name", WITH_INTERVALS)
def test_only_the_newest_rows_of_the_figure_with_an_interval_are_shown(name: str) -> None:
    """Stops roll-ups, other figures, old weeks and gaps from filling the table."""
    old = {"period_end": DAY - timedelta(days=30)}
    other = {"metric": "other"}
    gap = {"estimate": None, "ci_low": None, "ci_high": None, "reason": "too_few_items"}
    kept = {"estimate": 0.125}
    rows: list[dict[str, Any]] = [
        kept,
        old,
        other,
        gap,
        {"market": "ALL"},
        {"market": "CROSS"},
        {"queue": "ALL"},
        {"subject_kind": "site"},
    ]
    assert [row["estimate"] for row in _rows(name, rows)] == [0.125]
    assert _rows(name, [gap]) == []


def test_sessions_of_four_weeks_are_shown_with_their_dates() -> None:
    """Stops all sessions but the newest date's from being left out: queues hold theirs on different dates."""
    sessions = [{"period_end": date(2026, 3, 1)}, {"period_end": date(2026, 3, 28)}, {"period_end": date(2026, 2, 28)}]
    found = _rows("calibration", sessions)
    assert sorted(row["session"] for row in found) == ["2026-03-01", "2026-03-28"]


def test_who_a_row_is_about_is_said() -> None:
    """Stops a vendor from reading like an annotator, or a model version like a pair of people."""
    vendor = {"subject_kind": "vendor", "subject": "v1"}
    assert [row["who"] for row in _rows("rater_vitality", [vendor, {"subject": "a1"}])] == ["annotator a1", "vendor v1"]
    model = {"subject_kind": "model_version", "subject": "m@1"}
    assert [row["pair"] for row in _rows("rater_pairs", [model])] == ["people & m@1"]
    change = {"reference_kind": "other_guideline"}
    assert [row["guideline"] for row in _rows("agreement_change", [change])] == ["other"]


def test_planned_numbers_are_shown_without_an_interval() -> None:
    """Stops the plan's tables from staying empty, or from leading with the queue that needs few reviews more."""
    plan = {"ci_low": None, "ci_high": None, "reason": "planned"}
    takes = [{"subject": f"a{take}", "estimate": float(take)} | plan for take in (1, 7, 3)]
    assert [row["annotator"] for row in _rows("review_plan", takes)] == ["a7", "a3", "a1"]
    needs = [
        {"queue": queue, "subject": "human", "estimate": estimate, "n_items": n} | plan
        for queue, estimate, n in (("much", 900.0, 890), ("enough", 100.0, 300), ("far", 500.0, 20))
    ]
    unknown = {"queue": "unknown", "estimate": None, "ci_low": None, "ci_high": None, "reason": "no_data"}
    shown = _rows("review_needs", [*needs, unknown])
    assert [(row["queue"], row["missing"]) for row in shown] == [("far", 480), ("much", 10), ("enough", 0)]


def test_a_mart_of_queues_has_no_ranking() -> None:
    """Stops the two kinds of table from both being shown, or a query on a mart that is not there."""
    assert worst_rows(duckdb.connect(), "agreement") == {}


def test_only_rejected_lots_are_shown() -> None:
    """Stops accepted lots with a high defect rate by chance from standing among the rejected."""
    assert _rows("lot_decisions", [{"decision": "accept"}, {"decision": None}]) == []
    old = {"period_end": DAY - timedelta(days=6), "subject": "old"}
    assert [row["lot"] for row in _rows("lot_decisions", [{"subject": "new"}, old])] == ["new", "old"]
