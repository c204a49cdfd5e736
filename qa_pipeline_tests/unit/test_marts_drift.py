"""marts.drift: baselines, reasons, roll-ups, labels, predictions and scores."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import duckdb
import numpy as np
import pytest

from qa_pipeline.marts.build import build_marts
from qa_pipeline.stats.drift import PSI_FLOOR
from qa_pipeline_tests.tally_tables import DAY, SQL_ROOT, MartRow, by, config, empty_warehouse, fill, read_mart

METRICS = ("psi", "js_divergence", "total_variation")
LABELS = ("yes", "no", "maybe")


def _build(con: duckdb.DuckDBPyConnection) -> None:
    build_marts(con, sql_root=SQL_ROOT, config=config({"hate": LABELS, "spam": LABELS}, markets=("AU", "GB")))


def _decisions(
    rng: np.random.Generator, *, day: int, n: int, shares: Mapping[str, float], **texts: Any
) -> list[dict[str, Any]]:
    """Decisions of one day by label and replicate."""
    labels, weights = list(shares), np.array(list(shares.values()))
    drawn = rng.multinomial(n, np.repeat(weights / weights.sum() / 20, 20)).reshape(len(labels), 20)
    return [
        {"business_date": DAY + timedelta(days=day), "label": label, "replicate": group, "n": int(drawn[place, group])}
        | texts
        for place, label in enumerate(labels)
        for group in range(20)
        if drawn[place, group]
    ]


QUIET = {"yes": 0.3, "no": 0.6, "maybe": 0.1}


def _day(con: duckdb.DuckDBPyConnection, day: int, **wanted: str) -> dict[str, MartRow]:
    chosen = {"period": "day", "market": "AU", "queue": "hate", "subject_kind": "labels"} | wanted
    rows = [row for row in read_mart(con, "drift", **chosen) if row.period_start == DAY + timedelta(days=day)]
    return by(rows, "metric")


def test_a_shift_is_found_on_its_day_and_quiet_days_are_quiet() -> None:
    """Stops a baseline that holds the day itself, or another market: the shift of day 30 stands out, 31 is quiet."""
    rng = np.random.default_rng(1)
    con = empty_warehouse()
    for day in range(32):
        shares = {"yes": 0.55, "no": 0.35, "maybe": 0.1} if day == 30 else QUIET
        fill(con, "tallies.label_counts", _decisions(rng, day=day, n=800, shares=shares))
        fill(con, "tallies.label_counts", _decisions(rng, day=day, n=800, shares=QUIET, market="GB"))
    _build(con)
    shifted, after, elsewhere = _day(con, 30), _day(con, 31), _day(con, 30, market="GB")
    true_psi = (0.55 - 0.3) * np.log(0.55 / 0.3) + (0.35 - 0.6) * np.log(0.35 / 0.6)
    assert shifted["psi"].ci_low < true_psi < shifted["psi"].ci_high
    assert shifted["total_variation"].estimate == pytest.approx(0.25, abs=0.06)
    for metric in METRICS:
        assert shifted[metric].method == "jackknife"
        assert shifted[metric].ci_low > 0
        assert shifted[metric].ci_low > max(after[metric].estimate, elsewhere[metric].estimate)
    assert after["psi"].ci_low == elsewhere["psi"].ci_low == 0


def test_the_baseline_is_the_28_days_before() -> None:
    """Stops a baseline of 27 or 29 days: of 30 days only the first differs, and it is 29 days before the last."""
    con = empty_warehouse()
    odd = [{"business_date": DAY, "label": "yes", "replicate": place % 20, "n": 50} for place in range(20)]
    fill(con, "tallies.label_counts", odd)
    for day in range(1, 31):
        rows = [
            {"business_date": DAY + timedelta(days=day), "label": label, "replicate": place % 20, "n": n}
            for place in range(20)
            for label, n in (("yes", 3 + place % 2), ("no", 6 - place % 2))
        ]
        fill(con, "tallies.label_counts", rows)
    _build(con)
    assert _day(con, 28)["total_variation"].estimate > 0.1
    assert _day(con, 29)["total_variation"].estimate == pytest.approx(0, abs=1e-12)
    # 180 decisions on the day, 28 days of 180 before it, two labels.
    assert _day(con, 29)["psi_no_drift"].estimate == pytest.approx(1 / 180 + 1 / (28 * 180))


def test_reasons() -> None:
    """Stops silent zeros: no baseline, too few, one label only; the expectation says that it is one."""
    rng = np.random.default_rng(2)
    con = empty_warehouse()
    fill(con, "tallies.label_counts", _decisions(rng, day=0, n=500, shares=QUIET))
    fill(con, "tallies.label_counts", _decisions(rng, day=1, n=90, shares=QUIET))
    fill(con, "tallies.label_counts", _decisions(rng, day=2, n=500, shares=QUIET))
    fill(con, "tallies.label_counts", _decisions(rng, day=0, n=500, shares={"no": 1}, queue="spam"))
    fill(con, "tallies.label_counts", _decisions(rng, day=1, n=500, shares={"no": 1}, queue="spam"))
    fill(con, "tallies.label_counts", _decisions(rng, day=2, n=500, shares={"no": 0.995, "yes": 0.005}, queue="spam"))
    _build(con)
    expected = {0: "no_baseline", 1: "too_few_items"}
    for day, reason in expected.items():
        for row in _day(con, day).values():
            assert row.reason == reason
            assert np.isnan(row.estimate)
    assert _day(con, 2)["psi"].reason == ""
    assert _day(con, 2)["psi_no_drift"].reason == "expectation"
    assert {row.reason for row in _day(con, 1, queue="spam").values()} == {"one_label_only"}
    rare = _day(con, 2, queue="spam")["psi"]
    assert rare.reason == "too_few_events"
    assert rare.estimate >= 0
    assert np.isnan(rare.ci_low)


def test_labels_and_predictions_are_subjects_of_their_own() -> None:
    """Stops model decisions from entering the human mix, and versions of a model from being mixed."""
    rng = np.random.default_rng(3)
    con = empty_warehouse()
    for day in range(2):
        fill(con, "tallies.label_counts", _decisions(rng, day=day, n=300, shares=QUIET))
        for version in ("m@1", "m@2"):
            model = {"rater_kind": "model", "model_version": version, "vendor": ""}
            fill(con, "tallies.label_counts", _decisions(rng, day=day, n=200, shares=QUIET, **model))
    _build(con)
    rows = read_mart(con, "drift", period="day", market="ALL", queue="ALL", metric="psi")
    newest = [row for row in rows if row.period_start == DAY + timedelta(days=1)]
    found = {(row.subject_kind, row.subject): row.n_ratings for row in newest}
    assert found == {("labels", "human"): 300, ("predictions", "m@1"): 200, ("predictions", "m@2"): 200}


def test_roll_up_over_queues_sees_a_change_in_their_mix() -> None:
    """Stops labels of two queues that share a code from cancelling out: the mix of queues is drift at queue ALL."""
    rng = np.random.default_rng(4)
    con = empty_warehouse()
    for day, sizes in ((0, (1000, 1000)), (1, (1600, 400))):
        for queue, n in zip(("hate", "spam"), sizes, strict=True):
            fill(con, "tallies.label_counts", _decisions(rng, day=day, n=n, shares=QUIET, queue=queue))
    _build(con)
    assert _day(con, 1, queue="ALL")["total_variation"].estimate == pytest.approx(0.3, abs=0.03)
    assert _day(con, 1, queue="hate")["total_variation"].estimate < 0.06


def _scores(rng: np.random.Generator, *, day: int, items: int, shift: int) -> list[dict[str, Any]]:
    """Score bins of two labels that mirror each other, as a classifier's do."""
    bins = np.clip(rng.normal(1000 + shift, 120, items).astype(int), 0, 2047)
    found, counts = np.unique(bins, return_counts=True)
    when = {"business_date": DAY + timedelta(days=day), "model_version": "m@1"}
    return [
        when | {"label": label, "bin": place, "n": int(count)}
        for bin_, count in zip(found, counts, strict=True)
        for label, place in (("yes", int(bin_)), ("no", 2047 - int(bin_)))
    ]


