"""What one tallied pattern of ratings says: which labels, and how many ratings each of them has.

Reading patterns and scales belongs here, once per distinct pattern; adding them up does not (see `unit_sums`).
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from qa_pipeline.config import Config, QueueConfig
from qa_pipeline.stats.agreement import Patterns
from qa_pipeline.stats.jackknife import FloatArray, IntArray
from qa_pipeline.stats.scales import agreement_weights, masi_weights

SEPARATOR = ","


@dataclass(frozen=True)
class CellScale:
    """The scale that the labels of a cell lie on.

    `labels` are the declared ones in the order of the scale and `values` their numbers; none of either for nominal and
    masi (multi-select) labels. `mixed` is a roll-up of queues whose scales differ: only what needs no scale is defined.
    """

    kind: Literal["nominal", "ordinal", "interval", "ratio", "masi", "mixed"]
    labels: tuple[str, ...] = ()
    values: tuple[float, ...] = ()

    def order(self, given: Iterable[str]) -> tuple[str, ...]:
        """The labels of a cell in which these were `given`: all of a scale that has an order, else those alone."""
        return self.labels or tuple(sorted(set(given)))

    def weights(self, labels: tuple[str, ...]) -> FloatArray:
        """Agreement weights `[L, L]` of `labels`, which must be the scale's own where it has any."""
        if self.kind == "masi":
            return masi_weights(labels)
        if self.kind == "nominal" or self.kind == "mixed":  # noqa: PLR1714 - narrows the type
            return np.eye(len(labels))
        return agreement_weights(self.kind, values=np.array(self.values, dtype=np.float64))


NOMINAL = CellScale("nominal")
MIXED = CellScale("mixed")


def queue_scale(config: Config, queue: str) -> CellScale:
    """The scale that the taxonomy declares for a queue; nominal where it does not know the queue."""
    found: QueueConfig | None = config.taxonomy.queues.get(queue)
    if found is None:
        return NOMINAL
    if found.is_multi_select:
        return CellScale("masi")
    if found.scale == "nominal":
        return NOMINAL
    return CellScale(found.scale, labels=tuple(label.code for label in found.labels), values=found.values)


@dataclass(frozen=True)
class PatternTable:
    """Distinct patterns: `counted[p]` are the ratings of pattern p by label. A multi-select rating is one label."""

    counted: tuple[Counter[str], ...]
    label_names: tuple[str, ...]

    @cached_property
    def _place(self) -> dict[str, int]:
        return {label: index for index, label in enumerate(self.label_names)}

    def dense(self, chosen: IntArray, *, scale: CellScale) -> tuple[IntArray, Patterns, FloatArray]:
        """The labels of the `chosen` patterns (indices into `label_names`), their ratings, and the labels' weights."""
        counted = [self.counted[index] for index in chosen]
        labels = scale.order(set().union(*counted))
        known = np.array([self._place[label] for label in labels], dtype=np.int64)
        return known, _dense(counted, labels), scale.weights(labels)


def read_patterns(names: tuple[str, ...], *, labels: tuple[str, ...]) -> PatternTable:
    """Take patterns apart; `label_names` are the labels that they have and `labels`, in order.

    >>> found = read_patterns(("no,yes,yes",), labels=("maybe",))
    >>> dict(found.counted[0]), found.label_names
    ({'no': 1, 'yes': 2}, ('maybe', 'no', 'yes'))
    """
    counted = tuple(_counted(name) for name in names)
    return PatternTable(counted=counted, label_names=tuple(sorted(set(labels).union(*counted))))


def text_patterns(texts: Iterable[str], labels: tuple[str, ...]) -> Patterns:
    """One pattern for each text, in their order; an empty text has no rating."""
    return _dense([_counted(text) for text in texts], labels)


def labels_in(texts: Iterable[str]) -> set[str]:
    """Labels that the texts of some patterns name."""
    return {label for text in texts for label in _counted(text)}


def _counted(text: str) -> Counter[str]:
    return Counter(text.split(SEPARATOR) if text else ())


def _dense(counted: Sequence[Counter[str]], labels: tuple[str, ...]) -> Patterns:
    column = {label: index for index, label in enumerate(labels)}
    ratings = np.zeros((len(counted), len(labels)))
    for row, found in enumerate(counted):
        for label, count in found.items():
            ratings[row, column[label]] = count
    return Patterns(ratings)
