-- Purpose: lots with their decisions, random reviews and defects, in the order in which reviews were completed.
-- Grain:   business_date x market x queue x vendor x lot, several rows each: its decisions, its reviews without a
--          defect by their date, and its defects, each with its place if it is in the sample.
-- Source:  tallies.lot_counts.
-- Units:   decisions, reviews and defects are counts, sampled the reviews in the sample of equal chances, unstated
--          those of unknown ones; place = rank of a defect in that sample, from 1; reviewed_on = days from 1970-01-01
--          to the review; weight and weight_squared = sums of 1/p and 1/p^2 of the reviews, largest_weight = the
--          largest 1/p; in 1e-6.
select
    business_date,
    market,
    queue,
    vendor,
    lot,
    case sort when 'decision' then n else 0 end as decisions,
    case sort when 'decision' then 0 else n end as reviews,
    case when is_defect then n else 0 end as defects,
    case sort when 'review' then n else 0 end as sampled,
    case sort when 'unstated' then n else 0 end as unstated,
    place,
    date_diff('day', date '1970-01-01', reviewed_on) as reviewed_on,
    weight_ppm as weight,
    weight_sq_ppm as weight_squared,
    max_weight_ppm as largest_weight
from tallies.lot_counts
