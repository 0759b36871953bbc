"""Parts of a field that no overlap should be read from: debris."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from counterstain.errors import InvalidInputError
from counterstain.masks.mask_overlap import as_mask

__all__ = ["find_debris", "without_debris"]

_SMALLEST = 30
_HALO = 12
# Percentiles that show background wherever cells cover less than three quarters of a field.
_LOW, _LOWEST = 25.0, 2.5
_NORMAL_SPAN = 1.2855  # standard deviations between these two percentiles
_NOISE = 6.0


def find_debris(
    image: NDArray[Any],
    *,
    brightness: float = 4.0,
    smallest_px: int = _SMALLEST,
    halo_px: int = _HALO,
) -> NDArray[np.bool_]:
    """Find what is far too bright to be a cell, in any channel.

    Debris shines in both channels, so that it passes for overlap, and it lifts thresholds so that
    cells are lost. Dust of a few pixels is left. Where hardly anything but debris shows, there is
    nothing to tell it by.

    Parameters
    ----------
    image : ndarray, shape (C, H, W)
        Intensities of one field, in any unit.
    brightness : float, default 4
        How often the mean light of a typical object, above the background, is too much.
    smallest_px : int, default 30
        Least area in one piece, of objects as of too bright pixels.
    halo_px : int, default 12
        How far around debris nothing is trusted either.

    Returns
    -------
    ndarray of bool, shape (H, W)
        For `without_debris`, `patch_overlaps` and `measure_field`.

    Raises
    ------
    InvalidInputError
        If there is no channel axis, a value is NaN, or a setting is out of range.

    Examples
    --------
    >>> image = np.full((1, 48, 48), 10.0)
    >>> for k in range(5):
    ...     image[0, 4:10, 9 * k + 2 : 9 * k + 8] = 110.0
    >>> image[0, 30:38, 20:28] = 900.0
    >>> found = find_debris(image, halo_px=2)
    >>> bool(found[33, 24]), bool(found[6, 4]), int(found.sum())
    (True, False, 132)
    """
    pixels = np.asarray(image)
    if pixels.ndim != 3 or pixels.size == 0 or pixels.dtype.kind not in "fiu":
        raise InvalidInputError(
            f"`image` must be (C, H, W) of numbers; got shape {pixels.shape} of {pixels.dtype}: "
            f"pass `image[None]` for one channel."
        )
    if pixels.dtype.kind == "f" and np.isnan(pixels).any():
        raise InvalidInputError("`image` must hold numbers throughout; got NaN: fill such pixels.")
    if not brightness > 1 or smallest_px < 1 or halo_px < 0:
        raise InvalidInputError(
            f"`brightness` must be above 1, `smallest_px` 1 or more and `halo_px` 0 or more; got "
            f"{brightness}, {smallest_px} and {halo_px}."
        )
    found = np.zeros(pixels.shape[1:], bool)
    for plane in pixels:
        found |= _too_bright(plane, brightness, smallest_px)
    if halo_px and found.any():
        return np.asarray(ndimage.distance_transform_edt(~found) <= halo_px)
    return found


def without_debris(image: NDArray[Any], debris: NDArray[np.bool_]) -> NDArray[Any]:
    """Return an image in which debris shows the background, so that it moves no threshold.

    Parameters
    ----------
    image : ndarray, shape (C, H, W)
        Intensities of one field.
    debris : ndarray of bool, shape (H, W)
        As from `find_debris`.

    Returns
    -------
    ndarray, shape (C, H, W)
        A copy with the lower quartile of each channel where there is debris; the image itself where
        there is none.

    Raises
    ------
    InvalidInputError
        If the sizes differ.

    Examples
    --------
    >>> image = np.array([[[1, 1, 1, 9]]])
    >>> without_debris(image, image[0] > 5).tolist()
    [[[1, 1, 1, 1]]]
    """
    pixels, dirt = np.asarray(image), as_mask(debris, "debris")
    if pixels.ndim != 3 or pixels.shape[1:] != dirt.shape:
        raise InvalidInputError(
            f"`debris` must be (H, W) of the field; got {dirt.shape} for an image of "
            f"{pixels.shape}: pass what `find_debris` says of the same image."
        )
    if not dirt.any():
        return pixels
    out = pixels.copy()
    for plane in out:
        plane[dirt] = np.percentile(plane, _LOW).astype(plane.dtype)
    return out


def _too_bright(plane: NDArray[Any], brightness: float, smallest: int) -> NDArray[np.bool_]:
    """Return pieces that outshine the objects of a channel; none where there are no objects."""
    lowest, background = np.percentile(plane, [_LOWEST, _LOW])
    noise = (background - lowest) / _NORMAL_SPAN
    labels, count = ndimage.label(plane > background + _NOISE * noise)
    if count == 0:
        return np.zeros(plane.shape, bool)
    flat = labels.ravel()
    areas = np.bincount(flat, minlength=count + 1)[1:]
    light = np.bincount(flat, plane.ravel(), minlength=count + 1)[1:] / areas - background
    objects = areas >= smallest
    if not objects.any():
        return np.zeros(plane.shape, bool)
    # The median of objects rather than of pixels: one piece of debris may outweigh all cells.
    level = background + brightness * float(np.median(light[objects]))
    pieces, _ = ndimage.label(plane > level)
    large = np.bincount(pieces.ravel()) >= smallest
    large[0] = False
    return np.asarray(large[pieces])
