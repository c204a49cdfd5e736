-- Purpose: the rating that counts of every rater on every unit of agreement.
-- Grain: pool x market x queue x item x rater; market CROSS takes an item over all its markets as one unit, and
--   has only items that were decided in two markets or more.
-- Source: facts.decisions of the unit's date and the restate_days after it. A unit belongs to the date of its first
--   decision; a rater's last decision counts (ties: file name, then row number); a decision more than restate_days
--   after the first joins no unit (ops.late counts those of people).
-- Units: business_date is the unit's date, decided_on the date of the decision that counts.
with first_days as (
    select
        d.rater_pool,
        d.market,
        d.queue,
        d.item_id,
        min(d.decided_on) as unit_date
    from facts.decisions as d
    where d.decided_on between $start_date and $end_date
    group by d.rater_pool, d.market, d.queue, d.item_id
),

earlier as (
    select
        d.rater_pool,
        d.market,
        d.queue,
        d.item_id
    from facts.decisions as d
    semi join first_days as f on d.rater_pool = f.rater_pool and d.queue = f.queue and d.item_id = f.item_id
    where d.decided_on < $start_date
),

market_units as (
    select f.*
    from first_days as f
    anti join earlier as e
        on f.rater_pool = e.rater_pool and f.market = e.market and f.queue = e.queue and f.item_id = e.item_id
),

-- Few raters decide an item twice; only theirs are ranked.
revised as (
    select
        d.rater_pool,
        d.market,
        d.queue,
        d.item_id,
        d.rater
    from facts.decisions as d
    where d.decided_on between $start_date and $end_date + $restate_days
    group by d.rater_pool, d.market, d.queue, d.item_id, d.rater
    having count(*) > 1
),

revisions as (
    select
        d.rater_pool,
        d.decided_on,
        d.row_id,
        row_number() over (
            partition by d.rater_pool, d.market, d.queue, d.item_id, d.rater
            order by d.decided_at desc nulls last, d.file_name desc nulls last, d.row_number desc nulls last
        ) as recency
    from facts.decisions as d
    semi join revised as v
        on
            d.rater_pool = v.rater_pool
            and d.market = v.market
            and d.queue = v.queue
            and d.item_id = v.item_id
            and d.rater = v.rater
    inner join market_units as u
        on d.rater_pool = u.rater_pool and d.market = u.market and d.queue = u.queue and d.item_id = u.item_id
    where
        d.decided_on between $start_date and $end_date + $restate_days
        and d.decided_on <= u.unit_date + $restate_days
),

replaced as (
    select
        r.rater_pool,
        r.decided_on,
        r.row_id
    from revisions as r
    where r.recency > 1
),

in_two_markets as (
    select
        f.rater_pool,
        f.queue,
        f.item_id
    from first_days as f
    group by f.rater_pool, f.queue, f.item_id
    having count(*) > 1
    union
    select
        d.rater_pool,
        d.queue,
        d.item_id
    from facts.decisions as d
    inner join first_days as f on d.rater_pool = f.rater_pool and d.queue = f.queue and d.item_id = f.item_id
    where d.decided_on between $end_date + 1 and $end_date + $restate_days and d.market <> f.market
),

cross_units as (
    select
        f.rater_pool,
        f.queue,
        f.item_id,
        min(f.unit_date) as unit_date
    from first_days as f
    semi join in_two_markets as i on f.rater_pool = i.rater_pool and f.queue = i.queue and f.item_id = i.item_id
    anti join earlier as e on f.rater_pool = e.rater_pool and f.queue = e.queue and f.item_id = e.item_id
    group by f.rater_pool, f.queue, f.item_id
),

cross_ratings as (
    select
        u.unit_date,
        d.*,
        row_number() over (
            partition by d.rater_pool, d.queue, d.item_id, d.rater
            order by
                d.decided_at desc nulls last, d.file_name desc nulls last, d.row_number desc nulls last,
                d.market desc nulls last
        ) as recency
    from facts.decisions as d
    inner join cross_units as u
        on d.rater_pool = u.rater_pool and d.queue = u.queue and d.item_id = u.item_id
    where
        d.decided_on between $start_date and $end_date + $restate_days
        and d.decided_on <= u.unit_date + $restate_days
),

cross_items as (
    select
        c.rater_pool,
        c.queue,
        c.item_id
    from cross_ratings as c
    group by c.rater_pool, c.queue, c.item_id
    having min(c.market) <> max(c.market)
)

select
    u.unit_date as business_date,
    d.rater_pool,
    d.market,
    d.queue,
    d.item_id,
    d.replicate,
    d.rater,
    d.vendor,
    d.label,
    d.label_id,
    d.content_type,
    d.guideline_version,
    d.decided_on,
    d.decided_at
from facts.decisions as d
inner join market_units as u
    on d.rater_pool = u.rater_pool and d.market = u.market and d.queue = u.queue and d.item_id = u.item_id
anti join replaced as r on d.rater_pool = r.rater_pool and d.decided_on = r.decided_on and d.row_id = r.row_id
where
    d.decided_on between $start_date and $end_date + $restate_days
    and d.decided_on <= u.unit_date + $restate_days
union all
select
    c.unit_date as business_date,
    c.rater_pool,
    'CROSS' as market,
    c.queue,
    c.item_id,
    c.replicate,
    c.rater,
    c.vendor,
    c.label,
    c.label_id,
    c.content_type,
    c.guideline_version,
    c.decided_on,
    c.decided_at
from cross_ratings as c
semi join cross_items as i on c.rater_pool = i.rater_pool and c.queue = i.queue and c.item_id = i.item_id
where c.recency = 1
