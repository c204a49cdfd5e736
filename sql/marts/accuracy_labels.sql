-- Purpose: judged decisions, right or wrong, per label that the reference has.
-- Grain:   business_date x market x queue x subject_kind (label: people, model_label: models) x subject (the
--          reference's label) x reference_kind x outcome x replicate.
-- Source:  tallies.outcome_counts; as accuracy_outcomes.
-- Units:   unit_count = ratings; weight and weight_squared = sums of 1/p and 1/p^2, largest_weight = the largest 1/p;
--          in 1e-6.
select
    business_date,
    market,
    queue,
    rater_kind,
    case when rater_kind = 'human' then 'label' else 'model_label' end as subject_kind,
    reference_label as subject,
    reference_kind,
    case when label = reference_label then 'right' else 'wrong' end as outcome,
    replicate,
    cast(sum(n) as bigint) as unit_count,
    cast(sum(weight_ppm) as bigint) as weight,
    cast(sum(weight_sq_ppm) as bigint) as weight_squared,
    max(max_weight_ppm) as largest_weight
from tallies.outcome_counts
where sampling in ('census', 'random')
group by all
