"""marts.control_chart and marts.signals: sums by pandas, frozen baselines, a vendor's dip, quiet data, families."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest

from qa_pipeline.marts.build import build_marts
from qa_pipeline.marts.control_series import Series, control_series
from qa_pipeline.marts.control_tests import Control, control_tests
from qa_pipeline.marts.reading import read_table
from qa_pipeline.quality_config import BaselineConfig, QualityConfig
from qa_pipeline.stats.control import fit_baseline, opening_baseline, p_limits, rule_one
from qa_pipeline.stats.control_ewma import ewma
from qa_pipeline.stats.control_rare import g_chart
from qa_pipeline.stats.windows import calendar_windows
from qa_pipeline_tests.tally_tables import DAY, SQL_ROOT, MartRow, by, config, empty_warehouse, fill, read_mart

QUEUES = ("hate", "spam")
RATE = 0.06
ALARMS = ("rule_1", "ewma")


def _rows(
    days: int, *, vendors: Sequence[str] = ("v1", "v2", "v3"), queues: Sequence[str] = QUEUES, reviews: int, seed: int
) -> pd.DataFrame:
    """Reviews a day, vendor and queue, by two annotators of the vendor, with a defect rate of RATE."""
    rng = np.random.default_rng(seed)
    cells = [
        {"business_date": DAY + timedelta(days=day), "vendor": vendor, "queue": queue, "rater": f"{vendor}a{place}"}
        for day in range(days)
        for vendor in vendors
        for queue in queues
        for place in range(2)
    ]
    frame = pd.DataFrame(cells)
    frame["reviews"] = rng.poisson(reviews / 2, len(frame))
    frame["defects"] = rng.binomial(frame["reviews"], RATE)
    return frame


def _tally(rows: pd.DataFrame, *, weight: pd.Series | int = 1, **texts: Any) -> pd.DataFrame:
    """Rows of tallies.review_counts: right decisions, and defects that are false negatives."""
    wrong = {"error_category": "false_negative", "label": "no", "verdict_label": "yes"}
    right = rows.assign(n=rows["reviews"] - rows["defects"], error_category="none", w=weight)
    found = pd.concat([right, rows.assign(n=rows["defects"], w=weight, **wrong)])
    found = found[found["n"] > 0].assign(sampling="random", **texts)
    found["weight_ppm"] = found["n"] * found["w"] * 1_000_000
    found["weight_sq_ppm"] = found["n"] * found["w"] ** 2 * 1_000_000
    return found.drop(columns=["reviews", "defects", "w"])


def _build(
    *tallies: pd.DataFrame | list[dict[str, Any]], quality: QualityConfig | None = None
) -> duckdb.DuckDBPyConnection:
    con = empty_warehouse()
    for tally in tallies:
        fill(con, "tallies.review_counts", tally)
    declared = config({queue: ["yes", "no"] for queue in QUEUES}, quality=quality)
    build_marts(con, sql_root=SQL_ROOT, config=declared)
    return con


def _numbers(rows: Sequence[MartRow], *names: str) -> list[list[Any]]:
    """Columns of rows, NULL as NaN."""
    values = [[getattr(row, name, None) if hasattr(row, name) else row.extra[name] for name in names] for row in rows]
    return [[np.nan if value is None else value for value in row] for row in values]


def _wide(values: pd.Series) -> np.ndarray[Any, Any]:
    return values.to_numpy(dtype=np.float64)[:, None]


@pytest.fixture(scope="module")
def weighted() -> tuple[pd.DataFrame, duckdb.DuckDBPyConnection]:
    """50 days of two queues; vendor v1 is reviewed four times less often than the others."""
    rows = _rows(50, reviews=150, seed=1)
    return rows, _build(_tally(rows, weight=rows["vendor"].map({"v1": 4, "v2": 1, "v3": 1})))


@pytest.fixture(scope="module")
def dip() -> duckdb.DuckDBPyConnection:
    """60 days in which v1's defects in hate are 2.4 times as many from day 45 on, at 200 reviews a day."""
    rows = _rows(60, vendors=tuple(f"v{place}" for place in range(1, 7)), reviews=200, seed=2)
    is_dip = (rows["vendor"] == "v1") & (rows["queue"] == "hate") & (rows["business_date"] >= DAY + timedelta(days=45))
    rng = np.random.default_rng(3)
    rows.loc[is_dip, "defects"] = rng.binomial(rows.loc[is_dip, "reviews"], RATE * 2.4)
    return _build(_tally(rows))


