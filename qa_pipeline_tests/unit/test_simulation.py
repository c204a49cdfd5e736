"""The simulator as a command: determinism, days that don't depend on later ones, volumes, config, refusals, damage."""

import datetime as dt
import hashlib
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from qa_pipeline.config import load_config
from qa_pipeline.contracts import FEEDS
from qa_pipeline.errors import UsageError
from qa_pipeline.settings import Home
from qa_pipeline.simulation.damage import FILE_RULES, inject_blocked_partition, inject_broken_file, landed_rows
from qa_pipeline.simulation.simulate import LAST_DAY, simulate

START = dt.date(2026, 10, 23)


def _run(root: Path, *, days: int, seed: int = 3, labels: int = 400, predictions: int = 1000) -> Home:
    home = Home(root)
    simulate(
        home,
        days=days,
        seed=seed,
        labels_per_day=labels,
        predictions_per_day=predictions,
        start=START,
        incidents=False,
    )
    return home


def _contents(home: Home) -> dict[str, str]:
    """Return path in the landing folder to a digest: of the bytes of text files, of the rows of Parquet files."""
    found = {}
    for path in sorted(home.landing.rglob("*")):
        if path.is_file():
            content = str(pq.read_table(path).to_pylist()).encode() if path.suffix == ".parquet" else path.read_bytes()
            found[str(path.relative_to(home.landing))] = hashlib.sha256(content).hexdigest()
    return found


def test_same_arguments_give_the_same_files(tmp_path: Path) -> None:
    """Stops unseeded draws, clocks and set orders from creeping in; another seed gives other rows."""
    first, second = _run(tmp_path / "a", days=2), _run(tmp_path / "b", days=2)
    other = _run(tmp_path / "c", days=2, seed=4)
    assert _contents(first) == _contents(second)
    assert (first.root / "truth.json").read_bytes() == (second.root / "truth.json").read_bytes()
    mine, theirs = _contents(first), _contents(other)
    shared = mine.keys() & theirs.keys()
    assert len(shared) > 20
    assert all(mine[name] != theirs[name] for name in shared)


def test_a_day_does_not_depend_on_later_days(tmp_path: Path) -> None:
    """Stops a stream that runs on from day to day, and dirt or gold that looks at the number of days."""
    short, long = _run(tmp_path / "short", days=2), _run(tmp_path / "long", days=4)
    last = START + dt.timedelta(days=1)
    of_first_days = {
        name: digest for name, digest in _contents(long).items() if name.split("date=")[1][:10] <= last.isoformat()
    }
    assert _contents(short) == of_first_days


def test_volumes_files_and_summary_agree(tmp_path: Path) -> None:
    """Stops volumes from drifting off what was asked for, and row counts that don't match the files."""
    days: list[dt.date] = []
    home = Home(tmp_path)
    summary = simulate(
        home, days=8, seed=1, labels_per_day=2000, predictions_per_day=6000, progress=days.append, dirty=False
    )
    assert (summary.start, summary.end) == (LAST_DAY - dt.timedelta(days=7), LAST_DAY)
    assert days == [summary.start + dt.timedelta(days=offset) for offset in range(8)]
    assert summary.dirty_rows == 0
    truth = json.loads(summary.truth.read_text())
    assert truth["dirty_rows"] == []
    rows = {feed: sum(landed_rows(folder) for folder in sorted((home.landing / feed).iterdir())) for feed in FEEDS}
    assert rows == summary.rows
    assert {feed: sum(by_day.values()) for feed, by_day in truth["rows"].items()} == rows
    # the duplicated file is on top of what was asked for; 3 % covers calibration days and the first day's late items
    repeated = next(one["rows"] for one in truth["incidents"] if one["kind"] == "duplicated_file")
    assert (rows["labels"] - repeated) / 8 == pytest.approx(2000, rel=0.03)
    assert rows["predictions"] / 8 == pytest.approx(6000, rel=0.03)
    endings = {"".join(path.suffixes[-2:]) for path in home.landing.rglob("*") if path.is_file()}
    assert {".csv", ".csv.gz", ".jsonl"} <= endings
    assert any(ending.endswith(".parquet") for ending in endings)


