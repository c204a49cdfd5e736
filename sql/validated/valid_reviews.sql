-- Purpose: reviews of one business date, as the suite `expectations/reviews.json` judges them.
-- Grain: a QA re-review; one row per landed row of a readable file.
-- Source: staged_reviews, the landed rows of the date cast to the contract's types.
-- Units: times in UTC; replicate is the jackknife group of the item.
select
    $business_date as business_date,
    s.file_name,
    s.row_number,
    s.row_id,
    s.review_id,
    s.target_kind,
    s.target_id,
    s.item_id,
    s.market,
    s.queue,
    s.reviewer_id,
    sorted_codes(s.verdict_label) as verdict_label,
    s.error_category,
    s.severity,
    s.is_blind,
    s.sampling,
    s.inclusion_probability,
    s.root_cause,
    s.reviewed_at,
    stable_bucket(s.item_id, 20) as replicate,
    s.missing_values,
    s.type_errors
from staged_reviews as s