def test_points_and_averages_equal_the_statistics_on_sums_by_pandas(
    weighted: tuple[pd.DataFrame, duckdb.DuckDBPyConnection],
) -> None:
    """Stops sums without weights, another baseline, and charts mixed up: weighted counts are rate times Kish's n."""
    rows, con = weighted
    rows = rows.assign(w=rows["vendor"].map({"v1": 4, "v2": 1, "v3": 1}))
    for kind, subject, chosen in (
        ("rater_kind", "human", rows[rows["queue"] == "hate"]),
        ("vendor", "v1", rows[(rows["queue"] == "hate") & (rows["vendor"] == "v1")]),
    ):
        days = chosen.groupby("business_date")
        weight = days.apply(lambda own: (own["reviews"] * own["w"]).sum())
        rate = days.apply(lambda own: (own["defects"] * own["w"]).sum()) / weight
        effective = weight**2 / days.apply(lambda own: (own["reviews"] * own["w"] ** 2).sum())
        x, n = _wide(rate * effective), _wide(effective)
        fitted = fit_baseline(x, n, baseline=opening_baseline(n, days=28))
        limits, point, average = p_limits(n, fitted=fitted), rule_one(x, n, fitted=fitted), ewma(x, n, fitted=fitted)
        about = {"market": "AU", "queue": "hate", "subject_kind": kind, "subject": subject}
        found = read_mart(con, "control_chart", metric="p_chart", **about)
        assert [row.period_end for row in found] == list(weight.index)
        assert [row.extra["phase"] for row in found] == ["baseline"] * 28 + ["monitored"] * 22
        expected = np.hstack([_wide(rate), limits.lower, limits.upper, point.p_value])
        shown = _numbers(found, "estimate", "lower_limit", "upper_limit", "p_value")
        np.testing.assert_allclose(shown, expected, rtol=1e-9)
        np.testing.assert_allclose(_numbers(found, "centre"), fitted.share[0])
        assert [row.n_items for row in found] == days["reviews"].sum().tolist()
        averages = read_mart(con, "control_chart", metric="ewma", **about)
        shown = _numbers(averages, "estimate", "lower_limit", "upper_limit", "p_value")
        expected = np.hstack([average.value, average.limits.lower, average.limits.upper, average.judgement.p_value])
        np.testing.assert_allclose(shown, expected[28:], rtol=1e-9)


def _benjamini_hochberg(p_values: list[float], weights: list[float]) -> list[float]:
    """Adjusted p-values of p / weight as the definition has them, without any cleverness."""
    scaled = sorted(p / w for p, w in zip(p_values, weights, strict=True))
    steps = [q * len(scaled) / (rank + 1) for rank, q in enumerate(scaled)]
    return [
        min([1.0, *(step for q, step in zip(scaled, steps, strict=True) if q >= p / w - 1e-15)])
        for p, w in zip(p_values, weights, strict=True)
    ]


def test_a_night_is_one_family_in_which_kinds_weigh_the_same(
    weighted: tuple[pd.DataFrame, duckdb.DuckDBPyConnection],
) -> None:
    """Stops a family over all nights or kinds on their own, and annotators from drowning vendors.

    Market ALL is market AU again, so it has AU's values and is no test of its own.
    """
    _, con = weighted
    newest = DAY + timedelta(days=49)
    rows = [row for row in read_mart(con, "control_chart") if row.period_end == newest]
    tests = [
        row
        for row in rows
        if row.extra["p_value"] is not None and (row.market == "AU" or row.subject_kind == "annotator")
    ]
    sizes = {kind: sum(row.subject_kind == kind for row in tests) for kind in ("rater_kind", "vendor", "annotator")}
    # Points and averages of two queues and both together; of three vendors likewise; of six annotators.
    assert sizes == {"rater_kind": 6, "vendor": 18, "annotator": 12}
    weights = [len(tests) / 3 / sizes[row.subject_kind] for row in tests]
    expected = _benjamini_hochberg([row.extra["p_value"] for row in tests], weights)
    np.testing.assert_allclose([row.extra["p_adjusted"] for row in tests], expected, rtol=1e-9)
    key = ("market", "queue", "subject_kind", "subject", "metric")
    found = by(rows, *key)
    again = [row for row in rows if row.market == "ALL" and row.subject_kind != "annotator"]
    assert len(again) == 24
    for row in again:
        special = found["AU", row.queue, row.subject_kind, row.subject, row.metric]
        assert row.extra["p_adjusted"] == special.extra["p_adjusted"]
    assert not read_mart(con, "signals", market="ALL", subject_kind="vendor")


