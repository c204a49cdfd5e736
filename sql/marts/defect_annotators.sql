-- Purpose: reviewed decisions of people by what the review found, per annotator.
-- Grain:   business_date (of the decision) x market x queue x rater x error_category x severity x replicate, one or
--          more rows each.
-- Source:  tallies.review_counts, random samples alone: targeted reviews and appeals never enter an unbiased rate.
-- Units:   unit_count = reviews; weight and weight_squared = sums of 1/p and 1/p^2, largest_weight = the largest 1/p;
--          in 1e-6.
select
    business_date,
    market,
    queue,
    rater_kind,
    rater,
    error_category,
    severity,
    replicate,
    n as unit_count,
    weight_ppm as weight,
    weight_sq_ppm as weight_squared,
    max_weight_ppm as largest_weight
from tallies.review_counts
where sampling = 'random' and rater_kind = 'human'
