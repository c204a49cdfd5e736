-- Purpose: judged decisions, right or wrong, per rater.
-- Grain:   as the tally: business_date x market x queue x rater x vendor x reference_kind x outcome x replicate, one or
--          more rows each.
-- Source:  tallies.outcome_counts; QA references from targeted reviews and appeals are left out, because they were
--          picked for looking wrong. Each rating is judged by its best reference once, so kinds can be added up.
-- Units:   unit_count = ratings; weight and weight_squared = sums of 1/p and 1/p^2, largest_weight = the largest 1/p;
--          in 1e-6.
select
    business_date,
    market,
    queue,
    rater_kind,
    rater,
    vendor,
    reference_kind,
    case when label = reference_label then 'right' else 'wrong' end as outcome,
    replicate,
    n as unit_count,
    weight_ppm as weight,
    weight_sq_ppm as weight_squared,
    max_weight_ppm as largest_weight
from tallies.outcome_counts
where sampling in ('census', 'random')
