"""Tallies for tests: the tables as the pipeline makes them, in memory, filled by the test.

Only schemas and inserts belong here; what the counts are is the test's business.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from qa_pipeline.config import (
    Config,
    LabelConfig,
    MarketConfig,
    Markets,
    PipelineConfig,
    QueueConfig,
    Scale,
    Targets,
    Taxonomy,
)
from qa_pipeline.quality_config import QualityConfig

SQL_ROOT = Path(__file__).resolve().parents[1] / "sql"
SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
DAY = date(2026, 3, 2)
FACTS = """
create schema facts;
create table facts.ratings (
    business_date date, rater_pool varchar, market varchar, queue varchar, item_id varchar, replicate utinyint,
    rater varchar, vendor varchar, label varchar, guideline_version varchar
);
create table facts.human_model (
    business_date date, market varchar, queue varchar, item_id varchar, replicate utinyint, model_version varchar,
    human_label varchar, model_label varchar, guideline_version varchar
);
"""
_CELL = "business_date DATE, market VARCHAR, queue VARCHAR"
TABLES = {
    "tallies.label_counts": f"{_CELL}, replicate UTINYINT, rater_kind VARCHAR, vendor VARCHAR, model_version VARCHAR, "
    "content_type VARCHAR, guideline_version VARCHAR, label VARCHAR, n BIGINT",
    "tallies.unit_patterns": f"{_CELL}, replicate UTINYINT, rater_pool VARCHAR, subject VARCHAR, "
    "guideline_version VARCHAR, pattern VARCHAR, n_raters INTEGER, n BIGINT",
    "tallies.pair_counts": f"{_CELL}, replicate UTINYINT, rater_pool VARCHAR, rater_a VARCHAR, rater_b VARCHAR, "
    "label_a VARCHAR, label_b VARCHAR, n BIGINT",
    "tallies.rater_patterns": f"{_CELL}, replicate UTINYINT, subject_kind VARCHAR, subject VARCHAR, own VARCHAR, "
    "others VARCHAR, n BIGINT",
    "tallies.repeat_counts": f"{_CELL}, replicate UTINYINT, rater VARCHAR, vendor VARCHAR, is_same BOOLEAN, n BIGINT",
    "tallies.suggestion_counts": f"{_CELL}, replicate UTINYINT, rater VARCHAR, vendor VARCHAR, is_shown BOOLEAN, "
    "is_same BOOLEAN, n BIGINT",
    "tallies.outcome_counts": f"{_CELL}, replicate UTINYINT, rater_kind VARCHAR, rater VARCHAR, vendor VARCHAR, "
    "label VARCHAR, reference_label VARCHAR, reference_kind VARCHAR, sampling VARCHAR, content_type VARCHAR, "
    "guideline_version VARCHAR, n BIGINT, weight_ppm BIGINT, weight_sq_ppm BIGINT, max_weight_ppm BIGINT",
    "tallies.score_hist": f"{_CELL}, model_version VARCHAR, label VARCHAR, bin INTEGER, n BIGINT, "
    "score_sum_ppm BIGINT, score_sq_sum_ppm BIGINT",
    "tallies.review_counts": f"{_CELL}, replicate UTINYINT, target_kind VARCHAR, rater_kind VARCHAR, rater VARCHAR, "
    "vendor VARCHAR, site VARCHAR, label VARCHAR, verdict_label VARCHAR, error_category VARCHAR, severity VARCHAR, "
    "sampling VARCHAR, is_blind BOOLEAN, content_type VARCHAR, guideline_version VARCHAR, n BIGINT, weight_ppm BIGINT, "
    "weight_sq_ppm BIGINT, max_weight_ppm BIGINT",
    "tallies.reviewer_outcomes": f"{_CELL}, replicate UTINYINT, reviewer VARCHAR, target_kind VARCHAR, "
    "sampling VARCHAR, is_called BOOLEAN, found VARCHAR, arbitration_sampling VARCHAR, n BIGINT, weight_ppm BIGINT, "
    "weight_sq_ppm BIGINT, max_weight_ppm BIGINT",
    "tallies.gold_counts": f"{_CELL}, replicate UTINYINT, item_id VARCHAR, rater VARCHAR, vendor VARCHAR, "
    "label VARCHAR, gold_label VARCHAR, exposure BIGINT, is_other_guideline BOOLEAN, n BIGINT, n_timed BIGINT, "
    "handle_ms BIGINT",
    "tallies.annotator_label_counts": f"{_CELL}, replicate UTINYINT, vendor VARCHAR, rater VARCHAR, label VARCHAR, "
    "n BIGINT",
    "tallies.lot_counts": f"{_CELL}, vendor VARCHAR, lot VARCHAR, sort VARCHAR, severity VARCHAR, place BIGINT, "
    "is_defect BOOLEAN, reviewed_on DATE, n BIGINT, weight_ppm BIGINT, weight_sq_ppm BIGINT, max_weight_ppm BIGINT",
    "tallies.appeal_counts": f"{_CELL}, target_kind VARCHAR, vendor VARCHAR, label VARCHAR, outcome VARCHAR, n BIGINT, "
    "n_decisions BIGINT",
    "ops.partitions": "feed VARCHAR, business_date DATE, fingerprint VARCHAR, status VARCHAR, message VARCHAR",
    "ops.ledger": "feed VARCHAR, business_date DATE, file_name VARCHAR, rows_landed BIGINT, rows_validated BIGINT",
}
# What a row of a tally has where a test does not say otherwise.
DEFAULTS: dict[str, Any] = {
    "business_date": DAY,
    "market": "AU",
    "queue": "hate",
    "replicate": 0,
    "rater_kind": "human",
    "rater": "a1",
    "vendor": "v1",
    "site": "s1",
    "model_version": "",
    "content_type": "text",
    "guideline_version": "",
    "label": "yes",
    "rater_pool": "production",
    "subject": "",
    "subject_kind": "annotator",
    "rater_a": "a1",
    "rater_b": "a2",
    "is_same": True,
    "is_shown": True,
    "reference_label": "yes",
    "reference_kind": "gold",
    "sampling": "census",
    "target_kind": "label",
    "is_blind": True,
    "verdict_label": "yes",
    "error_category": "none",
    "severity": "minor",
    "outcome": "upheld",
    "reviewer": "q1",
    "is_called": False,
    "found": "",
    "arbitration_sampling": "",
    "item_id": "i1",
    "gold_label": "yes",
    "exposure": 1,
    "is_other_guideline": False,
    "n_timed": 1,
    "n_decisions": 1,
    "handle_ms": 1000,
    "lot": "b1",
    "sort": "decision",
    "place": 0,
    "is_defect": False,
    "reviewed_on": DAY,
    "weight_ppm": 1_000_000,
    "weight_sq_ppm": 1_000_000,
    "score_sum_ppm": 0,
    "score_sq_sum_ppm": 0,
    "n": 1,
    "feed": "labels",
    "fingerprint": "f",
    "status": "loaded",
    "message": None,
    "file_name": "a.csv",
    "rows_landed": 1,
    "rows_validated": 1,
}


def empty_warehouse() -> duckdb.DuckDBPyConnection:
    """An in-memory warehouse with empty tallies, ops.partitions, ops.ledger and schema marts."""
    con = duckdb.connect()
    for schema in ("tallies", "ops", "marts"):
        con.execute(f"create schema {schema}")
    for name, columns in TABLES.items():
        con.execute(f"create table {name} ({columns})")
    return con


def fill(con: duckdb.DuckDBPyConnection, table: str, rows: pd.DataFrame | Sequence[Mapping[str, Any]]) -> None:
    """Insert rows into a tally; columns that they lack take their default.

    The largest weight of a row without one is that of all its units: squared weights over weights.
    """
    names = [column.split(" ")[0] for column in TABLES[table].split(", ")]
    defaults = {name: DEFAULTS.get(name) for name in names}
    if isinstance(rows, pd.DataFrame):
        frame = rows.assign(**{name: value for name, value in defaults.items() if name not in rows})
    else:
        frame = pd.DataFrame([defaults | dict(row) for row in rows])
    if "max_weight_ppm" in names and "max_weight_ppm" not in frame.dropna(axis=1, how="all"):
        frame["max_weight_ppm"] = frame["weight_sq_ppm"] * 1_000_000 // frame["weight_ppm"]
    con.register("frame", frame)
    con.execute(f"insert into {table} by name from frame")
    con.unregister("frame")


def tally_ratings(
    con: duckdb.DuckDBPyConnection, ratings: pd.DataFrame, human_model: pd.DataFrame | None = None
) -> None:
    """Fill the tallies of agreement by their own SQL, from rows of facts.ratings and facts.human_model."""
    con.execute((SQL_ROOT / "prelude.sql").read_text(encoding="utf-8"))
    con.execute(FACTS)
    for table, rows in (("ratings", ratings), ("human_model", human_model)):
        if rows is not None:
            con.register("given", rows)
            con.execute(f"insert into facts.{table} by name select * from given")
            con.unregister("given")
    dates = {"start_date": date.min, "end_date": date.max}
    for tally in ("unit_patterns", "pair_counts", "rater_patterns"):
        select = (SQL_ROOT / "tallies" / f"{tally}.sql").read_text(encoding="utf-8")
        con.execute(f"insert into tallies.{tally} by name {select}", dates)


def land(con: duckdb.DuckDBPyConnection, *days: date, feed: str = "labels", rows_validated: int = 1) -> None:
    """Say in ops that a file of these dates has landed, of whose rows so many passed."""
    landed = [{"feed": feed, "business_date": day} for day in days]
    fill(con, "ops.partitions", landed)
    fill(con, "ops.ledger", [partition | {"rows_validated": rows_validated} for partition in landed])


def config(
    queues: Mapping[str, Sequence[str]],
    *,
    markets: Sequence[str] = ("AU",),
    multi_select: Sequence[str] = (),
    scales: Mapping[str, Scale] | None = None,
    quality: QualityConfig | None = None,
) -> Config:
    """A configuration with these queues (code: labels) and markets; `scales` other than nominal by queue."""
    return Config(
        taxonomy=Taxonomy(
            version="1",
            queues={
                code: QueueConfig(
                    labels=tuple(
                        LabelConfig(code=label, is_violating=place == 0) for place, label in enumerate(labels)
                    ),
                    is_multi_select=code in multi_select,
                    scale=(scales or {}).get(code, "nominal"),
                )
                for code, labels in queues.items()
            },
        ),
        markets=Markets(markets={code: MarketConfig(time_zone="UTC") for code in markets}),
        targets=Targets(),
        pipeline=PipelineConfig(),
        quality=quality or QualityConfig(),
    )


def unit_patterns(ratings: pd.DataFrame, *, key: Sequence[str], label: str = "label") -> pd.DataFrame:
    """Rows of tallies.unit_patterns from one rating a row; `key` is the unit (item_id and, if any, market, queue).

    The replicate is a hash of the item, as in the warehouse in spirit: fixed, and blind to what was decided.
    """
    patterns = ratings.sort_values(label).groupby(list(key), sort=True)[label].agg([",".join, "size"]).reset_index()
    patterns = patterns.rename(columns={"join": "pattern", "size": "n_raters"})
    patterns["replicate"] = pd.util.hash_pandas_object(patterns["item_id"], index=False) % 20
    return patterns.drop(columns="item_id")


@dataclass(frozen=True)
class MartRow:
    """A row of a mart; NULL numbers are NaN, a NULL reason is an empty text. `extra`: columns that only it has."""

    period: str
    period_start: date
    period_end: date
    market: str
    queue: str
    subject_kind: str
    subject: str
    metric: str
    reference_kind: str
    method: str
    estimate: float
    ci_low: float
    ci_high: float
    n_items: int
    n_ratings: int
    is_provisional: bool
    reason: str
    verdict: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def has(self, **wanted: str) -> bool:
        """Whether the columns named have the values given."""
        return all(getattr(self, column) == value for column, value in wanted.items())


def read_mart(con: duckdb.DuckDBPyConnection, name: str, **wanted: str) -> list[MartRow]:
    """Rows of a mart in the order in which it stores them, those whose columns have the `wanted` values."""
    found = con.execute(
        f"select * replace (coalesce(estimate, 'nan') as estimate, coalesce(ci_low, 'nan') as ci_low, "
        f"coalesce(ci_high, 'nan') as ci_high, coalesce(reason, '') as reason) from marts.{name}"
    )
    columns = [column for column, *_ in found.description]
    known = {each.name for each in fields(MartRow)}
    rows = []
    for values in found.fetchall():
        named = dict(zip(columns, values, strict=True))
        extra = {name: value for name, value in named.items() if name not in known}
        row = MartRow(**{name: value for name, value in named.items() if name in known}, extra=extra)
        if row.has(**wanted):
            rows.append(row)
    return rows


def by(rows: Sequence[MartRow], *columns: str) -> dict[Any, MartRow]:
    """Rows by one column, or by several as a tuple; ValueError when two rows have the same key."""
    keys = [tuple(getattr(row, column) for column in columns) for row in rows]
    if len(set(keys)) < len(keys):
        message = f"{columns} do not identify rows"
        raise ValueError(message)
    return {key if len(columns) > 1 else key[0]: row for key, row in zip(keys, rows, strict=True)}
