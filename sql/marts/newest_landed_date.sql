-- Purpose: newest business date that has landed; periods ending less than restate_days before it are provisional.
-- Grain:   one row; NULL when nothing has landed.
-- Source:  ops.partitions (every feed, blocked partitions too: their later correction changes figures).
-- Units:   market-local date.
select max(business_date) as newest_date
from ops.partitions
