"""`docs/feeds.md`, written from the contract so that the two cannot differ.

Only the wording of that page belongs here.
"""

from qa_pipeline.contracts import FEEDS, Column, Feed

_HEAD = """# The feeds

<!-- Generated from qa_pipeline/contracts.py: change the contract, then run
python -c "from qa_pipeline import feeds_page; print(feeds_page.markdown(), end='')" > docs/feeds.md -->

What each feed holds, column by column. Times are UTC with zone. A column that is not required may be missing from the
file, or empty in a row. How to deliver a file: [landing](land.md); what is checked: [rules](rules.md).
"""


def markdown() -> str:
    """The whole page, ending in a line break."""
    return "\n".join([_HEAD, *(_section(feed) for feed in FEEDS.values())])


def _section(feed: Feed) -> str:
    dated = f"market-local date of `{feed.event_at}`" if feed.event_at else "date of the folder"
    lines = [
        f"## {feed.name}{' (required)' if feed.is_required else ''}",
        "",
        f"One row is {feed.grain}. Key: {', '.join(f'`{name}`' for name in feed.key)}. Business date: {dated}.",
        "",
        "| column | type | required | meaning |",
        "|---|---|---|---|",
        *(_row(column) for column in feed.columns),
        "",
    ]
    return "\n".join(lines)


def _row(column: Column) -> str:
    values = f" One of: {', '.join(f'`{value}`' for value in column.values)}." if column.values else ""
    doc = column.doc if column.doc.endswith(".") else column.doc + "."
    meaning = doc.replace("|", "&#124;") + values
    return f"| `{column.name}` | {column.type} | {'yes' if column.required else ''} | {meaning} |"
