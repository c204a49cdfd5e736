"""[[explode]] and [where]: what becomes a row, and that everything that does not is counted under its rule."""

import json
from pathlib import Path
from typing import Any

import pytest

from qa_pipeline.errors import MappingError
from qa_pipeline.importing.summary import ImportSummary
from qa_pipeline_tests.import_support import mapping_text, run_import

AT = "2026-03-01T12:00:00Z"
COLUMNS: dict[str, str | None] = {
    "label_id": '{ template = "{$row}-{$.id}" }',
    "item_id": '"$.id"',
    "submitted_at": '"$.at"',
}


def _run(
    tmp_path: Path, records: list[Any], *, extra: str, label: str, columns: dict[str, str | None] | None = None
) -> tuple[ImportSummary, list[dict[str, Any]]]:
    mapping = mapping_text(
        source='format = "json"', columns={**COLUMNS, "label": label, **(columns or {})}, extra=extra
    )
    return run_import(tmp_path, json.dumps(records), mapping=mapping, name="source.json")


def _counts(summary: ImportSummary) -> tuple[int, int, int, int, int]:
    return (
        summary.rows_read,
        summary.rows_exploded,
        summary.rows_written,
        summary.rows_dropped,
        summary.rows_rejected,
    )


RECORDS = [
    {"id": 1, "at": AT, "marks": [{"by": "a", "is": "x"}, {"by": "b", "is": "y"}]},
    {"id": 2, "at": AT, "marks": []},
    {"id": 3, "at": AT},
    {"id": 4, "at": AT, "marks": {"by": "a", "is": "x"}},
    {"id": 5, "at": AT, "marks": [{"by": "b", "is": "z"}]},
    {"id": 6, "at": AT, "marks": [None, {"by": "a", "is": "x"}]},
]


def test_a_row_per_element(tmp_path: Path) -> None:
    """Stops records without elements, and fields that are no list, from vanishing uncounted."""
    summary, rows = _run(tmp_path, RECORDS, extra="[[explode]]\npath = '$.marks'\nas = 'mark'", label='"mark.is"')
    assert [(row["item_id"], row["label"]) for row in rows] == [("1", "x"), ("1", "y"), ("5", "z"), ("6", "x")]
    assert {drop.rule: drop.rows for drop in summary.drops} == {
        "[[explode]] $.marks: has nothing in it": 2,
        "[[explode]] $.marks: is not a list": 1,
    }
    assert [(reject.reason, reject.samples[0].place) for reject in summary.rejects] == [
        ("is missing", "row 6, mark 1 of source.json")
    ]
    assert _counts(summary) == (6, 8, 4, 3, 1)


def test_where_of_an_explode(tmp_path: Path) -> None:
    """Stops elements that a condition leaves out from vanishing uncounted."""
    extra = "[[explode]]\npath = '$.marks'\nas = 'mark'\nwhere = { by = 'a' }"
    summary, rows = _run(tmp_path, RECORDS, extra=extra, label='"mark.is"')
    assert [row["item_id"] for row in rows] == ["1", "6"]
    assert {drop.rule: drop.rows for drop in summary.drops} == {
        "[[explode]] $.marks: not an element where by is 'a'": 3,
        "[[explode]] $.marks: has nothing in it": 2,
        "[[explode]] $.marks: is not a list": 1,
    }
    assert _counts(summary) == (6, 8, 2, 6, 0)


def test_outer_keeps_a_record_without_a_wanted_element(tmp_path: Path) -> None:
    """Stops outer from being forgotten where elements exist but none is wanted."""
    extra = "[[explode]]\npath = '$.marks'\nas = 'mark'\nouter = true\nwhere = { by = 'a' }"
    label = '{ path = "mark.is", const = "none" }'
    summary, rows = _run(tmp_path, RECORDS, extra=extra, label=label)
    assert [(row["item_id"], row["label"]) for row in rows] == [
        ("1", "x"), ("2", "none"), ("3", "none"), ("5", "none"), ("6", "x"),
    ]  # fmt: skip
    assert _counts(summary) == (6, 9, 5, 4, 0)


