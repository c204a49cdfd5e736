-- Purpose: reviewed decisions by what the review found, per slice: all people or models, vendor, model version, site,
--          content type, label, guideline version.
-- Grain:   business_date (of the decision) x market x queue x subject_kind x subject x error_category x severity x
--          replicate. Every review counts once in each subject_kind that it has a subject of.
-- Source:  tallies.review_counts, random samples alone: targeted reviews and appeals never enter an unbiased rate.
--          Vendors, sites and guideline versions are those of people only; reviews without one are left out there.
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
        site,
        content_type,
        label,
        guideline_version,
        error_category,
        severity,
        replicate,
        n,
        weight_ppm,
        weight_sq_ppm,
        max_weight_ppm
    from tallies.review_counts
    where sampling = 'random'
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
            when grouping(site) = 0 then 'site'
            when grouping(content_type) = 0 then 'content_type'
            when grouping(label) = 0 then 'label'
            when grouping(guideline_version) = 0 then 'guideline_version'
            else 'rater_kind'
        end as slice,
        coalesce(model_version, vendor, site, content_type, label, guideline_version, rater_kind) as subject,
        error_category,
        severity,
        replicate,
        cast(sum(n) as bigint) as unit_count,
        cast(sum(weight_ppm) as bigint) as weight,
        cast(sum(weight_sq_ppm) as bigint) as weight_squared,
        max(max_weight_ppm) as largest_weight
    from reviews
    group by
        business_date, market, queue, rater_kind, error_category, severity, replicate,
        grouping sets ((model_version), (vendor), (site), (content_type), (label), (guideline_version), ())
)

select
    business_date,
    market,
    queue,
    rater_kind,
    case when rater_kind = 'model' and slice in ('content_type', 'label') then 'model_' || slice else slice end
        as subject_kind,
    subject,
    error_category,
    severity,
    replicate,
    unit_count,
    weight,
    weight_squared,
    largest_weight
from counted
where
    subject <> ''
    and (rater_kind = 'human' or slice in ('rater_kind', 'model_version', 'content_type', 'label'))
