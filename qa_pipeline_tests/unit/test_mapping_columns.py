"""What a mapping does to values, column by column, run through a whole import."""

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from qa_pipeline.errors import MappingError
from qa_pipeline.importing.summary import ImportSummary
from qa_pipeline_tests.import_support import mapping_text, run_import

AT = "2026-03-01T12:00:00Z"
JSON = 'format = "jsonl"'
JSON_COLUMNS: dict[str, str | None] = {"item_id": '"$.item"', "label": '"$.label"', "submitted_at": '"$.at"'}


def _values(tmp_path: Path, column: str, spec: str, cells: list[str]) -> list[Any]:
    """Import a CSV whose column x holds the cells (plus a good row last); the landed values of `column` in order."""
    cells = ['"' + cell.replace('"', '""') + '"' for cell in cells]
    lines = ["item,label,at,x", *(f"i{n},hate,{AT},{cell}" for n, cell in enumerate(cells))]
    _, rows = run_import(tmp_path, "\n".join(lines) + "\n", mapping=mapping_text(columns={column: spec}))
    found = {row["item_id"]: row[column] for row in rows}
    return [found.get(f"i{n}", "rejected") for n in range(len(cells))]


def _json(tmp_path: Path, records: list[Any], **changes: Any) -> tuple[ImportSummary, list[dict[str, Any]]]:
    columns = {**JSON_COLUMNS, **changes.pop("columns", {})}
    content = "\n".join(json.dumps(record) for record in records)
    mapping = mapping_text(source=JSON, columns=columns, extra=changes.pop("extra", ""))
    return run_import(tmp_path, content, mapping=mapping, name="source.jsonl")


