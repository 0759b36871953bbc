"""Draw a co-culture and write it as a microscope does, with the truth beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from counterstain.errors import InvalidInputError
from counterstain.files import atomic_path, write_json, write_text
from counterstain.plates.simulate.coculture_design import CocultureWell, lay_out_coculture
from counterstain.plates.simulate.coculture_field import (
    DrawnCoculture,
    coculture_light,
    draw_coculture_field,
)
from counterstain.plates.simulate.coculture_settings import CocultureSettings
from counterstain.plates.simulate.coculture_truth import (
    TOKENS,
    CocultureBook,
    coculture_map,
    coculture_screen,
)
from counterstain.plates.simulate.design import draw_compounds, rows_and_columns
from counterstain.plates.simulate.faults import FAULTS
from counterstain.plates.simulate.out_folder import free_folder, write_plane
from counterstain.plates.simulate.variation import PlateEffects, draw_plate_effects
from counterstain.plates.wells import row_name

__all__ = ["simulate_coculture"]

_FAULTY_SHARE = 0.02
_BACKGROUND = (60.0, 80.0)
_BACKGROUND_SD = 0.18
_INTENSITY_SD = 0.03
# Keys that keep the streams of random numbers apart.
_DRUGS, _LAYOUT, _PLATE, _FAULTS, _WELL, _FIELD = range(6)


def simulate_coculture(
    out: str | Path,
    *,
    seed: int = 0,
    contact_rates: Mapping[str, float] | None = None,
    fields_per_well: int = 2,
    field_size: int = 512,
    plates: int = 1,
    plate_format: int = 384,
    control_wells: int = 32,
    drugs: int = 8,
    doses: int = 4,
    replicates: int = 3,
    faulty_fields: int | None = None,
    faulty_patches: float = 0.08,
    density: float = 1.0,
    crowding_sd: float = 0.4,
    gathering: float = 0.3,
    plate_gradient: float = 0.05,
    background_tilt: float = 0.4,
    truth_masks: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Draw a plate of T cells and dendritic cells that touch as much as was planted.

    Each stimulation binds a share of the T cells to dendritic cells and makes T cells grow a
    little; drugs undo the contact fully, partially or not at all, or kill cells. The number of
    cells varies from well to well without meaning anything. The same seed gives the same files.

    Parameters
    ----------
    out : str or Path
        Folder to make; must not exist or be empty.
    seed : int, default 0
        Seed of everything random.
    contact_rates : mapping of str to float, optional
        Share of T cells that is bound, by stimulation, the unstimulated one first: 0.05
        unstimulated, 0.4 OVA and 0.85 ConA where not given.
    fields_per_well : int, default 2
        Sites a well.
    field_size : int, default 512
        Edge of a field in pixels, at least 96; 512 holds about 107 T cells and 21 dendritic cells.
    plates : int, default 1
        Plates ``CK01``, ``CK02``, ... with the same drugs at other places.
    plate_format : int, default 384
        Wells of a plate: 6, 12, 24, 48, 96, 384 or 1536.
    control_wells : int, default 32
        Wells of each stimulation with solvent only.
    drugs, doses, replicates : int, default 8, 4 and 3
        Number of drugs, of doses of each, 10 µM the highest, and of wells of each under each
        stimulation.
    faulty_fields : int, optional
        Fields of a plate that are out of focus, saturated, empty or full of debris, in turn; 2 %,
        and at least four where there are so many wells, where not given.
    faulty_patches : float, default 0.08
        Share of the other fields of which a part is bare or shows debris.
    density, crowding_sd : float, default 1 and 0.4
        Mean factor on the number of cells, and how much its natural logarithm varies by well.
    gathering : float, default 0.3
        How much denser both kinds of cells lie in one part of a field than in another, 0 to 1.
    plate_gradient : float, default 0.05
        Relative change of intensity across the plate.
    background_tilt : float, default 0.4
        Relative change of the background across a field.
    truth_masks : bool, default True
        Whether to write the true masks as label images.
    progress : callable, optional
        Called with (fields done, fields in all) after each field.

    Returns
    -------
    Path
        The ``screen.toml``. Beside it lie ``images/`` (named as by an IN Cell Analyzer, a TIFF a
        channel), ``platemap.csv``, ``truth.json``, ``truth_cells.csv`` (every cell) and
        ``truth_masks/`` (a TIFF of shape (2, H, W) a field: T cells, dendritic cells).

    Raises
    ------
    InvalidInputError
        If an argument is out of range, the plate has too few wells, or `out` is there and not an
        empty folder.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp()) / "plate"
    >>> screen = simulate_coculture(
    ...     folder, fields_per_well=1, field_size=96, control_wells=1, drugs=0, plate_format=6
    ... )
    >>> sorted(path.name for path in (folder / "images").iterdir())[0]
    'CK01 - A - 02(fld 1 wv FITC - FITC).tif'
    """
    given = {key: value for key, value in locals().items() if key not in ("out", "progress")}
    if contact_rates is None:
        del given["contact_rates"]
    else:
        given["contact_rates"] = dict(contact_rates)
    simulation = _Simulation(CocultureSettings(**given))
    folder = free_folder(Path(out))
    with atomic_path(folder) as temporary:
        for done in simulation.write_images(temporary):
            if progress is not None:
                progress(done, simulation.n_fields)
        simulation.write_tables(temporary)
    return folder / "screen.toml"


@dataclass(frozen=True, slots=True)
class _Plate:
    index: int
    name: str
    wells: tuple[CocultureWell, ...]
    effects: PlateEffects
    faults: dict[tuple[str, int], str]


