-- Purpose: appeals of one business date, as the suite `expectations/appeals.json` judges them.
-- Grain: an appeal; one row per landed row of a readable file.
-- Source: staged_appeals, the landed rows of the date cast to the contract's types.
-- Units: times in UTC; replicate is the jackknife group of the item.
select
    $business_date as business_date,
    s.file_name,
    s.row_number,
    s.row_id,
    s.appeal_id,
    s.target_kind,
    s.target_id,
    s.item_id,
    s.market,
    s.queue,
    sorted_codes(s.original_label) as original_label,
    s.outcome,
    sorted_codes(s.final_label) as final_label,
    s.filed_at,
    s.resolved_at,
    stable_bucket(s.item_id, 20) as replicate,
    s.missing_values,
    s.type_errors
from staged_appeals as s
