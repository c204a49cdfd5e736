"""How far two distributions over the same categories are apart, from counts.

Distances, their bias and their intervals belong here; which categories and periods are compared does not. Counts carry
the categories on the last axis, several distributions side by side: `starts` is the first category of each
(`[groups]`), and results are `[..., groups]`. `current` is the period looked at, `baseline` what it is compared with.
"""

from dataclasses import dataclass

import numpy as np

from qa_pipeline.stats.jackknife import (
    T_975_DF19,
    Z_975,
    BoolArray,
    FloatArray,
    IntArray,
    Interval,
    bias_corrected,
    variance,
)

# A share of 0 has no logarithm: shares below the floor are raised to it in the PSI (and in nothing else).
PSI_FLOOR = 1e-4
MIN_EXPECTED = 5
_HALF_NORMAL_MEAN = np.sqrt(2 / np.pi)


@dataclass(frozen=True)
class Distances:
    """Population stability index, Jensen-Shannon divergence (bits) and total variation, each `[..., groups]`."""

    psi: FloatArray
    js_divergence: FloatArray
    total_variation: FloatArray


@dataclass(frozen=True)
class Estimate:
    """A distance with its 95 % interval, each `[..., groups]`."""

    value: FloatArray
    interval: Interval


def shares(counts: FloatArray, *, starts: IntArray) -> FloatArray:
    """Counts `[..., categories]` divided by their group's total; NaN where that is 0."""
    totals = np.add.reduceat(counts, starts, axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        result: FloatArray = counts / _spread(totals, starts, counts.shape[-1])
    return result


def distances(current: FloatArray, baseline: FloatArray, *, starts: IntArray) -> Distances:
    """Plug-in distances between two arrays of `shares`.

    With shares a (current) and e (baseline): PSI = sum (a - e) ln(a / e) with PSI_FLOOR; Jensen-Shannon =
    (KL(a | m) + KL(e | m)) / 2 with m = (a + e) / 2 and base 2 (J. Lin 1991, IEEE Transactions on Information Theory
    37), 0 to 1; total variation = sum |a - e| / 2, 0 to 1.
    """
    floored_a, floored_e = np.maximum(current, PSI_FLOOR), np.maximum(baseline, PSI_FLOOR)
    middle = (current + baseline) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        psi = (floored_a - floored_e) * np.log(floored_a / floored_e)
        js = (_entropy_term(current, middle) + _entropy_term(baseline, middle)) / 2
    total_variation = np.abs(current - baseline) / 2
    psi, js, total_variation = (np.add.reduceat(term, starts, axis=-1) for term in (psi, js, total_variation))
    return Distances(psi=psi, js_divergence=np.maximum(js, 0), total_variation=total_variation)


def no_drift_psi(categories: FloatArray, n: FloatArray, m: FloatArray) -> FloatArray:
    """PSI to expect when nothing drifted: (B - 1)(1/n + 1/m) for B categories and samples of n and m.

    Source: B. Yurdakul and J. Naranjo (2020), Statistical properties of the population stability index, Journal of
    Risk Model Validation 14(4): under no drift the PSI is about (1/n + 1/m) times chi-square with B - 1 degrees.

    >>> round(float(no_drift_psi(np.array(10.0), np.array(100.0), np.array(400.0))), 4)
    0.1125
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        result: FloatArray = (categories - 1) * (1 / n + 1 / m)
    return result


def is_sparse(current: FloatArray, baseline: FloatArray, *, starts: IntArray) -> BoolArray:
    """Whether more than half of the categories are too rare for an interval, `[..., groups]`.

    Too rare: fewer than 5 are expected in the smaller of the two samples at the pooled share (W. G. Cochran 1954,
    Biometrics 10, asks for 5 in at least four fifths of the cells of a test; measured here, half is enough). Counts
    `[..., categories]`; categories without a count in either are left out.
    """
    pooled = current + baseline
    totals = [np.add.reduceat(counts, starts, axis=-1) for counts in (current, baseline)]
    smaller = np.minimum(*totals)
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = pooled * _spread(smaller / (totals[0] + totals[1]), starts, pooled.shape[-1])
    seen = pooled > 0
    rare = np.add.reduceat((seen & (expected < MIN_EXPECTED)).astype(np.float64), starts, axis=-1)
    sparse: BoolArray = rare > np.add.reduceat(seen.astype(np.float64), starts, axis=-1) / 2
    return sparse


def jackknife_distances(current: FloatArray, baseline: FloatArray, *, starts: IntArray) -> dict[str, Estimate]:
    """Distances with jackknife intervals from counts `[..., 1 + G, categories]` (index 0 the whole sample).

    Keys psi, js_divergence, total_variation. PSI and Jensen-Shannon are corrected for bias by the jackknife; total
    variation is not (see `_total_variation`). Where nothing varies between the replicates both ends are NaN.
    """
    a, e = shares(current, starts=starts), shares(baseline, starts=starts)
    found = distances(a, e, starts=starts)
    result = {
        "psi": _corrected_estimate(found.psi, upper=np.inf),
        "js_divergence": _corrected_estimate(found.js_divergence, upper=1.0),
    }
    category_error = np.sqrt(variance(a - e))
    spread = T_975_DF19 * np.sqrt(variance(found.total_variation))
    result["total_variation"] = _total_variation(found.total_variation[..., 0, :], category_error, spread, starts)
    return result


def multinomial_distances(
    current: FloatArray, baseline: FloatArray, *, n: FloatArray, m: FloatArray, starts: IntArray
) -> dict[str, Estimate]:
    """Distances with delta-method intervals from counts `[..., categories]` without replicates.

    `n` and `m` `[..., groups]` are the independent units behind `current` and `baseline` (items: an item scored for
    four labels adds four counts but is one unit). PSI and Jensen-Shannon are corrected by the second-order term of
    their Taylor series. Keys and ends as in `jackknife_distances`.
    """
    found = distances(shares(current, starts=starts), shares(baseline, starts=starts), starts=starts)
    width = current.shape[-1]
    seen = (current + baseline) > 0
    # Derivatives at shares that are never 0: half a count is added to every category seen in either period.
    smooth_a, smooth_e = (shares(np.where(seen, counts + 0.5, 0), starts=starts) for counts in (current, baseline))
    rows_a, rows_e = (
        _spread(np.add.reduceat(counts, starts, axis=-1), starts, width) for counts in (current, baseline)
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(seen, smooth_a / smooth_e, 1)
        noise_a, noise_e = (
            np.where(seen, (1 - each) / rows, 0) for each, rows in ((smooth_a, rows_a), (smooth_e, rows_e))
        )
        bias = {
            "psi": ((1 + 1 / ratio) * noise_a + (1 + ratio) * noise_e) / 2,
            "js_divergence": (noise_a / (1 + ratio) + noise_e * ratio / (1 + ratio)) / (4 * np.log(2)),
        }
        # The error of the root when nothing drifted, squared; it is never smaller.
        floor = {"psi": (1 / n + 1 / m) / 2, "js_divergence": (1 / n + 1 / m) / (16 * np.log(2))}
        variances = {
            name: _multinomial_variance(smooth_a, slope_a, n, starts)
            + _multinomial_variance(smooth_e, slope_e, m, starts)
            for name, (slope_a, slope_e) in _slopes(ratio).items()
        }
        errors = smooth_a * (1 - smooth_a) / _spread(n, starts, width) + smooth_e * (1 - smooth_e) / _spread(
            m, starts, width
        )
    tv_spread = Z_975 * np.sqrt(variances["total_variation"])
    result = {"total_variation": _total_variation(found.total_variation, np.sqrt(errors), tv_spread, starts)}
    for name, plug_in in (("psi", found.psi), ("js_divergence", found.js_divergence)):
        corrected = plug_in - np.add.reduceat(bias[name], starts, axis=-1)
        with np.errstate(divide="ignore", invalid="ignore"):
            root_error = np.sqrt(np.maximum(variances[name] / (4 * plug_in), floor[name]))
        upper = np.inf if name == "psi" else 1.0
        result[name] = _squared_distance(corrected, plug_in, Z_975 * root_error, upper=upper)
    return result


def _slopes(ratio: FloatArray) -> dict[str, tuple[FloatArray, FloatArray]]:
    """Derivatives of each distance by the current and the baseline share of a category; `ratio` is current / "
    "baseline."""
    return {
        "psi": (np.log(ratio) + 1 - 1 / ratio, -np.log(ratio) + 1 - ratio),
        "js_divergence": (np.log2(2 * ratio / (1 + ratio)) / 2, np.log2(2 / (1 + ratio)) / 2),
        "total_variation": (np.sign(ratio - 1) / 2, np.sign(1 - ratio) / 2),
    }


def _corrected_estimate(statistics: FloatArray, *, upper: float) -> Estimate:
    error = np.sqrt(variance(np.sqrt(statistics)))
    return _squared_distance(bias_corrected(statistics), statistics[..., 0, :], T_975_DF19 * error, upper=upper)


def _squared_distance(corrected: FloatArray, plug_in: FloatArray, spread: FloatArray, *, upper: float) -> Estimate:
    """Interval of a distance that grows as the square of the difference (PSI, Jensen-Shannon), kept at 0 or above.

    `spread` is half the width on the scale of the square root, where the error hardly depends on how far apart the two
    are; symmetric intervals on the distance itself covered 79 % just beside "no drift" with two labels. The bias is
    taken off after squaring, as in inverting a noncentral chi-square.
    """
    root, bias = np.sqrt(plug_in), plug_in - corrected
    value = np.clip(corrected, 0, upper)
    low = np.clip(np.square(np.maximum(root - spread, 0)) - bias, 0, upper)
    high = np.square(root + spread) - bias
    # Samples even more alike than chance makes them: the plug-in value, too large on average, is the upper end.
    high = np.clip(np.where(high > 0, high, plug_in), 0, upper)
    usable = np.isfinite(spread) & (spread > 0) & (high > low)
    return Estimate(
        value=value, interval=Interval(low=np.where(usable, low, np.nan), high=np.where(usable, high, np.nan))
    )


def _total_variation(plug_in: FloatArray, error: FloatArray, spread: FloatArray, starts: IntArray) -> Estimate:
    """Interval of the total variation: its lower end reaches down by the most that noise can have added.

    |x| bends at 0, so no bias correction holds there. But for a normal difference with standard error s the mean of |x|
    exceeds its true value by 0 to s sqrt(2 / pi), so the true distance lies between that much less and the expectation.
    """
    noise = np.add.reduceat(error, starts, axis=-1) * _HALF_NORMAL_MEAN / 2
    low = np.clip(plug_in - noise - spread, 0, 1)
    high = np.clip(plug_in + spread, 0, 1)
    usable = np.isfinite(spread) & (spread > 0) & (high > low)
    return Estimate(
        value=plug_in, interval=Interval(low=np.where(usable, low, np.nan), high=np.where(usable, high, np.nan))
    )


def _multinomial_variance(share: FloatArray, slope: FloatArray, units: FloatArray, starts: IntArray) -> FloatArray:
    mean = np.add.reduceat(share * slope, starts, axis=-1)
    square = np.add.reduceat(share * slope * slope, starts, axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        result: FloatArray = np.maximum(square - mean * mean, 0) / units
    return result


def _entropy_term(share: FloatArray, middle: FloatArray) -> FloatArray:
    term: FloatArray = share * np.log2(np.where(share > 0, share / middle, 1))
    return term


def _spread(groups: FloatArray, starts: IntArray, width: int) -> FloatArray:
    return np.repeat(groups, np.diff(starts, append=width), axis=-1)
