"""Draw a plate and write it as a reader of plates expects it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from counterstain.errors import InvalidInputError
from counterstain.files import atomic_path, write_json, write_text
from counterstain.plates.simulate.design import (
    PlannedWell,
    draw_compounds,
    lay_out,
    rows_and_columns,
)
from counterstain.plates.simulate.field import draw_field
from counterstain.plates.simulate.out_folder import free_folder, write_plane
from counterstain.plates.simulate.phenotypes import CHANNELS, TOXIC, find_phenotype
from counterstain.plates.simulate.settings import SimulationSettings
from counterstain.plates.simulate.truth import TruthBook, plate_map, screen_toml
from counterstain.plates.simulate.variation import (
    PlateEffects,
    draw_faults,
    draw_plate_effects,
    draw_well_effects,
    light_field,
)

__all__ = ["simulate_plate"]

_FAULTY_SHARE = 0.03
_LEAST_FAULTY = 4
# Keys that keep the streams of random numbers apart.
_COMPOUNDS, _LAYOUT, _PLATE, _FAULTS, _WELL, _FIELD = range(6)


def simulate_plate(
    out: str | Path,
    *,
    seed: int = 0,
    phenotype: str = "mitochondria_down",
    fields_per_well: int = 2,
    field_size: int = 320,
    plates: int = 1,
    plate_format: int = 96,
    control_wells: int = 12,
    compounds: int = 12,
    doses: int = 6,
    faulty_fields: int | None = None,
    plate_gradient: float = 0.05,
    background_tilt: float = 0.2,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Draw a plate of diseased, healthy and treated cells and write it with its truth.

    Diseased controls show a phenotype that healthy ones do not; compounds undo it fully, partially
    or not at all, or make the cells ill in another way, each at several doses. Illumination,
    staining, cell number, shape and overlap vary without meaning anything. The same seed gives the
    same files, and with another `phenotype` the same cells in the other state.

    Parameters
    ----------
    out : str or Path
        Folder to make; must not exist or be empty.
    seed : int, default 0
        Seed of everything random.
    phenotype : str, default 'mitochondria_down'
        Key of `PHENOTYPES`; ``none`` makes a plate on which the classes do not differ.
    fields_per_well : int, default 2
        Sites a well.
    field_size : int, default 320
        Edge of a field in pixels, at least 48; 320 holds about 30 cells.
    plates : int, default 1
        Plates ``P1``, ``P2``, ... with the same compounds at other places.
    plate_format : int, default 96
        Wells of a plate: 6, 12, 24, 48, 96, 384 or 1536.
    control_wells : int, default 12
        Wells of each class on a plate.
    compounds, doses : int, default 12 and 6
        Number of compounds, and of doses of each (a well per dose), 10 µM the highest.
    faulty_fields : int, optional
        Fields of a plate that are out of focus, saturated, empty or full of debris, in turn. Where
        not given: 3 % of the fields and at least four, fewer where there are few treated wells.
    plate_gradient : float, default 0.05
        Relative change of intensity across the plate.
    background_tilt : float, default 0.2
        Relative change of the background across a field.
    progress : callable, optional
        Called with (fields done, fields in all) after each field.

    Returns
    -------
    Path
        The ``screen.toml``. Beside it lie ``images/``, ``platemap.csv``, ``truth.json`` (all that
        was planted) and ``truth_cells.csv`` (every cell).

    Raises
    ------
    InvalidInputError
        If an argument is out of range, the plate has too few wells, or `out` is there and not an
        empty folder.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp()) / "plate"
    >>> screen = simulate_plate(
    ...     folder, fields_per_well=1, field_size=64, control_wells=1, compounds=0
    ... )
    >>> screen.name, len(list((folder / "images").iterdir()))
    ('screen.toml', 6)
    """
    settings = SimulationSettings(
        seed=seed,
        phenotype=phenotype,
        fields_per_well=fields_per_well,
        field_size=field_size,
        plates=plates,
        plate_format=plate_format,
        control_wells=control_wells,
        compounds=compounds,
        doses=doses,
        faulty_fields=faulty_fields,
        plate_gradient=plate_gradient,
        background_tilt=background_tilt,
    )
    simulation = _Simulation(settings)
    folder = free_folder(Path(out))
    with atomic_path(folder) as temporary:
        (temporary / "images").mkdir(parents=True)
        for done in simulation.write_images(temporary / "images"):
            if progress is not None:
                progress(done, simulation.n_fields)
        simulation.write_tables(temporary)
    return folder / "screen.toml"


