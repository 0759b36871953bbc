"""Plates with a planted phenotype, and the truth about every crop of them.

The simulator draws the same cells in whatever state, so the true counterfactual of a diseased crop
is a picture of the same place on a twin plate without the disease.
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import tifffile
from numpy.typing import NDArray
from scipy import ndimage

from counterstain.masks import measure_cells
from counterstain.plates.simulate.cells import ANGLES, CellPopulation
from counterstain.plates.simulate.phenotypes import PHENOTYPES, PlantedEffect
from counterstain.plates.simulate.plate import simulate_plate
from counterstain.plates.simulate.truth import TruthBook
from counterstain.plates.store import CropStore

SOURCE, TARGET = "diseased", "healthy"
# Cells are blurred, and their outlines are known to half a pixel: this much still is the cell.
_DILATION = 2
FEATURES = {
    "mean intensity": "mean_intensity",
    "granularity": "granularity",
    "radial concentration": "radial_concentration",
    "area": "area",
    "texture scale": "texture_scale",
    "log2 nucleus/ring": "log2_ratio",
    "cell count": "cell_count",
    "intensity spread (SD)": "sd",
    "form factor": "form_factor",
    "eccentricity": "eccentricity",
}
"""Features of `measure_cells` by their names in the table of effects."""
_REGIONS = {"log2_ratio": "nucleus/ring", "cell_count": "crop"}
# What a number of cells is cannot be seen in crops that are centred on a cell each.
TILED = ("fewer_cells",)


def column_of(effect: PlantedEffect) -> str:
    """Return the column of `measure_cells` that a planted effect names."""
    feature = FEATURES[effect.feature]
    return f"{feature}:{_REGIONS.get(feature, effect.region)}:{effect.channel}"


def planted_columns(phenotype: str) -> dict[str, int]:
    """Return the planted columns and the sign of going from diseased to healthy."""
    effects = PHENOTYPES[phenotype].planted
    return {column_of(effect): -1 if effect.direction == "up" else 1 for effect in effects}


def _filled(cells: CellPopulation, size: int) -> NDArray[np.bool_]:
    """Return where in a field cells lie, a little dilated."""
    mask = np.zeros((size, size), bool)
    grid = np.arange(size, dtype=np.float32)
    for y, x, outline in zip(cells.y, cells.x, cells.cell_outline, strict=True):
        dy, dx = grid[:, None] - y, grid[None, :] - x
        index = (np.arctan2(dy, dx) * (ANGLES / (2 * np.pi))).astype(np.intp) % ANGLES
        mask |= np.hypot(dy, dx) <= outline[index]
    return np.asarray(ndimage.binary_dilation(mask, iterations=_DILATION), bool)


@dataclass(frozen=True)
class PlantedPlate:
    """A simulated plate, its twin without disease, and where its cells lie."""

    phenotype: str
    screen: Path
    twin: Path
    cells: dict[tuple[str, int], NDArray[np.bool_]]


def simulate(folder: Path, phenotype: str, seed: int, wells: int) -> PlantedPlate:
    """Simulate a plate of controls alone, and its twin."""
    cells: dict[tuple[str, int], NDArray[np.bool_]] = {}
    add_field = TruthBook.add_field

    def keep(book: TruthBook, plate: str, well: str, site: int, drawn: object) -> None:
        cells[well, site] = _filled(drawn.cells, drawn.pixels.shape[-1])  # type: ignore[attr-defined]
        add_field(book, plate, well, site, drawn)  # type: ignore[arg-type]

    plain: dict[str, Any] = {
        "seed": seed,
        "control_wells": wells,
        "compounds": 0,
        "faulty_fields": 0,
    }
    with mock.patch.object(TruthBook, "add_field", keep):
        screen = simulate_plate(folder / "plate", phenotype=phenotype, **plain)
    twin = simulate_plate(folder / "twin", phenotype="none", **plain)
    return PlantedPlate(phenotype, screen, twin.parent, cells)


def write_screen(plate: PlantedPlate, network: str, steps: int | None, folds: int) -> None:
    """Set what is under test; the planted measurement judges the counterfactuals."""
    text = plate.screen.read_text(encoding="utf-8")
    start, end = text.index("[model]"), text.index("[counterfactual]")
    model = tomllib.loads(text)["model"]
    if network != model["network"]:
        # The rest of the section was chosen for the other network.
        model = {"network": network, "symmetries": model["symmetries"]}
    if steps is not None:
        model["steps"] = steps
    lines = [f"{key} = {json.dumps(value)}" for key, value in model.items()]
    text = text[:start] + "[model]\n" + "\n".join(lines) + "\n\n" + text[end:]
    columns = list(planted_columns(plate.phenotype))
    if columns:
        feature, region, channel = columns[0].split(":")
        text += f'\n[oracle]\nchannel = "{channel}"\nfeature = "{feature}:{region}"\n'
    text = text.replace("folds = 3", f"folds = {folds}")
    text = text.replace("[run]", "[run]\ncounterfactual_wells = 1")
    if plate.phenotype in TILED:
        text = text.replace('kind = "cells"\nsize = 40', 'kind = "tiles"\nsize = 64')
    plate.screen.write_text(text, encoding="utf-8")


def _window(row: pd.Series, size: int) -> tuple[slice, slice]:
    top, left = (round(float(row[axis]) + 0.5 - size / 2) for axis in ("y", "x"))
    return slice(top, top + size), slice(left, left + size)


def crops_of_cells(plate: PlantedPlate, table: pd.DataFrame, size: int) -> NDArray[np.bool_]:
    """Cut the true masks of cells (N, H, W) at the places of crops."""
    return np.stack(
        [
            plate.cells[row["Metadata_Well"], int(row["Metadata_Site"])][_window(row, size)]
            for _, row in table.iterrows()
        ]
    )


def true_effects(plate: PlantedPlate, table: pd.DataFrame, store: CropStore) -> dict[str, float]:
    """Measure diseased crops before and after a true cure, in the units of the effects table."""
    ids = table["crop"].to_numpy(np.int64)
    size = store.shape[2]
    fields: dict[tuple[str, int], NDArray[np.uint16]] = {}
    cured = np.empty((len(table), *store.shape[1:]), store.dtype)
    for k, (_, row) in enumerate(table.iterrows()):
        key = str(row["Metadata_Well"]), int(row["Metadata_Site"])
        if key not in fields:
            stem = f"{row['Metadata_Plate']}_{key[0]}_s{key[1]}"
            paths = [plate.twin / "images" / f"{stem}_{name}.tif" for name in store.channels]
            fields[key] = np.stack([tifffile.imread(path) for path in paths])
        cured[k] = fields[key][:, *_window(row, size)]
    before, after = (
        measure_cells(pixels, store.nuclei(ids), store.channels, nucleus_channel="DNA")
        for pixels in (store.scaled(ids), store.scaling.apply(cured, store.plate_index[ids]))
    )
    change = (after - before).groupby(table["Metadata_Well"].to_numpy()).mean().mean()
    base = before.mean().abs() / 100
    base[[column.startswith("log2_ratio") for column in base.index]] = 1.0
    return {str(column): float(value) for column, value in (change / base).items()}
