"""Cells to light: what each stain would send out, before optics and camera."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from counterstain.plates.simulate.cells import ANGLES, MARGIN, CellPopulation, draw_population
from counterstain.plates.simulate.filaments import draw_filaments
from counterstain.plates.simulate.phenotypes import Phenotype

__all__ = ["BORDER", "draw_light"]

FloatArray = npt.NDArray[np.float32]

BORDER = 24
"""Pixels drawn around a field, so that blurring needs no special care at its edge."""

_HALF = 40
# Cells lie up to MARGIN outside the field and reach _HALF further.
_CANVAS_BORDER = MARGIN + _HALF + 2
# Light of a typical healthy cell in photons a pixel.
_DNA_LIGHT = 900.0
_CYTOPLASM_LIGHT = 700.0
_MITOCHONDRIA_LIGHT = 330.0
_NUCLEAR_SHARE = 0.7
_GRAIN = 1.1
_GRAIN_CONTRAST = 0.22
_CHROMATIN_CONTRAST = 0.13
# Cells that lie over each other are thinner there: the light of n layers is that of n ** 0.25.
_THINNING = 0.75


def _smoothstep(distance: FloatArray, width: float) -> FloatArray:
    """Rise from 0 to 1 around a distance of 0 to an edge."""
    t = np.clip(distance / width + 0.5, 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def _texture(rng: np.random.Generator, edge: int, grain: float) -> FloatArray:
    """Return smooth noise of mean 0 and standard deviation 1."""
    noise = ndimage.gaussian_filter(
        rng.standard_normal((edge, edge), np.float32), grain, mode="wrap", truncate=3
    )
    return np.asarray(noise / noise.std(), np.float32)


def _nucleoli(cells: CellPopulation, dy: FloatArray, dx: FloatArray) -> FloatArray:
    """Return what nucleoli leave of the DNA stain, on the patches of all cells."""
    radius = cells.nucleus_outline.mean(axis=1)
    left = np.ones(np.broadcast_shapes(dy.shape, dx.shape), np.float32)
    for spot in np.moveaxis(cells.nucleoli, 1, 0):
        y, x, depth = ((spot[:, k])[:, None, None] for k in range(3))
        scale = radius[:, None, None]
        width = 2 * (0.19 * scale) ** 2
        # The exponential of a sum is the product of two thin arrays.
        bump = np.exp(-((dy - y * scale) ** 2) / width) * np.exp(-((dx - x * scale) ** 2) / width)
        left -= depth * bump
    return np.maximum(left, 0.3)


def _patches(cells: CellPopulation, phenotype: Phenotype) -> FloatArray:
    """Draw every cell on its own patch, shape (5, n, 80, 80).

    Layers: DNA, cytoplasm, cytoplasm weighted by the contrast of its texture, diffuse
    mitochondrial stain, and where the cell lies.
    """
    grid = np.arange(-_HALF, _HALF, dtype=np.float32)
    dy = grid[None, :, None] - np.mod(cells.y, 1)[:, None, None]
    dx = grid[None, None, :] - np.mod(cells.x, 1)[:, None, None]
    distance = np.sqrt(dy * dy + dx * dx)
    index = (np.arctan2(dy, dx) * (ANGLES / (2 * math.pi))).astype(np.intp) % ANGLES
    index = index.reshape(len(cells), (2 * _HALF) ** 2)
    cell = np.take_along_axis(cells.cell_outline, index, axis=1).reshape(distance.shape)
    nucleus = np.take_along_axis(cells.nucleus_outline, index, axis=1).reshape(distance.shape)
    in_cell = _smoothstep(cell - distance, 2.5)
    in_nucleus = _smoothstep(nucleus - distance, 1.6)
    outward = np.minimum(distance / cell, 1)
    falling = (1 - outward * outward) ** 1.3
    thickness = np.asarray(in_cell * (0.3 + 0.7 * falling), np.float32)
    dome = np.sqrt(np.maximum(1 - 0.55 * (distance / nucleus) ** 4, 0.1))
    dna = in_nucleus * dome * _nucleoli(cells, dy, dx)
    body = _shifted(thickness, in_nucleus, phenotype.cytoplasm_nuclear_shift)
    body *= cells.cytoplasm[:, None, None]
    diffuse = thickness * (1 - 0.75 * in_nucleus) * cells.mitochondria[:, None, None]
    grain = body * cells.grain[:, None, None]
    return np.stack([dna * cells.dna[:, None, None], body, grain, diffuse, in_cell])


def _shifted(thickness: FloatArray, in_nucleus: FloatArray, shift: float) -> FloatArray:
    """Share the cytoplasm's stain between nucleus and the rest; the total does not change."""
    nuclear = (thickness * in_nucleus).sum(axis=(1, 2), keepdims=True)
    rest = (thickness * (1 - in_nucleus)).sum(axis=(1, 2), keepdims=True)
    share = _NUCLEAR_SHARE * 2**shift
    scale = (_NUCLEAR_SHARE * nuclear + rest) / np.maximum(share * nuclear + rest, 1e-6)
    return np.asarray(scale * thickness * (1 + (share - 1) * in_nucleus), np.float32)


def _paste(cells: CellPopulation, patches: FloatArray, size: int) -> FloatArray:
    edge = size + 2 * _CANVAS_BORDER
    canvas = np.zeros((len(patches), edge, edge), np.float32)
    tops = np.floor(cells.y).astype(int) + _CANVAS_BORDER - _HALF
    lefts = np.floor(cells.x).astype(int) + _CANVAS_BORDER - _HALF
    for i, (top, left) in enumerate(zip(tops, lefts, strict=True)):
        canvas[:, top : top + 2 * _HALF, left : left + 2 * _HALF] += patches[:, i]
    cut = _CANVAS_BORDER - BORDER
    return canvas[:, cut:-cut, cut:-cut]


def draw_light(
    rng: np.random.Generator, phenotype: Phenotype, *, size: int, density: float = 1.0
) -> tuple[FloatArray, CellPopulation]:
    """Draw the light that the cells of one field send out.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness; the same state gives the same cells in whatever phenotype.
    phenotype : Phenotype
        State of the cells.
    size : int
        Edge of the square field in pixels.
    density : float, default 1
        Factor on the number of cells; 0 draws none.

    Returns
    -------
    light : ndarray of float32, shape (3, size + 2 * BORDER, size + 2 * BORDER)
        Photons a pixel in the channels DNA, cytoplasm and mitochondria, perfectly sharp.
    cells : CellPopulation
        The cells that were drawn.
    """
    population, filament, chromatin, texture = rng.spawn(4)
    cells = draw_population(population, phenotype, size=size, density=density)
    edge = size + 2 * BORDER
    dna, body, grain, diffuse, layers = _paste(cells, _patches(cells, phenotype), size)
    lines = draw_filaments(cells, filament, phenotype, size=size, border=BORDER)
    thinner = np.maximum(layers, 1) ** -_THINNING
    dna *= 1 + _CHROMATIN_CONTRAST * _texture(chromatin, edge, 1.2)
    coarse = _GRAIN * phenotype.cytoplasm_coarseness
    body += _GRAIN_CONTRAST * grain * _texture(texture, edge, coarse)
    light = np.stack(
        [
            _DNA_LIGHT * (dna + 0.02 * body),
            _CYTOPLASM_LIGHT * thinner * np.maximum(body, 0),
            _MITOCHONDRIA_LIGHT * thinner * (lines + 0.25 * diffuse),
        ]
    )
    return light, cells
