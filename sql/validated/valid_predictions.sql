-- Purpose: predictions of one business date, as the suite `expectations/predictions.json` judges them.
-- Grain: an item, model version and label; one row per landed row of a readable file.
-- Source: staged_predictions, the landed rows of the date cast to the contract's types.
-- Units: times in UTC; replicate is the jackknife group of the item.
select
    $business_date as business_date,
    s.file_name,
    s.row_number,
    s.row_id,
    s.prediction_id,
    s.item_id,
    s.market,
    s.queue,
    s.content_type,
    s.model_id,
    s.model_version,
    s.model_kind,
    sorted_codes(s.label) as label,
    s.score,
    s.is_decision,
    s.predicted_at,
    s.rationale,
    stable_bucket(s.item_id, 20) as replicate,
    s.missing_values,
    s.type_errors
from staged_predictions as s
