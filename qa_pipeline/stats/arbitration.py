"""How well QA judges: sensitivity and specificity of its verdicts, from arbitration.

Counting arbitrated verdicts belongs here; what is done with the two shares is `corrected_rates`. Arbitration is taken
for the truth.
"""

from dataclasses import dataclass

import numpy as np

from qa_pipeline.stats.corrected_rates import Measured
from qa_pipeline.stats.jackknife import BoolArray, FloatArray
from qa_pipeline.stats.weighted_means import WeightedSums, mean_interval, sums_of_classes

# With fewer arbitrated decisions of either sort, sensitivity or specificity is hardly known.
MIN_ARBITRATED = 10
_IS_CAUGHT = np.array([0.0, 1.0])
_IS_LEFT = np.array([1.0, 0.0])


@dataclass(frozen=True)
class QaErrors:
    """Sensitivity and specificity, and why they may not be used, `[...]` each.

    `is_one_sided`: verdicts of one sort were never arbitrated though there are some, as when only disagreements are;
    then neither share can be known without assumptions. `is_thin`: under MIN_ARBITRATED defects or right decisions.
    """

    sensitivity: Measured
    specificity: Measured
    is_one_sided: BoolArray
    is_thin: BoolArray

    @property
    def is_known(self) -> BoolArray:
        """Whether both may be used."""
        known: BoolArray = ~self.is_one_sided & ~self.is_thin
        return known


def qa_errors(
    units: FloatArray,
    *,
    weight: FloatArray,
    squared_weight: FloatArray,
    largest_weight: FloatArray,
    verdicts: FloatArray,
) -> QaErrors:
    """Sensitivity and specificity of QA's verdicts, weighted by 1 / probability that a verdict was arbitrated.

    `units`, `weight` and `squared_weight` `[..., 2, 2]`: arbitrated verdicts by QA's verdict (0 no defect, 1 defect)
    and by arbitration's; `largest_weight` `[...]` of the plan; `verdicts` `[..., 2]` counts all of QA's verdicts of
    either sort, arbitrated or not. Weighting undoes verification bias: arbitrating every defect verdict and one in
    twenty of the others is well, as long as both have a probability above 0. Source: C. B. Begg and R. A. Greenes
    (1983), Biometrics 39(1), 207-215, whose estimate this is when the probability depends on the verdict alone. QA is
    supposed to err as often on what was arbitrated as on what was not, given its verdict. Where decisions had unequal
    chances of review too, weights of both chances make the shares those of all decisions.
    """

    def share(truth: int, scores: FloatArray) -> Measured:
        sums: WeightedSums = sums_of_classes(
            units=units[..., truth],
            weight=weight[..., truth],
            squared_weight=squared_weight[..., truth],
            scores=scores,
            is_finite=False,
        )
        return Measured(sums.mean, mean_interval(sums, largest_weight=largest_weight, is_finite=False))

    arbitrated = units.sum(axis=-1)
    one_sided: BoolArray = ((verdicts > 0) & (arbitrated == 0)).any(axis=-1)
    thin: BoolArray = (units.sum(axis=-2) < MIN_ARBITRATED).any(axis=-1)
    return QaErrors(
        sensitivity=share(1, _IS_CAUGHT), specificity=share(0, _IS_LEFT), is_one_sided=one_sided, is_thin=thin
    )
