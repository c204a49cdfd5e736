-- Purpose: how people decide items with a known answer when they see them for the first time.
-- Grain:   business_date x market x queue x subject_kind x subject x item_id x replicate. subject: human, or each code
--          of the known answer.
-- Source:  tallies.gold_counts of exposure 1.
-- Units:   unit_count = decisions, right_count = those that equal the known answer.
with subjects as (
    select
        *,
        'rater_kind' as subject_kind,
        'human' as subject
    from tallies.gold_counts
    where exposure = 1
    union all
    select
        *,
        'label' as subject_kind,
        unnest(string_split(gold_label, '|')) as subject
    from tallies.gold_counts
    where exposure = 1
)

select
    business_date,
    market,
    queue,
    subject_kind,
    subject,
    item_id,
    replicate,
    cast(sum(n) as bigint) as unit_count,
    cast(coalesce(sum(n) filter (where label = gold_label), 0) as bigint) as right_count
from subjects
group by all
