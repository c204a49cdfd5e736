"""Landing: what is a partition, which files are in one, and what is out of place."""

import os
from datetime import date
from pathlib import Path

import pytest

from qa_pipeline import landing
from qa_pipeline.errors import HomeError, LandingFileError
from qa_pipeline.settings import Home

DAY = date(2026, 3, 1)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home").prepare()


@pytest.mark.parametrize(
    "name", ["date=2026-02-30", "2026-03-01", "date=2026-3-1", "date=tomorrow", "date=0202-10-01", "date=9999-12-31"]
)
def test_a_folder_that_is_no_date_is_refused(name: str) -> None:
    """Stops a loader that guesses what a misnamed folder means."""
    with pytest.raises(LandingFileError, match=name) as caught:
        landing.parse_folder(name)
    assert caught.value.rule_id == "FIL-006"


def _folder(home: Home) -> Path:
    folder = home.landing / "labels" / f"date={DAY}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def test_what_is_misplaced_is_reported_and_not_loaded(home: Home) -> None:
    """Stops a date that does not exist, a misspelt feed or a file without a place from being passed over in silence."""
    (home.landing / "labels" / "date=2026-02-30").mkdir(parents=True)
    (home.landing / "lables").mkdir()
    (home.landing / "gold").write_text("a file")
    (_folder(home) / "market=BR").mkdir()
    (_folder(home) / "export.csv").mkdir()
    (_folder(home) / "link.csv").symlink_to("/nowhere")
    (home.landing / "labels" / "date=2026-03-02").write_text("a file")
    reasons = "\n".join(str(reason) for _, _, reason in landing.misplaced(home))
    assert "landing/labels/date=2026-02-30 names a date that does not exist: move its files" in reasons
    assert "landing/lables is not a feed: the feeds are labels" in reasons
    assert "landing/gold is a file: a folder of that name holds the folders of the dates" in reasons
    assert f"landing/labels/date={DAY}/market=BR is a folder" in reasons
    assert (
        f"landing/labels/date={DAY}/export.csv is a folder: files lie directly in the folder of their date" in reasons
    )
    assert f"landing/labels/date={DAY}/link.csv is no file" in reasons
    assert "date=2026-03-02 is a file" in reasons
    assert landing.landed_partitions(home) == {("labels", DAY): []}


def test_a_name_that_is_not_utf8_is_told(home: Home) -> None:
    """Stops a file name that nothing can store from ending the night with a traceback."""
    with open(os.fsencode(_folder(home)) + b"/caf\xe9.csv", "w", encoding="utf-8") as stream:  # noqa: PTH123 - bytes
        stream.write("x")
    assert landing.scan(home, feed="labels", business_date=DAY) == []
    [(_, _, reason)] = landing.misplaced(home)
    assert str(reason) == f"landing/labels/date={DAY}/caf?.csv has a name that is not UTF-8: rename it"


def test_hidden_and_unfinished_files_are_not_deliveries(home: Home) -> None:
    """Stops half-written files from being loaded."""
    for name in ("a.csv", ".a.csv.swp", "_SUCCESS", "b.csv.tmp"):
        (_folder(home) / name).write_text("x")
    assert [file.name for file in landing.scan(home, feed="labels", business_date=DAY)] == ["a.csv"]


def test_a_mended_right_is_a_change(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stops a file that became readable from staying in quarantine: its size and time stamp are as before."""
    (_folder(home) / "a.csv").write_text("x")
    [after] = landing.scan(home, feed="labels", business_date=DAY)
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)
    [before] = landing.scan(home, feed="labels", business_date=DAY)
    assert before.stat != after.stat


def test_a_folder_that_cannot_be_listed_is_told(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stops a traceback where a folder's rights are wrong."""

    def refuse(_folder: Path) -> None:
        raise PermissionError(13, "Permission denied")

    _folder(home)
    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(HomeError, match=rf"date={DAY} cannot be listed \(Permission denied\): give"):
        landing.scan(home, feed="labels", business_date=DAY)
