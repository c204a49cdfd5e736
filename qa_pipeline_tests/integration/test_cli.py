"""The command line: what each command prints, how it exits, and the one sentence of every error."""

import csv
import io
import json
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pytest

from qa_pipeline import landing, printing, state
from qa_pipeline.cli import invoke
from qa_pipeline.nights import only_run
from qa_pipeline.settings import Home, project_root
from qa_pipeline_tests.import_support import mapping_text
from qa_pipeline_tests.small_home import (
    kept_environment,
    land,
    land_blocked,
    partition_folder,
    small_days,
    small_rows,
    write_small_home,
)

pytestmark = pytest.mark.xdist_group("cli")

DAYS = small_days(2)
# Dagster and Great Expectations cost seconds to import, pandas half a second.
HEAVY = ("dagster", "great_expectations", "pandas", "plotly", "scipy")


@dataclass(frozen=True)
class Told:
    """Exit code, standard output and standard error of one command."""

    code: int
    out: str
    err: str


class Shell:
    """Runs commands in this process, in an environment of their own."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self._capture = capture

    def __call__(self, *arguments: str | Path) -> Told:
        self._capture.readouterr()
        with kept_environment():
            code = invoke([str(argument) for argument in arguments])
        out, err = self._capture.readouterr()
        return Told(code, out, err)


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(capsys)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home that was run once, as a user would: by the program itself, in a process of its own."""
    home = write_small_home(tmp_path_factory.mktemp("ran"), days=2, feeds=["labels", "reviews"])
    done = _program("run", "--home", home.root)
    assert done.returncode == 0, done.stderr
    # No warning, no log line, nothing of the libraries below: a line for each step, because this is no terminal.
    assert done.stderr.splitlines() == [
        "loading 2026-10-01",
        "loading 2026-10-02",
        "rebuilding facts and tallies",
        "building marts, pages and the warehouse for readers",
    ]
    (home.root / "first_output.txt").write_text(done.stdout, encoding="utf-8")
    return home


def _program(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "qa_pipeline.cli", *map(str, arguments)], capture_output=True, text=True, check=False
    )


def _one_sentence(told: Told) -> str:
    """Standard error, after checking that it is one line and the exit code that of a usage error."""
    assert (told.code, told.out) == (2, "")
    assert told.err.count("\n") == 1
    assert "Traceback" not in told.err
    return told.err.strip()


def test_run_prints_a_summary(ran: Home) -> None:
    """Stops a run that ends without saying what it did and where to look."""
    lines = (ran.root / "first_output.txt").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "Loaded 2 dates, 2026-10-01 to 2026-10-02."
    assert [line.split() for line in lines[1:5]] == [
        ["rows", "landed", "validated", "quarantined", "superseded"],
        ["labels", "72", "72", "0", "0"],
        ["reviews", "12", "12", "0", "0"],
        ["all", "84", "84", "0", "0"],
    ]
    # 6 of the 12 reviewed decisions are defects, one in two was reviewed: with one more of either kind 13 decisions
    # count for 26, and the 3.5 % quantile of Beta(12, 14) is 29.1 %, the 96.5 % quantile of Beta(14, 12) 70.9 %.
    assert "de      hate         50.0%  29.1% to 70.9%       12" in lines
    assert f"Pages:     {ran.reports / 'index.html'}" in lines
    assert f"Warehouse: {ran.published}" in lines
    assert (ran.reports / "index.html").exists()
    assert ran.published.exists()


def test_run_again_has_nothing_to_load(ran: Home, shell: Shell) -> None:
    """Stops a second run from loading everything again."""
    told = shell("--home", ran.root, "run")
    assert told.code == 0
    assert told.out.startswith("Nothing new or changed to load (--force loads again).\n")


