-- Purpose: acceptance of a vendor's lots.
-- Grain: business date of the decision x market x queue x vendor x lot x sort x severity x place x is_defect x
--   reviewed_on: a lot's decisions, its reviews without a defect by their date, every defect in the sample by itself.
-- Source: production decisions of validated.valid_labels with a batch_id, less facts.rejected_labels; of each the first
--   random review in facts.reviews, made at most restate_days after the decision.
-- Units: n decisions or reviews; weights are sums of 1/p and 1/p^2 of reviews in parts per million. sort is decision,
--   or what a review is to the lot's sample. review: in it. left_out: not in it, to make chances equal. A review is
--   kept with the chance smallest p / own p, by a hash that has nothing to do with how it was picked; the smallest p is
--   that of the reviews of lots of its market, queue, vendor and date. unstated: none of these has a sample, because
--   some state their p and others do not. place: rank of a defect among the lot's reviews of sort review in the order
--   in which they were completed, from 1: a later review changes nobody's place. reviewed_on: the review's business
--   date. Elsewhere severity is empty, place 0 and reviewed_on the decision's date.
with lot_reviews as (
    select
        v.target_date,
        v.target_market,
        v.target_queue,
        v.vendor,
        v.batch_id,
        v.target_id,
        v.error_category,
        v.severity,
        v.inclusion_probability,
        v.business_date as reviewed_on,
        v.reviewed_at,
        row_number() over (
            partition by v.target_date, v.target_id
            order by
                v.business_date asc nulls last,
                v.reviewed_at asc nulls last,
                v.file_name asc nulls last,
                v.row_number asc nulls last
        ) as repetition
    from facts.reviews as v
    where
        v.target_date between $start_date and $end_date
        and v.business_date between $start_date and $end_date + $restate_days
        and v.business_date <= v.target_date + $restate_days
        and v.target_kind = 'label'
        and v.target_stage = 'production'
        and v.sampling = 'random'
        and v.batch_id <> ''
),

chances as (
    select
        v.*,
        v.error_category <> 'none' as is_defect,
        weight_ppm(v.inclusion_probability) as weight,
        max(weight_ppm(v.inclusion_probability)) over (
            partition by v.target_date, v.target_market, v.target_queue, v.vendor
        ) as largest_weight,
        count(v.inclusion_probability) over (
            partition by v.target_date, v.target_market, v.target_queue, v.vendor
        ) as stated,
        count(*) over (partition by v.target_date, v.target_market, v.target_queue, v.vendor) as reviews
    from lot_reviews as v
    where v.repetition = 1
),

-- Weights are 1e11 ppm at most, so that the products fit a BIGINT.
thinned as (
    select
        c.*,
        case
            when c.stated > 0 and c.stated < c.reviews then 'unstated'
            when stable_bucket('lot|' || c.target_id, 1000000) * c.largest_weight < c.weight * 1000000 then 'review'
            else 'left_out'
        end as sort
    from chances as c
),

placed as (
    select
        t.*,
        row_number() over (
            partition by t.target_date, t.target_market, t.target_queue, t.vendor, t.batch_id, t.sort
            order by
                t.reviewed_on asc nulls last,
                t.reviewed_at asc nulls last,
                md5(t.target_id) asc nulls last,
                t.target_id asc nulls last
        ) as completed
    from thinned as t
)

select
    l.business_date,
    l.market,
    l.queue,
    l.vendor,
    l.batch_id as lot,
    'decision' as sort,
    '' as severity,
    cast(0 as bigint) as place,
    false as is_defect,
    l.business_date as reviewed_on,
    cast(count(*) as bigint) as n,
    cast(0 as bigint) as weight_ppm,
    cast(0 as bigint) as weight_sq_ppm,
    cast(0 as bigint) as max_weight_ppm
from validated.valid_labels as l
anti join facts.rejected_labels as r on l.business_date = r.business_date and l.row_id = r.row_id
where
    l.business_date between $start_date and $end_date
    and l.stage = 'production'
    and l.batch_id is not null
    and l.batch_id <> ''
group by all
union all
select
    p.target_date as business_date,
    p.target_market as market,
    p.target_queue as queue,
    p.vendor,
    p.batch_id as lot,
    p.sort,
    case when p.is_defect then p.severity else '' end as severity,
    cast(case when p.is_defect and p.sort = 'review' then p.completed else 0 end as bigint) as place,
    p.is_defect,
    p.reviewed_on,
    cast(count(*) as bigint) as n,
    cast(sum(p.weight) as bigint) as weight_ppm,
    cast(sum(weight_sq_ppm(p.inclusion_probability)) as bigint) as weight_sq_ppm,
    cast(max(p.weight) as bigint) as max_weight_ppm
from placed as p
group by all
