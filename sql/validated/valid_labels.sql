-- Purpose: labels of one business date, as the suite `expectations/labels.json` judges them.
-- Grain: a human decision on an item; one row per landed row of a readable file.
-- Source: staged_labels, the landed rows of the date cast to the contract's types.
-- Units: times in UTC; replicate is the jackknife group of the item.
select
    $business_date as business_date,
    s.file_name,
    s.row_number,
    s.row_id,
    s.label_id,
    s.item_id,
    s.market,
    s.queue,
    s.content_type,
    s.annotator_id,
    s.vendor,
    sorted_codes(s.label) as label,
    s.stage,
    s.submitted_at,
    s.assigned_at,
    s.batch_id,
    s.language,
    s.guideline_version,
    s.handle_seconds,
    s.is_blind,
    sorted_codes(s.suggested_label) as suggested_label,
    s.suggestion_shown,
    stable_bucket(s.item_id, 20) as replicate,
    s.missing_values,
    s.type_errors
from staged_labels as s
