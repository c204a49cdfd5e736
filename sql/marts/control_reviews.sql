-- Purpose: reviewed decisions and those with a defect, a day and rater: the points of control charts.
-- Grain:   business_date (of the decision) x market x queue x rater kind x rater x vendor.
-- Source:  tallies.review_counts, random samples alone: targeted reviews and appeals never enter an unbiased rate.
-- Units:   unit_count, defect_count = reviews; weights = sums of 1/p in 1e-6, squared ones of 1/p^2 in 1e-6.
select
    business_date,
    market,
    queue,
    rater_kind,
    rater,
    vendor,
    cast(sum(n) as bigint) as unit_count,
    cast(sum(weight_ppm) as bigint) as weight,
    cast(sum(weight_sq_ppm) as bigint) as weight_squared,
    max(max_weight_ppm) as largest_weight,
    cast(coalesce(sum(n) filter (where error_category <> 'none'), 0) as bigint) as defect_count,
    cast(coalesce(sum(weight_ppm) filter (where error_category <> 'none'), 0) as bigint) as defect_weight,
    cast(coalesce(sum(weight_sq_ppm) filter (where error_category <> 'none'), 0) as bigint)
        as defect_weight_squared
from tallies.review_counts
where sampling = 'random'
group by all
