"""marts.gold_health: coverage of labels, leaks by pairs, suspected wrong keys and answers of another guideline."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom
from scipy.stats import t as student

from qa_pipeline.marts.build import build_marts
from qa_pipeline.marts.known_answers import leaks, subject_of
from qa_pipeline.marts.reading import read_table
from qa_pipeline.marts.records import JACKKNIFE
from qa_pipeline.marts.suspected_keys import chance_of_suspicion, suspected_key_figures
from qa_pipeline.stats.proportions import wilson
from qa_pipeline.stats.windows import summary_windows
from qa_pipeline_tests.tally_tables import DAY, SQL_ROOT, MartRow, by, config, empty_warehouse, fill, read_mart

LATER = DAY + timedelta(days=9)


def _build(con: duckdb.DuckDBPyConnection, queues: Mapping[str, Sequence[str]], **settings: Any) -> None:
    build_marts(con, sql_root=SQL_ROOT, config=config(queues, **settings))


def _all(con: duckdb.DuckDBPyConnection, **wanted: str) -> list[MartRow]:
    return read_mart(con, "gold_health", period="all", market="AU", queue="hate", **wanted)


def test_every_declared_label_says_how_many_of_its_decisions_have_a_known_answer() -> None:
    """Stops labels without a known answer, or without any decision, from being left out or being a bare 0."""
    con = empty_warehouse()
    fill(con, "tallies.label_counts", [{"label": "yes", "n": 90}, {"label": "no", "n": 10}])
    fill(con, "tallies.gold_counts", [{"item_id": "i1", "n": 3}, {"item_id": "i2", "rater": "a2", "n": 2}])
    _build(con, {"hate": ["yes", "no", "maybe"]})
    shares = by(_all(con, metric="gold_share"), "subject")
    assert shares["yes"].estimate == pytest.approx(5 / 90)
    assert shares["human"].estimate == pytest.approx(5 / 100)
    assert (shares["no"].estimate, shares["no"].ci_low, shares["no"].n_items) == (0, 0, 10)
    # 0 of 10: Wilson's upper end is 0.2775 and Clopper and Pearson's 0.3085.
    assert 0.27 < shares["no"].ci_high < 0.31
    assert (shares["maybe"].reason, shares["maybe"].n_items) == ("no_data", 0)
    looks = by(_all(con, metric="first_look_accuracy", subject_kind="label"), "subject")
    assert {label: (row.n_items, row.reason) for label, row in looks.items()} == {
        "yes": (2, ""),
        "no": (0, "no_data"),
        "maybe": (0, "no_data"),
    }
    assert not read_mart(con, "gold_health", queue="ALL", subject_kind="label")


def test_each_code_of_a_multi_select_label_counts() -> None:
    """Stops a multi-select label from being a label of its own, which the taxonomy never declared."""
    con = empty_warehouse()
    fill(con, "tallies.label_counts", [{"label": "a|b", "n": 10}, {"label": "a", "n": 5}])
    fill(con, "tallies.gold_counts", [{"label": "a|b", "gold_label": "b", "n": 4}])
    _build(con, {"hate": ["a", "b"]}, multi_select=["hate"])
    shares = by(_all(con, metric="gold_share"), "subject")
    assert {label: row.n_items for label, row in shares.items()} == {"a": 15, "b": 10, "human": 15}
    for label, row in shares.items():
        assert row.estimate == pytest.approx(4 / (10 if label == "b" else 15))
    (look,) = _all(con, metric="first_look_accuracy", subject="b")
    assert (look.estimate, look.n_items) == (0, 1)


def test_first_looks_of_many_people_at_few_items_are_few() -> None:
    """Stops repeats from counting as first looks, and 40 people on 4 items from being 40 independent decisions."""
    con = empty_warehouse()
    rows = [
        {"item_id": f"i{item}", "replicate": item, "rater": f"a{rater}", "label": "no" if item == 0 else "yes"}
        for item in range(4)
        for rater in range(10)
    ]
    fill(con, "tallies.gold_counts", [*rows, {"label": "no", "exposure": 2, "n": 50}])
    _build(con, {"hate": ["yes", "no"]})
    (row,) = _all(con, metric="first_look_accuracy", subject="human")
    assert row.estimate == pytest.approx(0.75)
    assert (row.n_items, row.n_ratings) == (4, 40)
    expected = wilson(np.array(0.75), np.array(4.0))
    assert [row.ci_low, row.ci_high] == [float(expected.low), float(expected.high)]
    assert row.method == "wilson_effective"


def _repeats(pairs: pd.DataFrame) -> pd.DataFrame:
    """Rows of gold_counts: first looks on DAY, the same annotator's repeats on LATER."""
    common = pairs[["item_id", "replicate", "rater", "vendor"]]
    first = common.assign(business_date=DAY, exposure=1, handle_ms=pairs["first_ms"], right=pairs["first"])
    again = common.assign(business_date=LATER, exposure=2, handle_ms=pairs["again_ms"], right=pairs["again"])
    both = pd.concat([first, again])
    return both.assign(label=np.where(both["right"], "yes", "no")).drop(columns="right")


