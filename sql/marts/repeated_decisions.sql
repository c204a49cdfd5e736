-- Purpose: decisions on items that the annotator had decided before, by whether they are the same.
-- Grain:   business_date x market x queue x rater x vendor x outcome x replicate.
-- Source:  tallies.repeat_counts.
-- Units:   unit_count = decisions; all weigh the same, so weight and weight_squared are 1e6 each.
select
    business_date,
    market,
    queue,
    'human' as rater_kind,
    rater,
    vendor,
    case when is_same then 'same' else 'other' end as outcome,
    replicate,
    n as unit_count,
    n * 1000000 as weight,
    n * 1000000 as weight_squared,
    1000000 as largest_weight
from tallies.repeat_counts
