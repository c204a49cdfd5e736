-- Purpose: the decisions that reviewers get next: of each pool of the plan those with the smallest hash.
-- Grain:   a decision of the plan's date, once at most. In random order within market and queue, so that the part of a
--          list that was done is a random sample too.
-- Source:  marts.review_plan; facts.decisions of stage production.
-- Units:   inclusion_probability = reviews / decisions of the pool, 0 to 1. Neither annotator nor label: the reviewer
--          judges blind.
with plan as (
    select
        period_end as plan_date,
        market,
        queue,
        subject as annotator_id,
        pool,
        estimate as take,
        inclusion_probability
    from marts.review_plan
    where metric = 'reviews'
),

hashed as (
    select
        p.plan_date,
        p.pool,
        p.take,
        p.inclusion_probability,
        d.market,
        d.queue,
        d.label_id,
        d.item_id,
        md5(d.label_id || '|' || cast(p.plan_date as varchar)) as pick_hash,
        md5('order|' || d.label_id || '|' || cast(p.plan_date as varchar)) as order_hash
    from plan as p
    inner join facts.decisions as d
        on p.plan_date = d.decided_on and p.market = d.market and p.queue = d.queue and p.annotator_id = d.rater
    where d.rater_pool = 'production'
),

picked as (
    select
        h.*,
        row_number() over (partition by h.plan_date, h.pool order by h.pick_hash, h.label_id) as place
    from hashed as h
)

select
    plan_date,
    'label' as target_kind,
    label_id as target_id,
    item_id,
    market,
    queue,
    'random' as sampling,
    inclusion_probability,
    true as is_blind
from picked
where place <= take
order by plan_date, market, queue, order_hash, label_id
