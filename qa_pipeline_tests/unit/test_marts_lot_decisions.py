"""marts.lot_decisions: plans, switching inspection, which reviews count, what errors cost, and vendors' shares."""

from datetime import date, timedelta
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from scipy import stats as scipy_stats

from qa_pipeline.marts.build import build_marts
from qa_pipeline.quality_config import AcceptanceConfig, QualityConfig
from qa_pipeline.stats.acceptance_risk import error_consequences, quality_at
from qa_pipeline.stats.proportions import wilson
from qa_pipeline.stats.weighted_means import mean_interval, sums_of_classes
from qa_pipeline_tests.tally_tables import DAY, SQL_ROOT, MartRow, by, config, empty_warehouse, fill, read_mart

Rows = list[dict[str, Any]]


def _lot(lot: str, size: int, reviewed: int = 0, places: tuple[int, ...] = (), **texts: Any) -> Rows:
    """Rows of tallies.lot_counts: a lot of `size` decisions with defects at these places of its reviews.

    Reviewed on the lot's own date, unless `texts` say otherwise.
    """
    own = {
        "lot": lot,
        "reviewed_on": texts.get("business_date", DAY),
        "weight_ppm": 0,
        "weight_sq_ppm": 0,
        "max_weight_ppm": 0,
    } | texts
    sound = reviewed - len(places)
    weight = texts.get("weight", 20)
    one = {"sort": "review", "weight_ppm": weight * 10**6, "weight_sq_ppm": weight**2 * 10**6}
    one["max_weight_ppm"] = one["weight_ppm"]
    one["sort"] = texts.get("sort", "review")
    for name in ("weight", "sort"):
        own.pop(name, None)
    rows = [own | {"n": size}]
    if sound:
        sums = {name: sound * one[name] for name in ("weight_ppm", "weight_sq_ppm")}
        rows.append(own | one | sums | {"n": sound})
    found = own | one | {"severity": "major", "is_defect": True}
    return rows + [found | {"place": place if one["sort"] == "review" else 0} for place in places]


def _mart(rows: Rows, acceptance: AcceptanceConfig | None = None) -> duckdb.DuckDBPyConnection:
    """Marts of lots; every date of a lot has decisions."""
    con = empty_warehouse()
    fill(con, "tallies.lot_counts", rows)
    fill(
        con, "tallies.label_counts", [{"business_date": day} for day in {row.get("business_date", DAY) for row in rows}]
    )
    quality = QualityConfig(acceptance=acceptance or AcceptanceConfig())
    build_marts(
        con,
        sql_root=SQL_ROOT,
        config=config({"hate": ["yes", "no"], "spam": ["yes", "no"]}, markets=("AU", "GB"), quality=quality),
    )
    return con


def _lots(rows: Rows, acceptance: AcceptanceConfig | None = None) -> dict[str, MartRow]:
    """Rows of the mart about lots, by vendor/batch_id."""
    found: dict[str, MartRow] = by(read_mart(_mart(rows, acceptance), "lot_decisions", subject_kind="lot"), "subject")
    return found


def _said(row: MartRow, *columns: str) -> tuple[Any, ...]:
    return tuple(row.extra[column] for column in columns)


