-- Purpose: roster of one business date, as the suite `expectations/roster.json` judges them.
-- Grain: an annotator on a day; one row per landed row of a readable file.
-- Source: staged_roster, the landed rows of the date cast to the contract's types.
-- Units: as in the contract.
select
    $business_date as business_date,
    s.file_name,
    s.row_number,
    s.row_id,
    s.annotator_id,
    s.vendor,
    s.site,
    s.market,
    s.language,
    s.role,
    s.hired_on,
    s.certified_on,
    s.is_active,
    s.missing_values,
    s.type_errors
from staged_roster as s
