"""`make bench`: all marts from the tallies of 90 days, 50 queues, 20 vendors, 5,000 annotators, beside a plain night.

The tallies are synthetic and made by SQL: 10,000 random reviews of people's decisions and 1,000 of models' a day, with
arbitration, known answers, appeals and 1,000 lots a day. Tallies that these marts do not read are empty. What is timed
is the building of all marts with their writing, in a process of its own.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import duckdb

from qa_pipeline import restating, warehouse
from qa_pipeline.config import load_config
from qa_pipeline.marts.build import build_marts
from qa_pipeline.settings import Home, project_root

DAYS, MARKETS, QUEUES, VENDORS, ANNOTATORS = 90, 5, 10, 20, 5000
FIRST = "2026-01-01"
SEVERITY = "case hash(i * 3) % 10 when 0 then 'critical' when 1 then 'major' when 2 then 'major' else 'minor' end"
CATEGORY = (
    "case hash(i * 5) % 4 when 0 then 'false_positive' when 1 then 'false_negative' when 2 then 'wrong_policy' "
    "else 'technical' end"
)
# A row a decision that was reviewed; an annotator has two queues.
REVIEWED = f"""
select
    i,
    date '{FIRST}' + cast(i % {DAYS} as integer) as business_date,
    hash(i * 11) % {ANNOTATORS} as person,
    hash(i * 13) % 100 < 7 as is_defect
