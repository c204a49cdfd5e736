-- Purpose: acceptance of a vendor's lots.
-- Grain: business date of the decision x market x queue x vendor x lot x sort (decision, review) x severity.
-- Source: production decisions of validated.valid_labels with a batch_id, less facts.rejected_labels; random reviews of
--   these in facts.reviews, made at most restate_days after the decision.
-- Units: n decisions or reviews; severity is empty for decisions and for reviews that found no defect.
select
    l.business_date,
    l.market,
    l.queue,
    l.vendor,
    l.batch_id as lot,
    'decision' as sort,
    '' as severity,
    cast(count(*) as bigint) as n
from validated.valid_labels as l
anti join facts.rejected_labels as r on l.business_date = r.business_date and l.row_id = r.row_id
where
    l.business_date between $start_date and $end_date
    and l.stage = 'production'
    and l.batch_id is not null
    and l.batch_id <> ''
group by all
union all
select
    v.target_date as business_date,
    v.target_market as market,
    v.target_queue as queue,
    v.vendor,
    v.batch_id as lot,
    'review' as sort,
    case when v.error_category = 'none' then '' else v.severity end as severity,
    cast(count(*) as bigint) as n
from facts.reviews as v
where
    v.target_date between $start_date and $end_date
    and v.business_date between $start_date and $end_date + $restate_days
    and v.business_date <= v.target_date + $restate_days
    and v.target_kind = 'label'
    and v.target_stage = 'production'
    and v.sampling = 'random'
    and v.batch_id <> ''
group by all
