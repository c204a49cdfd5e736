-- Purpose: queues that have scores; scores are read a queue at a time.
-- Grain:   queue.
-- Source:  tallies.score_hist.
-- Units:   none.
select distinct queue
from tallies.score_hist
order by queue