from range($rows) as t(i)
"""
PLACE = f"""
    'M' || (person % {MARKETS}) as market,
    'Q' || ((person // {MARKETS} + 3 * (hash(i * 17) % 2)) % {QUEUES}) as queue,
    cast(hash(i * 19) % 20 as utinyint) as replicate
"""
PERSON = f"{PLACE}, 'V' || (person % {VENDORS}) as vendor"
FILL = {
    "review_counts": (
        10_000 * DAYS,
        f"""
        select business_date, {PERSON}, 'label' as target_kind, 'human' as rater_kind, 'A' || person as rater,
            'S' || (person % 60) as site, 'L' || (hash(i * 23) % 3) as label, 'L0' as verdict_label,
            case when is_defect then {CATEGORY} else 'none' end as error_category,
            case when is_defect then {SEVERITY} else 'minor' end as severity, 'random' as sampling,
            hash(i * 61) % 2 = 0 as is_blind,
            ['text', 'image', 'video', 'audio'][cast(1 + hash(i * 29) % 4 as integer)] as content_type,
            case when i % {DAYS} < 60 then 'g1' else 'g2' end as guideline_version, 1 as n,
            20000000 as weight_ppm, 400000000 as weight_sq_ppm, 20000000 as max_weight_ppm
        from ({REVIEWED})
        """,
    ),
    "review_counts of models": (
        1_000 * DAYS,
        f"""
        select business_date, {PLACE}, '' as vendor, 'prediction' as target_kind,
            'model' as rater_kind, 'model@' || (i % 3) as rater, '' as site, 'L' || (hash(i * 23) % 3) as label,
            'L0' as verdict_label, case when is_defect then {CATEGORY} else 'none' end as error_category,
            case when is_defect then {SEVERITY} else 'minor' end as severity, 'random' as sampling,
            hash(i * 61) % 2 = 0 as is_blind,
            'text' as content_type, '' as guideline_version, 1 as n, 20000000 as weight_ppm,
            400000000 as weight_sq_ppm, 20000000 as max_weight_ppm
        from ({REVIEWED})
        """,
    ),
    "reviewer_outcomes": (
        10_000 * DAYS,
        f"""
        select business_date, {PLACE}, 'R' || (hash(i * 31) % 200) as reviewer, 'label' as target_kind,
            'random' as sampling, is_defect as is_called,
            case when hash(i * 37) % 10 > 0 then ''
                when is_defect = (hash(i * 41) % 20 > 0) then 'defect' else 'none' end as found,
            case when hash(i * 37) % 10 > 0 then '' else 'random' end as arbitration_sampling, 1 as n,
            10000000 as weight_ppm, 100000000 as weight_sq_ppm, 10000000 as max_weight_ppm
        from ({REVIEWED})
        """,
    ),
    "gold_counts": (
        5_000 * DAYS,
        f"""
        select business_date, {PERSON}, 'I' || (person % {MARKETS}) || '-' || (hash(i * 43) % 2000) as item_id,
            'A' || person as rater, case when is_defect then 'L1' else 'L0' end as label, 'L0' as gold_label,
            1 + hash(i * 47) % 2 as exposure, hash(i * 53) % 4 = 0 as is_other_guideline, 1 as n, 1 as n_timed,
            20000 as handle_ms
        from ({REVIEWED})
        """,
    ),
    "annotator_label_counts": (
        40_000 * DAYS,
        f"""
        select business_date, {PERSON}, 'A' || person as rater, 'L' || (hash(i * 23) % 3) as label, 5 as n
        from ({REVIEWED})
        """,
    ),
    "appeal_counts": (
        500 * DAYS,
        f"""
        select * exclude (replicate)
        from (
            select business_date, {PERSON}, 'label' as target_kind, 'L' || (hash(i * 23) % 3) as label,
                ['upheld', 'overturned', 'partial'][cast(1 + hash(i * 59) % 3 as integer)] as outcome, 1 as n,
                1 as n_decisions
            from ({REVIEWED})
        )
        """,
    ),
}
# A lot a day, market, queue and vendor: 200 decisions, 10 reviews, of which now and then one found a defect.
LOT_COUNTS = f"""
select date '{FIRST}' + cast(day as integer) as business_date, 'M' || market as market, 'Q' || queue as queue,
    'V' || vendor as vendor, 'b' || vendor as lot, part.sort, part.severity, part.place,
    part.is_defect = 1 as is_defect, date '{FIRST}' + cast(day as integer) + 1 as reviewed_on, part.n,
    part.weight_ppm, part.weight_sq_ppm, part.max_weight_ppm
from range({DAYS}) as d(day), range({MARKETS}) as m(market), range({QUEUES}) as q(queue), range({VENDORS}) as v(vendor),
    (values
        ('decision', '', 0, 200, 0, 0, 0, 0), ('review', '', 0, 9, 180000000, 3600000000, 20000000, 0),
        ('review', 'major', 3, 1, 20000000, 400000000, 20000000, 1)
    ) as part(sort, severity, place, n, weight_ppm, weight_sq_ppm, max_weight_ppm, is_defect)
where part.is_defect = 0 or hash(day * 7 + market * 11 + queue * 13 + vendor * 17) % 3 = 0
"""
LABEL_COUNTS = """
select business_date, market, queue, replicate, 'human' as rater_kind, vendor, '' as model_version,
    'text' as content_type, 'g1' as guideline_version, label, cast(sum(n) as bigint) as n
from tallies.annotator_label_counts
group by all
"""


def main() -> None:
    """The child of `measure`: builds the marts of a home and prints seconds and peak memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    home = Home(parser.parse_args().home)
    config = load_config(home)
    with warehouse.working(home, config) as con:
        started = time.perf_counter()
        rows = build_marts(con, sql_root=project_root() / "sql", config=config)
        seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(json.dumps({"seconds": seconds, "peak_gb": peak, "rows": rows}))


def measure(folder: Path, *, night_seconds: float) -> None:
    """Print the time of the marts over that of a night, both of this run."""
    home = Home(folder).prepare()
    _configure(home)
    config = load_config(home)
    with warehouse.working(home, config) as con:
        restating.restate(con, config=config)  # Nothing has landed: makes the empty tallies.
        _fill(con)
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.quality", "--home", str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found = json.loads(done.stdout.strip().splitlines()[-1])
    print(f"quality_mart_rows: {sum(found['rows'].values())} rows")
    print(f"quality_marts_seconds: {found['seconds']:.2f} s")
    print(f"quality_marts_peak_memory: {found['peak_gb']:.2f} GB")
    print(f"quality_marts_over_night: {found['seconds'] / night_seconds:.3f} ratio (at most 0.2)", flush=True)


def _configure(home: Home) -> None:
    markets = "".join(f'[markets.M{place}]\ntime_zone = "UTC"\n' for place in range(MARKETS))
    labels = ", ".join(f'{{ code = "L{place}", is_violating = {str(place > 0).lower()} }}' for place in range(3))
    queues = "".join(f"[queues.Q{place}]\nlabels = [{labels}]\n" for place in range(QUEUES))
    texts = {
        "markets": markets,
        "taxonomy": f'version = "1"\n{queues}',
        "targets": "",
        "quality": "",
        "pipeline": 'memory_limit = "2500MB"\nthreads = 2\n',
    }
    for name, text in texts.items():
        (home.config / f"{name}.toml").write_text(text, encoding="utf-8")


def _fill(con: duckdb.DuckDBPyConnection) -> None:
    for name, (rows, select) in FILL.items():
        con.execute(f"insert into tallies.{name.split(' ', 1)[0]} by name {select}", {"rows": rows})
    con.execute(f"insert into tallies.lot_counts by name {LOT_COUNTS}")
    con.execute(f"insert into tallies.label_counts by name {LABEL_COUNTS}")
    con.execute("checkpoint")


if __name__ == "__main__":
    main()
