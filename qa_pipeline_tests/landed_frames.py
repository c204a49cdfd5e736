"""Landed rows as pandas frames, for computations that do without the pipeline; and homes to compare them on."""

from datetime import timedelta

import duckdb
import pandas as pd

from qa_pipeline import loading, quarantining, restating, warehouse
from qa_pipeline.config import load_config
from qa_pipeline.contracts import FEEDS
from qa_pipeline.importing.runner import import_files
from qa_pipeline.marts.build import build_marts
from qa_pipeline.settings import Home, project_root
from qa_pipeline.simulation.simulate import simulate
from qa_pipeline_tests.import_support import MAPPINGS, SHARED_DATA

REVIEWED_ONE_IN = 3
_PANDAS_TYPES = {"double": "float64", "bigint": "float64", "boolean": "boolean", "string": "object"}


def read_landed(home: Home) -> dict[str, pd.DataFrame]:
    """Every feed's landed rows with its contract columns and `business_date`; absent feeds are empty frames."""
    frames = {}
    for name, feed in FEEDS.items():
        parts = []
        for path in sorted((home.landing / name).rglob("*")):
            if path.is_file():
                reader = "read_parquet" if path.suffix == ".parquet" else _TEXT_READERS[path.name.split(".", 1)[1]]
                with duckdb.connect() as con:
                    part = con.sql(f"from {reader}('{path}'{_OPTIONS[reader]})").to_arrow_table().to_pandas()
                part["business_date"] = pd.Timestamp(path.parent.name.removeprefix("date="))
                parts.append(part)
        columns = [*feed.names, "business_date"]
        frame = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)
        frames[name] = _typed(frame.reindex(columns=columns), {column.name: column.type for column in feed.columns})
    return frames


_TEXT_READERS = {"csv": "read_csv", "csv.gz": "read_csv", "jsonl": "read_json"}
_OPTIONS = {
    "read_parquet": "",
    "read_csv": ", all_varchar = true, header = true",
    "read_json": ", format = 'newline_delimited'",
}


def _typed(frame: pd.DataFrame, types: dict[str, str]) -> pd.DataFrame:
    for name, type_ in types.items():
        if type_ in ("timestamp", "date"):
            frame[name] = pd.to_datetime(frame[name], utc=type_ == "timestamp", format="ISO8601")
        elif type_ == "boolean":
            texts = frame[name].astype("string").str.lower()
            frame[name] = texts.map({"true": True, "false": False}).astype("boolean")
        elif type_ == "string":
            frame[name] = frame[name].astype("object").where(frame[name].notna(), None)
        else:
            frame[name] = pd.to_numeric(frame[name])
    return frame


def simulated_weeks(home: Home) -> Home:
    """Three clean synthetic weeks: nothing is quarantined or superseded, so that landed rows are all that counts."""
    simulate(home, days=21, seed=5, labels_per_day=700, predictions_per_day=1000, incidents=False, dirty=False)
    return home


def zencrowd_reviewed(home: Home) -> Home:
    """ZenCrowd's decisions with their gold answers, and every third decision reviewed against gold.

    Dates, vendors and who reviews are synthetic. A reviewed decision's probability is 1 / REVIEWED_ONE_IN.
    """
    for feed, mapping, file in (
        ("labels", "zencrowd_labels.toml", "zencrowd/labels.csv"),
        ("gold", "zencrowd_gold.toml", "zencrowd/gold.csv"),
    ):
        import_files(home, feed=feed, mapping=MAPPINGS / mapping, files=[SHARED_DATA / file])
    landed = read_landed(home)
    labels = landed["labels"].drop_duplicates(["market", "item_id", "annotator_id"], keep="last")
    judged = labels.merge(landed["gold"][["item_id", "label"]], on="item_id", suffixes=("", "_gold"))
    picked = judged[pd.util.hash_pandas_object(judged["label_id"], index=False) % REVIEWED_ONE_IN == 0]
    wrong = picked["label"] != picked["label_gold"]
    reviews = pd.DataFrame(
        {
            "review_id": "rev-" + picked["label_id"],
            "target_kind": "label",
            "target_id": picked["label_id"],
            "item_id": picked["item_id"],
            "market": picked["market"],
            "queue": picked["queue"],
            "reviewer_id": "gold",
            "verdict_label": picked["label_gold"],
            "error_category": wrong.map({True: "false_positive", False: "none"}),
            "severity": wrong.map({True: "major", False: "minor"}),
            "is_blind": "true",
            "sampling": "random",
            "inclusion_probability": 1 / REVIEWED_ONE_IN,
            "reviewed_at": picked["submitted_at"] + timedelta(minutes=1),
        }
    )
    for day, rows in reviews.groupby(picked["business_date"]):
        folder = home.landing / "reviews" / f"date={pd.Timestamp(str(day)).date()}"
        folder.mkdir(parents=True)
        rows.to_csv(folder / "reviews.csv", index=False)
    return home


def build(home: Home) -> None:
    """Load, restate and build the marts of everything landed; nothing may be left out."""
    config = load_config(home)
    with warehouse.working(home, config) as con:
        for feed, day in loading.pending(con, home=home, config=config):
            result = loading.load_partition(con, home=home, config=config, feed=feed, business_date=day)
            assert result.blocked_by == ()
            assert result.rows_quarantined == 0
        assert restating.restate(con, config=config).blocked_by == ()
        assert quarantining.unbalanced_files(con) == []
        build_marts(con, sql_root=project_root() / "sql", config=config)
