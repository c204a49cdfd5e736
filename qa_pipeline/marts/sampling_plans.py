"""How rarely the rarest decisions were picked for review: the largest weight of each sampling plan.

What the plans of a market and queue were around a period belongs here; what their weights do to an interval is
`stats.weighted_means`.
"""

import numpy as np

from qa_pipeline.marts.reading import Table
from qa_pipeline.stats.jackknife import FloatArray, IntArray
from qa_pipeline.stats.windows import Windows

# Tallies hold weights in 1e-6.
PER_UNIT = 1e6


def largest_weights(table: Table, *, windows: Windows, plans: IntArray) -> FloatArray:
    """Largest 1 / inclusion probability of each plan in each window and the 28 days before it, `[W, plans]`.

    `plans` `[keys]` numbers the plan of every key of `table`, whose rows have their largest_weight in 1e-6; a plan
    without decisions in that time has 0. The sample of a day may lack what is picked most rarely, so a plan is looked
    at for longer.
    """
    # One more slot, so that a window may end with the last.
    largest = np.zeros((windows.slots + 1, int(plans.max()) + 1))
    weights = table.numbers["largest_weight"] / PER_UNIT
    np.maximum.at(largest, (windows.slot_of(table.dates), plans[table.key]), weights)
    bounds = np.stack([windows.baseline_first, windows.stop], axis=1).ravel()
    within: FloatArray = np.maximum.reduceat(largest, bounds, axis=0)[::2]
    return within
