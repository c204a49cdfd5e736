"""The jobs: what belongs to one night, and the parts that the command line and the sensor put together.

Their partitions are those of the assets that they select.
"""

import dagster as dg

from qa_pipeline.defs.partitions import (
    FACTS_GROUP,
    MARTS_GROUP,
    QUARANTINE_GROUP,
    RAW_GROUP,
    REPORTS_GROUP,
    TALLIES_GROUP,
    VALIDATED_GROUP,
)

NIGHTLY = "nightly"
LOAD_DAY = "load_day"
RESTATE = "restate"
PUBLISH = "publish"
RESTATE_AND_PUBLISH = "restate_and_publish"

_groups = dg.AssetSelection.groups

nightly = dg.define_asset_job(
    NIGHTLY,
    selection=dg.AssetSelection.all(),
    description="One business date from its files to the published warehouse: load its feeds, rebuild the dates "
    "that they make stale, then marts, pages and the warehouse for readers once.",
)
load_day = dg.define_asset_job(
    LOAD_DAY,
    selection=_groups(RAW_GROUP, VALIDATED_GROUP, QUARANTINE_GROUP),
    description="Load the feeds of one business date.",
)
restate = dg.define_asset_job(
    RESTATE,
    selection=_groups(FACTS_GROUP, TALLIES_GROUP),
    description="Rebuild facts and tallies of every stale date, whatever the partition; each is recorded as its own.",
)
publish = dg.define_asset_job(
    PUBLISH,
    selection=_groups(MARTS_GROUP, REPORTS_GROUP),
    description="Marts from all tallies, then the pages and the warehouse for readers.",
)
restate_and_publish = dg.define_asset_job(
    RESTATE_AND_PUBLISH,
    selection=_groups(FACTS_GROUP, TALLIES_GROUP, MARTS_GROUP, REPORTS_GROUP),
    description="What follows the loading of any number of dates: rebuild every stale date, whatever the partition, "
    "then marts, pages and the warehouse for readers once.",
)
