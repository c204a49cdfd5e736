-- Purpose: units of agreement by the pattern of their ratings, all that any coefficient needs.
-- Grain:   as the tallies without the guideline: business_date x market (CROSS too) x queue x rater_pool x subject x
--          pattern x replicate, one or more rows each.
-- Source:  tallies.unit_patterns; for pool vendor, the agreement among a vendor's own annotators, what these gave to
--          units with two ratings or more (tallies.rater_patterns).
-- Units:   unit_count = units; single ratings are included.
select
    business_date,
    market,
    queue,
    rater_pool,
    subject,
    pattern,
    replicate,
    n as unit_count
from tallies.unit_patterns
union all
select
    business_date,
    market,
    queue,
    'vendor' as rater_pool,
    subject,
    own as pattern,
    replicate,
    n as unit_count
from tallies.rater_patterns
where subject_kind = 'vendor'
