"""What the command line prints: tables and sentences for people, CSV and JSON for programs.

Nothing is read or computed here. Names and messages come from data, so none of them is taken for markup.
"""

import csv
import json
import math
import sys
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import TextIO

from rich.cells import cell_len
from rich.console import Console

from qa_pipeline.messages import counted
from qa_pipeline.nights import Plan, Walk
from qa_pipeline.settings import Home
from qa_pipeline.state import FeedState, Hold, QueueFigure, Status

# A terminal is no place for more; the other formats give all rows.
SHOWN_ROWS = 200
SHOWN_CELL = 100
SHOWN_REASONS = 10
SHOWN_RULES = 3
_LINE_LENGTH = 10_000


def console(stream: TextIO | None = None) -> Console:
    """A console that takes no text for markup or emoji, on standard output unless told otherwise.

    Lines are as long as they need to be: cut off in a pipe they would be wrong, and a terminal wraps them itself.
    """
    return Console(file=stream, markup=False, emoji=False, highlight=False, width=_LINE_LENGTH)


def _table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, numbers: Sequence[str] = ()) -> str:
    """Columns two spaces apart, those in `numbers` to the right."""
    cells = [list(columns), *([_cell(value) for value in row] for row in rows)]
    widths = [max(cell_len(row[place]) for row in cells) for place in range(len(columns))]
    lines = []
    for row in cells:
        padded = []
        for name, cell, width in zip(columns, row, widths, strict=True):
            space = " " * (width - cell_len(cell))
            padded.append(space + cell if name in numbers else cell + space)
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:,}" if isinstance(value, int) else _printable(str(value))


def _printable(text: str) -> str:
    """`text` without line ends and control characters, which could move a terminal's cursor or change its colours."""
    return "".join(char if char.isprintable() else " " for char in text)


_ROW_COUNTS = ("landed", "validated", "quarantined", "superseded")


def print_feeds(out: Console, feeds: Sequence[FeedState]) -> None:
    """Rows of each feed and their sum, feeds without any left out."""
    rows = [
        (state.feed, state.rows_landed, state.rows_validated, state.rows_quarantined, state.rows_superseded)
        for state in feeds
        if state.rows_landed or state.files_quarantined
    ]
    total = ("all", *(sum(int(row[place]) for row in rows) for place in range(1, 5)))
    out.print(_table(("rows", *_ROW_COUNTS), [*rows, total], numbers=_ROW_COUNTS))


def print_run(  # noqa: PLR0913 - one argument a part of the summary
    out: Console,
    *,
    home: Home,
    plan: Plan,
    done: Walk,
    feeds: Sequence[FeedState],
    missing: Sequence[tuple[str, date]],
    unreadable: Sequence[Hold],
    remarked: Sequence[Hold],
    quarantined: Sequence[str],
    strays: Sequence[str],
    ahead: Sequence[str],
    worst: Sequence[QueueFigure],
    sample: Path | None,
) -> None:
    """The summary of a run, the most useful first, what went wrong last."""
    days = list(plan.days)
    if days:
        out.print(f"Loaded {_span(days)}.")
        print_feeds(out, feeds)
    else:
        out.print("Nothing new or changed to load (--force loads again).")
    if plan.others:
        more = "1 more date has" if plan.others == 1 else f"{plan.others} more dates have"
        out.print(f"{more} changed files outside the range asked for.")
    _print_reasons(out, "Rows in quarantine (docs/rules.md says what to do)", quarantined, shown=SHOWN_RULES)
    if worst:
        out.print("\nQueues with the highest defect rate (people, newest 28 days)")
        out.print(
            _table(
                ("market", "queue", "defect rate", "95 % interval", "reviews"),
                [(cell.market, cell.queue, _share(cell.estimate), _interval(cell), cell.n_items) for cell in worst],
                numbers=("defect rate", "95 % interval", "reviews"),
            )
        )
    if done.is_published:
        out.print(f"\nPages:     {home.reports / 'index.html'}\nWarehouse: {home.published}")
    if sample is not None:
        out.print(f"To review: {sample}")
    _print_reasons(out, "Files that could not be read", [_hold(hold) for hold in unreadable])
    _print_reasons(out, "Loaded with a remark", [_hold(hold) for hold in remarked])
    _print_reasons(out, "Required feeds that did not land", [f"{feed} of {day}" for feed, day in missing])
    _print_reasons(out, "In landing/ but not loaded", strays)
    _print_reasons(out, "Dated in the future", ahead)
    for part, reasons in done.failures.items():
        _print_reasons(out, f"Stopped: {part}", reasons)


