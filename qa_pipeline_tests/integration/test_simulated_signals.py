"""A simulated operation whose truth is known: its control charts signal the vendor's dip, and hardly anything else."""

import json
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import duckdb
import pandas as pd
import pytest

from qa_pipeline.config import load_config
from qa_pipeline.marts.build import build_marts
from qa_pipeline.settings import Home
from qa_pipeline.simulation.simulate import simulate
from qa_pipeline_tests.landed_frames import read_landed
from qa_pipeline_tests.tally_tables import SQL_ROOT, empty_warehouse, fill

# The size at which the dip must be seen: about 200 random reviews a day of the vendor that dips (the demo's size).
LABELS_A_DAY = 4000
SOON = timedelta(days=2)


@pytest.fixture(scope="module")
def signalled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[duckdb.DuckDBPyConnection, dict[str, Any]]]:
    """Marts of the random reviews of 30 simulated days, straight from the landing files, and truth.json."""
    home = Home(tmp_path_factory.mktemp("signals") / "home").prepare()
    simulate(home, days=30, seed=3, labels_per_day=LABELS_A_DAY, predictions_per_day=0, dirty=False)
    con = empty_warehouse()
    fill(con, "tallies.review_counts", _review_counts(home))
    build_marts(con, sql_root=SQL_ROOT, config=load_config(home))
    yield con, json.loads((home.root / "truth.json").read_text())
    con.close()


def _review_counts(home: Home) -> pd.DataFrame:
    """A row of tallies.review_counts for every random review of a production decision."""
    feeds = read_landed(home)
    reviews, labels = feeds["reviews"], feeds["labels"].drop_duplicates("label_id", keep="last")
    random = reviews[(reviews["sampling"] == "random") & (reviews["target_kind"] == "label")]
    named = {"annotator_id": "rater", "label_id": "target_id"}
    columns = ["label_id", "annotator_id", "vendor", "label", "stage", "business_date"]
    judged = random.drop(columns="business_date").merge(labels[columns].rename(columns=named), on="target_id")
    judged = judged[judged["stage"] == "production"].reset_index(drop=True)
    weight = 1 / judged["inclusion_probability"].astype(float)
    return pd.DataFrame(
        {
            **{name: judged[name] for name in ("business_date", "market", "queue", "rater", "vendor", "label")},
            **{name: judged[name] for name in ("error_category", "severity", "sampling")},
            "is_blind": judged["is_blind"].astype(bool),
            "replicate": pd.util.hash_pandas_object(judged["item_id"], index=False) % 20,
            "weight_ppm": (weight * 1e6).astype("int64"),
            "weight_sq_ppm": (weight**2 * 1e6).astype("int64"),
            "max_weight_ppm": (weight * 1e6).astype("int64"),
        }
    )


def _dip(truth: dict[str, Any]) -> tuple[str, date, date]:
    (dip,) = (incident for incident in truth["incidents"] if incident["kind"] == "vendor_dip")
    return dip["vendor"], date.fromisoformat(dip["from"]), date.fromisoformat(dip["to"])


def test_the_dip_is_signalled_within_three_days(
    signalled: tuple[duckdb.DuckDBPyConnection, dict[str, Any]],
) -> None:
    """Stops charts that need longer, or that date the change elsewhere."""
    con, truth = signalled
    vendor, first, _ = _dip(truth)
    found = con.execute(
        "select period_end, change_date, direction from marts.signals where is_alarm and subject_kind = 'vendor' "
        "and subject = ? and market = 'ALL' and queue = 'ALL' order by period_end",
        [vendor],
    ).fetchall()
    night, change, direction = found[0]
    assert first <= night <= first + SOON
    assert direction == "worse"
    assert abs((change - first).days) <= 1


def test_vendors_that_did_not_change_are_left_in_peace(
    signalled: tuple[duckdb.DuckDBPyConnection, dict[str, Any]],
) -> None:
    """Stops alarms about the others, and alarms before the dip began."""
    con, truth = signalled
    vendor, first, _ = _dip(truth)
    others = con.execute(
        "select count(*) from marts.signals where is_alarm and subject_kind = 'vendor' and subject <> ?", [vendor]
    ).fetchall()
    early = con.execute("select count(*) from marts.signals where is_alarm and period_end < ?", [first]).fetchall()
    watched = con.execute(
        "select count(distinct (market, queue, subject)) from marts.control_chart "
        "where phase = 'monitored' and subject_kind = 'vendor' and subject <> ?",
        [vendor],
    ).fetchall()
    assert watched[0][0] > 50
    assert others == [(0,)]
    assert early == [(0,)]
