-- Purpose: defect rates.
-- Grain: business date of the decision judged x market x queue x replicate x target kind x rater x vendor x site x
--   label x verdict x error category x severity x sampling x blind or not x content type x
--   guideline version.
-- Source: facts.reviews of production labels and of predictions, made at most restate_days after the decision:
--   decisions of calibration sessions, experts and QA are not what a market gets, so they are nobody's defects.
--   Of the random reviews of a decision the first alone (reviewed_at, date, file, row): a decision counts once, and a
--   second look that the first called for changes nothing. is_blind is that review's.
-- Units: n reviews; weights are sums of 1/p and 1/p^2, and the largest 1/p, in parts per million.
with judged as (
    select
        v.*,
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
        v.target_date between $start_date and $end_date
        and v.business_date between $start_date and $end_date + $restate_days
        and v.business_date <= v.target_date + $restate_days
        and v.target_kind in ('label', 'prediction')
        and v.target_stage = 'production'
)

select
    v.target_date as business_date,
    v.target_market as market,
    v.target_queue as queue,
    v.replicate,
    v.target_kind,
    v.rater_kind,
    v.target_rater as rater,
    v.vendor,
    v.site,
    v.target_label as label,
    v.verdict_label,
    v.error_category,
    v.severity,
    v.sampling,
    v.is_blind,
    v.content_type,
    v.guideline_version,
    cast(count(*) as bigint) as n,
    cast(sum(weight_ppm(v.inclusion_probability)) as bigint) as weight_ppm,
    cast(sum(weight_sq_ppm(v.inclusion_probability)) as bigint) as weight_sq_ppm,
    cast(max(weight_ppm(v.inclusion_probability)) as bigint) as max_weight_ppm
from judged as v
where v.repetition = 1 or v.sampling <> 'random'
group by all
