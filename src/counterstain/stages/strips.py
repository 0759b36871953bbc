"""The pictures of the report: a spread of wells, each crop on both sides of the boundary."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from counterstain.config import ScreenConfig
from counterstain.files import atomic_path
from counterstain.networks.checkpoint import load_network
from counterstain.plates.store import CropStore
from counterstain.run_folder import RunFolder
from counterstain.stages.editing import edit_as_configured
from counterstain.stages.rows import class_index, evenly_spaced, group_wells

__all__ = ["write_strips"]


def _typical_crops(table: pd.DataFrame, config: ScreenConfig) -> NDArray[np.int64]:
    """Return a row a well, wells spread evenly over each class: the crop of median score.

    The median crop, so that nobody can say the prettiest was picked.
    """
    names = config.class_names
    classes, (wells, _) = class_index(table, names), group_wells(table)
    per_class = max(1, config.run.counterfactual_wells // len(names))
    chosen = []
    for index, name in enumerate(names):
        column = f"prob_{name}" if len(names) > 2 else "logit"
        scores = table[column].to_numpy(float)
        for well in evenly_spaced(np.unique(wells[classes == index]), per_class):
            rows = np.flatnonzero(wells == well)
            order = rows[np.argsort(scores[rows], kind="stable")]
            chosen.append(order[len(order) // 2])
    return np.array(chosen, np.int64)


def write_strips(
    config: ScreenConfig,
    folder: RunFolder,
    table: pd.DataFrame,
    store: CropStore,
    tolerance: float,
) -> None:
    """Write ``counterfactuals.npz``: original, on the boundary, and beyond it, for some wells.

    Parameters
    ----------
    config : ScreenConfig
        How many wells.
    folder : RunFolder
        Holds the networks and gets the file.
    table : DataFrame
        Labelled crops with their scores and folds.
    store : CropStore
        Pixels.
    tolerance : float
        Largest inverse error, in units of the image range; crops beyond it get no picture.
    """
    classes = class_index(table, config.class_names)
    kept: dict[str, list[object]] = {}
    for at in _typical_crops(table, config):
        row, source = table.iloc[at], int(classes[at])
        target = 0 if source else 1
        pixels = store.scaled(np.array([row["crop"]]))
        images = torch.from_numpy(pixels)
        network, _ = load_network(folder.models / f"fold_{int(row['fold'])}")
        if bool(network.domain.outside(images)[0]):
            continue
        pair = (source, target)
        boundary = edit_as_configured(config, network, images, pair, to="boundary")
        beyond = edit_as_configured(config, network, images, pair)
        error = float(torch.maximum(boundary.error_bound, beyond.error_bound)[0])
        if not error <= tolerance:
            continue  # counted among the refused; no picture is drawn from it
        facts = {
            "original": pixels[0],
            "boundary": boundary.images[0].numpy(),
            "counterfactual": beyond.images[0].numpy(),
            "crop": int(row["crop"]),
            "source": source,
            "target": target,
            "well": str(row["Metadata_Well"]),
            "plate": str(row["Metadata_Plate"]),
            "logit_original": float(boundary.logit_before[0]),
            "logit_boundary": float(boundary.logit_after[0]),
            "logit_counterfactual": float(beyond.logit_after[0]),
            "inverse_error": error,
            "stopped": bool(beyond.stopped[0]),
        }
        for key, value in facts.items():
            kept.setdefault(key, []).append(value)
    with atomic_path(folder.counterfactuals) as temporary, temporary.open("wb") as stream:
        arrays: dict[str, Any] = {key: np.array(value) for key, value in kept.items()}
        np.savez_compressed(stream, **arrays)
