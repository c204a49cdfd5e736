"""Facts and tallies as a function of the landed rows: the order in which they came leaves no trace."""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from qa_pipeline import loading, restating, warehouse
from qa_pipeline.config import load_config
from qa_pipeline.contracts import FEEDS
from qa_pipeline.marts.build import MARTS, build_marts
from qa_pipeline.quarantining import unbalanced_files
from qa_pipeline.settings import Home, project_root
from qa_pipeline.validation import RuleOutcome, run_suite
from qa_pipeline_tests.random_operation import (
    Operation,
    expected_annotators,
    expected_gold,
    expected_largest_weights,
    expected_lots,
    expected_outcomes,
    expected_pairs,
    expected_rater_patterns,
    expected_repeats,
    expected_reviews,
    expected_unit_patterns,
    expected_verdict_weights,
    expected_verdicts,
    random_operation,
    write_config,
)

Tables = dict[str, list[tuple[object, ...]]]
ACCOUNTS = ["ops.ledger", "ops.rule_results", *(f"quarantine.quarantined_{feed}" for feed in FEEDS)]


def _run(home: Home, *, nights: Sequence[Sequence[date]], force: bool = False) -> Tables:
    """Load the dates of each night in turn, restating after each, and return every fact and tally."""
    config = load_config(home)
    with warehouse.working(home, config) as con:
        for night in nights:
            for day in night:
                for feed in FEEDS:
                    loading.load_partition(con, home=home, config=config, feed=feed, business_date=day, force=force)
            result = restating.restate(con, config=config)
            assert result.blocked_by == ()
        assert restating.restate(con, config=config).rebuilt == ()
        assert unbalanced_files(con) == []
        build_marts(con, sql_root=project_root() / "sql", config=config)
        names = [f"{node.layer}.{node.name}" for node in restating.NODES]
        names += [f"marts.{name}" for name in MARTS] + ACCOUNTS
        return {name: con.execute(f"select * from {name} order by all").fetchall() for name in names}


def _home(tmp_path: Path, name: str, operation: Operation, *, restate_days: int) -> Home:
    home = Home(tmp_path / name)
    write_config(home, restate_days=restate_days)
    for feed, day in operation.rows:
        operation.land(home, feed, day)
    return home


@pytest.mark.parametrize(("seed", "restate_days"), [(1, 28), (2, 2)])
def test_any_order_of_days_ends_in_the_same_tallies_and_marts(tmp_path: Path, seed: int, restate_days: int) -> None:
    """Stops a rebuild that forgets a date which late ratings, gold or reviews changed."""
    operation = random_operation(seed=seed, days=6)
    at_once = _run(_home(tmp_path, "range", operation, restate_days=restate_days), nights=[operation.days])
    shuffled = list(operation.days)
    random.Random(seed).shuffle(shuffled)
    one_by_one = _run(
        _home(tmp_path, "shuffled", operation, restate_days=restate_days), nights=[[day] for day in shuffled]
    )
    assert sum(len(rows) for rows in at_once.values()) > 500
    for table, rows in at_once.items():
        assert one_by_one[table] == rows, table


@pytest.mark.parametrize(("seed", "restate_days"), [(3, 28), (4, 2)])
def test_tallies_equal_a_naive_second_implementation(tmp_path: Path, seed: int, restate_days: int) -> None:
    """Stops SQL that counts something other than what the definitions say."""
    operation = random_operation(seed=seed, days=6)
    tables = _run(_home(tmp_path, "home", operation, restate_days=restate_days), nights=[operation.days])
    for *_, pattern, n_raters, _ in tables["tallies.unit_patterns"]:
        assert str(pattern).count(",") + 1 == n_raters
    for name, keys, expected in (
        ("unit_patterns", (0, 1, 2, 4, 5, 7), expected_unit_patterns),
        ("pair_counts", (0, 1, 2, 4, 5, 6, 7, 8), expected_pairs),
        ("rater_patterns", (0, 1, 2, 4, 5, 6, 7), expected_rater_patterns),
        ("repeat_counts", (0, 1, 2, 4, 6), expected_repeats),
    ):
        counted: Counter[tuple[str, ...]] = Counter()
        for row in tables[f"tallies.{name}"]:
            counted[tuple(str(row[key]) for key in keys)] += int(str(row[-1]))
        assert counted, name
        assert counted == expected(operation, restate_days=restate_days), name
    # Where n is not the last column: its place, counted from the end.
    for name, columns, place, expected in (
        ("gold_counts", (0, 1, 2, 4, 5, 7, 8, 9), -3, expected_gold),
        ("lot_counts", (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11), -4, expected_lots),
        ("reviewer_outcomes", (0, 1, 2, 4, 5, 6, 7, 8, 9), -4, expected_verdicts),
        ("reviewer_outcomes", (0, 1, 2, 4, 5, 6, 7, 8, 9), -3, expected_verdict_weights),
        ("annotator_label_counts", (0, 1, 2, 4, 5, 6), -1, expected_annotators),
    ):
        counted = Counter()
        for row in tables[f"tallies.{name}"]:
            counted[tuple(str(row[key]) for key in columns)] += int(str(row[place]))
        assert counted, name
        assert counted == expected(operation, restate_days=restate_days), name
    outcomes: Counter[tuple[str, ...]] = Counter()
    for row in tables["tallies.outcome_counts"]:
        day, market, queue, _, _, rater, _, label, reference, kind, sampling, _, _, n, *_ = row
        key = (str(day), str(market), str(queue), str(rater), str(label), str(reference), str(kind), str(sampling))
        outcomes[key] += int(str(n))
    assert outcomes == expected_outcomes(operation, restate_days=restate_days)
    reviews: Counter[tuple[str, ...]] = Counter()
    largest: dict[tuple[str, ...], int] = {}
    for row in tables["tallies.review_counts"]:
        day, market, queue, _, kind, _, rater, _, _, _, _, category, _, sampling, is_blind, *_, n, _, _, most = row
        review = (str(day), str(market), str(queue), str(kind), str(rater), str(category), str(sampling), str(is_blind))
        reviews[review] += int(str(n))
        plan = (str(day), str(market), str(queue), str(kind))
        largest[plan] = max(int(str(most)), largest.get(plan, 0))
    assert reviews == expected_reviews(operation, restate_days=restate_days)
    assert largest == expected_largest_weights(operation, restate_days=restate_days)


