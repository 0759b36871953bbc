"""One field of view, from seed to counts."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from counterstain.errors import InvalidInputError
from counterstain.plates.simulate.cells import CellPopulation
from counterstain.plates.simulate.drawing import BORDER, draw_light
from counterstain.plates.simulate.faults import apply_fault, scatter_specks
from counterstain.plates.simulate.illumination import Illumination, expose
from counterstain.plates.simulate.phenotypes import Phenotype

__all__ = ["DrawnField", "draw_field"]


@dataclass(frozen=True)
class DrawnField:
    """A field and the truth about it.

    Parameters
    ----------
    pixels : ndarray of uint16, shape (3, size, size)
        Counts of a 12-bit camera in the channels DNA, cytoplasm and mitochondria.
    cells : CellPopulation
        The cells in it and just outside.
    fault : str
        What is wrong with it; empty for a good field.
    fault_parameters : dict
        How strongly.
    """

    pixels: npt.NDArray[np.uint16]
    cells: CellPopulation
    fault: str = ""
    fault_parameters: dict[str, float] = field(default_factory=dict)


def draw_field(
    rng: np.random.Generator,
    phenotype: Phenotype,
    *,
    size: int = 320,
    density: float = 1.0,
    illumination: Illumination | None = None,
    fault: str = "",
) -> DrawnField:
    """Draw one field of view.

    The same generator state with another phenotype gives the same cells, specks and noise in the
    other state: the true counterfactual of the field.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    phenotype : Phenotype
        State of the cells.
    size : int, default 320
        Edge of the square field in pixels, at least 48.
    density : float, default 1
        Factor on the number of cells, about 30 in a healthy field of 320² pixels.
    illumination : Illumination, optional
        How the field is lit and focused.
    fault : str, default ''
        Something to go wrong, one of ``out_of_focus``, ``saturated``, ``empty``, ``debris``.

    Returns
    -------
    DrawnField
        Counts and truth.

    Raises
    ------
    InvalidInputError
        If the size is below 48, the density negative, or the fault unknown.

    Examples
    --------
    >>> healthy = draw_field(np.random.default_rng(1), Phenotype(), size=96)
    >>> ill = draw_field(np.random.default_rng(1), Phenotype(mitochondria_intensity=0.5), size=96)
    >>> healthy.pixels.shape, bool((healthy.pixels[0] == ill.pixels[0]).all())
    ((3, 96, 96), True)
    >>> bool(healthy.pixels[2].mean() > ill.pixels[2].mean())
    True
    """
    if size < 48:
        raise InvalidInputError(
            f"`size` must be at least 48 pixels, so that whole cells fit; got {size}."
        )
    if not density >= 0:
        raise InvalidInputError(f"`density` must be >= 0; got {density}.")
    drawing, specks, spoiling, noise = rng.spawn(4)
    empty = fault == "empty"
    light, cells = draw_light(drawing, phenotype, size=size, density=0.0 if empty else density)
    scatter_specks(light[:, BORDER:-BORDER, BORDER:-BORDER], specks, mean=2 * size**2 / 320**2)
    exposure, parameters = 1.0, dict[str, float]()
    if fault:
        light, exposure, parameters = apply_fault(light, fault, spoiling, border=BORDER)
    lit = illumination or Illumination()
    pixels = expose(light, lit, noise, border=BORDER, exposure=exposure)
    return DrawnField(pixels, cells, fault, parameters)
