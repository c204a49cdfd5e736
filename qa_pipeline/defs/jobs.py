"""The jobs: what belongs to one night, and the parts that the command line walks one by one."""

import dagster as dg

from qa_pipeline.defs.partitions import (
    FACTS_GROUP,
    MARTS_GROUP,
    QUARANTINE_GROUP,
    RAW_GROUP,
    REPORTS_GROUP,
    TALLIES_GROUP,
    VALIDATED_GROUP,
    daily,
)

NIGHTLY = "nightly"
LOAD_DAY = "load_day"
RESTATE = "restate"
PUBLISH = "publish"


@dg.definitions
def jobs() -> dg.Definitions:
    """One night as a whole, and its three parts."""
    groups = dg.AssetSelection.groups
    nightly = dg.define_asset_job(
        NIGHTLY,
        selection=dg.AssetSelection.all(),
        partitions_def=daily(),
        description="One business date from its files to the published warehouse: load its feeds, rebuild the dates "
        "that they make stale, then marts, pages and the warehouse for readers once.",
    )
    load_day = dg.define_asset_job(
        LOAD_DAY,
        selection=groups(RAW_GROUP, VALIDATED_GROUP, QUARANTINE_GROUP),
        partitions_def=daily(),
        description="Load the feeds of one business date.",
    )
    restate = dg.define_asset_job(
        RESTATE,
        selection=groups(FACTS_GROUP, TALLIES_GROUP),
        partitions_def=daily(),
        description="Rebuild facts and tallies of every stale date, whatever the partition; each is recorded as its "
        "own.",
    )
    publish = dg.define_asset_job(
        PUBLISH,
        selection=groups(MARTS_GROUP, REPORTS_GROUP),
        description="Marts from all tallies, then the pages and the warehouse for readers.",
    )
    return dg.Definitions(jobs=[nightly, load_day, restate, publish])