@pytest.mark.parametrize(
    ("size", "aql", "places", "expected"),
    [
        # ISO 2859-1, table 2-A as in MIL-STD-105E: K at 1.0 is 125 and 3, J at 1.0 is 80 and 2, J at 4.0 is 80 and 7.
        (3200, 1.0, (3, 70, 125), ("K", 125, 3, "accept")),
        (3200, 1.0, (3, 70, 99, 125), ("K", 125, 3, "reject")),
        (1000, 1.0, (1, 2), ("J", 80, 2, "accept")),
        (1000, 1.0, (1, 2, 80), ("J", 80, 2, "reject")),
        (1000, 4.0, (1, 2, 3, 4, 5, 6, 7), ("J", 80, 7, "accept")),
        # The arrow of D at 4.0 leads down to E: 13 and 1.
        (60, 4.0, (1, 2), ("E", 13, 1, "reject")),
        # Of a lot no larger than the plan's sample all is reviewed.
        (2, 4.0, (), ("B", 2, 0, "accept")),
    ],
)
def test_printed_plans_decide(size: int, aql: float, places: tuple[int, ...], expected: tuple[Any, ...]) -> None:
    """Stops another plan than the standard's for the lot's size, or another rule than at most Ac defects."""
    rows = _lot("b1", size, expected[1], places)
    row = _lots(rows, AcceptanceConfig(aql_percent=aql))["v1/b1"]
    assert _said(row, "code_letter", "sample_size", "accept_number", "decision") == expected
    assert _said(row, "vendor", "inspection", "lot_size", "reviewed") == ("v1", "normal", size, expected[1])
    assert _said(row, "defects", "sample_defects", "decision_reason") == (len(places), len(places), None)


def test_a_queue_may_have_its_own_limit() -> None:
    """Stops the limit of all queues from being used where a queue has one."""
    rows = [*_lot("b1", 1000), *_lot("b2", 1000, queue="spam")]
    found = _lots(rows, AcceptanceConfig(queue_aql_percent={"spam": 1.0}))
    assert [found[f"v1/{lot}"].extra["accept_number"] for lot in ("b1", "b2")] == [7, 2]


def test_reviews_beyond_the_sample_change_no_decision() -> None:
    """Stops a lot from being reviewed until the result suits: only the first n completed are the plan's sample."""
    accepted, rejected = (1, 2, 3, 4, 5, 6, 7, 81, 82, 200), (1, 2, 3, 4, 5, 6, 7, 80)
    found = _lots(_lot("b1", 1000, 300, accepted) + _lot("b2", 1000, 900, rejected))
    one, other = found["v1/b1"], found["v1/b2"]
    assert _said(one, "decision", "defects", "sample_defects", "reviewed") == ("accept", 10, 7, 300)
    assert _said(other, "decision", "defects", "sample_defects", "reviewed") == ("reject", 8, 8, 900)
    # Wald's test sees them all: 8 of 900 is far below the 4 % that it asks about.
    assert other.extra["sequential_decision"] == "accept"


@pytest.mark.parametrize(
    ("reviewed", "places", "decision"),
    [
        (0, (), "continue"),
        (7, (1, 2, 3, 4, 5, 6, 7), "continue"),
        (8, (1, 2, 3, 4, 5, 6, 7, 8), "reject"),
        (72, (), "continue"),
        (73, (), "accept"),
        (79, (4, 5, 6, 7, 8, 9), "accept"),
        (79, (4, 5, 6, 7, 8, 9, 10), "continue"),
    ],
)
def test_a_lot_is_decided_as_soon_as_the_missing_reviews_cannot_change_it(
    reviewed: int, places: tuple[int, ...], decision: str
) -> None:
    """Stops waiting for reviews that could change nothing, and deciding before that (80 reviews, at most 7 defects)."""
    assert _lots(_lot("b1", 1000, reviewed, places))["v1/b1"].extra["decision"] == decision


def test_wald_decides_at_his_lines() -> None:
    """Stops other shares or risks than the settings', and reviews beyond the sample from being left out.

    Montgomery, Introduction to Statistical Quality Control: 0.01, 0.06, 0.05, 0.10 accept first after 44 reviews
    without a defect and reject after 2 of 2.
    """
    settings = AcceptanceConfig(aql_percent=1.0, good_share=0.01, bad_share=0.06)
    places = (1, 2, 3, 100, 150, 180, 200)
    lots: list[tuple[str, int, int, tuple[int, ...]]] = [("b1", 1000, 43, ()), ("b2", 1000, 44, ())]
    lots += [("b3", 1000, 2, (1, 2)), ("b4", 1000, 240, places), ("b5", 240, 239, places), ("b6", 240, 240, places)]
    found = _lots([row for lot in lots for row in _lot(*lot)], settings)
    said = [found[f"v1/{lot}"].extra["sequential_decision"] for lot, *_ in lots]
    # Between the lines the test goes on, however many reviews there are (or its risks would not be those asked for),
    # until all of the lot is reviewed: 7 <= 0.02811 * 240 = 6.7 does not hold, so it is rejected.
    assert said == ["continue", "accept", "reject", "continue", "continue", "reject"]


