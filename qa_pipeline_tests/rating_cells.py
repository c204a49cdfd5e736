"""Single ratings as the cells that `stats.agreement` takes, and Gwet's form of a standard error, for tests."""

from collections import Counter
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from qa_pipeline.stats.agreement import Coefficient, Patterns
from qa_pipeline.stats.jackknife import FloatArray

Units: TypeAlias = Sequence[Sequence[str]]
Cell: TypeAlias = tuple[FloatArray, Patterns]


def cell_of(units: Units, labels: str | Sequence[str] | None = None) -> Cell:
    """Units per pattern and the patterns, counted naively; labels in the order given, else sorted."""
    known = sorted({label for unit in units for label in unit}) if labels is None else list(labels)
    counted = Counter(tuple(unit.count(label) for label in known) for unit in units)
    return np.array(list(counted.values()), dtype=np.float64), Patterns(np.array(list(counted), dtype=np.float64))


def gwet_standard_error(found: Coefficient, cell: Cell) -> float:
    """The standard error as Gwet and irrCAC have it, of a coefficient whose observed agreement is over pairable units.

    Gwet takes the number of units with two ratings as given by chance as well: his pseudo-value of a unit adds
    k (n / n' - 1) where it has two ratings and -k where it has one (n units, n' of them with two ratings, k the
    coefficient). With many single ratings that term would swamp the rest, so the product leaves it out.
    """
    counts, patterns = cell
    units = counts.sum()
    pairable = (counts * patterns.is_pairable).sum()
    chance = found.value * (units / pairable * patterns.is_pairable - 1) / units
    return float(np.sqrt(Coefficient(found.value, lambda: found.influence + chance).variance(counts)))
