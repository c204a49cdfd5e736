"""What an import leaves behind: landed files and their folders, rejected rows, the log, a second import."""

import csv
import hashlib
import json
from collections import defaultdict
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qa_pipeline.config import load_config
from qa_pipeline.contracts import LABELS
from qa_pipeline.errors import HomeError, MappingError
from qa_pipeline.importing.mapping import Synthetic
from qa_pipeline.importing.runner import import_files
from qa_pipeline.importing.summary import ImportSummary, SourceCounts
from qa_pipeline.importing.synthetic import day_bounds, windows
from qa_pipeline.settings import Home
from qa_pipeline_tests.import_support import landed_rows, mapping_text, run_import

AT = "2026-03-01T12:00:00Z"
MARKET: dict[str, str | None] = {"market": '"market"'}
UNDATED: dict[str, str | None] = {**MARKET, "submitted_at": None, "annotator_id": '"who"'}
SYNTHETIC = "[synthetic]\nstart = 2026-03-01\ndays = 7\n"


def _files(home: Path) -> dict[str, tuple[bytes, int]]:
    """Content and time stamp of every file of a home, by its path in it."""
    return {
        str(path.relative_to(home)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(home.rglob("*"))
        if path.is_file()
    }


def test_rows_land_in_the_folder_of_their_markets_date(tmp_path: Path) -> None:
    """Stops the business date from being UTC's: 20:00 in Los Angeles' morning is another date in Tokyo."""
    content = (
        "item,label,at,market\n"
        "a,x,2026-03-01T23:30:00Z,JP\n"  # 08:30 on the 2nd in Tokyo
        "b,x,2026-03-01T23:30:00Z,US\n"  # 18:30 on the 1st in New York
        "c,y,2026-03-02T03:30:00Z,US\n"  # 22:30 on the 1st
        "d,y,2026-03-02T05:30:00Z,US\n"  # 00:30 on the 2nd
    )
    summary, rows = run_import(tmp_path, content, mapping=mapping_text(columns=MARKET))
    assert {row["item_id"]: row["date"] for row in rows} == {
        "a": date(2026, 3, 2),
        "b": date(2026, 3, 1),
        "c": date(2026, 3, 1),
        "d": date(2026, 3, 2),
    }
    assert summary.rows_per_date == {date(2026, 3, 1): 2, date(2026, 3, 2): 2}
    assert {path.parent.name for path in summary.files} == {"date=2026-03-01", "date=2026-03-02"}


def test_landed_files_have_the_contract_as_their_schema(tmp_path: Path) -> None:
    """Stops a landed file with an unknown column, a missing one, or text where the contract has a time."""
    summary, _ = run_import(tmp_path, f"item,label,at\n1,a,{AT}\n", mapping=mapping_text())
    schema = pq.read_schema(summary.files[0])
    assert tuple(schema.names) == LABELS.names
    assert str(schema.field("submitted_at").type) == "timestamp[us, tz=UTC]"
    assert (str(schema.field("handle_seconds").type), str(schema.field("is_blind").type)) == ("double", "bool")
    digest = hashlib.sha256((tmp_path / "source.csv").read_bytes()).hexdigest()
    assert summary.files[0].name == f"import-000001-mapping-source-{digest[:8]}.parquet"


def test_a_second_import_of_the_same_file_changes_nothing(tmp_path: Path) -> None:
    """Stops a repeated import from doubling rows, renaming files or making a partition look changed."""
    content = f"item,label,at\n1,a,{AT}\n2,,{AT}\n3,b,2026-03-09T12:00:00Z\n"
    first, _ = run_import(tmp_path, content, mapping=mapping_text())
    before = _files(tmp_path / "home")
    second, _ = run_import(tmp_path, content, mapping=mapping_text())
    assert _files(tmp_path / "home") == before
    assert (first.sources, first.files) == (second.sources, second.files)
    assert second.config_notes == ()


def test_a_corrected_mapping_replaces_what_it_wrote(tmp_path: Path) -> None:
    """Stops rows under a wrong date, and rejections that no longer hold, from staying behind."""
    content = "item,label,at\n1,a,2026-03-01T23:00:00\n2,b,2026-03-02T08:00:00\n3,c,x\n"
    zone = {"submitted_at": '{ path = "at", timezone = "Asia/Tokyo" }'}
    run_import(tmp_path, content, mapping=mapping_text(columns=zone))
    home = tmp_path / "home"
    assert len(list(home.rglob("*.parquet"))) == 1
    assert len(list((home / "rejected").rglob("*.jsonl"))) == 1
    zone = {"submitted_at": '{ path = "at", null_if = "x", const = "2026-03-05", timezone = "America/New_York" }'}
    summary, rows = run_import(tmp_path, content, mapping=mapping_text(columns=zone))
    assert [(row["item_id"], row["date"].day) for row in rows] == [("1", 1), ("2", 2), ("3", 5)]
    assert list((home / "rejected").rglob("*.jsonl")) == []
    zone = {"submitted_at": '{ const = "2026-03-05", timezone = "America/New_York" }'}
    summary, rows = run_import(tmp_path, content, mapping=mapping_text(columns=zone))
    assert [row["date"].day for row in rows] == [5, 5, 5]
    assert [path.parent.name for path in summary.replaced] == ["date=2026-03-01", "date=2026-03-02"]


def test_a_later_export_has_a_later_file_name(tmp_path: Path) -> None:
    """Stops an old delivery of a label from winning over a new one: within a partition the later file name wins."""
    names = []
    for number in range(5):
        summary, _ = run_import(tmp_path, f"item,label,at\n1,l{number},{AT}\n", mapping=mapping_text())
        names.append(summary.files[0].name)
    assert names == sorted(names)
    assert len(set(names)) == 5
    again, _ = run_import(tmp_path, f"item,label,at\n1,l1,{AT}\n", mapping=mapping_text())
    assert again.files[0].name == names[1]


def test_rejected_rows_are_kept_verbatim(tmp_path: Path) -> None:
    """Stops a rejected row from being lost, or a row with two bad columns from being counted twice."""
    content = 'item,label,at\n1,a,yesterday\n"2, ""x""",,tomorrow\n3,b,' + AT + "\n"
    summary, rows = run_import(tmp_path, content, mapping=mapping_text())
    assert (summary.rows_read, summary.rows_written, summary.rows_rejected, len(rows)) == (3, 1, 2, 1)
    (path,) = summary.rejected_files
    assert path.parent == tmp_path / "home" / "rejected" / "labels"
    records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [record["record"] for record in records] == [
        {"item": "1", "label": "a", "at": "yesterday"},
        {"item": '2, "x"', "label": None, "at": "tomorrow"},
    ]
    assert [(record["file"], record["row"], record["place"]) for record in records] == [
        ("source.csv", 1, "row 1"),
        ("source.csv", 2, "row 2"),
    ]
    assert [reason["column"] for reason in records[1]["reasons"]] == ["label", "submitted_at"]
    assert [(reject.column, reject.rows) for reject in summary.rejects] == [("submitted_at", 2), ("label", 1)]
    text = "\n".join(summary.lines())
    assert "3 records from 1 file" in text
    assert "label is missing: 1 row (row 2 of source.csv)" in text


def test_counts_that_do_not_add_up_are_an_error() -> None:
    """Stops the check of the identity from being taken out, or from allowing a lost row."""
    counts = SourceCounts("s", "", 3, 3, 1, 1, 1, "")
    counts.check()
    with pytest.raises(MappingError, match="do not add up"):
        SourceCounts("s", "", 3, 3, 1, 0, 1, "").check()


@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "b", "", "drop", "bad"]),
            st.sampled_from([AT, "2026-03-02", "", "x"]),
            st.sampled_from(["US", "JP"]),
        ),
        min_size=1,
        max_size=40,
    )
)
def test_every_row_is_written_dropped_or_rejected(tmp_path: Path, rows: list[tuple[str, str, str]]) -> None:
    """Stops any mix of rows from losing or doubling one: each is counted here by hand, in plain Python."""
    rows = [("a", AT, "US"), *rows]
    content = "item,label,at,market\n" + "".join(
        f"{n},{label},{at},{market}\n" for n, (label, at, market) in enumerate(rows)
    )
    columns = {**MARKET, "label": '{ path = "label", map = { a = "a", b = "b", drop = "drop" } }'}
    mapping = mapping_text(columns=columns, extra='[where]\nlabel = { not = "drop" }')
    summary, landed = run_import(tmp_path, content, mapping=mapping)
    dropped = [n for n, row in enumerate(rows) if row[0] == "drop"]
    good = [n for n, row in enumerate(rows) if row[0] in ("a", "b") and row[1] == AT]
    own = [row for row in landed if row["file"] == summary.sources[0].landed_name]
    assert sorted(int(row["item_id"]) for row in own) == good
    assert (summary.rows_dropped, summary.rows_written) == (len(dropped), len(good))
    assert summary.rows_rejected == len(rows) - len(dropped) - len(good)
    assert sum(summary.rows_per_date.values()) == len(good)


