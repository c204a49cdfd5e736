"""docs/import.md against the code: its mappings load and work, its reference names every key."""

import re
import tomllib
from pathlib import Path

import pytest

from qa_pipeline.importing.mapping import (
    ColumnSpec,
    Explode,
    Mapping,
    Source,
    Synthetic,
    load_mapping,
    shipped_mappings,
)
from qa_pipeline.settings import project_root
from qa_pipeline_tests.import_support import run_import


def _page() -> str:
    return (project_root() / "docs" / "import.md").read_text(encoding="utf-8")


def _blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", _page(), flags=re.DOTALL)


def test_mappings_of_the_page_load(tmp_path: Path) -> None:
    """Stops the page from showing a mapping that is refused."""
    blocks = _blocks("toml")
    assert len(blocks) == 2
    for number, block in enumerate(blocks):
        path = tmp_path / f"{number}.toml"
        path.write_text(block, encoding="utf-8")
        load_mapping(path)


def test_the_first_example_works(tmp_path: Path) -> None:
    """Stops the page's example from being wrong about what it reads."""
    content = next(block for block in _blocks("text") if block.startswith("task;who"))
    _, rows = run_import(tmp_path, content, mapping=_blocks("toml")[0])
    assert [(row["label_id"], row["label"], row["handle_seconds"]) for row in rows] == [
        ("our-41-anna", "hate_speech", 8.2),
        ("our-41-ben", "no_violation", 5.1),
    ]
    assert rows[0]["submitted_at"].isoformat() == "2026-11-03T13:05:00+00:00"


@pytest.mark.parametrize("model", [Mapping, Source, Explode, ColumnSpec, Synthetic])
def test_every_key_is_in_the_reference(model: type[Mapping]) -> None:
    """Stops a key of the language from being left out of the page."""
    reference = _page().split("## Reference")[1]
    for name, field in model.model_fields.items():
        key = field.alias or name
        assert re.search(rf"`\[*{key}\]*`", reference), key


def test_every_shipped_mapping_is_on_the_page() -> None:
    """Stops a shipped mapping from being unknown to those it is for."""
    for name in shipped_mappings():
        assert f"`{name}`" in _page()


def test_the_generic_mapping_takes_the_contracts_headers(tmp_path: Path) -> None:
    """Stops the template from refusing the smallest file that it promises to read, or losing a column."""
    mapping = shipped_mappings()["generic_csv_labels"].read_text(encoding="utf-8")
    required = "label_id,item_id,market,queue,annotator_id,label,submitted_at"
    smallest = f"{required}\nl1,i1,US,q,a1,hate,2026-03-01 10:00:00\n"
    summary, rows = run_import(tmp_path, smallest, mapping=mapping)
    assert (rows[0]["vendor"], rows[0]["stage"], rows[0]["content_type"]) == ("unknown_vendor", "production", "text")
    assert any("has no column for assigned_at, batch_id" in note for note in summary.notes)
    assert "Times without a zone were taken as UTC: submitted_at in 1 row." in summary.notes
    columns = list(tomllib.loads(mapping)["columns"])
    values = [
        "l2",
        "i2",
        "US",
        "q",
        "video",
        "a1",
        "v",
        "spam",
        "qa",
        "2026-03-01T10:00:00Z",
        "",
        "b",
        "en",
        "1.10",
        "3",
        "true",
        "x",
        "NULL",
    ]
    content = ",".join(columns) + "\n" + ",".join(values) + "\n"
    full, rows = run_import(tmp_path, content, mapping=mapping, name="full.csv")
    assert full.notes == ()
    row = next(row for row in rows if row["label_id"] == "l2")
    assert (row["guideline_version"], row["is_blind"], row["suggestion_shown"]) == ("1.10", True, None)
    assert (row["vendor"], row["stage"], row["content_type"], row["handle_seconds"]) == ("v", "qa", "video", 3.0)
