"""The nucleus as the given pixels show it: its area and shape, and how many there are.

A counterfactual may change where the nucleus ends, so the outline of the original cannot judge it.
The nucleus is found anew in the pixels by a rule without a free threshold, the same for originals
and counterfactuals.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from counterstain.masks.texture import smoothed

__all__ = ["NucleusShapes", "base_level", "nucleus_shapes"]

_OWN = 1
_SIGMA = 1.0
# Half way up the nucleus's edge; other nuclei may be dimmer than the own one.
_CONTOUR, _COUNT_CONTOUR = 0.5, 0.35
_BRIGHT_RANK = 0.75
_BASE_RANK = 0.05
_SMALLEST = 12
_MOST_STEPS = 200


@dataclass(frozen=True, slots=True)
class NucleusShapes:
    """What was found in each crop, arrays (N,) of float64; NaN where no nucleus shows.

    Parameters
    ----------
    area : array
        Pixels inside the half-maximum contour; where the own nucleus is in several pieces, and in
        tiles where every nucleus counts as own, the mean area of a piece.
    eccentricity : array
        Of the ellipse of the same second moments: 0 for a circle, towards 1 for a needle.
    form_factor : array
        4 pi area / perimeter squared: 1 for a circle, less for ragged outlines.
    count : array
        Nuclei in the crop, cut ones included; 0 where none shows.
    """

    area: NDArray[np.float64]
    eccentricity: NDArray[np.float64]
    form_factor: NDArray[np.float64]
    count: NDArray[np.float64]


def base_level(images: NDArray[Any]) -> NDArray[np.float64]:
    """Return the level of no signal, (N, C): the darkest 5 % of each smoothed crop (N, C, H, W).

    Examples
    --------
    >>> float(base_level(np.full((1, 1, 8, 8), 3.0)).item())
    3.0
    """
    smooth = smoothed(images, _SIGMA)
    flat = smooth.reshape(*images.shape[:2], images.shape[2] * images.shape[3])
    rank = int(_BASE_RANK * flat.shape[-1])
    return np.partition(flat, rank, axis=-1)[..., rank].astype(np.float64)


def nucleus_shapes(
    image: NDArray[Any], nuclei: NDArray[np.uint8], *, floor: float = 0.05
) -> NucleusShapes:
    """Find the own nucleus of each crop anew in the pixels and measure its outline.

    The outline is the half-maximum contour: half way between the crop's darkest 5 % and the level
    of the own nucleus (upper quartile of its original place). To the own nucleus belong the pixels
    above it that are reached from its original place before they are reached from another nucleus.
    A gain or an offset of the channel changes nothing.

    Parameters
    ----------
    image : (N, H, W) array
        The channel that shows nuclei.
    nuclei : (N, H, W) array of uint8
        Nuclei of the original: 0 background, 1 the own nucleus, 2 others.
    floor : float
        Least contrast between nucleus and dark, in the unit of `image`; below it none shows.

    Returns
    -------
    NucleusShapes
        Area in pixels, shape and count.

    Examples
    --------
    >>> y, x = np.mgrid[:32, :32] - 16
    >>> disk = np.hypot(y, x) < 8
    >>> original = (np.hypot(y, x) < 6).astype(np.uint8)
    >>> found = nucleus_shapes((disk * 3.0 + 1.0)[None], original[None])
    >>> int(disk.sum()), int(found.area[0]), float(found.count[0])
    (193, 193, 1.0)
    """
    smooth = smoothed(image, _SIGMA)
    base = base_level(image[:, None])[:, 0]
    height = _own_level(smooth, nuclei == _OWN) - base
    height = np.where(height > floor, height, np.nan)
    above = _above(smooth, base, height, _CONTOUR)
    own = _reached_first(above, nuclei)
    whole = own.sum(axis=(1, 2)).astype(np.float64)
    whole[~(whole > 0)] = np.nan
    with np.errstate(invalid="ignore"):  # no nucleus is NaN throughout
        eccentricity = _eccentricity(own, whole)
        form_factor = 4 * np.pi * whole / _perimeter(own) ** 2
    area = whole / np.maximum(_count(own), 1)
    count = _count(_above(smooth, base, height, _COUNT_CONTOUR))
    return NucleusShapes(area, eccentricity, form_factor, count)


def _own_level(smooth: NDArray[np.float32], own: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the upper quartile of each crop inside its mask; NaN where that is empty."""
    n = len(smooth)
    flat = np.where(own, smooth, -np.inf).reshape(n, own.shape[1] * own.shape[2])
    flat.sort(axis=1)
    inside = own.reshape(n, flat.shape[1]).sum(axis=1)
    rank = flat.shape[1] - 1 - ((1 - _BRIGHT_RANK) * np.maximum(inside - 1, 0)).astype(np.intp)
    level = flat[np.arange(n), rank].astype(np.float64)
    return np.where(inside > 0, level, np.nan)


