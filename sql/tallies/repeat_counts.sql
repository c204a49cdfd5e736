-- Purpose: self-consistency.
-- Grain: business date of the later decision x market x queue x replicate x rater x vendor x whether both are the same.
-- Source: facts.repeats.
-- Units: n decisions on items that the annotator had decided on an earlier date.
select
    r.business_date,
    r.market,
    r.queue,
    r.replicate,
    r.rater,
    r.vendor,
    r.label = r.earlier_label as is_same,
    cast(count(*) as bigint) as n
from facts.repeats as r
where r.business_date between $start_date and $end_date
group by all