def test_run_of_a_range_says_what_it_leaves_out(tmp_path: Path, shell: Shell) -> None:
    """Stops --from and --to from hiding that other dates wait."""
    home = write_small_home(tmp_path, days=2, feeds=["labels"])
    told = shell("run", "--from", "2026-10-02", "--to", "2026-10-02", "--home", home.root)
    assert told.code == 0
    assert told.out.startswith("Loaded 2026-10-02.\n")
    assert "1 more date has changed files outside the range asked for." in told.out
    status = shell("status", "--home", home.root)
    assert "Pending:      2026-10-01: `qa-pipeline run` loads it\n" in status.out


def test_run_with_a_blocked_partition_exits_1_and_goes_on(tmp_path: Path, shell: Shell) -> None:
    """Stops a red night that exits 0, or one bad delivery that stops the others."""
    home = write_small_home(tmp_path, days=2, feeds=["labels"])
    land_blocked(home, feed="labels", day=DAYS[0])
    (partition_folder(home, feed="labels", day=DAYS[1]) / "empty.csv").touch()
    land(home, feed="gold", day=date(2026, 10, 3), rows=small_rows("gold", date(2026, 10, 3)))
    (home.landing / "lables").mkdir()
    told = shell("run", "--home", home.root)
    assert told.code == 1
    assert "Stopped: 2026-10-01\n  labels of 2026-10-01 is on hold: LBL-090: More than half" in told.out
    assert "Files that could not be read\n  labels of 2026-10-02: empty.csv is empty (0 bytes)" in told.out
    assert "Required feeds that did not land\n  labels of 2026-10-03\n" in told.out
    assert "In landing/ but not loaded\n  landing/lables is not a feed" in told.out
    assert "Warehouse:" in told.out
    status = shell("status", "--home", home.root)
    assert status.code == 0
    assert "On hold\n  labels of 2026-10-01: LBL-090" in status.out
    # The blocked date is mended, which is all that the next run has to load.
    land(home, feed="labels", day=DAYS[0], rows=small_rows("labels", DAYS[0]))
    mended = shell("run", "--home", home.root)
    assert (mended.code, mended.out.splitlines()[0]) == (0, "Loaded 2026-10-01.")


def test_bad_deliveries_are_told_and_the_night_goes_on(tmp_path: Path, shell: Shell) -> None:
    """Stops a bad file, name, column or value from ending the night, or from being told without file and reason."""
    home = write_small_home(tmp_path, days=1, feeds=["labels", "gold"])
    day, folder = DAYS[0], partition_folder(home, feed="labels", day=DAYS[0])
    rows = [row | {"label_id": f"more-{row['label_id']}"} for row in small_rows("labels", day)]
    (folder / "unparsable.csv").write_text((folder / "part.csv").read_text() + "a,b\n", encoding="utf-8")
    (folder / "empty.csv").touch()
    (folder / "text.parquet").write_text("text", encoding="utf-8")
    (folder / "folder.csv").mkdir()
    (home.landing / "labels" / "date=2026-02-30").mkdir()
    land(home, feed="labels", day=day, rows=[row | {"colour": "red"} for row in rows[:1]], name="unknown.csv")
    land(home, feed="labels", day=day, rows=[{"label_id": row["label_id"]} for row in rows[:4]], name="missing.csv")
    land(home, feed="labels", day=day, rows=[row | {"handle_seconds": "fast"} for row in rows[1:3]], name="typed.csv")
    told = shell("run", "--home", home.root)
    assert (told.code, told.out.splitlines()[0]) == (0, "Loaded 2026-10-01.")
    lines = [line.strip() for line in told.out.splitlines()]
    assert ["labels", "43", "37", "6", "0"] in [line.split() for line in lines]
    refused = "cannot be read, so none of its rows were loaded:"
    missing = "item_id, market, queue, content_type, annotator_id, vendor, label, stage, submitted_at"
    for expected in (
        f"labels of {day}: unparsable.csv {refused} line 38 has 2 values where the header has 11; correct the line",
        f"labels of {day}: empty.csv is empty (0 bytes): deliver it again",
        f"labels of {day}: text.parquet {refused} it is not a Parquet file, which begins with PAR1; export it as",
        f"labels of {day}: missing.csv has no column {missing}: deliver it again with every required column",
        f"labels of {day}: unknown.csv: FIL-004: unknown columns left out: colour",
        f"labels: LBL-002, A value is not of its column's type: 2 rows, the first is row 1 of typed.csv of {day}",
        "landing/labels/date=2026-02-30 names a date that does not exist: move its files to the folder of their date",
        f"landing/labels/date={day}/folder.csv is a folder: files lie directly in the folder of their date, so move",
    ):
        assert any(line.startswith(expected) for line in lines), expected
    lost = "from ops.ledger where rows_landed <> rows_validated + rows_quarantined + rows_superseded"
    assert json.loads(shell("sql", lost, "--format", "json", "--home", home.root).out) == []
    assert shell("status", "--home", home.root).code == 0
    assert shell("status", "--strict", "--home", home.root).code == 1


