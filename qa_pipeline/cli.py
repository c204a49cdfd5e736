"""The command line `qa-pipeline`: options in, a few calls, sentences out.

Exit codes: 0 the command did what was asked (a run: it published; quarantined rows and files are data, not a failure);
1 a run was stopped somewhere (a partition on hold, a failed step), `status --strict` found something to do, or the
program itself failed; 2 a usage or configuration error, told in one sentence. Dagster, Great Expectations and the like
are imported by the commands that need them: `--help` and `sql` must answer at once.
"""

import importlib.metadata
import os
import re
import sys
import traceback
from collections.abc import Callable, Sequence
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from qa_pipeline.errors import QaError, UsageError
from qa_pipeline.messages import as_sentence
from qa_pipeline.settings import Home

EXIT_STOPPED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130
# What the parser raises for an unknown option and the like; Typer does not export it under a name of its own.
_PARSER_ERROR: type[Exception] = typer.BadParameter.__mro__[1]

# A query may begin with a comment of SQL. No option has a blank right behind its name, so there is no mistaking it.
_COMMENT = re.compile(r"--[^=\s]*\s")

app = typer.Typer(
    name="qa-pipeline",
    help="Nightly label quality for content moderation and annotation.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

HomeOption = Annotated[
    Path | None,
    typer.Option("--home", help="Folder of landing/, the warehouses, reports/ and config/ [QA_HOME, else ./var]."),
]
DebugOption = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


class OutputFormat(StrEnum):
    """How `sql` prints rows."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


class _Chosen:
    """Options that may stand before or after the command."""

    home: Path | None = None
    debug: bool = False


def _choose(home: Path | None, debug: bool) -> Home:
    _Chosen.home = home or _Chosen.home
    _Chosen.debug = debug or _Chosen.debug
    return Home.resolve(_Chosen.home)


@app.callback()
def _common(home: HomeOption = None, debug: DebugOption = False) -> None:
    _choose(home, debug)


def _date(text: str | None, option: str) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as err:
        message = f"{option} {text}: not a date that exists; write it as YYYY-MM-DD."
        raise UsageError(message) from err


@app.command()
def simulate(
    days: Annotated[int, typer.Option(help="Business dates to simulate.")] = 30,
    seed: Annotated[int, typer.Option(help="Same seed, same data.")] = 7,
    labels_per_day: Annotated[int, typer.Option(help="Decisions of annotators a day.")] = 5_000,
    predictions_per_day: Annotated[int, typer.Option(help="Rows of model predictions a day.")] = 20_000,
    start: Annotated[str | None, typer.Option(help="First business date, YYYY-MM-DD.")] = None,
    home: HomeOption = None,
    debug: DebugOption = False,
) -> None:
    """Simulate a moderation operation: configuration, landing files and truth.json."""
    from qa_pipeline.instance import settle  # noqa: PLC0415 - only commands that need it
    from qa_pipeline.printing import console  # noqa: PLC0415
    from qa_pipeline.progress import day_bar  # noqa: PLC0415
    from qa_pipeline.simulation.simulate import simulate as simulate_home  # noqa: PLC0415 - numpy

    target, first = _choose(home, debug), _date(start, "--start")

    def written(day: date) -> None:
        bar.begin(f"simulated {day}")
        bar.done()

    with day_bar("simulating", total=days) as bar:
        done = simulate_home(
            target,
            days=days,
            seed=seed,
            labels_per_day=labels_per_day,
            predictions_per_day=predictions_per_day,
            start=first,
            progress=written,
        )
    settle(target)
    out = console()
    rows = ", ".join(f"{count:,} {feed}" for feed, count in done.rows.items())
    out.print(f"Simulated {done.start} to {done.end} into {target.root}: {done.files:,} files with {rows}.")
    out.print(
        f"{done.dirty_rows:,} rows break a rule on purpose (some rules quarantine, others warn or replace a row); "
        f"{done.truth} tells which. Next: qa-pipeline run"
    )


@app.command("import")
def import_(
    files: Annotated[list[Path], typer.Argument(help="CSV, JSON, JSONL or Parquet, gzipped or not.")],
    feed: Annotated[str, typer.Option(help="labels, predictions, items, gold, reviews, appeals, roster, timesheets.")],
    mapping: Annotated[str, typer.Option(help="A mapping file (docs/import.md) or the name of a shipped one.")],
    extend_config: Annotated[
        bool, typer.Option("--extend-config", help="Add unknown markets, queues and labels to an existing config.")
    ] = False,
    home: HomeOption = None,
    debug: DebugOption = False,
) -> None:
    """Import files of any tool into the landing folder, through a mapping."""
    from qa_pipeline.importing.runner import import_files  # noqa: PLC0415 - only commands that need it
    from qa_pipeline.instance import settle  # noqa: PLC0415
    from qa_pipeline.printing import console  # noqa: PLC0415

    target = _choose(home, debug)
    done = import_files(target, feed=feed, mapping=mapping, files=files, extend_config=extend_config)
    settle(target)
    out = console()
    for line in done.lines():
        out.print(line)


@app.command()
def run(
    start: Annotated[str | None, typer.Option("--from", help="First business date, YYYY-MM-DD.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="Last business date, YYYY-MM-DD.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Load every landed partition of the range again.")] = False,
    home: HomeOption = None,
    debug: DebugOption = False,
) -> None:
    """Load every partition with new or changed files, then build figures, pages and the warehouse for readers."""
    from qa_pipeline.running import run_home  # noqa: PLC0415 - only commands that need it

    target = _choose(home, debug)
    is_green = run_home(target, start=_date(start, "--from"), end=_date(end, "--to"), force=force)
    if not is_green:
        raise typer.Exit(EXIT_STOPPED)


@app.command()
def status(
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 1 when something is pending, on hold or could not be read.")
    ] = False,
    home: HomeOption = None,
    debug: DebugOption = False,
) -> None:
    """Show what landed, what is pending or on hold, and when the warehouse was published."""
    from qa_pipeline.config import load_config  # noqa: PLC0415 - only commands that need it
    from qa_pipeline.printing import console, print_status  # noqa: PLC0415
    from qa_pipeline.state import check_home, read_status  # noqa: PLC0415

    target = _choose(home, debug)
    check_home(target)
    found = read_status(target, load_config(target))
    print_status(console(), home=target, status=found)
    if strict and not found.is_clean:
        raise typer.Exit(EXIT_STOPPED)


@app.command()
def sql(
    query: Annotated[
        str | None, typer.Argument(help='Such as "from marts.agreement limit 10"; - reads it from standard input.')
    ] = None,
    file: Annotated[Path | None, typer.Option("--file", "-f", help="A file with the query.")] = None,
    output: Annotated[OutputFormat, typer.Option("--format", help="How rows are printed.")] = OutputFormat.TABLE,
    home: HomeOption = None,
    debug: DebugOption = False,
) -> None:
    """Query the published warehouse, read-only: one query, no other file, times in UTC."""
    from qa_pipeline.querying import query_published, read_query  # noqa: PLC0415 - only commands that need it

    target = _choose(home, debug)
    query_published(target, query=read_query(query, file=file), as_format=output.value)


@app.command()
def ui(
    port: Annotated[int, typer.Option(help="Port of Dagster's UI.", min=1, max=65535)] = 3000,
    pages_port: Annotated[int, typer.Option(help="Port of the pages.", min=1, max=65535)] = 3001,
    home: HomeOption = None,
    debug: DebugOption = False,
) -> None:
    """Start Dagster's UI and daemon and serve the pages, on this machine only, until ctrl-C."""
    from qa_pipeline.instance import settle  # noqa: PLC0415 - only commands that need it
    from qa_pipeline.printing import console  # noqa: PLC0415
    from qa_pipeline.serving import serve  # noqa: PLC0415

    target, out = _choose(home, debug), console(sys.stderr)
    settle(target)

    def ready(dagster: str, pages: str) -> None:
        out.print(f"Dagster (in a moment): {dagster}\nPages:                 {pages}")
        out.print(f"Home:                  {target.root}\nctrl-C ends both.")

    code = serve(target, port=port, pages_port=pages_port, ready=ready)
    if code:
        out.print(f"Dagster's UI ended with exit code {code}.")
        raise typer.Exit(EXIT_STOPPED)


@app.command()
def version() -> None:
    """Print the version."""
    sys.stdout.write(f"qa-pipeline {importlib.metadata.version('qa-pipeline')}\n")


def _say(message: str) -> None:
    sys.stderr.write(f"{message}\n")


def invoke(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; errors are told on standard error."""
    _Chosen.home, _Chosen.debug = None, "--debug" in arguments
    command: Callable[..., object] = typer.main.get_command(app)
    code: object
    try:
        code = command(args=_with_comments(arguments), prog_name="qa-pipeline", standalone_mode=False)
    except QaError as err:
        if _Chosen.debug:
            traceback.print_exc()
        _say(str(err))
        return EXIT_USAGE
    except _PARSER_ERROR as err:
        return _usage_error(err)
    except KeyboardInterrupt:
        code = EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of a pipe (head, say) has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    if code == EXIT_INTERRUPTED:
        _say("Interrupted. The same command again goes on from here.")
    return code if isinstance(code, int) else 0


def _with_comments(arguments: Sequence[str]) -> list[str]:
    """The arguments; a query of `sql` that begins with a comment gets a blank before it, or it would be an option."""
    if "sql" not in arguments:
        return list(arguments)
    return [f" {argument}" if _COMMENT.match(argument) else argument for argument in arguments]


def _usage_error(err: Exception) -> int:
    message = " ".join(getattr(err, "format_message", err.__str__)().split())
    if not message:
        return EXIT_USAGE  # No command was given and the help is printed already.
    _say(f"{as_sentence(message)} See qa-pipeline --help.")
    return EXIT_USAGE


def main() -> None:
    """Entry of the console script."""
    sys.exit(invoke(sys.argv[1:]))


if __name__ == "__main__":
    main()
