-- Purpose: two raters' labels on the items that both rated.
-- Grain:   as the tally: business_date x market x queue x rater_pool x pair of raters x their labels x replicate.
-- Source:  tallies.pair_counts.
-- Units:   unit_count = items.
select
    business_date,
    market,
    queue,
    rater_pool,
    rater_a,
    rater_b,
    label_a,
    label_b,
    replicate,
    n as unit_count
from tallies.pair_counts
