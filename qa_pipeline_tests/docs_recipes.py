"""The SQL that docs/analyse.md shows, for tests to run."""

import re
from pathlib import Path

import duckdb

PAGE = Path(__file__).resolve().parents[1] / "docs" / "analyse.md"


def recipes() -> dict[str, str]:
    """Each statement of the page's SQL by the comment in front of it, on one line.

    ValueError when a statement has no comment, or two have the same: it would not be run.
    """
    blocks = re.findall(r"```sql\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    pairs = [each for block in blocks for each in re.findall(r"/\*(.*?)\*/(.*?);", block, re.DOTALL)]
    found = {" ".join(title.split()): query for title, query in pairs}
    statements = sum(len(duckdb.extract_statements(block)) for block in blocks)
    if len(found) != statements:
        message = f"{PAGE.name} has {statements} statements, {len(found)} of them with a comment of their own"
        raise ValueError(message)
    return found
