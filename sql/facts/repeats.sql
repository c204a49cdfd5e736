-- Purpose: self-consistency: what an annotator said when an item came back.
-- Grain: a production decision on an item that the same annotator had decided on an earlier business date, within
--   restate_days; compared with the last decision before that date.
-- Source: validated.valid_labels. A correction on the same business date is a revision, not a repeat.
-- Units: business_date is that of the later decision.
with decisions as (
    select
        l.business_date,
        l.market,
        l.queue,
        l.item_id,
        l.replicate,
        l.annotator_id as rater,
        l.vendor,
        l.label,
        row_number() over (
            partition by l.business_date, l.market, l.queue, l.item_id, l.annotator_id
            order by l.submitted_at desc nulls last, l.file_name desc nulls last, l.row_number desc nulls last
        ) as recency
    from validated.valid_labels as l
    anti join facts.rejected_labels as r on l.business_date = r.business_date and l.row_id = r.row_id
    where
        l.business_date between $start_date - $restate_days and $end_date
        and l.stage = 'production'
),

last_of_day as (
    select d.*
    from decisions as d
    where d.recency = 1
),

compared as (
    select
        b.business_date,
        b.market,
        b.queue,
        b.item_id,
        b.replicate,
        b.rater,
        b.vendor,
        b.label,
        a.business_date as earlier_date,
        a.label as earlier_label,
        row_number() over (
            partition by b.business_date, b.market, b.queue, b.item_id, b.rater
            order by a.business_date desc nulls last
        ) as closeness
    from last_of_day as b
    inner join last_of_day as a
        on b.market = a.market and b.queue = a.queue and b.item_id = a.item_id and b.rater = a.rater
    where
        b.business_date between $start_date and $end_date
        and a.business_date < b.business_date
        and a.business_date >= b.business_date - $restate_days
)

select
    c.business_date,
    c.market,
    c.queue,
    c.item_id,
    c.replicate,
    c.rater,
    c.vendor,
    c.label,
    c.earlier_date,
    c.earlier_label
from compared as c
where c.closeness = 1
