"""What was planted in a co-culture, and the files that tell a reader of plates what it is."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
from scipy import ndimage

from counterstain.plates.simulate.coculture_cells import Coculture
from counterstain.plates.simulate.coculture_design import CocultureWell
from counterstain.plates.simulate.coculture_drawing import LabelArray
from counterstain.plates.simulate.coculture_field import COCULTURE_CHANNELS, DrawnCoculture
from counterstain.plates.simulate.coculture_settings import CocultureSettings
from counterstain.plates.simulate.design import Compound
from counterstain.plates.simulate.variation import PlateEffects

__all__ = ["TOKENS", "CocultureBook", "coculture_map", "coculture_screen", "true_overlap"]

TOKENS = ("FITC - FITC", "TexasRed - TexasRed")
"""How IN Cell file names write the channels."""

SOLVENT = "DMSO"
_DIGITS = 5
_NEIGHBOURS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], bool)

_SCREEN = """\
# A simulated co-culture of T cells and dendritic cells. What was planted stands in truth.json.
[images]
root = "images"
pattern = "incell"
channels = ["T cells", "dendritic cells"]
tokens = ["FITC - FITC", "TexasRed - TexasRed"]
colours = ["#2fbf71", "#ff2e88"]
pixel_size_um = 0.65

[layout]
table = "platemap.csv"

[classes]
{classes}

[crops]
kind = "tiles"
size = {tile}

[split]
folds = 3

[model]
network = "autoencoder"

