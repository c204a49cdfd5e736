"""Running a home again: nothing when nothing changed, all of it when something did, and what must not be published."""

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pytest

from qa_pipeline import nights, provenance, running, state
from qa_pipeline.config import load_config
from qa_pipeline.defs.in_process import job_runner
from qa_pipeline.instance import known_days, settle
from qa_pipeline.progress import Bar
from qa_pipeline.publishing import open_published
from qa_pipeline.quarantining import refresh_ledger, unbalanced_files
from qa_pipeline.settings import Home, project_root
from qa_pipeline.warehouse import working
from qa_pipeline_tests.small_home import (
    kept_environment,
    land,
    partition_folder,
    small_days,
    small_rows,
    write_small_home,
)

pytestmark = pytest.mark.xdist_group("runs_again")

DAYS = small_days(2)
FUTURE = date(2090, 1, 1)
TARGETS = '[[targets]]\nmetric = "accuracy"\nvalue = 0.9\n'


@pytest.fixture(autouse=True)
def _same_code(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Whoever edits a file of the package while the tests run changes what is current; not here."""
    if "real_code" not in request.fixturenames:
        monkeypatch.setattr(provenance, "code_fingerprint", lambda: "code")


@pytest.fixture
def real_code() -> None:
    """Hash the code as it is."""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """A home with two landed dates, in force."""
    with kept_environment():
        home = write_small_home(tmp_path, days=2, feeds=["labels", "reviews"])
        settle(home)
        yield home


def _run(home: Home, *, force: bool = False) -> nights.Walk:
    """`qa-pipeline run` without its summary."""
    settle(home)
    plan = nights.plan_run(home, config=load_config(home), start=None, end=None, force=force)
    return nights.walk(home, plan=plan, force=force, step=Bar(None, words="", total=0))


def _made(home: Home) -> tuple[int, int]:
    """What tells one published warehouse and one set of pages from the next."""
    return home.published.stat().st_ino, (home.reports / "index.html").stat().st_mtime_ns


def test_a_run_with_nothing_to_do_makes_nothing(home: Home) -> None:
    """Stops a second run from making every mart and page again, and changed targets or --force from making none."""
    assert _run(home).failures == {}
    first = _made(home)
    again = _run(home)
    assert (again.failures, again.is_published) == ({}, True)
    assert _made(home) == first
    (home.config / "targets.toml").write_text(TARGETS, encoding="utf-8")
    assert _run(home).is_published
    second = _made(home)
    assert second[0] != first[0]
    assert second[1] != first[1]
    assert _run(home, force=True).is_published
    assert _made(home)[0] != second[0]


def test_what_is_current_is_told_by_everything_that_it_is_made_from(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stops a change from leaving old figures in place: of rows, settings, code, or of what was published itself."""
    assert _run(home).failures == {}
    config = load_config(home)

    def is_current() -> bool:
        return provenance.is_current(con, home=home, config=load_config(home))

    with working(home, config) as con:
        assert is_current()
        con.execute("insert into ops.dirty values ('ratings', ?)", [DAYS[0]])
        assert not is_current()
        con.execute("delete from ops.dirty")
        con.execute("update ops.partitions set fingerprint = 'f' || fingerprint where business_date = ?", [DAYS[0]])
        assert not is_current()
        con.execute("update ops.partitions set fingerprint = fingerprint[2:] where business_date = ?", [DAYS[0]])
        assert is_current()
        with monkeypatch.context() as patch:
            patch.setattr(provenance, "code_fingerprint", lambda: "edited")
            assert not is_current()
        (home.config / "targets.toml").write_text(TARGETS, encoding="utf-8")
        assert not is_current()
        (home.config / "targets.toml").unlink()
        assert is_current()
        (home.reports / "index.html").rename(home.reports / "gone.html")
        assert not is_current()
        (home.reports / "gone.html").rename(home.reports / "index.html")
        home.published.write_text("no database", encoding="utf-8")
        assert not is_current()


@pytest.mark.usefixtures("real_code")
@pytest.mark.parametrize("edited", ["sql/marts/drift_labels.sql", "sql/facts/ratings.sql", "expectations/gold.json"])
def test_an_edited_query_or_suite_is_other_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, edited: str) -> None:
    """Stops figures of an edited query from waiting for the next delivery."""
    for folder in ("sql", "expectations"):
        shutil.copytree(project_root() / folder, tmp_path / folder)
    monkeypatch.setenv("QA_PROJECT_ROOT", str(tmp_path))
    before = provenance.code_fingerprint()
    assert provenance.code_fingerprint() == before
    with (tmp_path / edited).open("a", encoding="utf-8") as stream:
        stream.write("\n")
    assert provenance.code_fingerprint() != before


def test_figures_made_before_everything_was_rebuilt_are_never_current(home: Home) -> None:
    """Stops marts that were made beside stale tallies from passing for those of the rebuilt ones."""
    config = load_config(home)
    with working(home, config) as con:
        con.execute("insert into ops.dirty values ('ratings', ?)", [DAYS[0]])
        provenance.note(con, config)
        assert con.execute("from ops.made_from").fetchall() == [("",)]
        con.execute("delete from ops.dirty")
        provenance.note(con, config)
        assert con.execute("from ops.made_from").fetchall() != [("",)]


