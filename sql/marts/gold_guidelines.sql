-- Purpose: decisions on known answers, by whether the answer was given under another guideline than the decision.
-- Grain:   business_date x market x queue x subject_kind x subject x guideline (same, other) x look (first, again) x
--          outcome x replicate. subject: human, or each code of the known answer.
-- Source:  tallies.gold_counts. Where either guideline is unknown they count as the same.
-- Units:   unit_count = decisions; weights of 1, in 1e-6.
with subjects as (
    select
        *,
        'rater_kind' as subject_kind,
        'human' as subject
    from tallies.gold_counts
    union all
    select
        *,
        'label' as subject_kind,
        unnest(string_split(gold_label, '|')) as subject
    from tallies.gold_counts
)

select
    business_date,
    market,
    queue,
    'human' as rater_kind,
    subject_kind,
    subject,
    case when is_other_guideline then 'other' else 'same' end as guideline,
    case when exposure = 1 then 'first' else 'again' end as look,
    case when label = gold_label then 'right' else 'wrong' end as outcome,
    replicate,
    cast(sum(n) as bigint) as unit_count,
    cast(sum(n) * 1000000 as bigint) as weight,
    cast(sum(n) * 1000000 as bigint) as weight_squared,
    cast(1000000 as bigint) as largest_weight
from subjects
group by all
