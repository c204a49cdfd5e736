"""The SQL of docs/analyse.md, run as it stands, on five weeks in which it is known what each recipe has to find.

Planted: in BR hate_speech `cy` guesses, slur and threat are mixed up and agreement is low; BR spam gets better at the
calibration session of 19 October; JP spam gets worse in the newest week; `dan` is inconsistent; v2 follows suggestions.
Of defects in JP spam: v2, with site s2, has three times as many in the newest week; QA calls one right decision in ten
a defect; of three lots one is rejected, one open and one without a decision; the key of item i0 is wrong.
"""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest

from qa_pipeline.marts.build import build_marts
from qa_pipeline_tests.docs_recipes import recipes
from qa_pipeline_tests.tally_tables import SQL_ROOT, config, empty_warehouse, fill, tally_ratings

FIRST_DAY, SESSION, NEWEST_WEEK = date(2026, 10, 5), date(2026, 10, 19), date(2026, 11, 2)
DATES = [FIRST_DAY + timedelta(days=offset) for offset in range(35)]
VENDORS = {"ann": "v1", "bea": "v1", "cy": "v2", "dan": "v2"}
QUEUES = {"hate_speech": ("none", "slur", "threat"), "spam": ("ok", "spam")}
ITEMS_A_DAY = 25
JP_SPAM: dict[str, Any] = {"market": "JP", "queue": "spam"}
REVIEWS_A_DAY = 100
Row = Mapping[str, Any]


def _error(market: str, queue: str, day: date, annotator: str) -> float:
    if (market, queue) == ("BR", "hate_speech"):
        return 0.9 if annotator == "cy" else 0.15
    if (market, queue) == ("BR", "spam"):
        return 0.4 if day < SESSION else 0.06
    return 0.3 if queue == "spam" and day >= NEWEST_WEEK else 0.04


