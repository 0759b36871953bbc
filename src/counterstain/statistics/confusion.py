"""Confusion matrices as sums of wells, and what is computed from them, many at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["confusion_of", "measures_of", "wells_behind"]

_Floats = NDArray[np.float64]


def confusion_of(counts: _Floats, calls: _Floats, class_of_well: NDArray[np.int64]) -> _Floats:
    """Sum the wells' calls, each as often as it was drawn.

    Parameters
    ----------
    counts : ndarray of float, shape (B, W)
        How often each well is in each resample.
    calls : ndarray of float, shape (W, K)
        Crops of each well that are called each class.
    class_of_well : ndarray of int, shape (W,)
        True class of each well.

    Returns
    -------
    ndarray of float, shape (B, K, K)
        Rows true, columns predicted.

    Examples
    --------
    >>> confusion_of(np.array([[2.0, 1.0]]), np.array([[3.0, 1.0], [0.0, 4.0]]), np.array([0, 1]))
    array([[[6., 2.],
            [0., 4.]]])
    """
    k = calls.shape[1]
    total = np.empty((len(counts), k, k))
    for index in range(k):
        members = class_of_well == index
        total[:, index] = counts[:, members] @ calls[members]
    return total


def measures_of(confusion: _Floats) -> _Floats:
    """Compute accuracy, balanced accuracy, K each of precision, recall and F1, and three means.

    Parameters
    ----------
    confusion : ndarray of float, shape (B, K, K)
        Rows true, columns predicted.

    Returns
    -------
    ndarray of float, shape (B, 2 + 3 K + 3)
        NaN where a measure has nothing to be a share of. Last come macro precision, macro F1 (plain
        means over classes) and weighted F1 (by crops of the class).

    Examples
    --------
    >>> measures_of(np.array([[[3.0, 1.0], [0.0, 4.0]]])).round(2)
    array([[0.88, 0.88, 1.  , 0.8 , 0.75, 1.  , 0.86, 0.89, 0.9 , 0.87, 0.87]])
    """
    right = np.diagonal(confusion, axis1=1, axis2=2)
    true, called = confusion.sum(axis=2), confusion.sum(axis=1)
    recall = _ratio(right, true)
    accuracy = _ratio(right.sum(axis=1, keepdims=True), true.sum(axis=1, keepdims=True))
    balanced = recall.mean(axis=1, keepdims=True)
    precision, f1 = _ratio(right, called), _ratio(2 * right, true + called)
    means = [part.mean(axis=1, keepdims=True) for part in (precision, f1)]
    # A class without crops weighs nothing, whatever its F1.
    parts = np.where(true > 0, f1 * true, 0.0).sum(axis=1, keepdims=True)
    weighted = _ratio(parts, true.sum(axis=1, keepdims=True))
    return np.concatenate([accuracy, balanced, precision, recall, f1, *means, weighted], axis=1)


def wells_behind(calls: _Floats, class_of_well: NDArray[np.int64]) -> NDArray[np.int64]:
    """Count the wells that each measure rests on, in the order of `measures_of`.

    Parameters
    ----------
    calls : ndarray of float, shape (W, K)
        Crops of each well that are called each class.
    class_of_well : ndarray of int, shape (W,)
        True class of each well.

    Returns
    -------
    ndarray of int, shape (2 + 3 K + 3,)
        All wells; for precision those with such a call, for recall those of the class, for F1
        either; for the means all wells.

    Examples
    --------
    >>> wells_behind(np.array([[3.0, 1.0], [0.0, 4.0]]), np.array([0, 1]))
    array([2, 2, 1, 2, 1, 1, 1, 2, 2, 2, 2])
    """
    of_class = class_of_well[:, None] == np.arange(calls.shape[1])
    called = calls > 0
    n_wells = len(calls)
    return np.concatenate(
        [
            [n_wells] * 2,
            called.sum(axis=0),
            of_class.sum(axis=0),
            (of_class | called).sum(axis=0),
            [n_wells] * 3,
        ]
    )


def _ratio(part: _Floats, whole: _Floats) -> _Floats:
    return np.asarray(np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole > 0))
