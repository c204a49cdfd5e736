-- Purpose: overturn rates.
-- Grain: business date of the decision appealed x market x queue x target kind x vendor x label x outcome.
-- Source: facts.appeals of production labels and of predictions, filed at most restate_days after the decision:
--   decisions of calibration sessions, experts and QA are not what a market gets.
-- Units: n appeals, n_decisions of them the last one of their decision.
with ended as (
    select
        a.target_date,
        a.target_market,
        a.target_queue,
        a.target_kind,
        a.vendor,
        a.original_label,
        a.outcome,
        row_number() over (
            partition by a.target_date, a.target_kind, a.target_id
            order by a.business_date desc, a.filed_at desc, a.row_id desc
        ) as recency
    from facts.appeals as a
    where
        a.target_date between $start_date and $end_date
        and a.business_date between $start_date and $end_date + $restate_days
        and a.business_date <= a.target_date + $restate_days
        and a.target_stage = 'production'
)

select
    e.target_date as business_date,
    e.target_market as market,
    e.target_queue as queue,
    e.target_kind,
    e.vendor,
    e.original_label as label,
    e.outcome,
    cast(count(*) as bigint) as n,
    cast(sum(case when e.recency = 1 then 1 else 0 end) as bigint) as n_decisions
from ended as e
group by all
