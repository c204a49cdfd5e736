"""`make bench`: a night of 1 M labels and 10 M predictions beside the least work that any pipeline has to do.

The floor is DuckDB reading the same Parquet files into tables once, with the same settings. Both run in a process of
their own, without its start; what is printed is a ratio of the two, measured side by side, and the peak memory. The
second figure is a night on which one late file touches 28 earlier dates, beside the same night without that file; it
runs at a tenth of the size, because it needs four weeks of history. The third is `quality`: all marts from the tallies
of a quarter, beside the plain night.
"""

import argparse
import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

import duckdb

from benchmarks import quality
from qa_pipeline.contracts import FEEDS
from qa_pipeline.settings import Home
from qa_pipeline.simulation.simulate import LAST_DAY, simulate

SETTINGS = {"memory_limit": "2500MB", "threads": 2}
LATE_SHARE = 0.002


def main() -> None:
    """Measure and print `name: value unit` lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--labels", type=int, default=1_000_000)
    parser.add_argument("--predictions", type=int, default=10_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--part", choices=("all", "night", "late"), default="all")
    parser.add_argument("--child", choices=("floor", "night"))
    parser.add_argument("--home", type=Path)
    arguments = parser.parse_args()
    if arguments.child:
        measured = _floor(arguments.home) if arguments.child == "floor" else _night(arguments.home)
        print(json.dumps(measured))
        return
    with tempfile.TemporaryDirectory(prefix="qa-bench-") as folder:
        if arguments.part in ("all", "night"):
            seconds = _plain_night(Path(folder) / "plain", arguments.labels, arguments.predictions, arguments.repeats)
            quality.measure(Path(folder) / "quality", night_seconds=seconds)
        if arguments.part in ("all", "late"):
            _late_night(Path(folder), arguments.labels // 10, arguments.predictions // 10, arguments.repeats)


def _plain_night(folder: Path, labels: int, predictions: int, repeats: int) -> float:
    """Print a plain night beside its floor; returns its seconds."""
    home = Home(folder).prepare()
    simulate(home, days=1, seed=1, labels_per_day=labels, predictions_per_day=predictions, incidents=False)
    _settle(home)
    pairs = []
    for _ in range(repeats):
        floor, night = _child("floor", folder), _child("night", _copy(folder))
        pairs.append((floor, night))
        _drop(folder)
    ratio = statistics.median(night["seconds"] / floor["seconds"] for floor, night in pairs)
    _print("night_rows", labels + predictions, "rows")
    _print("floor_seconds", statistics.median(floor["seconds"] for floor, _ in pairs), "s")
    seconds = statistics.median(night["seconds"] for _, night in pairs)
    _print("night_seconds", seconds, "s")
    _print("night_over_floor", ratio, "ratio (at most 10, goal 4)")
    _print("night_peak_memory", max(night["peak_gb"] for _, night in pairs), "GB (at most 4)")
    return seconds


def _late_night(folder: Path, labels: int, predictions: int, repeats: int) -> None:
    """History of 28 days, then its next night twice from the same state: without and with a late file."""
    history = folder / "history"
    home = Home(history).prepare()
    simulate(home, days=29, seed=2, labels_per_day=labels, predictions_per_day=predictions, incidents=False)
    _settle(home)
    aside = folder / "aside"
    for feed in FEEDS:
        source = home.landing / feed / f"date={LAST_DAY}"
        if source.exists():
            target = aside / feed / source.name
            target.parent.mkdir(parents=True)
            shutil.move(source, target)
    _child("night", history)
    touched = _write_late_file(home, aside)
    shutil.copytree(aside, home.landing, dirs_exist_ok=True)
    pairs = []
    for _ in range(repeats):
        late = _child("night", _copy(history))
        _drop(history)
        name = home.landing / "labels" / f"date={LAST_DAY}" / "zz-late.parquet"
        hidden = name.rename(folder / "late.parquet")
        plain = _child("night", _copy(history))
        _drop(history)
        hidden.rename(name)
        pairs.append((plain, late))
    ratio = statistics.median(late["seconds"] / plain["seconds"] for plain, late in pairs)
    _print("late_dates_touched", touched, "dates")
    _print("plain_night_seconds", statistics.median(plain["seconds"] for plain, _ in pairs), "s")
    _print("late_night_seconds", statistics.median(late["seconds"] for _, late in pairs), "s")
    _print("late_night_over_plain_night", ratio, "ratio (at most 3)")


def _write_late_file(home: Home, aside: Path) -> int:
    """One more rating, made on the last day, for a share of the items of each of the 28 days before it."""
    first = LAST_DAY - timedelta(days=28)
    target = aside / "labels" / f"date={LAST_DAY}" / "zz-late.parquet"
    with duckdb.connect() as con:
        con.execute("set timezone = 'UTC'")
        rows = (
            "select * replace (label_id || '-late' as label_id, annotator_id || '-late' as annotator_id, "
            f"timestamptz '{LAST_DAY} 12:00:00+00' as submitted_at, null as assigned_at), filename "
            f"from read_parquet('{home.landing}/labels/*/*.parquet', union_by_name = true, filename = true) "
            f"where stage = 'production' and market is not null and hash(item_id) % 10000 < {int(LATE_SHARE * 10_000)}"
        )
        con.execute(f"create table late as {rows}")
        con.execute(f"copy (select * exclude (filename) from late) to '{target}' (format parquet)")
        found = con.execute(
            "select count(distinct regexp_extract(filename, 'date=(.{10})', 1)) from late "
            f"where regexp_extract(filename, 'date=(.{{10}})', 1) >= '{first}'"
        ).fetchall()
    return int(found[0][0])


def _settle(home: Home) -> None:
    lines = [f"{key} = {json.dumps(value)}" for key, value in SETTINGS.items()]
    (home.config / "pipeline.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _copy(folder: Path) -> Path:
    """A copy of the home whose landing files are shared, so that every run starts from the same state."""
    copy = folder.with_name(folder.name + "-run")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("landing"))
    (copy / "landing").unlink(missing_ok=True)
    (copy / "landing").symlink_to(folder / "landing", target_is_directory=True)
    return copy


def _drop(folder: Path) -> None:
    shutil.rmtree(folder.with_name(folder.name + "-run"), ignore_errors=True)


def _child(mode: str, home: Path) -> dict[str, float]:
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.night", "--child", mode, "--home", str(home)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    measured: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return measured


def _floor(home: Path) -> dict[str, float]:
    """Every Parquet file of the night into a table, once; text files are left out, in the floor's favour."""
    target = home / "floor.duckdb"
    target.unlink(missing_ok=True)
    with duckdb.connect(str(target)) as con:
        for key, value in SETTINGS.items():
            con.execute(f"set {key} = '{value}'")
        con.execute("set preserve_insertion_order = false")
        started = time.perf_counter()
        for feed in FEEDS:
            if list((home / "landing" / feed).glob("*/*.parquet")):
                source = f"read_parquet('{home}/landing/{feed}/*/*.parquet', union_by_name = true)"
                con.execute(f"create table {feed} as select * from {source}")
        con.execute("checkpoint")
        seconds = time.perf_counter() - started
    target.unlink()
    return {"seconds": seconds, "peak_gb": _peak_gb()}


def _night(home: Path) -> dict[str, float]:
    """Whatever is due in the home, as `qa-pipeline run` does it, from the first look at landing to the publication."""
    from qa_pipeline import instance, nights, validation  # noqa: PLC0415 - belongs to the start of a process
    from qa_pipeline.config import load_config  # noqa: PLC0415 - as above
    from qa_pipeline.defs import in_process  # noqa: F401, PLC0415 - as above
    from qa_pipeline.progress import Bar  # noqa: PLC0415 - as above

    validation.warm_up()
    config = load_config(Home(home))
    instance.settle(Home(home))
    started = time.perf_counter()
    plan = nights.plan_run(Home(home), config=config, start=None, end=None, force=False)
    done = nights.walk(Home(home), plan=plan, force=False, step=Bar(None, words="", total=0))
    seconds = time.perf_counter() - started
    if done.failures:
        raise SystemExit(str(done.failures))
    return {"seconds": seconds, "peak_gb": _peak_gb()}


def _peak_gb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_000_000


def _print(name: str, value: float, unit: str) -> None:
    print(f"{name}: {value:.2f} {unit}" if isinstance(value, float) else f"{name}: {value} {unit}", flush=True)


if __name__ == "__main__":
    main()