def _scored_warehouse(*, shift: int, decided: bool) -> duckdb.DuckDBPyConnection:
    rng = np.random.default_rng(5)
    con = empty_warehouse()
    model = {"rater_kind": "model", "model_version": "m@1", "vendor": ""}
    for day in range(10):
        items = 600
        fill(con, "tallies.score_hist", _scores(rng, day=day, items=items, shift=shift if day == 9 else 0))
        if decided:
            fill(con, "tallies.label_counts", _decisions(rng, day=day, n=items, shares=QUIET, **model))
    _build(con)
    return con


@pytest.mark.parametrize(("shift", "is_drift"), [(0, False), (90, True)])
def test_score_drift(shift: int, is_drift: bool) -> None:
    """Stops score drift from missing a shift or crying wolf; bins hold a tenth of the baseline each, for each label."""
    con = _scored_warehouse(shift=shift, decided=True)
    rows = _day(con, 9, subject_kind="scores")
    assert rows["psi"].method == "multinomial_delta"
    assert rows["psi"].n_items == 600
    assert rows["psi"].n_ratings == 1200
    # Two labels in ten bins each, 1,200 scores against 9 * 1,200.
    assert rows["psi_no_drift"].estimate == pytest.approx(19 * (1 / 1200 + 1 / 10800))
    assert (rows["psi"].ci_low > 0.2) is is_drift
    assert (rows["psi"].ci_low == 0) is not is_drift
    everywhere = _day(con, 9, subject_kind="scores", market="ALL", queue="ALL")
    assert everywhere["psi"].estimate == pytest.approx(rows["psi"].estimate, rel=1e-12)


