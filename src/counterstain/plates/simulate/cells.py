"""A population of cells: where they lie, what outlines they have and how bright they are.

Nothing random depends on the phenotype: the same generator with another phenotype gives the same
cells in the other state, which is the true counterfactual of a field.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from counterstain.plates.simulate.phenotypes import Phenotype

__all__ = ["ANGLES", "CELLS_PER_PIXEL", "MARGIN", "CellPopulation", "draw_population"]

FloatArray = npt.NDArray[np.float32]

ANGLES = 180
"""Steps of the angle at which outlines are tabulated."""
MARGIN = 20
"""Cells lie up to this far outside the field, in pixels, so that some are cut by its edge."""
CELLS_PER_PIXEL = 30 / 320**2

_NUCLEUS_RADIUS = 7.8
_CELL_RADIUS = 20.5
# Standard deviation of the Fourier modes of an outline, as a share of the radius, from mode 1 on.
# Mode 1 of the cell moves it against its nucleus, mode 2 makes it long.
_CELL_MODES = (0.10, 0.15, 0.09, 0.06, 0.04, 0.03, 0.02)
_NUCLEUS_MODES = (0.0, 0.09, 0.035, 0.025, 0.012)
_MAX_NUCLEOLI = 4


@dataclass(frozen=True, slots=True)
class CellPopulation:
    """The cells of one field.

    Parameters
    ----------
    y, x : ndarray of float32, shape (n,)
        Centres of the nuclei in pixels; may lie up to `MARGIN` outside the field.
    cell_outline, nucleus_outline : ndarray of float32, shape (n, ANGLES)
        Radius in pixels around the nucleus' centre, by angle.
    dna, cytoplasm, mitochondria : ndarray of float32, shape (n,)
        Brightness, 1 on average in healthy cells.
    grain : ndarray of float32, shape (n,)
        Contrast of the cytoplasm's texture.
    nucleoli : ndarray of float32, shape (n, 4, 3)
        Dark spots of a nucleus: y and x as a share of the nucleus' radius, depth (0 = none).
    mitotic : ndarray of bool, shape (n,)
        Cells in division, with condensed DNA.
    """

    y: FloatArray
    x: FloatArray
    cell_outline: FloatArray
    nucleus_outline: FloatArray
    dna: FloatArray
    cytoplasm: FloatArray
    mitochondria: FloatArray
    grain: FloatArray
    nucleoli: FloatArray
    mitotic: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.y)

    def inside(self, size: int) -> npt.NDArray[np.bool_]:
        """Say which cells have the centre of their nucleus inside a field of this size."""
        return (self.y >= 0) & (self.y < size) & (self.x >= 0) & (self.x < size)


def _positions(rng: np.random.Generator, count: int, size: int) -> FloatArray:
    """Lay cells down one after the other; every other one looks for a neighbour.

    The distance that two nuclei keep is itself random, so that some touch and few overlap.
    """
    placed = np.empty((count, 2), np.float64)
    for i in range(count):
        keep = rng.uniform(18.0, 34.0)
        social = i > 0 and rng.random() < 0.35
        for attempt in range(30):
            if social and attempt < 15:
                angle, reach = rng.uniform(0, 2 * math.pi), rng.uniform(22.0, 42.0)
                host = placed[int(rng.integers(i))]
                spot = host + reach * np.array([math.sin(angle), math.cos(angle)])
            else:
                spot = rng.uniform(-MARGIN, size + MARGIN, 2)
            apart = np.hypot(*(placed[:i] - spot).T).min(initial=np.inf)
            outside = (spot < -MARGIN).any() or (spot > size + MARGIN).any()
            # Where the field is crowded, cells give up their distance step by step.
            if not outside and apart >= keep * (1 - attempt / 60):
                break
        placed[i] = np.clip(spot, -MARGIN, size + MARGIN)
    return placed.astype(np.float32)


def _outline(
    rng: np.random.Generator,
    radius: npt.NDArray[np.float64],
    modes: tuple[float, ...],
    irregular: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Return radii by angle, shape (n, ANGLES), from random Fourier modes."""
    angle = np.linspace(0, 2 * math.pi, ANGLES, endpoint=False)
    order = np.arange(1, len(modes) + 1)[:, None]
    waves = np.concatenate([np.cos(order * angle), np.sin(order * angle)])
    weights = rng.standard_normal((len(radius), 2 * len(modes))) * np.tile(modes, 2) / math.sqrt(2)
    relative = 1 + (weights @ waves) * irregular[:, None]
    return np.asarray(radius[:, None] * np.clip(relative, 0.5, 1.7))


