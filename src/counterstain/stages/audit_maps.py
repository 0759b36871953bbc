"""Maps for the audits, and the audits of maps: sanity and faithfulness."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from counterstain.attribution.share import share_inside
from counterstain.audit.null_training import NullScreen
from counterstain.audit.verdict import AuditVerdict
from counterstain.config import ScreenConfig
from counterstain.plates.store import CropStore
from counterstain.run_folder import RunFolder
from counterstain.stages.audit_faithfulness import audit_faithfulness
from counterstain.stages.audit_sanity import audit_sanity
from counterstain.stages.map_crops import EmptyPlaces, called_index, held_out, mapped
from counterstain.stages.map_methods import map_methods
from counterstain.stages.mapped import MappedCrops
from counterstain.stages.progress import Listener
from counterstain.stages.rows import evenly_spaced, group_wells, thin_wells
from counterstain.statistics import mean_by_well
from counterstain.types import Estimate

__all__ = ["MapAudit", "audit_maps", "no_maps"]

# One crop a well is mapped, of this many wells for each crop that methods are tested on.
_CROPS_FOR_EACH_TESTED = 2


@dataclass(frozen=True, slots=True)
class MapAudit:
    """What the audits of maps found.

    Parameters
    ----------
    mapped : MappedCrops or None
        The maps; None where there are none.
    sanity, faithfulness : AuditVerdict
        The two verdicts.
    methods : mapping
        By method what ``metrics.json`` says of it; JSON-ready.
    """

    mapped: MappedCrops | None
    sanity: AuditVerdict
    faithfulness: AuditVerdict
    methods: Mapping[str, Any]


def no_maps(reason: str) -> MapAudit:
    """Return the audit of a run that has no maps, with the reason."""
    sentence = f"There are no maps to test: {reason}"
    sanity, faithful = (
        AuditVerdict(key, title, "unknown", "no maps", sentence, withholds=False)
        for key, title in (("sanity", "Sanity of maps"), ("faithfulness", "Faithfulness of maps"))
    )
    return MapAudit(None, sanity, faithful, {})


def audit_maps(
    config: ScreenConfig,
    folder: RunFolder,
    table: pd.DataFrame,
    store: CropStore,
    places: EmptyPlaces,
    null: NullScreen | None,
    listener: Listener,
) -> MapAudit:
    """Map a crop of each well by the network that never saw it, and test the methods.

    Parameters
    ----------
    config, folder, store, listener
        As for the other stages.
    table : DataFrame
        Usable crops of wells in a class, with folds and calls.
    places : EmptyPlaces
        Where cells are.
    null : NullScreen or None
        Its networks were trained on labels that mean nothing: the label randomisation check.
    """
    crops = _map(config, folder, table, store, places, listener)
    sanity, by_sanity = audit_sanity(config, folder, table, store, places, null, listener)
    faithful, by_faithfulness = audit_faithfulness(config, folder, crops, store, places)
    inside = _inside(crops, places, config)
    methods = {
        name: inside[name] | {"sanity": by_sanity[name], "faithfulness": by_faithfulness[name]}
        for name in crops.maps
    }
    return MapAudit(crops, sanity, faithful, methods)


def _map(
    config: ScreenConfig,
    folder: RunFolder,
    table: pd.DataFrame,
    store: CropStore,
    places: EmptyPlaces,
    listener: Listener,
) -> MappedCrops:
    wells = thin_wells(table, 1)
    chosen = evenly_spaced(np.arange(len(wells)), _CROPS_FOR_EACH_TESTED * config.audit.crops)
    shown = wells.iloc[chosen].reset_index(drop=True)
    ids = shown["crop"].to_numpy(np.int64)
    images, targets = store.scaled(ids), called_index(shown, config.class_names)
    methods = map_methods(config, store.shape[2], places.background)
    maps = {name: np.zeros(images.shape, np.float32) for name in methods}
    folds = list(held_out(folder, shown, store, config))
    track = listener.track("maps for the audits")
    for number, (network, rows) in enumerate(folds):
        for name, method in methods.items():
            maps[name][rows] = mapped(network, images[rows], targets[rows], method)
        track(number + 1, len(folds))
    return MappedCrops(shown, images, store.nuclei(ids), group_wells(shown)[0], targets, maps)


def _inside(
    crops: MappedCrops, places: EmptyPlaces, config: ScreenConfig
) -> dict[str, dict[str, Any]]:
    """Return by method the share of its map inside cells, with an interval by well."""
    cells = places.foreground.cells(crops.images, crops.nuclei, config.crops.ring_width)
    found = {}
    for name, values in crops.maps.items():
        shares = share_inside(values, cells)
        good = np.isfinite(shares.shares)
        estimate = (
            mean_by_well(shares.shares[good], crops.wells[good], seed=config.run.seed)
            if good.any()
            else Estimate.undefined("every map is zero everywhere")
        )
        found[name] = {"inside_cells": estimate.to_json(), "area_inside": _mean(shares.areas)}
    return found


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean())
