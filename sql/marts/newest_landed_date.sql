-- Purpose: newest business date that has landed; periods ending less than restate_days before it are provisional.
-- Grain:   one row; NULL when nothing has landed.
-- Source:  ops.partitions of labels and predictions, blocked ones too: their later correction
--          changes figures. A roster or gold of a later date makes no decision final.
-- Units:   market-local date.
select max(business_date) as newest_date
from ops.partitions
where feed in ('labels', 'predictions')
