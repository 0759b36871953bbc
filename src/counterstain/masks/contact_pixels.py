"""Label images as pixels: what is near what, and which labels meet."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from counterstain.errors import InvalidInputError
from counterstain.masks.mask_overlap import as_mask

__all__ = [
    "LabelArray",
    "check_distance",
    "disc_offsets",
    "near",
    "numbered_labels",
    "shifted_slices",
]

LabelArray = NDArray[np.int64]

_FEW = 3.0  # pixels up to which a few shifts beat a distance transform
_FARTHEST = 20.0


def numbered_labels(labels: NDArray[Any], argument: str) -> tuple[LabelArray, int]:
    """Return labels renumbered 1 to n, and n.

    Parameters
    ----------
    labels : ndarray of int, shape (H, W)
        A number a cell, 0 for the background; a mask of bool is refused, since it does not part
        cells.
    argument : str
        Name for the message.

    Returns
    -------
    labels : ndarray of int64, shape (H, W)
    count : int

    Raises
    ------
    InvalidInputError
        If the labels are floats or bool, negative, or no image.

    Examples
    --------
    >>> numbered_labels(np.array([[0, 7, 7, 3]]), "labels_a")
    (array([[0, 2, 2, 1]]), 2)
    """
    array = np.asarray(labels)
    if array.dtype == bool:
        raise InvalidInputError(
            f"`{argument}` must hold a number a cell; got bool, which does not part one cell from "
            f"the next: label it first, e.g. with `scipy.ndimage.label`."
        )
    as_mask(array, argument)
    most = int(array.max())
    if most <= 4 * array.size:
        present = np.bincount(array.ravel(), minlength=most + 1) > 0
        present[0] = False
        number = np.where(present, np.cumsum(present), 0)
        return number[array], int(present.sum())
    values = np.unique(array[array > 0])  # hashes and the like: too large to count
    number = np.searchsorted(values, array) + 1
    return np.where(array > 0, number, 0).astype(np.int64), len(values)


def check_distance(distance_px: float) -> None:
    """Raise InvalidInputError unless cells this far apart can be said to touch."""
    if not 0 <= distance_px <= _FARTHEST:
        raise InvalidInputError(
            f"`distance_px` must lie in [0, {_FARTHEST:.0f}]; got {distance_px}: cells further "
            f"apart do not touch; 1 means edge to edge."
        )


def disc_offsets(distance_px: float) -> list[tuple[int, int]]:
    """Return the offsets (row, column) within a distance, (0, 0) among them.

    Examples
    --------
    >>> disc_offsets(1)
    [(-1, 0), (0, -1), (0, 0), (0, 1), (1, 0)]
    """
    reach = range(-math.floor(distance_px), math.floor(distance_px) + 1)
    return [(y, x) for y in reach for x in reach if y * y + x * x <= distance_px**2]


def shifted_slices(
    shape: tuple[int, ...], dy: int, dx: int
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Return where an image and its copy moved by (dy, dx) lie over each other.

    Returns
    -------
    target, source : tuple of slice
        ``moved[target]`` is ``image[source]``.

    Examples
    --------
    >>> image = np.arange(4).reshape(1, 4)
    >>> target, source = shifted_slices(image.shape, 0, 1)
    >>> moved = np.zeros_like(image)
    >>> moved[target] = image[source]
    >>> moved.tolist()
    [[0, 0, 1, 2]]
    """
    height, width = shape
    target = (slice(max(0, dy), height + min(0, dy)), slice(max(0, dx), width + min(0, dx)))
    source = (slice(max(0, -dy), height - max(0, dy)), slice(max(0, -dx), width - max(0, dx)))
    return target, source


def near(mask: NDArray[np.bool_], distance_px: float) -> NDArray[np.bool_]:
    """Return the pixels within a distance of a mask, the mask itself included.

    Parameters
    ----------
    mask : ndarray of bool, shape (H, W)
        Any mask.
    distance_px : float
        Euclidean distance between the centres of pixels; 0 gives the mask.

    Returns
    -------
    ndarray of bool, shape (H, W)

    Examples
    --------
    >>> near(np.array([[False, False, True]]), 1.0)
    array([[False,  True,  True]])
    """
    if distance_px > _FEW and mask.any():
        return np.asarray(ndimage.distance_transform_edt(~mask) <= distance_px)
    out = mask.copy()
    for dy, dx in disc_offsets(distance_px):
        target, source = shifted_slices(mask.shape, dy, dx)
        out[target] |= mask[source]
    return out