def test_unknown_markets_of_an_existing_config(tmp_path: Path) -> None:
    """Stops rows of an unknown market from being lost, or from landing where the machine's zone says."""
    content = "item,label,at,market\na,x,2026-03-01T23:30:00Z,JP\nb,y,2026-03-01T23:30:00Z,US\n"
    run_import(tmp_path, content.replace("JP", "US"), mapping=mapping_text(columns=MARKET))
    config = (tmp_path / "home" / "config" / "markets.toml").read_text()
    summary, rows = run_import(tmp_path, content, mapping=mapping_text(columns=MARKET), name="two.csv")
    assert [row["date"].day for row in rows if row["market"] == "JP"] == [1]
    assert "Market JP is not configured: 1 row went into folders by the UTC date." in summary.notes
    assert any("Unknown market JP (1 row)" in note for note in summary.config_notes)
    assert (tmp_path / "home" / "config" / "markets.toml").read_text() == config
    mapping = mapping_text(columns=MARKET)
    summary, rows = run_import(tmp_path, content, mapping=mapping, name="two.csv", extend_config=True)
    assert [row["date"].day for row in rows if row["market"] == "JP"] == [2]
    assert load_config(Home(tmp_path / "home")).markets.markets["JP"].time_zone == "Asia/Tokyo"