@dataclass(frozen=True, slots=True)
class _Plate:
    index: int
    name: str
    wells: tuple[PlannedWell, ...]
    effects: PlateEffects
    faults: dict[tuple[str, int], str]


class _Simulation:
    """Plans all plates when made; then draws and writes them."""

    def __init__(self, settings: SimulationSettings) -> None:
        self.settings = settings
        self.disease = find_phenotype(settings.phenotype)
        self.compounds = draw_compounds(settings.compounds, self._rng(_COMPOUNDS))
        self.shape = rows_and_columns(settings.plate_format)
        self.plates = [self._plan(index) for index in range(settings.plates)]
        self.book = TruthBook(self.disease, self.compounds, settings.to_json())
        self.n_fields = settings.fields_per_well * sum(len(plate.wells) for plate in self.plates)

    def _rng(self, *key: int) -> np.random.Generator:
        return np.random.default_rng(np.random.SeedSequence([self.settings.seed, *key]))

    def _plan(self, index: int) -> _Plate:
        settings = self.settings
        wells = lay_out(
            self.compounds,
            self._rng(_LAYOUT, index),
            plate_format=settings.plate_format,
            control_wells=settings.control_wells,
            doses=settings.doses,
        )
        effects = draw_plate_effects(
            self._rng(_PLATE, index),
            gradient=settings.plate_gradient,
            background_tilt=settings.background_tilt,
        )
        return _Plate(index, f"P{index + 1}", wells, effects, self._faults(index, wells))

    def _faults(self, index: int, wells: tuple[PlannedWell, ...]) -> dict[tuple[str, int], str]:
        wanted = self.settings.faulty_fields
        n_fields = self.settings.fields_per_well * len(wells)
        count = max(_LEAST_FAULTY, round(_FAULTY_SHARE * n_fields)) if wanted is None else wanted
        rng = self._rng(_FAULTS, index)
        faults = draw_faults(wells, self.settings.fields_per_well, count, rng)
        if wanted is not None and len(faults) < wanted:
            raise InvalidInputError(
                f"`faulty_fields` must be at most {len(faults)} on this plate (one per treated "
                f"well and one per class of at least four controls); got {wanted}."
            )
        return faults

    def write_images(self, images: Path) -> Iterator[int]:
        """Draw and write field after field, and say how many are done."""
        done = 0
        for plate in self.plates:
            self.book.add_plate(plate.name, plate.effects)
            for well in plate.wells:
                for _ in self._write_well(images, plate, well):
                    done += 1
                    yield done

    def _write_well(self, images: Path, plate: _Plate, well: PlannedWell) -> Iterator[int]:
        # Streams follow the place on the plate, so that no field depends on those before it.
        place = well.row * self.shape[1] + well.column
        rng = self._rng(_WELL, plate.index, place)
        effects = draw_well_effects(rng, plate.effects, well, self.shape)
        disease = self.disease.phenotype.scaled(1 - well.rescue)
        state = disease.combined(TOXIC.scaled(well.toxicity))
        self.book.add_well(plate.name, well, state, effects)
        for site in range(1, self.settings.fields_per_well + 1):
            lighting, cells = self._rng(_FIELD, plate.index, place, site).spawn(2)
            drawn = draw_field(
                cells,
                state,
                size=self.settings.field_size,
                density=effects.density,
                illumination=light_field(plate.effects, effects, lighting),
                fault=plate.faults.get((well.well, site), ""),
            )
            _write_channels(images, f"{plate.name}_{well.well}_s{site}", drawn.pixels)
            self.book.add_field(plate.name, well.well, site, drawn)
            yield site

    def write_tables(self, folder: Path) -> None:
        """Write the plate map, the truth and the ``screen.toml``."""
        plans = {plate.name: plate.wells for plate in self.plates}
        plate_map(plans).to_csv(folder / "platemap.csv", index=False)
        self.book.cells().to_csv(folder / "truth_cells.csv", index=False, float_format="%.4g")
        write_json(folder / "truth.json", self.book.to_json())
        text = screen_toml(self.settings.phenotype, self.settings.seed)
        write_text(folder / "screen.toml", text)


def _write_channels(images: Path, stem: str, pixels: npt.NDArray[np.uint16]) -> None:
    for channel, plane in zip(CHANNELS, pixels, strict=True):
        write_plane(images / f"{stem}_{channel}.tif", plane)
