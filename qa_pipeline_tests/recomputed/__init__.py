"""Marts computed a second time, from landed rows, by naive pandas that knows nothing of the product.

Each module has `recompute(feeds)`: `feeds` are the landed rows of every feed, with a column `business_date` (that of
the folder) and times as UTC timestamps. It returns one row a figure: market, queue, subject_kind, subject, metric,
reference_kind, estimate, n_items, and period, period_start and period_end where the figures are not of period `all`.
More columns are compared too. A module without `estimate` has `faults(feeds, found)` instead. `LEFT_OUT`: pairs of
subject kind and metric that the mart has and the module does not compute.
"""