def _pairs(seed: int, *, items: int, people: int, gain: float) -> pd.DataFrame:
    """Annotators' first looks and repeats; hard items are hard for everybody, and times are those of the item."""
    rng = np.random.default_rng(seed)
    item = np.repeat(np.arange(items), people)
    size = len(item)
    share = rng.beta(6, 2, items)[item]
    slow = rng.lognormal(9, 0.4, items)[item]
    return pd.DataFrame(
        {
            "item_id": [f"i{place}" for place in item],
            "replicate": (item * 7919 + seed) % 20,
            "rater": [f"a{place}" for place in np.tile(np.arange(people), items)],
            "vendor": "v1",
            "first": rng.random(size) < share,
            "again": rng.random(size) < share + gain * (1 - share),
            "first_ms": (slow * rng.lognormal(0, 0.3, size)).astype(np.int64),
            "again_ms": (slow * 0.8 * rng.lognormal(0, 0.3, size)).astype(np.int64),
        }
    )


def test_a_leak_compares_repeats_with_the_same_annotators_first_look() -> None:
    """Stops comparing different items or people, corrections of one date, and jackknives unlike Kott's formula.

    Items that were seen once are all wrong and slow here: a comparison of all first looks would call that a leak.
    """
    con = empty_warehouse()
    pairs = _pairs(3, items=60, people=5, gain=0.5)
    fill(con, "tallies.gold_counts", _repeats(pairs))
    once = [{"item_id": f"once{place}", "label": "no", "handle_ms": 90_000, "rater": "b"} for place in range(300)]
    fill(con, "tallies.gold_counts", once)
    correction = {"item_id": "i0", "rater": "a0", "label": "no", "exposure": 2, "replicate": 5, "n": 7}
    fill(con, "tallies.gold_counts", [correction])
    _build(con, {"hate": ["yes", "no"]})
    gains = by(_all(con, metric="leak_accuracy_gain"), "subject")
    assert set(gains) == {"human", "v1"}
    row = gains["human"]
    without = [pairs[pairs["replicate"] != left_out] for left_out in range(20)]
    gain = pairs["again"].mean() - pairs["first"].mean()
    apart = np.array([part["again"].mean() - part["first"].mean() for part in without]) - gain
    half = student.ppf(0.975, 19) * np.sqrt(19 / 20 * np.sum(apart**2))
    assert row.estimate == pytest.approx(gain)
    assert row.ci_low == pytest.approx(gain - half)
    assert row.ci_high == pytest.approx(gain + half)
    assert (row.n_items, row.method) == (300, "jackknife")
    assert (gains["v1"].estimate, gains["v1"].ci_low) == (row.estimate, row.ci_low)
    (speed,) = _all(con, metric="leak_speed_up", subject="human")
    assert speed.estimate == pytest.approx(1 - pairs["again_ms"].sum() / pairs["first_ms"].sum())
    assert speed.ci_low < speed.estimate < speed.ci_high
    weeks = read_mart(con, "gold_health", metric="leak_accuracy_gain", period="week", queue="hate", subject="human")
    # The first look lies in the week before: it counts all the same, on the date of the repeat.
    assert {(each.period_start, each.n_items) for each in weeks} == {(DAY + timedelta(days=7), 300)}


def test_few_repeats_have_a_reason_and_no_difference() -> None:
    """Stops a difference of a handful of repeats from being shown as if it said something; nor without times."""
    con = empty_warehouse()
    pairs = _pairs(4, items=9, people=2, gain=0.5)
    fill(con, "tallies.gold_counts", _repeats(pairs).assign(n_timed=0, handle_ms=0))
    _build(con, {"hate": ["yes", "no"]})
    (gain,) = _all(con, metric="leak_accuracy_gain", subject="human")
    (speed,) = _all(con, metric="leak_speed_up", subject="human")
    assert (gain.reason, gain.n_items, speed.reason, speed.n_items) == ("too_few_items", 18, "no_data", 0)
    assert np.isnan(gain.estimate)
    assert np.isnan(speed.estimate)