def _ratings() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows of facts.ratings and facts.human_model."""
    rng = np.random.default_rng(4)
    ratings, against = [], []
    for market in ("BR", "JP"):
        for queue, labels in QUEUES.items():
            for number, day in enumerate(day for day in DATES for _ in range(ITEMS_A_DAY)):
                item: dict[str, Any] = {
                    "market": market,
                    "queue": queue,
                    "item_id": f"{market}{queue}{number}",
                    "business_date": day,
                }
                item |= {"replicate": number % 20, "guideline_version": "g1"}
                truth = rng.integers(len(labels))
                for annotator, vendor in VENDORS.items():
                    label = labels[truth]
                    if rng.random() < _error(market, queue, day, annotator):
                        label = labels[rng.integers(len(labels))]
                    if market == "BR" and label != "none" and queue == "hate_speech" and rng.random() < 0.4:
                        label = labels[3 - labels.index(label)]
                    if rng.random() < 0.8:
                        rater = {"rater": annotator, "vendor": vendor, "label": label, "rater_pool": "production"}
                        ratings.append(item | rater)
                model = labels[rng.integers(len(labels))] if rng.random() < 0.1 else labels[truth]
                names = {"model_version": "m@1", "human_label": label, "model_label": model}
                against.append(item | names)
                if day == SESSION and (market, queue) == ("BR", "spam"):
                    session = {"vendor": "v1", "label": labels[truth], "rater_pool": "calibration"}
                    ratings += [item | session | {"rater": rater} for rater in ("ann", "bea")]
    return pd.DataFrame(ratings), pd.DataFrame(against)


def _habits(con: duckdb.DuckDBPyConnection) -> None:
    """Repeated and suggested decisions, outcomes and reviews, in the newest week."""
    rows: dict[str, list[Row]] = {"repeat_counts": [], "suggestion_counts": []}
    place: dict[str, Any] = {"market": "BR", "queue": "hate_speech", "business_date": NEWEST_WEEK}
    for annotator, vendor in VENDORS.items():
        rater = place | {"rater": annotator, "vendor": vendor}
        same = 30 if annotator == "dan" else 48
        rows["repeat_counts"] += [rater | {"is_same": True, "n": same}, rater | {"is_same": False, "n": 50 - same}]
        for is_shown in (True, False):
            agreeing = 90 if is_shown and vendor == "v2" else 60
            shown = rater | {"is_shown": is_shown}
            rows["suggestion_counts"] += [
                shown | {"is_same": item < agreeing, "replicate": item * 7 % 19, "n": 1} for item in range(100)
            ]
    outcome = place | {"label": "slur", "reference_label": "threat"}
    rows["outcome_counts"] = [outcome | {"n": 7}, outcome | {"label": "none", "n": 3}, outcome | {"label": "threat"}]
    # 3 reviews that weigh 1 each and are no defects, 2 that weigh 4 each and are: 8 of 11.
    review = place | {"sampling": "random"}
    rows["review_counts"] = [
        review | {"n": 3, "weight_ppm": 3_000_000, "weight_sq_ppm": 3_000_000},
        review | {"error_category": "false_positive", "n": 2, "weight_ppm": 8_000_000, "weight_sq_ppm": 32_000_000},
        review | {"error_category": "false_positive", "sampling": "targeted", "n": 90},
    ]
    for table, found in rows.items():
        fill(con, f"tallies.{table}", found)


def _weighted(row: Row, n: int) -> Row:
    """A row of `n` reviews of weight 1."""
    return dict(row) | {"n": n, "weight_ppm": n * 1_000_000, "weight_sq_ppm": n * 1_000_000}


def _defects(con: duckdb.DuckDBPyConnection) -> None:
    """Reviews of JP spam a day and vendor, and how these were arbitrated."""
    reviews: list[Row] = []
    for number, day in enumerate(DATES):
        for vendor, site, annotator in (("v1", "s1", "ann"), ("v2", "s2", "cy")):
            found = 5 + (number + len(vendor)) % 3 + (15 if vendor == "v2" and day >= NEWEST_WEEK else 0)
            review = JP_SPAM | {"business_date": day, "vendor": vendor, "site": site, "rater": annotator}
            review |= {"label": "spam", "verdict_label": "ok", "sampling": "random", "replicate": number % 20}
            reviews += [
                _weighted(review, REVIEWS_A_DAY - found),
                _weighted(review | {"error_category": "false_positive"}, found),
            ]
    fill(con, "tallies.review_counts", reviews)
    verdict = JP_SPAM | {"business_date": NEWEST_WEEK, "sampling": "random", "arbitration_sampling": "random"}
    sorts = {(True, "defect"): 40, (True, "none"): 10, (False, "none"): 90}
    outcomes = [_weighted(verdict | {"is_called": called, "found": what}, n) for (called, what), n in sorts.items()]
    fill(con, "tallies.reviewer_outcomes", outcomes)


def _lots(con: duckdb.DuckDBPyConnection) -> None:
    """Lots of 100 decisions in JP spam, 20 reviews each by the plan; one in BR spam with chances unstated."""
    lot: dict[str, Any] = JP_SPAM | {
        "business_date": NEWEST_WEEK,
        "n": 100,
        "weight_ppm": 0,
        "weight_sq_ppm": 0,
        "max_weight_ppm": 0,
    }
    bad, short = lot | {"lot": "bad"}, lot | {"lot": "short"}
    unstated = lot | {"market": "BR", "lot": "unstated"}
    review: dict[str, Any] = {"sort": "review"}
    rows: list[Row] = [
        bad,
        _weighted(bad | review, 14),
        *(_weighted(bad | review | {"severity": "major", "place": place}, 1) for place in range(1, 7)),
        short,
        _weighted(short | review, 8),
        unstated,
        _weighted(unstated | {"sort": "unstated"}, 2),
    ]
    fill(con, "tallies.lot_counts", [dict(row) | {"max_weight_ppm": 10_000_000} for row in rows])


def _known_answers(con: duckdb.DuckDBPyConnection) -> None:
    """Eight people decide twenty items whose key is ok; that of i0 should be spam. Appeals of their decisions."""
    people = [f"p{number}" for number in range(8)]
    decided = JP_SPAM | {"business_date": NEWEST_WEEK, "gold_label": "ok"}
    fill(
        con,
        "tallies.gold_counts",
        [
            decided | {"item_id": f"i{item}", "replicate": item, "rater": rater, "label": "ok" if item else "spam"}
            for item in range(20)
            for rater in people
        ],
    )
    ok, spam = (JP_SPAM | {"business_date": NEWEST_WEEK, "label": label} for label in ("ok", "spam"))
    fill(con, "tallies.label_counts", [ok | {"n": 900}, spam | {"n": 100}])
    fill(con, "tallies.annotator_label_counts", [ok | {"rater": rater, "n": 2500} for rater in people])
    appeals = [spam | {"outcome": outcome, "n": n, "n_decisions": n} for outcome, n in (("upheld", 6), ("partial", 2))]
    fill(con, "tallies.appeal_counts", appeals)


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with empty_warehouse() as con:
        tally_ratings(con, *_ratings())
        _habits(con)
        _defects(con)
        _lots(con)
        _known_answers(con)
        build_marts(con, sql_root=SQL_ROOT, config=config(QUEUES, markets=["BR", "JP"]))
        yield con


def _answer(con: duckdb.DuckDBPyConnection, start: str) -> list[dict[str, Any]]:
    """Rows of the recipe whose comment starts so."""
    (query,) = [query for title, query in recipes().items() if title.startswith(start)]
    found = con.execute(query)
    names = [column[0] for column in found.description or []]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


@pytest.mark.parametrize("title", list(recipes()))
def test_every_recipe_finds_something(con: duckdb.DuckDBPyConnection, title: str) -> None:
    """Stops a recipe that names a column, metric or period that is not there."""
    assert con.execute(recipes()[title]).fetchall()


def test_recipes_of_agreement_find_what_was_planted(con: duckdb.DuckDBPyConnection) -> None:
    """Stops a recipe that looks at the wrong dates, or from the wrong side of 0 or of a limit."""
    low = _answer(con, "queues whose agreement is surely too low")
    assert [(row["market"], row["queue"]) for row in low] == [("BR", "hate_speech")]
    changed = {(row["market"], row["queue"]): row["change"] for row in _answer(con, "is the newest week's agreement")}
    assert changed["JP", "spam"] < 0 < changed["BR", "spam"]
    assert ("BR", "hate_speech") not in changed
    beside = [row for row in _answer(con, "do people agree with the model") if row["market"] == "BR"]
    assert {(row["queue"], row["subject"]) for row in beside} >= {("spam", "production"), ("spam", "m@1")}


def test_recipes_of_raters_find_who_was_planted(con: duckdb.DuckDBPyConnection) -> None:
    """Stops a recipe that is the wrong way round: the guesser, the mixed-up labels, the inconsistent, the led."""
    drags = _answer(con, "who pulls agreement down")
    assert {row["subject"] for row in drags if row["queue"] == "hate_speech" and row["market"] == "BR"} == {"cy", "v2"}
    assert drags == sorted(drags, key=lambda row: row["ci_high"])
    assert _answer(con, "which two labels")[0]["labels"] == "slur / threat"
    assert all("cy" in row["pair"] for row in _answer(con, "two annotators")[:3])
    assert _answer(con, "does an annotator say the same")[0]["annotator"] == "dan"
    assert _answer(con, "do people follow a suggested")[0]["vendor"] == "v2"
    session = next(row for row in _answer(con, "a calibration session") if row["session_date"] == SESSION)
    assert (session["market"], session["queue"], session["in_session"]) == ("BR", "spam", 1)
    assert session["week_after"] - session["week_before"] == pytest.approx(session["change"])
    assert session["change_low"] > 0


def test_recipes_of_defects_find_the_vendor_that_got_worse(con: duckdb.DuckDBPyConnection) -> None:
    """Stops a recipe that names the wrong vendor or slice, the wrong end of an interval or a day before the change."""
    alarms = _answer(con, "the newest alarm of every control chart")
    vendors = {row["subject"] for row in alarms if row["subject_kind"] == "vendor"}
    assert vendors == {"v2"}
    assert {row["direction"] for row in alarms} == {"worse"}
    assert {row["change_date"] for row in alarms if row["subject"] == "v2"} == {NEWEST_WEEK}
    charts = [row for row in _answer(con, "the control charts of vendors") if row["vendor"] == "v2"]
    assert [row["period_end"] for row in charts] == DATES
    assert [row["is_alarm"] for row in charts] == [day >= NEWEST_WEEK for day in DATES]
    above = _answer(con, "vendors with more defects than chance")
    assert {row["vendor"] for row in above} == {"v2"}
    slices = _answer(con, "sites, content types, labels")
    assert {(row["subject_kind"], row["subject"]) for row in slices if row["market"] == "JP"} == {("site", "s2")}


def test_recipes_of_qa_and_lots_find_what_is_missing(con: duckdb.DuckDBPyConnection) -> None:
    """Stops recipes that hide why a figure is missing, or ask for reviews that nobody needs: 40 / 40 and 90 / 100."""
    qa = {row["metric"]: row["estimate"] for row in _answer(con, "how well does QA judge") if row["market"] == "JP"}
    assert (qa["qa_sensitivity"], qa["qa_specificity"]) == (1, pytest.approx(0.9))
    rates = [row for row in _answer(con, "vendors' defect rates as QA found them") if row["market"] == "JP"]
    corrected = {row["vendor"]: row for row in rates if row["queue"] == "spam"}
    for row in corrected.values():
        assert row["corrected"] == pytest.approx(max(row["found"] - 0.1, 0) / 0.9)
    lots = {row["lot"]: (row["decision"], row["to_review"]) for row in _answer(con, "lots of the newest seven days")}
    assert lots == {"v1/bad": ("reject", 80), "v1/short": ("continue", 12)}


def test_recipes_of_answers_appeals_and_needs_find_what_to_mend(con: duckdb.DuckDBPyConnection) -> None:
    """Stops a recipe that passes over labels without any answer, or takes a bound for what is known."""
    keys = _answer(con, "known answers that an expert")
    assert [(row["item_id"], row["alternative_label"]) for row in keys] == [("i0", "spam")]
    labels = {(row["market"], row["label"]): row for row in _answer(con, "labels on which nobody can be tested")}
    assert labels["JP", "spam"]["reason"] == "no_data"
    assert ("JP", "ok") not in labels
    appeals = {row["market"]: row for row in _answer(con, "the share of all decisions that appeals")}
    assert 0 <= appeals["JP"]["ci_low"] < 2 / 1000 < appeals["JP"]["ci_high"] < 0.2
    (needs,) = [row for row in _answer(con, "queues that lack most reviews") if row["market"] == "JP"]
    assert needs["missing"] == max(needs["wanted"] - needs["reviews"], 0)
    assert needs["visible_defect_rate"] > needs["expected_defect_rate"]


def test_windows_of_ones_own_equal_the_marts(con: duckdb.DuckDBPyConnection) -> None:
    """Stops a roll-up of tallies that is not the mart's: percent agreement of a week, and 8 of 11 by weight."""
    own = {(row["market"], row["queue"]): row for row in _answer(con, "percent agreement. ")}
    mart = con.execute(
        "select market, queue, estimate, n_items from marts.agreement where metric = 'percent_agreement' "
        "and period = 'week' and period_start = ? and subject = 'production' and 'ALL' not in (market, queue)",
        [NEWEST_WEEK],
    ).fetchall()
    assert len(own) == len(mart) == 4
    for market, queue, estimate, items in mart:
        assert own[market, queue]["percent_agreement"] == pytest.approx(estimate, abs=1e-12)
        assert own[market, queue]["items"] == items
    (defects,) = [row for row in _answer(con, "a defect rate.") if row["market"] == "BR"]
    assert (defects["reviewed"], defects["defect_rate"]) == (5, pytest.approx(8 / 11))
