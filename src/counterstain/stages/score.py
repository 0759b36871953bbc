"""Stage: score every crop with networks that never saw its well."""

from __future__ import annotations

from dataclasses import dataclass

import anndata
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax

from counterstain.config import ScreenConfig
from counterstain.files import atomic_path
from counterstain.networks.checkpoint import load_network, note_in_recipe
from counterstain.plates.store import CropStore
from counterstain.run_folder import RunFolder
from counterstain.stages.progress import Listener
from counterstain.stages.rows import class_index, group_wells
from counterstain.statistics import Temperature, cross_fitted_temperatures
from counterstain.training.device import choose_machine
from counterstain.training.folds import CropScores, score_crops

__all__ = ["score_plate"]

_PROFILE_NOTE = (
    "X holds, for each well, the mean profile of its crops in the latent space of a network that "
    "did not see the well: that of obs['fold'] for wells of a class, that of fold 0 for the rest. "
    "Latent spaces of different folds have different axes: compare wells within a layer "
    "('fold_K', NaN where network K was trained on the well), not across folds."
)


@dataclass(frozen=True, slots=True)
class _Unseen:
    """The crops that a fold's network did not see, and where they stand in the table."""

    rows: NDArray[np.int64]
    scores: CropScores


def _score_fold(
    folder: RunFolder,
    config: ScreenConfig,
    crops: pd.DataFrame,
    wells: NDArray[np.int64],
    n_wells: int,
    store: CropStore,
    fold: int,
    listener: Listener,
) -> _Unseen:
    network, _ = load_network(folder.models / f"fold_{fold}")
    rows = np.flatnonzero(crops["fold"].isin([fold, -1]).to_numpy())
    scores = score_crops(
        network,
        store,
        crops["crop"].to_numpy(np.int64)[rows],
        wells[rows],
        n_wells + 1,
        choose_machine(config.run.device),
        symmetries=config.model.symmetries,
        progress=listener.track(f"scores of network {fold + 1}"),
    )
    return _Unseen(rows, scores)


def score_plate(
    config: ScreenConfig,
    folder: RunFolder,
    crops: pd.DataFrame,
    store: CropStore,
    listener: Listener,
) -> None:
    """Score all crops; wells in no class get the mean of all networks, none of which saw them.

    Writes ``tables/scores.parquet`` and ``profiles.h5ad``, and notes the temperature of each
    network in its recipe.
    """
    usable = crops["usable"].to_numpy(bool)
    codes, well_rows = group_wells(crops[usable])
    # Crops of faulty fields are scored, but belong to no well's profile: they share a last group.
    wells = np.full(len(crops), len(well_rows), np.int64)
    wells[usable] = codes
    folds = sorted(int(fold) for fold in crops["fold"].unique() if fold >= 0)
    parts = {
        fold: _score_fold(folder, config, crops, wells, len(well_rows), store, fold, listener)
        for fold in folds
    }
    temperatures = _temperatures(config, crops, wells, parts)
    for fold in folds:
        found = temperatures.get(fold)
        note_in_recipe(
            folder.models / f"fold_{fold}", {"temperature": found.to_json() if found else None}
        )
    scale = {fold: found.value for fold, found in temperatures.items()}
    table = _scores_table(
        crops,
        _mean_logits(len(crops), parts, dict.fromkeys(folds, 1.0)),
        _mean_logits(len(crops), parts, dict.fromkeys(folds, 1.0) | scale),
        config.class_names,
    )
    profiles = {fold: part.scores.profiles[: len(well_rows)] for fold, part in parts.items()}
    with atomic_path(folder.table("scores")) as temporary:
        table.to_parquet(temporary, index=False)
    _write_profiles(folder, profiles, well_rows)


def _mean_logits(
    count: int, parts: dict[int, _Unseen], scale: dict[int, float]
) -> NDArray[np.float64]:
    """Return the logits of every crop, each network's over its scale: (n, K)."""
    n_classes = next(iter(parts.values())).scores.logits.shape[1]
    total, times = np.zeros((count, n_classes)), np.zeros((count, 1))
    for fold, part in parts.items():
        total[part.rows] += part.scores.logits / scale[fold]
        times[part.rows] += 1
    return total / times


def _temperatures(
    config: ScreenConfig,
    crops: pd.DataFrame,
    wells: NDArray[np.int64],
    parts: dict[int, _Unseen],
) -> dict[int, Temperature]:
    """Fit the temperature of each network on the usable held-out crops of all other folds."""
    if not config.model.calibrate:
        return {}
    logits = _mean_logits(len(crops), parts, dict.fromkeys(parts, 1.0))
    index = class_index(crops, config.class_names)
    fold = crops["fold"].to_numpy(np.int64)
    known = crops["usable"].to_numpy(bool) & (index >= 0) & (fold >= 0)
    if np.unique(fold[known]).size < 2:
        return {}
    return cross_fitted_temperatures(logits[known], index[known], wells[known], fold[known])


def _scores_table(
    crops: pd.DataFrame,
    logits: NDArray[np.float64],
    calibrated: NDArray[np.float64],
    names: tuple[str, ...],
) -> pd.DataFrame:
    """Return the rows of crops: probabilities are calibrated, logits are the networks' own."""
    columns = ["crop", "field", "Metadata_Plate", "Metadata_Well", "class_name", "fold", "usable"]
    table = crops[columns].copy()
    probabilities = softmax(calibrated, axis=1)
    for position, name in enumerate(names):
        table[f"prob_{name}"] = probabilities[:, position]
    if len(names) == 2:
        table["logit"] = logits[:, 1] - logits[:, 0]
    else:
        log_probabilities = log_softmax(logits, axis=1)
        for position, name in enumerate(names):
            others = np.delete(log_probabilities, position, axis=1)
            rest = np.logaddexp.reduce(others, axis=1)
            table[f"logit_{name}"] = log_probabilities[:, position] - rest
    called = calibrated.argmax(1)
    table["predicted"] = np.array(names, object)[called]
    right = pd.array(called == class_index(table, names), dtype="boolean")
    right[(table["class_name"] == "").to_numpy()] = pd.NA
    table["correct"] = right
    return table


def _write_profiles(
    folder: RunFolder, profiles: dict[int, NDArray[np.float32]], wells: pd.DataFrame
) -> None:
    """Write the mean profiles of wells; see the note for what may be compared."""
    folds = wells["fold"].to_numpy(int)
    first = next(iter(profiles.values()))
    own = np.full_like(first, np.nan)
    for fold, values in profiles.items():
        chosen = folds == fold
        own[chosen] = values[chosen]
    own[folds == -1] = first[folds == -1]
    obs = wells.drop(columns="well").astype({"Metadata_Plate": str, "Metadata_Well": str})
    obs = obs.apply(lambda column: column.astype(str) if column.dtype == object else column)
    obs.index = pd.Index((obs["Metadata_Plate"] + "_" + obs["Metadata_Well"]).tolist())
    data = anndata.AnnData(X=own, obs=obs)
    data.var_names = [f"latent_{position}" for position in range(own.shape[1])]
    for fold, values in profiles.items():
        data.layers[f"fold_{fold}"] = values
    data.uns["note"] = _PROFILE_NOTE
    with atomic_path(folder.profiles) as temporary:
        data.write_h5ad(temporary)
