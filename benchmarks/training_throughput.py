"""Training throughput against a bare loop over the same tensors in memory.

The training loop reads crops from the store by index, turns, mirrors and dequantises them in a
second thread. The bare loop has all that done beforehand. Both run in turn, five times; the median
of the paired ratios is what counts.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

from counterstain.networks import build_network
from counterstain.plates import CropStore, read_screen, simulate_plate
from counterstain.plates.writer import write_crops
from counterstain.run_folder import RunFolder
from counterstain.training.device import choose_machine
from counterstain.training.loop import FitSettings, TrainingCrops, fit
from counterstain.training.minibatches import BalancedSampler, Minibatch, minibatches
from counterstain.training.objective import Objective


def training_crops(store: CropStore) -> TrainingCrops:
    count = len(store)
    ids = np.arange(count)
    return TrainingCrops(store, ids, (ids % 2).astype(np.int64), (ids % 16).astype(np.int64))


def network_for(store: CropStore):
    torch.manual_seed(0)
    return build_network("coupling", channels=store.shape[1], size=store.shape[2], n_classes=2)


def seconds_of_fit(store: CropStore, steps: int) -> float:
    network, crops = network_for(store), training_crops(store)
    settings = FitSettings(steps=steps)
    start = time.perf_counter()
    fit(network, crops, settings, choose_machine("cpu"))
    return time.perf_counter() - start


def prepared(store: CropStore, steps: int) -> list[Minibatch]:
    crops, generator = training_crops(store), np.random.default_rng(0)
    sampler = BalancedSampler(crops.ids, crops.classes, crops.wells, generator)
    return list(minibatches(store, sampler, size=48, steps=steps, generator=generator))


def seconds_of_bare_loop(store: CropStore, batches: list[Minibatch]) -> float:
    machine = choose_machine("cpu")
    start = time.perf_counter()
    objective = Objective(network_for(store), 0.1, 0.05).train()
    objective.to(memory_format=torch.channels_last)
    optimiser = torch.optim.Adam(objective.parameters(), 2e-3, betas=(0.9, 0.99))
    for batch in batches:
        with torch.autocast("cpu", torch.bfloat16, enabled=machine.precision != "32-true"):
            losses = objective(batch.images, batch.classes, batch.log_bin)
        optimiser.zero_grad(set_to_none=True)
        losses.total.backward()
        nn.utils.clip_grad_norm_(objective.parameters(), 5.0)
        optimiser.step()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    with tempfile.TemporaryDirectory() as scratch:
        screen = read_screen(
            simulate_plate(Path(scratch) / "plate", seed=0, fields_per_well=1, compounds=2)
        )
        folder = RunFolder(Path(scratch) / "run")
        write_crops(screen, folder)
        with CropStore.open(folder.crops) as store:
            batches = prepared(store, arguments.steps)
            seconds_of_fit(store, 3)
            ratios = [
                seconds_of_bare_loop(store, batches) / seconds_of_fit(store, arguments.steps)
                for _ in range(arguments.pairs)
            ]
    result = {
        "benchmark": "training_throughput",
        "share_of_bare_loop": round(statistics.median(ratios), 3),
        "pairs": [round(ratio, 3) for ratio in ratios],
        "must_reach": 0.9,
        "seed": 0,
        "threads": arguments.threads,
        "machine": platform.processor() or platform.machine(),
        "torch": torch.__version__,
    }
    print(json.dumps(result))
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
