"""How much two groups of wells differ, or the same wells before and after.

Every row is averaged within its well first, and intervals draw wells.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from counterstain.statistics.inputs import warn_undefined
from counterstain.statistics.resampling import well_bootstrap
from counterstain.statistics.wells import paired_well_means, well_means
from counterstain.types import Estimate

__all__ = ["difference_by_well", "mean_by_well", "paired_change_by_well"]

_Floats = NDArray[np.float64]


def mean_by_well(
    values: ArrayLike,
    wells: ArrayLike,
    *,
    seed: int,
    n_resamples: int = 2000,
    confidence: float = 0.95,
) -> Estimate:
    """Estimate the mean of well means.

    Parameters
    ----------
    values : array-like of float, shape (n,)
        A finite value per row.
    wells : array-like, shape (n,)
        Well of each row.
    seed : int
        Seed of the resamples.
    n_resamples : int
        Resamples.
    confidence : float
        Coverage, between 0 and 1.

    Returns
    -------
    Estimate
        In the unit of the values. Undefined with a warning where there is no row; no interval,
        with a reason, for fewer than three wells.

    Raises
    ------
    InvalidInputError
        If a value is not finite or a row has no well.

    Examples
    --------
    >>> mean_by_well([1, 2, 3, 4], ["A01", "A02", "A03", "A04"], seed=0).value
    2.5
    """
    return _bootstrap_means(
        "mean", _mean, [well_means(values, wells)[:, None]], seed, n_resamples, confidence
    )


def difference_by_well(
    values_a: ArrayLike,
    wells_a: ArrayLike,
    values_b: ArrayLike,
    wells_b: ArrayLike,
    *,
    seed: int,
    relative: bool = False,
    n_resamples: int = 2000,
    confidence: float = 0.95,
) -> Estimate:
    """Estimate how far the wells of b lie above those of a: mean of b minus mean of a.

    Parameters
    ----------
    values_a, values_b : array-like of float, shape (n,) and (m,)
        A finite value per row (a crop, a cell) of either group.
    wells_a, wells_b : array-like, shape (n,) and (m,)
        Well of each row.
    seed : int
        Seed of the resamples.
    relative : bool
        As a share of the magnitude of the mean of a: 0.38 is +38 %.
    n_resamples : int
        Resamples.
    confidence : float
        Coverage, between 0 and 1.

    Returns
    -------
    Estimate
        In the unit of the values, or a share. Undefined with a warning where a group has no well,
        or the mean of a is zero for a relative difference.

    Raises
    ------
    InvalidInputError
        If a value is not finite or a row has no well.

    Examples
    --------
    >>> wells = ["A01", "A02", "A03"]
    >>> difference_by_well([1, 2, 3], wells, [5, 6, 7], wells, seed=0, relative=True).value
    2.0
    """
    samples = [well_means(values_a, wells_a)[:, None], well_means(values_b, wells_b)[:, None]]
    kernel = _relative_difference if relative else _difference
    return _bootstrap_means("difference", kernel, samples, seed, n_resamples, confidence)


def paired_change_by_well(
    before: ArrayLike,
    after: ArrayLike,
    wells: ArrayLike,
    *,
    seed: int,
    relative: bool = False,
    n_resamples: int = 2000,
    confidence: float = 0.95,
) -> Estimate:
    """Estimate how much rows change on average, such as images and their counterfactuals.

    Parameters
    ----------
    before, after : array-like of float, shape (n,)
        A finite value per row, before and after.
    wells : array-like, shape (n,)
        Well of each row.
    seed : int
        Seed of the resamples.
    relative : bool
        As a share of the magnitude of the mean before: 0.38 is +38 %.
    n_resamples : int
        Resamples.
    confidence : float
        Coverage, between 0 and 1.

    Returns
    -------
    Estimate
        After minus before, mean of well means. Undefined with a warning where there is no row, or
        the mean before is zero for a relative change.

    Raises
    ------
    InvalidInputError
        If a value is not finite, a row has no well, or the lengths differ.

    Examples
    --------
    >>> paired_change_by_well([1, 1, 2], [2, 2, 4], ["A01", "A02", "A03"], seed=0).value
    1.3333333333333333
    """
    start, change = paired_well_means(before, after, wells)
    kernel = _relative_change if relative else _mean_change
    pairs = np.stack([start, change], axis=1)
    return _bootstrap_means("change", kernel, [pairs], seed, n_resamples, confidence)


def _bootstrap_means(
    name: str,
    kernel: Callable[..., _Floats],
    samples: list[_Floats],
    seed: int,
    n_resamples: int,
    confidence: float,
) -> Estimate:
    n_wells = sum(len(sample) for sample in samples)
    reason = "a group has no well" if any(len(sample) == 0 for sample in samples) else ""
    if not reason and not np.isfinite(kernel(*(sample[None] for sample in samples))[0]):
        reason = "the mean it is relative to is zero"
    if reason:
        warn_undefined(name, reason)
        return Estimate.undefined(reason, n_wells)
    return well_bootstrap(
        kernel, samples, seed=seed, n_resamples=n_resamples, confidence=confidence
    )


def _mean(samples: _Floats) -> _Floats:
    return np.asarray(samples[..., 0].mean(axis=1))


def _difference(first: _Floats, second: _Floats) -> _Floats:
    return _mean(second) - _mean(first)


def _relative_difference(first: _Floats, second: _Floats) -> _Floats:
    return _over(_difference(first, second), _mean(first))


def _mean_change(pairs: _Floats) -> _Floats:
    return np.asarray(pairs[..., 1].mean(axis=1))


def _relative_change(pairs: _Floats) -> _Floats:
    return _over(_mean_change(pairs), _mean(pairs))


def _over(part: _Floats, whole: _Floats) -> _Floats:
    size = np.abs(whole)
    # A mean that is zero but for rounding would give a huge share.
    known = size > 1e-12 * np.abs(part)
    return np.asarray(np.divide(part, size, out=np.full(size.shape, np.nan), where=known))
