"""QA's sensitivity and specificity from arbitrated verdicts."""

import numpy as np
import pytest

from qa_pipeline.stats.arbitration import MIN_ARBITRATED, QaErrors, qa_errors
from qa_pipeline.stats.jackknife import FloatArray


def errors(units: FloatArray, *, chance: FloatArray, verdicts: FloatArray) -> QaErrors:
    """Errors when verdicts are arbitrated with a chance that depends on the verdict alone."""
    return qa_errors(
        units,
        weight=units / chance[:, None],
        squared_weight=units / chance[:, None] ** 2,
        largest_weight=np.array(1 / chance.min()),
        verdicts=verdicts,
    )


def test_begg_and_greenes_liver_scans() -> None:
    """Stops verification bias: sick patients with a positive scan were likelier to be examined.

    Of 429 positive scans 263 were examined (231 sick, 32 not), of 221 negative ones 81 (27 sick, 54 not): Begg and
    Greenes (1983), Biometrics 39(1), 207-215, with data of Drum and Christacopoulos (1972). Corrected 0.84 and 0.74,
    where the examined alone give 0.90 and 0.63.
    """
    examined = np.array([[54.0, 27.0], [32.0, 231.0]])
    scans = np.array([221.0, 429.0])
    found = errors(examined, chance=np.array([81 / 221, 263 / 429]), verdicts=scans)
    assert found.sensitivity.value == pytest.approx(0.84, abs=0.005)
    assert found.specificity.value == pytest.approx(0.74, abs=0.005)
    naive = errors(examined, chance=np.ones(2), verdicts=scans)
    assert naive.sensitivity.value == pytest.approx(231 / 258)
    assert naive.specificity.value == pytest.approx(54 / 86)
    for each in (found.sensitivity, found.specificity):
        assert each.interval.low < each.value < each.interval.high
    assert found.is_known


def test_arbitrating_disagreements_alone_tells_nothing() -> None:
    """Stops a sensitivity of 100 % because no verdict of no defect was ever arbitrated."""
    found = errors(np.array([[0.0, 0.0], [20.0, 80.0]]), chance=np.ones(2), verdicts=np.array([900.0, 100.0]))
    assert found.is_one_sided
    assert not found.is_known
    # Without such verdicts there is nothing to arbitrate.
    none = errors(np.array([[0.0, 0.0], [20.0, 80.0]]), chance=np.ones(2), verdicts=np.array([0.0, 100.0]))
    assert not none.is_one_sided


def test_a_handful_of_defects_is_too_thin() -> None:
    """Stops a sensitivity that rests on less than it needs, one short of enough and just enough."""
    few = np.array([[500.0, 1.0], [5.0, MIN_ARBITRATED - 2.0]])
    verdicts = np.array([501.0, 20.0])
    assert errors(few, chance=np.ones(2), verdicts=verdicts).is_thin
    few[1, 1] += 1
    assert not errors(few, chance=np.ones(2), verdicts=verdicts).is_thin