def _undated(tmp_path: Path, rows: list[tuple[str, str, str]], *, extra: str = SYNTHETIC) -> tuple[ImportSummary, Any]:
    content = "item,who,market,label\n" + "".join(
        f"{item},{who},{market},l{n % 2}\n" for n, (item, who, market) in enumerate(rows)
    )
    columns = {**UNDATED, "label_id": '{ template = "{$row}" }'}
    return run_import(tmp_path, content, mapping=mapping_text(columns=columns, extra=extra))


def test_synthetic_dates_keep_items_together_and_rows_in_order(tmp_path: Path) -> None:
    """Stops a rater's first decision from overtaking the last one, and an item from being spread over dates.

    The date is checked against the stable_bucket formula in Python; the order across all markets, by the instant.
    """
    markets = ("AU", "US", "IN", "GB")
    rows = [(f"i{n % 50}", f"a{n % 3}", markets[n % 7 % 4]) for n in range(1000)]
    summary, landed = _undated(tmp_path, rows)
    assert summary.is_synthetic
    assert "made up by [synthetic]" in "\n".join(summary.lines())
    assert {path.name.split("-")[0] for path in summary.files} == {"synthetic"}
    zones = {code: market.time_zone for code, market in load_config(Home(tmp_path / "home")).markets.markets.items()}
    by_item: dict[str, list[tuple[int, datetime]]] = defaultdict(list)
    for row in landed:
        bucket = int(hashlib.md5(row["item_id"].encode()).hexdigest()[:15], 16) % 7  # noqa: S324 - the formula under test
        assert row["date"] == date(2026, 3, 1 + bucket)
        assert row["submitted_at"].astimezone(ZoneInfo(zones[row["market"]])).date() == row["date"]
        by_item[row["item_id"]].append((int(row["label_id"]), row["submitted_at"]))
    assert sum(len(found) for found in by_item.values()) == 1000
    for found in by_item.values():
        assert all(before[1] < after[1] for before, after in pairwise(sorted(found)))


def test_synthetic_order_runs_through_several_files(tmp_path: Path) -> None:
    """Stops the second file of an import from being older than the first."""
    mapping = tmp_path / "m.toml"
    mapping.write_text(mapping_text(columns=UNDATED, extra="[synthetic]\nstart = 2026-03-01\n"), encoding="utf-8")
    paths = []
    for name in ("z", "a"):
        path = tmp_path / f"{name}.csv"
        path.write_text("item,who,market,label\n" + f"i1,w1,US,{name}\n" * 3)
        paths.append(path)
    home = Home(tmp_path / "home")
    import_files(home, feed="labels", mapping=mapping, files=paths)
    found = sorted((row["submitted_at"], row["label"]) for row in landed_rows(home))
    assert [label for _, label in found] == ["z", "z", "z", "a", "a", "a"]
    with pytest.raises(MappingError, match="is given twice"):
        import_files(home, feed="labels", mapping=mapping, files=[paths[0], paths[0]])


