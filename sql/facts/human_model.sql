-- Purpose: what a person and a model said of the same item.
-- Grain: a unit of production agreement x model version.
-- Source: facts.ratings, of each unit the rating of one annotator, drawn by a hash so that a unit counts once however
--   many people rated it; the last decision of every model version on the item from restate_days before the unit's date
--   to restate_days after it.
-- Units: business_date is the unit's date, model_decided_on the date of the model's decision.
with people as (
    select
        r.business_date,
        r.market,
        r.queue,
        r.item_id,
        r.replicate,
        r.rater,
        r.label,
        r.guideline_version,
        row_number() over (
            partition by r.business_date, r.market, r.queue, r.item_id
            order by stable_bucket(r.item_id || '/' || r.rater, 1000000007) asc nulls last, r.rater asc nulls last
        ) as draw
    from facts.ratings as r
    where
        r.business_date between $start_date and $end_date
        and r.rater_pool = 'production'
        and r.market <> 'CROSS'
),

models as (
    select
        h.business_date,
        h.market,
        h.queue,
        h.item_id,
        h.replicate,
        h.rater as annotator,
        h.label as human_label,
        h.guideline_version,
        p.model_id || '@' || p.model_version as model_version,
        p.model_kind,
        p.label as model_label,
        p.business_date as model_decided_on,
        row_number() over (
            partition by h.business_date, h.market, h.queue, h.item_id, p.model_id, p.model_version
            order by
                p.predicted_at desc nulls last, p.business_date desc nulls last, p.file_name desc nulls last,
                p.row_number desc nulls last
        ) as recency
    from people as h
    inner join validated.valid_predictions as p
        on h.market = p.market and h.queue = p.queue and h.item_id = p.item_id
    where
        h.draw = 1
        and p.is_decision
        and p.business_date between $start_date - $restate_days and $end_date + $restate_days
        and p.business_date between h.business_date - $restate_days and h.business_date + $restate_days
)

select
    m.business_date,
    m.market,
    m.queue,
    m.item_id,
    m.replicate,
    m.annotator,
    m.human_label,
    m.guideline_version,
    m.model_version,
    m.model_kind,
    m.model_label,
    m.model_decided_on
from models as m
where m.recency = 1
