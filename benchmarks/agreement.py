"""`make bench`: alpha over 20 queues beside one GROUP BY queue, item, label of the same ratings.

What is timed on our side is the whole way: `sql/tallies/unit_patterns.sql` as it is shipped, over a table of ratings in
the shape of facts.ratings and on disk as there, then alpha with its interval for every queue. Both sides run in one
process on the same table, one after the other, several times; the medians make the ratio. Three ratings an item.
"""

import argparse
import resource
import statistics
import tempfile
import time

import duckdb
import numpy as np

from qa_pipeline.contracts import REPLICATES
from qa_pipeline.marts.patterns import text_patterns
from qa_pipeline.settings import project_root
from qa_pipeline.stats.agreement import krippendorff_alpha
from qa_pipeline.stats.jackknife import interval, leave_one_out

SIZES = (1_000_000, 10_000_000, 30_000_000)
LABELS = tuple(f"label_{place}" for place in range(5))
QUEUES = 20
DAY = "2026-01-01"
RATINGS = """
create or replace table facts.ratings as
select
    date '2026-01-01' as business_date,
    'production' as rater_pool,
    'AU' as market,
    'queue_' || (i // 3 % 20) as queue,
    'item_' || (i // 3) as item_id,
    cast(stable_bucket('item_' || (i // 3), 20) as utinyint) as replicate,
    'annotator_' || (hash(i) % 500) as rater,
    case when hash(i * 7) % 10 < 7 then 'label_' || (hash(i // 3) % 5) else 'label_' || (hash(i * 13) % 5) end as label,
    '' as guideline_version
from range($ratings) as t(i)
"""
NO_MODELS = """
create or replace table facts.human_model as
select
    business_date,
    market,
    queue,
    item_id,
    replicate,
    label as human_label,
    label as model_label,
    guideline_version,
    '' as model_version
from facts.ratings
limit 0
"""
FLOOR = (
    "create or replace temp table floor as select queue, item_id, label, count(*) as n from facts.ratings group by all"
)


def main() -> None:
    """Measure and print `name: value unit` lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    sql = project_root() / "sql"
    with (
        tempfile.TemporaryDirectory(prefix="qa-bench-") as folder,
        duckdb.connect(f"{folder}/ratings.duckdb", config={"memory_limit": "4GB", "threads": 2}) as con,
    ):
        con.execute("set preserve_insertion_order = false")
        con.execute("create schema facts")
        con.execute((sql / "prelude.sql").read_text(encoding="utf-8"))
        tally = (sql / "tallies" / "unit_patterns.sql").read_text(encoding="utf-8")
        per_rating = []
        for size in arguments.sizes:
            con.execute(RATINGS, {"ratings": size})
            con.execute(NO_MODELS)
            pairs = [(_seconds(con, FLOOR), _alpha(con, tally)) for _ in range(arguments.repeats)]
            floor, ours = (statistics.median(side) for side in zip(*pairs, strict=True))
            per_rating.append(ours / size)
            millions = size / 1e6
            print(f"agreement_{millions:g}m_floor_seconds: {floor:.2f} s")
            print(f"agreement_{millions:g}m_seconds: {ours:.2f} s")
            print(f"agreement_{millions:g}m_over_group_by: {ours / floor:.2f} ratio (at most 3)")
    print(f"agreement_time_per_rating_largest_over_smallest: {per_rating[-1] / per_rating[0]:.2f} ratio (1 is linear)")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"agreement_peak_memory: {peak:.2f} GB (limit of 4 GB, ratings on disk)")


def _seconds(con: duckdb.DuckDBPyConnection, sql: str) -> float:
    started = time.perf_counter()
    con.execute(sql)
    return time.perf_counter() - started


def _alpha(con: duckdb.DuckDBPyConnection, tally: str) -> float:
    """Seconds from ratings to alpha and its interval in every queue."""
    started = time.perf_counter()
    found = con.execute(
        f"select queue, replicate, pattern, n from ({tally})",
        {"start_date": DAY, "end_date": DAY},
    ).fetchall()
    queues = sorted({row[0] for row in found})
    if len(queues) != QUEUES:
        message = f"{len(queues)} queues were tallied, not {QUEUES}"
        raise RuntimeError(message)
    for queue in queues:
        rows = [row for row in found if row[0] == queue]
        names = sorted({row[2] for row in rows})
        place = {name: index for index, name in enumerate(names)}
        counts = np.zeros((REPLICATES, len(names)))
        for _, replicate, pattern, n in rows:
            counts[replicate, place[pattern]] += n
        patterns = text_patterns(names, LABELS)
        alpha = krippendorff_alpha(leave_one_out(counts), patterns, weights=np.eye(len(LABELS)), is_ordinal=False)
        if not interval(alpha.value[:, None], transform="atanh").is_given.all():
            message = f"{queue} has no interval"
            raise RuntimeError(message)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
