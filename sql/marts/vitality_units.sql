-- Purpose: units of agreement by what one annotator or vendor said and what the others said.
-- Grain:   as the tally: business_date x market x queue x subject_kind x subject x own x others x replicate.
-- Source:  tallies.rater_patterns.
-- Units:   unit_count = units with two ratings or more.
select
    business_date,
    market,
    queue,
    subject_kind,
    subject,
    own,
    others,
    replicate,
    n as unit_count
from tallies.rater_patterns
