"""Tests on wells that ask for more than significance: a difference beyond a tolerance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

__all__ = [
    "ALPHA",
    "AMBER_FACTOR",
    "GRADIENT_ALPHA",
    "Shift",
    "centred_on_plates",
    "gradient_of",
    "shift_of",
]

FloatArray = NDArray[np.float64]

ALPHA = 0.004
"""Level at which one check is red; a dozen of them keep clean plates below 5 %."""
AMBER_FACTOR = 5
"""Amber begins at this multiple of the level of red."""
GRADIENT_ALPHA = 0.01
"""Level of gradients over the plate, which need more of it and are fewer."""
_LEAST_WELLS = 2
_ROBUST_FROM = 6
_CLIP_MADS = 5.0


@dataclass(frozen=True, slots=True)
class Shift:
    """A difference between classes, or over the plate, with its test.

    Parameters
    ----------
    value, low, high : float
        The difference and its 95 % interval by well; NaN where there are too few wells.
    p : float
        Of the difference being no larger than the tolerance, one-sided; 1 where untested.
    n_wells : int
        Wells it rests on.
    """

    value: float
    low: float
    high: float
    p: float
    n_wells: int

    @classmethod
    def untested(cls, n_wells: int = 0) -> Shift:
        """Return the shift of what too few wells show."""
        return cls(float("nan"), float("nan"), float("nan"), 1.0, n_wells)


def _clipped(residuals: FloatArray, n_smallest: int) -> FloatArray:
    """Pull in what single spoilt wells do: one blurred field is no property of a class."""
    if n_smallest < _ROBUST_FROM:
        return residuals
    limit = _CLIP_MADS * 1.4826 * float(np.median(np.abs(residuals)))
    return np.clip(residuals, -limit, limit) if limit > 0 else residuals


def centred_on_plates(
    values: FloatArray, member: NDArray[np.bool_], plates: NDArray[np.str_]
) -> FloatArray:
    """Take off each plate's mean of the two sides, so that only differences within plates count.

    Wells of plates with one side alone become NaN, unless no plate has both.
    """
    centred = np.full(values.shape, np.nan)
    for plate in np.unique(plates):
        here = (plates == plate) & np.isfinite(values)
        inside, outside = values[here & member], values[here & ~member]
        if inside.size and outside.size:
            centred[here] = values[here] - (inside.mean() + outside.mean()) / 2
    return centred if np.isfinite(centred).any() else values


def shift_of(
    values: FloatArray,
    member: NDArray[np.bool_],
    plates: NDArray[np.str_],
    tolerance: float,
) -> Shift:
    """Test whether members differ from the other wells by more than a tolerance.

    A t-test for minimal effects: with many wells the smallest difference is significant, and a
    phenotype's haze makes small ones.

    Parameters
    ----------
    values : (wells,) array of float
        NaN where a well has none.
    member : (wells,) array of bool
        Wells of the class.
    plates : (wells,) array of str
        Plate of each well.
    tolerance : float
        Difference that is of no concern, above 0.

    Returns
    -------
    Shift
        Members minus the others; `p` asks whether it is beyond the tolerance on either side.

    References
    ----------
    Murphy & Myors 1999, doi:10.1037/0021-9010.84.2.234 (tests of minimal effects).

    Examples
    --------
    >>> values = np.array([0.0, 0.1, 0.05, 0.9, 1.0, 1.1])
    >>> found = shift_of(values, np.arange(6) > 2, np.full(6, "P1"), 0.2)
    >>> round(found.value, 2), found.p < 0.01
    (0.95, True)
    """
    known = np.isfinite(values)
    clean = centred_on_plates(values, member, plates)
    clean = np.where(known, clean, np.nan)
    first, second = (clean[np.isfinite(clean) & side] for side in (~member, member))
    n = len(first) + len(second)
    if min(len(first), len(second)) < _LEAST_WELLS:
        return Shift.untested(n)
    smallest = min(len(first), len(second))
    middle = [float(np.median(side)) for side in (first, second)]
    both = _clipped(np.concatenate([first - middle[0], second - middle[1]]), smallest)
    first, second = both[: len(first)] + middle[0], both[len(first) :] + middle[1]
    freedom = n - 2
    variance = (first.var() * len(first) + second.var() * len(second)) / freedom
    error = float(np.sqrt(variance * (1 / len(first) + 1 / len(second))))
    return _beyond(float(second.mean() - first.mean()), error, freedom, tolerance, n)


def _beyond(value: float, error: float, freedom: int, tolerance: float, n: int) -> Shift:
    # Values without any spread, as in drawings, must not divide by zero.
    error = max(error, 1e-3 * tolerance)
    p = float(stats.t.sf((abs(value) - tolerance) / error, freedom))
    reach = float(stats.t.ppf(0.975, freedom)) * error
    return Shift(value, value - reach, value + reach, p, n)


def gradient_of(
    values: FloatArray, places: FloatArray, groups: NDArray[np.str_], tolerance: float
) -> tuple[Shift, int]:
    """Test whether a value changes over the plate by more than a tolerance, within classes.

    Parameters
    ----------
    values : (wells,) array of float
        NaN where a well has none.
    places : (wells, k) array of float
        Row and column, one of them, or 1 for the edge.
    groups : (wells,) array of str
        Class of each well; only differences within classes count.
    tolerance : float
        Change over the wells in use that is of no concern, above 0.

    Returns
    -------
    shift : Shift
        Change of the value in the direction in which it changes most, from one end of the wells in
        use to the other; signed as along the leading axis.
    axis : int
        Leading axis, an index of `places`.

    Examples
    --------
    >>> row = np.arange(8.0)
    >>> noise = np.array([1, -1, -1, 1, 1, -1, -1, 1]) / 100
    >>> groups = np.array(["a", "b"] * 4)
    >>> found, axis = gradient_of(0.05 * row + noise, row[:, None], groups, 0.06)
    >>> found.p < 0.001, axis
    (True, 0)
    """
    known = np.isfinite(values)
    names, index = np.unique(groups[known], return_inverse=True)
    dummies = np.eye(len(names))[index]
    y, columns = values[known], places[known]
    if len(y) <= len(names) + columns.shape[1] + 3:
        return Shift.untested(len(y)), 0
    columns = columns - dummies @ (dummies.T @ columns / dummies.sum(axis=0)[:, None])
    reach = np.ptp(columns, axis=0)
    axes = np.flatnonzero(reach > 1e-9)
    design = np.column_stack([dummies, columns[:, axes] / reach[axes]])
    freedom = len(y) - design.shape[1]
    if not axes.size or np.linalg.matrix_rank(design) < design.shape[1]:
        return Shift.untested(len(y)), 0
    inverse = np.linalg.inv(design.T @ design)
    fit = inverse @ design.T @ y
    for _ in range(3):
        residual = _clipped(y - design @ fit, _ROBUST_FROM)
        fit = inverse @ design.T @ (design @ fit + residual)
    slopes, k = fit[len(names) :], len(names)
    size = float(np.linalg.norm(slopes))
    direction = slopes / size if size > 0 else np.eye(len(slopes))[0]
    variance = direction @ inverse[k:, k:] @ direction * (residual @ residual) / freedom
    leading = int(np.abs(slopes).argmax())
    found = _beyond(size, float(np.sqrt(variance)), freedom, tolerance, len(y))
    # The direction was chosen among as many as there are axes.
    p = min(1.0, found.p * len(axes))
    if slopes[leading] < 0:
        return Shift(-found.value, -found.high, -found.low, p, len(y)), int(axes[leading])
    return Shift(found.value, found.low, found.high, p, len(y)), int(axes[leading])
