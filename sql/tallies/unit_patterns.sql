-- Purpose: every coefficient of agreement.
-- Grain: business date of the unit x market (CROSS too) x queue x replicate x rater pool x pattern.
-- Source: facts.ratings. A pattern is the unit's ratings, sorted and joined by commas; single ratings are included.
-- Units: n units of n_raters ratings each.
with units as (
    select
        r.business_date,
        r.market,
        r.queue,
        r.replicate,
        r.rater_pool,
        r.item_id,
        list_text(array_sort(array_agg(r.label) filter (where r.label is not null))) as pattern,
        cast(count(*) as integer) as n_raters
    from facts.ratings as r
    where r.business_date between $start_date and $end_date
    group by r.business_date, r.market, r.queue, r.replicate, r.rater_pool, r.item_id
)

select
    u.business_date,
    u.market,
    u.queue,
    u.replicate,
    u.rater_pool,
    u.pattern,
    u.n_raters,
    cast(count(*) as bigint) as n
from units as u
group by all