[run]
seed = {seed}
"""


def coculture_screen(settings: CocultureSettings) -> str:
    """Return the text of the ``screen.toml``: a class a stimulation, drugs in none."""
    classes = "\n".join(
        f'{name} = {{ Metadata_Stimulation = "{name}", Metadata_Compound = "{SOLVENT}" }}'
        for name in settings.contact_rates
    )
    tile = min(96, settings.field_size // 2)
    return _SCREEN.format(classes=classes, tile=tile, seed=settings.seed)


def coculture_map(plans: dict[str, tuple[CocultureWell, ...]]) -> pd.DataFrame:
    """Return the plate map with Cytomining columns, a row per well.

    Parameters
    ----------
    plans : dict
        Planned wells by plate.

    Returns
    -------
    DataFrame
        Solvent wells of the first stimulation are the negative controls, those of the stimulation
        with most contact the positive ones.
    """
    rows = [
        {
            "Metadata_Plate": plate,
            "Metadata_Well": well.well,
            "Metadata_Stimulation": well.stimulation,
            "Metadata_Compound": SOLVENT if well.compound is None else well.compound.name,
            "Metadata_Concentration": well.concentration_uM,
            "Metadata_ConcentrationUnit": "" if well.compound is None else "uM",
            "Metadata_pert_type": "control" if well.compound is None else "trt",
            "Metadata_control_type": _control_type(well),
        }
        for plate, wells in plans.items()
        for well in wells
    ]
    return pd.DataFrame(rows)


def _control_type(well: CocultureWell) -> str:
    """Return what a well stands for; stimulations between the two ends are no controls."""
    if well.compound is not None:
        return ""
    return {0.0: "negcon", 1.0: "poscon"}.get(well.level, "")


def true_overlap(labels: LabelArray) -> dict[str, float | int | None]:
    """Measure the overlap of the true masks of a field.

    Parameters
    ----------
    labels : ndarray of uint16, shape (2, H, W)
        True masks of T cells and dendritic cells.

    Returns
    -------
    dict
        Areas, IoU and shares of either kind's area that is overlapped; None where undefined.

    Examples
    --------
    >>> labels = np.zeros((2, 1, 4), np.uint16)
    >>> labels[0, 0, :2] = labels[1, 0, 1:] = 1
    >>> true_overlap(labels)["iou"]
    0.25
    """
    t, dendritic = labels > 0
    area_t, area_d, both = (int(np.count_nonzero(x)) for x in (t, dendritic, t & dendritic))
    union = area_t + area_d - both
    return {
        "t_area_px": area_t,
        "dendritic_area_px": area_d,
        "intersection_px": both,
        "iou": both / union if union else None,
        "share_t_overlapped": both / area_t if area_t else None,
        "share_dendritic_overlapped": both / area_d if area_d else None,
    }


def _touching(own: LabelArray, other: LabelArray) -> set[int]:
    """Return the labels of cells that overlap the other kind or lie edge to edge with it."""
    close = ndimage.binary_dilation(other > 0, _NEIGHBOURS)
    return set(np.unique(own[close]).tolist()) - {0}


def _cell_rows(cells: Coculture, labels: LabelArray) -> pd.DataFrame:
    """Return a row per cell that shows in a field."""
    tables = []
    kinds = (
        ("T cell", cells.t, cells.t_outline, cells.partner),
        ("dendritic cell", cells.dendritic, cells.dendritic_outline, None),
    )
    for kind, (name, centres, outline, partner) in enumerate(kinds):
        area = np.bincount(labels[kind].ravel(), minlength=len(centres) + 1)[1:]
        both = np.bincount(labels[kind][labels[1 - kind] > 0].ravel(), minlength=len(area) + 1)[1:]
        touching = _touching(labels[kind], labels[1 - kind])
        table = pd.DataFrame(
            {
                "kind": name,
                "label": np.arange(1, len(centres) + 1),
                "y": centres[:, 0].round(2),
                "x": centres[:, 1].round(2),
                "radius_px": outline.mean(axis=1).round(2),
                "area_px": area,
                "overlapped_px": both,
                "bound_to": 0 if partner is None else partner + 1,
            }
        )
        table["touching"] = table["label"].isin(touching)
        tables.append(table[area > 0])
    return pd.concat(tables, ignore_index=True)


def _round(value: Any) -> Any:
    """Round floats for JSON; NaN becomes None."""
    if isinstance(value, float):
        return None if math.isnan(value) else round(value, _DIGITS)
    if isinstance(value, dict):
        return {key: _round(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_round(item) for item in value]
    return value


class CocultureBook:
    """Takes down everything that is planted while a co-culture is drawn.

    Parameters
    ----------
    settings : CocultureSettings
        Arguments of the simulation.
    drugs : tuple of Compound
        The drugs.
    """

    def __init__(self, settings: CocultureSettings, drugs: tuple[Compound, ...]) -> None:
        self.settings, self.drugs = settings, drugs
        self._plates: list[dict[str, Any]] = []
        self._wells: list[dict[str, Any]] = []
        self._fields: list[dict[str, Any]] = []
        self._cells: list[pd.DataFrame] = []

    def add_plate(self, plate: str, effects: PlateEffects) -> None:
        """Take down a plate's gradients."""
        self._plates.append({"plate": plate, **asdict(effects)})

    def add_well(self, plate: str, well: CocultureWell, density: float) -> None:
        """Take down a well's treatment, its contact rate and its crowding."""
        self._wells.append(
            {
                "plate": plate,
                "well": well.well,
                "stimulation": well.stimulation,
                "compound": None if well.compound is None else well.compound.name,
                "concentration_uM": well.concentration_uM,
                "contact_rate": well.contact_rate,
                "survival": well.survival,
                "activation": well.activation,
                "density_factor": density,
            }
        )

    def add_field(self, plate: str, well: CocultureWell, site: int, drawn: DrawnCoculture) -> None:
        """Take down a field: its cells, its true overlap, and what is wrong with it."""
        cells = _cell_rows(drawn.cells, drawn.labels)
        cells.insert(0, "Metadata_Plate", plate)
        cells.insert(1, "Metadata_Well", well.well)
        cells.insert(2, "Metadata_Site", site)
        self._cells.append(cells)
        t = cells[cells["kind"] == "T cell"]
        dendritic = cells[cells["kind"] != "T cell"]
        patch = drawn.faulty_patch
        self._fields.append(
            {
                "plate": plate,
                "well": well.well,
                "site": site,
                "stimulation": well.stimulation,
                "n_t": len(t),
                "n_dendritic": len(dendritic),
                "n_t_bound": int((t["bound_to"] > 0).sum()),
                "n_t_touching": int(t["touching"].sum()),
                "n_dendritic_touching": int(dendritic["touching"].sum()),
                **true_overlap(drawn.labels),
                "fault": drawn.fault,
                "fault_parameters": drawn.fault_parameters,
                "faulty_patch": None if patch is None else asdict(patch),
            }
        )

    def to_json(self) -> dict[str, Any]:
        """Return the content of ``truth.json``."""
        content = {
            "format": 1,
            "kind": "coculture",
            "settings": self.settings.to_json(),
            "channels": list(COCULTURE_CHANNELS),
            "contact_rates": dict(self.settings.contact_rates),
            "drugs": [asdict(drug) for drug in self.drugs],
            "plates": self._plates,
            "wells": self._wells,
            "fields": self._fields,
            "cells_table": "truth_cells.csv",
            "masks": "truth_masks" if self.settings.truth_masks else None,
        }
        return {key: _round(value) for key, value in content.items()}

    def cells(self) -> pd.DataFrame:
        """Return the content of ``truth_cells.csv``: a row per cell that shows in a field."""
        filled = [table for table in self._cells if len(table)]
        return pd.concat(filled or self._cells[:1], ignore_index=True)
