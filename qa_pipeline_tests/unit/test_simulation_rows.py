"""The simulated rows against the contract and the rule catalogue.

`_Judge` is a second, plain reading of the catalogue, row by row in Python: what it finds in the landing files must be
exactly what truth.json says was put in.
"""

import csv
import datetime as dt
import gzip
import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from qa_pipeline.config import Config, load_config
from qa_pipeline.contracts import FEEDS, ColumnType, Feed
from qa_pipeline.settings import Home
from qa_pipeline.simulation.arrays import CALIBRATION_IDS, IDS_PER_DAY, TEST_IDS
from qa_pipeline.simulation.simulate import simulate

Row = dict[str, Any]
# The catalogue: rule numbers per feed that a row can break.
CATALOGUE = {
    "labels": "001 002 003 004 005 006 007 008 009 010 011 012 020 021",
    "predictions": "001 002 003 004 005 006 007 008 009 010 011",
    "items": "001 002 003 004 006 007 008 009 010 011",
    "gold": "001 002 003 004 005 007 008 009 010",
    "reviews": "001 002 003 004 005 006 007 008 009 010 011 020 021 022 023",
    "appeals": "001 002 003 004 005 006 007 008 009 010 020 021 022",
    "roster": "001 002 003 007 009 010 011",
    "timesheets": "001 002 009 010 011 012",
}
LABEL_COLUMNS = {
    "labels": ("label",),
    "predictions": ("label",),
    "gold": ("label",),
    "reviews": ("verdict_label",),
    "appeals": ("original_label", "final_label"),
}
TIMES_CHECKED = {"gold": "valid_from", "roster": "hired_on"}
WARNINGS = {"LBL-012", "LBL-021", "PRD-011", "ITM-011", "GLD-010", "REV-011", "RST-011", "TMS-012"}
ARROW: dict[ColumnType, pa.DataType] = {
    "string": pa.string(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "date": pa.date32(),
    "double": pa.float64(),
    "bigint": pa.int64(),
    "boolean": pa.bool_(),
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A week over the end of summer time in Berlin (25 October) and in New York (1 November)."""
    made = Home(tmp_path_factory.mktemp("week"))
    start = dt.date(2026, 10, 24)
    simulate(made, days=9, seed=11, labels_per_day=500, predictions_per_day=1500, start=start)
    return made


@pytest.fixture(scope="module")
def truth(home: Home) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((home.root / "truth.json").read_text())
    return content


def _parse(text: str, kind: ColumnType) -> object:
    """Return the typed value; ValueError when the text is none."""
    if kind == "timestamp":
        return dt.datetime.fromisoformat(text)
    if kind == "date":
        return dt.date.fromisoformat(text)
    if kind == "boolean":
        if text not in ("true", "false"):
            raise ValueError(text)
        return text == "true"
    return {"string": str, "double": float, "bigint": int}[kind](text)


def _lines(path: Path) -> list[str]:
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return content.decode().splitlines()


def _texts(path: Path) -> list[dict[str, str]]:
    if path.name.endswith(".jsonl"):
        rows = [json.loads(line) for line in _lines(path)]
        return [
            {name: json.dumps(value) if isinstance(value, bool | float | int) else value for name, value in row.items()}
            for row in rows
        ]
    return [{name: value for name, value in row.items() if value} for row in csv.DictReader(_lines(path))]


def _read(path: Path, feed: Feed) -> list[Row]:
    """Return the rows of a file, typed; `_bad` lists the columns whose text is not of its type."""
    if path.suffix == ".parquet":
        return [row | {"_bad": []} for row in pq.read_table(path).to_pylist()]
    rows = []
    for texts in _texts(path):
        row: Row = {"_bad": []}
        for column in feed.columns:
            text = texts.get(column.name)
            try:
                row[column.name] = None if text is None else _parse(text, column.type)
            except ValueError:
                row[column.name] = None
                row["_bad"].append(column.name)
        rows.append(row)
    return rows


class _Judge:
    """Finds every broken rule in the landing files."""

    def __init__(self, home: Home) -> None:
        self.config: Config = load_config(home)
        self.landing = home.landing
        self.partitions: dict[tuple[str, dt.date], list[Row]] = {}
        for name, feed in FEEDS.items():
            for folder in sorted((home.landing / name).iterdir()):
                day = dt.date.fromisoformat(folder.name.removeprefix("date="))
                rows = [
                    row | {"_file": path.name, "_rules": []}
                    for path in sorted(folder.iterdir())
                    for row in _read(path, feed)
                ]
                self.partitions[name, day] = rows

    def judge(self) -> None:
        for (name, day), rows in self.partitions.items():
            self._supersede(FEEDS[name], rows)
            for row in rows:
                if "009" not in row["_rules"]:
                    row["_rules"] += self._own_rules(FEEDS[name], day, row)
                    row["_rules"] += OWN_RULES[name](row)
        self._cross_rules()

    def found(self) -> Counter[tuple[str, str, str, str, str]]:
        """Return (feed, business date, file, rule id, key as JSON) with their counts."""
        counts: Counter[tuple[str, str, str, str, str]] = Counter()
        for (name, day), rows in self.partitions.items():
            for row in rows:
                for rule in row["_rules"]:
                    key = json.dumps({column: row[column] for column in FEEDS[name].key})
                    counts[name, day.isoformat(), row["_file"], f"{FEEDS[name].rule_prefix}-{rule}", key] += 1
        return counts

    @staticmethod
    def _supersede(feed: Feed, rows: list[Row]) -> None:
        newest: dict[tuple[object, ...], Row] = {}
        for row in rows:
            older = newest.get(tuple(row[name] for name in feed.key))
            if older is not None:
                older["_rules"].append("009")
            newest[tuple(row[name] for name in feed.key)] = row

    def _own_rules(self, feed: Feed, day: dt.date, row: Row) -> Iterator[str]:
        if any(row[name] is None and name not in row["_bad"] for name in feed.required_names):
            yield "001"
        if row["_bad"]:
            yield "002"
        market, queue = row.get("market"), row.get("queue")
        if market is not None and market not in self.config.markets.markets:
            yield "003"
        if queue is not None and queue not in self.config.taxonomy.queues:
            yield "004"
        if queue in self.config.taxonomy.queues:
            known = {label.code for label in self.config.taxonomy.queues[queue].labels}
            labels = [row[name] for name in LABEL_COLUMNS.get(feed.name, ()) if row[name] is not None]
            if any(not set(label.split("|")) <= known for label in labels):
                yield "005"
        yield from self._date_rules(feed, day, row)
        for column in feed.columns:
            if column.values and row[column.name] is not None and row[column.name] not in column.values:
                yield "008"

    def _date_rules(self, feed: Feed, day: dt.date, row: Row) -> Iterator[str]:
        when = row.get(feed.event_at or TIMES_CHECKED.get(feed.name, ""))
        spec = self.config.markets.markets.get(row.get("market") or "")
        if when is None or spec is None:
            return
        date = when.astimezone(ZoneInfo(spec.time_zone)).date() if isinstance(when, dt.datetime) else when
        if feed.event_at and date < day:
            yield "006"
        if date > day:
            yield "007"

    def _valid(self, name: str) -> Iterator[tuple[dt.date, Row]]:
        prefix = FEEDS[name].rule_prefix
        for (feed, day), rows in sorted(self.partitions.items(), key=lambda entry: entry[0]):
            if feed == name:
                yield from ((day, row) for row in rows if all(f"{prefix}-{r}" in WARNINGS for r in row["_rules"]))

    def _cross_rules(self) -> None:
        targets = self._targets()
        roster: dict[dt.date, set[str]] = defaultdict(set)
        for day, row in self._valid("roster"):
            roster[day].add(row["annotator_id"])
        for day, row in list(self._valid("labels")):
            if row["annotator_id"] not in roster[day]:
                row["_rules"].append("021")
        for name, unknown, differs in (("reviews", "021", "022"), ("appeals", "020", "021")):
            for _, row in list(self._valid(name)):
                target = targets.get((row["target_kind"], row["target_id"]))
                row["_rules"] += [unknown] if target is None else _against_target(row, target, differs)

    def _targets(self) -> dict[tuple[str, str], Row]:
        """Mark ids that come back in a later folder and return the rows that can be a target."""
        targets = {("prediction", row["prediction_id"]): row for _, row in self._valid("predictions")}
        for name, key, rule in (
            ("labels", "label_id", "020"),
            ("reviews", "review_id", "023"),
            ("appeals", "appeal_id", "022"),
        ):
            first_seen: dict[str, dt.date] = {}
            for day, row in list(self._valid(name)):
                if first_seen.setdefault(row[key], day) < day:
                    row["_rules"].append(rule)
                else:
                    targets[name[:-1], row[key]] = row
        return targets


def _against_target(row: Row, target: Row, differs: str) -> Iterator[str]:
    if any(row[column] != target[column] for column in ("item_id", "market", "queue")):
        yield differs
    if "reviewer_id" in row and row["reviewer_id"] == (target.get("annotator_id") or target.get("reviewer_id")):
        yield "020"


def _labels_own(row: Row) -> Iterator[str]:
    if row["assigned_at"] and row["submitted_at"] and row["assigned_at"] > row["submitted_at"]:
        yield "010"
    handle = row["handle_seconds"]
    if handle is not None and not 0 <= handle <= 86_400:
        yield "011"
    if handle is not None and handle < 0.5:
        yield "012"


def _predictions_own(row: Row) -> Iterator[str]:
    score = row["score"]
    if score is not None and (math.isnan(score) or not 0 <= score <= 1):
        yield "010"
    if row["model_kind"] == "classifier" and score is None:
        yield "011"


def _items_own(row: Row) -> Iterator[str]:
    if row["priority"] is not None and row["priority"] < 1:
        yield "010"
    if row["language"] is None:
        yield "011"


def _gold_own(row: Row) -> Iterator[str]:
    if row["guideline_version"] is None:
        yield "010"


def _reviews_own(row: Row) -> Iterator[str]:
    chance = row["inclusion_probability"]
    if chance is not None and not 0 < chance <= 1:
        yield "010"
    if chance is None and row["sampling"] == "random":
        yield "011"


def _appeals_own(row: Row) -> Iterator[str]:
    if row["resolved_at"] and row["filed_at"] and row["resolved_at"] < row["filed_at"]:
        yield "010"


def _roster_own(row: Row) -> Iterator[str]:
    if row["hired_on"] and row["certified_on"] and row["certified_on"] < row["hired_on"]:
        yield "010"
    if row["is_active"] is False and row["hired_on"] and row["certified_on"]:
        yield "011"


def _timesheets_own(row: Row) -> Iterator[str]:
    paid, productive = row["paid_minutes"], row["productive_minutes"]
    if paid is not None and not 0 <= paid <= 1440:
        yield "010"
    if productive is not None and (productive < 0 or (paid is not None and productive > paid)):
        yield "011"
    if paid and productive == 0:
        yield "012"


OWN_RULES = {
    "labels": _labels_own,
    "predictions": _predictions_own,
    "items": _items_own,
    "gold": _gold_own,
    "reviews": _reviews_own,
    "appeals": _appeals_own,
    "roster": _roster_own,
    "timesheets": _timesheets_own,
}


@pytest.fixture(scope="module")
def judge(home: Home) -> _Judge:
    found = _Judge(home)
    found.judge()
    return found


def test_parquet_files_have_the_contracts_columns_and_types(home: Home) -> None:
    """Stops dictionary types, missing zones or renamed columns from reaching a reader."""
    paths = sorted(home.landing.rglob("*.parquet"))
    assert len(paths) > 60
    for path in paths:
        feed = FEEDS[path.parent.parent.name]
        schema = pq.read_schema(path)
        assert schema.names == list(feed.names), path
        assert schema.types == [ARROW[column.type] for column in feed.columns], path


def test_text_files_have_the_contracts_columns(home: Home) -> None:
    """Stops a header that differs from the contract."""
    for path in sorted(home.landing.rglob("*.csv*")):
        feed = FEEDS[path.parent.parent.name]
        assert _lines(path)[0].split(",") == list(feed.names)
    for path in sorted(home.landing.rglob("*.jsonl")):
        feed = FEEDS[path.parent.parent.name]
        assert {name for row in _texts(path) for name in row} == set(feed.names)


def test_truth_names_every_rule_of_the_catalogue(truth: dict[str, Any]) -> None:
    """Stops a rule without a case from passing as tested."""
    expected = {f"{FEEDS[feed].rule_prefix}-{rule}" for feed, rules in CATALOGUE.items() for rule in rules.split()}
    assert set(truth["dirty_counts"]) == expected
    counts = Counter(row["rule_id"] for row in truth["dirty_rows"])
    assert counts == truth["dirty_counts"]
    assert {row["rule_id"] for row in truth["dirty_rows"] if row["action"] == "warn"} == WARNINGS


def test_exactly_the_rows_in_truth_break_a_rule(judge: _Judge, truth: dict[str, Any]) -> None:
    """Stops clean rows that break a rule, dirty rows that break none or two, and a truth.json that names others."""
    expected = Counter(
        (row["feed"], row["business_date"], row["file"], row["rule_id"], json.dumps(row["key"]))
        for row in truth["dirty_rows"]
    )
    repeated = next(one for one in truth["incidents"] if one["kind"] == "duplicated_file")
    found = judge.found()
    of_repeated = [
        key for key in found if key[:3] == ("labels", repeated["business_date"], repeated["superseded_file"])
    ]
    assert len(of_repeated) == repeated["rows"]
    assert {key[3] for key in of_repeated} == {"LBL-009"}
    for key in of_repeated:
        del found[key]
    assert found - expected == Counter()
    assert expected - found == Counter()


def test_no_partition_is_blocked(judge: _Judge) -> None:
    """Stops dirt from making a small partition unusable (rule 090: more than half of its rows)."""
    for rows in judge.partitions.values():
        unusable = sum(bool({"001", "002", "003"} & set(row["_rules"])) for row in rows)
        assert unusable <= len(rows) / 4


def test_decisions_gold_and_reviews_spread_over_days(judge: _Judge) -> None:
    """Stops the cross-date cases from vanishing: late ratings, late and early gold, reviews up to five days later."""
    first: dict[tuple[str, str, str], dt.date] = {}
    lags: Counter[int] = Counter()
    ratings: Counter[tuple[str, str, str]] = Counter()
    for (name, day), rows in judge.partitions.items():
        if name == "labels":
            for row in rows:
                if row["stage"] == "production" and not row["_rules"] and not _is_test(row):
                    unit = (row["item_id"], row["market"], row["queue"])
                    lags[(day - first.setdefault(unit, day)).days] += 1
                    ratings[unit] += 1
    assert set(lags) == {0, 1, 2, 3}
    # 40 % of the items have later ratings (0.5 an item), 5 % of which come on a later day: 1.7 % of all ratings
    assert 0.008 < sum(count for lag, count in lags.items() if lag) / lags.total() < 0.03
    assert Counter(ratings.values())[1] / len(ratings) == pytest.approx(0.6, abs=0.04)
    gold_lags = {
        (first[unit] - day).days
        for (name, day), rows in judge.partitions.items()
        if name == "gold"
        for row in rows
        if (unit := (row["item_id"], row["market"], row["queue"])) in first
    }
    assert {-1, 0, 1, 2} <= gold_lags
    made = {row["label_id"]: day for (name, day), rows in judge.partitions.items() if name == "labels" for row in rows}
    review_lags = {
        (day - made[row["target_id"]]).days
        for (name, day), rows in judge.partitions.items()
        if name == "reviews"
        for row in rows
        if row["target_kind"] == "label" and row["target_id"] in made and not row["_rules"]
    }
    assert review_lags >= {0, 1, 2, 3, 4, 5}


def _is_test(row: Row) -> bool:
    return TEST_IDS <= int(row["item_id"][1:]) % IDS_PER_DAY < CALIBRATION_IDS


def test_each_model_decides_once_per_item(judge: _Judge) -> None:
    """Stops decisions that aren't the highest score, items with two decisions, and labels without a score."""
    scores: dict[tuple[str, str, str], list[tuple[str, float, bool]]] = defaultdict(list)
    queues: dict[str, str] = {}
    for (name, _), rows in judge.partitions.items():
        for row in rows if name == "predictions" else []:
            if not row["_rules"]:
                unit = (row["item_id"], row["market"], f"{row['model_id']}@{row['model_version']}")
                scores[unit].append((row["label"], row["score"], row["is_decision"]))
                queues[row["item_id"]] = row["queue"]
    kinds = {unit[2] for unit in scores}
    assert len(kinds) == 4
    taxonomy = judge.config.taxonomy.queues
    for unit, labels in scores.items():
        assert {label for label, _, _ in labels} == {label.code for label in taxonomy[queues[unit[0]]].labels}
        chosen = [score for _, score, is_decision in labels if is_decision]
        assert chosen == [max(score for _, score, _ in labels)]
