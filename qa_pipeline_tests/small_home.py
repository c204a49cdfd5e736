"""A home of a few hundred rows of CSV in every feed, for tests of the orchestration and the command line.

Two markets, one queue, three annotators; every rule passes unless a test breaks something.
"""

import csv
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from unittest import mock

from qa_pipeline.contracts import FEEDS
from qa_pipeline.settings import Home

FIRST_DAY = date(2026, 10, 1)
ITEMS_A_DAY = 12
ANNOTATORS = ("ann1", "ann2", "ann3")
Row = dict[str, object]

_MARKETS = """
[markets.de]
name = "Germany"
time_zone = "Europe/Berlin"

[markets.us]
name = "United States"
time_zone = "America/New_York"
"""
_TAXONOMY = """
version = "2026-10"

[queues.hate]
name = "Hate speech"
labels = [{ code = "hate", is_violating = true }, { code = "ok", is_violating = false }]
"""


@contextmanager
def kept_environment() -> Iterator[None]:
    """Put the environment back at the end: every command sets QA_HOME, DAGSTER_HOME and the bounds of the partitions.

    Variables that name a home or bounds are taken out for the while, so that the tester's own do not leak in.
    """
    with mock.patch.dict(os.environ):
        for name in [name for name in os.environ if name.startswith("QA_") or name == "DAGSTER_HOME"]:
            if name != "QA_PROJECT_ROOT":
                del os.environ[name]
        yield


def small_days(count: int) -> list[date]:
    """The first `count` business dates of a small home."""
    return [FIRST_DAY + timedelta(days=offset) for offset in range(count)]


def write_small_home(root: Path, *, days: int = 2, feeds: Iterable[str] = tuple(FEEDS)) -> Home:
    """Write configuration and `days` dates of landing files of `feeds`, one file `part.csv` a partition."""
    home = Home(root).prepare()
    (home.config / "markets.toml").write_text(_MARKETS, encoding="utf-8")
    (home.config / "taxonomy.toml").write_text(_TAXONOMY, encoding="utf-8")
    for day in small_days(days):
        for feed in feeds:
            land(home, feed=feed, day=day, rows=small_rows(feed, day))
    return home


def partition_folder(home: Home, *, feed: str, day: date) -> Path:
    """Landing folder of a partition."""
    return home.landing / feed / f"date={day}"


def land(home: Home, *, feed: str, day: date, rows: Sequence[Row], name: str = "part.csv") -> Path:
    """Write rows as one CSV file of a partition."""
    path = partition_folder(home, feed=feed, day=day) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def land_blocked(home: Home, *, feed: str, day: date) -> None:
    """Land a partition of which every row has an unknown market, which rule 090 of the feed stops."""
    land(home, feed=feed, day=day, rows=[row | {"market": "nowhere"} for row in small_rows(feed, day)])


def small_rows(feed: str, day: date) -> list[Row]:
    """Rows of one feed and date."""
    return _MAKERS[feed](day)


def _each_item(day: date) -> list[tuple[int, Row]]:
    """Number and the columns that feeds with items share."""
    return [
        (number, {"item_id": f"{day}-{number}", "market": ("de", "us")[number % 2], "queue": "hate"})
        for number in range(ITEMS_A_DAY)
    ]


def _at(day: date, hour: int) -> str:
    return f"{day}T{hour:02d}:00:00Z"


def _label(number: int, rater: int) -> str:
    """Two of three raters agree on every fourth item, all three on the others."""
    violates = number % 3 == 0
    return "hate" if violates != (number % 4 == 0 and rater == 0) else "ok"


def _labels(day: date) -> list[Row]:
    return [
        {"label_id": f"lab-{item['item_id']}-{rater}"}
        | item
        | {
            "content_type": "text",
            "annotator_id": annotator,
            "vendor": "acme" if rater else "bpo",
            "label": _label(number, rater),
            "stage": "production",
            "submitted_at": _at(day, 14),
            "handle_seconds": 20 + rater,
        }
        for number, item in _each_item(day)
        for rater, annotator in enumerate(ANNOTATORS)
    ]


def _predictions(day: date) -> list[Row]:
    return [
        {"prediction_id": f"pre-{item['item_id']}"}
        | item
        | {
            "content_type": "text",
            "model_id": "hatenet",
            "model_version": "1",
            "model_kind": "classifier",
            "label": "hate",
            "score": round((number + 1) / (ITEMS_A_DAY + 2), 3),
            "is_decision": "true",
            "predicted_at": _at(day, 13),
        }
        for number, item in _each_item(day)
    ]


def _items(day: date) -> list[Row]:
    return [
        item | {"content_type": "text", "language": "de", "enqueued_at": _at(day, 12), "priority": 1}
        for _, item in _each_item(day)
    ]


def _gold(day: date) -> list[Row]:
    return [
        item | {"label": _label(number, 1), "source": "expert", "guideline_version": "g1"}
        for number, item in _each_item(day)
        if number % 4 == 0
    ]


def _reviews(day: date) -> list[Row]:
    return [
        {"review_id": f"rev-{item['item_id']}", "target_kind": "label", "target_id": f"lab-{item['item_id']}-0"}
        | item
        | {
            "reviewer_id": "qa1",
            "verdict_label": _label(number, 1),
            "error_category": "none" if number % 4 else "false_positive",
            "severity": "minor",
            "is_blind": "true",
            "sampling": "random",
            "inclusion_probability": 0.5,
            "reviewed_at": _at(day, 16),
        }
        for number, item in _each_item(day)
        if number % 2 == 0
    ]


def _appeals(day: date) -> list[Row]:
    return [
        {"appeal_id": f"app-{item['item_id']}", "target_kind": "label", "target_id": f"lab-{item['item_id']}-1"}
        | item
        | {
            "original_label": _label(number, 1),
            "outcome": "upheld",
            "final_label": _label(number, 1),
            "filed_at": _at(day, 17),
        }
        for number, item in _each_item(day)
        if number % 6 == 0
    ]


def _roster(_day: date) -> list[Row]:
    return [
        {
            "annotator_id": annotator,
            "vendor": "acme" if rater else "bpo",
            "site": "Riga",
            "market": "de",
            "language": "de",
            "role": "annotator",
            "hired_on": "2026-01-01",
            "certified_on": "2026-02-01",
            "is_active": "true",
        }
        for rater, annotator in enumerate((*ANNOTATORS, "qa1"))
    ]


def _timesheets(_day: date) -> list[Row]:
    return [
        {"annotator_id": annotator, "paid_minutes": 480, "productive_minutes": 400}
        for annotator in (*ANNOTATORS, "qa1")
    ]


_MAKERS: dict[str, Callable[[date], list[Row]]] = {
    "labels": _labels,
    "predictions": _predictions,
    "items": _items,
    "gold": _gold,
    "reviews": _reviews,
    "appeals": _appeals,
    "roster": _roster,
    "timesheets": _timesheets,
}
