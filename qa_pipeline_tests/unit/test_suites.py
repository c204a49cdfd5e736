"""Reading the suites: what the files hold, what they are derived from, and what is said of a broken one."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qa_pipeline.contracts import FEEDS, Feed
from qa_pipeline.errors import ConfigError
from qa_pipeline.settings import project_root
from qa_pipeline.suites import FILE_RULES, REGENERATE, Rule, load_suite, rules_markdown, suite_fingerprint
from qa_pipeline_tests.suite_rows import CROSS_SUITES, suite, suite_file

ALL_SUITES = (*FEEDS, *CROSS_SUITES)
QUERY = "unexpected_rows_query"


def _rules(feed: Feed) -> dict[str, Rule]:
    return {rule.rule_id.removeprefix(f"{feed.rule_prefix}-"): rule for rule in suite(feed.name).rules}


def test_no_suite_is_forgotten() -> None:
    """Stops a suite in the folder that nothing loads, and a feed without one."""
    assert {path.stem for path in suite_file("labels").parent.iterdir()} == set(ALL_SUITES)


@pytest.mark.parametrize("feed", FEEDS.values(), ids=FEEDS)
def test_feed_has_at_least_six_rules(feed: Feed) -> None:
    """Stops a feed that is hardly checked."""
    assert len(suite(feed.name).rules) >= 6


def test_rule_ids_are_unique_over_all_suites() -> None:
    """Stops one id with two meanings: quarantine and results are joined on it."""
    ids = [rule.rule_id for name in ALL_SUITES for rule in suite(name).rules] + [rule.rule_id for rule in FILE_RULES]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("name", ALL_SUITES)
def test_severity_follows_the_action(name: str) -> None:
    """Stops a suite that disagrees with the table of actions in docs/rules.md."""
    severities = {"block": "critical", "quarantine": "warning", "warn": "info", "supersede": "info"}
    assert {rule.rule_id: rule.severity for rule in suite(name).rules} == {
        rule.rule_id: severities[rule.action] for rule in suite(name).rules
    }


@pytest.mark.parametrize("feed", FEEDS.values(), ids=FEEDS)
def test_rules_that_a_feed_must_have(feed: Feed) -> None:
    """Stops a feed from losing a rule that its columns call for, or the rule from changing its action."""
    wanted = {"001": "quarantine", "002": "quarantine", "009": "supersede", "090": "block"}
    columns = {"market": ("003",), "queue": ("004",)}
    for name, numbers in columns.items():
        wanted |= dict.fromkeys(numbers if name in feed.names else (), "quarantine")
    if feed.event_at is not None:
        wanted |= {"006": "quarantine", "007": "quarantine"}
    if any(column.values for column in feed.columns):
        wanted["008"] = "quarantine"
    rules = _rules(feed)
    assert {number: rules[number].action for number in wanted} == wanted


@pytest.mark.parametrize("feed", FEEDS.values(), ids=FEEDS)
def test_closed_vocabularies_are_the_contract(feed: Feed) -> None:
    """Stops a value added to the contract from being quarantined, and one taken out from passing."""
    closed = {column.name: column.values for column in feed.columns if column.values}
    rule = _rules(feed).get("008")
    if rule is None:
        assert not closed
        return
    if rule.expectation_type == "ExpectColumnValuesToBeInSet":
        found = {rule.kwargs["column"]: tuple(rule.kwargs["value_set"])}
    else:
        lists = re.findall(r"(\w+) not in \(([^)]*)\)", rule.kwargs[QUERY])
        found = {name: tuple(re.findall(r"'([^']*)'", values)) for name, values in lists}
    assert found == closed


@pytest.mark.parametrize("feed", FEEDS.values(), ids=FEEDS)
def test_keys_and_times_are_the_contract(feed: Feed) -> None:
    """Stops a suite that still judges the key or the time of an older contract."""
    rules = _rules(feed)
    assert f"partition by {', '.join(feed.key)} order by" in rules["009"].kwargs[QUERY]
    if feed.event_at is not None:
        assert f"subselect.{feed.event_at} < days.starts_at" in rules["006"].kwargs[QUERY]
        assert f"subselect.{feed.event_at} >= days.ends_at" in rules["007"].kwargs[QUERY]


@pytest.mark.parametrize("name", ALL_SUITES)
def test_files_are_what_great_expectations_writes(name: str) -> None:
    """Stops a suite that GX cannot read, or would write in another way (its type coercions included)."""
    gx = pytest.importorskip("great_expectations")
    content = json.loads(suite_file(name).read_text(encoding="utf-8"))
    assert gx.ExpectationSuite(**content).to_json_dict() == content


def test_reading_suites_does_not_import_great_expectations() -> None:
    """Stops `status` and the Dagster definitions from paying 3 seconds for a JSON file."""
    code = (
        "import sys; from qa_pipeline import suites; suites.rules_markdown(); "
        "sys.exit('great_expectations' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=project_root()).returncode == 0


def test_catalogue_is_up_to_date() -> None:
    """Stops docs/rules.md from telling about rules as they were."""
    page = (project_root() / "docs" / "rules.md").read_text(encoding="utf-8")
    assert page == rules_markdown(), f"docs/rules.md is not what the suites say: run {REGENERATE}"


def test_catalogue_names_every_rule_once() -> None:
    """Stops a suite or a column from falling out of the page."""
    page = rules_markdown()
    for rule in (rule for name in ALL_SUITES for rule in suite(name).rules):
        assert page.count(f"| {rule.rule_id} | {rule.description} | {rule.action} | {rule.what_to_do} |") == 1
    assert all(page.count(f"| {rule.rule_id} |") == 1 for rule in FILE_RULES)


def _written(folder: Path, change: Callable[[dict[str, Any]], object], *, name: str = "timesheets") -> Path:
    """The suite of timesheets, changed."""
    content = json.loads(suite_file("timesheets").read_text(encoding="utf-8"))
    change(content)
    path = folder / f"{name}.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def _set(path: str, value: object) -> Callable[[dict[str, Any]], object]:
    """Change that sets the key at `a.b.c` of the suite's last expectation."""

    def change(content: dict[str, Any]) -> None:
        *parents, last = path.split(".")
        place = content["expectations"][-1]
        for key in parents:
            place = place[key]
        place[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (_set("meta.rule_id", "TMS-001"), "rule id TMS-001 is used twice"),
        (_set("meta.rule_id", "LBL-090"), "rule id 'LBL-090' is not TMS- and three digits"),
        (_set("meta.rule_id", None), "meta.rule_id is missing"),
        (
            _set("meta.action", "delete"),
            "meta.action is 'delete', but must be one of quarantine, block, warn, supersede",
        ),
        (_set("meta.action", ""), "meta.action is missing"),
        (_set("meta.what_to_do", None), "meta.what_to_do is missing"),
        (_set("meta", None), "type, kwargs and meta are needed"),
        (_set("kwargs", []), "type, kwargs and meta are needed"),
        (_set("description", " "), "description is missing"),
        (_set("severity", "bad"), "severity is 'bad', but must be one of critical, warning, info"),
        (_set("type", "no_such_thing"), "type 'no_such_thing' is not the name of an expectation"),
        (_set("type", "expect_column_values_to_match_regex"), "does not work on DuckDB"),
        (_set(f"kwargs.{QUERY}", "select 1"), "must be SQL that reads from {batch}"),
        (_set(f"kwargs.{QUERY}", None), "must be SQL that reads from {batch}"),
        (_set(f"kwargs.{QUERY}", "select 1 from {batch} where x in ({y})"), "a brace other than those of {batch}"),
        (_set(f"kwargs.{QUERY}", "select 1 from {batch} Join y using (z)"), "the word join"),
        (_set(f"kwargs.{QUERY}", "select x::int from {batch}"), "a colon"),
    ],
)
def test_a_broken_rule_is_named(tmp_path: Path, change: Callable[[dict[str, Any]], object], sentence: str) -> None:
    """Stops a rule that silently isn't one; the sentence names the file and the place."""
    path = _written(tmp_path, change)
    with pytest.raises(ConfigError) as caught:
        load_suite(path)
    last = len(json.loads(path.read_text(encoding="utf-8"))["expectations"])
    assert sentence in str(caught.value)
    assert str(caught.value).startswith(f"{path}: expectation {last}")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "is not valid JSON"),
        ("[]", "is not an expectation suite"),
        ('{"name": "labels"}', "name is 'labels', but must be 'timesheets'"),
        ('{"name": "timesheets"}', "expectations is not a list"),
        ('{"name": "timesheets", "expectations": []}', "at least one expectation"),
        ('{"name": "timesheets", "expectations": [7]}', "expectation 1: type, kwargs and meta are needed"),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, content: str, sentence: str) -> None:
    """Stops a suite without rules from passing everything."""
    path = tmp_path / "timesheets.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_suite(path)
    assert sentence in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_suite_of_no_feed_is_refused(tmp_path: Path) -> None:
    """Stops a suite whose name is misspelt from never being run."""
    path = _written(tmp_path, lambda content: content.update(name="timesheet"), name="timesheet")
    with pytest.raises(ConfigError, match="no feed is called so"):
        load_suite(path)


def test_a_missing_suite_is_named(tmp_path: Path) -> None:
    """Stops a feed without suite from being validated by nothing."""
    for read in (load_suite, suite_fingerprint):
        with pytest.raises(ConfigError, match=r"labels\.json is missing"):
            read(tmp_path / "labels.json")


def test_fingerprint_follows_the_content(tmp_path: Path) -> None:
    """Stops a changed rule from leaving its partitions as they are, and a copied file from rebuilding them."""
    same = _written(tmp_path, lambda _: None)
    before = suite_fingerprint(same)
    assert before == suite_fingerprint(_written(tmp_path, lambda _: None))
    assert before != suite_fingerprint(_written(tmp_path, _set("severity", "info")))
    assert re.fullmatch("[0-9a-f]{64}", before)


def test_suite_knows_its_feed_and_scope() -> None:
    """Stops a cross-date suite from being run on a partition."""
    assert (suite("labels").feed, suite("labels").is_cross_date) == ("labels", False)
    assert (suite("cross_labels").feed, suite("cross_labels").is_cross_date) == ("labels", True)
