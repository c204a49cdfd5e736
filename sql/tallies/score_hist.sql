-- Purpose: score drift without the scores.
-- Grain: business date x market x queue x model version x label x score bin.
-- Source: validated.valid_predictions with a score.
-- Units: log-linear bins mirrored at 0.5 (0 to 2047, rising with the score); sums in parts per million.
with scored as (
    select
        p.business_date,
        p.market,
        p.queue,
        p.model_id,
        p.model_version,
        p.label,
        p.score,
        least(cast(floor(p.score * 1073741824) as bigint), 1073741823) as k
    from validated.valid_predictions as p
    where p.business_date between $start_date and $end_date and p.score is not null and not isnan(p.score)
),

binned as (
    select
        s.business_date,
        s.market,
        s.queue,
        s.model_id,
        s.model_version,
        s.label,
        case
            when s.k < 536870912 then log_linear_bin(s.k)
            else 2047 - log_linear_bin(1073741823 - s.k)
        end as bin,
        cast(floor(s.score * 1000000 + 0.5) as bigint) as score_ppm,
        cast(floor(s.score * s.score * 1000000 + 0.5) as bigint) as score_sq_ppm
    from scored as s
),

counted as (
    select
        b.business_date,
        b.market,
        b.queue,
        b.model_id,
        b.model_version,
        b.label,
        b.bin,
        cast(count(*) as bigint) as n,
        cast(sum(b.score_ppm) as bigint) as score_sum_ppm,
        cast(sum(b.score_sq_ppm) as bigint) as score_sq_sum_ppm
    from binned as b
    group by all
)

select
    c.business_date,
    c.market,
    c.queue,
    c.model_id || '@' || c.model_version as model_version,
    c.label,
    c.bin,
    c.n,
    c.score_sum_ppm,
    c.score_sq_sum_ppm
from counted as c
