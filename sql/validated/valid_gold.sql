-- Purpose: gold of one business date, as the suite `expectations/gold.json` judges them.
-- Grain: a known answer; one row per landed row of a readable file.
-- Source: staged_gold, the landed rows of the date cast to the contract's types.
-- Units: times in UTC; replicate is the jackknife group of the item.
select
    $business_date as business_date,
    s.file_name,
    s.row_number,
    s.row_id,
    s.item_id,
    s.market,
    s.queue,
    sorted_codes(s.label) as label,
    s.source,
    s.guideline_version,
    s.valid_from,
    stable_bucket(s.item_id, 20) as replicate,
    s.missing_values,
    s.type_errors
from staged_gold as s
