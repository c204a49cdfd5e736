-- Purpose: the decisions that ratings are made from, people's and LLM judges' alike.
-- Grain: a decision of stage production or calibration, or of an LLM judge. A view: nothing is stored.
-- Source: validated.valid_labels less facts.rejected_labels; for pool model the decisions of LLM judges in
--   validated.valid_predictions, a model being the rater whatever its version.
-- Units: row_id is unique in a pool and date.
select
    l.stage as rater_pool,
    l.market,
    l.queue,
    l.item_id,
    l.replicate,
    l.annotator_id as rater,
    l.vendor,
    l.label,
    l.label_id,
    l.content_type,
    coalesce(l.guideline_version, '') as guideline_version,
    l.business_date as decided_on,
    l.submitted_at as decided_at,
    l.handle_seconds,
    l.file_name,
    l.row_number,
    l.row_id
from validated.valid_labels as l
anti join facts.rejected_labels as r on l.business_date = r.business_date and l.row_id = r.row_id
where l.stage in ('production', 'calibration')
union all
select
    'model' as rater_pool,
    p.market,
    p.queue,
    p.item_id,
    p.replicate,
    p.model_id as rater,
    '' as vendor,
    p.label,
    p.prediction_id as label_id,
    p.content_type,
    '' as guideline_version,
    p.business_date as decided_on,
    p.predicted_at as decided_at,
    cast(null as double) as handle_seconds,
    p.file_name,
    p.row_number,
    p.row_id
from validated.valid_predictions as p
where p.is_decision and p.model_kind = 'llm'
