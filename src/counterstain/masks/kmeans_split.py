"""Two-means of single numbers, exactly: by order rather than by iteration."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["best_split", "masked_sum"]

_WIDEST = 1 << 16
_COARSE_BINS = 1 << 12
# From here on a histogram and some exact passes take less time than putting all values in order.
_MANY = 1 << 18
_MOST_PASSES = 100
_BLOCK = 1 << 14


def best_split(values: NDArray[Any]) -> float:
    """Return the level that parts numbers into two clusters of least total variance.

    In one dimension both clusters of two-means are intervals, so that all partitions can be tried:
    no start, no iteration, no local optimum. This is the optimum that k-means++ looks for.

    Parameters
    ----------
    values : array of numbers
        Finite; any shape, at least one value.

    Returns
    -------
    float
        Values above it belong to the upper cluster; NaN where all values are the same.

    Notes
    -----
    With n1 values of sum s1 on the lower side of n values of sum s, least variance within is
    largest ``(s1 n - s n1)^2 / (n1 (n - n1))``. More than 2^18 floats start from a histogram and
    end with Lloyd's passes over all values: exact where the coarse optimum lies in the right
    valley.

    Examples
    --------
    >>> best_split(np.array([1, 2, 1, 9, 8], np.uint8))
    2.0
    """
    flat = values.ravel()
    low, high = flat.min(), flat.max()
    if low == high:
        return float("nan")
    if flat.dtype.kind in "iu" and int(high) - int(low) < _WIDEST:
        return _split_integers(flat, int(low))
    if flat.size <= _MANY:
        order = np.sort(flat)
        return float(order[_cut(np.ones(1), order.astype(np.float64) - float(low))])
    return _split_many(flat, float(low), float(high))


def _split_integers(flat: NDArray[Any], low: int) -> float:
    shift = low if low > 0 or (flat.dtype.kind == "i" and low < 0) else 0
    counts = np.bincount(flat if shift == 0 else flat.astype(np.int64) - shift)
    present = np.flatnonzero(counts)
    return float(present[_cut(counts[present], present.astype(np.float64))] + shift)


def _cut(counts: NDArray[Any], levels: NDArray[np.float64]) -> int:
    """Return the index of the last level of the lower cluster; levels ascend."""
    weights = np.broadcast_to(counts, levels.shape).astype(np.float64)
    below = np.cumsum(weights)[:-1]
    lower = np.cumsum(weights * levels)
    whole, total = below[-1] + weights[-1], lower[-1]
    between = (lower[:-1] * whole - total * below) ** 2 / (below * (whole - below))
    return int(between.argmax())


def _split_many(flat: NDArray[Any], low: float, high: float) -> float:
    counts, edges = np.histogram(flat, _COARSE_BINS, (low, high))
    centres = (edges[:-1] + edges[1:]) / 2
    present = np.flatnonzero(counts)
    level = float(edges[present[_cut(counts[present], centres[present])] + 1])
    total = float(flat.sum(dtype=np.float64))
    for _ in range(_MOST_PASSES):
        upper = flat > level
        n_upper = int(np.count_nonzero(upper))
        if n_upper in (0, flat.size):  # one bin holds nearly all: order them after all
            order = np.sort(flat)
            return float(order[_cut(np.ones(1), order.astype(np.float64) - low)])
        upper_sum = masked_sum(flat, upper)
        middle = (upper_sum / n_upper + (total - upper_sum) / (flat.size - n_upper)) / 2
        if middle == level:
            break
        level = middle
    return level


def masked_sum(values: NDArray[Any], mask: NDArray[np.bool_]) -> float:
    """Return the sum of the values where a mask is True, without gathering them.

    Parameters
    ----------
    values : (n,) array of float
    mask : (n,) array of bool

    Returns
    -------
    float
        Products are summed in the dtype of the values within blocks of 16,384, and blocks in
        float64: float32 loses no more than its rounding, however many values there are.

    Examples
    --------
    >>> masked_sum(np.array([1.0, 2.0, 4.0]), np.array([True, False, True]))
    5.0
    """
    total = 0.0
    for start in range(0, len(values), _BLOCK):
        part = slice(start, start + _BLOCK)
        total += float(values[part] @ mask[part].astype(values.dtype))
    return total
