"""The daily partitions that everything from raw to tallies shares, and the names that tie the definitions together."""

import os
from datetime import date
from typing import Any

import dagster as dg

from qa_pipeline.instance import DEFAULT_FIRST_DATE, END_OFFSET_VARIABLE, FIRST_DATE_VARIABLE, LEAST_END_OFFSET

# What a step yields.
Told = dg.MaterializeResult[Any] | dg.AssetCheckResult

WRITER_POOL = "duckdb_writer"
OWNERS = ("team:label-quality",)

RAW_GROUP = "1_raw"
VALIDATED_GROUP = "2_validated"
QUARANTINE_GROUP = "3_quarantine"
FACTS_GROUP = "4_facts"
TALLIES_GROUP = "5_tallies"
MARTS_GROUP = "6_marts"
REPORTS_GROUP = "7_reports"


def daily() -> dg.DailyPartitionsDefinition:
    """One partition a business date, from `QA_FIRST_DATE` to today (UTC) or as many days on as `QA_END_OFFSET` says."""
    return dg.DailyPartitionsDefinition(
        start_date=os.environ.get(FIRST_DATE_VARIABLE) or DEFAULT_FIRST_DATE.isoformat(),
        end_offset=int(os.environ.get(END_OFFSET_VARIABLE) or LEAST_END_OFFSET),
        timezone="UTC",
    )


def run_date(context: dg.AssetExecutionContext) -> date:
    """Business date of the run's one partition."""
    return date.fromisoformat(context.partition_key)
