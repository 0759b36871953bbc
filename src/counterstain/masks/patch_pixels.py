"""Pixels of patches, made smaller for a network, and which of a field's patches are kept."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from counterstain.errors import InvalidInputError

__all__ = ["binned_patches", "spread_places"]

MASK_A, MASK_B = 1, 2
"""Values of a region: bits of the two kinds, so that 3 is both."""


def spread_places(corners: NDArray[np.intp], most: int) -> NDArray[np.intp]:
    """Choose places of a grid that lie as far apart as the grid allows.

    Parameters
    ----------
    corners : (P, 2) array of int
        Row and column of each place, as from `patch_corners`.
    most : int
        How many to choose at most, 1 at least.

    Returns
    -------
    (n,) array of int
        Indices into `corners`, rising.

    Raises
    ------
    InvalidInputError
        If `most` is below 1.

    Examples
    --------
    >>> grid = np.array([(y, x) for y in range(3) for x in range(3)])
    >>> spread_places(grid, 5).tolist()
    [0, 2, 6, 8]
    """
    if most < 1:
        raise InvalidInputError(f"`most` must be 1 or more; got {most}.")
    rows, columns = (np.unique(corners[:, axis]) for axis in range(2))
    side = math.isqrt(most)
    chosen = (_spread(rows, side), _spread(columns, max(side, most // min(side, len(rows)))))
    keep = np.isin(corners[:, 0], chosen[0]) & np.isin(corners[:, 1], chosen[1])
    return np.flatnonzero(keep)


def _spread(values: NDArray[np.intp], most: int) -> NDArray[np.intp]:
    count = min(most, len(values))
    if count == 1:
        return values[[len(values) // 2]]
    return values[np.rint(np.linspace(0, len(values) - 1, count)).astype(np.intp)]


def binned_patches(
    planes: NDArray[Any],
    labels: tuple[NDArray[Any], NDArray[Any]],
    corners: NDArray[np.intp],
    *,
    patch_px: int,
    binning: int,
) -> tuple[NDArray[Any], NDArray[np.uint8]]:
    """Cut patches out of a field and average squares of pixels.

    Parameters
    ----------
    planes : (2, H, W) array of integers
        Grey values of the two kinds' channels.
    labels : two (H, W) arrays
        Masks or label images of the two kinds.
    corners : (n, 2) array of int
        Row and column of each patch's upper left corner.
    patch_px : int
        Side of a patch before binning; what `binning` leaves over is cut off at the right and lower
        edge.
    binning : int
        Pixels a side that become one.

    Returns
    -------
    pixels : (n, 2, S, S) array
        Rounded means in the dtype of `planes`.
    regions : (n, S, S) array of uint8
        1 where half of a square or more belongs to the first kind, plus 2 for the second.

    Examples
    --------
    >>> planes = np.arange(32, dtype=np.uint16).reshape(2, 4, 4)
    >>> labels = (planes[0] > 7, planes[0] > 100)
    >>> pixels, regions = binned_patches(
    ...     planes, labels, np.array([[0, 0]]), patch_px=4, binning=2
    ... )
    >>> pixels[0, 0].tolist(), regions[0].tolist()
    ([[2, 4], [10, 12]], [[0, 0], [1, 1]])
    """
    side = patch_px // binning
    kept = side * binning
    masks = np.stack([np.asarray(label) > 0 for label in labels])
    pixels = np.empty((len(corners), 2, side, side), planes.dtype)
    regions = np.empty((len(corners), side, side), np.uint8)
    for k, (row, column) in enumerate(corners.tolist()):
        window = np.s_[:, row : row + kept, column : column + kept]
        mean = _squares(planes[window], binning)
        pixels[k] = np.rint(mean) if planes.dtype.kind in "iu" else mean
        inside = _squares(masks[window], binning) >= 0.5
        regions[k] = MASK_A * inside[0] + MASK_B * inside[1]
    return pixels, regions


def _squares(stack: NDArray[Any], binning: int) -> NDArray[np.float32]:
    n, height, width = stack.shape
    squares = stack.reshape(n, height // binning, binning, width // binning, binning)
    return np.asarray(squares.mean(axis=(2, 4), dtype=np.float32))
