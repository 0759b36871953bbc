"""How much of a map lies inside of the cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from counterstain.errors import InvalidInputError

__all__ = ["InsideShares", "share_inside"]


@dataclass(frozen=True, slots=True)
class InsideShares:
    """Share of attribution inside a mask, and the mask's share of the area, image by image.

    Parameters
    ----------
    shares : array
        ``(N,)`` float64, 0 to 1; NaN where a map is zero everywhere.
    areas : array
        ``(N,)`` float64, share of the pixels that are inside: what a map that knows nothing gets.
    reasons : tuple of str
        Why a share is NaN, one entry an image; empty where it is defined.
    """

    shares: NDArray[np.float64]
    areas: NDArray[np.float64]
    reasons: tuple[str, ...]


def share_inside(maps: Any, inside: Any) -> InsideShares:
    """Return the share of the absolute attribution that lies inside masks.

    Parameters
    ----------
    maps : array-like or Tensor
        ``(N, C, H, W)`` or ``(N, H, W)``, signed; magnitudes are summed, over channels too.
    inside : array-like or Tensor
        ``(N, H, W)``, nonzero inside.

    Returns
    -------
    InsideShares
        A share each image; undefined with the reason where a map is zero everywhere.

    Raises
    ------
    InvalidInputError
        If shapes do not fit, or a map holds NaN or infinities.

    Examples
    --------
    >>> maps = np.array([[[3.0, -1.0]], [[0.0, 0.0]]])
    >>> found = share_inside(maps, np.array([[[1, 0]], [[1, 0]]]))
    >>> found.shares.tolist(), found.areas.tolist(), found.reasons[1]
    ([0.75, nan], [0.5, 0.5], 'the map is zero everywhere')
    """
    values = np.asarray(maps, dtype=np.float64)
    mask = np.asarray(inside) != 0
    if values.ndim not in (3, 4) or mask.ndim != 3:
        raise InvalidInputError(
            f"`maps` must be (N, C, H, W) or (N, H, W) and `inside` (N, H, W); got {values.shape} "
            f"and {mask.shape}: pass a map and a mask each image."
        )
    if (len(values), *values.shape[-2:]) != mask.shape or 0 in mask.shape[1:]:
        raise InvalidInputError(
            f"`inside` must have the maps' images, height and width; got {mask.shape} for maps "
            f"{values.shape}: pass the masks of the same crops."
        )
    if not np.isfinite(values).all():
        raise InvalidInputError(
            "`maps` must be finite; got NaN or infinity: no share is taken of such a map."
        )
    magnitude = np.abs(values) if values.ndim == 3 else np.abs(values).sum(axis=1)
    total = magnitude.sum(axis=(1, 2))
    within = np.where(mask, magnitude, 0.0).sum(axis=(1, 2))
    empty = total <= 0
    shares = np.full(len(total), np.nan)
    np.divide(within, total, out=shares, where=~empty)
    reasons = tuple("the map is zero everywhere" if nothing else "" for nothing in empty)
    return InsideShares(shares, mask.mean(axis=(1, 2)), reasons)
