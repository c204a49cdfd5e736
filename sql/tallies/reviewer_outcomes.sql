-- Purpose: how well QA judges, by arbitration of its verdicts.
-- Grain: business date of QA's verdict x market x queue x replicate x reviewer x kind of decision judged x sampling of
--   the review x whether QA called a defect x what arbitration found x sampling of the arbitration.
-- Source: blind reviews of facts.reviews; of each the last blind arbitration (target_kind review) made at most
--   restate_days after it.
-- Units: n verdicts; weights are sums of 1/p and 1/p^2 of the arbitration, and the largest 1/p, in parts per million.
--   found is empty where there was no arbitration, else defect or none: what arbitration confirms is as QA said; where
--   it does not, the decision has a defect when arbitration's label differs from the decision's.
with verdicts as (
    select
        v.business_date,
        v.market,
        v.queue,
        v.replicate,
        v.reviewer_id as reviewer,
        v.review_id,
        v.target_kind,
        v.sampling,
        v.error_category <> 'none' as is_called,
        v.verdict_label,
        v.target_label
    from facts.reviews as v
    where
        v.business_date between $start_date and $end_date
        and v.target_kind in ('label', 'prediction')
        and v.target_date is not null
        and v.is_blind
),

arbitrations as (
    select
        a.target_id,
        a.target_date,
        a.verdict_label,
        a.error_category,
        a.sampling,
        a.inclusion_probability,
        row_number() over (
            partition by a.target_date, a.target_id
            order by a.reviewed_at desc nulls last, a.file_name desc nulls last, a.row_number desc nulls last
        ) as recency
    from facts.reviews as a
    where
        a.target_date between $start_date and $end_date
        and a.business_date between $start_date and $end_date + $restate_days
        and a.business_date <= a.target_date + $restate_days
        and a.target_kind = 'review'
        and a.is_blind
),

judged as (
    select
        v.*,
        coalesce(a.sampling, '') as arbitration_sampling,
        a.inclusion_probability,
        case
            when a.target_id is null then ''
            when a.error_category = 'none' and a.verdict_label = v.verdict_label
                then case when v.is_called then 'defect' else 'none' end
            when a.verdict_label <> v.target_label then 'defect'
            else 'none'
        end as found
    from verdicts as v
    left join arbitrations as a
        on v.review_id = a.target_id and v.business_date = a.target_date and a.recency = 1
)

select
    j.business_date,
    j.market,
    j.queue,
    j.replicate,
    j.reviewer,
    j.target_kind,
    j.sampling,
    j.is_called,
    j.found,
    j.arbitration_sampling,
    cast(count(*) as bigint) as n,
    cast(sum(weight_ppm(j.inclusion_probability)) as bigint) as weight_ppm,
    cast(sum(weight_sq_ppm(j.inclusion_probability)) as bigint) as weight_sq_ppm,
    cast(max(weight_ppm(j.inclusion_probability)) as bigint) as max_weight_ppm
from judged as j
group by all
