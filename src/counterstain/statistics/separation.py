"""How far apart the two controls are: Z', robust Z' and SSMD.

Three SDs to either side of each control's mean, over the distance of the means. Swapping the two
controls changes none of the three. Wells are the replicates: pass a value per well, never per crop.

Sources: Zhang, Chung & Oldenburg 1999, doi:10.1177/108705719900400206 (Z'); Zhang 2007,
doi:10.1016/j.ygeno.2006.12.014 (SSMD).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from counterstain.errors import InvalidInputError
from counterstain.statistics.inputs import as_values, warn_undefined
from counterstain.statistics.resampling import well_bootstrap
from counterstain.types import Estimate

__all__ = ["Separation", "measure_separation", "robust_z_prime", "ssmd", "z_prime"]

_Floats = NDArray[np.float64]
_MAD_TO_SD = 1.4826
"""SD of a normal distribution over its median absolute deviation."""
_ROUNDING = 16 * np.finfo(np.float64).eps
"""Means and SDs of values up to 1 carry a rounding error of a few eps: less than this is none."""


@dataclass(frozen=True, slots=True)
class Separation:
    """Three measures of the distance between two controls, each with its interval.

    Parameters
    ----------
    z_prime, robust_z_prime : Estimate
        At most 1; above 0.5 is an excellent assay, below 0 the controls overlap.
    ssmd : Estimate
        Strictly standardised mean difference, 0 or more.
    """

    z_prime: Estimate
    robust_z_prime: Estimate
    ssmd: Estimate

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping, an entry a measure."""
        return {
            "z_prime": self.z_prime.to_json(),
            "robust_z_prime": self.robust_z_prime.to_json(),
            "ssmd": self.ssmd.to_json(),
        }


def z_prime(negative: ArrayLike, positive: ArrayLike, *, ddof: Literal[0, 1] = 1) -> float:
    """Return the Z'-factor, 1 - 3 (SD + SD) / abs(difference of means).

    Parameters
    ----------
    negative, positive : array-like of float, shape (n,) and (m,)
        A value per well of either control.
    ddof : {1, 0}
        1 divides squares by n - 1 (ours), 0 by n (CellProfiler's).

    Returns
    -------
    float
        At most 1; NaN with an `UndefinedStatisticWarning` where a control has fewer than two wells
        or the two means are the same. Two controls without any spread and with different means
        give 1, as the formula has it: look for saturated or rounded values.

    Raises
    ------
    InvalidInputError
        If a value is not finite, or `ddof` is neither 0 nor 1.

    References
    ----------
    Zhang, Chung & Oldenburg 1999, doi:10.1177/108705719900400206.

    Examples
    --------
    >>> round(z_prime([1, 1.2, 0.8, 1.1, 0.9], [5, 5.5, 4.5, 5.2, 4.8]), 6)
    0.595823
    """
    if ddof not in (0, 1):
        raise InvalidInputError(f"`ddof` must be 0 or 1; got {ddof}: 1 is the sample SD.")
    return _scalar("Z'", partial(_z_prime, ddof=ddof), negative, positive)


def robust_z_prime(negative: ArrayLike, positive: ArrayLike) -> float:
    """Return Z' with medians for means and 1.4826 MAD for SDs: one bad well does not move it.

    Parameters
    ----------
    negative, positive : array-like of float, shape (n,) and (m,)
        A value per well of either control.

    Returns
    -------
    float
        At most 1; NaN with an `UndefinedStatisticWarning` where a control has fewer than two wells
        or the two medians are the same.

    Raises
    ------
    InvalidInputError
        If a value is not finite.

    References
    ----------
    Zhang, Chung & Oldenburg 1999, doi:10.1177/108705719900400206, with robust estimators.

    Examples
    --------
    >>> round(robust_z_prime([1, 1.2, 0.8, 1.1, 0.9], [5, 5.5, 4.5, 5.2, 4.8]), 6)
    0.666415
    """
    return _scalar("robust Z'", _robust_z_prime, negative, positive)


def ssmd(negative: ArrayLike, positive: ArrayLike) -> float:
    """Return the strictly standardised mean difference, as a magnitude.

    The difference of means over the root of the summed sample variances, without its sign, so that
    swapping the controls changes nothing.

    Parameters
    ----------
    negative, positive : array-like of float, shape (n,) and (m,)
        A value per well of either control.

    Returns
    -------
    float
        0 or more; NaN with an `UndefinedStatisticWarning` where a control has fewer than two wells
        or neither has any spread.

    Raises
    ------
    InvalidInputError
        If a value is not finite.

    References
    ----------
    Zhang 2007, doi:10.1016/j.ygeno.2006.12.014.

    Examples
    --------
    >>> round(ssmd([1, 1.2, 0.8, 1.1, 0.9], [5, 5.5, 4.5, 5.2, 4.8]), 6)
    9.701425
    """
    return _scalar("SSMD", _ssmd, negative, positive)