def _without_later(con: duckdb.DuckDBPyConnection, mart: str, last: date) -> list[tuple[Any, ...]]:
    """Rows up to a date, of all but annotators, whose charts are kept for 28 days only."""
    query = (
        f"select * exclude (is_provisional) from marts.{mart} where period_end <= ? and subject_kind <> 'annotator' "
        "order by all"
    )
    return con.execute(query, [last]).fetchall()


def test_a_later_day_changes_no_earlier_one() -> None:
    """Stops baselines that move on with the data, and nights judged by what came after them."""
    rows = _rows(45, reviews=100, seed=4)
    rows.loc[rows["business_date"] > DAY + timedelta(days=38), "defects"] *= 2
    rows["defects"] = np.minimum(rows["defects"], rows["reviews"])
    later = rows[rows["business_date"] == DAY].assign(business_date=DAY + timedelta(days=45), defects=0)
    last = DAY + timedelta(days=44)
    before, after = _build(_tally(rows)), _build(_tally(rows), _tally(later))
    for mart in ("control_chart", "signals"):
        assert _without_later(before, mart, last) == _without_later(after, mart, last)
        assert _without_later(before, mart, last)


OPENING = BaselineConfig(days=19)
FIXED = BaselineConfig(start=DAY + timedelta(days=3), end=DAY + timedelta(days=18))


@pytest.mark.parametrize("baseline", [OPENING, FIXED], ids=str)
@pytest.mark.parametrize("days", [18, 19, 20])
def test_nothing_is_judged_before_the_baseline_is_over(baseline: BaselineConfig, days: int) -> None:
    """Stops a day from hiding in what it is compared with, and judgements that the next night would take back.

    Days before fixed dates have nothing to compare with.
    """
    con = _build(_tally(_rows(days, reviews=100, seed=5)), quality=QualityConfig(baseline=baseline))
    about = {"market": "AU", "queue": "hate", "subject_kind": "rater_kind"}
    rows = read_mart(con, "control_chart", metric="p_chart", **about)
    first = 3 if baseline.start else 0
    phases = ["no_baseline"] * first + ["baseline"] * (19 - first) + ["monitored"]
    assert [row.extra["phase"] for row in rows] == phases[:days]
    assert {row.extra["baseline_days"] for row in rows} == {min(days, 19) - first}
    is_judged = days == 20
    assert [row.extra["p_value"] is not None for row in rows] == [False] * (days - 1) + [is_judged]
    assert [row.extra["centre"] is not None for row in rows] == [False] * first + [is_judged] * (days - first)
    (average,) = read_mart(con, "control_chart", metric="ewma", **about)
    assert average.reason == ("control_limits" if is_judged else "short_baseline")


def _control(rows: pd.DataFrame, quality: QualityConfig) -> tuple[Series, Control]:
    """The series and their judgement in the night of the newest of the rows."""
    con = empty_warehouse()
    fill(con, "tallies.review_counts", _tally(rows))
    table = read_table(con, sql_root=SQL_ROOT, name="control_reviews", parameters={})
    series = control_series(table, windows=calendar_windows(np.unique(table.dates)).of_period("day"))
    return series, control_tests(series, quality=quality)