def test_a_changed_file_moves_what_it_touched_and_a_removed_one_leaves_nothing(tmp_path: Path) -> None:
    """Stops stale rows of an earlier version of a file from surviving in a fact or tally."""
    before, after = random_operation(seed=5, days=5), random_operation(seed=5, days=5)
    changed_day = after.days[2]
    after.rows["labels", changed_day] = after.rows["labels", changed_day][::2]
    del after.rows["reviews", after.days[3]]
    home = _home(tmp_path, "home", before, restate_days=28)
    _run(home, nights=[before.days])
    after.land(home, "labels", changed_day)
    (home.landing / "reviews" / f"date={after.days[3]}" / "a.csv").unlink()
    config = load_config(home)
    with warehouse.working(home, config) as con:
        due = loading.pending(con, home=home, config=config)
    assert due == [("labels", changed_day), ("reviews", after.days[3])]
    rebuilt = _run(home, nights=[[day for _, day in due]])
    fresh = _run(_home(tmp_path, "fresh", after, restate_days=28), nights=[after.days])
    for table, rows in fresh.items():
        assert rebuilt[table] == rows, table


def test_a_forced_rebuild_changes_nothing(tmp_path: Path) -> None:
    """Stops a load that depends on what was there before."""
    operation = random_operation(seed=6, days=4)
    home = _home(tmp_path, "home", operation, restate_days=28)
    first = _run(home, nights=[operation.days])
    assert _run(home, nights=[operation.days], force=True) == first


