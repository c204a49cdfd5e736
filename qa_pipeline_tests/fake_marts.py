"""A small warehouse with made-up marts, for tests of the charts and pages: 5 markets, 5 queues, 60 days, seeded.

Shapes are those of the real marts, numbers are only plausible. Incidents on purpose: BR/hate has a doubled defect rate
and a shifted label mix from day 45; vendor `borealis` errs more; ID/spam sits on its target; JP/minors is nearly empty.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from functools import cache

import duckdb
import pandas as pd

from qa_pipeline.charts.reading import MARTS, MartRow
from qa_pipeline.config import Config
from qa_pipeline.marts.verdicts import VERDICT_MARTS
from qa_pipeline_tests.fake_agreement import agreement_marts
from qa_pipeline_tests.fake_draws import HOSTILE, MARKETS, QUEUES, TARGETS, Draws, fake_verdict
from qa_pipeline_tests.fake_quality import EXTRA, quality_marts

_MART_COLUMNS = """
    period varchar, period_start date, period_end date, market varchar, queue varchar, subject_kind varchar,
    subject varchar, metric varchar, reference_kind varchar, method varchar, estimate double, ci_low double,
    ci_high double, n_items bigint, n_ratings bigint, is_provisional boolean, reason varchar
"""
_MART_TABLES = "\n".join(
    f"create table marts.{mart} ({_MART_COLUMNS}{', verdict varchar' if mart in VERDICT_MARTS else ''});"
    for mart in MARTS
    if mart not in EXTRA
) + "\n".join(f"create table marts.{mart} ({_MART_COLUMNS}, {extra});" for mart, extra in EXTRA.items())
_DDL = f"""
create schema marts; create schema tallies; create schema ops; create schema quarantine; create schema config;
{_MART_TABLES}
create table tallies.label_counts (
    business_date date, market varchar, queue varchar, replicate utinyint, rater_kind varchar, vendor varchar,
    model_version varchar, content_type varchar, guideline_version varchar, label varchar, n bigint
);
create table tallies.review_counts (
    business_date date, market varchar, queue varchar, replicate utinyint, target_kind varchar, rater_kind varchar,
    rater varchar, vendor varchar, site varchar, label varchar, verdict_label varchar, error_category varchar,
    severity varchar, sampling varchar, content_type varchar, guideline_version varchar, n bigint, weight_ppm bigint,
    weight_sq_ppm bigint, max_weight_ppm bigint
);
create table ops.ledger (
    feed varchar, business_date date, file_name varchar, sha256 varchar, bytes bigint, rows_landed bigint,
    rows_validated bigint, rows_quarantined bigint, rows_superseded bigint, status varchar, message varchar
);
create table ops.rule_results (
    feed varchar, business_date date, layer varchar, rule_id varchar, action varchar, severity varchar,
    description varchar, rows_checked bigint, rows_failed bigint, is_success boolean, message varchar
);
create table ops.partitions (feed varchar, business_date date, fingerprint varchar, status varchar, message varchar);
create table quarantine.quarantined_files (
    feed varchar, business_date date, file_name varchar, rule_id varchar, message varchar, rows_landed bigint
);
create table quarantine.quarantined_rows (
    feed varchar, business_date date, file_name varchar, row_number bigint, row_id bigint, layer varchar,
    rule_ids varchar[], row_json varchar
);
"""


def fake_config(*, is_hostile: bool = False) -> Config:
    """A configuration with the markets, queues and targets of the fake marts."""
    names = dict(QUEUES)
    if is_hostile:
        names["hate"] = HOSTILE["queue_name"]
    labels = [{"code": "ok", "is_violating": False}, {"code": "violating", "is_violating": True}]
    targets = [{"metric": "defect_rate", "queue": queue, "value": value} for queue, value in TARGETS.items()]
    targets += [{"metric": "defect_rate", "value": 0.04}, {"metric": "agreement", "value": 0.7}]
    targets += [{"metric": "accuracy", "value": 0.9}]
    return Config.model_validate(
        {
            "taxonomy": {
                "version": "v7",
                "queues": {code: {"name": name, "labels": labels} for code, name in names.items()},
            },
            "markets": {"markets": {code: {"name": name, "time_zone": "UTC"} for code, name in MARKETS.items()}},
            "targets": {"targets": targets},
            "pipeline": {},
        }
    )


def empty_warehouse() -> duckdb.DuckDBPyConnection:
    """An in-memory warehouse with every table and no row."""
    con = duckdb.connect(":memory:")
    con.execute(_DDL)
    return con


def fake_warehouse(*, days: int = 60, seed: int = 7, is_hostile: bool = False) -> duckdb.DuckDBPyConnection:
    """An in-memory warehouse with `days` days of made-up marts, tallies and bookkeeping."""
    con = empty_warehouse()
    for table, rows in _rows(days, seed, is_hostile=is_hostile):
        _insert(con, table, rows)
    return con


@cache
def _rows(days: int, seed: int, *, is_hostile: bool) -> list[tuple[str, Sequence[tuple[object, ...]]]]:
    """Rows by table, drawn once for all tests of a process."""
    draws = Draws(days=days, seed=seed, is_hostile=is_hostile)
    behind = agreement_marts(
        last=draws.days[-1],
        markets=draws.markets,
        vendors=draws.vendors,
        versions=draws.versions,
        is_hostile=is_hostile,
    )
    marts = [*draws.marts().items(), *behind.items(), *quality_marts(draws).items()]
    return [
        *((f"marts.{mart}", rows) for mart, rows in marts),
        ("tallies.label_counts", draws.label_counts),
        ("tallies.review_counts", draws.review_counts),
        *draws.bookkeeping().items(),
    ]


def labels_only_warehouse() -> duckdb.DuckDBPyConnection:
    """A home in which nothing but labels has landed, all of it final."""
    con = fake_warehouse()
    for statement in (
        "delete from marts.defect_rate",
        "delete from marts.accuracy",
        "delete from marts.drift where subject_kind <> 'labels'",
        "delete from marts.agreement where subject_kind = 'model_version' or subject = 'model'",
        "delete from marts.anchoring",
        "delete from marts.calibration",
        *(f"delete from marts.{mart}" for mart in ("qa_accuracy", *EXTRA)),
        "delete from tallies.review_counts",
        "delete from tallies.label_counts where rater_kind = 'model'",
        "delete from ops.ledger where feed <> 'labels'",
        "delete from ops.rule_results where feed <> 'labels'",
        "delete from ops.partitions where feed <> 'labels'",
        "update marts.agreement set is_provisional = false",
    ):
        con.execute(statement)
    return con


def _insert(con: duckdb.DuckDBPyConnection, table: str, rows: Sequence[tuple[object, ...]]) -> None:
    if not rows:
        return
    columns = [name for (name, *_) in con.execute(f"describe {table}").fetchall()]
    con.register("staged", pd.DataFrame(rows, columns=columns))
    con.execute(f"insert into {table} select * from staged")
    con.unregister("staged")


def mart_row(
    estimate: float | None,
    low: float | None = None,
    high: float | None = None,
    *,
    start: date = date(2026, 11, 2),
    end: date | None = None,
    period: str = "day",
    market: str = "BR",
    queue: str = "hate",
    subject_kind: str = "rater_kind",
    subject: str = "human",
    metric: str = "defect_rate",
    reference_kind: str = "qa",
    n: int = 400,
    is_provisional: bool = False,
    reason: str | None = None,
) -> MartRow:
    """One row as the pages read it, for tests that need no warehouse; a coefficient is judged as the marts judge it."""
    length = {"day": 1, "week": 7, "trailing_28d": 28}.get(period, 1)
    last = end or start + timedelta(days=length - 1)
    return MartRow(
        period=period,
        start=last - timedelta(days=length - 1),
        end=last,
        market=market,
        queue=queue,
        subject_kind=subject_kind,
        subject=subject,
        metric=metric,
        reference_kind=reference_kind,
        method="",
        estimate=estimate,
        low=low,
        high=high,
        n_items=n,
        n_ratings=n,
        is_provisional=is_provisional,
        reason=reason,
        verdict=fake_verdict(metric, low, high),
    )