def _series(outcomes: str, **texts: Any) -> Rows:
    """A lot a day: `a` has no defect in 125 reviews, `r` 9, `c` 5 reviews; `.` is a day without a lot.

    Nine are too many at 4 percent for the 80 reviews of either inspection.
    """
    rows: Rows = []
    for place, outcome in enumerate(outcomes):
        own = texts | {"business_date": DAY + timedelta(days=place)}
        if outcome == ".":
            continue
        if outcome in "ar":
            rows += _lot(f"b{place:02d}", 1000, 125, tuple(range(1, 10)) if outcome == "r" else (), **own)
        else:
            rows += _lot(f"b{place:02d}", 1000, 5, (5,), **own)
    return rows


def _inspections(rows: Rows, vendor: str = "v1") -> str:
    found = read_mart(_mart(rows), "lot_decisions", subject_kind="lot")
    own = sorted((row for row in found if row.extra["vendor"] == vendor), key=lambda row: row.subject)
    return "".join(row.extra["inspection"][0] for row in own)


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        # Two of five rejected, the sixth is tightened; two of six are not.
        ("raaara", "nnnnnt"),
        ("raaaara", "nnnnnnn"),
        # Back to normal after five accepted in succession; a rejected one starts the count anew.
        ("rraaaaaa", "nntttttn"),
        ("rraaaaraaaaaa", "nnttttttttttn"),
        # Five rejected under tightened inspection; it starts anew, tightened, with the lot that says so.
        ("rrrrrrraaaaaa", "nntttttdttttn"),
        # Lots that are not decided are passed over, and inspection stays discontinued until one is.
        ("rcccrca", "nnnnntt"),
        ("rrrrrrrccarrrr", "nntttttdddtttt"),
        ("rrrrrrrarrrrra", "nntttttdtttttd"),
    ],
)
def test_inspection_switches_as_the_standard_says(outcomes: str, expected: str) -> None:
    """Stops the mart from losing the series' history, or from counting lots that were not decided (clause 9.3)."""
    assert _inspections(_series(outcomes)) == expected


def test_a_long_series_switches_as_all_of_its_history_says() -> None:
    """Stops old lots that are forgotten from changing what follows: 24 lots are the longest stretch that is tightened.

    Four times a rejected lot and four accepted, four more, and the fifth rejected one.
    """
    outcomes = "rr" + "aaaar" * 4 + "aaaa" + "r" + "a"
    assert _inspections(_series("a" * 30 + outcomes)) == "n" * 32 + "t" * 25 + "d"


def test_series_are_apart_and_in_order_of_date_and_batch() -> None:
    """Stops one vendor's lots from tightening another's inspection, and batches of one day from being out of order."""
    assert _inspections(_series("rra") + _series("ara", vendor="v2"), "v2") == "nnn"
    one_day = [row | {"business_date": DAY} for row in _series("rra")]
    # What is settled on a date counts from the next one.
    assert _inspections(one_day + _series("...a")) == "nnnt"
    assert _inspections(one_day[::-1] + _series("...a")) == "nnnt"
    other_queue = _series("rr") + [row | {"queue": "spam"} for row in _series("aaa")[-2:]]
    assert _inspections(other_queue) == "nnn"


def _reviewed_later(rows: Rows, days: int) -> Rows:
    return [row | {"reviewed_on": row["business_date"] + timedelta(days=days)} for row in rows]


