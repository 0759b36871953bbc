"""Stage: what the network saw, in maps of some crops and in removed cells and compartments."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from counterstain.config import ScreenConfig
from counterstain.files import atomic_path, read_json, write_json
from counterstain.plates.store import CropStore
from counterstain.run_folder import RunFolder
from counterstain.stages.cell_occlusion import occlude_cells
from counterstain.stages.map_crops import (
    called_index,
    empty_places,
    held_out,
    mapped,
    scored_crops,
)
from counterstain.stages.map_methods import map_methods
from counterstain.stages.progress import Listener
from counterstain.stages.rows import class_index, evenly_spaced, thin_wells

__all__ = ["attribute_crops"]

_RIGHT, _WRONG = 3, 3


def attribute_crops(
    config: ScreenConfig,
    folder: RunFolder,
    crops: pd.DataFrame,
    store: CropStore,
    listener: Listener,
) -> None:
    """Map what speaks for the called class, where the call is right and where it is wrong.

    Writes ``attributions.npz`` (maps of a few crops of every class, right ones and wrong ones) and
    ``tables/cell_occlusion.parquet`` (what removing a cell, a compartment or the background does
    to the call). Where the classifier is at chance there are no maps, and ``metrics.json`` says
    why.

    Parameters
    ----------
    config, folder, crops, store, listener
        As for the other stages.
    """
    for leftover in (folder.attributions, folder.table("cell_occlusion")):
        leftover.unlink(missing_ok=True)
    metrics = read_json(folder.metrics)
    if metrics["nothing_to_explain"]:
        reason = str(metrics["nothing_reason"])
        write_json(folder.metrics, metrics | {"attribution": {"methods": {}, "reason": reason}})
        return
    table = scored_crops(folder, crops)
    places = empty_places(table, store, config)
    shown = table.iloc[_gallery(table, config.class_names)].reset_index(drop=True)
    methods = map_methods(config, store.shape[2], places.background)
    parts = _facts(shown, store, config)
    for name in methods:
        parts[f"map_{name}"] = np.zeros(parts["images"].shape, np.float32)
    parts["methods"] = np.array(list(methods))
    track = listener.track("attributions")
    folds = list(held_out(folder, shown, store, config))
    for number, (network, rows) in enumerate(folds):
        for name, method in methods.items():
            found = mapped(network, parts["images"][rows], parts["target"][rows], method)
            parts[f"map_{name}"][rows] = found
        track(number + 1, len(folds))
    with atomic_path(folder.attributions) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, allow_pickle=False, **parts)
    thin = thin_wells(table, config.attribution.crops_per_well)
    occluded = occlude_cells(config, folder, thin, store, places)
    with atomic_path(folder.table("cell_occlusion")) as temporary:
        occluded.to_parquet(temporary, index=False)
    content = {"methods": {}, "target": "called class", "reason": ""}
    write_json(folder.metrics, read_json(folder.metrics) | {"attribution": content})


def _gallery(table: pd.DataFrame, class_names: tuple[str, ...]) -> NDArray[np.int64]:
    """Return rows of every class: right calls and wrong ones, each from weak to strong scores."""
    classes, called = class_index(table, class_names), called_index(table, class_names)
    chosen = []
    for index, name in enumerate(class_names):
        score = table[f"prob_{name}"].to_numpy(float)
        for right, most in ((True, _RIGHT), (False, _WRONG)):
            rows = np.flatnonzero((classes == index) & ((called == index) == right))
            order = rows[np.argsort(score[rows], kind="stable")]
            chosen.append(evenly_spaced(order, most))
    return np.concatenate(chosen).astype(np.int64)


def _facts(shown: pd.DataFrame, store: CropStore, config: ScreenConfig) -> dict[str, Any]:
    ids = shown["crop"].to_numpy(np.int64)
    called = called_index(shown, config.class_names)
    probability = np.array(
        [shown[f"prob_{config.class_names[k]}"].iloc[i] for i, k in enumerate(called)]
    )
    source = class_index(shown, config.class_names)
    return {
        "images": store.scaled(ids),
        "nuclei": store.nuclei(ids),
        "crop": ids,
        "plate": shown["Metadata_Plate"].to_numpy(str),
        "well": shown["Metadata_Well"].to_numpy(str),
        "source": source,
        "called": called,
        "target": called,
        "score": np.log(probability) - np.log1p(-np.minimum(probability, 1 - 1e-12)),
        "outcome": np.where(source == called, "right", "wrong"),
    }
