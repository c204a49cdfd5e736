-- Functions that portable files may call; each engine defines them for itself (Spark's stand in its own prelude).
-- Purpose: one text for sql/validated, sql/facts and sql/tallies on every engine.
-- Grain: not a table.
-- Source: none.
-- Units: buckets and bins are whole numbers from 0.

-- Bucket 0 .. n-1 of a text, the same on every engine: the first 60 bits of its MD5, modulo n.
create or replace temp macro stable_bucket(k, n) as (cast(('0x' || substring(md5(k), 1, 15)) as bigint) % n);

-- Whole number in a text, NULL when it is none. A cast alone would round '1.5'.
create or replace temp macro int_or_null(s) as (
    case when regexp_matches(s, '^[+-]?[0-9]{1,18}$') then try_cast(s as bigint) end
);

-- floor(a / b), NULL when b is 0.
create or replace temp macro int_div(a, b) as (cast(a as bigint) // nullif(cast(b as bigint), 0));

-- A multi-select label with its codes sorted and each only once; other labels as they are.
create or replace temp macro sorted_codes(s) as (
    case when contains(s, '|') then array_to_string(list_sort(list_distinct(string_split(s, '|'))), '|') else s end
);

-- Ratings of a unit as one text.
create or replace temp macro list_text(l) as (array_to_string(l, ','));

-- Log-linear bin of n in 0 .. 2^30-1 with 32 bins an octave. log2 is exact enough here: below 2^30 the gap to the
-- next power of two is 1e-9 of an octave, a thousand times the rounding error (tested against the bit length).
create or replace temp macro log_linear_bin(n) as (
    case
        when n < 32 then cast(n as integer)
        else cast(
            (cast(floor(log2(n)) as bigint) - 4) * 32 + ((n >> (cast(floor(log2(n)) as bigint) - 5)) & 31) as integer
        )
    end
);

-- 1/p in parts per million, 1000000 when no probability is known.
create or replace temp macro weight_ppm(p) as (
    case when p >= 0.00001 and p <= 1 then cast(floor(1000000 / p + 0.5) as bigint) else cast(1000000 as bigint) end
);
-- Rule REV-010 keeps p at 1e-5 or more, so that one square stays under 1e16 and a tally's sum within a BIGINT.
create or replace temp macro weight_sq_ppm(p) as (
    case
        when p >= 0.00001 and p <= 1 then cast(floor(1000000 / (p * p) + 0.5) as bigint)
        else cast(1000000 as bigint)
    end
);

-- Probability of being picked twice, 1 for one that is unknown. Held at 1e-5 or more, where weight_ppm ends: weights of
-- which one is so large tell nothing, and where all are, their ratios stay.
create or replace temp macro both_chosen(p, q) as (greatest(coalesce(p, 1.0) * coalesce(q, 1.0), 0.00001));
