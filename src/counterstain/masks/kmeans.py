"""Masks by two-means: the brighter one of two clusters of pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from counterstain.errors import InvalidInputError
from counterstain.masks.kmeans_split import best_split, masked_sum
from counterstain.statistics.inputs import warn_undefined

__all__ = ["kmeans_mask"]

_SAMPLE = 1024
_MOST_PASSES = 300


def kmeans_mask(images: NDArray[Any], seed: int = 0, *, pooled: bool = False) -> NDArray[np.bool_]:
    """Return where pixels belong to the brighter one of two clusters.

    Two-means finds two clusters in noise as well: a mask is no proof of cells. Of one channel the
    partition of least variance is found exactly, so that neither a start nor `seed` matters; of
    several, Lloyd's algorithm starts from k-means++ on a sample and goes on over all pixels until
    none changes sides. Channels count as they are: one with ten times the range of another
    decides.

    Parameters
    ----------
    images : (H, W), (C, H, W) or (N, C, H, W) array of numbers
        An image, a field, or many; finite.
    seed : int
        Seed of the start, for several channels.
    pooled : bool
        One pair of clusters for all N images instead of one an image: comparable between
        images, and an image without cells stays empty.

    Returns
    -------
    (H, W), (H, W) or (N, H, W) array of bool
        True in the cluster whose centre is the brighter one, summed over channels. All False, with
        a warning that counts them, for constant images.

    Raises
    ------
    InvalidInputError
        If the shape is another one, or there is NaN or infinity.

    Notes
    -----
    Lloyd 1982, doi:10.1109/TIT.1982.1056489; k-means++: Arthur and Vassilvitskii 2007.

    Examples
    --------
    >>> image = np.zeros((4, 4))
    >>> image[1:3, 1:3] = 1.0
    >>> int(kmeans_mask(image).sum())
    4
    """
    stack = _stacked(images)
    groups = [stack] if pooled else [stack[i : i + 1] for i in range(len(stack))]
    masks, constant = [], 0
    for group in groups:
        mask = _bright_side(group, seed)
        constant += len(group) if mask is None else 0
        masks.append(np.zeros((len(group), *stack.shape[2:]), np.bool_) if mask is None else mask)
    if constant:
        warn_undefined(
            f"the mask of {constant} of {len(stack)} image(s)",
            "constant images have one cluster; they are masked as empty",
        )
    joined = masks[0] if len(masks) == 1 else np.concatenate(masks)
    return joined if images.ndim == 4 else joined[0]


def _stacked(images: NDArray[Any]) -> NDArray[Any]:
    if images.ndim not in (2, 3, 4) or images.size == 0 or images.dtype.kind not in "fiu":
        raise InvalidInputError(
            f"`images` must be numbers of shape (H, W), (C, H, W) or (N, C, H, W) with at least "
            f"one pixel; got {images.shape} {images.dtype}: pass intensities, and many images of "
            "one channel as `images[:, None]`."
        )
    if images.dtype.kind == "f" and not np.isfinite(images).all():
        bad = int(images.size - np.isfinite(images).sum())
        raise InvalidInputError(
            f"`images` must be finite; got NaN or infinity at {bad} of {images.size} pixels: leave "
            "these images out and count them."
        )
    return np.asarray(images.reshape((1,) * (4 - images.ndim) + images.shape))


def _bright_side(group: NDArray[Any], seed: int) -> NDArray[np.bool_] | None:
    """Return the brighter cluster of images (N, C, H, W) as (N, H, W); None for constant ones."""
    if group.shape[1] == 1:
        plane = group[:, 0]
        level = best_split(plane)
        return None if np.isnan(level) else np.asarray(plane > plane.dtype.type(level))
    pixels = np.moveaxis(group, 1, 0).reshape(group.shape[1], -1).astype(np.float32, copy=False)
    upper = _lloyd(pixels, seed)
    return None if upper is None else upper.reshape(len(group), *group.shape[2:])


def _lloyd(pixels: NDArray[np.float32], seed: int) -> NDArray[np.bool_] | None:
    """Cluster pixels (C, n); True in the brighter cluster."""
    generator = np.random.default_rng(seed)
    n = pixels.shape[1]
    # An odd step runs through all columns of an image whose width is even.
    step = max(1, n // _SAMPLE) | 1
    sample = np.ascontiguousarray(pixels[:, int(generator.integers(step)) :: step])
    centres = _start(sample.astype(np.float64), generator)
    if centres is None:
        centres = _start(pixels.astype(np.float64), generator)
    if centres is None:
        return None
    centres, _ = _passes(sample, centres)
    return _passes(pixels, centres)[1]


def _start(
    pixels: NDArray[np.float64], generator: np.random.Generator
) -> NDArray[np.float64] | None:
    """Choose two pixels far apart, as k-means++ does (the better of a few draws)."""
    first = pixels[:, generator.integers(pixels.shape[1])]
    away = ((pixels - first[:, None]) ** 2).sum(axis=0)
    if not away.any():
        return None
    best, chosen = np.inf, first
    for index in generator.choice(len(away), 4, p=away / away.sum()):
        other = ((pixels - pixels[:, index, None]) ** 2).sum(axis=0)
        cost = float(np.minimum(away, other).sum())
        if cost < best:
            best, chosen = cost, pixels[:, index]
    return np.stack([first, chosen])


def _passes(
    pixels: NDArray[np.float32], centres: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Run Lloyd's passes until no pixel changes sides; sides in order of brightness."""
    total, n = pixels.sum(axis=1, dtype=np.float64), pixels.shape[1]
    before: NDArray[np.bool_] | None = None
    for _ in range(_MOST_PASSES):
        dark, bright = centres[np.argsort(centres.sum(axis=1))]
        direction = bright - dark
        level = float(direction @ (bright + dark)) / 2
        upper = direction.astype(np.float32) @ pixels > np.float32(level)
        if before is not None and np.array_equal(upper, before):
            break
        n_upper = int(np.count_nonzero(upper))
        if n_upper in (0, n):
            break
        summed = np.array([masked_sum(plane, upper) for plane in pixels])
        centres = np.stack([(total - summed) / (n - n_upper), summed / n_upper])
        before = upper
    return centres, upper