def _span(days: Sequence[date]) -> str:
    return f"{days[0]}" if len(days) == 1 else f"{len(days)} dates, {days[0]} to {days[-1]}"


def print_status(out: Console, *, home: Home, status: Status) -> None:
    """The state of a home."""
    numbers = ("dates", "pending", *_ROW_COUNTS)
    out.print(
        _table(
            ("feed", "dates", "first", "last", "pending", *_ROW_COUNTS),
            [
                (
                    state.feed,
                    state.days,
                    state.first,
                    state.last,
                    state.pending,
                    state.rows_landed,
                    state.rows_validated,
                    state.rows_quarantined,
                    state.rows_superseded,
                )
                for state in status.feeds
            ],
            numbers=numbers,
        )
    )
    out.print(f"\nHome:         {home.root}")
    out.print(f"Newest date:  {status.newest or 'nothing has landed'}")
    published = f"{status.published_at:%Y-%m-%d %H:%M} UTC" if status.published_at else "not yet"
    out.print(f"Published:    {published}")
    out.print(f"Counts from:  {status.source}")
    days = status.pending_days
    if days:
        out.print(f"Pending:      {_span(days)}: `qa-pipeline run` loads {'it' if len(days) == 1 else 'them'}")
    else:
        out.print("Pending:      nothing")
    _print_reasons(out, "On hold", [_hold(hold) for hold in status.blocked])
    _print_reasons(out, "Files that could not be read", [_hold(hold) for hold in status.unreadable])
    _print_reasons(out, "In landing/ but not loaded", status.strays)
    _print_reasons(out, "Dated in the future", status.ahead)


def _print_reasons(out: Console, title: str, reasons: Sequence[str], *, shown: int = SHOWN_REASONS) -> None:
    if not reasons:
        return
    out.print(f"\n{title}", style="bold")
    for reason in reasons[:shown]:
        out.print(f"  {_printable(reason)}")
    if len(reasons) > shown:
        out.print(f"  … and {len(reasons) - shown:,} more")


def _hold(hold: Hold) -> str:
    return f"{hold.feed} of {hold.business_date}: {hold.reason}"


def _share(value: float) -> str:
    return f"{value:.1%}"


def _interval(cell: QueueFigure) -> str:
    if cell.ci_low is None or cell.ci_high is None:
        return "none"
    return f"{_share(cell.ci_low)} to {_share(cell.ci_high)}"


def print_rows(columns: Sequence[str], rows: Sequence[Sequence[object]], *, as_format: str) -> None:
    """The result of a query on standard output as a table, CSV or JSON (an array of objects)."""
    if as_format == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([_plain(value) for value in row] for row in rows)
    elif as_format == "json":
        records = [dict(zip(columns, map(_plain, row), strict=True)) for row in rows]
        json.dump(records, sys.stdout, ensure_ascii=False, indent=1, default=str)
        sys.stdout.write("\n")
    else:
        out = console()
        numbers = [name for place, name in enumerate(columns) if _are_numbers(row[place] for row in rows)]
        shown = [[_shown(value) for value in row] for row in rows[:SHOWN_ROWS]]
        out.print(_table(columns, shown, numbers=numbers))
        if len(rows) > SHOWN_ROWS:
            out.print(f"… and {counted(len(rows) - SHOWN_ROWS, 'row')} more: --format csv gives them all")
        if any(
            isinstance(cell, str) and cell.endswith("…") and len(cell) == SHOWN_CELL for row in shown for cell in row
        ):
            out.print(f"Texts longer than {SHOWN_CELL} characters end in …: --format csv gives them whole")


def _are_numbers(values: Iterable[object]) -> bool:
    known = [value for value in values if value is not None]
    return bool(known) and all(isinstance(value, int | float) and not isinstance(value, bool) for value in known)


def _shown(value: object) -> object:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, float):
        return f"{value:.6g}"
    # Identifiers and years are numbers too, so a query's whole numbers get no separators.
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= SHOWN_CELL else f"{text[: SHOWN_CELL - 1]}…"


def _plain(value: object) -> object:
    """NaN and infinities have no JSON; dates and the like become text."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, bool | int | float | str | list | dict):
        return value
    return str(value)
