"""marts.qa_accuracy and the corrected defect rate: which verdicts count, whose, when, and what is said without them."""

from datetime import timedelta
from typing import Any

import duckdb
import numpy as np
import pytest

from qa_pipeline.marts.build import build_marts
from qa_pipeline.stats.corrected_rates import Measured, corrected_rate
from qa_pipeline.stats.jackknife import Interval
from qa_pipeline.stats.proportions import wilson
from qa_pipeline.stats.weighted_means import mean_interval, sums_of_classes
from qa_pipeline_tests.tally_tables import (
    DAY,
    SQL_ROOT,
    MartRow,
    by,
    config,
    empty_warehouse,
    fill,
    read_mart,
)

Row = dict[str, Any]
HERE = {"market": "AU", "queue": "hate"}


def _built(verdicts: list[Row], reviews: list[Row] | None = None) -> duckdb.DuckDBPyConnection:
    con = empty_warehouse()
    if verdicts:
        fill(con, "tallies.reviewer_outcomes", verdicts)
    if reviews:
        fill(con, "tallies.review_counts", reviews)
    build_marts(
        con, sql_root=SQL_ROOT, config=config({"hate": ["yes", "no"], "spam": ["yes", "no"]}, markets=("AU", "GB"))
    )
    return con


def _verdicts(n: int, said: str, found: str, *, weight: int = 1, **texts: Any) -> Row:
    """`n` verdicts on decisions drawn at random; found empty: not arbitrated. Weight: 1 / chance of both."""
    arbitrated = {
        "arbitration_sampling": "random",
        "weight_ppm": n * weight * 1_000_000,
        "weight_sq_ppm": n * weight**2 * 1_000_000,
    }
    row = {"n": n, "is_called": said == "defect", "found": found, "sampling": "random", "weight_ppm": n * 1_000_000}
    return row | (arbitrated if found else {"weight_sq_ppm": n * 1_000_000}) | texts


def _hundred_and_four_hundred(**texts: Any) -> list[Row]:
    """100 verdicts of a defect, half of them arbitrated, and 400 of none, one in ten of them."""
    return [
        _verdicts(40, "defect", "defect", weight=2, **texts),
        _verdicts(10, "defect", "none", weight=2, **texts),
        _verdicts(50, "defect", "", **texts),
        _verdicts(4, "none", "defect", weight=10, **texts),
        _verdicts(36, "none", "none", weight=10, **texts),
        _verdicts(360, "none", "", **texts),
    ]


def _figures(con: duckdb.DuckDBPyConnection, **wanted: str) -> dict[str, MartRow]:
    chosen = {"period": "all", "subject_kind": "target_kind", "subject": "label"} | HERE | wanted
    return by(read_mart(con, "qa_accuracy", **chosen), "metric")


def test_shares_are_weighted_by_the_chance_of_arbitration() -> None:
    """Stops verification bias: counted plainly, sensitivity would be 40 / 44 instead of 80 / (80 + 40).

    By hand, after Begg and Greenes (1983): specificity 360 / (360 + 20), confirmed (80 + 360) / 500.
    """
    found = _figures(_built(_hundred_and_four_hundred()))
    estimates = {metric: row.estimate for metric, row in found.items()}
    assert estimates == pytest.approx({"qa_sensitivity": 80 / 120, "qa_specificity": 360 / 380, "qa_confirmed": 0.88})
    assert {(row.n_items, row.n_ratings) for row in found.values()} == {(90, 500)}
    assert {row.reference_kind for row in found.values()} == {"arbitration"}
    sums = sums_of_classes(
        units=np.array([40.0, 4]),
        weight=np.array([80.0, 40]),
        squared_weight=np.array([160.0, 400]),
        scores=np.array([1.0, 0]),
        is_finite=False,
    )
    expected = mean_interval(sums, largest_weight=np.array(10.0), is_finite=False)
    row = found["qa_sensitivity"]
    assert row.method == "wilson_effective"
    assert (row.ci_low, row.ci_high) == pytest.approx((float(expected.low), float(expected.high)))