def measure_separation(
    negative: ArrayLike,
    positive: ArrayLike,
    *,
    seed: int,
    n_resamples: int = 2000,
    confidence: float = 0.95,
) -> Separation:
    """Measure Z', robust Z' and SSMD, each with a well-bootstrap interval.

    Parameters
    ----------
    negative, positive : array-like of float, shape (n,) and (m,)
        A value per well of either control, such as its mean out-of-fold logit.
    seed : int
        Seed of the resamples; the three measures share them.
    n_resamples : int
        Resamples.
    confidence : float
        Coverage, between 0 and 1. Below eight wells a control the intervals are too narrow, see
        :mod:`counterstain.statistics.intervals`.

    Returns
    -------
    Separation
        A measure that is undefined is NaN with its reason, and warns.

    Raises
    ------
    InvalidInputError
        If a value is not finite or a setting is out of range.

    Examples
    --------
    >>> found = measure_separation([1, 1.2, 0.8, 1.1, 0.9], [5, 5.5, 4.5, 5.2, 4.8], seed=0)
    >>> round(found.z_prime.value, 3), found.z_prime.n_wells
    (0.596, 10)
    """
    first, second = as_values(negative, "negative"), as_values(positive, "positive")
    kernels: tuple[tuple[str, Callable[..., _Floats]], ...] = (
        ("Z'", partial(_z_prime, ddof=1)),
        ("robust Z'", _robust_z_prime),
        ("SSMD", _ssmd),
    )
    estimates = []
    for name, kernel in kernels:
        reason = _why_undefined(kernel, first, second)
        if reason:
            warn_undefined(name, reason)
            estimates.append(Estimate.undefined(reason, first.size + second.size))
            continue
        estimates.append(
            well_bootstrap(
                kernel,
                [first, second],
                seed=seed,
                n_resamples=n_resamples,
                confidence=confidence,
            )
        )
    return Separation(*estimates)


def _scalar(
    name: str, kernel: Callable[..., _Floats], negative: ArrayLike, positive: ArrayLike
) -> float:
    first, second = as_values(negative, "negative"), as_values(positive, "positive")
    reason = _why_undefined(kernel, first, second)
    if reason:
        warn_undefined(name, reason)
        return float("nan")
    return float(kernel(first[None], second[None])[0])


def _why_undefined(kernel: Callable[..., _Floats], negative: _Floats, positive: _Floats) -> str:
    for name, values in (("negative", negative), ("positive", positive)):
        if values.size < 2:
            return f"the {name} control has {values.size} well(s), and spread needs two or more"
    if np.isfinite(kernel(negative[None], positive[None])[0]):
        return ""
    if np.ptp(np.concatenate([negative, positive])) == 0:
        return "all values are the same"
    if kernel is _ssmd:
        return "neither control has any spread"
    return f"the {'medians' if kernel is _robust_z_prime else 'means'} of the controls are the same"


def _z_prime(negative: _Floats, positive: _Floats, *, ddof: int = 1) -> _Floats:
    if min(negative.shape[1], positive.shape[1]) < 2:
        return np.full(len(negative), np.nan)
    negative, positive = _unit_scale(negative, positive)
    spread = negative.std(axis=1, ddof=ddof) + positive.std(axis=1, ddof=ddof)
    return _one_minus_ratio(3 * spread, negative.mean(axis=1) - positive.mean(axis=1))


def _robust_z_prime(negative: _Floats, positive: _Floats) -> _Floats:
    negative, positive = _unit_scale(negative, positive)
    centres, spreads = [], []
    for values in (negative, positive):
        median = np.median(values, axis=1)
        centres.append(median)
        spreads.append(_MAD_TO_SD * np.median(np.abs(values - median[:, None]), axis=1))
    return _one_minus_ratio(3 * (spreads[0] + spreads[1]), centres[0] - centres[1])


def _ssmd(negative: _Floats, positive: _Floats) -> _Floats:
    if min(negative.shape[1], positive.shape[1]) < 2:
        return np.full(len(negative), np.nan)
    negative, positive = _unit_scale(negative, positive)
    difference = np.abs(negative.mean(axis=1) - positive.mean(axis=1))
    spread = np.sqrt(negative.var(axis=1, ddof=1) + positive.var(axis=1, ddof=1))
    known = spread > _ROUNDING
    return np.asarray(np.divide(difference, spread, out=np.full_like(spread, np.nan), where=known))


def _unit_scale(negative: _Floats, positive: _Floats) -> tuple[_Floats, _Floats]:
    """Scale to magnitudes up to 1, so that squares neither overflow nor vanish.

    By a power of two, which rounds nothing.
    """
    exponent = np.frexp(max(np.abs(negative).max(), np.abs(positive).max()))[1]
    return np.ldexp(negative, -exponent), np.ldexp(positive, -exponent)


def _one_minus_ratio(spread: _Floats, difference: _Floats) -> _Floats:
    distance = np.abs(difference)
    apart = distance > _ROUNDING
    return 1 - np.divide(spread, distance, out=np.full_like(spread, np.nan), where=apart)
