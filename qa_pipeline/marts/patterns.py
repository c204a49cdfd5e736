"""What one tallied pattern of ratings says: how many ratings, which labels, how many equal pairs.

Reading patterns belongs here, once per distinct pattern; adding them up does not (see `unit_sums`).
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from qa_pipeline.marts.reading import Codes
from qa_pipeline.stats.jackknife import FloatArray, IntArray

SEPARATOR = ","


@dataclass(frozen=True)
class Patterns:
    """Patterns of ratings, `[patterns]` each, and their labels, one entry per pattern and label it has.

    `raters` counts ratings, `equal_pairs` ordered pairs of equal ratings, `unanimous` is 1 where all are equal. The
    labels of pattern p are the entries `bounds[p]` .. `bounds[p + 1]` of `label` (an index into `label_names`) and
    `ratings` (how many carry it). A multi-select rating is one label, its codes joined by |.
    """

    raters: IntArray
    equal_pairs: FloatArray
    unanimous: FloatArray
    bounds: IntArray
    label: IntArray
    ratings: FloatArray
    label_names: tuple[str, ...]

    def of(self, codes: Codes) -> "Patterns":
        """The patterns of `codes`, one each, in their order."""
        chosen = codes.values
        counts = np.diff(self.bounds)[chosen]
        bounds = np.concatenate([[0], np.cumsum(counts)])
        entries = np.repeat(self.bounds[chosen] - bounds[:-1], counts) + np.arange(bounds[-1])
        return Patterns(
            raters=self.raters[chosen],
            equal_pairs=self.equal_pairs[chosen],
            unanimous=self.unanimous[chosen],
            bounds=bounds,
            label=self.label[entries],
            ratings=self.ratings[entries],
            label_names=self.label_names,
        )


def read_patterns(names: tuple[str, ...], *, labels: tuple[str, ...]) -> Patterns:
    """Take patterns apart; `label_names` are the labels that they have and `labels`, in order.

    >>> found = read_patterns(("no,yes,yes",), labels=("maybe",))
    >>> found.raters.tolist(), found.equal_pairs.tolist(), found.label_names, found.ratings.tolist()
    ([3], [2.0], ('maybe', 'no', 'yes'), [1.0, 2.0])
    """
    counted = [Counter(name.split(SEPARATOR)) for name in names]
    label_names = tuple(sorted(set(labels).union(*counted)))
    place = {label: index for index, label in enumerate(label_names)}
    entries = [(place[label], count) for ratings in counted for label, count in sorted(ratings.items())]
    found = np.array(entries, dtype=np.int64).reshape(-1, 2)
    return Patterns(
        raters=np.array([ratings.total() for ratings in counted], dtype=np.int64),
        equal_pairs=np.array([sum(r * (r - 1) for r in ratings.values()) for ratings in counted], dtype=np.float64),
        unanimous=np.array([len(ratings) == 1 for ratings in counted], dtype=np.float64),
        bounds=np.cumsum([0, *(len(ratings) for ratings in counted)]),
        label=found[:, 0],
        ratings=found[:, 1].astype(np.float64),
        label_names=label_names,
    )
