"""What the UI is told of an asset comes from contracts and SQL files, in a form that it can show."""

from datetime import date
from decimal import Decimal

import numpy as np
import pytest

from qa_pipeline.contracts import FEEDS
from qa_pipeline.defs import describing
from qa_pipeline.defs.column_docs import column_docs
from qa_pipeline.defs.mart_tables import _spark
from qa_pipeline.restating import NODES
from qa_pipeline.warehouse import SqlFile, sql_file


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (np.int64(3), 3),
        (np.float64(0.5), 0.5),
        (np.bool_(True), True),
        (Decimal("1.5"), 1.5),
        (date(2026, 10, 1), "2026-10-01"),
        (None, "-"),
        (["LBL-001", "LBL-003"], "LBL-001, LBL-003"),
        ("x" * 300, "x" * 199 + "…"),
        ('{"a":"b","c":"d"}', '{"a":"b", "c":"d"}'),
    ],
)
def test_values_become_what_metadata_can_hold(value: object, shown: object) -> None:
    """Stops a numpy scalar, which metadata refuses, and a cell that pushes the panel apart."""
    assert describing.plain(value) == shown
    assert type(describing.plain(value)) is type(shown)


def test_a_table_knows_its_columns_even_without_rows() -> None:
    """Stops an empty sample from failing a step."""
    assert [column.name for column in describing.rows_table(("rule", "rows"), []).schema.columns] == ["rule", "rows"]
    table = describing.rows_table(("rule", "rows"), [("LBL-001", 2)])
    assert [(column.name, column.type) for column in table.schema.columns] == [("rule", "string"), ("rows", "int")]


def test_a_header_becomes_a_description() -> None:
    """Stops a header whose lines run into each other, or whose <placeholders> Markdown swallows."""
    text = "-- Purpose: what <x> is for.\n-- Grain: one row\n--   a day.\n-- Source: here.\n-- Units: none.\nselect 1"
    assert describing.sql_description(SqlFile("facts", "things", text)).split("\n\n") == [
        "What &lt;x> is for.",
        "**Grain**: one row a day.",
        "**Source**: here.",
        "**Units**: none.",
        "`sql/facts/things.sql`",
    ]


def test_every_sql_file_says_what_it_is_for() -> None:
    """Stops a SQL file whose header the UI cannot show."""
    for node in NODES:
        described = describing.sql_description(sql_file(node.layer, node.name))
        assert "**Grain**: " in described, node.name
        assert "**Source**: " in described, node.name


def test_tables_read_are_found_wherever_they_stand() -> None:
    """Stops lineage that misses a table after a comma, in capitals or on a line of its own."""
    text = "SELECT * FROM validated.valid_labels l, facts.reviews\nleft join\n  tallies.x using (a)\n-- validated.y"
    assert describing.tables_read(text) == {("validated", "valid_labels"), ("facts", "reviews"), ("tallies", "x")}


def test_columns_of_every_feed_are_documented() -> None:
    """Stops a column of facts or tallies that carries a feed's name but no meaning."""
    docs = column_docs()
    assert [name for feed in FEEDS.values() for name in feed.names if not docs.get(name)] == []


@pytest.mark.parametrize(
    ("values", "line"), [([], ""), ([0.2, 0.2], "▁▁"), ([0.0, 0.5, 1.0], "▁▅█"), ([1.0, 0.0], "█▁")]
)
def test_sparks_run_from_least_to_greatest(values: list[float], line: str) -> None:
    """Stops a line of blocks that is upside down, or a division by zero on a flat series."""
    assert _spark(values) == line