def test_status_is_strict_if_asked(ran: Home, shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stops a script from having to read the tables of `status`, or from being alarmed by a home that is in order."""
    monkeypatch.setattr(state, "ahead_of_clock", lambda *_, **__: ["landing/labels/date=2099-01-01 lies in the future"])
    assert shell("--home", ran.root, "status", "--strict").code == 1
    monkeypatch.setattr(state, "ahead_of_clock", lambda *_, **__: [])
    assert shell("--home", ran.root, "status", "--strict").code == 0
    waiting = write_small_home(tmp_path, days=1, feeds=["labels"])
    assert shell("--home", waiting.root, "status", "--strict").code == 1
    assert shell("--home", waiting.root, "status").code == 0


def test_status_tells_what_is_there(ran: Home, shell: Shell) -> None:
    """Stops a state that one has to look up in the warehouse."""
    told = shell("--home", ran.root, "status")
    assert told.code == 0
    lines = [line.split() for line in told.out.splitlines()]
    assert ["labels", "2", "2026-10-01", "2026-10-02", "0", "72", "72", "0", "0"] in lines
    assert ["Newest", "date:", "2026-10-02"] in lines
    assert ["Pending:", "nothing"] in lines
    published = datetime.fromtimestamp(ran.published.stat().st_mtime, tz=UTC)
    assert f"Published:    {published:%Y-%m-%d %H:%M} UTC" in told.out


def test_status_before_the_first_run(tmp_path: Path, shell: Shell) -> None:
    """Stops a home that was only filled from looking broken."""
    home = write_small_home(tmp_path, days=1, feeds=["labels"])
    told = shell("--home", home.root, "status")
    assert told.code == 0
    assert "Published:    not yet" in told.out
    assert "Counts from:  landing alone, because nothing was run yet" in told.out
    assert "Pending:      2026-10-01: " in told.out


def test_status_beside_a_run_reads_what_is_published(ran: Home, shell: Shell) -> None:
    """Stops a look from failing, or from stopping a run, while one writes."""
    script = (
        f"import duckdb, time; con = duckdb.connect({str(ran.warehouse)!r}); print('open', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "open\n"
        told = shell("--home", ran.root, "status")
        other = shell("--home", ran.root, "run")
        writer.kill()
    assert told.code == 0
    assert "Counts from:  the published warehouse, because a run is writing" in told.out
    assert "is being written by another run: wait for it to end" in _one_sentence(other)


def test_sql_prints_a_table(ran: Home, shell: Shell) -> None:
    """Stops output that is cut off to a terminal's width or taken for markup."""
    told = shell(
        "sql", "select '[bold]x[/bold]' as label, 1234567 as n, null as empty, 0.5 as share", "--home", ran.root
    )
    assert told.code == 0
    assert told.out == "label                 n  empty  share\n[bold]x[/bold]  1234567         0.5\n"
    wide = shell("sql", f"select {', '.join(f'{n} as column_{n}' for n in range(40))}", "--home", ran.root)
    assert "column_39" in wide.out
    assert len(wide.out.splitlines()) == 2


def test_sql_keeps_control_characters_from_the_terminal(ran: Home, shell: Shell) -> None:
    """Stops a label that moves the cursor or forges a line."""
    told = shell("sql", "select 'a' || chr(27) || '[31m' || chr(10) || 'b' as label", "--home", ran.root)
    assert told.out == "label\na [31m b\n"


def test_sql_shows_a_few_rows_and_gives_all(ran: Home, shell: Shell) -> None:
    """Stops a terminal full of rows, and a CSV that leaves rows out."""
    query = "select range as n from range(1000)"
    shown = shell("sql", query, "--home", ran.root)
    assert len(shown.out.splitlines()) == printing.SHOWN_ROWS + 2
    assert shown.out.splitlines()[-1] == "… and 800 rows more: --format csv gives them all"
    rows = list(csv.reader(io.StringIO(shell("sql", query, "--format", "csv", "--home", ran.root).out)))
    assert (rows[0], len(rows), rows[-1]) == (["n"], 1001, ["999"])


def test_sql_gives_json_that_parses(ran: Home, shell: Shell) -> None:
    """Stops NaN, dates, repeated names and decimals from making invalid or lossy JSON."""
    query = (
        "select 1 as a, 2 as a, 'nan'::double as b, date '2026-10-01' as c, null as d, [1, 2] as e, 1.5::decimal as f"
    )
    told = shell("sql", query, "--format", "json", "--home", ran.root)
    assert json.loads(told.out) == [
        {"a": 1, "a_2": 2, "b": None, "c": "2026-10-01", "d": None, "e": [1, 2], "f": "1.500"}
    ]
    empty = shell("sql", "select 1 as a where false", "--format", "json", "--home", ran.root)
    assert json.loads(empty.out) == []


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("selec 1", 'Parser Error: syntax error at or near "selec".'),
        ("from marts.agreemnt", 'Table with name agreemnt does not exist! Did you mean "marts.agreement"?'),
        ("delete from ops.ledger", "read-only mode"),
        (
            "copy (select 1) to '{folder}/x.csv'",
            '/x.csv": sql reads the published warehouse and nothing else; to write',
        ),
        ("from read_csv('{folder}/first_output.txt')", "sql reads the published warehouse and nothing else"),
        ("from read_text('/etc/hostname')", "sql reads the published warehouse and nothing else"),
        ("attach '{folder}/x.duckdb'", "sql reads the published warehouse and nothing else"),
        ("set enable_external_access = true", "Cannot enable external access"),
        ("select 1; select 2", "2 queries were given, but sql prints the rows of one: give them one by one."),
        ("", "The query is empty: give one, such as qa-pipeline sql"),
        ("-- nothing but a comment", "The query is empty: give one"),
    ],
)
def test_sql_errors_are_one_sentence(ran: Home, shell: Shell, query: str, expected: str) -> None:
    """Stops DuckDB's drawing, a traceback, a query that writes or reads files, and results that are thrown away."""
    before = sorted(ran.root.iterdir())
    assert expected in _one_sentence(shell("sql", query.format(folder=ran.root), "--home", ran.root))
    assert sorted(ran.root.iterdir()) == before


