-- Purpose: decisions of each stratum and what its random reviews found, to plan reviews with.
-- Grain:   business_date (of the decision; the newest $days up to the newest with decisions) x market x queue x vendor.
-- Source:  tallies.annotator_label_counts; random reviews of people's decisions in tallies.review_counts.
-- Units:   decision_count = production decisions; review_count = reviews; weight, defect_weight = sums of
--          1/p in 1e-6, weight_squared = sum of 1/p^2 in 1e-6.
with newest as (
    select
        max(business_date) as last_date,
        max(business_date) - $days as date_before
    from tallies.annotator_label_counts
),

counts as (
    select
        business_date,
        market,
        queue,
        vendor,
        n as decision_count,
        0 as review_count,
        0 as weight,
        0 as weight_squared,
        0 as defect_weight
    from tallies.annotator_label_counts
    union all
    select
        business_date,
        market,
        queue,
        vendor,
        0 as decision_count,
        n as review_count,
        weight_ppm as weight,
        weight_sq_ppm as weight_squared,
        case when error_category <> 'none' then weight_ppm else 0 end as defect_weight
    from tallies.review_counts
    where sampling = 'random' and target_kind = 'label'
)

select
    c.business_date,
    c.market,
    c.queue,
    c.vendor,
    cast(sum(c.decision_count) as bigint) as decision_count,
    cast(sum(c.review_count) as bigint) as review_count,
    cast(sum(c.weight) as bigint) as weight,
    cast(sum(c.weight_squared) as bigint) as weight_squared,
    cast(sum(c.defect_weight) as bigint) as defect_weight
from counts as c
inner join newest as m on c.business_date > m.date_before and c.business_date <= m.last_date
group by all
