-- Purpose: which guideline the units of a date were rated under.
-- Grain:   business_date x market (CROSS too) x queue x rater_pool x subject x guideline_version.
-- Source:  tallies.unit_patterns; units without a guideline say nothing about one.
-- Units:   unit_count = units.
select
    business_date,
    market,
    queue,
    rater_pool,
    subject,
    guideline_version,
    cast(sum(n) as bigint) as unit_count
from tallies.unit_patterns
where guideline_version <> ''
group by all
