-- Purpose: QA's blind verdicts on decisions picked at random, by what arbitration found.
-- Grain:   business_date (of the verdict) x market x queue x reviewer x target_kind x verdict (defect, none) x found
--          (defect, none, or empty: not arbitrated at random).
-- Source:  tallies.reviewer_outcomes, random reviews alone: targeted reviews and appeals are of decisions that looked
--          wrong. Arbitrations that were targeted count as none for the same reason.
-- Units:   unit_count = verdicts; weight and weight_squared = sums of 1/p and 1/p^2, p of being reviewed and
--          arbitrated, largest_weight = the largest 1/p; in 1e-6, 0 where found is empty.
select
    business_date,
    market,
    queue,
    reviewer,
    target_kind,
    case when is_called then 'defect' else 'none' end as verdict,
    case when arbitration_sampling = 'random' then found else '' end as found,
    cast(sum(n) as bigint) as unit_count,
    cast(coalesce(sum(weight_ppm) filter (where arbitration_sampling = 'random'), 0) as bigint) as weight,
    cast(coalesce(sum(weight_sq_ppm) filter (where arbitration_sampling = 'random'), 0) as bigint) as weight_squared,
    coalesce(max(max_weight_ppm) filter (where arbitration_sampling = 'random'), 0) as largest_weight
from tallies.reviewer_outcomes
where sampling = 'random'
group by all
