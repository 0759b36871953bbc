"""The empty-area audit of a run: its networks, each at wells that it never saw."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from counterstain.attribution.share import share_inside
from counterstain.audit.empty_area import empty_area_audit
from counterstain.audit.empty_look import EmptyAreaLook, look_without_cells
from counterstain.audit.verdict import AuditVerdict
from counterstain.config import ScreenConfig
from counterstain.errors import InvalidInputError
from counterstain.masks.regions import cell_regions
from counterstain.networks.base import Classifier
from counterstain.plates.store import CropStore
from counterstain.run_folder import RunFolder
from counterstain.stages.map_crops import EmptyPlaces, held_out
from counterstain.stages.mapped import MappedCrops
from counterstain.stages.progress import Listener
from counterstain.stages.rows import class_index, group_wells, thin_wells
from counterstain.training.folds import fold_seed

__all__ = ["audit_empty_areas"]

_KEY, _TITLE = "empty_area", "Empty areas"


def audit_empty_areas(
    config: ScreenConfig,
    folder: RunFolder,
    table: pd.DataFrame,
    store: CropStore,
    places: EmptyPlaces,
    maps: MappedCrops | None,
    listener: Listener,
) -> AuditVerdict:
    """Ask every network about its held-out crops without cells and on other backgrounds.

    Parameters
    ----------
    config, folder, store, listener
        As for the other stages.
    table : DataFrame
        Usable crops of wells in a class, with their folds.
    places : EmptyPlaces
        Where cells are.
    maps : MappedCrops or None
        Attribution maps whose share inside cells is judged, too.
    """
    table = thin_wells(table, config.audit.crops_per_well)
    wells = group_wells(table)[0]
    classes = class_index(table, config.class_names)
    looks: list[EmptyAreaLook] = []
    problems: list[str] = []
    track, folds = listener.track("empty areas"), table["fold"].nunique()
    for number, (network, rows) in enumerate(held_out(folder, table, store, config)):
        ids = table["crop"].to_numpy(np.int64)[rows]
        seed = fold_seed(config.run.seed, number)
        try:
            looks.append(
                _look(network, ids, classes[rows], wells[rows], store, places, config, seed)
            )
        except InvalidInputError as error:
            problems.extend(error.problems)
        track(number + 1, folds)
    if not looks:
        sentence = f"Not judged: {problems[0] if problems else 'no crops.'}"
        return AuditVerdict(_KEY, _TITLE, "unknown", "not made", sentence)
    return empty_area_audit(
        EmptyAreaLook.joined(looks), seed=config.run.seed, shares=_shares(maps, places, config)
    )


def _look(
    network: Classifier,
    ids: NDArray[np.int64],
    classes: NDArray[np.int64],
    wells: NDArray[np.int64],
    store: CropStore,
    places: EmptyPlaces,
    config: ScreenConfig,
    seed: int,
) -> EmptyAreaLook:
    images, nuclei = store.scaled(ids), store.nuclei(ids)
    cells = places.foreground.cells(images, nuclei, config.crops.ring_width)
    own = cell_regions(nuclei, config.crops.ring_width).cell
    device = network.device
    return look_without_cells(
        lambda x: network.class_logits(x.to(device)), images, own, cells, classes, wells, seed=seed
    )


def _shares(
    maps: MappedCrops | None, places: EmptyPlaces, config: ScreenConfig
) -> Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]]:
    if maps is None:
        return {}
    cells = places.foreground.cells(maps.images, maps.nuclei, config.crops.ring_width)
    found = {}
    for name, values in maps.maps.items():
        shares = share_inside(values, cells)
        found[name] = (shares.shares, shares.areas, maps.wells)
    return found
