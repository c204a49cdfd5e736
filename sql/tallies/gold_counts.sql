-- Purpose: accuracy on known answers, and the health of these answers.
-- Grain: business date of the decision x market x queue x replicate x item x rater x vendor x label x known answer x
--   exposure (3 stands for 3 and more) x whether the answer was given under another guideline than the decision.
-- Source: facts.gold_decisions.
-- Units: n decisions, n_timed of them with a handling time, handle_ms their sum.
select
    g.business_date,
    g.market,
    g.queue,
    g.replicate,
    g.item_id,
    g.rater,
    g.vendor,
    g.label,
    g.gold_label,
    least(g.exposure, 3) as exposure,
    g.key_guideline <> ''
    and g.guideline_version <> ''
    and g.key_guideline <> g.guideline_version as is_other_guideline,
    cast(count(*) as bigint) as n,
    cast(count(g.handle_ms) as bigint) as n_timed,
    cast(coalesce(sum(g.handle_ms), 0) as bigint) as handle_ms
from facts.gold_decisions as g
where g.business_date between $start_date and $end_date
group by all