@pytest.mark.parametrize(
    ("outcomes", "days", "expected"),
    [
        # The second rejected lot is settled a day or two after its own.
        ("rraaaaaaa", 1, "nnntttttt"),
        ("rraaaaaaaaa", 2, "nnnnttttttt"),
        # The lots made before the switch, rejected under normal inspection, do not count under tightened inspection.
        ("rrrraaaaaaaa", 2, "nnnntttttttn"),
    ],
)
def test_a_lot_comes_under_the_inspection_known_when_it_was_made(outcomes: str, days: int, expected: str) -> None:
    """Stops inspection from depending on what was reviewed on the lot's date or later."""
    assert _inspections(_reviewed_later(_series(outcomes), days)) == expected


def test_later_reviews_change_no_decision_and_no_inspection() -> None:
    """Stops a published decision from flipping: night after night, rows about settled lots stay as they are.

    Forty lots in a series are reviewed one to six days later, in parts; what is known on each night is a part of all.
    """
    rng = np.random.default_rng(3)
    rows: Rows = []
    for day in range(40):
        made = DAY + timedelta(days=day)
        rows += _lot(f"b{day:02d}", 1000, business_date=made)
        share, place = rng.choice([0.02, 0.15]), 0
        for later in sorted(rng.integers(1, 7, size=3).tolist()):
            found = rng.random(int(rng.integers(10, 60))) < share
            places = tuple(place + 1 + int(at) for at in np.flatnonzero(found))
            on = {"business_date": made, "reviewed_on": made + timedelta(days=later)}
            rows += _lot(f"b{day:02d}", 0, len(found), places, **on)[1:]
            place += len(found)
    published: dict[str, tuple[Any, ...]] = {}
    seen = set()
    for night in range(1, 47, 3):
        known = [row for row in rows if row["reviewed_on"] <= DAY + timedelta(days=night)]
        for lot, row in _lots(known).items():
            said = _said(row, "inspection", "decision", "sample_size", "accept_number")
            seen.add(said[:2])
            # Which inspection a lot comes under is known on its date.
            assert published.get(lot, said)[0] == said[0]
            if published.get(lot, ("", "continue"))[1] != "continue":
                assert said == published[lot]
            published[lot] = said
    assert {("normal", "accept"), ("normal", "reject"), ("tightened", "accept"), ("tightened", "reject")} <= seen


def test_the_tightened_plan_is_the_printed_one() -> None:
    """Stops a lot from being called tightened and judged by the normal plan: J at 4.0 is 80 and 5 (table 2-B)."""
    rows = _series("rr") + _lot("b02", 1000, 80, (1, 2, 3, 4, 5, 6), business_date=DAY + timedelta(days=2))
    row = _lots(rows)["v1/b02"]
    assert _said(row, "inspection", "sample_size", "accept_number", "decision") == ("tightened", 80, 5, "reject")


def test_reviews_of_unstated_chance_decide_no_lot() -> None:
    """Stops a lot from being decided by reviews of which nobody can say how they were picked."""
    rows = [*_lot("b1", 1000, 100, (1, 2), sort="unstated"), *_lot("b2", 1000, 100, vendor="v2")]
    con = _mart(rows)
    found = by(read_mart(con, "lot_decisions", subject_kind="lot"), "subject")
    said = _said(found["v1/b1"], "decision", "sequential_decision", "decision_reason", "sampled", "reviewed")
    assert said == (None, None, "unstated_chances", 0, 100)
    assert (found["v1/b1"].reason, found["v1/b1"].estimate) == ("", 0.02)
    assert _said(found["v2/b2"], "decision", "decision_reason") == ("accept", None)
    vendors = by(read_mart(con, "lot_decisions", period="all", subject="v1", market="AU", queue="hate"), "metric")
    accepted = vendors["lots_accepted_share"]
    assert (accepted.reason, accepted.method, accepted.n_items) == ("unstated_chances", "", 1)
    assert vendors["lots_open_share"].estimate == 1


