-- Purpose: every coefficient of agreement.
-- Grain: business date of the unit x market (CROSS too) x queue x replicate x rater pool x subject x guideline version x
--   pattern.
-- Source: facts.ratings and facts.human_model. A pattern is the unit's ratings, sorted and joined by commas; single
--   ratings are included. Pools production, calibration and model have no subject; pool vendor has the ratings of one
--   vendor's annotators alone (subject: the vendor), pool human_model a person's and a model's (subject: the model
--   version). The guideline is the newest that a rating of the unit was made under.
-- Units: n units of n_raters ratings each.
with ratings as (
    select
        r.business_date,
        r.market,
        r.queue,
        r.replicate,
        r.rater_pool,
        '' as subject,
        r.item_id,
        r.label,
        r.guideline_version
    from facts.ratings as r
    where r.business_date between $start_date and $end_date
    union all
    select
        r.business_date,
        r.market,
        r.queue,
        r.replicate,
        'vendor' as rater_pool,
        r.vendor as subject,
        r.item_id,
        r.label,
        r.guideline_version
    from facts.ratings as r
    where
        r.business_date between $start_date and $end_date
        and r.rater_pool = 'production'
        and r.market <> 'CROSS'
    union all
    select
        h.business_date,
        h.market,
        h.queue,
        h.replicate,
        'human_model' as rater_pool,
        h.model_version as subject,
        h.item_id,
        h.human_label as label,
        h.guideline_version
    from facts.human_model as h
    where h.business_date between $start_date and $end_date
    union all
    select
        h.business_date,
        h.market,
        h.queue,
        h.replicate,
        'human_model' as rater_pool,
        h.model_version as subject,
        h.item_id,
        h.model_label as label,
        h.guideline_version
    from facts.human_model as h
    where h.business_date between $start_date and $end_date
),

units as (
    select
        r.business_date,
        r.market,
        r.queue,
        r.replicate,
        r.rater_pool,
        r.subject,
        r.item_id,
        max(r.guideline_version) as guideline_version,
        list_text(array_sort(array_agg(r.label) filter (where r.label is not null))) as pattern,
        cast(count(*) as integer) as n_raters
    from ratings as r
    group by r.business_date, r.market, r.queue, r.replicate, r.rater_pool, r.subject, r.item_id
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
    cast(count(*) as bigint) as n
from units as u
group by all
