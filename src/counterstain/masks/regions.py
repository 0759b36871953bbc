"""Regions of a cell: its nucleus, a ring for the cytoplasm, both, and the background."""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt

import numpy as np
from numpy.typing import NDArray

from counterstain.errors import InvalidInputError

__all__ = ["CellRegions", "cell_regions"]

_OWN = 1


@dataclass(frozen=True)
class CellRegions:
    """Masks of the regions of each crop, all (N, H, W) of bool.

    Parameters
    ----------
    nucleus : array
        The crop's own nucleus.
    ring : array
        Pixels near the own nucleus that lie in no nucleus: stands for the cytoplasm.
    cell : array
        Nucleus and ring.
    background : array
        Pixels far from every nucleus.
    """

    nucleus: NDArray[np.bool_]
    ring: NDArray[np.bool_]
    cell: NDArray[np.bool_]
    background: NDArray[np.bool_]


def cell_regions(nuclei: NDArray[np.uint8], ring_width: int = 6) -> CellRegions:
    """Make the regions of crops from the nuclei in them.

    The ring knows no cell borders: where cells are dense it holds the cytoplasm of neighbours.

    Parameters
    ----------
    nuclei : (N, H, W) array of uint8
        0 background, 1 the crop's own nucleus, 2 other nuclei.
    ring_width : int
        Width of the ring, pixels (Euclidean). The background starts at twice that distance.

    Returns
    -------
    CellRegions
        Masks; a region may be empty.

    Raises
    ------
    InvalidInputError
        If `nuclei` has not three axes or `ring_width` is below 1.

    Examples
    --------
    >>> nuclei = np.zeros((1, 1, 9), np.uint8)
    >>> nuclei[0, 0, :2] = 1
    >>> nuclei[0, 0, 3] = 2
    >>> regions = cell_regions(nuclei, ring_width=2)
    >>> np.flatnonzero(regions.ring).tolist(), np.flatnonzero(regions.background).tolist()
    ([2], [8])
    """
    if nuclei.ndim != 3 or ring_width < 1:
        raise InvalidInputError(
            f"`nuclei` must be (N, H, W) and `ring_width` at least 1 px; got {nuclei.shape} and "
            f"{ring_width}: pass `nuclei[None]` for a single crop."
        )
    nucleus = nuclei == _OWN
    any_nucleus = nuclei > 0
    near = _dilate(nucleus, ring_width)
    ring = near & ~any_nucleus
    return CellRegions(nucleus, ring, nucleus | ring, ~_dilate(any_nucleus, 2 * ring_width))


def _dilate(mask: NDArray[np.bool_], radius: int) -> NDArray[np.bool_]:
    """Dilate each mask (N, H, W) by a disk, exactly, in some 4 x radius passes over the batch."""
    # A disk is a stack of horizontal bars: bars of every half-width first, then shifted by rows.
    bars = [mask]
    for shift in range(1, radius + 1):
        bar = bars[-1].copy()
        bar[:, :, shift:] |= mask[:, :, :-shift]
        bar[:, :, :-shift] |= mask[:, :, shift:]
        bars.append(bar)
    out = bars[radius].copy()
    for shift in range(1, radius + 1):
        bar = bars[isqrt(radius**2 - shift**2)]
        out[:, shift:] |= bar[:, :-shift]
        out[:, :-shift] |= bar[:, shift:]
    return out