def test_reviews_left_out_of_the_sample_decide_nothing_and_count_in_the_rate() -> None:
    """Stops risky decisions, which are picked more often, from rejecting lots, and the rate from losing reviews."""
    sampled = _lot("b1", 1000, 60, (), weight=20)
    rows = sampled + _lot("b1", 0, 40, tuple(range(1, 11)), weight=2, sort="left_out")[1:]
    con = _mart(rows)
    (row,) = read_mart(con, "lot_decisions", subject_kind="lot")
    said = _said(row, "reviewed", "sampled", "defects", "sample_defects", "decision", "sequential_decision")
    # Sixty of the eighty reviews that the plan needs, none with a defect: eight of twenty could still reject.
    assert said == (100, 60, 10, 0, "continue", "accept")
    # 10 defects of weight 2 among 60 reviews of weight 20 and 40 of weight 2; the interval is that of defect rates.
    sums = sums_of_classes(
        units=np.array([10.0, 30.0, 60.0]),
        weight=np.array([20.0, 60.0, 1200.0]),
        squared_weight=np.array([40.0, 120.0, 24000.0]),
        scores=np.array([1.0, 0.0, 0.0]),
        is_finite=True,
    )
    interval = mean_interval(sums, largest_weight=np.array(20.0), is_finite=True)
    assert row.estimate == pytest.approx(20 / 1280, abs=1e-12)
    assert (row.ci_low, row.ci_high) == pytest.approx((float(interval.low), float(interval.high)), abs=1e-9)
    assert row.method == "wilson_effective"


def test_defect_rate_of_a_simple_random_sample_of_a_lot() -> None:
    """Stops an interval that forgets how much of the lot was reviewed, and trusts a chance that was written down.

    With every review standing for N / n decisions the variance is p (1 - p) / n (1 - n / N), of n / (1 - n / N)
    decisions drawn with replacement; with 10 defects or more the bounds for few events are the narrower ones.
    """
    row = _lots(_lot("b1", 400, 100, tuple(range(1, 31)), weight=1))["v1/b1"]
    score = wilson(np.array(0.3), np.array(100 / 0.75))
    assert (row.estimate, row.n_items, row.n_ratings) == (0.3, 100, 100)
    assert row.method == "wilson"
    assert row.ci_low == pytest.approx(float(score.low), abs=0.004)
    assert row.ci_low <= float(score.low) < float(score.high) <= row.ci_high
    assert row.ci_high == pytest.approx(float(score.high), abs=0.004)
    # All reviewed: exact, and the interval is that of the process.
    whole = _lots(_lot("b1", 100, 100, tuple(range(1, 31))))["v1/b1"]
    assert whole.ci_low < row.ci_low < 0.3 < row.ci_high < whole.ci_high


def test_a_lot_without_reviews_is_open() -> None:
    """Stops a lot nobody looked at from being accepted: even where the plan accepts whatever it finds."""
    row = _lots(_lot("b1", 1000))["v1/b1"]
    assert _said(row, "decision", "sequential_decision", "reviewed", "sample_size") == ("continue", "continue", 0, 80)
    assert (row.reason, row.method, row.n_items) == ("no_data", "", 0)
    assert np.isnan(row.estimate)
    # At 10 percent the plan of a lot of one accepts one defect.
    one = _lots(_lot("b1", 1), AcceptanceConfig(aql_percent=10.0))["v1/b1"]
    assert _said(one, "sample_size", "accept_number", "decision") == (1, 1, "continue")
    assert one.extra["quality_accepted_50"] is None


