"""Mitochondria as filaments: random walks with momentum between nucleus and cell edge."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from counterstain.plates.simulate.cells import ANGLES, CellPopulation
from counterstain.plates.simulate.phenotypes import Phenotype

__all__ = ["draw_filaments"]

FloatArray = npt.NDArray[np.float32]

_WALKERS = 16
_STEPS = 36
_TURN = 0.28
# Steps of a filament and their length in pixels, where mitochondria are whole and where they are
# fragmented to the last: a dot is a filament that hardly gets ahead.
_STEPS_WHOLE, _STEP_WHOLE = 30.0, 0.8
_STEPS_DOT, _STEP_DOT = 6.0, 0.1
_REACH = 0.88
_PERINUCLEAR_REACH = 0.22
_CELL_AREA = 1200.0
_AMPLITUDE = 2.1


def _radius_at(outline: FloatArray, angle: FloatArray) -> FloatArray:
    """Look radii (n, ANGLES) up at angles (n, walkers)."""
    index = (angle * (ANGLES / (2 * math.pi))).astype(np.intp) % ANGLES
    return np.take_along_axis(outline, index, axis=1)


class _Walkers:
    """All filament tips of all cells of a field, stepped together.

    Positions are relative to the nucleus; `place` runs from 0 at its edge to 1 at the cell's.
    """

    def __init__(self, cells: CellPopulation, rng: np.random.Generator, phenotype: Phenotype):
        n = len(cells)
        starts, turns, breaks, bright = rng.spawn(4)
        shape = (n, _WALKERS, _STEPS)
        self.cells = cells
        # 32-bit draws, a row a cell: fewer cells get the same filaments as the first of more cells.
        self.starts = starts.random((*shape, 3), np.float32)
        self.turns = turns.standard_normal(shape, np.float32)
        self.breaks = breaks.random(shape, np.float32)
        self.weight = np.exp(0.35 * bright.standard_normal((n, _WALKERS), np.float32))
        grade = phenotype.mitochondria_perinuclear
        self.reach = _REACH ** (1 - grade) * _PERINUCLEAR_REACH**grade
        grade = phenotype.mitochondria_fragmentation
        self.lifetime = _STEPS_WHOLE ** (1 - grade) * _STEPS_DOT**grade
        self.stride = _STEP_WHOLE ** (1 - grade) * _STEP_DOT**grade
        self.y = np.zeros((n, _WALKERS), np.float32)
        self.x = np.zeros_like(self.y)
        self.heading = np.zeros_like(self.y)

    def step(self, i: int) -> None:
        """Move every tip on, or start a new filament where one ends."""
        self._restart(i)
        self.heading += _TURN * self.turns[:, :, i]
        angle = np.arctan2(self.y, self.x)
        inner = _radius_at(self.cells.nucleus_outline, angle) + 0.5
        outer = _radius_at(self.cells.cell_outline, angle)
        place = (np.hypot(self.y, self.x) - inner) / np.maximum(outer - inner, 1)
        # At the limits of its region a filament bends along them, as if it slid along a wall.
        away = np.cos(self.heading - angle)
        side = np.where(np.sin(self.heading - angle) >= 0, 1, -1).astype(np.float32)
        leaving = (place > self.reach) & (away > 0)
        entering = (place < 0) & (away < 0)
        wall = angle + side * np.float32(math.pi / 2)
        self.heading = np.where(leaving, wall + side * np.float32(0.25), self.heading)
        self.heading = np.where(entering, wall - side * np.float32(0.25), self.heading)
        self.y += self.stride * np.sin(self.heading)
        self.x += self.stride * np.cos(self.heading)

    def _restart(self, i: int) -> None:
        new = self.breaks[:, :, i] < (1.0 if i == 0 else 1 / self.lifetime)
        where, depth, course = np.moveaxis(self.starts[:, :, i], -1, 0)
        angle = where * np.float32(2 * math.pi)
        inner = _radius_at(self.cells.nucleus_outline, angle) + 0.5
        outer = _radius_at(self.cells.cell_outline, angle)
        # Filaments are denser near the nucleus.
        radius = inner + (outer - inner) * self.reach * depth**1.4
        self.y = np.where(new, radius * np.sin(angle), self.y)
        self.x = np.where(new, radius * np.cos(angle), self.x)
        self.heading = np.where(new, angle + (course - 0.5) * np.float32(4), self.heading)


def draw_filaments(
    cells: CellPopulation, rng: np.random.Generator, phenotype: Phenotype, *, size: int, border: int
) -> FloatArray:
    """Draw the mitochondria of a field as thin lines, before any blur.

    Parameters
    ----------
    cells : CellPopulation
        The cells of the field.
    rng : numpy.random.Generator
        Source of randomness, independent of the phenotype.
    phenotype : Phenotype
        Sets how long filaments are and how far from the nucleus they reach.
    size : int
        Edge of the field in pixels.
    border : int
        Pixels drawn around it.

    Returns
    -------
    ndarray of float32, shape (size + 2 * border, size + 2 * border)
        Stain per pixel; a cell's total follows its area and its mitochondrial brightness.
    """
    edge = size + 2 * border
    if len(cells) == 0:
        return np.zeros((edge, edge), np.float32)
    walkers = _Walkers(cells, rng, phenotype)
    area = (cells.cell_outline**2).mean(axis=1) * math.pi
    stain = _AMPLITUDE * cells.mitochondria * area / _CELL_AREA
    weight = stain[:, None] * walkers.weight / walkers.weight.mean(axis=1, keepdims=True)
    ys, xs = [], []
    for i in range(_STEPS):
        walkers.step(i)
        ys.append(walkers.y + cells.y[:, None] + border)
        xs.append(walkers.x + cells.x[:, None] + border)
    weights = np.broadcast_to(weight, (_STEPS, *weight.shape))
    return _splat(np.stack(ys), np.stack(xs), weights, edge)


def _splat(y: FloatArray, x: FloatArray, weight: FloatArray, edge: int) -> FloatArray:
    """Add points to an image, each shared by its four pixels so that lines stay smooth."""
    inside = (y >= 0) & (y < edge - 1) & (x >= 0) & (x < edge - 1)
    y, x, weight = y[inside], x[inside], weight[inside]
    top, left = y.astype(np.intp), x.astype(np.intp)
    dy, dx = y - top, x - left
    flat = top * edge + left
    image = np.zeros(edge * edge)
    for offset, share in (
        (0, (1 - dy) * (1 - dx)),
        (1, (1 - dy) * dx),
        (edge, dy * (1 - dx)),
        (edge + 1, dy * dx),
    ):
        image += np.bincount(flat + offset, share * weight, minlength=edge * edge)
    return image.reshape(edge, edge).astype(np.float32)
