-- Purpose: newest business date with decisions; periods ending less than restate_days before it are provisional.
-- Grain:   one row; NULL when no decision has passed its rules.
-- Source:  ops.ledger of labels and predictions: a folder of which every row is in quarantine, one misdated into the
--          future say, makes no earlier decision final, and neither does a roster or gold of a later date.
-- Units:   market-local date.
select max(business_date) as newest_date
from ops.ledger
where feed in ('labels', 'predictions') and rows_validated > 0
