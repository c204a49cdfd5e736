-- Purpose: lots with their decisions, random reviews and defects, in the order of the sampling hash.
-- Grain:   business_date x market x queue x vendor x lot, several rows each: its decisions, its reviews without a
--          defect, and every defect with its place.
-- Source:  tallies.lot_counts.
-- Units:   decisions, reviews and defects are counts; place = rank of a defect among the lot's reviews by hash, from 1;
--          weight and weight_squared = sums of 1/p and 1/p^2 of the reviews, largest_weight = the largest 1/p; in 1e-6.
select
    business_date,
    market,
    queue,
    vendor,
    lot,
    case sort when 'decision' then n else 0 end as decisions,
    case sort when 'review' then n else 0 end as reviews,
    case when place > 0 then n else 0 end as defects,
    place,
    weight_ppm as weight,
    weight_sq_ppm as weight_squared,
    max_weight_ppm as largest_weight
from tallies.lot_counts
