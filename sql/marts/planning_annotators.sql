-- Purpose: whose decisions the next reviews are drawn from, and how many each has.
-- Grain:   business_date (one: the newest with decisions) x market x queue x vendor x annotator.
-- Source:  tallies.annotator_label_counts.
-- Units:   decision_count = production decisions.
select
    business_date,
    market,
    queue,
    vendor,
    rater,
    cast(sum(n) as bigint) as decision_count
from tallies.annotator_label_counts
where business_date = (select max(m.business_date) from tallies.annotator_label_counts as m)
group by all
