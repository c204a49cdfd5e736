"""A simulated month, whose truth is known: the pipeline finds exactly what was put in."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from qa_pipeline import loading, quarantining, restating, warehouse
from qa_pipeline.config import Config, load_config
from qa_pipeline.contracts import FEEDS
from qa_pipeline.settings import Home
from qa_pipeline.simulation.damage import inject_blocked_partition, inject_broken_file
from qa_pipeline.simulation.simulate import simulate


@dataclass
class Month:
    """A loaded home, its open warehouse and the truth about it."""

    home: Home
    config: Config
    con: duckdb.DuckDBPyConnection
    truth: dict[str, Any]

    def load(self) -> list[loading.LoadResult]:
        """Load whatever is pending and restate."""
        results = [
            loading.load_partition(self.con, home=self.home, config=self.config, feed=feed, business_date=day)
            for feed, day in loading.pending(self.con, home=self.home, config=self.config)
        ]
        assert restating.restate(self.con, config=self.config).blocked_by == ()
        return results


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Month]:
    home = Home(tmp_path_factory.mktemp("month") / "home").prepare()
    simulate(home, days=30, seed=11, labels_per_day=400, predictions_per_day=1500)
    config = load_config(home)
    with warehouse.working(home, config) as con:
        month = Month(home, config, con, json.loads((home.root / "truth.json").read_text()))
        month.load()
        yield month


def _keys(month: Month, action: str) -> Counter[tuple[str, str, str, str, str]]:
    """(feed, date, file, rule, key) of every row injected for a rule of the action."""
    return Counter(
        (row["feed"], row["business_date"], row["file"], row["rule_id"], json.dumps(row["key"], sort_keys=True))
        for row in month.truth["dirty_rows"]
        if row["action"] == action
    )


def test_quarantine_holds_every_injected_row_under_its_rule_and_no_clean_one(month: Month) -> None:
    """Stops a rule that misses a row, catches a clean one, or blames the wrong rule."""
    found: Counter[tuple[str, str, str, str, str]] = Counter()
    for feed, day, file, rules, row_json in month.con.execute(
        "select feed, business_date, file_name, rule_ids, row_json from quarantine.quarantined_rows"
    ).fetchall():
        row = json.loads(row_json)
        key = {name: row.get(name) for name in FEEDS[feed].key}
        assert len(rules) == 1, (feed, day, file, rules, row_json)
        found[feed, day.isoformat(), file, rules[0], json.dumps(key, sort_keys=True)] += 1
    expected = _keys(month, "quarantine")
    assert len(expected) > 150
    assert found == expected


def test_superseded_rows_are_the_older_deliveries(month: Month) -> None:
    """Stops the older of two deliveries of a key from winning."""
    counts = dict(month.con.execute("select feed, count(*) from ops.superseded group by all").fetchall())
    expected = Counter(row["feed"] for row in month.truth["dirty_rows"] if row["action"] == "supersede")
    for incident in month.truth["incidents"]:
        if incident["kind"] == "duplicated_file":
            files = month.con.execute(
                "select file_name, rows_superseded from ops.ledger where feed = ? and business_date = ? "
                "and rows_superseded > 0",
                [incident["feed"], incident["business_date"]],
            ).fetchall()
            assert dict(files)[incident["superseded_file"]] >= incident["rows"]
            expected[incident["feed"]] += incident["rows"]
    assert counts == dict(expected)


def test_warn_rules_are_counted_and_their_rows_stay(month: Month) -> None:
    """Stops a warning from taking rows out, or from being lost."""
    found = dict(
        month.con.execute(
            "select rule_id, sum(rows_failed) from ops.rule_results where action = 'warn' group by all"
        ).fetchall()
    )
    expected = Counter(row["rule_id"] for row in month.truth["dirty_rows"] if row["action"] == "warn")
    assert {rule: int(count) for rule, count in found.items() if count} == dict(expected)


def test_the_ledger_adds_up_per_file_and_equals_what_was_landed(month: Month) -> None:
    """Stops a row from being lost or counted twice."""
    assert quarantining.unbalanced_files(month.con) == []
    landed = {
        (feed, day.isoformat()): rows
        for feed, day, rows in month.con.execute(
            "select feed, business_date, sum(rows_landed) from ops.ledger group by all"
        ).fetchall()
    }
    expected = {(feed, day): rows for feed, days in month.truth["rows"].items() for day, rows in days.items()}
    assert landed == expected


def test_the_ledger_can_fail(month: Month) -> None:
    """Stops an identity that holds by construction: a row taken out behind the ledger's back is noticed."""
    con = month.con
    con.execute("begin")
    con.execute(
        "delete from validated.valid_labels where label_id = (select min(label_id) from validated.valid_labels)"
    )
    first, last = date(2000, 1, 1), date(2100, 1, 1)
    quarantining.refresh_ledger(con, feed="labels", start_date=first, end_date=last)
    unbalanced = quarantining.unbalanced_files(con)
    con.execute("rollback")
    assert [(feed, landed - found) for feed, _, _, landed, found in unbalanced] == [("labels", 1)]