def _above(
    smooth: NDArray[np.float32],
    base: NDArray[np.float64],
    height: NDArray[np.float64],
    part: float,
) -> NDArray[np.bool_]:
    # NaN compares as false: where no nucleus shows, nothing is above.
    return np.asarray(smooth > (base + part * height)[:, None, None])


def _reached_first(above: NDArray[np.bool_], nuclei: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Grow the own nucleus and the others inside `above`, a pixel a step, until they meet."""
    own, other = above & (nuclei == _OWN), above & (nuclei > _OWN)
    free = above & ~own & ~other
    for _ in range(_MOST_STEPS):
        more = _grown(own) & free
        rival = _grown(other) & free & ~more
        if not more.any():
            break
        own |= more
        other |= rival
        free &= ~(more | rival)
    return np.asarray(own)


def _grown(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Dilate by the four neighbours."""
    out: NDArray[np.bool_] = mask.copy()
    out[:, 1:] |= mask[:, :-1]
    out[:, :-1] |= mask[:, 1:]
    out[:, :, 1:] |= mask[:, :, :-1]
    out[:, :, :-1] |= mask[:, :, 1:]
    return out


def _eccentricity(own: NDArray[np.bool_], area: NDArray[np.float64]) -> NDArray[np.float64]:
    height, width = own.shape[1:]
    y, x = np.arange(height, dtype=np.float64), np.arange(width, dtype=np.float64)
    rows, columns = own.sum(axis=2), own.sum(axis=1)
    mean_y, mean_x = rows @ y / area, columns @ x / area
    # A pixel is a square of side 1, with a second moment of 1/12 of its own.
    yy = rows @ y**2 / area - mean_y**2 + 1 / 12
    xx = columns @ x**2 / area - mean_x**2 + 1 / 12
    yx = (own.astype(np.float32) @ x.astype(np.float32)) @ y / area - mean_y * mean_x
    spread = np.hypot((yy - xx) / 2, yx)
    middle = (yy + xx) / 2
    return np.asarray(np.sqrt(1 - np.clip((middle - spread) / (middle + spread), 0, 1)))


def _perimeter(own: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the length of outlines by Cauchy and Crofton: crossings in four directions."""
    padded = np.pad(own, ((0, 0), (1, 1), (1, 1)))
    down = (padded[:, 1:] != padded[:, :-1]).sum(axis=(1, 2))
    right = (padded[:, :, 1:] != padded[:, :, :-1]).sum(axis=(1, 2))
    falling = (padded[:, 1:, 1:] != padded[:, :-1, :-1]).sum(axis=(1, 2))
    rising = (padded[:, 1:, :-1] != padded[:, :-1, 1:]).sum(axis=(1, 2))
    length = np.pi / 8 * (down + right + (falling + rising) / np.sqrt(2))
    return np.where(length > 0, length, np.nan)


def _count(above: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Count the bright pieces of each crop, specks left out."""
    n = len(above)
    neighbours = np.zeros((3, 3, 3), bool)
    neighbours[1] = ndimage.generate_binary_structure(2, 1)
    labels, found = ndimage.label(above, neighbours)
    area = np.bincount(labels.ravel(), minlength=found + 1)
    crop = np.zeros(found + 1, np.intp)
    index = np.nonzero(labels)
    crop[labels[index]] = index[0]
    large = area >= _SMALLEST
    large[0] = False
    return np.bincount(crop[large], minlength=n).astype(np.float64)
