"""Landed files: find them, fingerprint them, and tell what in landing/ is out of place.

Files are never written or judged here; what is in one is `landed_rows`' business.
"""

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from qa_pipeline.contracts import FEEDS
from qa_pipeline.errors import HomeError, LandingFileError
from qa_pipeline.settings import Home

_YEARS = range(2000, 2100)
_FOLDER = re.compile(r"^date=(\d{4}-\d{2}-\d{2})$")
_CHUNK = 1 << 20


@dataclass(frozen=True)
class LandedFile:
    """One landed file of a partition.

    `stat` is size, modification time and whether it may be read, for noticing a change cheaply.
    """

    feed: str
    business_date: date
    path: Path
    bytes: int
    stat: str

    @property
    def name(self) -> str:
        """File name without folders."""
        return self.path.name


def parse_folder(name: str) -> date:
    """Business date of a folder called `date=YYYY-MM-DD`.

    Raises LandingFileError (FIL-006) when the name has another form or the date does not exist.
    """
    match = _FOLDER.match(name)
    if match is None:
        message = f"{name} is not called date=YYYY-MM-DD: rename the folder and its files will be loaded"
        raise LandingFileError("FIL-006", message)
    try:
        day = date.fromisoformat(match[1])
    except ValueError as err:
        message = f"{name} names a date that does not exist: move its files to the folder of their date"
        raise LandingFileError("FIL-006", message) from err
    if day.year not in _YEARS:
        message = f"{name} names a date outside 2000 to 2099: move its files to the folder of their date"
        raise LandingFileError("FIL-006", message)
    return day


def scan(home: Home, *, feed: str, business_date: date) -> list[LandedFile]:
    """Files of one partition, by name. Names starting with . or _ and names ending in .tmp are not deliveries.

    Raises HomeError when the folder cannot be listed.
    """
    folder = home.landing / feed / f"date={business_date.isoformat()}"
    if not folder.is_dir():
        return []
    found = []
    for path in _entries(folder):
        if _is_aside(path) or not path.is_file() or not _is_nameable(path.name):
            continue
        try:
            info = path.stat()
        except FileNotFoundError:
            continue  # taken away since the folder was listed
        closed = "" if os.access(path, os.R_OK) else ":closed"
        found.append(
            LandedFile(
                feed=feed,
                business_date=business_date,
                path=path,
                bytes=info.st_size,
                stat=f"{path.name}:{info.st_size}:{info.st_mtime_ns}{closed}",
            )
        )
    return found


def _entries(folder: Path) -> list[Path]:
    """What is in a folder, by name. Raises HomeError when it cannot be listed."""
    try:
        return sorted(folder.iterdir(), key=lambda entry: entry.name)
    except OSError as err:
        message = f"{folder} cannot be listed ({err.strerror}): give the pipeline's user the right to read it."
        raise HomeError(message) from err


def _is_aside(path: Path) -> bool:
    """Whether a name says that the file is no delivery, or not yet whole."""
    return path.name.startswith((".", "_")) or path.name.endswith(".tmp")


def _is_nameable(name: str) -> bool:
    """Whether a name is UTF-8: another one (Python keeps its bytes as surrogates) can be stored nowhere."""
    return not any("\ud800" <= char <= "\udfff" for char in name)


def landed_partitions(home: Home) -> dict[tuple[str, date], list[LandedFile]]:
    """Every partition that has a folder, with its files (an emptied folder has none), by feed and date."""
    return {
        (feed, day): scan(home, feed=feed, business_date=day) for feed in FEEDS for day, _ in _date_folders(home, feed)
    }


def misplaced(home: Home) -> list[tuple[str, str, LandingFileError]]:
    """Feed, folder and reason of everything in landing/ that is not a partition of a feed, or a file of one."""
    wrong: list[tuple[str, str, LandingFileError]] = []
    if not home.landing.is_dir():
        return wrong
    for entry in _entries(home.landing):
        if entry.name.startswith("."):
            continue
        if entry.name not in FEEDS:
            message = f"landing/{_named(entry)} is not a feed: the feeds are {', '.join(FEEDS)}"
            wrong.append((entry.name, entry.name, LandingFileError("FIL-006", message)))
        elif not entry.is_dir():
            message = f"landing/{entry.name} is a file: a folder of that name holds the folders of the dates"
            wrong.append((entry.name, entry.name, LandingFileError("FIL-006", message)))
        else:
            for folder in _entries(entry):
                if not folder.name.startswith((".", "_")):
                    wrong += [(entry.name, folder.name, err) for err in _wrong_with(folder)]
    return wrong


def _wrong_with(folder: Path) -> Iterator[LandingFileError]:
    """What keeps an entry of a feed's folder, or something in it, from being loaded."""
    try:
        parse_folder(_named(folder))
    except LandingFileError as err:
        yield LandingFileError(err.rule_id, f"landing/{folder.parent.name}/{err}")
        return
    place = f"landing/{folder.parent.name}/{folder.name}"
    if not folder.is_dir():
        yield LandingFileError("FIL-006", f"{place} is a file: a folder of that name holds the date's files")
        return
    for entry in _entries(folder):
        if _is_aside(entry):
            continue
        what = f"{place}/{_named(entry)}"
        if entry.is_dir():
            message = f"{what} is a folder: files lie directly in the folder of their date, so move them up"
            yield LandingFileError("FIL-006", message)
        elif not entry.is_file():
            yield LandingFileError("FIL-006", f"{what} is no file (a link to nothing, say): deliver the file itself")
        elif not _is_nameable(entry.name):
            yield LandingFileError("FIL-006", f"{what} has a name that is not UTF-8: rename it")


def _named(path: Path) -> str:
    """A name that can be printed and stored: bytes that are not UTF-8 become question marks."""
    return path.name.encode("utf-8", errors="replace").decode("utf-8")


def _date_folders(home: Home, feed: str) -> Iterator[tuple[date, Path]]:
    folder = home.landing / feed
    if not folder.is_dir():
        return
    for entry in _entries(folder):
        if entry.is_dir():
            try:
                yield parse_folder(entry.name), entry
            except LandingFileError:
                continue  # `misplaced` reports it


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def content_hash(file: LandedFile) -> str:
    """SHA-256 of a landed file; empty for one that cannot be opened, which `open_file` then tells."""
    try:
        return sha256(file.path)
    except OSError:
        return ""


def quote_text(value: str) -> str:
    """`value` as a SQL text literal."""
    return "'" + value.replace("'", "''") + "'"


def quote_path(path: Path) -> str:
    """A file's path as a SQL text literal for DuckDB's readers, which take *, ? and [ in a path for a pattern."""
    return quote_text(re.sub(r"([*?\[])", r"[\1]", str(path)))


def quote_name(value: str) -> str:
    """`value` as a SQL identifier."""
    return '"' + value.replace('"', '""') + '"'