@pytest.mark.parametrize(
    ("spec", "cells", "expected"),
    [
        ('"x"', ["a", " a ", "Ünïcode", "it''s; drop table x"], ["a", " a ", "Ünïcode", "it''s; drop table x"]),
        ('{ path = "x", null_if = ["-", "n/a"] }', ["a", "-", "n/a", "N/A"], ["a", None, None, "N/A"]),
        ('{ path = "x", null_if = 0 }', ["0", "00"], [None, "00"]),
        ('{ or = ["x", "label"] }', ["a", ""], ["a", "hate"]),
        ('{ path = "x", const = "none" }', ["a", ""], ["a", "none"]),
        ('{ path = "missing", or = ["x"] }', ["a"], ["a"]),
        ('{ path = "x", lower = true }', ["AbC"], ["abc"]),
        ('{ path = "x", urldecode = true }', ["a%20b%2Fc", "50%"], ["a b/c", "50%"]),
        ('{ path = "x", regex = "^b-(\\\\d+)$" }', ["b-12", "c-12"], ["12", "rejected"]),
        ('{ path = "x", regex = "[0-9]+" }', ["b-12-3"], ["12"]),
        ('{ path = "x", map = { a = "A", b = "B" } }', ["a", "b", "c", ""], ["A", "B", "rejected", None]),
        ('{ path = "x", map = { a = "A" }, map_default = "keep" }', ["a", "c"], ["A", "c"]),
        ('{ path = "x", urldecode = true, regex = "k=(.*)", lower = true, map = { a = "z" } }', ["k%3DA"], ["z"]),
        ('{ template = "{x}-{$row}-{{{label}}}" }', ["a", ""], ["a-1-{hate}", None]),
        ('"$filename"', ["a"], ["source.csv"]),
        ('"$row"', ["a", "b"], ["1", "2"]),
        ('{ const = "it\'s" }', ["a"], ["it's"]),
        ("{ const = true }", ["a"], ["true"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_text(tmp_path: Path, spec: str, cells: list[str], expected: list[Any]) -> None:
    """Stops a change of order or meaning in null_if, urldecode, regex, lower, map, template, const."""
    assert _values(tmp_path, "batch_id", spec, [*cells, "a"])[: len(cells)] == expected


@pytest.mark.parametrize(
    ("column", "spec", "cells", "expected"),
    [
        (
            "handle_seconds",
            '"x"',
            ["1.5", "1e3", " 7 ", "abc", "nan", "1e999", "1,5"],
            [1.5, 1000, 7] + ["rejected"] * 4,
        ),
        ("handle_seconds", '{ path = "x", scale = 0.001 }', ["1500", ""], [1.5, None]),
        ("is_blind", '"x"', ["TRUE", "f", "1", "no", "maybe"], [True, False, True, False, "rejected"]),
        ("is_blind", '{ path = "x", map = { ja = "true", nein = "false" } }', ["ja", "nein"], [True, False]),
        ("stage", '"x"', ["qa", "prod", ""], ["qa", "rejected", "rejected"]),
    ],
)
def test_types(tmp_path: Path, column: str, spec: str, cells: list[str], expected: list[Any]) -> None:
    """Stops a value that is not of its column's type from being rounded, guessed or emptied."""
    good = {"stage": "qa", "is_blind": "ja" if "ja" in cells else "1"}.get(column, "1")
    assert _values(tmp_path, column, spec, [*cells, good])[: len(cells)] == expected


def test_whole_numbers(tmp_path: Path) -> None:
    """Stops 2.5 from becoming 3 (DuckDB's cast rounds)."""
    mapping = (
        'version = 1\nname = "t"\ntarget = "items"\n[source]\nformat = "csv"\n[columns]\nitem_id = "item"\n'
        'market = { const = "US" }\nqueue = { const = "q" }\ncontent_type = { const = "text" }\n'
        'enqueued_at = "at"\npriority = "x"\n'
    )
    cells = ["3", "3.0", "-2", "2.5", "1e3", "9223372036854775808"]
    content = "item,at,x\n" + "".join(f"i{n},{AT},{cell}\n" for n, cell in enumerate(cells))
    summary, rows = run_import(tmp_path, content, mapping=mapping, feed="items")
    assert [row["priority"] for row in rows] == [3, 3, -2]
    assert [sample.value for sample in summary.rejects[0].samples] == ["2.5", "1e3", "9223372036854775808"]


TIMES = [
    ('"x"', "2026-03-01T10:00:00Z", datetime(2026, 3, 1, 10, tzinfo=UTC)),
    ('"x"', "2026-03-01 10:00:00.123456789+05:30", datetime(2026, 3, 1, 4, 30, 0, 123456, tzinfo=UTC)),
    ('"x"', "2026-03-01T10:00-0800", datetime(2026, 3, 1, 18, tzinfo=UTC)),
    ('"x"', "2026-03-01 10:00:00 -08:00", datetime(2026, 3, 1, 18, tzinfo=UTC)),
    ('"x"', "2026-03-01 10:00:00 UTC", datetime(2026, 3, 1, 10, tzinfo=UTC)),
    ('"x"', "2026-03-01T10:00:00z", datetime(2026, 3, 1, 10, tzinfo=UTC)),
    ('"x"', "2026-03-01T10:00:00", "rejected"),
    ('"x"', "2026-03-01", "rejected"),
    ('"x"', "2026-02-30T10:00:00Z", "rejected"),
    ('"x"', "0001-01-01T00:00:00Z", "rejected"),
    ('"x"', "2026-03-01 10:00:00 America/New_York", "rejected"),
    ('{ path = "x", timezone = "America/New_York" }', "2026-03-01T10:00:00", datetime(2026, 3, 1, 15, tzinfo=UTC)),
    ('{ path = "x", timezone = "America/New_York" }', "2026-07-01 10:00", datetime(2026, 7, 1, 14, tzinfo=UTC)),
    ('{ path = "x", timezone = "America/New_York" }', "2026-07-01T10:00Z", datetime(2026, 7, 1, 10, tzinfo=UTC)),
    ('{ path = "x", timezone = "Asia/Kolkata" }', "2026-03-01", datetime(2026, 2, 28, 18, 30, tzinfo=UTC)),
    ('{ path = "x", format = "epoch_s" }', "1772359200", datetime(2026, 3, 1, 10, tzinfo=UTC)),
    ('{ path = "x", format = "epoch_s" }', "1772359200.5", datetime(2026, 3, 1, 10, 0, 0, 500000, tzinfo=UTC)),
    ('{ path = "x", format = "epoch_s" }', "1772359200000", "rejected"),
    ('{ path = "x", format = "epoch_ms" }', "1772359200123", datetime(2026, 3, 1, 10, 0, 0, 123000, tzinfo=UTC)),
    (
        '{ path = "x", format = "%d.%m.%Y %H:%M", timezone = "Europe/Berlin" }',
        "01.03.2026 11:00",
        datetime(2026, 3, 1, 10, tzinfo=UTC),
    ),
    ('{ path = "x", format = "%d.%m.%Y %H:%M", timezone = "Europe/Berlin" }', "2026-03-01 11:00", "rejected"),
    (
        '{ path = "x", format = "%d/%b/%Y:%H:%M:%S %z" }',
        "01/Mar/2026:11:00:00 +0100",
        datetime(2026, 3, 1, 10, tzinfo=UTC),
    ),
    (
        '{ path = "x", tz_abbreviations = { PST = "-08:00" } }',
        "2026-03-01 10:00 PST",
        datetime(2026, 3, 1, 18, tzinfo=UTC),
    ),
    ('{ path = "x", tz_abbreviations = { PST = "-08:00" } }', "2026-03-01 10:00 PDT", "rejected"),
    (
        '{ path = "x", format = "%a %b %d %H:%M:%S %Z %Y", tz_abbreviations = { IST = "+05:30" } }',
        "Sun Mar 01 10:00:00 IST 2026",
        datetime(2026, 3, 1, 4, 30, tzinfo=UTC),
    ),
    (
        '{ path = "x", format = "%a %b %d %H:%M:%S %Z %Y", tz_abbreviations = { IST = "+05:30" } }',
        "Sun Mar 01 10:00:00 EST 2026",
        "rejected",
    ),
]


@pytest.mark.parametrize(("spec", "cell", "expected"), TIMES)
def test_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spec: str, cell: str, expected: object) -> None:
    """Stops a time from taking the machine's zone, an unknown abbreviation a guess, or a wrong form a wrong instant."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    assert _values(tmp_path, "assigned_at", spec, [cell, ""])[0] == expected


def test_a_time_without_offset_is_rejected_by_that_name(tmp_path: Path) -> None:
    """Stops the reader of a rejection from looking for the mistake in the form of the time."""
    content = f"item,label,at\ni1,hate,2026-03-01 10:00:00\ni2,hate,{AT}\n"
    summary, _ = run_import(tmp_path, content, mapping=mapping_text())
    (reject,) = summary.rejects
    assert (reject.column, reject.rows) == ("submitted_at", 1)
    assert reject.reason == "has no offset from UTC, and the mapping declares no timezone for it"
    assert "'2026-03-01 10:00:00' in row 1 of source.csv" in reject.sentence()


def test_dates(tmp_path: Path) -> None:
    """Stops a date column from taking the date part of a time, whose zone is unknown."""
    mapping = (
        'version = 1\nname = "t"\ntarget = "roster"\n[source]\nformat = "csv"\n[columns]\nannotator_id = "a"\n'
        'vendor = { const = "v" }\nsite = { const = "s" }\nmarket = { const = "US" }\nlanguage = { const = "en" }\n'
        'role = { const = "annotator" }\nis_active = { const = true }\nhired_on = "h"\n'
        'certified_on = { path = "c", format = "%d/%m/%Y" }\nbusiness_date = "d"\n'
    )
    content = "a,h,c,d\na1,2025-01-02,03/02/2025,2026-03-01\na2,2025-01-02T00:00:00Z,,2026-03-01\n"
    summary, rows = run_import(tmp_path, content, mapping=mapping, feed="roster")
    assert [(row["hired_on"], row["certified_on"], row["date"]) for row in rows] == [
        (date(2025, 1, 2), date(2025, 2, 3), date(2026, 3, 1))
    ]
    assert summary.rejects[0].column == "hired_on"


def test_join_sorts_its_codes(tmp_path: Path) -> None:
    """Stops a multi-select label from depending on the order of clicks, and two labels from hiding in one code."""
    records = [
        {"item": "1", "at": AT, "label": ["b", "a", "b"]},
        {"item": "2", "at": AT, "label": "a"},
        {"item": "3", "at": AT, "label": []},
        {"item": "4", "at": AT, "label": ["a|b"]},
        {"item": "5", "at": AT, "label": ["a", {"x": 1}]},
        {"item": "6", "at": AT, "label": ["a", "c"]},
        {"item": "7", "at": AT, "label": ["a", None, ""]},
        {"item": "8", "at": AT, "label": {"x": 1}},
    ]
    label = '{ path = "$.label", join = "|", map = { a = "A", b = "B", "a|b" = "A|B" } }'
    summary, rows = _json(tmp_path, records, columns={"label": label})
    assert {row["item_id"]: row["label"] for row in rows} == {"1": "A|B", "2": "A", "7": "A"}
    reasons = {reject.samples[0].place: reject.reason for reject in summary.rejects}
    assert reasons["row 3 of source.jsonl"] == "is missing"
    assert reasons["row 4 of source.jsonl"] == "has an element with | in it, which joins elements"
    assert reasons["row 5 of source.jsonl"] == "is a list or an object where one value is needed"
    assert reasons["row 6 of source.jsonl"] == "has no place in map"


def test_a_list_where_one_value_is_needed_is_rejected(tmp_path: Path) -> None:
    """Stops JSON text such as ["hate"] from becoming a label."""
    records = [
        {"item": "1", "at": AT, "label": ["hate"]},
        {"item": "2", "at": AT, "label": "[hate]"},
        {"item": "3", "at": AT, "label": {"a": 1}},
    ]
    summary, rows = _json(tmp_path, records)
    assert [row["label"] for row in rows] == ["[hate]"]
    assert [(reject.reason, reject.rows) for reject in summary.rejects] == [
        ("is a list or an object where one value is needed", 2)
    ]


def test_json_values_as_text(tmp_path: Path) -> None:
    """Stops long ids from losing digits, and keys with dots, slashes and quotes from being taken apart."""
    record = {
        "item": 123456789012345678901234567890,
        "at": AT,
        "label": "x",
        "a.b": {'c/d "e"': [{"f": True}]},
        "n": 1.5,
    }
    columns = {"batch_id": """\'$["a.b"]["c/d \\"e\\""][0].f\'""", "language": '"$.nothing"', "vendor": '"$.n"'}
    _, rows = _json(tmp_path, [record], columns=columns)
    row = rows[0]
    assert row["item_id"] == "123456789012345678901234567890"
    assert (row["batch_id"], row["language"], row["vendor"]) == ("true", None, "1.5")


def test_quotes_in_a_mapping_stay_text(tmp_path: Path) -> None:
    """Stops a quote in any part of a mapping or a header from breaking out of its SQL text."""
    evil = "'); drop table staged; --"
    columns = {
        "item_id": json.dumps(f'head"{evil}'),
        "batch_id": f'{{ path = "label", map = {{ {json.dumps(evil)} = {json.dumps(evil)} }}, map_default = "keep" }}',
        "language": f"{{ template = {json.dumps(evil + '{label}')} }}",
        "guideline_version": f'{{ path = "label", null_if = [{json.dumps(evil)}], const = {json.dumps(evil)} }}',
        "suggested_label": f'{{ path = "label", regex = {json.dumps(chr(39) + "|(hate)")} }}',
    }
    extra = f"[where]\nlabel = {{ not = {json.dumps(evil)} }}\n"
    content = f'"head""{evil}",label,at\n"{evil}",hate,{AT}\n'
    summary, rows = run_import(tmp_path, content, mapping=mapping_text(columns=columns, extra=extra), name="s'; x.csv")
    row = rows[0]
    assert (row["item_id"], row["batch_id"], row["language"]) == (evil, "hate", f"{evil}hate")
    assert (row["guideline_version"], row["suggested_label"], summary.rows_written) == ("hate", "hate", 1)


def test_a_required_column_that_the_file_lacks_is_an_error(tmp_path: Path) -> None:
    """Stops a file with other headers from becoming a folder of empty columns."""
    with pytest.raises(MappingError) as caught:
        run_import(tmp_path, f"item,lable,at\n1,hate,{AT}\n", mapping=mapping_text())
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'source.csv'} has no column 'label' (its columns: item, lable, at)")
    assert "columns.label needs it" in message
    with pytest.raises(MappingError, match=r"source\.csv has no column 'state' .*correct the path in the mapping"):
        run_import(tmp_path, f"item,label,at\n1,hate,{AT}\n", mapping=mapping_text(extra="[where]\nstate = 1"))


def test_an_optional_column_that_the_file_lacks_is_told(tmp_path: Path) -> None:
    """Stops an optional column from staying empty without a word."""
    mapping = mapping_text(columns={"language": '"lang"'})
    summary, rows = run_import(tmp_path, f"item,label,at\n1,hate,{AT}\n", mapping=mapping)
    assert rows[0]["language"] is None
    assert "source.csv has no column for language: left empty." in summary.notes
