"""Cells of a mask, told apart where they touch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.feature import peak_local_max
from skimage.segmentation import watershed

from counterstain.masks.mask_overlap import as_mask

__all__ = ["split_cells"]

# scikit-image is typed in part only.
_peaks: Callable[..., Any] = peak_local_max
_watershed: Callable[..., Any] = watershed

_CLUMP = 1.4
_SEED_SMOOTHING = 0.15
_SEED_DISTANCE = 0.7


def split_cells(mask: NDArray[Any], *, min_area: int = 16) -> NDArray[np.int32]:
    """Give each cell of a mask a number; pieces too large for one are parted where narrow.

    The typical cell is that of the median piece, so that in a field of clumps alone clumps count as
    cells. Where two cells of a kind lie on top of each other, no mask can part them.

    Parameters
    ----------
    mask : ndarray of bool or int, shape (H, W)
        Mask of one kind of cells.
    min_area : int, default 16
        Smaller pieces are taken out, pixels.

    Returns
    -------
    ndarray of int32, shape (H, W)
        0 outside of cells, then 1, 2, ...

    Raises
    ------
    InvalidInputError
        If the mask is not (H, W), or holds floats.

    Examples
    --------
    >>> y, x = np.mgrid[:40, :90]
    >>> cells = [np.hypot(y - 20, x - at) < 9 for at in (12, 48, 64)]
    >>> int(split_cells(np.any(cells, axis=0)).max())
    3
    """
    labels, count = ndimage.label(as_mask(mask, "mask"))
    areas = np.bincount(labels.ravel(), minlength=count + 1)
    areas[0] = 0
    pieces = np.flatnonzero(areas >= min_area)
    if not pieces.size:
        return np.zeros(labels.shape, np.int32)
    # The lower of two middle pieces: the other may be a clump.
    typical = float(np.sort(areas[pieces])[(len(pieces) - 1) // 2])
    single = pieces[areas[pieces] <= _CLUMP * typical]
    number = np.zeros(count + 1, np.int32)
    number[single] = np.arange(1, len(single) + 1)
    out = number[labels]
    boxes = ndimage.find_objects(labels)
    following = len(single) + 1
    for piece in np.setdiff1d(pieces, single).tolist():
        box = boxes[piece - 1]
        inside = labels[box] == piece
        parts = _parted(inside, np.sqrt(typical / np.pi), min_area)
        out[box][inside] = parts[inside] + following - 1
        following += int(parts.max())
    return out


def _parted(inside: NDArray[np.bool_], radius: float, min_area: int) -> NDArray[np.int32]:
    """Part one piece by watershed on its distance to the edge, on a scale of the typical cell."""
    padded = np.pad(inside, 1)
    distance = ndimage.distance_transform_edt(padded).astype(np.float32)
    distance = ndimage.gaussian_filter(distance, max(1.0, _SEED_SMOOTHING * radius))
    peaks = _peaks(
        distance,
        min_distance=max(2, round(_SEED_DISTANCE * radius)),
        labels=padded.astype(np.int32),
        exclude_border=False,
    )
    seeds = np.zeros(padded.shape, np.int32)
    seeds[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    parts = np.asarray(_watershed(-distance, seeds, mask=padded), np.int32)[1:-1, 1:-1]
    if parts.max() < 2 or np.bincount(parts.ravel())[1:].min() < min_area:
        return inside.astype(np.int32)
    return parts
