"""Stage: how well the networks model wells that they never saw, in bits per dimension."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from counterstain.config import ScreenConfig
from counterstain.files import atomic_path, read_json, write_json
from counterstain.networks.base import Classifier
from counterstain.networks.checkpoint import load_network
from counterstain.networks.invertible import InvertibleNetwork
from counterstain.plates.store import CropStore
from counterstain.run_folder import RunFolder
from counterstain.stages.progress import Listener
from counterstain.stages.rows import group_wells, thin_wells
from counterstain.statistics.effects import mean_by_well
from counterstain.statistics.resampling import well_bootstrap
from counterstain.training.device import choose_machine
from counterstain.training.folds import fold_seed
from counterstain.training.minibatches import dequantise
from counterstain.training.objective import bits_per_dimension
from counterstain.types import Estimate

__all__ = ["measure_likelihood"]

_CROPS_A_WELL = 100
_CROPS_A_WELL_IN_NO_CLASS = 25
_TRAINED_CROPS_A_WELL = 25
_BLOCK = 128


@torch.no_grad()
def _bits(
    network: InvertibleNetwork, ids: NDArray[np.int64], store: CropStore, seed: int, device: str
) -> NDArray[np.float64]:
    """Return bits per dimension of crops, dequantised as in training, a block at a time."""
    generator = np.random.default_rng(seed)
    parts = [np.empty(0)]
    for start in range(0, len(ids), _BLOCK):
        block = ids[start : start + _BLOCK]
        pixels = store.scaled(block)
        log_bin = torch.from_numpy(dequantise(pixels, store.count_step(block), generator))
        log_prob = network.log_prob(torch.from_numpy(pixels).to(device)).cpu().double()
        dimensions = pixels[0].size
        parts.append(bits_per_dimension(log_prob, log_bin.double(), dimensions).numpy())
    return np.concatenate(parts)


def _without_likelihood(network: Classifier) -> str:
    name = network.arguments.get("network")
    return f"{name} has no likelihood, so there are no bits per dimension and no samples."


def _score_folds(
    config: ScreenConfig,
    folder: RunFolder,
    table: pd.DataFrame,
    store: CropStore,
    listener: Listener,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return a row a crop with its bits: of the network that never saw it, and of those that did.

    Wells in no class were seen by no network; they are scored by the first.
    """
    folds = sorted(int(fold) for fold in table["fold"].unique() if fold >= 0)
    track, device = listener.track("likelihood"), choose_machine(config.run.device).device
    unseen: list[pd.DataFrame] = []
    seen: list[pd.DataFrame] = []
    for number, fold in enumerate(folds):
        network, _ = load_network(folder.models / f"fold_{fold}", channels=store.channels)
        if not isinstance(network, InvertibleNetwork):
            raise TypeError("only invertible networks have a likelihood")
        network.to(device)
        held = thin_wells(table[table["fold"] == fold], _CROPS_A_WELL)
        if fold == folds[0]:
            others = thin_wells(table[table["fold"] == -1], _CROPS_A_WELL_IN_NO_CLASS)
            held = pd.concat([held, others], ignore_index=True)
        trained = table[(table["fold"] != fold) & (table["fold"] >= 0)]
        trained = thin_wells(trained, _TRAINED_CROPS_A_WELL)
        for rows, kept in ((held, unseen), (trained, seen)):
            ids = rows["crop"].to_numpy(np.int64)
            seed = fold_seed(config.run.seed, fold)
            kept.append(rows.assign(bits=_bits(network, ids, store, seed, device)))
        track(number + 1, len(folds))
    return pd.concat(unseen, ignore_index=True), pd.concat(seen, ignore_index=True)


def _by_well(unseen: pd.DataFrame, seen: pd.DataFrame) -> pd.DataFrame:
    """Return a row a well: means of its crops, held out and in training, and their difference."""
    keys = ["Metadata_Plate", "Metadata_Well"]
    held = unseen.groupby(keys, dropna=False).agg(
        class_name=("class_name", "first"),
        fold=("fold", "first"),
        n_crops=("crop", "size"),
        bits_per_dim=("bits", "mean"),
    )
    trained = seen.groupby(keys, dropna=False)["bits"].mean().rename("bits_per_dim_trained")
    wells = held.join(trained, how="left").reset_index()
    wells["gap"] = wells["bits_per_dim"] - wells["bits_per_dim_trained"]
    return wells


def _over_classes(wells: pd.DataFrame, column: str, names: Sequence[str], seed: int) -> Estimate:
    """Estimate the mean over the wells of all classes, wells drawn again within their class."""
    groups = [wells.loc[wells["class_name"] == name, column].to_numpy(float) for name in names]
    groups = [group for group in groups if len(group)]
    if not groups:
        return Estimate.undefined("no well of a class has usable crops")

    def mean(*samples: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.concatenate(samples, axis=1).mean(axis=1))

    return well_bootstrap(mean, groups, seed=seed)


def _summary(wells: pd.DataFrame, unseen: pd.DataFrame, config: ScreenConfig) -> dict[str, Any]:
    names, seed = config.class_names, config.run.seed
    overall = {
        key: _over_classes(wells, column, names, seed).to_json()
        for key, column in (
            ("held_out", "bits_per_dim"),
            ("trained", "bits_per_dim_trained"),
            ("gap", "gap"),
        )
    }
    by_class = {}
    for name in names:
        rows = unseen[unseen["class_name"] == name]
        by_class[name] = mean_by_well(rows["bits"], group_wells(rows)[0], seed=seed).to_json()
    counts = unseen["class_name"].value_counts()
    return {
        **overall,
        "by_class": by_class,
        "n_crops": {name: int(counts.get(name, 0)) for name in names},
        "crops_a_well": _CROPS_A_WELL,
        "reason": "",
    }


def measure_likelihood(
    config: ScreenConfig,
    folder: RunFolder,
    crops: pd.DataFrame,
    store: CropStore,
    listener: Listener,
) -> None:
    """Measure the bits per dimension of every well by a network that never saw it.

    Writes ``tables/likelihood.parquet`` and the key ``likelihood`` of ``metrics.json``: means over
    held-out wells, over the same wells by the networks that were trained on them, and the gap.
    For networks without a likelihood only the reason is written.

    Parameters
    ----------
    config, folder, crops, store, listener
        As for the other stages. At most 100 crops a well are looked at (25 where the well is in
        no class), spread over the well.
    """
    folder.table("likelihood").unlink(missing_ok=True)
    table = crops[crops["usable"]]
    folds = sorted(int(fold) for fold in crops["fold"].unique() if fold >= 0)
    first, _ = load_network(folder.models / f"fold_{folds[0]}")
    if not isinstance(first, InvertibleNetwork):
        summary: dict[str, Any] = {"reason": _without_likelihood(first)}
    else:
        unseen, seen = _score_folds(config, folder, table, store, listener)
        wells = _by_well(unseen, seen)
        with atomic_path(folder.table("likelihood")) as temporary:
            wells.to_parquet(temporary, index=False)
        summary = _summary(wells, unseen, config)
    write_json(folder.metrics, read_json(folder.metrics) | {"likelihood": summary})
