-- Purpose: what came more than restate_days after the decision that it belongs to, and so changes no figure.
-- Grain: kind x business date of the late row x market x queue.
-- Source: validated.valid_labels against each unit's first decision; facts.reviews and facts.appeals against the
--   decision they judge.
-- Units: n rows.
with label_rows as (
    select
        l.business_date,
        l.stage,
        l.market,
        l.queue,
        l.item_id
    from validated.valid_labels as l
    anti join facts.rejected_labels as r on l.business_date = r.business_date and l.row_id = r.row_id
    where l.business_date between $start_date and $end_date and l.stage in ('production', 'calibration')
),

old_units as (
    select distinct
        l.stage,
        l.market,
        l.queue,
        l.item_id,
        l.business_date
    from validated.valid_labels as l
    anti join facts.rejected_labels as r on l.business_date = r.business_date and l.row_id = r.row_id
    where l.business_date < $end_date - $restate_days and l.stage in ('production', 'calibration')
)

select
    'label' as kind,
    l.business_date,
    l.market,
    l.queue,
    cast(count(*) as bigint) as n
from label_rows as l
where
    exists (
        select 1
        from old_units as o
        where
            o.stage = l.stage and o.market = l.market and o.queue = l.queue and o.item_id = l.item_id
            and o.business_date < l.business_date - $restate_days
    )
group by l.business_date, l.market, l.queue
union all
select
    'review' as kind,
    v.business_date,
    v.market,
    v.queue,
    cast(count(*) as bigint) as n
from facts.reviews as v
where v.business_date between $start_date and $end_date and v.target_date < v.business_date - $restate_days
group by v.business_date, v.market, v.queue
union all
select
    'appeal' as kind,
    a.business_date,
    a.market,
    a.queue,
    cast(count(*) as bigint) as n
from facts.appeals as a
where a.business_date between $start_date and $end_date and a.target_date < a.business_date - $restate_days
group by a.business_date, a.market, a.queue
