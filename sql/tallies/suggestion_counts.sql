-- Purpose: anchoring: whether people agree more with a suggested label when it is shown to them.
-- Grain: business date x market x queue x replicate x rater x vendor x whether the suggestion was shown x whether the
--   decision equals it.
-- Source: validated.valid_labels of stage production with a suggested label, less facts.rejected_labels.
-- Units: n decisions.
select
    l.business_date,
    l.market,
    l.queue,
    l.replicate,
    l.annotator_id as rater,
    l.vendor,
    l.suggestion_shown as is_shown,
    l.label = l.suggested_label as is_same,
    cast(count(*) as bigint) as n
from validated.valid_labels as l
anti join facts.rejected_labels as r on l.business_date = r.business_date and l.row_id = r.row_id
where
    l.business_date between $start_date and $end_date
    and l.stage = 'production'
    and l.suggested_label is not null
    and l.suggestion_shown is not null
group by all
