"""Real exports and data sets, imported whole and compared with a direct reading in plain Python.

Skipped where the shared data is absent (a public clone).
"""

import csv
import json
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from qa_pipeline.config import load_config
from qa_pipeline.errors import MappingError
from qa_pipeline.importing.runner import import_files
from qa_pipeline.importing.summary import ImportSummary
from qa_pipeline.settings import Home
from qa_pipeline_tests.import_support import MAPPINGS, SHARED_DATA, landed_rows, needs_shared_data

pytestmark = needs_shared_data
EXPORTS = SHARED_DATA / "exports"


def _import(
    tmp_path: Path, mapping: str, *files: Path, feed: str = "labels"
) -> tuple[ImportSummary, list[dict[str, Any]]]:
    own = MAPPINGS / f"{mapping}.toml"
    home = Home(tmp_path / "home")
    summary = import_files(home, feed=feed, mapping=own if own.exists() else mapping, files=files)
    return summary, landed_rows(home, feed)


def _csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def _in_order(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows in the order of the source: the label ids of these mappings end in the row number."""
    return sorted(rows, key=lambda row: int(row["label_id"].rsplit("-", 1)[1]))


def _last(rows: list[dict[str, Any]], order: str) -> dict[tuple[str, str, str], str]:
    """The label of the last row by `order` of each (market, item, annotator)."""
    last = {}
    for row in sorted(rows, key=lambda row: row[order]):
        last[row["market"], row["item_id"], row["annotator_id"]] = row["label"]
    return last


def test_crehate_without_dont_know(tmp_path: Path) -> None:
    """Stops a row of CREHate from being lost or changed; the figures of reference_figures.csv stand on these rows.

    Numbers: 42,546 rows (data README); those without dont_know, and the 39,468 that count after the last of repeated
    pairs (reference_figures.csv, crehate ALL x ALL), are counted from the CSV here.
    """
    source = _csv(SHARED_DATA / "crehate" / "labels.csv")
    kept = [row for row in source if row["label"] != "dont_know"]
    summary, landed = _import(tmp_path, "crehate_labels", SHARED_DATA / "crehate" / "labels.csv")
    assert (summary.rows_read, summary.rows_rejected) == (42_546, 0)
    assert (summary.rows_written, summary.rows_dropped) == (len(kept), 42_546 - len(kept)) == (39_486, 3_060)
    assert summary.drops[0].rule == "[where] not: label is not 'dont_know'"
    columns = ("item_id", "annotator_id", "market", "queue", "label")
    assert [[row[name] for name in columns] for row in _in_order(landed)] == [
        [row[name] for name in columns] for row in kept
    ]
    by_time, by_file = _last(landed, "submitted_at"), _last([{**row, "n": n} for n, row in enumerate(kept)], "n")
    assert by_time == by_file
    assert len(by_file) == 39_468
    assert {row["date"] for row in landed} == {date(2024, 1, day) for day in range(1, 31)}
    config = load_config(Home(tmp_path / "home"))
    assert set(config.markets.markets) == {"AU", "GB", "SG", "US", "ZA"}
    assert {queue: len(entry.labels) for queue, entry in config.taxonomy.queues.items()} == {"CP": 2, "SBIC": 2}


def test_zencrowd_with_its_gold(tmp_path: Path) -> None:
    """Stops repeated pairs of ZenCrowd from changing their order, and a gold answer from being lost.

    Numbers: 23,395 rows, 2,040 answers (data README); 10,495 and 11,155 ratings after the last of repeated pairs
    (reference_figures.csv).
    """
    names = {"0": "no_match", "1": "match"}
    source = _csv(SHARED_DATA / "zencrowd" / "labels.csv")
    summary, landed = _import(tmp_path, "zencrowd_labels", SHARED_DATA / "zencrowd" / "labels.csv")
    assert (summary.rows_read, summary.rows_written) == (len(source), len(source)) == (23_395, 23_395)
    assert [
        (row["item_id"], row["annotator_id"], row["market"], row["label"], row["handle_seconds"])
        for row in _in_order(landed)
    ] == [
        (row["item_id"], row["annotator_id"], row["market"], names[row["label"]], float(row["duration_s"]))
        for row in source
    ]
    direct = _last([{**row, "n": n, "label": names[row["label"]]} for n, row in enumerate(source)], "n")
    assert _last(landed, "submitted_at") == direct
    assert Counter(market for market, _, _ in direct) == {"IN": 10_495, "US": 11_155}
    summary, gold = _import(tmp_path, "zencrowd_gold", SHARED_DATA / "zencrowd" / "gold.csv", feed="gold")
    answers = _csv(SHARED_DATA / "zencrowd" / "gold.csv")
    assert {row["item_id"]: row["label"] for row in gold} == {
        row["item_id"]: names[row["gold_label"]] for row in answers
    }
    assert (summary.rows_written, len(answers)) == (2_040, 2_040)
    assert {(row["market"], row["queue"], row["source"], row["date"]) for row in gold} == {
        (None, "entity_match", "expert", date(2024, 1, 1))
    }


@pytest.mark.parametrize("name", ["export.json", "snapshot.json"])
def test_every_annotation_of_label_studio_is_accounted_for(tmp_path: Path, name: str) -> None:
    """Stops a skip, an empty answer or a ground truth from being lost, or from becoming an ordinary decision."""
    path = EXPORTS / "label_studio" / name
    tasks = json.loads(path.read_text(encoding="utf-8"))
    annotations = [(task, ann) for task in tasks for ann in task["annotations"]]
    skipped = [ann for _, ann in annotations if ann["was_cancelled"]]
    decided, empty = {}, []
    for task, ann in annotations:
        choices = [result["value"]["choices"] for result in ann["result"] if result["from_name"] == "policy"]
        if not ann["was_cancelled"]:
            decided[f"ls-{ann['project']}-{ann['id']}"] = (task, ann, choices)
            empty += [] if choices else [ann]
    summary, landed = _import(tmp_path, "label_studio_labels", path)
    assert len(annotations) == len(skipped) + len(landed) + summary.rows_rejected == 128
    assert (len(skipped), len(empty), summary.rows_rejected) == (4, 1, 1)
    assert {drop.rule: drop.rows for drop in summary.drops}["[where] not: ann.was_cancelled is not 'true'"] == 4
    assert summary.rejects[0].sentence().startswith("label is missing: 1 row (row 12, ann 3 of ")
    assert summary.rows_exploded == summary.rows_written + summary.rows_dropped + summary.rows_rejected
    for row in landed:
        task, ann, choices = decided.pop(row["label_id"])
        who = ann["completed_by"]["id"] if isinstance(ann["completed_by"], dict) else ann["completed_by"]
        assert row["label"] == "|".join(sorted(choices[0]))
        assert row["annotator_id"] == str(who)
        assert row["stage"] == ("expert" if ann["ground_truth"] else "production")
        assert row["submitted_at"] == datetime.fromisoformat(ann["created_at"])
        assert row["handle_seconds"] == ann["lead_time"]
        assert (row["item_id"], row["market"], row["queue"]) == tuple(
            task["data"][key] for key in ("item_id", "market", "queue")
        )
    assert [ann for _, ann, _ in decided.values()] == empty
    assert Counter(row["stage"] for row in landed) == {"production": 121, "expert": 2}


def test_predictions_of_label_studio(tmp_path: Path) -> None:
    """Stops predictions from losing their score or version; an export without them in full says so."""
    path = EXPORTS / "label_studio" / "snapshot.json"
    tasks = json.loads(path.read_text(encoding="utf-8"))
    expected = {
        f"ls-{prediction['project']}-{prediction['id']}": (
            prediction["model_version"],
            prediction["result"][0]["value"]["choices"][0],
            prediction["score"],
        )
        for task in tasks
        for prediction in task["predictions"]
    }
    summary, landed = _import(tmp_path, "label_studio_predictions", path, feed="predictions")
    assert {row["prediction_id"]: (row["model_version"], row["label"], row["score"]) for row in landed} == expected
    assert summary.rows_written == 50
    with pytest.raises(MappingError, match="none of its 48 records became a row of predictions"):
        _import(tmp_path, "label_studio_predictions", EXPORTS / "label_studio" / "export.json", feed="predictions")


def test_doccano(tmp_path: Path) -> None:
    """Stops the annotator, who is known by the file's name only, from being lost."""
    files = sorted((EXPORTS / "doccano").glob("*.jsonl"))
    expected = {}
    for path in files:
        for line in path.read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            expected[path.stem, record["item_id"]] = "|".join(sorted(record["label"]))
    summary, landed = _import(tmp_path, "doccano_labels", *files)
    assert {(row["annotator_id"], row["item_id"]): row["label"] for row in landed} == expected
    assert (summary.rows_read, summary.rows_written, len(expected)) == (36, 36, 36)
    assert load_config(Home(tmp_path / "home")).taxonomy.queues["text_en"].is_multi_select


def test_mturk(tmp_path: Path) -> None:
    """Stops Java's dates from being read in the wrong zone: 09:51:16 PST is 17:51:16 UTC."""
    files = sorted((EXPORTS / "mturk").glob("*.csv"))
    summary, landed = _import(tmp_path, "mturk_labels", *files)
    assert summary.rows_written == sum(len(_csv(path)) for path in files) == 90
    first = next(row for row in landed if row["label_id"].endswith("3SLE99ER0OPA0ESHDZK4L6VDRM8BZ0"))
    assert (first["annotator_id"], first["label"]) == ("W12", "b")
    assert first["assigned_at"] == datetime(2018, 1, 24, 17, 48, 10, tzinfo=UTC)
    assert first["submitted_at"] == datetime(2018, 1, 24, 17, 51, 16, tzinfo=UTC)


def test_argilla(tmp_path: Path) -> None:
    """Stops responses of a record from being lost, or labels from passing by the map."""
    path = EXPORTS / "argilla" / "records.json"
    records = json.loads(path.read_text(encoding="utf-8"))
    names = {"none": "no_violation", "hate": "hate_speech"}
    expected = {
        (record["id"], answer["user_id"]): names[answer["value"]]
        for record in records
        for answer in record["responses"]["policy"]
    }
    summary, landed = _import(tmp_path, "argilla_labels", path)
    assert {(row["item_id"], row["annotator_id"]): row["label"] for row in landed} == expected
    assert (summary.rows_read, summary.rows_written) == (len(records), 15)


def _tool(tmp_path: Path, mapping: str, name: str, feed: str = "labels") -> tuple[ImportSummary, list[Any]]:
    return _import(tmp_path, mapping, EXPORTS / "synthetic" / name, feed=feed)


def test_toloka(tmp_path: Path) -> None:
    """Stops headers with colons from being out of reach, and times without offset from the machine's zone."""
    summary, landed = _tool(tmp_path, "toloka_labels", "toloka_assignments.tsv")
    assert [(row["label_id"], row["label"]) for row in landed] == [("as-1-task-1", "hate"), ("as-1-task-2", "none")]
    assert landed[0]["submitted_at"] == datetime(2026, 7, 15, 13, 6, 31, 500_000, tzinfo=UTC)
    assert (summary.rows_read, summary.rows_dropped) == (3, 1)


def test_coop(tmp_path: Path) -> None:
    """Stops a line break in a cell, JSON in a cell or a US date from breaking a row."""
    summary, landed = _tool(tmp_path, "coop_labels", "coop_decisions.csv")
    assert [(row["item_id"], row["label"], row["annotator_id"]) for row in landed] == [
        ("job-1", "violation", "ann one"),
        ("job-2", "no_violation", "ann two"),
    ]
    assert landed[0]["submitted_at"] == datetime(2026, 7, 15, 20, 6, tzinfo=UTC)
    assert (summary.rows_read, summary.rows_dropped) == (3, 1)


def test_labelbox(tmp_path: Path) -> None:
    """Stops an object keyed by ids, or a value in a list of name and value, from being out of reach."""
    summary, landed = _tool(tmp_path, "labelbox_labels", "labelbox.ndjson")
    (row,) = landed
    assert (row["label_id"], row["item_id"], row["market"], row["label"]) == ("proj1-lab1", "it-0001", "DE", "hate")
    assert (row["content_type"], row["batch_id"], row["handle_seconds"]) == ("text", "batch-1", 30.0)
    assert (summary.rows_read, summary.rows_exploded, summary.rows_dropped) == (1, 2, 1)


def test_a2i_hive_perspective_and_sagemaker(tmp_path: Path) -> None:
    """Stops keys with slashes and dashes, lists in lists and objects of scores from being out of reach."""
    _, (row,) = _tool(tmp_path / "a2i", "a2i_labels", "a2i_output.json")
    assert (row["item_id"], row["label"], row["handle_seconds"]) == ("it-0001.jpg", "suggestive", 30.1)
    _, rows = _tool(tmp_path / "hive", "hive_predictions", "hive.jsonl", feed="predictions")
    assert [(row["label"], row["score"]) for row in rows] == [("hate", 0.75), ("spam", 0.0)]
    _, rows = _tool(tmp_path / "perspective", "perspective_predictions", "perspective.jsonl", feed="predictions")
    assert [(row["label"], row["score"]) for row in rows] == [("toxicity", 0.9), ("threat", 0.1)]
    _, (row,) = _tool(tmp_path / "sagemaker", "sagemaker_labels", "sagemaker_output.manifest")
    assert (row["item_id"], row["label"]) == ("it-0001.jpg", "hate")
    assert row["submitted_at"] == datetime(2018, 10, 18, 22, 18, 13, 527256, tzinfo=UTC)
