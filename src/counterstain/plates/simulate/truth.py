"""What was planted, and the files that tell a reader of plates what a plate is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from counterstain.plates.simulate.cells import CellPopulation
from counterstain.plates.simulate.design import DISEASED, HEALTHY_CONTROL, Compound, PlannedWell
from counterstain.plates.simulate.field import DrawnField
from counterstain.plates.simulate.phenotypes import (
    CHANNELS,
    HEALTHY,
    TOXIC,
    NamedPhenotype,
    Phenotype,
)
from counterstain.plates.simulate.variation import PlateEffects, WellEffects

__all__ = ["TruthBook", "plate_map", "screen_toml"]

_CONTROL_TYPE = {DISEASED: "negcon", HEALTHY_CONTROL: "poscon", "": ""}
_DIGITS = 5

_SCREEN = """\
# A simulated plate: {phenotype}. What was planted stands in truth.json.
[images]
root = "images"
pattern = "{{plate}}_{{well}}_s{{site}}_{{channel}}.tif"
channels = ["DNA", "cytoplasm", "mitochondria"]
colours = ["#4c6fff", "#2fbf71", "#ff2e88"]
pixel_size_um = 0.65

[layout]
table = "platemap.csv"

[classes]
diseased = {{ Metadata_control_type = "negcon" }}
healthy = {{ Metadata_control_type = "poscon" }}

[crops]
kind = "cells"
size = 40
nucleus_channel = "DNA"

[split]
folds = 3

[model]
network = "coupling"
hidden = 64
blocks = 6
steps = 220
symmetries = 2

[counterfactual]
crops_per_well = 16

[run]
seed = {seed}
"""


def screen_toml(phenotype: str, seed: int) -> str:
    """Return the text of the ``screen.toml`` of a simulated plate."""
    return _SCREEN.format(phenotype=phenotype, seed=seed)


def plate_map(plans: dict[str, tuple[PlannedWell, ...]]) -> pd.DataFrame:
    """Return the plate map with Cytomining columns, a row per well.

    Parameters
    ----------
    plans : dict
        Planned wells by plate.

    Returns
    -------
    DataFrame
        Concentrations of controls are empty; both kinds of control hold ``DMSO``.
    """
    rows = [
        {
            "Metadata_Plate": plate,
            "Metadata_Well": well.well,
            "Metadata_Compound": "DMSO" if well.compound is None else well.compound.name,
            "Metadata_Concentration": well.concentration_uM,
            "Metadata_ConcentrationUnit": "" if well.compound is None else "uM",
            "Metadata_pert_type": "control" if well.compound is None else "trt",
            "Metadata_control_type": _CONTROL_TYPE[well.class_name],
        }
        for plate, wells in plans.items()
        for well in wells
    ]
    return pd.DataFrame(rows)


def _round(value: Any) -> Any:
    """Round floats for JSON; NaN becomes None."""
    if isinstance(value, float):
        return None if math.isnan(value) else round(value, _DIGITS)
    if isinstance(value, dict):
        return {key: _round(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_round(item) for item in value]
    return value


def _cell_rows(plate: str, well: str, site: int, cells: CellPopulation, size: int) -> pd.DataFrame:
    inside = cells.inside(size)
    table = pd.DataFrame(
        {
            "y": cells.y,
            "x": cells.x,
            "nucleus_radius": cells.nucleus_outline.mean(axis=1),
            "cell_radius": cells.cell_outline.mean(axis=1),
            "dna": cells.dna,
            "cytoplasm": cells.cytoplasm,
            "mitochondria": cells.mitochondria,
        }
    ).round(3)
    table["mitotic"] = cells.mitotic
    table = table[inside].reset_index(drop=True)
    table.insert(0, "Metadata_Plate", plate)
    table.insert(1, "Metadata_Well", well)
    table.insert(2, "Metadata_Site", site)
    return table


@dataclass
class TruthBook:
    """Takes down everything that is planted while a plate is drawn.

    Parameters
    ----------
    disease : NamedPhenotype
        The planted disease.
    compounds : tuple of Compound
        The compounds.
    settings : dict
        Arguments of the simulation.
    """

    disease: NamedPhenotype
    compounds: tuple[Compound, ...]
    settings: dict[str, Any]

    def __post_init__(self) -> None:
        self._plates: list[dict[str, Any]] = []
        self._wells: list[dict[str, Any]] = []
        self._fields: list[dict[str, Any]] = []
        self._cells: list[pd.DataFrame] = []

    def add_plate(self, plate: str, effects: PlateEffects) -> None:
        """Take down a plate's gradients."""
        self._plates.append({"plate": plate, **asdict(effects)})

    def add_well(
        self, plate: str, well: PlannedWell, state: Phenotype, effects: WellEffects
    ) -> None:
        """Take down a well's treatment, the state of its cells and its own factors."""
        self._wells.append(
            {
                "plate": plate,
                "well": well.well,
                "class": well.class_name,
                "compound": None if well.compound is None else well.compound.name,
                "concentration_uM": well.concentration_uM,
                "rescue": well.rescue,
                "toxicity": well.toxicity,
                "phenotype": state.to_json(),
                "intensity_factor": dict(zip(CHANNELS, effects.intensity, strict=True)),
                "background_photons": dict(zip(CHANNELS, effects.background, strict=True)),
                "density_factor": effects.density,
            }
        )

    def add_field(self, plate: str, well: str, site: int, drawn: DrawnField) -> None:
        """Take down a field: its cells and what is wrong with it."""
        size = drawn.pixels.shape[-1]
        self._cells.append(_cell_rows(plate, well, site, drawn.cells, size))
        self._fields.append(
            {
                "plate": plate,
                "well": well,
                "site": site,
                "n_cells": len(self._cells[-1]),
                "fault": drawn.fault,
                "fault_parameters": drawn.fault_parameters,
            }
        )

    def to_json(self) -> dict[str, Any]:
        """Return the content of ``truth.json``."""
        content = {
            "format": 1,
            "phenotype": self.disease.name,
            "null": self.disease.phenotype == HEALTHY,
            "planted": [asdict(effect) for effect in self.disease.planted],
            "settings": self.settings,
            "channels": list(CHANNELS),
            "states": {
                "healthy": HEALTHY.to_json(),
                "diseased": self.disease.phenotype.to_json(),
                "toxic": TOXIC.to_json(),
            },
            "compounds": [asdict(compound) for compound in self.compounds],
            "plates": self._plates,
            "wells": self._wells,
            "fields": self._fields,
            "cells_table": "truth_cells.csv",
        }
        return {key: _round(value) for key, value in content.items()}

    def cells(self) -> pd.DataFrame:
        """Return the content of ``truth_cells.csv``: a row per nucleus centred inside a field."""
        filled: Sequence[pd.DataFrame] = [table for table in self._cells if len(table)]
        return pd.concat(filled or self._cells[:1], ignore_index=True)
