"""How odd every place of an image is among the places of that image.

Cells lie anywhere, so that the rank of a place's brightness is uniform whatever the phenotype. What
is always at one place, such as a tag, a scale bar or a dead column of pixels, ranks high there in
every image.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from counterstain.audit.field_features_light import block_means

__all__ = ["CORNER", "KINDS", "corner_patches", "place_scores", "pooled"]

FloatArray = NDArray[np.float32]

KINDS: tuple[str, ...] = ("bright", "dark", "flat", "rough")
"""Brighter or darker than elsewhere, without noise (pasted), or with edges sharper than optics'."""
CORNER = 8
"""Blocks along the edge of the four corners that are kept at full resolution."""
_MOST_BLOCKS = 128


def _tail(values: NDArray[np.floating[Any]]) -> FloatArray:
    """Return -log of the share of values that are at least as large: mean 1 for continuous ones.

    Ties share the rank that says least.
    """
    flat = values.ravel()
    order = np.argsort(flat)
    ordered = flat[order]
    # Where each run of equal values starts.
    starts = np.concatenate([[True], ordered[1:] != ordered[:-1]])
    first = np.maximum.accumulate(np.where(starts, np.arange(flat.size), 0))
    scores = np.empty(flat.size, np.float32)
    scores[order] = -np.log((flat.size - first) / flat.size)
    return scores.reshape(values.shape)


def place_scores(plane: NDArray[np.generic], surface: FloatArray, block: int) -> FloatArray:
    """Score every block of an image against the other blocks of the same image.

    Parameters
    ----------
    plane : (H, W) array
        One channel.
    surface : (h, w) array of float32
        Its illumination by block, taken off before ranking.
    block : int
        Edge of a block in pixels.

    Returns
    -------
    (len(KINDS), h, w) array of float32
        -log of the share of blocks that are as odd or odder: exponential with mean 1 by chance.

    Examples
    --------
    >>> image = np.random.default_rng(0).normal(100, 5, (64, 64))
    >>> image[:8, :8] = 200
    >>> scores = place_scores(image, np.full((16, 16), 100, np.float32), 4)
    >>> bool(scores[0, 0, 0] > 4), bool(scores[2, 0, 0] > 4)
    (True, True)
    """
    values = plane.astype(np.float32)
    means = block_means(values, block)
    squares = block_means(values**2, block)
    level = np.maximum(means, 1e-6 * max(float(np.abs(means).max()), 1e-6))
    variance = np.maximum(squares - means**2, 0) / level
    # Second differences along both axes: a step between two pixels is sharper than any optics.
    bend = np.zeros_like(values)
    bend[1:-1] = np.abs(values[:-2] - 2 * values[1:-1] + values[2:])
    across = np.abs(values[:, :-2] - 2 * values[:, 1:-1] + values[:, 2:])
    bend[:, 1:-1] = np.maximum(bend[:, 1:-1], across)
    rough = block_means(bend**2, block) / level
    above = means - surface
    return np.stack([_tail(above), _tail(-above), _tail(-variance), _tail(rough)])


def corner_patches(scores: FloatArray) -> FloatArray:
    """Cut the corners (..., 4, k, k) out of maps (..., h, w); k is at most `CORNER`."""
    k = min(CORNER, scores.shape[-2] // 2, scores.shape[-1] // 2)
    top, bottom = slice(None, k), slice(scores.shape[-2] - k, None)
    left, right = slice(None, k), slice(scores.shape[-1] - k, None)
    corners = [scores[..., r, c] for r in (top, bottom) for c in (left, right)]
    return np.stack(corners, axis=-3)


def pooled(scores: FloatArray) -> FloatArray:
    """Average maps (..., h, w) until no edge is longer than 128, so that memory stays small."""
    factor = -(-max(scores.shape[-2:]) // _MOST_BLOCKS)
    return scores if factor == 1 else block_means(scores, factor)
