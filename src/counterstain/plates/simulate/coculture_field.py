"""One field of a co-culture, from seed to counts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from counterstain.errors import InvalidInputError
from counterstain.plates.simulate.coculture_cells import Coculture, draw_coculture
from counterstain.plates.simulate.coculture_drawing import LabelArray, draw_coculture_light
from counterstain.plates.simulate.drawing import BORDER
from counterstain.plates.simulate.faults import apply_fault, scatter_specks
from counterstain.plates.simulate.illumination import Illumination, expose

__all__ = [
    "COCULTURE_CHANNELS",
    "DrawnCoculture",
    "FaultyPatch",
    "coculture_light",
    "draw_coculture_field",
]

COCULTURE_CHANNELS = ("T cells", "dendritic cells")
"""Channels of a simulated co-culture."""

_BARE_RADIUS = (0.18, 0.3)  # of a patch without cells, as a share of the field's edge
_LUMP_RADIUS = (0.05, 0.09)
_LUMP_LIGHT = 5000.0


@dataclass(frozen=True, slots=True)
class FaultyPatch:
    """A part of an otherwise good field that shows no cells, or debris.

    Parameters
    ----------
    kind : {'bare', 'debris'}
        No cells, or a bright lump in both channels.
    y, x, radius : float
        A disc, in pixels.
    """

    kind: str
    y: float
    x: float
    radius: float

    def covers(self, spots: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        """Say which places (n, 2) lie in it."""
        return np.asarray(np.hypot(spots[:, 0] - self.y, spots[:, 1] - self.x) < self.radius)


@dataclass(frozen=True)
class DrawnCoculture:
    """A field and the truth about it.

    Parameters
    ----------
    pixels : ndarray of uint16, shape (2, size, size)
        Counts of a 12-bit camera in the channels of `COCULTURE_CHANNELS`.
    labels : ndarray of uint16, shape (2, size, size)
        True masks: index + 1 of the cell of `cells` that a pixel belongs to, by kind.
    cells : Coculture
        The cells in it and just outside.
    fault : str
        What is wrong with all of it; empty for a good field.
    fault_parameters : dict
        How strongly.
    faulty_patch : FaultyPatch or None
        What is wrong with a part of it.
    """

    pixels: npt.NDArray[np.uint16]
    labels: LabelArray
    cells: Coculture
    fault: str = ""
    fault_parameters: dict[str, float] = field(default_factory=dict)
    faulty_patch: FaultyPatch | None = None


def coculture_light(
    intensity: tuple[float, float] = (1.0, 1.0),
    background: tuple[float, float] = (60.0, 80.0),
    **other: Any,
) -> Illumination:
    """Return the illumination of a field with two channels.

    Parameters
    ----------
    intensity : tuple of float
        Factor on the light of each channel.
    background : tuple of float
        Light of the medium in each channel, in photons a pixel.
    **other
        Tilt, vignette and blur, as in `Illumination`.

    Returns
    -------
    Illumination
        For `expose`, which takes as many channels as there are.
    """
    # The record's annotation names the three channels of the other simulated plate.
    channels: dict[str, Any] = {"intensity": intensity, "background": background}
    return Illumination(**channels, **other)


def _draw_patch(rng: np.random.Generator, size: int) -> FaultyPatch:
    kind = ("bare", "debris")[int(rng.integers(2))]
    radius = size * rng.uniform(*(_BARE_RADIUS if kind == "bare" else _LUMP_RADIUS))
    y, x = rng.uniform(0.2 * size, 0.8 * size, 2)
    return FaultyPatch(kind, float(y), float(x), float(radius))


def _without(cells: Coculture, patch: FaultyPatch) -> Coculture:
    """Take all cells out of a bare patch; T cells go with their dendritic cell."""
    keep = ~patch.covers(cells.dendritic)
    number = np.append(np.where(keep, np.cumsum(keep) - 1, -2), -1)
    partner = number[cells.partner]
    stay = ~patch.covers(cells.t) & (partner != -2)
    return Coculture(
        dendritic=cells.dendritic[keep],
        t=cells.t[stay],
        dendritic_outline=cells.dendritic_outline[keep],
        t_outline=cells.t_outline[stay],
        dendritic_light=cells.dendritic_light[keep],
        t_light=cells.t_light[stay],
        partner=partner[stay],
    )


def _add_lump(light: npt.NDArray[np.float32], patch: FaultyPatch, rng: np.random.Generator) -> None:
    """Lay a bright, ragged lump over a field, in place."""
    axis = np.arange(light.shape[-1], dtype=np.float32) - BORDER
    far = np.hypot(axis[:, None] - patch.y, axis[None, :] - patch.x) / patch.radius
    ragged = ndimage.gaussian_filter(rng.standard_normal(far.shape, np.float32), 4, mode="wrap")
    lump = 1 / (1 + np.exp(np.clip(12 * (far - 0.85 + 0.15 * ragged / ragged.std()), -30, 30)))
    share = rng.uniform(0.6, 1.0, len(light)).astype(np.float32)
    light += (_LUMP_LIGHT * share[:, None, None] * lump).astype(np.float32)


def draw_coculture_field(
    rng: np.random.Generator,
    *,
    contact_rate: float,
    size: int = 512,
    density: float = 1.0,
    activation: float = 0.0,
    gathering: float = 0.0,
    illumination: Illumination | None = None,
    fault: str = "",
    faulty_patch: bool = False,
) -> DrawnCoculture:
    """Draw one field of T cells and dendritic cells.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    contact_rate : float
        Chance of a T cell to be bound to a dendritic cell, 0 to 1.
    size : int, default 512
        Edge of the square field in pixels, at least 96.
    density : float, default 1
        Factor on the number of both kinds of cells: crowding without contact.
    activation, gathering : float, default 0
        As in `draw_coculture`.
    illumination : Illumination, optional
        How the field is lit and focused; its first two channels count.
    fault : str, default ''
        Something to go wrong, one of ``out_of_focus``, ``saturated``, ``empty``, ``debris``.
    faulty_patch : bool, default False
        Whether a part of the field is bare or shows debris.

    Returns
    -------
    DrawnCoculture
        Counts and truth.

    Raises
    ------
    InvalidInputError
        If a number is out of range or the fault unknown.

    Examples
    --------
    >>> drawn = draw_coculture_field(np.random.default_rng(1), contact_rate=0.5, size=128)
    >>> drawn.pixels.shape, drawn.labels.dtype, int(drawn.pixels.max()) <= 4095
    ((2, 128, 128), dtype('uint16'), True)
    """
    if size < 96 or not density >= 0 or not 0 <= contact_rate <= 1:
        raise InvalidInputError(
            f"`size` must be at least 96 pixels, `density` at least 0 and `contact_rate` in "
            f"[0, 1]; got {size}, {density} and {contact_rate}."
        )
    drawing, grain, specks, spoiling, noise = rng.spawn(5)
    cells = draw_coculture(
        drawing,
        size=size,
        contact_rate=contact_rate,
        density=0.0 if fault == "empty" else density,
        activation=activation,
        gathering=gathering,
    )
    patch = _draw_patch(spoiling, size) if faulty_patch and not fault else None
    if patch is not None and patch.kind == "bare":
        cells = _without(cells, patch)
    light, labels = draw_coculture_light(grain, cells, size=size)
    scatter_specks(light[:, BORDER:-BORDER, BORDER:-BORDER], specks, mean=2 * size**2 / 512**2)
    if patch is not None and patch.kind == "debris":
        _add_lump(light, patch, spoiling)
    exposure, parameters = 1.0, dict[str, float]()
    if fault:
        light, exposure, parameters = apply_fault(light, fault, spoiling, border=BORDER)
    lit = illumination or coculture_light()
    pixels = expose(light, lit, noise, border=BORDER, exposure=exposure)
    return DrawnCoculture(pixels, labels, cells, fault, parameters, patch)