@pytest.mark.parametrize("baseline", [BaselineConfig(days=14), BaselineConfig(), FIXED], ids=str)
def test_a_nights_judgement_is_that_of_every_later_build(baseline: BaselineConfig) -> None:
    """Stops alarms that vanish the next night and dips that the baseline takes in: built night by night over 40 days.

    v1's defects triple from day 15 on and v2's from day 32 on; v3 is reviewed every third day only, so that its
    baseline takes longer.
    """
    rows = _rows(40, vendors=("v1", "v2", "v3"), reviews=60, seed=14)
    day = (pd.to_datetime(rows["business_date"]) - pd.Timestamp(DAY)).dt.days
    begins = rows["vendor"].map({"v1": 15, "v2": 32, "v3": 40})
    rows.loc[day >= begins, "defects"] *= 3
    rows["defects"] = np.minimum(rows["defects"], rows["reviews"])
    kept = (rows["vendor"] != "v3") | (day % 3 == 0)
    rows, day = rows[kept], day[kept]
    quality = QualityConfig(baseline=baseline)
    series, last = _control(rows, quality)
    alarms = 0
    for night in range(1, 40):
        early, control = _control(rows[day <= night], quality)
        assert {name: codes.names for name, codes in early.texts.items()} == {
            name: codes.names for name, codes in series.texts.items()
        }
        until = slice(0, night + 1)
        np.testing.assert_array_equal(control.judged, last.judged[until])
        np.testing.assert_array_equal(control.baseline, last.baseline[until])
        for rule in ALARMS:
            own, later = control.judgement(rule), last.judgement(rule)
            np.testing.assert_allclose(own.p_value, later.p_value[until], rtol=1e-9)
            np.testing.assert_array_equal(own.direction, later.direction[until])
            np.testing.assert_allclose(control.adjusted[rule], last.adjusted[rule][until], rtol=1e-9)
            np.testing.assert_array_equal(control.is_alarm[rule], last.is_alarm[rule][until])
        alarms += sum(int(control.is_alarm[rule][-1].sum()) for rule in ALARMS)
    assert alarms > 0
    assert not (last.judged & last.baseline).any()
    v3 = series.texts["subject"].equal("v3")
    v2 = series.texts["subject"].equal("v2")
    # v3 has reviews on 14 of the 40 days: none is left to judge after the first 14.
    assert last.judged[:, v2].any()
    assert not last.judged[:, v3].any()


def _alarms(con: duckdb.DuckDBPyConnection, **wanted: str) -> list[MartRow]:
    return [row for row in read_mart(con, "signals", **wanted) if row.extra["is_alarm"]]


def test_a_vendors_dip_is_signalled_with_its_date_and_what_to_do(dip: duckdb.DuckDBPyConnection) -> None:
    """Stops late alarms, change dates far off, and advice without vendor, queue, market, date and sort of defect."""
    start = DAY + timedelta(days=45)
    rows = _alarms(dip, subject_kind="vendor", subject="v1", queue="hate", market="AU")
    first = min(row.period_end for row in rows)
    assert start <= first <= start + timedelta(days=2)
    assert {row.extra["direction"] for row in rows} == {"worse"}
    newest = next(row for row in rows if row.metric == "ewma" and row.period_end == DAY + timedelta(days=59))
    assert abs((newest.extra["change_date"] - start).days) <= 1
    assert newest.extra["change_from"] <= start <= newest.extra["change_to"]
    assert newest.extra["rate_since"] == pytest.approx(RATE * 2.4, abs=0.02)
    assert newest.extra["centre"] == pytest.approx(RATE, abs=0.01)
    since = newest.extra["change_date"]
    assert newest.extra["action"] == (
        f"Hold back v1's batches of hate in AU since {since} for a second review and go through false negative "
        'defects, most of all "no" where the review says "yes", with them: '
        f"{newest.extra['rate_since']:.1%} of reviews had a defect since {since}, "
        f"{newest.extra['centre']:.1%} in the baseline."
    )
    others = [row for row in _alarms(dip, subject_kind="vendor") if row.subject != "v1"]
    assert len(others) <= 3


def test_a_queues_alarm_names_the_vendor_that_carries_it(dip: duckdb.DuckDBPyConnection) -> None:
    """Stops a queue's alarm from sending people to everybody where one vendor's own chart says who it is."""
    rows = _alarms(dip, subject_kind="rater_kind", queue="hate", market="AU")
    assert rows
    assert all("Hold back v1's batches of hate in AU since " in row.extra["action"] for row in rows)
    assert all("no other vendor's own chart alarms" in row.extra["action"] for row in rows)


def _after_a_dip(quiet: int, *, reviews: int) -> duckdb.DuckDBPyConnection:
    """Four days at four times the rate from day 30 on, then `quiet` days as in the baseline; six vendors."""
    vendors = tuple(f"v{place}" for place in range(1, 7))
    rows = _rows(34 + quiet, vendors=vendors, queues=("hate",), reviews=reviews, seed=15)
    day = (pd.to_datetime(rows["business_date"]) - pd.Timestamp(DAY)).dt.days
    is_v1 = rows["vendor"] == "v1"
    rows.loc[is_v1 & (day >= 30), "defects"] = (rows["reviews"] * RATE * 4).round().astype(int)
    rows.loc[is_v1 & (day >= 34), "defects"] = (rows["reviews"] * RATE).round().astype(int)
    return _build(_tally(rows))


