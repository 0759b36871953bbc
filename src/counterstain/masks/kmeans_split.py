"""Two-means of single numbers, exactly: by order rather than by iteration."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["best_split", "masked_sum"]

_WIDEST = 1 << 16
_COARSE_BINS = 1 << 12
# From here on bins take less time than putting all values in order.
_MANY = 1 << 12
_NEARLY = 1e-4  # edges that are worse by less may have the best value beside them
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
    largest ``(s1 n - s n1)^2 / (n1 (n - n1))``. Of more than 4,096 floats the edges of 4,096 bins
    are tried, and then all values around the best ones.

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
    if flat.dtype != np.float32:
        flat = flat.astype(np.float64)  # wide integers and short floats have sums of their own
    if flat.size <= _MANY:
        return _split_ordered(flat, float(low))
    return _split_binned(flat, float(low), float(high))


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
    return int(_between(below, lower[:-1], whole, total).argmax())


def _split_binned(flat: NDArray[Any], low: float, high: float) -> float:
    """Try all edges of bins, with the exact sums of both sides; then all values around the best."""
    limits = np.finfo(flat.dtype)
    if not _COARSE_BINS / float(limits.max) < high - low < float(limits.max):
        return _split_ordered(flat, low)
    scale = flat.dtype.type(_COARSE_BINS / (high - low))
    above = flat - flat.dtype.type(low)
    place = np.minimum((above * scale).astype(np.intp), _COARSE_BINS - 1)
    counts = np.bincount(place, minlength=_COARSE_BINS)
    sums = np.bincount(place, above, minlength=_COARSE_BINS)
    present = np.flatnonzero(counts)
    n_below, s_below = np.cumsum(counts[present]), np.cumsum(sums[present])
    between = _between(n_below[:-1], s_below[:-1], flat.size, s_below[-1])
    good = np.flatnonzero(between >= between.max() * (1 - _NEARLY))
    first, after = good[0], good[-1] + 1
    around = (place >= present[first]) & (place <= present[after])
    order = np.sort(flat[around])[:-1]
    n_lower = n_below[first] - counts[present[first]] + np.arange(1, order.size + 1)
    s_lower = s_below[first] - sums[present[first]] + np.cumsum(order.astype(np.float64) - low)
    return float(order[int(_between(n_lower, s_lower, flat.size, s_below[-1]).argmax())])


def _split_ordered(flat: NDArray[Any], low: float) -> float:
    order = np.sort(flat)
    return float(order[_cut(np.ones(1), order.astype(np.float64) - low)])


def _between(n_lower: Any, s_lower: Any, n: Any, total: Any) -> NDArray[np.float64]:
    """Return what is largest where variance within is least, for cuts with so many values below."""
    below = np.asarray(n_lower, np.float64)
    return np.asarray((s_lower * n - total * below) ** 2 / (below * (n - below)))


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