def test_nested_lists_and_objects(tmp_path: Path) -> None:
    """Stops a second [[explode]] from losing the first one's element, and odd keys of an object from being lost."""
    record = {
        "id": 1,
        "at": AT,
        "by": {"a/b": {"m": ["x", "y"]}, "": {"m": ["z"]}, 'q"~': {"m": []}, "n": None},
    }
    extra = (
        "[[explode]]\npath = '$.by'\nas = 'who'\nobject = true\n"
        "[[explode]]\npath = 'who.value.m'\nas = 'm'\nouter = true\n"
    )
    columns: dict[str, str | None] = {
        "annotator_id": '{ path = "who.key", const = "(empty)" }',
        "label": '{ path = "m", const = "nothing" }',
    }
    summary, rows = _run(tmp_path, [record], extra=extra, label='"m"', columns=columns)
    assert [(row["annotator_id"], row["label"]) for row in rows] == [
        ("a/b", "x"), ("a/b", "y"), ("(empty)", "z"), ('q"~', "nothing"), ("n", "nothing"),
    ]  # fmt: skip
    assert _counts(summary) == (1, 5, 5, 0, 0)


def test_where_of_rows(tmp_path: Path) -> None:
    """Stops an absent value from passing as equal, or from failing { not = … }; the first failing rule counts."""
    records = [
        {"id": 1, "at": AT, "label": "x", "skip": False, "kind": "a"},
        {"id": 2, "at": AT, "label": "x", "skip": True, "kind": "a"},
        {"id": 3, "at": AT, "label": "x", "kind": "c"},
        {"id": 4, "at": AT, "label": "x", "skip": None, "kind": "b"},
        {"id": 5, "at": AT, "label": "x", "skip": False},
    ]
    extra = "[where]\n'$.skip' = { not = true }\n'$.kind' = ['a', 'b', '']\n"
    summary, rows = _run(tmp_path, records, extra=extra, label='"$.label"')
    assert [row["item_id"] for row in rows] == ["1", "4", "5"]
    assert {drop.rule: drop.rows for drop in summary.drops} == {
        "[where] not: $.skip is not 'true'": 1,
        "[where] not: $.kind is 'a' or 'b' or absent": 1,
    }


def test_where_may_use_a_list_with_not(tmp_path: Path) -> None:
    """Stops { not = [..] } from meaning "not all of them"."""
    records = [{"id": n, "at": AT, "label": label} for n, label in enumerate("abc")]
    extra = "[where]\n'$.label' = { not = ['a', 'b'] }\n'$row' = [1, 3]\n"
    summary, rows = _run(tmp_path, records, extra=extra, label='"$.label"')
    assert [row["label"] for row in rows] == ["c"]
    assert summary.rows_dropped == 2


def test_no_row_left_is_an_error_with_its_reasons(tmp_path: Path) -> None:
    """Stops a mapping for another tool from ending as a quiet success."""
    extra = "[[explode]]\npath = '$.mark'\nas = 'mark'"
    with pytest.raises(MappingError) as caught:
        _run(tmp_path, RECORDS, extra=extra, label='"mark.is"')
    message = str(caught.value)
    assert "none of its 6 records became a row of labels" in message
    assert "6 dropped by [[explode]] $.mark: has nothing in it" in message
    assert not (tmp_path / "home" / "config" / "markets.toml").exists()
    assert list((tmp_path / "home" / "landing").iterdir()) == []


def test_json_in_a_cell_can_be_exploded(tmp_path: Path) -> None:
    """Stops a JSON list in a CSV cell from being out of reach."""
    content = f'id,at,marks\n1,{AT},"[""x"",""y""]"\n2,{AT},not json\n'
    mapping = mapping_text(
        columns={"item_id": '"id"', "label": '"mark"', "annotator_id": '"marks[1]"'},
        extra="[[explode]]\npath = 'marks'\nas = 'mark'",
    )
    summary, rows = run_import(tmp_path, content, mapping=mapping)
    assert [(row["label"], row["annotator_id"]) for row in rows] == [("x", "y"), ("y", "y")]
    assert [drop.rule for drop in summary.drops] == ["[[explode]] marks: is not a list"]