def test_scores_without_decisions_count_the_fullest_label_as_items() -> None:
    """Stops scores of several labels of an item from counting as independent where decisions are not known."""
    rows = _day(_scored_warehouse(shift=0, decided=False), 9, subject_kind="scores")
    assert rows["psi"].n_items == 600


def test_quantile_bins_split_the_baseline_evenly() -> None:
    """Stops equal-width bins: with a baseline piled up near 1, a small change there is still seen."""
    con = empty_warehouse()
    for day in range(2):
        rows = [
            {"business_date": DAY + timedelta(days=day), "model_version": "m@1", "bin": 2000 + 2 * step, "n": n}
            for step in range(20)
            for n in [100 if day == 0 else (150 if step < 10 else 50)]
        ]
        fill(con, "tallies.score_hist", rows)
    _build(con)
    found = _day(con, 1, subject_kind="scores")
    # Half of the mass 0.75 against 0.5: whatever even bins there are, a quarter of it moved.
    assert found["total_variation"].estimate == pytest.approx(0.25)


def test_weeks_compare_with_the_28_days_before_monday() -> None:
    """Stops weekly drift from using days of the week itself as baseline."""
    rng = np.random.default_rng(6)
    con = empty_warehouse()
    for day in range(14):
        shares = QUIET if day < 7 else {"yes": 0.6, "no": 0.3, "maybe": 0.1}
        fill(con, "tallies.label_counts", _decisions(rng, day=day, n=300, shares=shares))
    _build(con)
    chosen = {"period": "week", "market": "AU", "queue": "hate", "metric": "total_variation"}
    weeks = by(read_mart(con, "drift", **chosen), "period_start")
    assert weeks[date(2026, 3, 2)].reason == "no_baseline"
    assert weeks[date(2026, 3, 9)].estimate == pytest.approx(0.3, abs=0.03)


def test_the_floor_is_published() -> None:
    """Stops the floor from being changed without its comment: readers are told 0.0001."""
    con = empty_warehouse()
    _build(con)
    ((comment,),) = con.execute("select comment from duckdb_tables() where table_name = 'drift'").fetchall()
    assert PSI_FLOOR == 0.0001
    assert "floored at 0.0001" in comment
