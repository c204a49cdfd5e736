-- Purpose: appeals joined once to the decision that they contest.
-- Grain: a validated appeal; target_date is NULL when the decision is not known.
-- Source: validated.valid_appeals of its own date; the contested label or prediction of that date or before.
-- Units: business_date is the date of filing, target_date the business date of the decision.
with appeal_rows as (
    select v.*
    from validated.valid_appeals as v
    where v.business_date between $start_date and $end_date
),

targets as (
    select
        a.*,
        row_number() over (
            partition by a.business_date, a.row_id
            order by a.target_date desc, a.target_row_id desc
        ) as recency
    from (
        select
            v.business_date,
            v.row_id,
            l.business_date as target_date,
            l.annotator_id as target_rater,
            'human' as rater_kind,
            l.vendor,
            l.stage as target_stage,
            l.market as target_market,
            l.queue as target_queue,
            l.item_id as target_item_id,
            l.row_id as target_row_id
        from appeal_rows as v
        inner join validated.valid_labels as l on v.target_id = l.label_id and v.business_date >= l.business_date
        anti join facts.rejected_labels as r on l.business_date = r.business_date and l.row_id = r.row_id
        where v.target_kind = 'label'
        union all
        select
            v.business_date,
            v.row_id,
            p.business_date as target_date,
            p.model_id || '@' || p.model_version as target_rater,
            'model' as rater_kind,
            '' as vendor,
            'production' as target_stage,
            p.market as target_market,
            p.queue as target_queue,
            p.item_id as target_item_id,
            p.row_id as target_row_id
        from appeal_rows as v
        inner join validated.valid_predictions as p
            on v.target_id = p.prediction_id and v.business_date >= p.business_date
        where v.target_kind = 'prediction'
    ) as a
)

select
    v.business_date,
    v.file_name,
    v.row_number,
    v.row_id,
    v.appeal_id,
    v.target_kind,
    v.target_id,
    v.item_id,
    v.market,
    v.queue,
    v.replicate,
    v.original_label,
    v.outcome,
    v.final_label,
    v.filed_at,
    v.resolved_at,
    t.target_date,
    t.target_rater,
    t.rater_kind,
    t.vendor,
    t.target_stage,
    t.target_market,
    t.target_queue,
    t.target_item_id
from appeal_rows as v
left join targets as t on v.business_date = t.business_date and v.row_id = t.row_id and t.recency = 1