def test_decisions_on_one_item_over_three_days_agree_as_if_made_on_one(tmp_path: Path) -> None:
    """Stops a unit from being split at midnight."""
    spread = Operation([])
    together = Operation([])
    base = random_operation(seed=7, days=3, items=40)
    production = [row for day in base.days for row in base.rows["labels", day] if row["stage"] == "production"]
    for number, row in enumerate(production):
        day = base.days[number * 3 // len(production)]
        time = f"{number // 60:02d}:{number % 60:02d}:00+00:00"
        spread.rows["labels", day].append({**row, "submitted_at": f"{day}T{time}"})
        together.rows["labels", base.days[0]].append({**row, "submitted_at": f"{base.days[0]}T{time}"})
    one = _run(_home(tmp_path, "spread", spread, restate_days=28), nights=[base.days])
    other = _run(_home(tmp_path, "together", together, restate_days=28), nights=[base.days])

    def totals(tables: Tables) -> Counter[tuple[object, ...]]:
        counts: Counter[tuple[object, ...]] = Counter()
        for _, *key, n in tables["tallies.unit_patterns"]:
            counts[tuple(key)] += int(str(n))
        return counts

    assert totals(one) == totals(other)


def test_only_the_dates_that_a_late_file_touches_are_rebuilt(tmp_path: Path) -> None:
    """Stops a late file from costing a rebuild of every date, or of predictions that it cannot change."""
    operation = random_operation(seed=8, days=6, items=500, labels_per_day=20)
    home = _home(tmp_path, "home", operation, restate_days=28)
    _run(home, nights=[operation.days])
    rows = operation.rows["labels", operation.days[1]]
    target = next(row for row in rows if row["stage"] == "production")
    day = operation.days[-1] + timedelta(days=1)
    late = {**target, "label_id": "late-1", "annotator_id": "A-late", "submitted_at": f"{day}T12:00:00+00:00"}
    operation.rows["labels", day] = [late]
    operation.land(home, "labels", day)
    sharing = {
        other
        for other in operation.days
        for row in operation.rows["labels", other]
        if (row["queue"], row["item_id"]) == (target["queue"], target["item_id"])
    }
    config = load_config(home)
    with warehouse.working(home, config) as con:
        loading.load_partition(con, home=home, config=config, feed="labels", business_date=day)
        rebuilt = restating.restate(con, config=config).rebuilt
    dates = {
        node: {entry.business_date for entry in rebuilt if entry.node == node} for node in {e.node for e in rebuilt}
    }
    assert len(sharing) < len(operation.days)
    assert dates["unit_patterns"] == sharing | {day}
    assert dates["label_counts"] == {day}
    assert "score_hist" not in dates
    assert "prediction_outcomes" not in dates


@pytest.mark.parametrize("is_other_item", [True, False])
def test_a_rejected_row_does_not_take_arbitration_from_the_review_whose_id_it_repeats(
    tmp_path: Path, *, is_other_item: bool
) -> None:
    """Stops a repeated review_id from taking the review's arbitration: into quarantine, or silently from the figures.

    The repetition (rule REV-023) judges another item, so that the arbitration would seem to be of a wrong item, or the
    same decision again.
    """
    operation = random_operation(seed=11, days=3)
    first, repeated, last = operation.days
    one, other = [row for row in operation.rows["labels", first] if row["stage"] == "production"][:2]
    assert one["item_id"] != other["item_id"]
    template = dict.fromkeys(operation.rows["reviews", first][0], "")
    template |= {"error_category": "none", "severity": "minor", "sampling": "random", "inclusion_probability": "0.5"}
    template |= {"is_blind": "true", "reviewer_id": "Q0", "verdict_label": one["label"]}

    def review(of: dict[str, str], day: date, **changes: str) -> dict[str, str]:
        own = {name: of[name] for name in ("item_id", "market", "queue")}
        return template | own | {"reviewed_at": f"{day}T12:00:00+00:00"} | changes

    judged = other if is_other_item else one
    operation.rows = {("labels", first): [one, other]} | {
        ("reviews", day): [row]
        for day, row in (
            (first, review(one, first, review_id="R1", target_kind="label", target_id=one["label_id"])),
            (repeated, review(judged, repeated, review_id="R1", target_kind="label", target_id=judged["label_id"])),
            (last, review(one, last, review_id="R2", target_kind="review", target_id="R1", reviewer_id="ARB")),
        )
    }
    tables = _run(_home(tmp_path, "home", operation, restate_days=28), nights=[operation.days])
    assert [row[0] for row in tables["quarantine.quarantined_reviews"]] == [repeated]
    ((verdict_date, *_, found, sampling, n, _, _, _),) = tables["tallies.reviewer_outcomes"]
    assert (verdict_date, found, sampling, n) == (first, "none", "random", 1)


def test_a_load_that_broke_off_leaves_no_unjudged_row_in_a_figure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stops rows that no rule has seen from reaching facts after a crash between loading and judging."""
    operation = random_operation(seed=9, days=2)
    home = _home(tmp_path, "home", operation, restate_days=28)
    first = _run(home, nights=[operation.days])
    config = load_config(home)
    day = operation.days[1]
    with warehouse.working(home, config) as con:
        with monkeypatch.context() as patch:
            patch.setattr(loading, "run_suite", lambda *_, **__: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                loading.load_partition(con, home=home, config=config, feed="labels", business_date=day, force=True)
        restating.restate(con, config=config)
        human = "select count(*) from tallies.label_counts where rater_kind = 'human' and business_date = ?"
        assert con.execute(human, [day]).fetchall() == [(0,)]
        assert ("labels", day) in loading.pending(con, home=home, config=config)
    assert _run(home, nights=[operation.days]) == first


def test_a_cross_date_rule_that_cannot_be_evaluated_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stops a broken rule from being forgotten by the next run, which would then publish unjudged facts."""
    operation = random_operation(seed=10, days=2)
    home = _home(tmp_path, "home", operation, restate_days=28)
    config = load_config(home)

    def broken(*arguments: Any, **named: Any) -> list[RuleOutcome]:
        return [replace(outcome, message="broken", is_success=False) for outcome in run_suite(*arguments, **named)]

    with warehouse.working(home, config) as con:
        for day in operation.days:
            for feed in FEEDS:
                loading.load_partition(con, home=home, config=config, feed=feed, business_date=day)
        with monkeypatch.context() as patch:
            patch.setattr(restating, "run_suite", broken)
            assert restating.restate(con, config=config).blocked_by != ()
            assert restating.restate(con, config=config).blocked_by != ()
        assert restating.restate(con, config=config).blocked_by == ()
        assert restating.restate(con, config=config).rebuilt == ()
