-- Purpose: items of one business date, as the suite `expectations/items.json` judges them.
-- Grain: an item entering a queue; one row per landed row of a readable file.
-- Source: staged_items, the landed rows of the date cast to the contract's types.
-- Units: times in UTC; replicate is the jackknife group of the item.
select
    $business_date as business_date,
    s.file_name,
    s.row_number,
    s.row_id,
    s.item_id,
    s.market,
    s.queue,
    s.content_type,
    s.language,
    s.enqueued_at,
    s.priority,
    stable_bucket(s.item_id, 20) as replicate,
    s.missing_values,
    s.type_errors
from staged_items as s
