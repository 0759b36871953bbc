"""How a field is lit: a coarse map of it, and its background without the haze of cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

__all__ = ["Background", "block_means", "fit_background", "signal_level"]

FloatArray = NDArray[np.float32]

# Wide-field light spreads over about this many pixels around cells.
_HAZE_PX = (9.0, 24.0)
_ROUNDS = 6
_LEAST_DARK = 40
_SHAPE_TERMS = 4
_SIGNAL_ROUNDS = 8
_LEAST_SIGNAL = 8


@dataclass(frozen=True, slots=True)
class Background:
    """Background of one channel of a field.

    Parameters
    ----------
    level : float
        Grey value of the background at the field's centre, without the haze of cells.
    tilt_y, tilt_x : float
        Change over the field's height and width, grey values.
    vignette : float
        Change from centre to corner, grey values; negative where corners are darker.
    spread : float
        Standard deviation of blocks around the fit, grey values.
    dark : (h, w) array of bool
        Blocks that show background.
    surface : (h, w) array of float32
        Level, tilt and vignette as grey values.
    """

    level: float
    tilt_y: float
    tilt_x: float
    vignette: float
    spread: float
    dark: NDArray[np.bool_]
    surface: FloatArray


def block_means(plane: NDArray[np.generic], block: int) -> FloatArray:
    """Average a plane (..., H, W) over squares; a rest at the right and lower edge is left out.

    Examples
    --------
    >>> block_means(np.arange(16).reshape(4, 4), 2)
    array([[ 2.5,  4.5],
           [10.5, 12.5]], dtype=float32)
    """
    height, width = (edge // block * block for edge in plane.shape[-2:])
    cut = plane[..., :height, :width].astype(np.float32, copy=False)
    # Sums of strided slices are several times faster than a mean over two axes.
    rows: Any = sum((cut[..., i::block, :] for i in range(block)), np.float32(0))
    total: Any = sum((rows[..., i::block] for i in range(block)), np.float32(0))
    return np.asarray(total / np.float32(block * block), np.float32)


def _shape_terms(height: int, width: int) -> FloatArray:
    """Regressors (h * w, 4): constant, y, x, squared radius."""
    y = ((np.arange(height) + 0.5) / height - 0.5)[:, None] + np.zeros((1, width))
    x = ((np.arange(width) + 0.5) / width - 0.5)[None, :] + np.zeros((height, 1))
    shape = [np.ones_like(y), y, x, 2 * (y**2 + x**2)]
    return np.stack(shape, axis=-1).reshape(-1, 4).astype(np.float32)


def _haze_terms(cells: FloatArray, block: int) -> FloatArray:
    """Regressors (h * w, 2): light of cells (h, w), spread near and far."""
    scale = float(cells.max()) or 1.0
    haze = [ndimage.gaussian_filter(cells / scale, px / block, truncate=3) for px in _HAZE_PX]
    return np.stack(haze, axis=-1).reshape(-1, 2).astype(np.float32)


def _solve(terms: FloatArray, values: FloatArray, kept: NDArray[np.bool_]) -> NDArray[np.float64]:
    weighted = terms.T * kept
    normal = (weighted @ terms).astype(np.float64)
    right = (weighted @ values).astype(np.float64)
    return np.asarray(np.linalg.lstsq(normal, right, rcond=1e-9)[0])


def fit_background(blocks: FloatArray, block: int) -> Background:
    """Fit level, tilt and vignette of the background to a map of block means.

    Cells are left out by trimming what is brighter than the fit, and their haze is a regressor: a
    brighter phenotype must not pass for another lamp.

    Parameters
    ----------
    blocks : (h, w) array of float
        Block means of one channel.
    block : int
        Edge of a block in pixels.

    Returns
    -------
    Background
        A constant map gives no tilt.

    Examples
    --------
    >>> y, x = np.mgrid[:32, :32] / 32
    >>> lit = 100 * (1 + 0.2 * (x - 0.5)) + np.sin(50 * y)
    >>> round(fit_background(lit.astype(np.float32), 4).tilt_x)
    20
    """
    # The mean is taken off, so that single precision is enough.
    shift = float(blocks.mean())
    values = blocks.ravel() - np.float32(shift)
    shape = terms = _shape_terms(*blocks.shape)
    kept = values <= np.quantile(values, 0.5)
    fit, residual, spread = np.zeros(_SHAPE_TERMS), values, 0.0
    for step in range(_ROUNDS):
        if step == 2:
            # Haze comes in when only background is left: before, it would explain the cells.
            cells = np.where(kept, 0, np.maximum(residual, 0)).reshape(blocks.shape)
            terms = np.concatenate([shape, _haze_terms(cells, block)], axis=1)
        fit = _solve(terms, values, kept)
        residual = values - terms @ fit.astype(np.float32)
        # Only what lies below the fit is free of cells.
        below = residual[(residual < 0) & kept]
        spread = float(np.sqrt(np.mean(below**2))) if below.size else 0.0
        candidate = residual <= 2.0 * spread + 1e-6 * max(abs(shift), 1e-6)
        if candidate.sum() < _LEAST_DARK:
            break
        kept = candidate
    level = float(fit[0]) + shift
    surface = shape @ fit[:_SHAPE_TERMS].astype(np.float32) + np.float32(shift)
    tilt_y, tilt_x, vignette = (float(v) for v in fit[1:_SHAPE_TERMS])
    return Background(
        level, tilt_y, tilt_x, vignette, spread,
        kept.reshape(blocks.shape), np.asarray(surface.reshape(blocks.shape), np.float32),
    )  # fmt: skip


def signal_level(blocks: FloatArray, background: Background) -> float:
    """Return how bright cells are above the background, in grey values.

    The median of blocks that are brighter than half of it, so that the number of cells and their
    dim edges hardly matter.

    Parameters
    ----------
    blocks : (h, w) array of float
        Block means of one channel.
    background : Background
        Their background.

    Returns
    -------
    float
        NaN where nothing stands out.
    """
    above = (blocks - background.surface).ravel()
    level = float(np.quantile(above, 0.98))
    if not level > 6 * background.spread:
        return float("nan")
    for _ in range(_SIGNAL_ROUNDS):
        bright = above[above > 0.5 * level]
        if bright.size < _LEAST_SIGNAL:
            return float("nan")
        level = float(np.median(bright))
    return level