class _Simulation:
    """Plans all plates when made; then draws and writes them."""

    def __init__(self, settings: CocultureSettings) -> None:
        self.settings = settings
        self.drugs = draw_compounds(settings.drugs, self._rng(_DRUGS))
        self.shape = rows_and_columns(settings.plate_format)
        self.plates = [self._plan(index) for index in range(settings.plates)]
        self.book = CocultureBook(settings, self.drugs)
        self.n_fields = settings.fields_per_well * sum(len(plate.wells) for plate in self.plates)

    def _rng(self, *key: int) -> np.random.Generator:
        return np.random.default_rng(np.random.SeedSequence([self.settings.seed, *key]))

    def _plan(self, index: int) -> _Plate:
        settings = self.settings
        wells = lay_out_coculture(settings, self.drugs, self._rng(_LAYOUT, index))
        effects = draw_plate_effects(
            self._rng(_PLATE, index),
            gradient=settings.plate_gradient,
            background_tilt=settings.background_tilt,
        )
        return _Plate(index, f"CK{index + 1:02d}", wells, effects, self._faults(index, wells))

    def _faults(self, index: int, wells: tuple[CocultureWell, ...]) -> dict[tuple[str, int], str]:
        """Choose the fields that go wrong: at most one a well, the kinds in turn."""
        wanted, per_well = self.settings.faulty_fields, self.settings.fields_per_well
        usual = max(len(FAULTS), round(_FAULTY_SHARE * per_well * len(wells)))
        # A small plate keeps its wells: one in four at most goes wrong unless more are asked for.
        count = min(usual, len(wells) // 4) if wanted is None else wanted
        if count > len(wells):
            raise InvalidInputError(
                f"`faulty_fields` must be at most {len(wells)} on this plate, one a well; got "
                f"{count}."
            )
        rng = self._rng(_FAULTS, index)
        chosen = [wells[k] for k in rng.permutation(len(wells))[:count]]
        return {
            (well.well, 1 + int(rng.integers(per_well))): FAULTS[i % len(FAULTS)]
            for i, well in enumerate(chosen)
        }

    def write_images(self, folder: Path) -> Iterator[int]:
        """Draw and write field after field, and say how many are done."""
        (folder / "images").mkdir(parents=True)
        if self.settings.truth_masks:
            (folder / "truth_masks").mkdir()
        done = 0
        for plate in self.plates:
            self.book.add_plate(plate.name, plate.effects)
            for well in plate.wells:
                for site, drawn in self._draw_well(plate, well):
                    self._write_field(folder, plate.name, well, site, drawn)
                    done += 1
                    yield done

    def _draw_well(
        self, plate: _Plate, well: CocultureWell
    ) -> Iterator[tuple[int, DrawnCoculture]]:
        # Streams follow the place on the plate, so that no field depends on those before it.
        settings, place = self.settings, well.row * self.shape[1] + well.column
        rng = self._rng(_WELL, plate.index, place)
        lighting = _well_light(rng, plate.effects, well, self.shape)
        crowding = float(np.exp(settings.crowding_sd * np.clip(rng.standard_normal(), -2, 2)))
        density = settings.density * crowding * well.survival
        self.book.add_well(plate.name, well, density)
        for site in range(1, settings.fields_per_well + 1):
            light, cells = self._rng(_FIELD, plate.index, place, site).spawn(2)
            drawn = draw_coculture_field(
                cells,
                contact_rate=well.contact_rate,
                size=settings.field_size,
                density=density,
                activation=well.activation,
                gathering=settings.gathering,
                illumination=coculture_light(**lighting, blur=float(light.uniform(0.75, 1.05))),
                fault=plate.faults.get((well.well, site), ""),
                faulty_patch=bool(light.random() < settings.faulty_patches),
            )
            yield site, drawn

    def _write_field(
        self, folder: Path, plate: str, well: CocultureWell, site: int, drawn: DrawnCoculture
    ) -> None:
        stem = f"{plate} - {row_name(well.row)} - {well.column + 1:02d}"
        for token, pixels in zip(TOKENS, drawn.pixels, strict=True):
            write_plane(folder / "images" / f"{stem}(fld {site} wv {token}).tif", pixels)
        if self.settings.truth_masks:
            write_plane(folder / "truth_masks" / f"{plate}_{well.well}_s{site}.tif", drawn.labels)
        self.book.add_field(plate, well, site, drawn)

    def write_tables(self, folder: Path) -> None:
        """Write the plate map, the truth and the ``screen.toml``."""
        plans = {plate.name: plate.wells for plate in self.plates}
        coculture_map(plans).to_csv(folder / "platemap.csv", index=False)
        self.book.cells().to_csv(folder / "truth_cells.csv", index=False)
        write_json(folder / "truth.json", self.book.to_json())
        write_text(folder / "screen.toml", coculture_screen(self.settings))


def _well_light(
    rng: np.random.Generator, plate: PlateEffects, well: CocultureWell, shape: tuple[int, int]
) -> dict[str, Any]:
    """Draw how the fields of a well are lit."""
    row, column = well.row / max(shape[0] - 1, 1), well.column / max(shape[1] - 1, 1)
    staining = plate.intensity_at(row, column) * np.exp(_INTENSITY_SD * rng.standard_normal(2))
    medium = np.exp(_BACKGROUND_SD * rng.standard_normal(2))
    return {
        "intensity": tuple(staining.tolist()),
        "background": tuple((np.array(_BACKGROUND) * medium).tolist()),
        "tilt_y": plate.background_tilt_y,
        "tilt_x": plate.background_tilt_x,
        "vignette_centre": plate.vignette_centre,
    }
