-- Purpose: what annotators said of items whose answer is known, and how often they had seen them.
-- Grain: a production decision on an item with a known answer; an annotator's later decisions on it too.
-- Source: facts.decisions; validated.valid_gold known restate_days after the decision and valid at its time, the newest
--   one, one of the market before one of all markets.
-- Units: exposure is 1 for the annotator's first decision on the item within restate_days, 2 for the next and so on;
--   handle_ms is NULL where the feed has no time. key_guideline is the guideline that the answer was given under.
with decisions as (
    select
        d.decided_on,
        d.market,
        d.queue,
        d.item_id,
        d.replicate,
        d.rater,
        d.vendor,
        d.label,
        d.label_id,
        d.guideline_version,
        d.decided_at,
        d.handle_seconds,
        d.row_id
    from facts.decisions as d
    where d.rater_pool = 'production' and d.decided_on between $start_date - $restate_days and $end_date
),

answers as (
    select
        d.decided_on,
        d.row_id,
        g.label as gold_label,
        coalesce(g.guideline_version, '') as key_guideline,
        row_number() over (
            partition by d.decided_on, d.row_id
            order by
                case when g.market = d.market then 1 else 2 end asc, g.business_date desc nulls last,
                g.row_id desc nulls last
        ) as preference
    from decisions as d
    inner join validated.valid_gold as g on d.item_id = g.item_id and d.queue = g.queue
    where
        (g.market is null or g.market = '' or g.market = d.market)
        and g.business_date <= d.decided_on + $restate_days
        and (g.valid_from is null or g.valid_from <= d.decided_at)
),

known as (
    select
        d.*,
        a.gold_label,
        a.key_guideline
    from decisions as d
    inner join answers as a on d.decided_on = a.decided_on and d.row_id = a.row_id
    where a.preference = 1
),

exposures as (
    select
        b.decided_on,
        b.row_id,
        cast(count(*) as bigint) as exposure
    from known as b
    inner join decisions as a
        on b.market = a.market and b.queue = a.queue and b.item_id = a.item_id and b.rater = a.rater
    where
        b.decided_on between $start_date and $end_date
        and a.decided_on between b.decided_on - $restate_days and b.decided_on
        and (
            a.decided_at < b.decided_at
            or (a.decided_at = b.decided_at and a.decided_on < b.decided_on)
            or (a.decided_at = b.decided_at and a.decided_on = b.decided_on and a.row_id <= b.row_id)
        )
    group by b.decided_on, b.row_id
)

select
    k.decided_on as business_date,
    k.market,
    k.queue,
    k.item_id,
    k.replicate,
    k.rater,
    k.vendor,
    k.label,
    k.label_id,
    k.guideline_version,
    k.gold_label,
    k.key_guideline,
    e.exposure,
    cast(floor(k.handle_seconds * 1000 + 0.5) as bigint) as handle_ms
from known as k
inner join exposures as e on k.decided_on = e.decided_on and k.row_id = e.row_id
