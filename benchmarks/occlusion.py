"""Occlusion of ResNeXt50 at 128 px against captum's, and fast maps against exact ones.

A network is trained for some steps on control wells of BBBC013 and of the simulated plate, so that
its maps mean something; crops are of wells that it did not see. ``speed`` times captum's default
(one window at a time), captum's fastest minibatch, and our exact and fast modes in turn on a crop
of BBBC013 (of the simulated plate where that is not there), five times; medians of the paired
ratios. ``bbbc013`` and ``demo`` give Spearman's correlation of fast with exact maps, by image.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from captum.attr import Occlusion
from real_screens import bbbc013_screen, data_folder
from scipy.stats import spearmanr
from torch import Tensor

from counterstain.attribution.sliding_occlusion import occlusion
from counterstain.networks import build_network, load_network, save_network
from counterstain.networks.base import Classifier
from counterstain.plates import CropStore, read_screen, simulate_plate
from counterstain.plates.writer import write_crops
from counterstain.run_folder import RunFolder
from counterstain.training.device import choose_machine
from counterstain.training.loop import FitSettings, TrainingCrops, fit

SEED = 0
SIZE, WINDOW, STRIDE = 128, 16, 8
MUST_REACH = {
    "exact_over_default": 3,
    "exact_over_best": 1.5,
    "fast_over_default": 10,
    "difference_of_range": 1e-3,
    "rank_correlation": 0.95,
}


def cut_crops(data: str, folder: Path) -> RunFolder:
    """Cut the control wells of BBBC013 or of a simulated plate into crops of 128 px."""
    folder.mkdir(parents=True, exist_ok=True)
    if data == "bbbc013":
        path = bbbc013_screen(folder, steps=None, shuffle_seed=None)
    else:
        path = Path(simulate_plate(folder / "plate", seed=SEED, compounds=0))
    text = re.sub(r"(?m)^size = \d+", f"size = {SIZE}", path.read_text(encoding="utf-8"))
    path.write_text(text, encoding="utf-8")
    run = RunFolder(folder / "run")
    write_crops(read_screen(path), run)
    return run


def trained(data: str, folder: Path, steps: int) -> tuple[Classifier, Tensor]:
    """Return a network trained for a while, and crops of wells that it did not see."""
    weights = folder / f"resnext50-{steps}"
    run = RunFolder(folder / "run") if (folder / "run").exists() else cut_crops(data, folder)
    table = pd.read_parquet(run.table("crops"))
    table = table[table["usable"] & (table["class_name"] != "")]
    classes = sorted(set(table["class_name"]))
    with CropStore.open(run.crops) as store:
        if not weights.with_suffix(".json").exists():
            _train(store, table[table["fold"] != 0], classes, steps, weights)
        held_out = table[table["fold"] == 0].sample(frac=1, random_state=SEED)
        images = torch.from_numpy(store.scaled(held_out["crop"].to_numpy()))
    return load_network(weights)[0].eval(), images


def _train(
    store: CropStore, table: pd.DataFrame, classes: list[str], steps: int, weights: Path
) -> None:
    torch.manual_seed(SEED)
    network = build_network(
        "resnext50",
        channels=store.shape[1],
        size=SIZE,
        n_classes=len(classes),
        class_names=classes,
        pretrained=False,
    )
    crops = TrainingCrops(
        store,
        table["crop"].to_numpy(),
        table["class_name"].map(classes.index).to_numpy(np.int64),
        table.groupby(["Metadata_Plate", "Metadata_Well"]).ngroup().to_numpy(np.int64),
    )
    settings = FitSettings(steps=steps, minibatch=16, learning_rate=1e-3, seed=SEED)
    record = fit(network, crops, settings, choose_machine("cpu"))
    print(json.dumps(record[-1]), flush=True)
    save_network(network, weights)


def seconds(run: Callable[[], Tensor]) -> tuple[float, Tensor]:
    start = time.perf_counter()
    result = run()
    return time.perf_counter() - start, result


def captum_map(network: Classifier, images: Tensor, per_eval: int) -> Tensor:
    """Explain class 0 with captum as it is, weights and all left alone."""
    channels = images.shape[1]
    found = Occlusion(network.class_logits).attribute(
        images,
        (channels, WINDOW, WINDOW),
        strides=(channels, STRIDE, STRIDE),
        target=0,
        perturbations_per_eval=per_eval,
    )
    return found.detach()


def ours(network: Classifier, images: Tensor, mode: Literal["exact", "fast"]) -> Tensor:
    return occlusion(network, images, 0, window=WINDOW, stride=STRIDE, mode=mode)


def best_per_eval(network: Classifier, images: Tensor, choices: list[int]) -> int:
    """Search captum's fastest minibatch on a few windows of the same network."""
    with torch.no_grad():
        spent = {}
        for count in choices:
            batch = images.repeat(count, 1, 1, 1)
            network.class_logits(batch)
            runs = [seconds(lambda batch=batch: network.class_logits(batch))[0] for _ in range(3)]
            spent[count] = statistics.median(runs) / count
    return min(spent, key=lambda count: spent[count])


