"""What differs from well to well and over the plate, without any biology."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from counterstain.plates.simulate.design import DISEASED, HEALTHY_CONTROL, PlannedWell
from counterstain.plates.simulate.faults import FAULTS
from counterstain.plates.simulate.illumination import Illumination

__all__ = [
    "PlateEffects",
    "WellEffects",
    "draw_faults",
    "draw_plate_effects",
    "draw_well_effects",
    "light_field",
]

_SHARED_SD = 0.018
_OWN_SD = 0.018
_COUNT_SD = 0.32
_BACKGROUND = (40.0, 36.0, 24.0)
_BACKGROUND_SD = 0.18
_EDGE_COUNT = 0.88


@dataclass(frozen=True, slots=True)
class PlateEffects:
    """Gradients of one plate.

    Parameters
    ----------
    row_slope, column_slope : float
        Relative change of intensity from the first to the last row or column.
    background_tilt_y, background_tilt_x : float
        Relative change of the background over a field.
    vignette_centre : tuple of float
        Brightest place of every field as a share of its edge.
    """

    row_slope: float
    column_slope: float
    background_tilt_y: float
    background_tilt_x: float
    vignette_centre: tuple[float, float]

    def intensity_at(self, row: float, column: float) -> float:
        """Return the factor at a place given as shares (0 to 1) of the plate's height and width."""
        return 1 + self.row_slope * (row - 0.5) + self.column_slope * (column - 0.5)


@dataclass(frozen=True, slots=True)
class WellEffects:
    """Factors of one well against the plate's mean.

    Parameters
    ----------
    intensity : tuple of float
        Factor on each channel, the plate's gradient included.
    background : tuple of float
        Light of the medium in each channel, in photons a pixel.
    density : float
        Factor on the number of cells; fewer grow at the plate's edge.
    """

    intensity: tuple[float, float, float]
    background: tuple[float, float, float]
    density: float


def draw_plate_effects(
    rng: np.random.Generator, *, gradient: float, background_tilt: float
) -> PlateEffects:
    """Draw the direction of a plate's gradients; their strength is given.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    gradient : float
        Relative change of intensity across the plate.
    background_tilt : float
        Relative change of the background across a field.

    Returns
    -------
    PlateEffects
        The gradients.
    """
    across, tilt = rng.uniform(0, 2 * np.pi, 2)
    centre = rng.uniform(0.4, 0.6, 2)
    return PlateEffects(
        row_slope=gradient * float(np.sin(across)),
        column_slope=gradient * float(np.cos(across)),
        background_tilt_y=background_tilt * float(np.sin(tilt)),
        background_tilt_x=background_tilt * float(np.cos(tilt)),
        vignette_centre=(float(centre[0]), float(centre[1])),
    )


def draw_well_effects(
    rng: np.random.Generator, plate: PlateEffects, well: PlannedWell, shape: tuple[int, int]
) -> WellEffects:
    """Draw what is particular to one well.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    plate : PlateEffects
        The plate's gradients.
    well : PlannedWell
        The well, for its place.
    shape : tuple of int
        Rows and columns that the plan uses.

    Returns
    -------
    WellEffects
        The well's factors.
    """
    rows, columns = shape
    row, column = well.row / max(rows - 1, 1), well.column / max(columns - 1, 1)
    gradient = plate.intensity_at(row, column)
    shared, *own = rng.standard_normal(4)
    intensity = [gradient * float(np.exp(_SHARED_SD * shared + _OWN_SD * own[k])) for k in range(3)]
    medium = np.exp(_BACKGROUND_SD * rng.standard_normal(3))
    background = [_BACKGROUND[k] * float(medium[k]) for k in range(3)]
    density = float(np.exp(_COUNT_SD * np.clip(rng.standard_normal(), -2, 2)))
    if row in (0, 1) or column in (0, 1):
        density *= _EDGE_COUNT
    return WellEffects(
        (intensity[0], intensity[1], intensity[2]),
        (background[0], background[1], background[2]),
        density,
    )


def light_field(plate: PlateEffects, well: WellEffects, rng: np.random.Generator) -> Illumination:
    """Draw how one field of a well is lit and how well it is focused."""
    return Illumination(
        intensity=well.intensity,
        background=well.background,
        tilt_y=plate.background_tilt_y,
        tilt_x=plate.background_tilt_x,
        vignette_centre=plate.vignette_centre,
        blur=float(rng.uniform(0.75, 1.05)),
    )


def draw_faults(
    wells: tuple[PlannedWell, ...], fields_per_well: int, count: int, rng: np.random.Generator
) -> dict[tuple[str, int], str]:
    """Choose the fields that go wrong.

    At most one field of each class of controls is spoilt, and only where the class has four wells
    or more; the others are treatments, each in a well of its own.

    Parameters
    ----------
    wells : tuple of PlannedWell
        The plan.
    fields_per_well : int
        Sites a well.
    count : int
        Number wanted; fewer are chosen where the plan has no more places.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    dict
        Fault by (well, site); the kinds take turns.
    """
    treated = [well.well for well in wells if well.compound is not None]
    chosen = [treated[k] for k in rng.permutation(len(treated))]
    for k, name in enumerate((DISEASED, HEALTHY_CONTROL)):
        members = [well.well for well in wells if well.class_name == name]
        if len(members) >= 4:
            # Among the first few, so that the default number of faults reaches the controls too.
            chosen.insert(min(1 + 2 * k, len(chosen)), members[int(rng.integers(len(members)))])
    return {
        (well, 1 + int(rng.integers(fields_per_well))): FAULTS[i % len(FAULTS)]
        for i, well in enumerate(chosen[:count])
    }