def test_intervals_of_leaks_hold_the_truth() -> None:
    """Stops intervals that take people on one item for independent.

    300 queues of 40 items x 5 people without any gain and 20 % faster repeats. At 95 % a share of 93 % is 1.6 standard
    errors below; the promise of the design is 93 %.
    """
    con = empty_warehouse()
    queues = 300
    pairs = [
        _repeats(_pairs(place, items=40, people=5, gain=0)).assign(queue=f"q{place:03}") for place in range(queues)
    ]
    fill(con, "tallies.gold_counts", pd.concat(pairs))
    table = read_table(con, sql_root=SQL_ROOT, name="gold_repeats", parameters={})
    windows = summary_windows(np.array([DAY, LATER], dtype="datetime64[D]"))
    gain, speed = next(zip(*[leaks(table, windows=windows, subject=subject_of(table, "rater_kind"))] * 2, strict=True))
    for figures, truth in ((gain, 0.0), (speed, 0.2)):
        given = (figures.window == 0) & (figures.method == JACKKNIFE)
        assert given.sum() > 0.95 * queues
        covered = (figures.low[given] <= truth) & (truth <= figures.high[given])
        assert covered.mean() >= 0.93


def _looks(seed: int, *, items: int, accuracy: Sequence[float], wrong_keys: int, queue: str = "hate") -> pd.DataFrame:
    """First looks of people of some accuracy at each item; errors are spread over three labels."""
    rng = np.random.default_rng(seed)
    item, rater = (part.ravel() for part in np.meshgrid(np.arange(items), np.arange(len(accuracy)), indexing="ij"))
    others = np.array(["no", "maybe", "spam"])
    is_right = rng.random(len(item)) < np.array(accuracy)[rater]
    said = np.where(is_right, "yes", others[rng.integers(0, 3, len(item))])
    return pd.DataFrame(
        {
            "queue": queue,
            "item_id": [f"i{place}" for place in item],
            "replicate": item % 20,
            "rater": [f"a{place}" for place in rater],
            "label": said,
            "gold_label": np.where(item < wrong_keys, "no", "yes"),
        }
    )


def test_wrong_keys_are_found_and_careless_people_do_not_make_any() -> None:
    """Stops wrong keys from being missed, right ones from being suspected, and the careless from being heard.

    12 careful people and 9 who always say "spam": the careless are under the median once they are judged.
    """
    con = empty_warehouse()
    looks = _looks(5, items=60, accuracy=[0.95] * 12, wrong_keys=3)
    careless = _looks(6, items=60, accuracy=[0.0] * 9, wrong_keys=3).assign(label="spam")
    careless["rater"] = "b" + careless["rater"]
    fill(con, "tallies.gold_counts", pd.concat([looks, careless]))
    _build(con, {"hate": ["yes", "no", "maybe", "spam"]})
    items = by(_all(con, subject_kind="item"), "subject")
    assert {name for name, row in items.items() if row.extra["suspected"]} == {"i0", "i1", "i2"}
    row = items["i0"]
    assert (row.metric, row.reference_kind) == ("disagreement_with_key", "no")
    assert row.extra["alternative_label"] == "yes"
    good = wilson(np.array(row.estimate), np.array(float(row.n_items)))
    assert [row.ci_low, row.ci_high] == [float(good.low), float(good.high)]
    assert len(items) == 60
    assert all(each.n_items <= 12 for each in items.values())
    (share,) = _all(con, metric="suspected_key_share")
    assert share.estimate == pytest.approx(3 / 60)
    assert share.n_items == 60
    everywhere = read_mart(con, "gold_health", period="all", market="ALL", metric="disagreement_with_key")
    assert [each.estimate for each in everywhere] == [items[each.subject].estimate for each in everywhere]
    assert {each.period for each in read_mart(con, "gold_health", subject_kind="item")} == {"all", "trailing_28d"}


