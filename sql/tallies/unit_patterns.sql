-- Purpose: every coefficient of agreement.
-- Grain: business date of the unit x market (CROSS too) x queue x replicate x rater pool x subject x guideline
--   version x pattern.
-- Source: facts.ratings and facts.human_model. A pattern is the unit's ratings, sorted and joined by commas; single
--   ratings are included. Pools production, calibration and model have no subject; pool human_model has a person's
--   rating and a model's (subject: the model version). The guideline is the newest of the unit's ratings.
-- Units: n units of n_raters ratings each.
with units as (
    select
        r.business_date,
        r.market,
        r.queue,
        min(r.replicate) as replicate,
        r.rater_pool,
        '' as subject,
        max(r.guideline_version) as guideline_version,
        array_agg(r.label) filter (where r.label is not null) as labels,
        cast(count(*) as integer) as n_raters
    from facts.ratings as r
    where r.business_date between $start_date and $end_date
    group by r.business_date, r.market, r.queue, r.rater_pool, r.item_id
),

-- Sorted and written out once for each order of labels, not for each unit.
orders as (
    select
        u.business_date,
        u.market,
        u.queue,
        u.replicate,
        u.rater_pool,
        u.subject,
        u.guideline_version,
        u.labels,
        u.n_raters,
        cast(count(*) as bigint) as n
    from units as u
    group by all
),

human_model_units as (
    select
        h.business_date,
        h.market,
        h.queue,
        h.replicate,
        'human_model' as rater_pool,
        h.model_version as subject,
        h.guideline_version,
        case
            when h.human_label <= h.model_label then h.human_label || ',' || h.model_label
            else h.model_label || ',' || h.human_label
        end as pattern,
        2 as n_raters,
        cast(count(*) as bigint) as n
    from facts.human_model as h
    where h.business_date between $start_date and $end_date
    group by all
)

select
    u.business_date,
    u.market,
    u.queue,
    u.replicate,
    u.rater_pool,
    u.subject,
    u.guideline_version,
    u.pattern,
    u.n_raters,
    cast(sum(u.n) as bigint) as n
from (
    select
        o.business_date,
        o.market,
        o.queue,
        o.replicate,
        o.rater_pool,
        o.subject,
        o.guideline_version,
        list_text(array_sort(o.labels)) as pattern,
        o.n_raters,
        o.n
    from orders as o
    union all
    select * from human_model_units
) as u
group by all
