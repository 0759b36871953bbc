"""Fifteen phenotypes of MitoCheck crops: whole plates held out, F1 and calibration in one line.

Every crop is scored by a network that saw no crop of its plate; the temperature of each network is
fitted on the held-out crops of the other folds. ``--inner`` holds the plates of the outer folds
other than ``--only`` against each other instead: settings are chosen there, and no plate of that
fold is looked at.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.metrics import f1_score
from sklearn.model_selection import StratifiedGroupKFold

from counterstain.plates.labelled import LabelledCrops, read_labelled_crops
from counterstain.statistics import cross_fitted_temperatures, expected_calibration_error
from counterstain.training.device import choose_machine
from counterstain.training.folds import fold_seed, score_crops, train_fold
from counterstain.training.loop import FitSettings, TrainingCrops
from counterstain.training.recipes import recipe_for

ROOT = Path(__file__).resolve().parents[1]
PLATE = r"(.+?)___"
Split = tuple[NDArray[np.int64], NDArray[np.int64]]


def data_folder() -> Path:
    return Path(os.environ.get("COUNTERSTAIN_DATA", ROOT.parent / "shared" / "data"))


def split_by_plate(
    crops: LabelledCrops, rows: NDArray[np.int64], folds: int, seed: int
) -> list[Split]:
    """Return (training, held-out) rows of each fold; a plate is never in both."""
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    parts = splitter.split(rows, crops.classes[rows], crops.groups[rows])
    return [(rows[training], rows[held]) for training, held in parts]


def settings_for(network: str, steps: int, minibatch: int, seed: int) -> FitSettings:
    usual = recipe_for(network)
    return FitSettings(
        steps=steps,
        minibatch=minibatch,
        learning_rate=usual.learning_rate,
        class_weight=usual.class_weight,
        label_smoothing=usual.label_smoothing,
        gain_jitter=0.4,
        offset_jitter=0.02,
        balance=usual.balance,
        affine_jitter=usual.affine_jitter,
        averaging=usual.averaging,
        weight_decay=usual.weight_decay,
        seed=seed,
    )


def held_out_logits(
    crops: LabelledCrops, split: Split, network: str, settings: FitSettings
) -> NDArray[np.float64]:
    """Train on the one part, and return the logits of the other, over eight views a crop."""
    machine = choose_machine("cpu")
    training, held = split
    seen = TrainingCrops(crops, training, crops.classes[training], crops.group_index[training])
    recipe = {
        "network": network,
        "channels": crops.pixels.shape[1],
        "size": crops.pixels.shape[2],
        "n_classes": len(crops.class_names),
    }
    trained = train_fold(seen, recipe, settings, machine)
    nowhere = np.zeros(len(held), np.int64)
    return score_crops(trained.network, crops, held, nowhere, 1, machine, symmetries=8).logits


def measure(
    crops: LabelledCrops, rows: NDArray[np.int64], probabilities: NDArray[np.float64], seed: int
) -> dict[str, Any]:
    true, called = crops.classes[rows], probabilities.argmax(1)
    labels = range(len(crops.class_names))
    found = expected_calibration_error(
        probabilities, true, crops.groups[rows], crops.class_names, seed=seed
    )
    by_class = f1_score(true, called, labels=labels, average=None, zero_division=0.0)
    return {
        "weighted_f1": round(float(f1_score(true, called, average="weighted")), 4),
        "macro_f1": round(float(by_class.mean()), 4),
        "ece": round(found.error.value, 4),
        "ece_interval": [round(found.error.low, 4), round(found.error.high, 4)],
        "overconfidence": round(found.confidence.value, 4),
        "log_loss": round(found.log_loss.value, 4),
        "f1": dict(zip(crops.class_names, by_class.round(3).tolist(), strict=True)),
    }


def run(options: argparse.Namespace) -> dict[str, Any]:
    start = time.perf_counter()
    crops = read_labelled_crops(data_folder() / "mitocheck", PLATE, leave_out=["OutOfFocus"])
    splits = split_by_plate(crops, np.arange(len(crops)), options.folds, options.seed)
    if options.inner:
        splits = split_by_plate(crops, splits[options.only or 0][0], options.folds, options.seed)
    chosen = range(len(splits)) if options.only is None or options.inner else [options.only]
    logits = np.zeros((len(crops), len(crops.class_names)))
    fold = np.full(len(crops), -1, np.int64)
    for number in chosen:
        settings = settings_for(
            options.network, options.steps, options.minibatch, fold_seed(options.seed, number)
        )
        held = splits[number][1]
        logits[held] = held_out_logits(crops, splits[number], options.network, settings)
        fold[held] = number
        right = f1_score(crops.classes[held], logits[held].argmax(1), average="weighted")
        print(f"fold {number}: weighted F1 {right:.4f} of {len(held)} crops", flush=True)
    rows = np.flatnonzero(fold >= 0)
    temperatures = [1.0] * len(splits)
    if len(chosen) > 1:
        fitted = cross_fitted_temperatures(
            logits[rows], crops.classes[rows], crops.groups[rows], fold[rows]
        )
        temperatures = [fitted[number].value for number in chosen]
    scale = np.array(temperatures)[fold[rows], None]
    raw = expected_calibration_error(
        softmax(logits[rows], axis=1),
        crops.classes[rows],
        crops.groups[rows],
        crops.class_names,
        seed=options.seed,
    )
    return {
        **measure(crops, rows, softmax(logits[rows] / scale, axis=1), options.seed),
        "ece_uncalibrated": round(raw.error.value, 4),
        "temperatures": np.round(temperatures, 3).tolist(),
        "crops": len(rows),
        "plates": len(np.unique(crops.groups[rows])),
        "folds": len(chosen),
        "inner": options.inner,
        "network": options.network,
        "steps": options.steps,
        "minibatch": options.minibatch,
        "seed": options.seed,
        "seconds": round(time.perf_counter() - start, 1),
        "machine": f"{platform.machine()}, {torch.get_num_threads()} threads",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--only", type=int, help="one outer fold alone; then without temperature")
    parser.add_argument("--inner", action="store_true", help="inside the plates outside of --only")
    parser.add_argument("--network", default="compact")
    parser.add_argument("--steps", type=int, default=750)
    parser.add_argument("--minibatch", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    print(json.dumps(run(parser.parse_args())))


if __name__ == "__main__":
    main()