def test_a_point_back_within_its_limits_asks_to_confirm_first() -> None:
    """Stops "hold back" without a word on the night after a dip has ended, for the vendor and for its queue."""
    con = _after_a_dip(1, reviews=200)
    rows = _alarms(con, subject_kind="vendor", subject="v1", market="AU", queue="hate")
    during = [row for row in rows if row.period_end <= DAY + timedelta(days=33)]
    assert during
    assert all(row.extra["action"].startswith("Hold back v1's batches ") for row in during)
    newest = DAY + timedelta(days=34)
    (after,) = [row for row in rows if row.period_end == newest]
    assert after.metric == "ewma"
    point = by(read_mart(con, "control_chart", metric="p_chart", subject="v1", queue="hate", market="AU"), "period_end")
    assert point[newest].estimate < point[newest].extra["upper_limit"]
    assert after.extra["action"].startswith(
        "Confirm first, with more reviews, that it goes on: the moving average still alarms, but its own point of "
        f"{newest} is back within its limits. If it goes on: Hold back v1's batches of hate in AU since "
    )
    queue = _alarms(con, subject_kind="rater_kind", market="AU", queue="hate")
    assert all(row.extra["action"].startswith("Confirm first") for row in queue if row.period_end == newest)


def test_a_rise_of_everybody_is_not_pinned_on_a_vendor() -> None:
    """Stops an accusation without an alarm: 1.6 times the defects of twelve vendors, seen in sum alone."""
    rows = _rows(40, vendors=tuple(f"v{place:02}" for place in range(12)), queues=("hate",), reviews=60, seed=6)
    is_late = rows["business_date"] >= DAY + timedelta(days=38)
    expected = rows.loc[is_late, "reviews"] * 1.6 * RATE
    rows.loc[is_late, "defects"] = np.floor(expected + np.random.default_rng(60).random(len(expected))).astype(int)
    con = _build(_tally(rows))
    rows_of_queue = _alarms(con, subject_kind="rater_kind", queue="hate", market="AU")
    assert rows_of_queue
    assert not _alarms(con, subject_kind="vendor")
    assert all("as no vendor's own chart alarms" in row.extra["action"] for row in rows_of_queue)


def test_better_is_nothing_to_mend() -> None:
    """Stops a fall of the defect rate from being told like a rise."""
    rows = _rows(40, vendors=("v1",), queues=("hate",), reviews=400, seed=7)
    rows.loc[rows["business_date"] >= DAY + timedelta(days=35), "defects"] = 2
    found = _alarms(_build(_tally(rows)), subject_kind="vendor")
    assert found
    assert {row.extra["direction"] for row in found} == {"better"}
    assert all(row.extra["action"].startswith("Nothing to mend, the rate fell: ") for row in found)
    assert all(row.extra["rate_since"] < row.extra["centre"] for row in found)


def test_quiet_data_seldom_alarm() -> None:
    """Stops charts that cry wolf: of 60 quiet nights in each of two histories hardly any has an alarm.

    The nights of a history share their baselines, so this is no test of the rate; that is test_quiet_nights_study.
    """
    nights = [{row.period_end for row in _alarms(_build(_tally(_rows(88, reviews=120, seed=seed))))} for seed in (8, 9)]
    assert sum(len(each) for each in nights) <= 12


def test_nelsons_rules_are_notes_and_never_alarms(dip: duckdb.DuckDBPyConnection) -> None:
    """Stops run rules, which fire on 1 % of quiet points, from alarming; nine points above the centre are noted."""
    notes = [row for row in read_mart(dip, "signals") if row.metric not in ALARMS]
    assert notes
    for row in notes:
        assert not row.extra["is_alarm"]
        assert row.extra["p_value"] is None
        assert row.extra["action"].startswith("A note, no alarm: ")
    about = {"market": "AU", "queue": "hate", "subject_kind": "vendor", "subject": "v1"}
    runs = [row for row in notes if row.has(metric="nelson_2", **about) and row.extra["direction"] == "worse"]
    # Fifteen days at more than twice the rate: from the ninth on each completes a run.
    assert [row.period_end for row in runs][-7:] == [DAY + timedelta(days=day) for day in range(53, 60)]
    chart = by(read_mart(dip, "control_chart", metric="p_chart", **about), "period_end")
    assert all("nelson_2 above" in chart[row.period_end].extra["patterns"] for row in runs)
    assert all(row.extra["patterns"] == "" for row in chart.values() if row.extra["phase"] == "baseline")


