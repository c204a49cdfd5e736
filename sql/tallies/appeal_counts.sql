-- Purpose: overturn rates.
-- Grain: business date of the decision appealed x market x queue x target kind x vendor x label x outcome.
-- Source: facts.appeals filed at most restate_days after the decision.
-- Units: n appeals.
select
    a.target_date as business_date,
    a.target_market as market,
    a.target_queue as queue,
    a.target_kind,
    a.vendor,
    a.original_label as label,
    a.outcome,
    cast(count(*) as bigint) as n
from facts.appeals as a
where
    a.target_date between $start_date and $end_date
    and a.business_date between $start_date and $end_date + $restate_days
    and a.business_date <= a.target_date + $restate_days
group by all
