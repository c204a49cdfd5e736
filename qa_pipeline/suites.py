"""The rules: reading and checking the suites in `expectations/`, and the catalogue of them for people.

A suite is the JSON that Great Expectations itself writes. Nothing is evaluated here and Great Expectations is not
imported (3 s): running a suite is `validation`'s business, what becomes of a failing row is `loading`'s and
`restating`'s.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from qa_pipeline.contracts import FEEDS, Feed
from qa_pipeline.errors import ConfigError
from qa_pipeline.settings import project_root

Action = Literal["quarantine", "block", "warn", "supersede"]
Severity = Literal["critical", "warning", "info"]

ROWS_EXPECTATION = "UnexpectedRowsExpectation"
CROSS_PREFIX = "cross_"
REGENERATE = (
    'python -c "from qa_pipeline import suites; '
    "open('docs/rules.md', 'w', encoding='utf-8').write(suites.rules_markdown())\""
)

_ACTION_MEANINGS: dict[Action, str] = {
    "quarantine": "The row leaves for `quarantine.quarantined_<feed>`, with its rule ids, its file and its text.",
    "supersede": "The row is an older delivery of a row that stays; the ledger counts it as superseded.",
    "warn": "The row stays and the count is shown (`ops.rule_results`, the asset's check).",
    "block": "Nothing of the partition is loaded; what depends on it is skipped until it is mended and run again.",
}
# Great Expectations' words for how bad a failure is.
_SEVERITY_OF: dict[Action, Severity] = {
    "quarantine": "warning",
    "supersede": "info",
    "warn": "info",
    "block": "critical",
}


@dataclass(frozen=True)
class Rule:
    """One rule of a suite.

    `expectation_type` is the name of the Great Expectations class, `kwargs` are its arguments. A rule written in SQL
    selects `business_date, row_id` of the failing rows `from {batch}`, which is called `subselect`.
    """

    rule_id: str
    action: Action
    severity: Severity
    description: str
    what_to_do: str
    expectation_type: str
    kwargs: Mapping[str, Any]


@dataclass(frozen=True)
class Suite:
    """The rules of one feed that are judged together, in the order of the file.

    `name` is the file's name without ending; `is_cross_date` tells the rules that look across folders and run on
    facts from those that run on one partition.
    """

    name: str
    feed: str
    rules: tuple[Rule, ...]

    @property
    def is_cross_date(self) -> bool:
        """Whether the rules look across folders."""
        return self.name.startswith(CROSS_PREFIX)


@dataclass(frozen=True)
class FileRule:
    """A rule for whole files and folders, judged while landing is read and not by a suite."""

    rule_id: str
    description: str
    outcome: str
    what_to_do: str


_WHOLE_FILE = "the file is quarantined whole"
FILE_RULES: tuple[FileRule, ...] = (
    FileRule("FIL-001", "The file cannot be parsed", _WHOLE_FILE, "Mend or export it again and deliver it anew."),
    FileRule("FIL-002", "The file is empty (0 bytes)", _WHOLE_FILE, "Deliver it again; an upload probably broke off."),
    FileRule(
        "FIL-003",
        "A column that the feed requires is missing",
        _WHOLE_FILE,
        "Add the column or name it as the contract does (a mapping file can); the message names it.",
    ),
    FileRule(
        "FIL-004",
        "The file has a column that the contract does not know",
        "warn: the column is left out, the rows are loaded",
        "Correct its spelling if it was meant to be a column of the contract.",
    ),
    FileRule(
        "FIL-005",
        "The file's ending is not one that can be read",
        _WHOLE_FILE,
        "Deliver .parquet, .csv, .csv.gz, .jsonl or .jsonl.gz.",
    ),
    FileRule(
        "FIL-006",
        "The folder is not called date=YYYY-MM-DD, or the date does not exist",
        "nothing in the folder is loaded",
        "Rename the folder, or move its files to the folder of their date.",
    ),
    FileRule(
        "FIL-007",
        "A column has times without a zone",
        "warn: they are taken as UTC, the rows are loaded",
        "Deliver times with their zone, such as 2026-01-31T08:00:00Z or …T08:00:00+02:00; Parquet has a type for it.",
    ),
)


def load_suite(path: Path) -> Suite:
    """Read one suite.

    Raises ConfigError naming the file, the expectation by its place (from 1) and what to do when the file is not a
    suite, a rule lacks part of its meta, a rule id is repeated or of another feed, or an action is unknown.
    """
    content = _read(path)
    feed = _feed(path, content)
    items = content.get("expectations")
    if not isinstance(items, list) or not items:
        raise ConfigError(f"{path}: expectations is not a list with at least one expectation in it.")
    rules: list[Rule] = []
    for place, item in enumerate(items, start=1):
        where = f"{path}: expectation {place}"
        rule = _rule(where, item, feed=feed)
        if rule.rule_id in {known.rule_id for known in rules}:
            raise ConfigError(
                f"{where}: rule id {rule.rule_id} is used twice; give the new rule an id never used before."
            )
        rules.append(rule)
    return Suite(name=path.stem, feed=feed.name, rules=tuple(rules))


def suite_fingerprint(path: Path) -> str:
    """SHA-256 of the suite's file in hexadecimal: a changed suite makes its partitions stale.

    Raises ConfigError when the file is missing or unreadable.
    """
    return hashlib.sha256(_bytes(path)).hexdigest()


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as err:
        raise ConfigError(f"{path} is missing: it holds the rules of a feed; restore it from the repository.") from err
    except OSError as err:
        raise ConfigError(f"{path} cannot be read ({err.strerror}).") from err


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(_bytes(path))
    except (json.JSONDecodeError, UnicodeDecodeError) as err:
        raise ConfigError(f"{path} is not valid JSON: {err}.") from err
    if not isinstance(content, dict):
        raise ConfigError(f"{path} is not an expectation suite: the JSON has no keys name and expectations at its top.")
    return content


def _feed(path: Path, content: Mapping[str, Any]) -> Feed:
    if content.get("name") != path.stem:
        raise ConfigError(f"{path}: name is {content.get('name')!r}, but must be {path.stem!r}, the file's name.")
    feed = FEEDS.get(path.stem.removeprefix(CROSS_PREFIX))
    if feed is None:
        raise ConfigError(f"{path}: no feed is called so; name the file after one of {', '.join(FEEDS)}.")
    return feed


def _rule(where: str, item: object, *, feed: Feed) -> Rule:
    if not isinstance(item, dict) or not isinstance(item.get("meta"), dict) or not isinstance(item.get("kwargs"), dict):
        raise ConfigError(f"{where}: type, kwargs and meta are needed, the last two with keys in them.")
    meta = item["meta"]
    rule_id = _text(where, meta, "rule_id", "meta.rule_id")
    if not re.fullmatch(rf"{feed.rule_prefix}-\d{{3}}", rule_id):
        raise ConfigError(f"{where}: rule id {rule_id!r} is not {feed.rule_prefix}- and three digits.")
    where = f"{where} ({rule_id})"
    expectation_type = _class_name(where, _text(where, item, "type", "type"))
    if expectation_type == ROWS_EXPECTATION:
        _check_query(where, item["kwargs"].get("unexpected_rows_query"))
    return Rule(
        rule_id=rule_id,
        action=_one_of(where, meta, "action", "meta.action", get_args(Action)),
        severity=_one_of(where, item, "severity", "severity", get_args(Severity)),
        description=_text(where, item, "description", "description"),
        what_to_do=_text(where, meta, "what_to_do", "meta.what_to_do"),
        expectation_type=expectation_type,
        kwargs=item["kwargs"],
    )


def _text(where: str, content: Mapping[str, Any], key: str, name: str) -> str:
    value = content.get(key)
    if not isinstance(value, str) or not value.strip():
        raise ConfigError(f"{where}: {name} is missing; it must be a text.")
    return value


def _one_of(where: str, content: Mapping[str, Any], key: str, name: str, allowed: tuple[Any, ...]) -> Any:
    value = _text(where, content, key, name)
    if value not in allowed:
        raise ConfigError(f"{where}: {name} is {value!r}, but must be one of {', '.join(allowed)}.")
    return value


def _class_name(where: str, name: str) -> str:
    """Class of an expectation type: `expect_column_values_to_be_null` is ExpectColumnValuesToBeNull."""
    if not re.fullmatch(r"expect(_[a-z]+)+|unexpected_rows_expectation", name):
        raise ConfigError(
            f"{where}: type {name!r} is not the name of an expectation, such as unexpected_rows_expectation."
        )
    if name.endswith("_regex") or "_regex_" in name:
        raise ConfigError(f"{where}: {name} does not work on DuckDB; write it as an unexpected_rows_expectation.")
    return "".join(part.capitalize() for part in name.split("_"))


def _check_query(where: str, query: object) -> None:
    """Refuse SQL that Great Expectations would change on its way (1.24).

    `{batch}` is filled in by str.format, so no other brace may stand there; a colon before a letter is taken for a
    parameter; and the name `subselect` is given to the batch only where the word join does not occur.
    """
    if not isinstance(query, str) or "{batch}" not in query:
        raise ConfigError(f"{where}: kwargs.unexpected_rows_query must be SQL that reads from {{batch}}.")
    if set("{}") & set(query.replace("{batch}", "")):
        raise ConfigError(f"{where}: the query has a brace other than those of {{batch}}; write it without.")
    if re.search(r"\bjoin\b", query, flags=re.IGNORECASE):
        raise ConfigError(f"{where}: the query has the word join; list the tables after from and compare in where.")
    if ":" in query:
        raise ConfigError(f"{where}: the query has a colon, which is taken for a parameter; cast with cast(… as …).")


def rules_markdown() -> str:
    """The catalogue of all rules as a page of Markdown; `docs/rules.md` is this text.

    Raises ConfigError when a suite of the project cannot be read.
    """
    folder = project_root() / "expectations"
    lines = [
        "# Rules",
        "",
        "<!-- Generated from expectations/*.json: change a suite, then run",
        f"{REGENERATE} -->",
        "",
        "What every delivered file and row is checked for. The rules of rows are the Great Expectations suites in",
        "`expectations/`, run inside DuckDB; a rule id never changes its meaning and is never used again.",
        "",
        "| action | what happens | severity |",
        "|---|---|---|",
        *(f"| {action} | {meaning} | {_SEVERITY_OF[action]} |" for action, meaning in _ACTION_MEANINGS.items()),
        "",
        "A rule that cannot be evaluated blocks as well: it never counts as passed. How many rows each rule found is",
        "in `ops.rule_results`, the rows themselves are in `quarantine.quarantined_rows`.",
        "",
        "## Files and folders",
        "",
        *_table(("rule", "what is wrong", "what happens", "what to do"), map(_file_cells, FILE_RULES)),
    ]
    for name, feed in FEEDS.items():
        lines += ["", f"## {name}", "", f"{feed.grain[0].upper()}{feed.grain[1:]}; key: {', '.join(feed.key)}.", ""]
        header = ("rule", "what is wrong", "action", "what to do")
        lines += _table(header, map(_cells, load_suite(folder / f"{name}.json").rules))
        cross = folder / f"{CROSS_PREFIX}{name}.json"
        if cross.exists():
            lines += ["", "Across dates, judged again whenever one of the folders concerned changes:", ""]
            lines += _table(header, map(_cells, load_suite(cross).rules))
    return "\n".join(lines) + "\n"


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    cells = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    return [f"| {' | '.join(row)} |" for row in (header, ("---",) * len(header), *cells)]


def _cells(rule: Rule) -> tuple[str, ...]:
    return rule.rule_id, rule.description, rule.action, rule.what_to_do


def _file_cells(rule: FileRule) -> tuple[str, ...]:
    return rule.rule_id, rule.description, rule.outcome, rule.what_to_do
