-- Purpose: what annotators said of a known answer when they saw the item again, beside their own first look at it.
-- Grain:   business_date (of the repeat) x market x queue x subject_kind x subject x replicate. A decision of the date
--          of the first look is a revision of it and not a repeat.
-- Source:  tallies.gold_counts: each decision of exposure 2 or more with the annotator's newest one of exposure 1 of an
--          earlier date.
-- Units:   unit_count = repeats; first_right, again_right = right first looks and right repeats; changed = repeats of
--          which one was right and the other not; timed = repeats where both have a handling time, first_ms and
--          again_ms their sums in milliseconds.
with repeats as (
    select
        business_date,
        market,
        queue,
        replicate,
        item_id,
        rater,
        vendor,
        n,
        n_timed,
        handle_ms,
        label = gold_label as is_right
    from tallies.gold_counts
    where exposure > 1
),

firsts as (
    select
        business_date,
        market,
        queue,
        item_id,
        rater,
        min(label = gold_label) as is_right,
        sum(n_timed) as n_timed,
        sum(handle_ms) as handle_ms
    from tallies.gold_counts
    where exposure = 1
    group by all
),

pairs as (
    select
        r.business_date,
        r.market,
        r.queue,
        r.replicate,
        r.vendor,
        r.n,
        f.is_right as is_first_right,
        r.is_right as is_again_right,
        case when r.n_timed = r.n and f.n_timed > 0 then r.n else 0 end as timed,
        f.handle_ms / f.n_timed as first_ms,
        r.handle_ms
    from repeats as r
    asof join firsts as f
        on
            r.market = f.market
            and r.queue = f.queue
            and r.item_id = f.item_id
            and r.rater = f.rater
            and r.business_date > f.business_date
),

subjects as (
    select
        *,
        'rater_kind' as subject_kind,
        'human' as subject
    from pairs
    union all
    select
        *,
        'vendor' as subject_kind,
        vendor as subject
    from pairs
    where vendor <> ''
)

select
    business_date,
    market,
    queue,
    subject_kind,
    subject,
    replicate,
    cast(sum(n) as bigint) as unit_count,
    cast(coalesce(sum(n) filter (where is_first_right), 0) as bigint) as first_right,
    cast(coalesce(sum(n) filter (where is_again_right), 0) as bigint) as again_right,
    cast(coalesce(sum(n) filter (where is_first_right <> is_again_right), 0) as bigint) as changed,
    cast(sum(timed) as bigint) as timed,
    cast(coalesce(sum(round(first_ms * timed)) filter (where timed > 0), 0) as bigint) as first_ms,
    cast(coalesce(sum(handle_ms) filter (where timed > 0), 0) as bigint) as again_ms
from subjects
group by all
