"""Stage: train a network a fold."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import torch

from counterstain.config import ScreenConfig
from counterstain.files import atomic_path
from counterstain.networks.base import Classifier
from counterstain.networks.build import build_network
from counterstain.networks.checkpoint import load_network, save_network
from counterstain.networks.generative import GenerativeClassifier
from counterstain.plates.store import CropStore
from counterstain.run_folder import RunFolder
from counterstain.stages.progress import Listener
from counterstain.stages.record import RunRecord
from counterstain.stages.rows import class_index, group_wells
from counterstain.training.budget import DEFAULT_STEPS, steps_for_budget
from counterstain.training.device import Machine, choose_machine
from counterstain.training.folds import TrainedFold, fold_seed, train_fold
from counterstain.training.loop import FitSettings, TrainingCrops
from counterstain.training.recipes import recipe_for

__all__ = ["check_network", "fit_settings", "network_recipe", "train_networks"]


def network_recipe(config: ScreenConfig, channels: int, size: int) -> dict[str, Any]:
    """Return the arguments of `build_network` for crops of a screen."""
    model = config.model
    recipe = {
        "network": model.network,
        "channels": channels,
        "size": size,
        "n_classes": len(config.classes),
        "channel_names": list(config.images.channels),
        "class_names": list(config.class_names),
        # Only a crop that is centred on a cell has a middle that means something.
        "places": "rings" if config.crops.kind == "cells" else "all",
    }
    if model.network == "resnext50":
        return recipe | {"pretrained": model.pretrained}
    options = {"hidden": model.hidden, "blocks": model.blocks, "lipschitz": model.lipschitz}
    return recipe | {key: value for key, value in options.items() if value is not None}


def fit_settings(config: ScreenConfig, steps: int, fold: int) -> FitSettings:
    """Return how the network of a fold is trained."""
    model, usual = config.model, recipe_for(config.model.network)
    names = ("learning_rate", "class_weight", "label_smoothing", "balance", "affine_jitter")
    given = {name: getattr(model, name) for name in names}
    chosen = {k: getattr(usual, k) if value is None else value for k, value in given.items()}
    return FitSettings(
        steps=steps,
        minibatch=model.minibatch,
        gain_jitter=model.gain_jitter,
        offset_jitter=model.offset_jitter,
        averaging=usual.averaging,
        weight_decay=usual.weight_decay,
        seed=fold_seed(config.run.seed, fold),
        **chosen,
    )


def check_network(config: ScreenConfig, size: int) -> None:
    """Build the network once and drop it, so that what is refused is refused before any work.

    Parameters
    ----------
    config : ScreenConfig
        The screen's configuration.
    size : int
        Height and width of the crops, pixels.

    Raises
    ------
    InvalidInputError
        If the network cannot be built for these crops, or the device is not there.
    """
    choose_machine(config.run.device)
    _untrained(network_recipe(config, len(config.images.channels), size))


def _untrained(recipe: dict[str, Any]) -> Classifier:
    """Build a network to look at, without a download and without a draw from the seed."""
    with torch.random.fork_rng(devices=[]):
        return build_network(**(recipe | {"pretrained": False}))


def _steps(config: ScreenConfig, recipe: dict[str, Any], folds: int, machine: Machine) -> int:
    if config.model.steps is not None:
        return config.model.steps
    if config.run.budget is None:
        return DEFAULT_STEPS
    return steps_for_budget(
        _untrained(recipe),
        budget_s=config.run.budget,
        folds=folds,
        minibatch=config.model.minibatch,
        device=machine.device,
    )


def _training_crops(
    crops: pd.DataFrame, store: CropStore, fold: int, class_names: tuple[str, ...]
) -> TrainingCrops:
    index = class_index(crops, class_names)
    seen = ((crops["fold"] != fold) & crops["usable"] & (index >= 0)).to_numpy()
    ids = crops["crop"].to_numpy(np.int64)[seen]
    return TrainingCrops(store, ids, index[seen], group_wells(crops)[0][seen])


def _metadata(
    trained: TrainedFold, store: CropStore, config: ScreenConfig, fold: int, settings: FitSettings
) -> dict[str, Any]:
    network = trained.network
    return {
        "classes": list(config.class_names),
        "channels": list(store.channels),
        "fold": fold,
        "seed": settings.seed,
        "steps": settings.steps,
        "minibatch": settings.minibatch,
        "generative": isinstance(network, GenerativeClassifier),
        "error_kind": getattr(network, "error_kind", None),
        "origin": getattr(network, "origin", "from scratch"),
        "parameters": sum(p.numel() for p in network.parameters()),
        "train_accuracy": trained.train_accuracy,
        # JSON has no NaN, and networks without a likelihood have no bits per dimension.
        "history": [
            {key: value if math.isfinite(value) else None for key, value in row.items()}
            for row in trained.history
        ],
    }


def train_networks(
    config: ScreenConfig,
    folder: RunFolder,
    crops: pd.DataFrame,
    store: CropStore,
    record: RunRecord,
    listener: Listener,
) -> None:
    """Train a network a fold on the wells outside it; one that is on disk already is kept.

    Writes ``models/fold_K.safetensors`` and ``.json``, and ``tables/training.parquet``.
    """
    machine = choose_machine(config.run.device)
    recipe = network_recipe(config, store.shape[1], store.shape[2])
    folds = sorted(int(fold) for fold in crops["fold"].unique() if fold >= 0)
    steps = _steps(config, recipe, len(folds), machine)
    record.content["device"] = machine.description
    record.resolve(steps=steps, folds=len(folds), precision=machine.precision)
    listener.say(f"Training {len(folds)} networks of {steps} steps on {machine.description}.")
    histories = []
    for fold in folds:
        path = folder.models / f"fold_{fold}"
        if not path.with_suffix(".json").is_file():
            settings = fit_settings(config, steps, fold)
            trained = train_fold(
                _training_crops(crops, store, fold, config.class_names),
                recipe,
                settings,
                machine,
                progress=listener.track(f"network {fold + 1} of {len(folds)}"),
            )
            save_network(trained.network, path, _metadata(trained, store, config, fold, settings))
        history = pd.DataFrame(load_network(path)[1]["history"])
        # Seconds differ from run to run; tables must not.
        histories.append(history.drop(columns="seconds").astype(float).assign(fold=fold))
    with atomic_path(folder.table("training")) as temporary:
        pd.concat(histories, ignore_index=True).to_parquet(temporary, index=False)
