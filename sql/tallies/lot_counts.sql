-- Purpose: acceptance of a vendor's lots.
-- Grain: business date of the decision x market x queue x vendor x lot x sort (decision, review) x severity x place:
--   a row of a lot's decisions, one of its reviews without a defect, one for each review that found a defect.
-- Source: production decisions of validated.valid_labels with a batch_id, less facts.rejected_labels; of each the first
--   random review in facts.reviews, made at most restate_days after the decision.
-- Units: n decisions or reviews; weights are sums of 1/p and 1/p^2 of reviews in parts per million. severity is empty
--   and place 0 for decisions and for reviews that found no defect. place: rank of the reviewed decision among those of
--   its lot by hash of its id, from 1, an order that nobody can choose after having seen the reviews.
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
        row_number() over (
            partition by v.target_date, v.target_id
            order by
                v.reviewed_at asc nulls last,
                v.business_date asc nulls last,
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

placed as (
    select
        v.*,
        v.error_category <> 'none' as is_defect,
        row_number() over (
            partition by v.target_date, v.target_market, v.target_queue, v.vendor, v.batch_id
            order by md5(v.target_id) asc nulls last, v.target_id asc nulls last
        ) as hash_rank
    from lot_reviews as v
    where v.repetition = 1
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
    'review' as sort,
    case when p.is_defect then p.severity else '' end as severity,
    cast(case when p.is_defect then p.hash_rank else 0 end as bigint) as place,
    cast(count(*) as bigint) as n,
    cast(sum(weight_ppm(p.inclusion_probability)) as bigint) as weight_ppm,
    cast(sum(weight_sq_ppm(p.inclusion_probability)) as bigint) as weight_sq_ppm,
    cast(max(weight_ppm(p.inclusion_probability)) as bigint) as max_weight_ppm
from placed as p
group by all
