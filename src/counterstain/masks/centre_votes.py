"""Each pixel of an object votes for where the object's centre lies; a heap of votes is an object.

Two nuclei that touch without a dark line between them still have two centres, and the ways to them
turn round where one ends and the other begins. A threshold on a distance to the edge sees only a
shallow dip there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.sparse import coo_array
from skimage.segmentation import watershed

__all__ = ["heaps_of_votes", "objects_by_votes"]

_watershed: Callable[..., Any] = watershed  # scikit-image is typed in part only

_SPREAD = 0.12  # radii of the median cell: standard deviation of votes for one centre
_LEAST_SPREAD = 0.5  # pixels
_FOOT = 0.05  # of the fewest votes: less belongs to no heap
_STEPS = ((0, 1), (1, 0), (1, 1), (1, -1))


def objects_by_votes(
    maps: NDArray[Any],
    foreground: NDArray[np.bool_],
    *,
    radius: float,
    fewest: float,
    saddle: float,
) -> NDArray[np.int32]:
    """Give each pixel of the foreground the number of the centre that it points to.

    Parameters
    ----------
    maps : (4, H, W) array of float
        Foreground, distance to the edge (the weight of a vote), and the way down and right to the
        centre in units of `radius`.
    foreground : (H, W) array of bool
        Pixels that vote.
    radius : float
        Of the median cell in training, pixels of the maps.
    fewest : float
        Votes that make a centre, pixels of the maps.
    saddle : float
        Two heaps are one where the pass between them is at least this share of the lower one.

    Returns
    -------
    (H, W) array of int32
        0 outside the foreground, and throughout where no heap is high enough; numbers may have
        gaps.

    Notes
    -----
    In the manner of Neven et al. 2019, doi:10.1109/CVPR.2019.00904, and Cheng et al. 2020,
    doi:10.1109/CVPR42600.2020.01249.

    Examples
    --------
    >>> maps = np.zeros((4, 5, 8))
    >>> maps[:2, :, 1:7] = 1
    >>> maps[3, :, 1:7] = [1, 0, -1, 1, 0, -1]
    >>> maps[2, :, 1:7] = (2 - np.arange(5))[:, None]
    >>> found = objects_by_votes(maps, maps[0] > 0, radius=1.0, fewest=4.0, saddle=0.5)
    >>> found[2].tolist()
    [0, 1, 1, 1, 2, 2, 2, 0]
    """
    out = np.zeros(foreground.shape, np.int32)
    rows, columns = np.nonzero(foreground)
    places = [
        np.clip(np.rint(own + maps[axis + 2][rows, columns] * radius), 0, out.shape[axis] - 1)
        for axis, own in enumerate((rows, columns))
    ]
    places = [place.astype(np.intp) for place in places]
    votes = coo_array((maps[1][rows, columns], tuple(places)), shape=out.shape).toarray()
    heaps = heaps_of_votes(votes, max(_SPREAD * radius, _LEAST_SPREAD), fewest, saddle)
    if not heaps.any():
        return out
    number = heaps[places[0], places[1]]
    astray = number == 0
    if astray.any():
        nearest = ndimage.distance_transform_edt(
            heaps == 0, return_distances=False, return_indices=True
        )
        lost = tuple(place[astray] for place in places)
        number[astray] = heaps[nearest[0][lost], nearest[1][lost]]
    out[rows, columns] = number
    return out


def heaps_of_votes(
    votes: NDArray[Any], spread: float, fewest: float, saddle: float
) -> NDArray[np.int32]:
    """Give each heap of a map of votes a number.

    Parameters
    ----------
    votes : (H, W) array of float
        Votes for each pixel, from 0 on.
    spread : float
        Standard deviation of the votes for one centre, pixels.
    fewest, saddle : float
        As for :func:`objects_by_votes`.

    Returns
    -------
    (H, W) array of int32
        0 where hardly a vote fell; numbers may have gaps.

    Examples
    --------
    >>> votes = np.zeros((9, 20))
    >>> votes[4, [3, 12, 13]] = [9, 9, 8]
    >>> heaps_of_votes(votes, spread=0.5, fewest=4.0, saddle=0.5)[4, [3, 8, 12, 13]].tolist()
    [1, 0, 2, 2]
    """
    # Scaled so that votes which all fall within the spread count in full.
    height = ndimage.gaussian_filter(votes.astype(np.float32), spread) * (2 * np.pi * spread**2)
    window = 2 * int(np.ceil(1.5 * spread)) + 1
    tops = (height == ndimage.maximum_filter(height, window)) & (height >= fewest)
    seeds, count = ndimage.label(tops, np.ones((3, 3), np.bool_))
    if not count:
        return np.zeros(votes.shape, np.int32)
    basins = _watershed(-height, seeds, mask=height > _FOOT * fewest)
    return _joined(basins, height, count, saddle)


def _joined(
    basins: NDArray[np.int32], height: NDArray[np.float32], count: int, saddle: float
) -> NDArray[np.int32]:
    """Join basins whose pass is nearly as high as the lower of their tops, highest pass first."""
    tops = np.zeros(count + 1, height.dtype)
    np.maximum.at(tops, basins, height)
    parent = np.arange(count + 1)

    def root(basin: int) -> int:
        while parent[basin] != basin:
            basin = parent[basin]
        return basin

    for one, other, level in _passes(basins, height):
        low, high = sorted((root(one), root(other)), key=lambda basin: tops[basin])
        if low != high and level >= saddle * tops[low]:
            parent[low] = high
    return np.array([root(basin) for basin in range(count + 1)], np.int32)[basins]


def _passes(basins: NDArray[np.int32], height: NDArray[np.float32]) -> list[tuple[int, int, float]]:
    """List pairs of basins that meet, with how high the way between them stays, highest first."""
    found = []
    for down, right in _STEPS:
        here = (slice(None, basins.shape[0] - down), slice(max(0, -right), _end(right)))
        there = (slice(down, None), slice(max(0, right), _end(-right)))
        meet = (basins[here] != basins[there]) & (basins[here] > 0) & (basins[there] > 0)
        level = np.minimum(height[here], height[there])[meet]
        found.append(np.stack([basins[here][meet], basins[there][meet], level], axis=1))
    pairs = np.concatenate(found)
    ranked = pairs[np.argsort(-pairs[:, 2], kind="stable")]
    return [(int(one), int(other), float(level)) for one, other, level in ranked]


def _end(right: int) -> int | None:
    return -right if right > 0 else None
