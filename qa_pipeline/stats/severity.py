"""Defects per 1,000 decisions, each counted by how severe it is.

What a severity scores belongs here; the mean score and its interval are `weighted_means`.
"""

import numpy as np

from qa_pipeline.stats.jackknife import FloatArray

DECISIONS = 1000


def severity_scores(severity_weights: FloatArray) -> tuple[FloatArray, float]:
    """Scores from 0 to 1 of classes of decisions, and the defects per 1,000 that a mean score of 1 stands for.

    `severity_weights` `[classes]` is what a decision of a class (no defect, minor, major, critical) counts, 0 for no
    defect. Scores are shares of the largest, so the interval of their mean, times the scale, is never below 0, and a
    queue without a defect gets an upper end that allows for defects of the worst sort (docs/defect_coverage.md
    measures it). ValueError unless a weight is above 0.

    >>> scores, scale = severity_scores(np.array([0.0, 1.0, 5.0]))
    >>> scores.tolist(), scale
    ([0.0, 0.2, 1.0], 5000.0)
    """
    worst = severity_weights.max()
    if not worst > 0 or severity_weights.min() < 0:
        message = "severity weights must be 0 or more, and one of them above 0"
        raise ValueError(message)
    return severity_weights / np.float64(worst), float(DECISIONS * worst)
