-- Purpose: the rating that counts of every rater on every unit of agreement.
-- Grain: pool x market x queue x item x rater; market CROSS takes an item over all its markets as one unit, and
--   has only items that were decided in two markets or more.
-- Source: validated.valid_labels of the unit's date and the restate_days after it; for pool model the decisions of LLM
--   judges in validated.valid_predictions, a model being the rater whatever its version. A unit belongs to the date of
--   its first decision; a rater's last decision counts (ties: file name, then row number); a decision more than
--   restate_days after the first joins no unit (ops.late counts those of people).
-- Units: business_date is the unit's date, decided_on the date of the decision that counts.
with all_decisions as (
    select
        l.stage as rater_pool,
        l.market,
        l.queue,
        l.item_id,
        l.replicate,
        l.annotator_id as rater,
        l.vendor,
        l.label,
        l.label_id,
        l.content_type,
        coalesce(l.guideline_version, '') as guideline_version,
        l.business_date as decided_on,
        l.submitted_at as decided_at,
        l.file_name,
        l.row_number
    from validated.valid_labels as l
    anti join facts.rejected_labels as r on l.business_date = r.business_date and l.row_id = r.row_id
    where l.stage in ('production', 'calibration')
    union all
    select
        'model' as rater_pool,
        p.market,
        p.queue,
        p.item_id,
        p.replicate,
        p.model_id as rater,
        '' as vendor,
        p.label,
        p.prediction_id as label_id,
        p.content_type,
        '' as guideline_version,
        p.business_date as decided_on,
        p.predicted_at as decided_at,
        p.file_name,
        p.row_number
    from validated.valid_predictions as p
    where p.is_decision and p.model_kind = 'llm'
),

decisions as (
    select d.*
    from all_decisions as d
    where d.decided_on between $start_date and $end_date + $restate_days
),

earlier as (
    select
        d.rater_pool,
        d.market,
        d.queue,
        d.item_id
    from all_decisions as d
    where d.decided_on < $start_date
),

market_units as (
    select
        d.rater_pool,
        d.market,
        d.queue,
        d.item_id,
        min(d.decided_on) as unit_date
    from decisions as d
    anti join earlier as e
        on d.rater_pool = e.rater_pool and d.market = e.market and d.queue = e.queue and d.item_id = e.item_id
    group by d.rater_pool, d.market, d.queue, d.item_id
    having min(d.decided_on) <= $end_date
),

cross_units as (
    select
        d.rater_pool,
        d.queue,
        d.item_id,
        min(d.decided_on) as unit_date
    from decisions as d
    anti join earlier as e on d.rater_pool = e.rater_pool and d.queue = e.queue and d.item_id = e.item_id
    group by d.rater_pool, d.queue, d.item_id
    having min(d.decided_on) <= $end_date and min(d.market) <> max(d.market)
),

placed as (
    select
        u.unit_date,
        d.market as unit_market,
        d.*
    from decisions as d
    inner join market_units as u
        on d.rater_pool = u.rater_pool and d.market = u.market and d.queue = u.queue and d.item_id = u.item_id
    where d.decided_on <= u.unit_date + $restate_days
    union all
    select
        u.unit_date,
        'CROSS' as unit_market,
        d.*
    from decisions as d
    inner join cross_units as u
        on d.rater_pool = u.rater_pool and d.queue = u.queue and d.item_id = u.item_id
    where d.decided_on <= u.unit_date + $restate_days
),

ranked as (
    select
        p.*,
        row_number() over (
            partition by p.rater_pool, p.unit_market, p.queue, p.item_id, p.rater
            order by p.decided_at desc, p.file_name desc, p.row_number desc, p.market desc
        ) as recency
    from placed as p
),

shared_items as (
    select
        r.rater_pool,
        r.queue,
        r.item_id
    from ranked as r
    where r.unit_market = 'CROSS'
    group by r.rater_pool, r.queue, r.item_id
    having min(r.market) <> max(r.market)
)

select
    r.unit_date as business_date,
    r.rater_pool,
    r.unit_market as market,
    r.queue,
    r.item_id,
    r.replicate,
    r.rater,
    r.vendor,
    r.label,
    r.label_id,
    r.content_type,
    r.guideline_version,
    r.decided_on,
    r.decided_at
from ranked as r
where
    r.recency = 1
    and (
        r.unit_market <> 'CROSS'
        or exists (
            select 1
            from shared_items as s
            where s.rater_pool = r.rater_pool and s.queue = r.queue and s.item_id = r.item_id
        )
    )