def compare(network: Classifier, image: Tensor, pairs: int, choices: list[int]) -> dict[str, Any]:
    """Time captum's default, captum's best and ours in turn, on one image."""
    best = best_per_eval(network, image, choices)
    ratios: dict[str, list[float]] = {"exact": [], "exact_best": [], "fast": []}
    for _ in range(pairs):
        default, expected = seconds(lambda: captum_map(network, image, 1))
        batched, _ = seconds(lambda: captum_map(network, image, best))
        exact, found = seconds(lambda: ours(network, image, "exact"))
        fast, rough = seconds(lambda: ours(network, image, "fast"))
        ratios["exact"].append(default / exact)
        ratios["exact_best"].append(batched / exact)
        ratios["fast"].append(default / fast)
    span = float(expected.max() - expected.min())
    return {
        "exact_over_default": round(statistics.median(ratios["exact"]), 2),
        "exact_over_best": round(statistics.median(ratios["exact_best"]), 2),
        "best_perturbations_per_eval": best,
        "fast_over_default": round(statistics.median(ratios["fast"]), 2),
        "pairs": {name: [round(value, 2) for value in row] for name, row in ratios.items()},
        "seconds_default": round(default, 2),
        "difference_of_range": float((found - expected).abs().max()) / span,
        "rank_correlation": rank_correlation(found, rough),
    }


def rank_correlation(exact: Tensor, fast: Tensor) -> float:
    return round(float(spearmanr(exact[0, 0].flatten(), fast[0, 0].flatten()).statistic), 4)


def rank_correlations(network: Classifier, images: Tensor) -> list[float]:
    return [
        rank_correlation(ours(network, image[None], "exact"), ours(network, image[None], "fast"))
        for image in images
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=["speed", "bbbc013", "demo"])
    parser.add_argument("--folder", type=Path, help="keep crops and trained weights here")
    parser.add_argument("--steps", type=int, default=60, help="training steps")
    parser.add_argument("--images", type=int, default=4, help="images for the rank correlation")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--per-eval", type=int, nargs="+", default=[1, 2, 4, 8, 16, 32, 64])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    first = "bbbc013" if (data_folder() / "bbbc013").is_dir() else "demo"
    result: dict[str, Any] = {"benchmark": "occlusion", "must_reach": MUST_REACH}
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.folder or Path(scratch)
        for data in ("bbbc013", "demo"):
            timed = "speed" in arguments.parts and data == first
            if data not in arguments.parts and not timed:
                continue
            network, images = trained(data, folder / data, arguments.steps)
            if timed:
                result |= compare(network, images[:1], arguments.pairs, arguments.per_eval)
            if data in arguments.parts:
                found = rank_correlations(network, images[: arguments.images])
                result[f"rank_correlation_{data}"] = statistics.median(found)
                result[f"rank_correlations_{data}"] = found
    result |= {
        "window": WINDOW,
        "stride": STRIDE,
        "size": SIZE,
        "training_steps": arguments.steps,
        "seed": SEED,
        "machine": f"{platform.machine()}, {arguments.threads} threads",
        "torch": torch.__version__,
    }
    line = json.dumps(result)
    print(line)
    if arguments.json:
        arguments.json.write_text(line + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
