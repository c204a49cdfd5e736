"""The verdict on a coefficient of agreement, by its interval: Krippendorff's limits, in the one place that knows them.

Which metrics are coefficients, and the rule, belong here; the pages print what the marts say.
"""

import numpy as np

from qa_pipeline.marts.reading import Codes
from qa_pipeline.stats.jackknife import FloatArray

RELIABLE_FROM = 0.8
TENTATIVE_FROM = 0.667
RELIABLE, TENTATIVE, UNRELIABLE, NOT_ENOUGH = "reliable", "tentative", "unreliable", "not enough data"
VERDICTS = (RELIABLE, TENTATIVE, UNRELIABLE, NOT_ENOUGH)
# Marts that have coefficients, and so the column.
VERDICT_MARTS = frozenset({"agreement", "rater_pairs"})
COEFFICIENTS = frozenset(
    {
        "cohen_kappa",
        "cohen_kappa_weighted",
        "fleiss_1971",
        "fleiss_kappa",
        "fleiss_kappa_weighted",
        "gwet_ac1",
        "gwet_ac2",
        "krippendorff_alpha",
    }
)
# What a metric's name ends in where it is a coefficient of many units thrown together, or a mean of coefficients.
_ENDINGS = ("_pooled", "_mean")
_COMMENT = (
    "What a coefficient's interval says of the labels (limits: Krippendorff 2004): reliable where all of it is at "
    f"{RELIABLE_FROM} or above, tentative at {TENTATIVE_FROM} or above, unreliable where all of it is below "
    f"{TENTATIVE_FROM}, else (also without an interval) not enough data. NULL for metrics that are no coefficient."
)
VERDICT_COLUMN: dict[str, tuple[str, str]] = {"verdict": ("varchar", _COMMENT)}


def is_coefficient(metric: str) -> bool:
    """Whether the metric is a coefficient that corrects for chance, so that the limits hold for it.

    >>> [is_coefficient(metric) for metric in ("gwet_ac1_pooled", "percent_agreement", "prevalence_index")]
    [True, False, False]
    """
    for ending in _ENDINGS:
        metric = metric.removesuffix(ending)
    return metric in COEFFICIENTS


def verdicts(metric: Codes, *, low: FloatArray, high: FloatArray) -> Codes:
    """The verdict of each row, one of VERDICTS; NULL (code -1) where the metric is no coefficient.

    `low` and `high` are the ends of the intervals, NaN where there is none.
    """
    found = np.full(len(low), VERDICTS.index(NOT_ENOUGH))
    # NaN compares as false, so that what has no interval stays as it is.
    found = np.where(high < TENTATIVE_FROM, VERDICTS.index(UNRELIABLE), found)
    found = np.where(low >= TENTATIVE_FROM, VERDICTS.index(TENTATIVE), found)
    found = np.where(low >= RELIABLE_FROM, VERDICTS.index(RELIABLE), found)
    judged = np.array([is_coefficient(name) for name in metric.names], dtype=np.bool_)
    return Codes(values=np.where(judged[metric.values], found, -1) if len(found) else found, names=VERDICTS)
