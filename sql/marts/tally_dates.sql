-- Purpose: business dates that any tally of the marts has; windows without one of them are not made.
-- Grain:   business_date; no row when every tally is empty.
-- Source:  tallies.unit_patterns, outcome_counts, review_counts, reviewer_outcomes, label_counts, score_hist,
--          appeal_counts, gold_counts.
-- Units:   market-local date.
select business_date
from tallies.unit_patterns
union
select business_date
from tallies.outcome_counts
union
select business_date
from tallies.review_counts
union
select business_date
from tallies.reviewer_outcomes
union
select business_date
from tallies.label_counts
union
select business_date
from tallies.score_hist
union
select business_date
from tallies.appeal_counts
union
select business_date
from tallies.gold_counts
order by business_date
