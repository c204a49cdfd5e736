-- Purpose: scores of one queue per label and bin of each model version, to compare periods.
-- Grain:   as the tally: business_date x market x subject (model version) x label x bin.
-- Source:  tallies.score_hist; two neighbouring bins are taken together (16 an octave), which is still much finer than
--          the quantile bins made of them. 2 divides 2048, so the bins stay mirrored.
-- Units:   bin = 0..1023, rising with the score; unit_count = scores.
select
    business_date,
    market,
    queue,
    model_version as subject,
    label,
    bin // 2 as bin,
    n as unit_count
from tallies.score_hist
where queue = $queue
