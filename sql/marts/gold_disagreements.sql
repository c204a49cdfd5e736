-- Purpose: what good annotators say of each item with a known answer, to find wrong keys.
-- Grain:   market (ALL: all of them) x queue x item (subject) x known answer (reference_kind), of the dates
--          $start_date to $end_date; items with $fewest_judges decisions of good annotators or more.
-- Source:  tallies.gold_counts of exposure 1. An annotator is good for an item when their share of right decisions on
--          the items of the other replicates of the market and queue ($fewest_others decisions or more) is the median
--          there or above: the lower median of all with so many decisions on these same items. Judged by the item
--          itself, or by a median that it is in, those near the median who disagree would be good and the others not.
-- Units:   unit_count = decisions of good annotators; agreeing = those that equal the known answer, alternative_count =
--          those for the commonest other label (of equally common ones the first by its code; '' and 0: none).
with looks as (
    select
        market,
        queue,
        item_id,
        replicate,
        gold_label,
        rater,
        label,
        n
    from tallies.gold_counts
    where exposure = 1 and business_date between $start_date and $end_date
    union all
    select
        'ALL' as market,
        queue,
        item_id,
        replicate,
        gold_label,
        rater,
        label,
        n
    from tallies.gold_counts
    where exposure = 1 and business_date between $start_date and $end_date
),

own as (
    select
        market,
        queue,
        replicate,
        rater,
        sum(n) as n,
        coalesce(sum(n) filter (where label = gold_label), 0) as n_right
    from looks
    group by all
),

annotators as (
    select
        market,
        queue,
        rater,
        sum(n) as n,
        sum(n_right) as n_right
    from own
    group by all
),

replicates as (
    select distinct
        market,
        queue,
        replicate
    from own
),

others as (
    select
        a.market,
        a.queue,
        r.replicate,
        a.rater,
        a.n - coalesce(o.n, 0) as n,
        a.n_right - coalesce(o.n_right, 0) as n_right
    from annotators as a
    inner join replicates as r on a.market = r.market and a.queue = r.queue
    left join own as o
        on a.market = o.market and a.queue = o.queue and r.replicate = o.replicate and a.rater = o.rater
),

records as (
    select
        market,
        queue,
        replicate,
        rater,
        n_right / n as share,
        quantile_disc(n_right / n, 0.5) over (partition by market, queue, replicate) as median_share
    from others
    where n >= $fewest_others
),

good as (
    select
        market,
        queue,
        replicate,
        rater
    from records
    where share >= median_share
),

answers as (
    select
        l.market,
        l.queue,
        l.item_id,
        l.gold_label,
        l.label,
        sum(l.n) as n
    from looks as l
    semi join good as g
        on l.market = g.market and l.queue = g.queue and l.replicate = g.replicate and l.rater = g.rater
    group by all
),

alternatives as (
    select
        market,
        queue,
        item_id,
        gold_label,
        label,
        n
    from answers
    where label <> gold_label
    qualify row_number() over (partition by market, queue, item_id, gold_label order by n desc, label asc) = 1
),

judged as (
    select
        market,
        queue,
        item_id,
        gold_label,
        sum(n) as n,
        coalesce(sum(n) filter (where label = gold_label), 0) as n_right
    from answers
    group by all
    having sum(n) >= $fewest_judges
)

select
    $end_date::date as business_date,
    j.market,
    j.queue,
    j.item_id as subject,
    j.gold_label as reference_kind,
    coalesce(a.label, '') as alternative_label,
    cast(j.n as bigint) as unit_count,
    cast(j.n_right as bigint) as agreeing,
    cast(coalesce(a.n, 0) as bigint) as alternative_count
from judged as j
left join alternatives as a
    on j.market = a.market and j.queue = a.queue and j.item_id = a.item_id and j.gold_label = a.gold_label