def test_costs_are_those_of_the_plan_and_the_settings() -> None:
    """Stops risks of another plan, or of other qualities than the two that the settings ask about.

    Risks from scipy's hypergeometric distribution; the rest from the functions tested by themselves.
    """
    row = _lots(_lot("b1", 1000, 10), AcceptanceConfig(aql_percent=4.0, good_share=0.03, bad_share=0.12))["v1/b1"]
    assert row.extra["producer_risk"] == pytest.approx(scipy_stats.hypergeom(1000, 30, 80).sf(7), abs=1e-9)
    assert row.extra["consumer_risk"] == pytest.approx(scipy_stats.hypergeom(1000, 120, 80).cdf(7), abs=1e-9)
    plan = {"n": np.array([80]), "accept": np.array([7])}
    wrong = error_consequences(**plan, lot_size=np.array([1000]), good_share=np.array(0.03), bad_share=np.array(0.12))
    assert row.extra["needless_reviews"] == 920
    assert row.extra["passed_defects"] == pytest.approx(float(wrong.passed_defects[0]), abs=1e-9)
    for chance in (95, 50, 10):
        expected = float(quality_at(np.array(chance / 100), n=np.array(80), accept=np.array(7)))
        assert row.extra[f"quality_accepted_{chance}"] == pytest.approx(expected, abs=1e-12)
        assert scipy_stats.binom(80, expected).cdf(7) == pytest.approx(chance / 100, abs=1e-9)


def test_vendors_shares_count_all_lots() -> None:
    """Stops open lots from vanishing from the shares, and roll-ups from averaging shares in place of counting lots."""
    con = _mart(
        _series("aarc")
        + _series("a", queue="spam")
        + _series("rr", market="GB")
        + _lot("late", 1000, business_date=DAY + timedelta(days=40))
    )
    found = read_mart(con, "lot_decisions", subject_kind="vendor", subject="v1")
    shares = {(row.period, row.period_start, row.market, row.queue, row.metric[5:-6]): row for row in found}

    def counts(period: str, start: date, market: str, queue: str) -> list[float]:
        own = [shares[period, start, market, queue, name] for name in ("accepted", "rejected", "open")]
        return [round(row.estimate * row.n_items, 9) for row in own]

    assert counts("all", DAY, "AU", "hate") == [2, 1, 2]
    assert counts("week", DAY, "AU", "hate") == [2, 1, 1]
    assert counts("all", DAY, "AU", "ALL") == [3, 1, 2]
    assert counts("all", DAY, "ALL", "hate") == [2, 3, 2]
    assert counts("all", DAY, "ALL", "ALL") == [3, 3, 2]
    row = shares["all", DAY, "ALL", "ALL", "accepted"]
    interval = wilson(np.array(3 / 8), np.array(8.0))
    assert (row.ci_low, row.ci_high) == (float(interval.low), float(interval.high))
    assert (row.method, row.n_ratings) == ("wilson", 6 * 125 + 5)
    assert set(row.extra.values()) == {None}
    # The newest 28 days hold the late lot alone: nothing was decided, which is no share of 0.
    late = {key[4]: row for key, row in shares.items() if key[0] == "trailing_28d" and key[2:4] == ("AU", "hate")}
    assert (late["accepted"].reason, late["rejected"].reason, late["open"].estimate) == ("no_data", "no_data", 1)
    assert np.isnan(late["accepted"].estimate)


def test_every_date_keeps_its_lots() -> None:
    """Stops batch ids that are used again on another date from becoming one lot, and old lots from being dropped."""
    rows = [row for day in range(50) for row in _lot("b1", 500, 50, business_date=DAY + timedelta(days=day))]
    found = read_mart(_mart(rows), "lot_decisions", subject_kind="lot", period="day")
    assert [row.period_start for row in found] == [DAY + timedelta(days=day) for day in range(50)]
    assert {row.extra["lot_size"] for row in found} == {500}


def test_the_risks_must_leave_room_for_a_test() -> None:
    """Stops settings that would fail in the night, when Wald's test is set up."""
    with pytest.raises(ValueError, match="less than 1"):
        AcceptanceConfig(producer_risk=0.5, consumer_risk=0.5)


