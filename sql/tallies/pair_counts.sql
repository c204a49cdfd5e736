-- Purpose: Cohen's kappa of two raters, and how far their labels are shifted against each other.
-- Grain: business date of the unit x market x queue x replicate x rater pool x pair of raters x their two labels.
-- Source: facts.ratings (pools production and model; rater_a is the first by name) and facts.human_model (rater_a is
--   '' for people, rater_b the model version).
-- Units: n units that both rated.
with pairs as (
    select
        a.business_date,
        a.market,
        a.queue,
        a.replicate,
        a.rater_pool,
        a.rater as rater_a,
        b.rater as rater_b,
        a.label as label_a,
        b.label as label_b
    from facts.ratings as a
    inner join facts.ratings as b
        on
            a.business_date = b.business_date
            and a.rater_pool = b.rater_pool
            and a.market = b.market
            and a.queue = b.queue
            and a.item_id = b.item_id
            and a.rater < b.rater
    where
        a.business_date between $start_date and $end_date
        and b.business_date between $start_date and $end_date
        and a.market <> 'CROSS'
        and a.rater_pool in ('production', 'model')
    union all
    select
        h.business_date,
        h.market,
        h.queue,
        h.replicate,
        'human_model' as rater_pool,
        '' as rater_a,
        h.model_version as rater_b,
        h.human_label as label_a,
        h.model_label as label_b
    from facts.human_model as h
    where h.business_date between $start_date and $end_date
)

select
    p.business_date,
    p.market,
    p.queue,
    p.replicate,
    p.rater_pool,
    p.rater_a,
    p.rater_b,
    p.label_a,
    p.label_b,
    cast(count(*) as bigint) as n
from pairs as p
group by all
