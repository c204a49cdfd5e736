"""What planning starts from: decisions of the newest 28 days and what their random reviews found, by stratum.

A stratum is a market x queue x vendor. Reading and adding up belong here; the plan is `review_plan`, what reviews are
needed for is `review_needs`.
"""

from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np

from qa_pipeline.marts.cells import Groups
from qa_pipeline.marts.reading import Table, read_table
from qa_pipeline.marts.sampling_plans import PER_UNIT
from qa_pipeline.stats.jackknife import BoolArray, FloatArray, IntArray, divide
from qa_pipeline.stats.proportions import effective_n
from qa_pipeline.stats.windows import TRAILING_DAYS

# A vendor's rate is drawn towards its queue's as if by so many more reviews: a few reviews cannot
# move tomorrow's budget, and a well reviewed stratum speaks for itself.
PRIOR_REVIEWS = 20.0
_NUMBERS = ("decision_count", "review_count", "weight", "weight_squared", "defect_weight")


@dataclass(frozen=True)
class Reviewed:
    """Decisions and their random reviews, `[n]` each; `share` is Hajek's defect rate (NaN without reviews).

    `effective` is Kish's effective number of the reviews. Where decisions were reviewed with unequal chances (a floor
    for every annotator makes them so), plain counts would take the rate of those reviewed most for the rate of all, and
    overstate how well it is known.
    """

    decisions: FloatArray
    reviews: FloatArray
    effective: FloatArray
    share: FloatArray

    @property
    def defects(self) -> FloatArray:
        """Defects among the effective reviews."""
        return np.nan_to_num(self.share) * self.effective


def read_history(con: duckdb.DuckDBPyConnection, *, sql_root: Path) -> Table:
    """Decisions and reviews per date and stratum, of the 28 days up to the newest with decisions."""
    return read_table(con, sql_root=sql_root, name="planning_strata", parameters={"days": TRAILING_DAYS})


def key_sums(history: Table, *, rows: BoolArray) -> dict[str, FloatArray]:
    """Each number of the history added up per key over the chosen rows, `[keys]`."""
    return {
        name: np.bincount(history.key[rows], weights=history.numbers[name][rows], minlength=history.keys).astype(
            np.float64
        )
        for name in _NUMBERS
    }


def reviewed(sums: dict[str, FloatArray], *, keys: IntArray, groups: Groups) -> Reviewed:
    """Decisions and reviews of `groups` of the `keys` of a history."""
    total = {name: groups.sum(values[keys]) for name, values in sums.items()}
    weight, squared = total["weight"] / PER_UNIT, total["weight_squared"] / PER_UNIT
    return Reviewed(
        decisions=total["decision_count"],
        reviews=total["review_count"],
        effective=effective_n(total["review_count"], weight, squared),
        share=divide(total["defect_weight"], total["weight"]),
    )
