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
# All else is as without a quality.toml, which is what the second computations know. A baseline of 28 days would leave
# nothing to judge.
QUALITY = "[baseline]\ndays = 14\n"
_READERS = {
    "csv": "read_csv({files}, all_varchar = true, header = true, union_by_name = true, filename = true)",
    "jsonl": "read_json({files}, format = 'newline_delimited', union_by_name = true, filename = true)",
    "parquet": "read_parquet({files}, union_by_name = true, filename = true)",
}


def read_landed(home: Home) -> dict[str, pd.DataFrame]:
    """Every feed's landed rows with its contract columns and `business_date`; absent feeds are empty frames."""
    frames = {}
    for name, feed in FEEDS.items():
        columns = [*feed.names, "business_date"]
        by_format: dict[str, list[str]] = {}
        for path in sorted((home.landing / name).rglob("*")):
            if path.is_file():
                by_format.setdefault(path.name.removesuffix(".gz").rpartition(".")[2], []).append(str(path))
        with duckdb.connect() as con:
            parts = [
                con.sql("from " + _READERS[format_].format(files=files)).to_arrow_table().to_pandas()
                for format_, files in by_format.items()
            ]
        frame = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=[*columns, "filename"])
        frame = frame.sort_values("filename", kind="stable", ignore_index=True)
        frame["business_date"] = pd.to_datetime(frame["filename"].str.extract(r"/date=([0-9-]{10})/")[0])
        frames[name] = _typed(frame.reindex(columns=columns), {column.name: column.type for column in feed.columns})
    return frames


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
