-- Purpose: decisions per label, of humans together and of each model version, to compare periods.
-- Grain:   business_date x market x queue x subject_kind (labels, predictions) x subject x label x replicate, one or
--          more rows each.
-- Source:  tallies.label_counts (human rows: stage production; model rows: the chosen label).
-- Units:   unit_count = decisions.
select
    business_date,
    market,
    queue,
    case when rater_kind = 'human' then 'labels' else 'predictions' end as subject_kind,
    case when rater_kind = 'human' then 'human' else model_version end as subject,
    label,
    replicate,
    n as unit_count
from tallies.label_counts
