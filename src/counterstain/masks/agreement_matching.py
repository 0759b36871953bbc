"""Which objects of two label images are the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from counterstain.errors import InvalidInputError

__all__ = ["as_labels", "match_counts", "overlap_table"]


def as_labels(labels: NDArray[Any], argument: str) -> NDArray[np.int64]:
    """Return a label image as int64, or say why it is none.

    Parameters
    ----------
    labels : (H, W) array
        Whole numbers from 0 on; floats that are whole numbers are taken, since some programs
        write labels as floats.
    argument : str
        Name for the message.

    Returns
    -------
    (H, W) array of int64

    Raises
    ------
    InvalidInputError
        If it is not two-dimensional, or holds NaN, fractions or negative numbers.

    Examples
    --------
    >>> as_labels(np.array([[0.0, 2.0]]), "labels")
    array([[0, 2]])
    """
    if labels.ndim != 2:
        raise InvalidInputError(
            f"`{argument}` must be (H, W); got {labels.shape}: pass one label image."
        )
    if labels.dtype.kind == "f":
        wrong = labels[~np.isfinite(labels) | (labels != np.floor(labels))]
        if wrong.size:
            raise InvalidInputError(
                f"`{argument}` must hold whole numbers, one an object; got {wrong[0]:g} and "
                f"{wrong.size - 1} more such values: this looks like an intensity or probability "
                "image; export the label image, without rescaling."
            )
    elif labels.dtype.kind not in "iub":
        raise InvalidInputError(
            f"`{argument}` must hold whole numbers, one an object; got {labels.dtype}: export the "
            "label image as integers."
        )
    out = labels.astype(np.int64)
    if out.size and out.min() < 0:
        raise InvalidInputError(
            f"`{argument}` must hold numbers from 0 on; got {out.min()}: 0 is background, objects "
            "are positive."
        )
    return out


def overlap_table(
    labels: NDArray[np.int64], truth: NDArray[np.int64]
) -> tuple[NDArray[np.float64], int, int]:
    """Return the intersection over union of every object with every true one.

    Parameters
    ----------
    labels, truth : (H, W) array of int
        Label images of one shape.

    Returns
    -------
    table : (n_objects, n_true) array of float64
    n_objects, n_true : int

    Examples
    --------
    >>> overlap_table(np.array([[1, 1, 0]]), np.array([[4, 4, 4]]))[0].round(2)
    array([[0.67]])
    """
    names, first = np.unique(labels, return_inverse=True)
    true_names, second = np.unique(truth, return_inverse=True)
    shape = (len(names), len(true_names))
    joint = np.bincount(first.ravel() * shape[1] + second.ravel(), minlength=shape[0] * shape[1])
    both = joint.reshape(shape).astype(np.float64)
    union = both.sum(axis=1, keepdims=True) + both.sum(axis=0, keepdims=True) - both
    table = (both / np.maximum(union, 1))[names > 0][:, true_names > 0]
    return table, table.shape[0], table.shape[1]


def match_counts(
    labels: NDArray[np.int64], truth: NDArray[np.int64], levels: Sequence[float]
) -> tuple[tuple[int, ...], int, int]:
    """Return how many objects find a partner at each level of overlap, and the two counts.

    Parameters
    ----------
    labels, truth : (H, W) array of int
        Label images of one shape.
    levels : sequence of float
        Intersection over union from which on a pair counts.

    Returns
    -------
    found : tuple of int
        Pairs at each level.
    n_objects, n_true : int
    """
    table, n_objects, n_true = overlap_table(labels, truth)
    found = []
    for level in levels:
        enough = table >= level
        if not enough.any():
            found.append(0)
        elif level > 0.5:  # no object can share more than half with two others
            found.append(int(enough.sum()))
        else:
            # One pair more always outweighs the overlaps of all pairs.
            gain = enough + table * enough / (2 * min(table.shape))
            rows, columns = linear_sum_assignment(gain, maximize=True)
            found.append(int(enough[rows, columns].sum()))
    return tuple(found), n_objects, n_true