def test_a_short_baseline_says_so() -> None:
    """Stops limits and p-values from 13 of 14 days: the rates remain, what cannot be made has a reason."""
    con = _build(_tally(_rows(14, reviews=100, seed=10)), quality=QualityConfig(baseline=BaselineConfig(days=14)))
    rows = read_mart(con, "control_chart", market="AU", queue="hate", subject_kind="rater_kind")
    points = [row for row in rows if row.metric == "p_chart"]
    assert len(points) == 14
    for row in points:
        assert row.extra["phase"] == "baseline"
        assert [row.extra[name] for name in ("centre", "lower_limit", "upper_limit", "p_value")] == [None] * 4
        assert row.ci_low < row.estimate < row.ci_high
    (average,) = (row for row in rows if row.metric == "ewma")
    assert (average.reason, average.period_end) == ("short_baseline", DAY + timedelta(days=13))
    assert np.isnan(average.estimate)
    assert not read_mart(con, "signals")


def test_rare_defects_are_charted_by_the_reviews_between_them() -> None:
    """Stops points of a day where few defects are expected; without any defect there is nothing between two."""
    rows = _rows(45, vendors=("v1", "v2"), queues=("hate",), reviews=40, seed=11)
    rows.loc[(rows["vendor"] == "v2") & (rows["business_date"] >= DAY + timedelta(days=28)), "defects"] = 0
    con = _build(_tally(rows))
    about = {"market": "AU", "queue": "hate", "subject_kind": "vendor"}
    found = read_mart(con, "control_chart", metric="g_chart", subject="v1", **about)
    days = rows[rows["vendor"] == "v1"].groupby("business_date")[["defects", "reviews"]].sum()
    x, n = _wide(days["defects"]), _wide(days["reviews"])
    fitted = fit_baseline(x, n, baseline=opening_baseline(n, days=28))
    expected = g_chart(x, n, fitted=fitted)
    later = [row for row in found if row.extra["phase"] == "monitored"]
    np.testing.assert_allclose(
        _numbers(later, "estimate", "lower_limit", "upper_limit", "p_value"),
        np.hstack([expected.value, expected.limits.lower, expected.limits.upper, expected.judgement.p_value])[28:],
    )
    assert len(found) == 45
    assert not read_mart(con, "control_chart", metric="p_chart", subject="v1", **about)
    none = read_mart(con, "control_chart", metric="g_chart", subject="v2", **about)[28:]
    assert {(row.reason, row.extra["phase"]) for row in none} == {("no_defects", "monitored")}


def test_annotators_have_four_weeks_of_charts_over_all_their_work() -> None:
    """Stops charts of thousands of annotators for every day there was, or by market and queue."""
    con = _build(_tally(_rows(45, reviews=100, seed=12)))
    rows = read_mart(con, "control_chart", subject_kind="annotator")
    assert {(row.market, row.queue) for row in rows} == {("ALL", "ALL")}
    assert min(row.period_end for row in rows) == DAY + timedelta(days=17)
    models = [{"rater_kind": "model", "rater": "m@1", "vendor": "", "sampling": "random"}]
    con = _build(models)
    found = read_mart(con, "control_chart", metric="p_chart")
    places = {(row.market, row.queue, row.subject) for row in found if row.subject_kind == "model_version"}
    assert places == {("AU", "hate", "m@1")}


def _advice(con: duckdb.DuckDBPyConnection) -> Iterator[str]:
    return (row.extra["action"] for row in _alarms(con, subject_kind="model_version"))


def test_models_are_sent_to_people() -> None:
    """Stops a model from being told like a vendor."""
    rows = _rows(40, vendors=("",), queues=("hate",), reviews=400, seed=13).assign(rater="m@1", rater_kind="model")
    is_late = rows["business_date"] >= DAY + timedelta(days=37)
    rows.loc[is_late, "defects"] = (rows.loc[is_late, "reviews"] * 0.2).astype(int)
    found = list(_advice(_build(_tally(rows.drop_duplicates(["business_date"])))))
    assert found
    assert all(text.startswith("Send what m@1 decides in hate in AU to people, ") for text in found)