def _cell_cycle(
    uniform: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Turn uniform numbers into DNA replication (0 = G1, 1 = G2) and mitosis."""
    return np.clip((uniform - 0.55) / 0.2, 0, 1), uniform > 0.98


def draw_population(
    rng: np.random.Generator, phenotype: Phenotype, *, size: int, density: float = 1.0
) -> CellPopulation:
    """Draw the cells of one field.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness; the same state gives the same cells in whatever phenotype.
    phenotype : Phenotype
        State of the cells.
    size : int
        Edge of the square field in pixels.
    density : float, default 1
        Factor on the number of cells, about 30 in a healthy field of 320² pixels.

    Returns
    -------
    CellPopulation
        The cells.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> cells = draw_population(rng, Phenotype(), size=320)
    >>> len(cells), int(cells.inside(320).sum())
    (38, 30)
    """
    place, shape_nucleus, shape_cell, bright, spots = rng.spawn(5)
    expected = CELLS_PER_PIXEL * (size + 2 * MARGIN) ** 2 * density * phenotype.cell_count
    count = round(expected)
    y, x = _positions(place, count, size).T
    # One row a cell, so that fewer cells are the first ones of more cells.
    normal = bright.standard_normal((count, 9))
    replicated, mitotic = _cell_cycle(bright.spawn(1)[0].random(count))
    growth = np.exp(0.10 * normal[:, 0] - 0.06 * np.log(max(density, 0.2)))
    nucleus_radius = _NUCLEUS_RADIUS * np.sqrt(growth) * np.exp(0.06 * normal[:, 1])
    nucleus_radius *= (1 + 0.14 * replicated) * np.where(mitotic, 0.72, 1) * phenotype.nucleus_size
    cell_radius = _CELL_RADIUS * growth * np.exp(0.06 * normal[:, 2]) * phenotype.cell_size
    irregular = (1 - phenotype.roundness) * np.where(mitotic, 0.4, 1.0)
    nucleus = _outline(
        shape_nucleus, nucleus_radius, _NUCLEUS_MODES, irregular * np.where(mitotic, 5, 1)
    )
    cell = _outline(shape_cell, cell_radius, _CELL_MODES, irregular)
    nucleoli = spots.standard_normal((count, _MAX_NUCLEOLI, 3)) * [0.4, 0.4, 0.2]
    nucleoli[..., 2] = np.clip(0.15 + nucleoli[..., 2], 0, 0.55) * ~mitotic[:, None]
    # A shrunken nucleus or cell keeps its stain; a larger nucleus has more DNA instead.
    condensed = np.where(mitotic, 2.0, 1.0) * min(phenotype.nucleus_size, 1.0) ** -2
    concentrated = phenotype.cell_size**-2
    shared = 0.08 * normal[:, 3]
    return CellPopulation(
        y=y,
        x=x,
        cell_outline=np.maximum(cell, nucleus + 3).astype(np.float32),
        nucleus_outline=nucleus.astype(np.float32),
        dna=_brightness(
            0.13 * normal[:, 4], condensed * (1 + 0.3 * replicated) * phenotype.dna_intensity
        ),
        cytoplasm=_brightness(
            shared + 0.22 * normal[:, 5], concentrated * phenotype.cytoplasm_intensity
        ),
        mitochondria=_brightness(
            shared + 0.14 * normal[:, 6], concentrated * phenotype.mitochondria_intensity
        ),
        grain=np.exp(0.25 * normal[:, 7]).astype(np.float32),
        nucleoli=nucleoli.astype(np.float32),
        mitotic=mitotic,
    )


def _brightness(log_deviation: npt.NDArray[np.float64], factor: object) -> FloatArray:
    return np.asarray(np.exp(log_deviation) * factor, np.float32)
