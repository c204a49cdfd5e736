-- Purpose: timesheets of one business date, as the suite `expectations/timesheets.json` judges them.
-- Grain: an annotator's day; one row per landed row of a readable file.
-- Source: staged_timesheets, the landed rows of the date cast to the contract's types.
-- Units: as in the contract.
select
    $business_date as business_date,
    s.file_name,
    s.row_number,
    s.row_id,
    s.annotator_id,
    s.paid_minutes,
    s.productive_minutes,
    s.missing_values,
    s.type_errors
from staged_timesheets as s
