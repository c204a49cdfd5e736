-- Purpose: every human rating that counts, beside what the right label was.
-- Grain: a production rating with a reference; business_date is the decision's own date.
-- Source: facts.ratings, judged by the best reference known restate_days after it: gold, else expert or
--   arbitration (the later of the two), else the newest blind QA review of the decision itself, one drawn at random
--   before any other. QA judges only the decision that it reviewed, because its inclusion probability is that
--   decision's alone.
-- Units: inclusion_probability is NULL for references that are not a sample.
with decisions as (
    select
        r.decided_on as business_date,
        r.market,
        r.queue,
        r.item_id,
        r.replicate,
        r.rater,
        r.vendor,
        r.label_id as decision_id,
        r.label,
        r.content_type,
        r.guideline_version,
        r.decided_at
    from facts.ratings as r
    where
        r.business_date between $start_date - $restate_days and $end_date
        and r.decided_on between $start_date and $end_date
        and r.rater_pool = 'production'
        and r.market <> 'CROSS'
),

item_references as (
    select
        d.decision_id,
        d.market,
        d.business_date,
        f.reference_label,
        f.reference_kind,
        f.precedence,
        'census' as sampling,
        cast(null as double) as inclusion_probability,
        f.business_date as reference_date,
        f.given_at,
        f.row_id
    from decisions as d
    inner join facts.reference_events as f on d.item_id = f.item_id and d.queue = f.queue
    where
        (f.market = d.market or f.market = '')
        and f.business_date <= d.business_date + $restate_days
        and (f.valid_from is null or f.valid_from <= d.decided_at)
        and f.given_by <> d.rater
),

own_reviews as (
    select
        d.decision_id,
        d.market,
        d.business_date,
        v.verdict_label as reference_label,
        'qa' as reference_kind,
        case when v.sampling = 'random' then 3 else 4 end as precedence,
        v.sampling,
        v.inclusion_probability,
        v.business_date as reference_date,
        v.reviewed_at as given_at,
        v.row_id
    from decisions as d
    inner join facts.reviews as v on d.decision_id = v.target_id and d.business_date = v.target_date
    where v.target_kind = 'label' and v.is_blind and v.business_date <= d.business_date + $restate_days
),

ranked as (
    select
        a.*,
        row_number() over (
            partition by a.business_date, a.market, a.decision_id
            order by
                a.precedence asc nulls last, a.reference_date desc nulls last, a.given_at desc nulls last,
                a.reference_kind desc nulls last, a.row_id desc nulls last
        ) as preference
    from (
        select * from item_references
        union all
        select * from own_reviews
    ) as a
)

select
    d.business_date,
    d.market,
    d.queue,
    d.item_id,
    d.replicate,
    'human' as rater_kind,
    d.rater,
    d.vendor,
    d.decision_id,
    d.label,
    d.content_type,
    d.guideline_version,
    k.reference_label,
    k.reference_kind,
    k.sampling,
    k.inclusion_probability
from decisions as d
inner join ranked as k
    on d.business_date = k.business_date and d.market = k.market and d.decision_id = k.decision_id
where k.preference = 1