def test_a_folder_in_the_future_is_told_and_can_be_removed(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """Stops a misdated folder from making every figure final without a word, and from failing runs once it is gone."""
    land(home, feed="labels", day=FUTURE, rows=small_rows("labels", FUTURE))
    warning = f"\nDated in the future\n  landing/labels/date={FUTURE} lies in the future: move its files"
    assert running.run_home(home, start=None, end=None, force=False)
    assert warning in capsys.readouterr().out
    shutil.rmtree(partition_folder(home, feed="labels", day=FUTURE))
    with kept_environment():
        # A run is a process of its own, which does not know the bounds of the last one.
        settle(home)
        running.run_home(home, start=None, end=None, force=False)
    told = capsys.readouterr().out
    assert warning not in told
    assert "Stopped" not in told
    with working(home, load_config(home)) as con:
        assert con.execute("select distinct business_date from ops.partitions order by all").fetchall() == [
            (day,) for day in DAYS
        ]
        assert con.execute(
            "select count(*) from tallies.label_counts where business_date > ?", DAYS[1:]
        ).fetchall() == [(0,)]


def test_only_folders_after_tomorrow_lie_in_the_future(home: Home) -> None:
    """Stops a warning about a date that has begun in the east, and about dates that are made up."""
    with working(home, load_config(home)) as con:
        assert state.ahead_of_clock(con, home=home, today=date(2026, 10, 1)) == []
        told = state.ahead_of_clock(con, home=home, today=date(2026, 9, 30))
        assert [line.split(" ")[0] for line in told] == [
            f"landing/{feed}/date=2026-10-02" for feed in ("labels", "reviews")
        ]
        (home.root / "truth.json").touch()
        assert state.ahead_of_clock(con, home=home, today=date(2026, 9, 30)) == []


def test_partitions_reach_whatever_the_warehouse_knows(home: Home) -> None:
    """Stops a removed folder, or one whose rebuild broke off, from having no partition to be run under."""
    with working(home, load_config(home)) as con:
        con.execute("insert into ops.partitions values ('gold', ?, '', '', '', 'loaded', null)", [date(2019, 5, 6)])
        con.execute("insert into ops.dirty values ('ratings', ?)", [FUTURE])
    assert known_days(home) == [date(2019, 5, 6), *DAYS, FUTURE]
    settle(home)
    assert os.environ["QA_FIRST_DATE"] == "2019-05-06"
    assert int(os.environ["QA_END_OFFSET"]) == (FUTURE - datetime.now(UTC).date()).days + 1
    home.published.parent.mkdir(exist_ok=True)
    shutil.copy(home.warehouse, home.published)
    with duckdb.connect(str(home.warehouse)):
        # A run holds it.
        assert known_days(home) == [date(2019, 5, 6), *DAYS]


def test_rows_lost_after_the_load_stop_the_night(home: Home) -> None:
    """Stops figures of a ledger that does not add up: the rules across dates move rows after the check of the load."""
    config = load_config(home)
    with job_runner(home) as runner:
        for day in DAYS:
            assert runner.load_day(day, feeds=["labels", "reviews"], force=False).failures == ()
        with working(home, config) as con:
            con.execute("delete from validated.valid_labels where business_date = ? and row_number = 1", [DAYS[0]])
        outcome = runner.restate(DAYS[1])
    (told,) = outcome.failures
    assert told.startswith("part.csv of labels of 2026-10-01 landed 36 rows, but 35 are accounted for.")
    assert "`qa-pipeline run --force --from 2026-10-01 --to 2026-10-01` loads the date again" in told
    assert "facts and tallies" in _run(home).failures
    assert not home.published.exists()
    assert _run(home, force=True).failures == {}


def test_a_file_of_which_no_row_is_left_does_not_add_up(home: Home) -> None:
    """Stops the account of a file from staying as it was when all of its rows are gone."""
    config = load_config(home)
    with working(home, config) as con:
        con.execute("insert into ops.ledger values ('gold', ?, 'a.csv', '', 1, 3, 3, 0, 0, 'loaded', null)", [DAYS[0]])
        assert unbalanced_files(con) == []
        refresh_ledger(con, feed="gold", start_date=DAYS[0], end_date=DAYS[0])
        assert unbalanced_files(con) == [("gold", DAYS[0], "a.csv", 3, 0)]


def test_a_home_whose_rows_are_all_in_quarantine_says_so(tmp_path: Path) -> None:
    """Stops empty marts, or pages that cannot be made, where nothing of what landed could be used."""
    home = write_small_home(tmp_path, days=1, feeds=["labels"])
    wrong = [row | {"label": "nonsense"} for row in small_rows("labels", DAYS[0])]
    land(home, feed="labels", day=DAYS[0], rows=wrong)
    with kept_environment():
        assert _run(home).failures == {}
    with open_published(home) as con:
        for mart in ("agreement", "accuracy", "defect_rate", "drift"):
            rows = con.execute(f"select market, period_end, is_provisional, reason from marts.{mart}").fetchall()
            assert rows == [(market, DAYS[0], True, "no_data") for market in ("de", "us")]
    page = (home.reports / "index.html").read_text(encoding="utf-8")
    assert "No figures yet: all that has landed is in quarantine or on hold." in page
