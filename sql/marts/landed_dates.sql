-- Purpose: business dates that landed, whatever became of them: the span of period `all` where every tally is empty.
-- Grain:   business_date; no row when nothing has landed.
-- Source:  ops.partitions.
-- Units:   market-local date.
select distinct business_date
from ops.partitions
order by business_date