def test_equal_chances_give_wilson_and_certainty_is_never_claimed() -> None:
    """Stops an interval of zero width where arbitration always confirmed; 200 of 250 is Wilson's interval."""
    sure = _figures(_built([_verdicts(20, "defect", "defect"), _verdicts(30, "none", "none")]))
    assert {row.estimate for row in sure.values()} == {1.0}
    assert all(0.5 < row.ci_low < 1 == row.ci_high for row in sure.values())
    most = _figures(_built([_verdicts(200, "defect", "defect"), _verdicts(50, "none", "defect")]))
    assert most["qa_confirmed"].method == "wilson"
    assert most["qa_confirmed"].ci_low == pytest.approx(float(wilson(np.array(0.8), np.array(250.0)).low))


def test_targeted_arbitration_never_enters() -> None:
    """Stops verdicts that were arbitrated for looking wrong from making QA look bad, and from weighing on the plan."""
    picked = [
        _verdicts(90, said, found, arbitration_sampling="targeted", max_weight_ppm=90_000_000)
        for said, found in (("defect", "none"), ("none", "defect"))
    ]
    mixed = _hundred_and_four_hundred()
    rows = [row | {"max_weight_ppm": row["weight_sq_ppm"] * 1_000_000 // row["weight_ppm"]} for row in mixed]
    plain, both = _figures(_built(mixed)), _figures(_built(rows + picked))
    for metric, row in both.items():
        expected = plain[metric]
        assert (row.estimate, row.ci_low, row.ci_high) == (expected.estimate, expected.ci_low, expected.ci_high)
        assert (row.n_items, row.n_ratings) == (90, 680)
    alone = _figures(_built(picked))
    assert {row.reason for row in alone.values()} == {"no_arbitration"}


@pytest.mark.parametrize("sampling", ["targeted", "appeal"])
def test_verdicts_on_decisions_that_were_picked_never_enter(sampling: str) -> None:
    """Stops QA's errors on decisions that looked wrong from passing for those on all, and from correcting rates."""
    picked = [
        _verdicts(400, said, found, sampling=sampling, weight=30)
        for said, found in (("defect", "none"), ("none", "defect"), ("none", ""))
    ]
    drawn, reviews = _hundred_and_four_hundred(), _reviews(400, 100)
    plain, both = _built(drawn, reviews), _built(drawn + picked, reviews)
    # NaN is not equal to itself.
    assert str(read_mart(both, "qa_accuracy")) == str(read_mart(plain, "qa_accuracy"))
    assert _corrected(both) == _corrected(plain)
    assert {row.reason for row in read_mart(_built(picked), "qa_accuracy")} == {"no_data"}


def test_what_cannot_be_known_has_a_reason() -> None:
    """Stops a sensitivity from arbitration of one sort of verdict, or of a handful, or from none."""

    def reasons(*rows: Row) -> dict[str, str]:
        found = _figures(_built(list(rows)))
        assert all(np.isnan(row.estimate) == (row.reason != "") == (row.method == "") for row in found.values())
        return {metric.removeprefix("qa_"): row.reason for metric, row in found.items()}

    both = ("sensitivity", "specificity", "confirmed")
    assert reasons(_verdicts(50, "defect", "")) == dict.fromkeys(both, "no_arbitration")
    one_sided = (_verdicts(50, "defect", "defect"), _verdicts(50, "defect", "none"), _verdicts(9, "none", ""))
    assert reasons(*one_sided) == dict.fromkeys(both, "one_sided_arbitration")
    thin = (_verdicts(9, "defect", "defect"), _verdicts(50, "none", "none"))
    assert reasons(*thin) == dict.fromkeys(both[:2], "thin_arbitration") | {"confirmed": ""}
    enough = (_verdicts(10, "defect", "defect"), _verdicts(10, "none", "none"))
    assert reasons(*enough) == dict.fromkeys(both, "")


def test_reviewers_have_few_periods_and_roll_ups_add_up() -> None:
    """Stops one reviewer's verdicts from counting for another, and roll-ups that miss a queue or average shares."""
    rows = _hundred_and_four_hundred(reviewer="q1")
    rows += _hundred_and_four_hundred(reviewer="q2", queue="spam", business_date=DAY + timedelta(days=9))
    rows += [_verdicts(60, "none", "defect", reviewer="q2", market="GB"), _verdicts(60, "none", "none", market="GB")]
    con = _built(rows)
    reviewers = read_mart(con, "qa_accuracy", subject_kind="reviewer", metric="qa_sensitivity")
    assert {row.period for row in reviewers} == {"week", "trailing_28d", "all"}
    found = {(row.market, row.queue, row.subject): row.n_ratings for row in reviewers if row.period == "all"}
    assert {key: n for key, n in found.items() if key[:2] == ("ALL", "ALL")} == {
        ("ALL", "ALL", "q1"): 560,
        ("ALL", "ALL", "q2"): 560,
    }
    together = _figures(con, market="ALL", queue="ALL")["qa_sensitivity"]
    assert together.estimate == pytest.approx(160 / (240 + 60))
    days = {row.period_end for row in read_mart(con, "qa_accuracy", period="day", subject="label", queue="spam")}
    assert days == {DAY + timedelta(days=9)}


def _reviews(clean: int, defects: int, **texts: Any) -> list[Row]:
    bad = {"error_category": "false_positive", "severity": "major"}
    rows: list[Row] = [{"n": clean}, {"n": defects} | bad]
    weights = [{"weight_ppm": row["n"] * 1_000_000, "weight_sq_ppm": row["n"] * 1_000_000} for row in rows]
    return [row | weight | {"sampling": "random"} | texts for row, weight in zip(rows, weights, strict=True)]


def _corrected(con: duckdb.DuckDBPyConnection, **wanted: str) -> MartRow:
    chosen = {"period": "all", "subject_kind": "rater_kind", "subject": "human"} | HERE | wanted
    (row,) = read_mart(con, "defect_rate", metric="defect_rate_corrected", **chosen)
    return row


def _measured(row: MartRow) -> Measured:
    return Measured(np.array(row.estimate), Interval(low=np.array(row.ci_low), high=np.array(row.ci_high)))


def test_corrected_rate_by_hand() -> None:
    """Stops a correction with the wrong shares, and one whose interval forgets that these are uncertain.

    Rogan and Gladen (1978): (0.2 + 18/19 - 1) / (2/3 + 18/19 - 1). All decisions were reviewed, so the interval of the
    rate itself is that of its process.
    """
    con = _built(_hundred_and_four_hundred(), _reviews(400, 100))
    row = _corrected(con)
    assert row.estimate == pytest.approx((0.2 + 18 / 19 - 1) / (2 / 3 + 18 / 19 - 1))
    rates = by(read_mart(con, "defect_rate", period="all", subject_kind="rater_kind", **HERE), "metric")
    qa = _figures(con)
    expected = corrected_rate(
        _measured(rates["defect_rate"]),
        sensitivity=_measured(qa["qa_sensitivity"]),
        specificity=_measured(qa["qa_specificity"]),
    )
    assert row.method == "variance_recovery"
    assert (row.ci_low, row.ci_high) == pytest.approx((float(expected.interval.low), float(expected.interval.high)))
    assert row.ci_high - row.ci_low > rates["defect_rate"].ci_high - rates["defect_rate"].ci_low
    assert (row.n_items, row.reference_kind) == (500, "qa")


def test_a_large_sample_of_few_decisions_does_not_sharpen_the_correction() -> None:
    """Stops the finite-population correction from entering: verdicts on 450 of 500 decisions err by chance as well."""
    nearly_all = {"weight_ppm": 1_111_111, "weight_sq_ppm": 1_234_568}
    reviews = [{"sampling": "random", "replicate": place % 20} | nearly_all for place in range(360)]
    reviews += [row | {"error_category": "technical"} for row in reviews[:90]]
    sampled = _corrected(_built(_hundred_and_four_hundred(), reviews))
    census = _corrected(_built(_hundred_and_four_hundred(), _reviews(360, 90)))
    assert (sampled.ci_low, sampled.ci_high) == pytest.approx((census.ci_low, census.ci_high), abs=1e-5)


def test_verdicts_of_the_28_days_up_to_the_end_correct_a_period() -> None:
    """Stops old verdicts, or those to come, from correcting a day: the first of the 28 days counts, the one before not.

    Reviews are on days 0, 30 and 60, verdicts on day 33: only the day that is 27 days later sees them; period all does.
    """
    reviews = [row for day in (0, 30, 60) for row in _reviews(400, 100, business_date=DAY + timedelta(days=day))]
    for verdict_day, known in ((33, {60}), (32, set()), (30, {30}), (31, set())):
        con = _built(_hundred_and_four_hundred(business_date=DAY + timedelta(days=verdict_day)), reviews)
        rows = read_mart(
            con, "defect_rate", period="day", metric="defect_rate_corrected", subject_kind="vendor", **HERE
        )
        found = {(row.period_end - DAY).days: row.reason for row in rows}
        assert {day for day, reason in found.items() if not reason} == known
        assert {reason for reason in found.values() if reason} == {"no_arbitration"}
        assert _corrected(con).reason == ""


def test_each_place_and_kind_is_corrected_by_its_own_verdicts() -> None:
    """Stops verdicts on labels from correcting models, and one queue's from correcting another's."""
    model = {"rater_kind": "model", "rater": "m@1", "vendor": "", "target_kind": "prediction"}
    reviews = _reviews(400, 100) + _reviews(400, 100, queue="spam") + _reviews(400, 100, **model)
    good = [_verdicts(50, "defect", "defect"), _verdicts(50, "none", "none")]
    verdicts = _hundred_and_four_hundred() + [row | {"target_kind": "prediction"} for row in good]
    con = _built(verdicts, reviews)
    assert _corrected(con, subject="model").estimate == pytest.approx(0.2)
    assert _corrected(con, subject_kind="model_version", subject="m@1").estimate == pytest.approx(0.2)
    human = (0.2 + 18 / 19 - 1) / (2 / 3 + 18 / 19 - 1)
    assert _corrected(con, subject_kind="vendor", subject="v1").estimate == pytest.approx(human)
    assert _corrected(con, queue="spam").reason == _corrected(con, queue="ALL").reason == "no_arbitration"
    kinds = {row.subject_kind for row in read_mart(con, "defect_rate", metric="defect_rate_corrected")}
    assert kinds == {"rater_kind", "vendor", "model_version"}


def _judged(queue: str, *, sensitivity: float, specificity: float, n: int = 1000, **texts: Any) -> list[Row]:
    """`n` defects and `n` right decisions, all arbitrated, of which QA caught and left alone those shares."""
    caught, left = round(n * sensitivity), round(n * specificity)
    outcomes = [(caught, "defect", "defect"), (n - caught, "none", "defect")]
    outcomes += [(left, "none", "none"), (n - left, "defect", "none")]
    return [_verdicts(*outcome, queue=queue, **texts) for outcome in outcomes]


def _sampled(queue: str, *, decisions: int, share: float, found: float, **texts: Any) -> list[Row]:
    """Reviews of a share of some decisions, in which QA found so many defects."""
    n = decisions * share
    rows = _reviews(round(n * (1 - found)), round(n * found), queue=queue, **texts)
    weights = [
        {"weight_ppm": round(row["n"] / share * 1e6), "weight_sq_ppm": round(row["n"] / share**2 * 1e6)} for row in rows
    ]
    return [row | weight for row, weight in zip(rows, weights, strict=True)]


def test_a_roll_up_is_the_mean_of_corrected_rates_by_decisions() -> None:
    """Stops errors pooled over queues that QA judges unlike: 0.167 instead of 0.200, and 0.027 instead of 0.100.

    By construction: 10,000 decisions each in two queues with true rates 10 % and 30 %, reviewed at 2 % and 20 % by QA
    with sensitivity and specificity 0.95 and 0.99, and 0.60 and 0.90. Vendor v1 works in the first queue alone.
    """
    verdicts = _judged("hate", sensitivity=0.95, specificity=0.99, n=200)
    verdicts += _judged("spam", sensitivity=0.60, specificity=0.90, n=2000)
    # 10.4 % of the reviews are no whole number; ten times as many decisions in both queues keep the shares.
    reviews = _sampled("hate", decisions=100_000, share=0.02, found=0.1 * 0.95 + 0.9 * 0.01)
    reviews += _sampled("spam", decisions=100_000, share=0.2, found=0.3 * 0.60 + 0.7 * 0.10, vendor="v2")
    con = _built(verdicts, reviews)
    assert _corrected(con, market="ALL", queue="ALL").estimate == pytest.approx(0.200)
    assert _corrected(con, queue="ALL").estimate == pytest.approx(0.200)
    own = _corrected(con, subject_kind="vendor", subject="v1")
    assert own.estimate == pytest.approx(0.100)
    for place in ({"queue": "ALL"}, {"market": "ALL"}, {"market": "ALL", "queue": "ALL"}):
        rolled_up = _corrected(con, subject_kind="vendor", subject="v1", **place)
        assert (rolled_up.estimate, rolled_up.ci_low, rolled_up.ci_high) == (own.estimate, own.ci_low, own.ci_high)


def test_a_roll_up_borrows_errors_within_a_queue_alone() -> None:
    """Stops a market without arbitration from hiding every roll-up, and another queue's errors from standing in.

    Market GB has no arbitration in queue hate: its own row has no figure, its roll-up the errors of hate in AU. Where
    spam has none anywhere, a roll-up over both queues has no figure.
    """
    verdicts = _judged("hate", sensitivity=0.8, specificity=0.9) + _judged("spam", sensitivity=0.6, specificity=0.95)
    reviews = _reviews(800, 200) + _reviews(700, 300, market="GB") + _reviews(900, 100, queue="spam", market="GB")
    con = _built(verdicts, reviews)
    hate = {rate: (rate + 0.9 - 1) / (0.8 + 0.9 - 1) for rate in (0.2, 0.25, 0.3)}
    spam = (0.1 + 0.95 - 1) / (0.6 + 0.95 - 1)
    assert _corrected(con, market="GB").reason == "no_arbitration"
    assert _corrected(con, market="ALL").estimate == pytest.approx(hate[0.25])
    assert _corrected(con, market="GB", queue="ALL").estimate == pytest.approx((hate[0.3] + spam) / 2)
    assert _corrected(con, market="ALL", queue="ALL").estimate == pytest.approx((2 * hate[0.25] + spam) / 3)
    # One part of the errors of hate in AU: two would be taken for independent, and the interval be too short.
    rates = read_mart(con, "defect_rate", metric="defect_rate", period="all", market="ALL", queue="hate")
    (apparent,) = (row for row in rates if row.subject_kind == "rater_kind")
    qa = _figures(con, market="ALL")
    expected = corrected_rate(
        _measured(apparent),
        sensitivity=_measured(qa["qa_sensitivity"]),
        specificity=_measured(qa["qa_specificity"]),
    ).interval
    row = _corrected(con, market="ALL")
    assert (row.ci_low, row.ci_high) == pytest.approx((float(expected.low), float(expected.high)))
    alone = _built(_judged("hate", sensitivity=0.8, specificity=0.9), reviews)
    assert _corrected(alone, market="GB", queue="ALL").reason == "no_arbitration"
    assert _corrected(alone, market="AU", queue="ALL").estimate == pytest.approx(hate[0.2])


@pytest.mark.parametrize(
    ("verdicts", "reason"),
    [
        ([(9, "defect", "defect"), (90, "none", "none")], "thin_arbitration"),
        ([(90, "defect", "defect"), (90, "none", "")], "one_sided_arbitration"),
        ([(20, "defect", "defect"), (30, "none", "defect"), (40, "defect", "none"), (20, "none", "none")],
         "uninformative_qa"),
        ([(90, "defect", "defect"), (45, "defect", "none"), (45, "none", "none")], "contradicted"),
    ],
)  # fmt: skip
def test_a_rate_that_cannot_be_corrected_says_why(verdicts: list[tuple[int, str, str]], reason: str) -> None:
    """Stops a number from QA that is unknown, no better than chance, or at odds with the rate of 10 in 500."""
    row = _corrected(_built([_verdicts(*each) for each in verdicts], _reviews(490, 10)))
    assert np.isnan([row.estimate, row.ci_low, row.ci_high]).all()
    assert (row.reason, row.method) == (reason, "")