def test_who_is_good_is_judged_by_the_other_items_and_needs_five_decisions() -> None:
    """Stops an item from choosing its own judges, people without a record from judging, and items with four judges.

    By hand: a1 to a5 decide i1 to i6 rightly but for i1, whose key all contradict; a6 has decided two items only. Of
    the items besides i2 all five have four in five right. Beside a median with i2 in it, five in six, none was good.
    """
    con = empty_warehouse()
    rows = [
        {"item_id": f"i{item}", "replicate": item, "rater": f"a{rater}", "label": "no" if item == 1 else "yes"}
        for item in range(1, 7)
        for rater in range(1, 6)
    ]
    rows += [{"item_id": f"i{item}", "replicate": item, "rater": "a6", "label": "yes"} for item in (1, 2)]
    rows += [{"item_id": "i7", "replicate": 7, "rater": f"b{rater}", "label": "yes"} for rater in range(9)]
    fill(con, "tallies.gold_counts", rows)
    _build(con, {"hate": ["yes", "no"]})
    items = by(_all(con, subject_kind="item"), "subject")
    assert set(items) == {f"i{item}" for item in range(1, 7)}
    assert (items["i1"].estimate, items["i1"].n_items, items["i1"].extra["suspected"]) == (1, 5, True)
    assert (items["i2"].estimate, items["i2"].extra["alternative_label"]) == (0, "")
    assert items["i2"].ci_high > 0.3


def test_what_chance_makes_of_right_keys_is_what_is_said() -> None:
    """Stops a choice of judges that makes keys suspected: 200 queues of 30 items whose keys are all right.

    All err by themselves, four times in ten and for the same label. Judges chosen by the item itself, or beside a
    median that it is in, would find more.
    """
    con = empty_warehouse()
    looks = [_looks(place, items=30, accuracy=[0.6] * 12, wrong_keys=0, queue=f"q{place:03}") for place in range(200)]
    fill(con, "tallies.gold_counts", pd.concat(looks).replace({"label": {"maybe": "no", "spam": "no"}}))
    windows = summary_windows(np.array([DAY], dtype="datetime64[D]"))
    _, queues = suspected_key_figures(con, sql_root=SQL_ROOT, windows=windows)
    # Both windows are the same dates; market ALL is the same items.
    shares, items = queues[0].estimate, queues[0].n_items
    found, expected = (np.average(each.estimate, weights=items) for each in queues[:2])
    apart = np.std(shares) / np.sqrt(200)
    assert found > 10 * apart / 3
    assert abs(found - expected) < 3 * apart


def test_the_chance_of_suspicion_is_binomial() -> None:
    """Stops the wrong number of errors from being taken for the least that makes a key suspected.

    Wilson's lower end is above 1/2 exactly when 2 k - n > 1.96 sqrt(n), which is the score test of one half.
    """
    decisions = np.arange(5.0, 40)
    least = np.array([next(k for k in range(int(n) + 1) if 2 * k - n > 1.959964 * np.sqrt(n)) for n in decisions])
    expected = [
        sum(binom.pmf(count, n, 0.3) for count in range(k, int(n) + 1)) for n, k in zip(decisions, least, strict=True)
    ]
    error = np.full(len(decisions), 0.3)
    np.testing.assert_allclose(chance_of_suspicion(decisions, error=error), expected, rtol=1e-9)


def test_answers_given_under_another_guideline() -> None:
    """Stops expired answers from being overlooked, and a gap without anything on one side from being a number."""
    con = empty_warehouse()
    # In each replicate 20 decisions under the guideline of the answer, 18 right, and 10 under another, 6 or 7 right.
    rows = [
        {"item_id": f"i{replicate}", "replicate": replicate, "is_other_guideline": is_other, "label": label, "n": n}
        for replicate in range(20)
        for is_other, label, n in (
            (False, "yes", 18),
            (False, "no", 2),
            (True, "yes", 6 + replicate % 2),
            (True, "no", 4 - replicate % 2),
        )
    ]
    fill(con, "tallies.gold_counts", rows)
    fill(con, "tallies.gold_counts", [{"queue": "spam", "n": 300}])
    _build(con, {"hate": ["yes", "no"], "spam": ["yes", "no"]})
    for subject in ("human", "yes"):
        (share,) = _all(con, metric="other_guideline_share", subject=subject)
        assert share.estimate == pytest.approx(1 / 3)
        assert share.n_items == 600
        (gap,) = _all(con, metric="other_guideline_accuracy_gap", subject=subject)
        assert gap.estimate == pytest.approx(0.9 - 130 / 200)
        assert 0 < gap.ci_low < gap.estimate < gap.ci_high
    (gap,) = read_mart(
        con,
        "gold_health",
        period="all",
        market="AU",
        queue="spam",
        metric="other_guideline_accuracy_gap",
        subject="yes",
    )
    assert (gap.reason, gap.n_items) == ("no_comparison", 300)
    assert np.isnan(gap.estimate)
