-- Purpose: agreement without one annotator or one vendor.
-- Grain: business date of the unit x market x queue x replicate x kind of subject (annotator, vendor) x subject x their
--   own ratings x the others' ratings.
-- Source: facts.ratings, pool production, units with two ratings or more. Ratings are sorted and joined by commas;
--   others is empty where the vendor's annotators alone rated the unit.
-- Units: n units.
with units as (
    select
        r.business_date,
        r.market,
        r.queue,
        r.item_id
    from facts.ratings as r
    where
        r.business_date between $start_date and $end_date
        and r.rater_pool = 'production'
        and r.market <> 'CROSS'
    group by r.business_date, r.market, r.queue, r.item_id
    having count(*) > 1
),

ratings as (
    select
        r.business_date,
        r.market,
        r.queue,
        r.item_id,
        r.replicate,
        r.rater,
        r.vendor,
        r.label
    from facts.ratings as r
    inner join units as u
        on
            r.business_date = u.business_date
            and r.market = u.market
            and r.queue = u.queue
            and r.item_id = u.item_id
    where r.business_date between $start_date and $end_date and r.rater_pool = 'production'
),

annotators as (
    select
        a.business_date,
        a.market,
        a.queue,
        a.item_id,
        a.replicate,
        'annotator' as subject_kind,
        a.rater as subject,
        a.label as own,
        list_text(array_sort(array_agg(b.label) filter (where b.label is not null))) as others
    from ratings as a
    inner join ratings as b
        on
            a.business_date = b.business_date
            and a.market = b.market
            and a.queue = b.queue
            and a.item_id = b.item_id
            and a.rater <> b.rater
    group by a.business_date, a.market, a.queue, a.item_id, a.replicate, a.rater, a.label
),

vendors_of_units as (
    select distinct
        r.business_date,
        r.market,
        r.queue,
        r.item_id,
        r.replicate,
        r.vendor
    from ratings as r
),

vendors as (
    select
        v.business_date,
        v.market,
        v.queue,
        v.item_id,
        v.replicate,
        'vendor' as subject_kind,
        v.vendor as subject,
        list_text(array_sort(array_agg(b.label) filter (where b.vendor = v.vendor))) as own,
        coalesce(
            case
                when count(case when b.vendor <> v.vendor then 1 end) > 0
                    then list_text(array_sort(array_agg(b.label) filter (where b.vendor <> v.vendor)))
            end,
            ''
        ) as others
    from vendors_of_units as v
    inner join ratings as b
        on
            v.business_date = b.business_date
            and v.market = b.market
            and v.queue = b.queue
            and v.item_id = b.item_id
    group by v.business_date, v.market, v.queue, v.item_id, v.replicate, v.vendor
)

select
    u.business_date,
    u.market,
    u.queue,
    u.replicate,
    u.subject_kind,
    u.subject,
    u.own,
    u.others,
    cast(count(*) as bigint) as n
from (
    select * from annotators
    union all
    select * from vendors
) as u
group by all
