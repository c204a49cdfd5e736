-- Purpose: label mix, prevalence and drift of humans and models.
-- Grain: business date x market x queue x replicate x rater kind x vendor x model version x content type x guideline
--   version x label.
-- Source: validated.valid_labels of stage production; decided rows of validated.valid_predictions.
-- Units: n decisions.
select
    l.business_date,
    l.market,
    l.queue,
    l.replicate,
    'human' as rater_kind,
    l.vendor,
    '' as model_version,
    l.content_type,
    coalesce(l.guideline_version, '') as guideline_version,
    l.label,
    cast(count(*) as bigint) as n
from validated.valid_labels as l
anti join facts.rejected_labels as r on l.business_date = r.business_date and l.row_id = r.row_id
where l.business_date between $start_date and $end_date and l.stage = 'production'
group by all
union all
select
    c.business_date,
    c.market,
    c.queue,
    c.replicate,
    'model' as rater_kind,
    '' as vendor,
    c.model_id || '@' || c.model_version as model_version,
    c.content_type,
    '' as guideline_version,
    c.label,
    c.n
from (
    select
        p.business_date,
        p.market,
        p.queue,
        p.replicate,
        p.model_id,
        p.model_version,
        p.content_type,
        p.label,
        cast(count(*) as bigint) as n
    from validated.valid_predictions as p
    where p.business_date between $start_date and $end_date and p.is_decision
    group by all
) as c
