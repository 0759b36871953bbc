"""What a segmenter learns to draw: where objects are, how deep a pixel lies, where its centre is.

Where two objects nearly touch, mistakes join them: such places weigh more.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from counterstain.errors import InvalidInputError

__all__ = ["centre_offsets", "contact_pixels", "contact_weights", "segmentation_targets"]

_REACH = 3  # pixels of the network
_CONTACT_WEIGHT = 8.0


def segmentation_targets(labels: NDArray[Any]) -> NDArray[np.float32]:
    """Turn a label image into the maps of foreground and distance that a U-Net is trained on.

    Parameters
    ----------
    labels : (H, W) array of int
        0 background, one number an object.

    Returns
    -------
    (2, H, W) array of float32
        Foreground, 0 or 1; and the distance to the edge of the own object (touching neighbours
        have an edge between them) as a share of the largest one within the object, 0 to 1.

    Raises
    ------
    InvalidInputError
        If the labels are no two-dimensional integers.

    Examples
    --------
    >>> labels = np.zeros((7, 7), np.uint16)
    >>> labels[1:6, 1:6] = 3
    >>> foreground, distance = segmentation_targets(labels)
    >>> float(foreground.sum()), (3 * distance[3]).tolist()
    (25.0, [0.0, 1.0, 2.0, 3.0, 2.0, 1.0, 0.0])
    """
    if labels.ndim != 2 or labels.dtype.kind not in "iu":
        raise InvalidInputError(
            f"`labels` must be (H, W) integers; got {labels.shape} {labels.dtype}: pass instance "
            "labels, 0 for background."
        )
    foreground = labels > 0
    if not foreground.any():
        return np.zeros((2, *labels.shape), np.float32)
    depth = ndimage.distance_transform_edt(np.pad(_inside(labels), 1, mode="edge"))[1:-1, 1:-1]
    depth = np.where(foreground, depth + 1, 0).astype(np.float32)
    deepest = np.zeros(int(labels.max()) + 1, np.float32)
    np.maximum.at(deepest, labels.ravel(), depth.ravel())
    share = depth / np.maximum(deepest[labels], 1)
    return np.stack([foreground.astype(np.float32), np.where(foreground, share, 0)])


def centre_offsets(labels: NDArray[Any], radius: float) -> NDArray[np.float32]:
    """Return how far down and right of each pixel the centre of its object lies.

    Parameters
    ----------
    labels : (H, W) array of int
        0 background, one number an object.
    radius : float
        Unit of the answer, pixels.

    Returns
    -------
    (2, H, W) array of float32
        0 in the background.

    Examples
    --------
    >>> centre_offsets(np.array([[0, 1, 1, 1, 0, 2]]), radius=1.0)[1].tolist()
    [[0.0, 1.0, 0.0, -1.0, 0.0, 0.0]]
    """
    flat = labels.ravel()
    areas = np.maximum(np.bincount(flat), 1)
    places = np.indices(labels.shape, np.float32)
    away = [(np.bincount(flat, weights=place.ravel()) / areas)[labels] - place for place in places]
    return np.where(labels > 0, np.stack(away) / radius, 0).astype(np.float32)


def contact_weights(labels: NDArray[Any]) -> NDArray[np.float32]:
    """Return how much each pixel weighs: more where two objects lie within three pixels of it.

    Parameters
    ----------
    labels : (H, W) array of int
        0 background, one number an object.

    Returns
    -------
    (H, W) array of float32
        1, and 8 between objects.

    Notes
    -----
    In the spirit of the weight map of Ronneberger et al. 2015, doi:10.1007/978-3-319-24574-4_28.

    Examples
    --------
    >>> contact_weights(np.array([[1, 1, 1, 1, 1, 0, 2, 2, 2, 2, 2]])).astype(int).tolist()
    [[1, 1, 1, 8, 8, 8, 8, 8, 1, 1, 1]]
    """
    window = 2 * _REACH + 1
    numbers = labels.astype(np.int32)
    highest = ndimage.maximum_filter(numbers, window, mode="nearest")
    background = np.iinfo(np.int32).max
    lowest = ndimage.minimum_filter(np.where(numbers > 0, numbers, background), window)
    between = (highest != lowest) & (highest > 0)
    return np.where(between, np.float32(_CONTACT_WEIGHT), np.float32(1))


def contact_pixels(labels: NDArray[Any]) -> NDArray[np.intp]:
    """Return the flat positions of pixels that have two objects within three pixels.

    Parameters
    ----------
    labels : (H, W) array of int
        0 background, one number an object.

    Examples
    --------
    >>> contact_pixels(np.array([[1, 1, 1, 1, 1, 0, 2, 2, 2, 2, 2]])).tolist()
    [3, 4, 5, 6, 7]
    """
    return np.flatnonzero(contact_weights(labels) > 1)


def _inside(labels: NDArray[Any]) -> NDArray[np.bool_]:
    """Pixels whose four neighbours all belong to the same object."""
    same = labels > 0
    for axis in (0, 1):
        differs = np.diff(labels, axis=axis) != 0
        first = [slice(None), slice(None)]
        second = [slice(None), slice(None)]
        first[axis], second[axis] = slice(None, -1), slice(1, None)
        same[tuple(first)] &= ~differs
        same[tuple(second)] &= ~differs
    return np.asarray(same)