def test_config_is_drafted_and_valid(tmp_path: Path) -> None:
    """Stops config texts that the pipeline's own reader refuses."""
    config = load_config(_run(tmp_path, days=1))
    assert len(config.markets.markets) >= 4
    assert len({market.time_zone for market in config.markets.markets.values()}) >= 4
    assert len(config.taxonomy.queues) >= 4
    assert any(queue.scale == "ordinal" for queue in config.taxonomy.queues.values())
    assert config.target("accuracy", queue="spam") == 0.93
    assert config.quality.baseline.days == 14
    assert config.quality.acceptance.aql("hate_speech") == 10.0


def test_without_predictions(tmp_path: Path) -> None:
    """Stops the simulator from needing models: an optional feed may be absent."""
    home = _run(tmp_path, days=2, predictions=0)
    assert not (home.landing / "predictions").exists()
    assert (home.landing / "reviews").is_dir()


def test_refuses_a_home_that_is_in_use(tmp_path: Path) -> None:
    """Stops a simulation from mixing with, or overwriting, what a user has."""
    home = _run(tmp_path / "used", days=1)
    with pytest.raises(UsageError, match="has already landed"):
        _run(tmp_path / "used", days=1)
    other = Home(tmp_path / "other").prepare()
    (other.config / "markets.toml").write_text("[markets.FR]\ntime_zone = 'Europe/Paris'\n")
    with pytest.raises(UsageError, match=r"markets\.toml belongs to another operation"):
        _run(other.root, days=1)
    assert not any(other.landing.iterdir())
    assert any(home.landing.iterdir())


@pytest.mark.parametrize(
    ("days", "seed", "labels", "predictions", "start", "word"),
    [
        (0, 1, 1000, 1000, START, "0 days"),
        (1, -1, 1000, 1000, START, "seed -1"),
        (1, 1, 5, 1000, START, "5 labels"),
        (1, 1, 1000, 5, START, "5 predictions"),
        (1, 1, 1000, 0, dt.date(1850, 1, 1), "1850-01-01"),
    ],
)
def test_refuses_impossible_arguments(
    tmp_path: Path, days: int, seed: int, labels: int, predictions: int, start: dt.date, word: str
) -> None:
    """Stops a simulation that would fail half-way; nothing is written."""
    with pytest.raises(UsageError, match=word):
        simulate(
            Home(tmp_path / "home"),
            days=days,
            seed=seed,
            labels_per_day=labels,
            predictions_per_day=predictions,
            start=start,
        )
    assert not (tmp_path / "home").exists()


def test_injected_damage(tmp_path: Path) -> None:
    """Stops helpers that other tests rely on from writing less than half a partition, or a readable 'broken' file."""
    home = _run(tmp_path, days=1)
    for feed in FEEDS:
        before = landed_rows(home.landing / feed / f"date={START}")
        inject_blocked_partition(home, feed=feed, business_date=START)
        after = landed_rows(home.landing / feed / f"date={START}")
        assert after - before > after / 2
    paths = {
        rule_id: inject_broken_file(home, rule_id=rule_id, feed="labels", business_date=START) for rule_id in FILE_RULES
    }
    assert paths["FIL-002"].stat().st_size == 0
    assert "label_id" not in paths["FIL-003"].read_text()
    assert paths["FIL-006"].parent.name == "date=2026-02-30"
    with pytest.raises(UsageError, match="no rule about files"):
        inject_broken_file(home, rule_id="LBL-001", feed="labels", business_date=START)
    with pytest.raises(UsageError, match="no feed"):
        inject_blocked_partition(home, feed="lables", business_date=START)
