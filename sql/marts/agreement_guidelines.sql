-- Purpose: which guideline the units of a date were rated under.
-- Grain:   business_date x market x queue x guideline_version.
-- Source:  tallies.unit_patterns, pool production.
-- Units:   unit_count = units.
select
    business_date,
    market,
    queue,
    guideline_version,
    cast(sum(n) as bigint) as unit_count
from tallies.unit_patterns
where rater_pool = 'production' and market <> 'CROSS'
group by all
