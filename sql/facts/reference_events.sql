-- Purpose: everything that says what the right label of an item is.
-- Grain: a known answer, an expert's decision or an arbitration's verdict, at the date it was delivered.
-- Source: validated.valid_gold, validated.valid_labels of stage expert, facts.reviews that arbitrate a review.
-- Units: market '' holds in every market; precedence 1 is believed first.
select
    g.business_date,
    'gold' as reference_kind,
    1 as precedence,
    coalesce(g.market, '') as market,
    g.queue,
    g.item_id,
    g.label as reference_label,
    '' as given_by,
    g.valid_from,
    cast(null as timestamp with time zone) as given_at,
    g.row_id
from validated.valid_gold as g
where g.business_date between $start_date and $end_date
union all
select
    l.business_date,
    'expert' as reference_kind,
    2 as precedence,
    l.market,
    l.queue,
    l.item_id,
    l.label as reference_label,
    l.annotator_id as given_by,
    cast(null as timestamp with time zone) as valid_from,
    l.submitted_at as given_at,
    l.row_id
from validated.valid_labels as l
anti join facts.rejected_labels as r on l.business_date = r.business_date and l.row_id = r.row_id
where l.business_date between $start_date and $end_date and l.stage = 'expert'
union all
select
    v.business_date,
    'arbitration' as reference_kind,
    2 as precedence,
    v.market,
    v.queue,
    v.item_id,
    v.verdict_label as reference_label,
    v.reviewer_id as given_by,
    cast(null as timestamp with time zone) as valid_from,
    v.reviewed_at as given_at,
    v.row_id
from facts.reviews as v
where v.business_date between $start_date and $end_date and v.target_kind = 'review'
