-- Purpose: each annotator's volume and label mix.
-- Grain: business date x market x queue x replicate x vendor x annotator x label.
-- Source: validated.valid_labels of stage production, less facts.rejected_labels.
-- Units: n decisions.
select
    l.business_date,
    l.market,
    l.queue,
    l.replicate,
    l.vendor,
    l.annotator_id as rater,
    l.label,
    cast(count(*) as bigint) as n
from validated.valid_labels as l
anti join facts.rejected_labels as r on l.business_date = r.business_date and l.row_id = r.row_id
where l.business_date between $start_date and $end_date and l.stage = 'production'
group by all
