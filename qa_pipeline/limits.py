"""Numbers that both the settings and the statistics need. No imports, so that the command line answers at once."""

# Acceptance quality limits of ISO 2859-1 in percent nonconforming; above 10 it counts nonconformities per 100 items.
AQLS = (0.010, 0.015, 0.025, 0.040, 0.065, 0.10, 0.15, 0.25, 0.40, 0.65, 1.0, 1.5, 2.5, 4.0, 6.5, 10.0)
# Two weeks of baseline, so that each weekday is seen twice.
MIN_BASELINE_DAYS = 14