def _decisions_of_two_chances(lots: int) -> duckdb.DuckDBPyConnection:
    """Facts of lots of 1,000 decisions: 500 picked with chance 0.3 and 500 with 0.1, as the plan of reviews does it.

    The first have a defect with chance 5 %, the others with 15 %. Reviews come in random order.
    """
    rng = np.random.default_rng(5)
    con = empty_warehouse()
    con.execute((SQL_ROOT / "prelude.sql").read_text(encoding="utf-8"))
    con.execute("create schema facts; create schema validated")
    con.execute("create table facts.rejected_labels (business_date date, row_id varchar)")
    con.execute(
        "create table validated.valid_labels as select ? as business_date, 'AU' as market, 'hate' as queue, "
        "'v1' as vendor, 'B' || (i // 1000) as batch_id, 'production' as stage, 'L' || i as row_id "
        "from range(?) as r(i)",
        [DAY, lots * 1000],
    )
    decision = np.arange(lots * 1000)
    is_often = decision % 1000 < 500
    is_defect = rng.random(len(decision)) < np.where(is_often, 0.05, 0.15)
    # Of each pool of 500 so many with the smallest random number.
    rank = np.argsort(np.argsort(rng.random((lots * 2, 500)), axis=1), axis=1).ravel()
    picked = np.flatnonzero(rank < np.where(is_often, 150, 50))
    reviews = {
        "target": picked,
        "category": np.where(is_defect[picked], "false_positive", "none"),
        "p": np.where(is_often[picked], 0.3, 0.1),
        "second": rng.permutation(len(picked)),
    }
    con.register("made", pa.table(reviews))
    con.execute(
        "create table facts.reviews as select ? as target_date, 'AU' as target_market, 'hate' as target_queue, "
        "'v1' as vendor, 'B' || (target // 1000) as batch_id, 'L' || target as target_id, category as error_category, "
        "case category when 'none' then '' else 'major' end as severity, p as inclusion_probability, "
        "? as business_date, second as reviewed_at, 'a.csv' as file_name, second as row_number, "
        "'label' as target_kind, 'production' as target_stage, 'random' as sampling from made",
        [DAY, DAY + timedelta(days=1)],
    )
    return con


def test_thinned_reviews_of_unequal_chances_decide_as_a_simple_random_sample() -> None:
    """Stops thinning that still prefers some decisions, and plans whose errors are not those of their operating curve.

    400 lots with 10 % of defects; seeded, four standard errors. All reviews unthinned would show 7.5 %, which the plan
    of 80 with at most 7 defects accepts three times in four in place of less than one in two.
    """
    lots = 400
    con = _decisions_of_two_chances(lots)
    sql = (SQL_ROOT / "tallies" / "lot_counts.sql").read_text(encoding="utf-8")
    span = {"start_date": DAY, "end_date": DAY, "restate_days": 28}
    con.execute(f"create or replace table tallies.lot_counts as {sql}", span)
    fill(con, "tallies.label_counts", [{"business_date": DAY}])
    build_marts(con, sql_root=SQL_ROOT, config=config({"hate": ["yes", "no"]}, markets=("AU",)))
    sums = "select sum(n), sum(n) filter (is_defect) from tallies.lot_counts where sort = 'review'"
    kept, defects = con.execute(sums).fetchone() or (0, 0)
    # Each lot: 50 of the rarely picked, and 150 of which one in three is kept.
    assert kept == pytest.approx(100 * lots, abs=4 * np.sqrt(lots * 150 * 2 / 9))
    assert defects / kept == pytest.approx(0.10, abs=4 * np.sqrt(0.09 / kept))
    found = read_mart(con, "lot_decisions", subject_kind="lot")
    said = [row.extra["decision"] for row in found]
    assert len(said) == lots
    # Lots differ at random in their defects, so that the sample's are binomial, whatever the size of the lot.
    expected = float(scipy_stats.binom(80, 0.10).cdf(7))
    decided = lots - said.count("continue")
    assert decided > 0.98 * lots
    assert said.count("accept") / decided == pytest.approx(expected, abs=4 * np.sqrt(0.25 / lots))
    assert expected + 4 * np.sqrt(0.25 / lots) < scipy_stats.binom(80, 0.075).cdf(7)
