-- Purpose: decisions and the appeals of them, to bound what appeals say of all decisions.
-- Grain:   business_date (of the decision) x market x queue x rater_kind x vendor x label (of an appeal: the label that
--          it names).
-- Source:  tallies.label_counts, tallies.appeal_counts.
-- Units:   decided = decisions; appeals, overturned_appeals = all appeals and those ended overturned or partial;
--          appealed, overturned = the same of the last appeal of each decision.
select
    business_date,
    market,
    queue,
    rater_kind,
    vendor,
    label,
    cast(sum(n) as bigint) as decided,
    cast(0 as bigint) as appeals,
    cast(0 as bigint) as overturned_appeals,
    cast(0 as bigint) as appealed,
    cast(0 as bigint) as overturned
from tallies.label_counts
group by all
union all
select
    business_date,
    market,
    queue,
    case when target_kind = 'label' then 'human' else 'model' end as rater_kind,
    vendor,
    label,
    cast(0 as bigint) as decided,
    cast(sum(n) as bigint) as appeals,
    cast(coalesce(sum(n) filter (where outcome <> 'upheld'), 0) as bigint) as overturned_appeals,
    cast(sum(n_decisions) as bigint) as appealed,
    cast(coalesce(sum(n_decisions) filter (where outcome <> 'upheld'), 0) as bigint) as overturned
from tallies.appeal_counts
group by all