def test_windows_of_markets_far_apart() -> None:
    """Stops times of a date from leaving that date where no instant is that date in every market.

    Kiritimati is 25 hours ahead of Niue: their local days do not meet. New York on 8 March 2026 has 23 hours.
    """
    day = date(2026, 3, 8)
    zones = {"KI": "Pacific/Kiritimati", "NU": "Pacific/Niue", "US": "America/New_York", "GB": "Europe/London"}
    found = {market: (start, span) for _, market, start, span in windows([(day, "KI"), (day, "NU")], zones)}
    assert found == {name: (day_bounds(day, zones[name])[0], 86_400_000_000) for name in ("KI", "NU")}
    (only,) = windows([(day, "US")], zones)
    assert only == (day, "US", datetime(2026, 3, 8, 5, tzinfo=UTC), 23 * 3_600_000_000)
    both = windows([(day, "US"), (day, "GB")], zones)
    assert {row[2:] for row in both} == {(datetime(2026, 3, 8, 5, tzinfo=UTC), 19 * 3_600_000_000)}


def test_feeds_without_an_event_time(tmp_path: Path) -> None:
    """Stops gold from landing elsewhere than on the first synthetic day, and timesheets elsewhere than on their day."""
    gold = (
        'version = 1\nname = "g"\ntarget = "gold"\n[source]\nformat = "csv"\n[columns]\nitem_id = "item"\n'
        'queue = { const = "q" }\nlabel = "label"\nsource = { const = "expert" }\n[synthetic]\nstart = 2026-03-01\n'
    )
    summary, rows = run_import(tmp_path, "item,label\n1,a\n2,b\n", mapping=gold, feed="gold")
    assert {row["date"] for row in rows} == {date(2026, 3, 1)}
    assert [row["market"] for row in rows] == [None, None]
    assert not (tmp_path / "home" / "config" / "markets.toml").exists()
    sheets = (
        'version = 1\nname = "t"\ntarget = "timesheets"\n[source]\nformat = "csv"\n[columns]\nannotator_id = "who"\n'
        'paid_minutes = "paid"\nproductive_minutes = "paid"\nbusiness_date = "day"\n'
    )
    content = "who,paid,day\na,480,2026-03-01\na,470,2026-03-02\nb,1,2026-13-01\n"
    summary, rows = run_import(tmp_path, content, mapping=sheets, feed="timesheets")
    assert [(row["date"].day, row["paid_minutes"]) for row in rows] == [(1, 480.0), (2, 470.0)]
    assert summary.rejects[0].column == "business_date"
    assert summary.notes == ()


def test_repeated_keys_are_told(tmp_path: Path) -> None:
    """Stops a template that is too short from thinning the data out in silence, as superseded rows."""
    columns: dict[str, str | None] = {"label_id": '"item"'}
    summary, _ = run_import(tmp_path, f"item,label,at\n1,a,{AT}\n1,b,{AT}\n", mapping=mapping_text(columns=columns))
    assert any("repeat the label_id of another: 1." in note for note in summary.notes)


def test_the_log_of_imports(tmp_path: Path) -> None:
    """Stops synthetic dates from losing their origin: the log says which mapping made them up, and from what."""
    _undated(tmp_path, [("i1", "a", "US")])
    run_import(tmp_path, f"item,label,at\n1,l0,{AT}\n", mapping=mapping_text(), name="real.csv")
    lines = (tmp_path / "home" / "config" / "imports.jsonl").read_text(encoding="utf-8").splitlines()
    first, second = (json.loads(line) for line in lines)
    assert (first["synthetic"], second["synthetic"]) == ({"start": "2026-03-01", "days": 7}, None)
    assert first["sources"][0]["landed_name"].startswith("synthetic-000001-")
    assert (second["sources"][0]["name"], second["sources"][0]["rows_written"]) == ("real.csv", 1)
    with (tmp_path / "real.csv").open() as stream:
        assert second["sources"][0]["rows_read"] == len(list(csv.DictReader(stream)))


def test_a_home_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """Stops a file where a folder should be from ending in a stack trace or in a half import."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "landing").write_text("in the way")
    with pytest.raises(HomeError, match="landing is a file, but a folder is needed"):
        run_import(tmp_path, f"item,label,at\n1,a,{AT}\n", mapping=mapping_text())
    (tmp_path / "home" / "landing").unlink()
    (tmp_path / "home" / "landing").mkdir()
    (tmp_path / "home" / "landing" / "labels").write_text("in the way")
    with pytest.raises(HomeError, match="cannot be written"):
        run_import(tmp_path, f"item,label,at\n1,a,{AT}\n", mapping=mapping_text())


def test_days_of_synthetic_default_to_one() -> None:
    """Stops an undated feed from being spread over days that nobody asked for."""
    assert Synthetic(start=date(2026, 3, 1)).days == 1
