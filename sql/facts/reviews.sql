-- Purpose: QA reviews joined once to the decision that they judge.
-- Grain: a validated review; target_date is NULL when the decision is not known.
-- Source: validated.valid_reviews of its own date; the judged label, prediction or review of that date or before;
--   the site from the roster in force on the decision's date. Of labels and predictions with one id the newest is
--   judged, of reviews the oldest: rule REV-023 rejects every later row of a review_id.
-- Units: business_date is the review's own date, target_date the business date of the decision judged.
with review_rows as (
    select v.*
    from validated.valid_reviews as v
    where v.business_date between $start_date and $end_date
),

label_targets as (
    select
        v.business_date,
        v.row_id,
        l.business_date as target_date,
        l.annotator_id as target_rater,
        'human' as rater_kind,
        l.vendor,
        l.stage as target_stage,
        l.label as target_label,
        l.market as target_market,
        l.queue as target_queue,
        l.item_id as target_item_id,
        l.content_type,
        coalesce(l.guideline_version, '') as guideline_version,
        coalesce(l.batch_id, '') as batch_id,
        l.row_id as target_row_id
    from review_rows as v
    inner join validated.valid_labels as l on v.target_id = l.label_id and v.business_date >= l.business_date
    anti join facts.rejected_labels as r on l.business_date = r.business_date and l.row_id = r.row_id
    where v.target_kind = 'label'
),

prediction_targets as (
    select
        v.business_date,
        v.row_id,
        p.business_date as target_date,
        p.model_id || '@' || p.model_version as target_rater,
        'model' as rater_kind,
        '' as vendor,
        'production' as target_stage,
        p.label as target_label,
        p.market as target_market,
        p.queue as target_queue,
        p.item_id as target_item_id,
        p.content_type,
        '' as guideline_version,
        '' as batch_id,
        p.row_id as target_row_id
    from review_rows as v
    inner join validated.valid_predictions as p on v.target_id = p.prediction_id and v.business_date >= p.business_date
    where v.target_kind = 'prediction'
),

review_targets as (
    select
        v.business_date,
        v.row_id,
        t.business_date as target_date,
        t.reviewer_id as target_rater,
        'reviewer' as rater_kind,
        '' as vendor,
        'qa' as target_stage,
        t.verdict_label as target_label,
        t.market as target_market,
        t.queue as target_queue,
        t.item_id as target_item_id,
        '' as content_type,
        '' as guideline_version,
        '' as batch_id,
        t.row_id as target_row_id
    from review_rows as v
    inner join validated.valid_reviews as t on v.target_id = t.review_id and v.business_date >= t.business_date
    where v.target_kind = 'review'
),

targets as (
    select
        a.*,
        row_number() over (
            partition by a.business_date, a.row_id
            order by
                case when a.rater_kind = 'reviewer' then a.target_date end asc nulls last,
                a.target_date desc nulls last,
                a.target_row_id desc nulls last
        ) as preference
    from (
        select * from label_targets
        union all
        select * from prediction_targets
        union all
        select * from review_targets
    ) as a
),

judged_dates as (
    select distinct t.target_date
    from targets as t
    where t.preference = 1
),

roster_in_force as (
    select
        d.target_date,
        max(r.business_date) as roster_date
    from judged_dates as d
    inner join validated.valid_roster as r on d.target_date >= r.business_date
    group by d.target_date
),

sites as (
    select
        t.business_date,
        t.row_id,
        r.site
    from targets as t
    inner join roster_in_force as f on t.target_date = f.target_date
    inner join validated.valid_roster as r
        on t.target_rater = r.annotator_id and f.roster_date = r.business_date
    where t.preference = 1 and t.rater_kind = 'human'
)

select
    v.business_date,
    v.file_name,
    v.row_number,
    v.row_id,
    v.review_id,
    v.target_kind,
    v.target_id,
    v.item_id,
    v.market,
    v.queue,
    v.replicate,
    v.reviewer_id,
    v.verdict_label,
    v.error_category,
    v.severity,
    v.is_blind,
    v.sampling,
    v.inclusion_probability,
    v.reviewed_at,
    t.target_date,
    t.target_rater,
    t.rater_kind,
    t.vendor,
    coalesce(s.site, '') as site,
    t.target_stage,
    t.target_label,
    t.target_market,
    t.target_queue,
    t.target_item_id,
    t.content_type,
    t.guideline_version,
    t.batch_id
from review_rows as v
left join targets as t on v.business_date = t.business_date and v.row_id = t.row_id and t.preference = 1
left join sites as s on v.business_date = s.business_date and v.row_id = s.row_id
