-- Purpose: how well QA judges, by arbitration of its verdicts.
-- Grain: business date of QA's verdict x market x queue x replicate x reviewer x kind of decision judged x sampling of
--   the review x whether QA called a defect x what arbitration found x sampling of the arbitration.
-- Source: blind reviews of facts.reviews, made at most restate_days after the decision; of the random ones of a
--   decision the first, as in tallies.review_counts, and none when that one was not blind. Of each the blind
--   arbitration (target_kind review), made at most restate_days after it, that was first (reviewed_at, date, file,
--   row): a random one before any other, because others were picked for their outcome.
-- Units: n verdicts; weights are sums of 1/p and 1/p^2, and the largest 1/p, in parts per million; p is the product of
--   the inclusion probabilities of the review and of its arbitration.
--   found is empty where there was no arbitration, else defect or none: what arbitration confirms is as QA said; where
--   it does not, the decision has a defect when arbitration's label differs from the decision's, or when QA said none
--   and arbitration names an error.
with judgements as (
    select
        v.business_date,
        v.market,
        v.queue,
        v.replicate,
        v.reviewer_id as reviewer,
        v.review_id,
        v.target_kind,
        v.sampling,
        v.inclusion_probability,
        v.error_category <> 'none' as is_called,
        v.verdict_label,
        v.target_label,
        v.is_blind,
        row_number() over (
            partition by v.target_kind, v.target_date, v.target_id, v.sampling
            order by
                v.reviewed_at asc nulls last,
                v.business_date asc nulls last,
                v.file_name asc nulls last,
                v.row_number asc nulls last
        ) as repetition
    from facts.reviews as v
    where
        v.business_date between $start_date - $restate_days and $end_date + $restate_days
        and v.business_date <= v.target_date + $restate_days
        and v.target_kind in ('label', 'prediction')
),

verdicts as (
    select v.*
    from judgements as v
    where
        v.business_date between $start_date and $end_date
        and v.is_blind
        and (v.repetition = 1 or v.sampling <> 'random')
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
            order by
                case when a.sampling = 'random' then 0 else 1 end asc nulls last,
                a.reviewed_at asc nulls last,
                a.business_date asc nulls last,
                a.file_name asc nulls last,
                a.row_number asc nulls last
        ) as preference
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
        v.business_date,
        v.market,
        v.queue,
        v.replicate,
        v.reviewer,
        v.target_kind,
        v.sampling,
        v.is_called,
        coalesce(a.sampling, '') as arbitration_sampling,
        both_chosen(v.inclusion_probability, a.inclusion_probability) as probability,
        case
            when a.target_id is null then ''
            when a.error_category = 'none' and a.verdict_label = v.verdict_label
                then case when v.is_called then 'defect' else 'none' end
            when a.verdict_label <> v.target_label then 'defect'
            when a.error_category <> 'none' and not v.is_called then 'defect'
            else 'none'
        end as found
    from verdicts as v
    left join arbitrations as a
        on v.review_id = a.target_id and v.business_date = a.target_date and a.preference = 1
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
    cast(sum(weight_ppm(j.probability)) as bigint) as weight_ppm,
    cast(sum(weight_sq_ppm(j.probability)) as bigint) as weight_sq_ppm,
    cast(max(weight_ppm(j.probability)) as bigint) as max_weight_ppm
from judged as j
group by all
