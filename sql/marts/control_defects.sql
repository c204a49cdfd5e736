-- Purpose: what the defects behind a control chart were: a signal names the sort that rose most.
-- Grain:   business_date (of the decision) x market x queue x rater kind x rater x vendor x error_category x label
--          x verdict_label.
-- Source:  tallies.review_counts, random samples alone, defects alone.
-- Units:   weight = sum of 1/p in 1e-6.
select
    business_date,
    market,
    queue,
    rater_kind,
    rater,
    vendor,
    error_category,
    label,
    coalesce(verdict_label, '') as verdict_label,
    cast(sum(weight_ppm) as bigint) as weight
from tallies.review_counts
where sampling = 'random' and error_category <> 'none'
group by all
