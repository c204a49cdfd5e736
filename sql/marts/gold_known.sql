-- Purpose: which share of people's production decisions was on items with a known answer.
-- Grain:   business_date x market x queue x subject_kind x subject x is_known x replicate. A multi-select decision
--          counts once for each code of its label, and once for rater_kind.
-- Source:  tallies.label_counts of humans; tallies.gold_counts, whose decisions are among them.
-- Units:   unit_count = decisions; weights of 1, in 1e-6.
with known as (
    select
        business_date,
        market,
        queue,
        replicate,
        label,
        sum(n) as known_count
    from tallies.gold_counts
    group by all
),

decided as (
    select
        business_date,
        market,
        queue,
        replicate,
        label,
        sum(n) as decided_count
    from tallies.label_counts
    where rater_kind = 'human'
    group by all
),

counted as (
    select
        d.business_date,
        d.market,
        d.queue,
        d.replicate,
        d.label,
        coalesce(k.known_count, 0) as yes,
        d.decided_count - coalesce(k.known_count, 0) as no
    from decided as d
    left join known as k
        on
            d.business_date = k.business_date
            and d.market = k.market
            and d.queue = k.queue
            and d.replicate = k.replicate
            and d.label = k.label
),

sides as (
    unpivot counted
    on yes, no
    into name is_known value n
),

subjects as (
    select
        business_date,
        market,
        queue,
        replicate,
        is_known,
        n,
        'rater_kind' as subject_kind,
        'human' as subject
    from sides
    union all
    select
        business_date,
        market,
        queue,
        replicate,
        is_known,
        n,
        'label' as subject_kind,
        unnest(string_split(label, '|')) as subject
    from sides
)

select
    business_date,
    market,
    queue,
    'human' as rater_kind,
    subject_kind,
    subject,
    is_known,
    replicate,
    cast(sum(n) as bigint) as unit_count,
    cast(sum(n) * 1000000 as bigint) as weight,
    cast(sum(n) * 1000000 as bigint) as weight_squared,
    cast(1000000 as bigint) as largest_weight
from subjects
where n > 0
group by all
