-- Purpose: oldest and newest business date that any tally of the marts has, the bounds of period `all`.
-- Grain:   one row; both NULL when every tally is empty.
-- Source:  tallies.unit_patterns, outcome_counts, review_counts, label_counts, score_hist.
-- Units:   market-local dates.
with dates as (
    select business_date from tallies.unit_patterns
    union all
    select business_date from tallies.outcome_counts
    union all
    select business_date from tallies.review_counts
    union all
    select business_date from tallies.label_counts
    union all
    select business_date from tallies.score_hist
)

select
    min(business_date) as first_date,
    max(business_date) as last_date
from dates
