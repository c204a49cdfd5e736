"""Defects per 1,000 decisions, each counted by how severe it is.

The weights of severities belong to the caller; the mean and its interval are `weighted_means`.
"""

from qa_pipeline.stats.corrected_rates import Measured
from qa_pipeline.stats.jackknife import FloatArray, Interval
from qa_pipeline.stats.weighted_means import mean_interval, sums_of_classes

DECISIONS = 1000


def defects_per_thousand(
    units: FloatArray,
    *,
    weight: FloatArray,
    squared_weight: FloatArray,
    severity_weights: FloatArray,
    largest_weight: FloatArray,
    is_finite: bool,
) -> Measured:
    """Severity-weighted defects per 1,000 decisions and their interval, `[...]`.

    `units`, `weight` and `squared_weight` `[..., classes]` are sums over reviews of a class (no defect, minor, major,
    critical); `severity_weights` `[classes]` is what one such decision counts, 0 for no defect. The interval is that
    of the mean of severity weights over the largest of them, so it is never below 0, and a queue without a defect gets
    an upper end that allows for defects of the worst sort. ValueError unless a weight is above 0.

    >>> import numpy as np
    >>> units = np.array([95.0, 4.0, 1.0])
    >>> found = defects_per_thousand(units, weight=units * 10, squared_weight=units * 100,
    ...                              severity_weights=np.array([0.0, 1.0, 5.0]), largest_weight=np.array(10.0),
    ...                              is_finite=True)
    >>> float(found.value)
    90.0
    """
    worst = severity_weights.max()
    if not worst > 0 or severity_weights.min() < 0:
        message = "severity weights must be 0 or more, and one of them above 0"
        raise ValueError(message)
    sums = sums_of_classes(
        units=units,
        weight=weight,
        squared_weight=squared_weight,
        scores=severity_weights / worst,
        is_finite=is_finite,
    )
    share = mean_interval(sums, largest_weight=largest_weight, is_finite=is_finite)
    scale = DECISIONS * worst
    return Measured(sums.mean * scale, Interval(low=share.low * scale, high=share.high * scale))
