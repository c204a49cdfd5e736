"""From the plan to the file, to the reviews that come back, to the defect rate that they are for."""

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest

from qa_pipeline import nights
from qa_pipeline.config import load_config
from qa_pipeline.instance import settle
from qa_pipeline.progress import Bar
from qa_pipeline.publishing import open_published
from qa_pipeline.settings import Home
from qa_pipeline_tests.small_home import Row, kept_environment, land, small_days, write_small_home

DAYS = small_days(2)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """Two dates of labels by three annotators, nothing reviewed so far."""
    with kept_environment():
        home = write_small_home(tmp_path, days=2, feeds=["labels"])
        # 36 decisions a date in 6 cells; 11 reviews cannot be spread evenly, so chances differ.
        (home.config / "quality.toml").write_text("[planning]\nreviews_per_day = 11\n", encoding="utf-8")
        yield home


def _run(home: Home, *, force: bool = False) -> None:
    settle(home)
    plan = nights.plan_run(home, config=load_config(home), start=None, end=None, force=force)
    done = nights.walk(home, plan=plan, force=force, step=Bar(None, words="", total=0))
    assert done.failures == {}


def test_reviews_of_the_sample_come_back_as_the_defect_rate_of_its_date(home: Home) -> None:
    """Stops chances that get lost on the way: the rate is Hajek's, weighted by 1 / the chance written in the file."""
    _run(home)
    path = home.reports / f"review_sample-{DAYS[1]}.csv"
    text = path.read_bytes()
    _run(home, force=True)
    assert path.read_bytes() == text
    with path.open(encoding="utf-8", newline="") as stream:
        picked = list(csv.DictReader(stream))
    assert len(picked) == 11
    assert len({row["inclusion_probability"] for row in picked}) > 1
    following = small_days(3)[2]
    reviews: list[Row] = [
        {**row}
        | {
            "review_id": f"rev-{place}",
            "reviewer_id": "qa1",
            "verdict_label": "ok",
            "error_category": "none" if place % 3 else "false_positive",
            "severity": "minor",
            "reviewed_at": f"{following}T12:00:00Z",
        }
        for place, row in enumerate(picked)
    ]
    land(home, feed="reviews", day=following, rows=reviews)
    _run(home)
    weights = [1 / float(row["inclusion_probability"]) for row in picked]
    rate = sum(weight for place, weight in enumerate(weights) if place % 3 == 0) / sum(weights)
    with open_published(home) as con:
        found = con.execute(
            "select estimate, n_items from marts.defect_rate where period = 'day' and period_end = ? "
            "and market = 'ALL' and queue = 'ALL' and subject_kind = 'rater_kind' and metric = 'defect_rate'",
            [DAYS[1]],
        ).fetchall()
        held_back = con.execute("select count(*) from quarantine.quarantined_rows where feed = 'reviews'").fetchall()
        sizes = con.execute("select distinct pool, pool_size from marts.review_plan").fetchall()
    assert held_back == [(0,)]
    # The weights add up to the decisions of the date; tallies keep them to a millionth.
    assert sum(size for _, size in sizes) == 36
    assert sum(weights) == pytest.approx(36, abs=1e-9)
    assert found == [(pytest.approx(rate, abs=1e-6), 11)]
