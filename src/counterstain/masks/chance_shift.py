"""Two masks shifted against each other: what overlap chance alone would give.

A shift keeps every cell's shape and the way its own kind crowds, and breaks only the tie between
the two kinds. On a torus, what leaves the field at one edge comes back at the other.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from counterstain.errors import InvalidInputError
from counterstain.masks.mask_overlap import as_mask, check_pair

__all__ = ["Null", "default_reach", "local_offsets", "shift_overlaps", "torus_offsets"]

Null = Literal["torus", "local"]
"""Shifts over the whole torus, or only by a little more than a cell ("within cells' density")."""

_WORKERS = 2
_SPECK = 0.1
_GOLDEN_ANGLE = math.pi * (3 - math.sqrt(5))
# Roberts' additive sequence in two dimensions: shifts that fill the torus evenly.
_PLASTIC = 1.32471795724474602596


def shift_overlaps(mask_a: NDArray[Any], mask_b: NDArray[Any]) -> NDArray[np.int64]:
    """Count the overlap of two masks for every shift on the torus at once.

    A cross-correlation by FFT: exact up to rounding, which the counts of a 2048² field survive to
    within a few pixels of millions.

    Parameters
    ----------
    mask_a, mask_b : ndarray of bool or int, shape (H, W)
        Masks or label images of one field.

    Returns
    -------
    ndarray of int64, shape (H, W)
        Pixels of both masks once `mask_a` is rolled by (row, column); ``[0, 0]`` is unshifted.

    Raises
    ------
    InvalidInputError
        If the masks differ in size or hold floats.

    Examples
    --------
    >>> a, b = np.zeros((2, 4, 4), bool)
    >>> a[0, 0] = b[1, 2] = True
    >>> np.argwhere(shift_overlaps(a, b)).tolist()
    [[1, 2]]
    """
    a, b = as_mask(mask_a, "mask_a"), as_mask(mask_b, "mask_b")
    check_pair(a, b, ("mask_a", "mask_b"))
    spectrum = np.conj(fft.rfft2(a.astype(np.float32), workers=_WORKERS))
    spectrum *= fft.rfft2(b.astype(np.float32), workers=_WORKERS)
    counts = fft.irfft2(spectrum, s=a.shape, workers=_WORKERS, overwrite_x=True)
    return np.rint(np.maximum(counts, 0)).astype(np.int64)


def default_reach(mask_a: NDArray[Any], mask_b: NDArray[Any]) -> float:
    """Return how far a shift must go to part touching cells: the sum of two typical diameters.

    Parameters
    ----------
    mask_a, mask_b : ndarray of bool, shape (H, W)
        Masks of one field.

    Returns
    -------
    float
        Pixels; the equivalent diameter of the component of median area, for each mask, and at
        least 2 in all. Specks, smaller than a tenth of the component in which the median pixel
        lies, do not count; clumps make the reach longer, which does no harm.

    Examples
    --------
    >>> mask = np.zeros((20, 20), bool)
    >>> mask[4:11, 4:11] = True
    >>> round(default_reach(mask, mask), 1)
    15.8
    """
    total = 0.0
    for mask in (mask_a, mask_b):
        labels, count = ndimage.label(mask)
        if count:
            areas = np.sort(np.bincount(labels.ravel())[1:])
            usual = areas[np.searchsorted(np.cumsum(areas), areas.sum() / 2)]
            cells = areas[areas >= _SPECK * usual]
            total += 2 * math.sqrt(float(np.median(cells)) / math.pi)
    return max(total, 2.0)


def local_offsets(reach: float, count: int, shape: tuple[int, ...]) -> NDArray[np.intp]:
    """Spread shifts evenly over a ring: far enough to part cells, near enough to stay in a crowd.

    Parameters
    ----------
    reach : float
        Inner radius in pixels; the outer one is three times that, or half the field.
    count : int
        Number of shifts.
    shape : tuple of int
        Height and width of the field.

    Returns
    -------
    ndarray of int, shape (count, 2)
        Rows and columns to shift by; the same every time, so that no seed is needed.

    Raises
    ------
    InvalidInputError
        If the field is smaller than two reaches.

    Examples
    --------
    >>> offsets = local_offsets(10, 64, (100, 100))
    >>> lengths = np.hypot(*offsets.T)
    >>> bool(lengths.min() > 9), bool(lengths.max() < 31)
    (True, True)
    """
    outer = min(3 * reach, min(shape) / 2)
    if outer <= reach:
        raise InvalidInputError(
            f"`null` can be 'local' only where a field is more than twice as wide as the reach of "
            f"{reach:.0f} px; got {shape[0]} x {shape[1]} px: take null='torus'."
        )
    index = np.arange(count) + 0.5
    radius = np.sqrt(reach**2 + (outer**2 - reach**2) * index / count)
    angle = index * _GOLDEN_ANGLE
    offsets = np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=1)
    return np.asarray(np.rint(offsets), np.intp)


def torus_offsets(count: int, shape: tuple[int, ...]) -> NDArray[np.intp]:
    """Spread shifts evenly over the whole torus.

    Parameters
    ----------
    count : int
        Number of shifts.
    shape : tuple of int
        Height and width of the field.

    Returns
    -------
    ndarray of int, shape (count, 2)
        Rows and columns to roll by; the same every time, so that no seed is needed.

    Examples
    --------
    >>> torus_offsets(3, (100, 100)).tolist()
    [[25, 6], [0, 63], [76, 20]]
    """
    index = np.arange(1, count + 1)[:, None]
    place = (0.5 + index * np.array([1 / _PLASTIC, 1 / _PLASTIC**2])) % 1
    return np.asarray(np.floor(place * np.array(shape)), np.intp)
