"""Cells of a co-culture to light, and to the masks that a perfect segmentation would find."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from counterstain.plates.simulate.coculture_cells import ANGLES, MARGIN, Coculture
from counterstain.plates.simulate.drawing import BORDER

__all__ = ["draw_coculture_light"]

FloatArray = npt.NDArray[np.float32]
LabelArray = npt.NDArray[np.uint16]

# Largest reach of a cell from its centre, in pixels.
_HALF = {"t": 16, "dendritic": 42}
# A T cell bound to a dendritic cell at the far edge of the margin still fits the canvas.
_REACH = 60
_T_LIGHT = 620.0
_DENDRITIC_LIGHT = 520.0
_EDGE_PX = 2.0
_DOME = 0.12
_GRAIN_CONTRAST = 0.10
_BLEEDING = 0.015  # share of the one stain's light that the other channel sees


def _patches(centres: npt.NDArray[np.float64], outline: FloatArray, half: int) -> FloatArray:
    """Return how far inside its outline each pixel of each cell's patch lies, (n, 2h, 2h)."""
    grid = np.arange(-half, half, dtype=np.float32)
    dy = grid[None, :, None] - np.mod(centres[:, 0], 1).astype(np.float32)[:, None, None]
    dx = grid[None, None, :] - np.mod(centres[:, 1], 1).astype(np.float32)[:, None, None]
    distance = np.sqrt(dy * dy + dx * dx)
    index = np.rint(np.arctan2(dy, dx) * (ANGLES / (2 * math.pi))).astype(np.intp) % ANGLES
    index = index.reshape(len(centres), (2 * half) ** 2)
    edge = np.take_along_axis(outline, index, axis=1).reshape(distance.shape)
    return np.asarray(edge - distance, np.float32)


def _paste(
    centres: npt.NDArray[np.float64], outline: FloatArray, light: FloatArray, half: int, size: int
) -> tuple[FloatArray, LabelArray]:
    """Draw all cells of a kind: the brighter one shows, the inner one gets the label."""
    border = MARGIN + _REACH
    edge = size + 2 * border
    canvas, depth = np.zeros((edge, edge), np.float32), np.zeros((edge, edge), np.float32)
    labels = np.zeros((edge, edge), np.uint16)
    inside = _patches(centres, outline, half)
    t = np.clip(inside / _EDGE_PX + 0.5, 0, 1)
    body = t * t * (3 - 2 * t) * (1 - _DOME * np.exp(-np.maximum(inside, 0) / 4))
    body *= light[:, None, None]
    corner = np.floor(centres).astype(int) + border - half
    for i, (top, left) in enumerate(corner.tolist()):
        place = slice(top, top + 2 * half), slice(left, left + 2 * half)
        np.maximum(canvas[place], body[i], out=canvas[place])
        deeper = inside[i] > depth[place]
        labels[place][deeper] = i + 1
        depth[place][deeper] = inside[i][deeper]
    keep = slice(border - BORDER, edge - border + BORDER)
    return canvas[keep, keep], labels[border:-border, border:-border]


def draw_coculture_light(
    rng: np.random.Generator, cells: Coculture, *, size: int
) -> tuple[FloatArray, LabelArray]:
    """Draw the light that the cells of one field send out, and the true masks.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of the stain's grain.
    cells : Coculture
        The cells.
    size : int
        Edge of the square field in pixels.

    Returns
    -------
    light : ndarray of float32, shape (2, size + 2 * BORDER, size + 2 * BORDER)
        Photons a pixel in the channels of T cells and of dendritic cells, perfectly sharp.
    labels : ndarray of uint16, shape (2, size, size)
        The cell that a pixel belongs to, index + 1, by kind; its edge is where light falls to half.
    """
    t, t_labels = _paste(cells.t, cells.t_outline, cells.t_light, _HALF["t"], size)
    dendritic, dendritic_labels = _paste(
        cells.dendritic, cells.dendritic_outline, cells.dendritic_light, _HALF["dendritic"], size
    )
    for plane in (t, dendritic):
        noise = ndimage.gaussian_filter(
            rng.standard_normal(plane.shape, np.float32), 1.3, mode="wrap", truncate=3
        )
        plane *= 1 + _GRAIN_CONTRAST * noise / noise.std()
    green, red = _T_LIGHT * t, _DENDRITIC_LIGHT * dendritic
    light = np.stack([green + _BLEEDING * red, red + _BLEEDING * green])
    return light, np.stack([t_labels, dendritic_labels])
