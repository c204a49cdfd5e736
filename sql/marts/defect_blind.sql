-- Purpose: blind reviews of decisions by whether they found a defect: all people or models, vendor, model version.
-- Grain:   business_date (of the decision) x market x queue x subject_kind x subject x error_category (none, some) x
--          replicate.
-- Source:  tallies.review_counts, blind random reviews alone: arbitration tells how blind verdicts err, and one that
--          saw the decision errs otherwise.
-- Units:   unit_count = reviews; weight and weight_squared = sums of 1/p and 1/p^2, largest_weight = the largest 1/p;
--          in 1e-6.
with reviews as (
    select
        business_date,
        market,
        queue,
        rater_kind,
        case when rater_kind = 'model' then rater else '' end as model_version,
        vendor,
        case when error_category = 'none' then 'none' else 'some' end as error_category,
        replicate,
        n,
        weight_ppm,
        weight_sq_ppm,
        max_weight_ppm
    from tallies.review_counts
    where sampling = 'random' and is_blind
),

counted as (
    select
        business_date,
        market,
        queue,
        rater_kind,
        case
            when grouping(model_version) = 0 then 'model_version'
            when grouping(vendor) = 0 then 'vendor'
            else 'rater_kind'
        end as subject_kind,
        coalesce(model_version, vendor, rater_kind) as subject,
        error_category,
        replicate,
        cast(sum(n) as bigint) as unit_count,
        cast(sum(weight_ppm) as bigint) as weight,
        cast(sum(weight_sq_ppm) as bigint) as weight_squared,
        max(max_weight_ppm) as largest_weight
    from reviews
    group by
        business_date, market, queue, rater_kind, error_category, replicate,
        grouping sets ((model_version), (vendor), ())
)

select *
from counted
where subject <> '' and (rater_kind = 'human' or subject_kind <> 'vendor')
