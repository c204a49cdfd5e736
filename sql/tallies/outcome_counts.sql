-- Purpose: accuracy, precision, recall, F1 and confusion against the reference.
-- Grain: business date of the decision x market x queue x replicate x rater x vendor x label x reference label x
--   reference kind x sampling x content type x guideline version.
-- Source: facts.label_outcomes and facts.prediction_outcomes.
-- Units: n decisions; weights are sums of 1/p and 1/p^2, and the largest 1/p, in parts per million.
select
    o.business_date,
    o.market,
    o.queue,
    o.replicate,
    o.rater_kind,
    o.rater,
    o.vendor,
    o.label,
    o.reference_label,
    o.reference_kind,
    o.sampling,
    o.content_type,
    o.guideline_version,
    cast(count(*) as bigint) as n,
    cast(sum(weight_ppm(o.inclusion_probability)) as bigint) as weight_ppm,
    cast(sum(weight_sq_ppm(o.inclusion_probability)) as bigint) as weight_sq_ppm,
    cast(max(weight_ppm(o.inclusion_probability)) as bigint) as max_weight_ppm
from (
    select * from facts.label_outcomes
    union all
    select * from facts.prediction_outcomes
) as o
where o.business_date between $start_date and $end_date
group by all
