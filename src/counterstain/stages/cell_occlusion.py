"""What removing a compartment, the neighbours or the background does to the call of a crop."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from counterstain.attribution.occlusion_regions import RegionDrop, occlude_regions
from counterstain.config import ScreenConfig
from counterstain.masks.regions import cell_regions
from counterstain.plates.store import CropStore
from counterstain.run_folder import RunFolder
from counterstain.stages.map_crops import EmptyPlaces, called_index, held_out

__all__ = ["occlude_cells"]


def _regions(
    images: NDArray[np.float32],
    nuclei: NDArray[np.uint8],
    places: EmptyPlaces,
    ring_width: int,
) -> dict[str, NDArray[np.bool_]]:
    """Return the compartments of the own cell, the other cells, and what is empty."""
    own = cell_regions(nuclei, ring_width)
    cells = places.foreground.cells(images, nuclei, ring_width)
    return {
        "nucleus": own.nucleus,
        "cytoplasm": own.ring,
        "neighbours": cells & ~own.cell,
        "background": ~cells,
    }


def occlude_cells(
    config: ScreenConfig,
    folder: RunFolder,
    table: pd.DataFrame,
    store: CropStore,
    places: EmptyPlaces,
) -> pd.DataFrame:
    """Remove one region in one channel at a time, by the network that never saw the crop's well.

    Parameters
    ----------
    config, folder, store
        As for the other stages.
    table : DataFrame
        Crops with folds and calls.
    places : EmptyPlaces
        Where cells are, and the level that removed pixels take.

    Returns
    -------
    DataFrame
        Content of ``tables/cell_occlusion.parquet``.
    """
    called = called_index(table, config.class_names)
    parts = []
    for network, rows in held_out(folder, table, store, config):
        for target in np.unique(called[rows]):
            chosen = rows[called[rows] == target]
            ids = table["crop"].to_numpy(np.int64)[chosen]
            images, nuclei = store.scaled(ids), store.nuclei(ids)
            found = occlude_regions(
                network,
                torch.from_numpy(images).to(network.device),
                _regions(images, nuclei, places, config.crops.ring_width),
                int(target),
                baseline=[float(level) for level in places.background],
            )
            parts.append(_rows(found, table.iloc[chosen]))
    return pd.concat(parts, ignore_index=True)


def _rows(found: list[RegionDrop], crops: pd.DataFrame) -> pd.DataFrame:
    columns = ["crop", "Metadata_Plate", "Metadata_Well", "class_name", "predicted"]
    own = crops[columns].rename(columns={"predicted": "called"})
    repeated = own.iloc[[row.image for row in found]].reset_index(drop=True)
    return repeated.assign(
        region=[row.region for row in found],
        channel=[row.channel for row in found],
        score_before=[row.score_before for row in found],
        score_after=[row.score_after for row in found],
        drop=[row.drop for row in found],
        flips=[row.flips for row in found],
    )