@pytest.mark.parametrize("comment", ["-- a comment", "--a comment = this", "--\t"])
def test_a_query_may_begin_with_a_comment(ran: Home, shell: Shell, comment: str) -> None:
    """Stops SQL that was pasted with its comment from being taken for an option."""
    query = f"{comment}\nselect 7 as n"
    for arguments in (["sql", query], ["sql", "--", query]):
        assert shell("--home", ran.root, *arguments).out == "n\n7\n"
    assert "No such option: --fromat" in _one_sentence(shell("--home", ran.root, "sql", "--fromat", "csv", "select 1"))


def test_a_query_may_come_from_a_file_or_from_standard_input(
    ran: Home, shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stops long queries from having to be quoted for the shell."""
    file = tmp_path / "query.sql"
    file.write_text("-- how many\nselect 'ü' as name;\n", encoding="utf-8")
    assert shell("sql", "-f", file, "--home", ran.root).out == "name\nü\n"
    monkeypatch.setattr(sys, "stdin", io.StringIO("select 8 as n"))
    assert shell("sql", "-", "--home", ran.root).out == "n\n8\n"


def test_sql_prints_times_in_utc(ran: Home, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stops the zone of an analyst's machine from moving a time."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    told = shell("sql", "select timestamptz '2026-10-01 12:00:00+02:00' as at", "--home", ran.root)
    assert told.out == "at\n2026-10-01 10:00:00+00:00\n"


def test_sql_says_that_it_cuts_long_texts(ran: Home, shell: Shell) -> None:
    """Stops a message that ends in the middle from being taken for the whole of it."""
    query = "select repeat('x', 300) as message"
    lines = shell("sql", query, "--home", ran.root).out.splitlines()
    assert lines[1:] == ["x" * 99 + "…", "Texts longer than 100 characters end in …: --format csv gives them whole"]
    assert shell("sql", query, "--format", "csv", "--home", ran.root).out.splitlines()[1] == "x" * 300


def test_sql_before_anything_is_published(tmp_path: Path, shell: Shell) -> None:
    """Stops a DuckDB error about a missing file."""
    sentence = _one_sentence(shell("sql", "select 1", "--home", tmp_path))
    warehouse = tmp_path / "published" / "warehouse.duckdb"
    assert sentence == f"{warehouse} does not exist yet: run `qa-pipeline run` first."
    warehouse.parent.mkdir()
    warehouse.write_text("no warehouse", encoding="utf-8")
    sentence = _one_sentence(shell("sql", "select 1", "--home", tmp_path))
    assert sentence.startswith(f"{warehouse} cannot be opened (")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["run", "--from", "2026-02-30"], "--from 2026-02-30: not a date that exists; write it as YYYY-MM-DD."),
        (["run", "--to", "tomorrow"], "--to tomorrow: not a date that exists; write it as YYYY-MM-DD."),
        (
            ["run", "--from", "2026-10-02", "--to", "2026-10-01"],
            "--from 2026-10-02 is after --to 2026-10-01: swap them.",
        ),
        (
            ["run", "--from", "2027-01-01"],
            "Nothing landed from 2027-01-01: 2 dates landed, from 2026-10-01 to 2026-10-02.",
        ),
        (["run", "--nope"], "No such option: --nope"),
        (["rum"], "No such command 'rum'. Did you mean 'run'? See qa-pipeline --help."),
        (["sql"], "Give one query: "),
        (["sql", "select 1", "--file", "x.sql"], "Give one query: "),
        (["sql", "--file", "nowhere.sql"], "nowhere.sql cannot be read (No such file or directory): name a file"),
        (["sql", "select 1", "--format", "xml"], "'xml' is not one of 'table', 'csv', 'json'"),
        (["simulate", "--days", "many"], "Invalid value for '--days'"),
        (["ui", "--port", "99999"], "Invalid value for '--port'"),
        (["import", "--feed", "labels", "--mapping", "nowhere.toml", "x.csv"], "nowhere.toml"),
    ],
)
def test_usage_errors_are_one_sentence(ran: Home, shell: Shell, arguments: list[str], expected: str) -> None:
    """Stops a usage error that exits 1, prints a box or a traceback, or does not name what is wrong."""
    assert expected in _one_sentence(shell("--home", ran.root, *arguments))


def test_nothing_landed_is_told(tmp_path: Path, shell: Shell) -> None:
    """Stops an empty run that looks like a success."""
    home = write_small_home(tmp_path, days=0)
    expected = f"Nothing has landed in {home.landing} yet: `qa-pipeline simulate` or `qa-pipeline import` fills it."
    assert _one_sentence(shell("run", "--home", home.root)) == expected


@pytest.mark.parametrize("command", [["run"], ["status"], ["sql", "select 1"]])
def test_a_home_that_is_not_there_is_told(tmp_path: Path, shell: Shell, command: list[str]) -> None:
    """Stops a slip in --home from making an empty home, and commands from telling it differently."""
    missing = tmp_path / "missing"
    assert f"{missing} does not exist yet: `qa-pipeline sim" in _one_sentence(shell(*command, "--home", missing))
    assert not missing.exists()
    file = tmp_path / "file"
    file.touch()
    assert f"{file} is a file, but a folder is needed there" in _one_sentence(shell(*command, "--home", file))


def test_a_bad_configuration_is_told(tmp_path: Path, shell: Shell) -> None:
    """Stops a configuration error that does not name file and key."""
    home = write_small_home(tmp_path, days=1, feeds=["labels"])
    path = home.config / "pipeline.toml"
    path.write_text("restate_dais = 3\n", encoding="utf-8")
    for command in ("run", "status"):
        sentence = _one_sentence(shell(command, "--home", home.root))
        assert sentence.startswith(f"{path}: key restate_dais: is not a key of this file")


def test_reports_that_cannot_be_written_stop_the_run_with_a_sentence(tmp_path: Path, shell: Shell) -> None:
    """Stops a run that works for an hour before it finds that its pages have no place."""
    home = write_small_home(tmp_path, days=1, feeds=["labels"])
    home.reports.rmdir()
    home.reports.write_text("a file", encoding="utf-8")
    assert f"{home.reports} is a file, but a folder is needed there" in _one_sentence(shell("run", "--home", home.root))


def test_a_second_run_beside_the_first_is_told(ran: Home, shell: Shell) -> None:
    """Stops two runs from taking turns in one home."""
    with only_run(ran):
        sentence = _one_sentence(shell("run", "--home", ran.root))
    assert sentence == f"Another `qa-pipeline run` is under way in {ran.root}: wait for it to end."


def test_debug_shows_the_traceback(tmp_path: Path, shell: Shell) -> None:
    """Stops an error that nobody can look into."""
    for arguments in (["--debug", "sql", "x", "--home"], ["sql", "x", "--debug", "--home"]):
        told = shell(*arguments, tmp_path)
        assert told.code == 2
        assert "Traceback" in told.err
        assert told.err.rstrip().endswith("run `qa-pipeline run` first.")


def test_home_may_stand_before_or_after_the_command_or_in_the_environment(ran: Home, shell: Shell) -> None:
    """Stops a --home that is silently ignored."""
    query = ["sql", "select 1 as one"]
    assert shell("--home", ran.root, *query).out == "one\n  1\n"
    assert shell(*query, "--home", ran.root).out == "one\n  1\n"
    done = subprocess.run(
        [sys.executable, "-m", "qa_pipeline.cli", *query],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "", "QA_HOME": str(ran.root)},
    )
    assert done.stdout == "one\n  1\n"


def test_simulate_fills_a_home(tmp_path: Path, shell: Shell) -> None:
    """Stops a simulation that lands nothing, or whose summary says nothing of use."""
    home = Home(tmp_path / "simulated")
    options = ["--days", "1", "--labels-per-day", "200", "--predictions-per-day", "200", "--seed", "3"]
    told = shell("simulate", *options, "--start", "2026-10-01", "--home", home.root)
    assert (told.code, told.err) == (0, "simulated 2026-10-01\n")
    assert told.out.startswith(f"Simulated 2026-10-01 to 2026-10-01 into {home.root}: ")
    assert f"{home.root / 'truth.json'} tells which. Next: qa-pipeline run" in told.out
    assert sum(len(files) for files in landing.landed_partitions(home).values()) >= 8
    assert (home.dagster / "dagster.yaml").exists()
    assert str(home.root) in _one_sentence(shell("simulate", *options, "--home", home.root))


def test_import_fills_a_home(tmp_path: Path, shell: Shell) -> None:
    """Stops an import that lands nothing, or whose counts are not told."""
    home, source, mapping = Home(tmp_path / "imported"), tmp_path / "export.csv", tmp_path / "mine.toml"
    source.write_text("item,label,at\ni1,spam,2026-10-01T08:00:00Z\ni2,ok,2026-10-01T09:00:00Z\n", encoding="utf-8")
    mapping.write_text(mapping_text(), encoding="utf-8")
    told = shell("import", "--feed", "labels", "--mapping", mapping, source, "--home", home.root)
    assert (told.code, told.err) == (0, "")
    assert told.out.startswith("labels: read 2 records from 1 file with “test”, which made 2 rows: 2 written")
    assert [day for (feed, day), files in landing.landed_partitions(home).items() if files] == [date(2026, 10, 1)]
    assert (home.dagster / "dagster.yaml").exists()
    missing = shell("import", "--feed", "labels", "--mapping", mapping, tmp_path / "gone.csv", "--home", home.root)
    assert str(tmp_path / "gone.csv") in _one_sentence(missing)


def _in_foreground(*arguments: object) -> list[str]:
    """A command that ctrl-C reaches, also where this process was started in the background, with SIGINT ignored."""
    script = (
        "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); "
        "os.execv(sys.executable, [sys.executable, '-m', 'qa_pipeline.cli', *sys.argv[1:]])"
    )
    return [sys.executable, "-c", script, *map(str, arguments)]


def test_an_interrupted_run_ends_at_once_and_goes_on_later(tmp_path: Path, shell: Shell) -> None:
    """Stops ctrl-C from ending one step only, from a traceback, and from leaving a home that cannot go on."""
    home = write_small_home(tmp_path, days=2, feeds=["labels"])
    with subprocess.Popen(
        _in_foreground("run", "--home", home.root), stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "loading 2026-10-01\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert err.endswith("Interrupted. The same command again goes on from here.\n")
    assert "Traceback" not in err
    told = shell("run", "--home", home.root)
    assert (told.code, told.out.splitlines()[0]) == (0, "Loaded 2 dates, 2026-10-01 to 2026-10-02.")


def test_an_interrupted_query_ends_at_once(ran: Home) -> None:
    """Stops ctrl-C from waiting for the end of a long query."""
    query = "select count(*) from range(1000000) a, range(1000000) b"
    with subprocess.Popen(
        _in_foreground("sql", query, "--home", ran.root), stderr=subprocess.PIPE, text=True
    ) as process:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=4)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=10)
    assert (process.returncode, err) == (-signal.SIGINT, "")


def test_help_and_version_answer_without_the_heavy_libraries() -> None:
    """Stops `--help` and `sql` from importing what costs seconds, and help from naming a page that is not there."""
    modules = "qa_pipeline.cli, qa_pipeline.querying, qa_pipeline.state, qa_pipeline.printing, qa_pipeline.serving"
    script = f"import sys, {modules}; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    assert _program("--help").returncode == 0
    version = _program("version")
    assert version.stdout.startswith("qa-pipeline ")
    pages = re.findall(r"docs/\w+\.md", "".join(_program(name, "--help").stdout for name in ("import", "run", "sql")))
    assert pages
    assert [page for page in pages if not (project_root() / page).is_file()] == []
    nothing = _program()
    assert nothing.returncode == 2
    assert "Usage: qa-pipeline" in nothing.stdout + nothing.stderr


def test_a_reader_that_has_seen_enough_is_no_error(ran: Home) -> None:
    """Stops a traceback in `qa-pipeline sql … | head`."""
    command = f"{sys.executable} -m qa_pipeline.cli sql --home {ran.root} --format csv 'from range(200000)' | head -1"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("range\n", "")


def test_readers_do_not_stop_a_run(ran: Home, shell: Shell) -> None:
    """Stops a publication that waits for readers, or changes what a reader holds open."""
    with duckdb.connect(str(ran.published), read_only=True) as reader:
        before = reader.execute("select count(*) from ops.ledger").fetchall()
        assert shell("run", "--home", ran.root).code == 0
        assert reader.execute("select count(*) from ops.ledger").fetchall() == before
