-- Purpose: validated labels that a cross-date rule put into quarantine; every fact leaves them out.
-- Grain: a rejected label.
-- Source: failing rows of expectations/cross_labels.json, which the runner lists in failing_labels.
-- Units: none.
select
    f.business_date,
    f.row_id
from failing_labels as f
where f.business_date between $start_date and $end_date
