-- Purpose: self-consistency: what an annotator said when an item came back.
-- Grain: a production decision on an item that the same annotator had decided on an earlier business date, within
--   restate_days; compared with the last decision before that date.
-- Source: facts.decisions. A correction on the same business date is a revision, not a repeat.
-- Units: business_date is that of the later decision.
with compared as (
    select
        b.decided_on as business_date,
        b.market,
        b.queue,
        b.item_id,
        b.replicate,
        b.rater,
        b.vendor,
        b.label,
        a.decided_on as earlier_date,
        a.label as earlier_label,
        row_number() over (
            partition by b.decided_on, b.market, b.queue, b.item_id, b.rater
            order by
                b.decided_at desc nulls last, b.file_name desc nulls last, b.row_number desc nulls last,
                a.decided_on desc nulls last, a.decided_at desc nulls last, a.file_name desc nulls last,
                a.row_number desc nulls last
        ) as closeness
    from facts.decisions as b
    inner join facts.decisions as a
        on b.market = a.market and b.queue = a.queue and b.item_id = a.item_id and b.rater = a.rater
    where
        b.rater_pool = 'production'
        and a.rater_pool = 'production'
        and b.decided_on between $start_date and $end_date
        and a.decided_on between $start_date - $restate_days and $end_date
        and a.decided_on < b.decided_on
        and a.decided_on >= b.decided_on - $restate_days
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
