"""Damage that a test puts into a home on purpose: a partition that must be blocked, and files that cannot be read.

These are helpers of their own because blocked partitions and unreadable files hide rows, and the simulated operation is
meant to have every row accounted for.
"""

import csv
import datetime as dt
from pathlib import Path

import pyarrow.parquet as pq

from qa_pipeline.contracts import FEEDS
from qa_pipeline.errors import UsageError
from qa_pipeline.settings import Home
from qa_pipeline.simulation.writing import count_text_rows, partition_folder

FILE_RULES = ("FIL-001", "FIL-002", "FIL-003", "FIL-004", "FIL-005", "FIL-006")
BAD_FOLDER = "date=2026-02-30"


def inject_blocked_partition(home: Home, *, feed: str, business_date: dt.date, rows: int | None = None) -> Path:
    """Land a file that makes rule 090 of the feed stop the partition, and return its path.

    Its rows have their key and nothing else, so each lacks required values. Without `rows` there are ten more of them
    than the partition has rows, which is more than half. Raises UsageError for an unknown feed.
    """
    contract = FEEDS[_known(feed)]
    folder = partition_folder(home.landing, feed, business_date)
    size = landed_rows(folder) + 10 if rows is None else rows
    path = folder / f"unusable-{feed}.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(contract.names)
        for number in range(size):
            writer.writerow([f"unusable-{number}" if name == contract.key[-1] else "" for name in contract.names])
    return path


def inject_broken_file(home: Home, *, rule_id: str, feed: str, business_date: dt.date) -> Path:
    """Land a file that breaks one of the file rules FIL-001 … FIL-006, and return its path.

    FIL-001: bytes that are no Parquet; FIL-002: 0 bytes; FIL-003: a header without the first required column, and one
    row; FIL-004: a header with one column too many, no rows; FIL-005: a spreadsheet; FIL-006: the folder of a date that
    doesn't exist (`business_date` is not used). Raises UsageError for an unknown feed or rule.
    """
    contract = FEEDS[_known(feed)]
    if rule_id not in FILE_RULES:
        message = f"{rule_id} is no rule about files: choose one of {', '.join(FILE_RULES)}."
        raise UsageError(message)
    if rule_id == "FIL-006":
        folder = home.landing / feed / BAD_FOLDER
        folder.mkdir(parents=True, exist_ok=True)
    else:
        folder = partition_folder(home.landing, feed, business_date)
    header = ",".join(contract.names)
    others = [name for name in contract.names if name != contract.required_names[0]]
    name, content = {
        "FIL-001": (f"broken-{feed}.parquet", "PAR1 this is not a Parquet file"),
        "FIL-002": (f"empty-{feed}.csv", ""),
        "FIL-003": (f"narrow-{feed}.csv", f"{','.join(others)}\n{',' * (len(others) - 1)}x\n"),
        "FIL-004": (f"wide-{feed}.csv", f"{header},surprise\n"),
        "FIL-005": (f"{feed}.xlsx", "PK this is a spreadsheet"),
        "FIL-006": (f"{feed}.csv", f"{header}\n"),
    }[rule_id]
    path = folder / name
    path.write_text(content, encoding="utf-8")
    return path


def landed_rows(folder: Path) -> int:
    """Return the rows of all readable files of a partition's folder."""
    total = 0
    for path in sorted(folder.iterdir()):
        total += pq.read_metadata(path).num_rows if path.suffix == ".parquet" else count_text_rows(path)
    return total


def _known(feed: str) -> str:
    if feed not in FEEDS:
        message = f"{feed!r} is no feed: choose one of {', '.join(FEEDS)}."
        raise UsageError(message)
    return feed