def test_a_mostly_unusable_partition_is_held_back_whole_and_let_in_when_mended(month: Month) -> None:
    """Stops a shifted or foreign file from reaching the figures, and its rows from being lost."""
    day = date.fromisoformat(month.truth["end"])
    before = month.con.execute("select count(*) from validated.valid_labels where business_date = ?", [day]).fetchall()
    path = inject_blocked_partition(month.home, feed="labels", business_date=day, rows=2000)
    [result] = [result for result in month.load() if result.feed == "labels"]
    assert [reason.split(":")[0] for reason in result.blocked_by] == ["LBL-090"]
    assert (result.rows_validated, result.rows_quarantined) == (0, result.rows_landed)
    status = month.con.execute(
        "select status from ops.partitions where feed = 'labels' and business_date = ?", [day]
    ).fetchall()
    assert status == [("blocked",)]
    assert quarantining.unbalanced_files(month.con) == []
    units = "select count(*) from tallies.label_counts where rater_kind = 'human' and business_date = ?"
    assert month.con.execute(units, [day]).fetchall() == [(0,)]
    path.unlink()
    [mended] = [result for result in month.load() if result.feed == "labels"]
    assert mended.blocked_by == ()
    assert [(mended.rows_validated,)] == before


@pytest.mark.parametrize("rule_id", ["FIL-001", "FIL-002", "FIL-003", "FIL-005"])
def test_one_broken_file_is_quarantined_and_the_others_are_loaded(month: Month, rule_id: str) -> None:
    """Stops one unreadable file from ending the night."""
    day = date.fromisoformat(month.truth["start"])
    path = inject_broken_file(month.home, rule_id=rule_id, feed="reviews", business_date=day)
    [result] = [result for result in month.load() if result.feed == "reviews"]
    rows = month.con.execute(
        "select rule_id, message from quarantine.quarantined_files where file_name = ?", [path.name]
    ).fetchall()
    assert [row[0] for row in rows] == [rule_id]
    assert path.name in rows[0][1]
    assert result.blocked_by == ()
    assert result.rows_validated > 0
    assert quarantining.unbalanced_files(month.con) == []
    path.unlink()
    month.load()
    left = month.con.execute("select count(*) from quarantine.quarantined_files").fetchall()
    assert left == [(0,)]


def test_a_rule_that_cannot_be_evaluated_blocks(month: Month, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stops an error inside a rule from passing as "0 bad rows"."""
    original = loading.suite_path("timesheets")
    broken = json.loads(original.read_text())
    broken["expectations"].append(
        {
            "type": "unexpected_rows_expectation",
            "kwargs": {"unexpected_rows_query": "select business_date, no_such_column from {batch}"},
            "meta": {"rule_id": "TMS-099", "action": "warn", "what_to_do": "Nothing: this is a test."},
            "description": "This rule is broken.",
            "severity": "warning",
        }
    )
    path = tmp_path / "timesheets.json"
    path.write_text(json.dumps(broken))
    monkeypatch.setattr(loading, "suite_path", lambda feed: path if feed == "timesheets" else original.parent / feed)
    day = date.fromisoformat(month.truth["start"])
    result = loading.load_partition(
        month.con, home=month.home, config=month.config, feed="timesheets", business_date=day, force=True
    )
    assert len(result.blocked_by) == 1
    assert "TMS-099: could not be evaluated" in result.blocked_by[0]
    monkeypatch.undo()
    month.load()
