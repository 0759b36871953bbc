"""What is learned of co-culture patches: regressors of overlap and classifiers, on a new plate.

Simulates a plate of 384 wells, cuts patches of 192 px (stored at half the size, plain and masked),
and runs the three learning stages with their default settings. Judged on wells that no network has
seen:

- regressor: RMSE at most half that of the constant predictor, Wasserstein distance between the
  histograms at most 10 % of the range;
- classifier: accuracy by patch at least 90 %, training minus test at most 5 points.

Prints machine, seed and one line of JSON a part and kind of image. Usage:
python benchmarks/overlap_learning.py [--seed N] [--plate FOLDER] [--json FILE]
[--images plain masked] [--parts latents regressor classifier]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tifffile
import torch

from counterstain.config import IMAGE_KINDS
from counterstain.masks.overlap_faulty import find_debris, without_debris
from counterstain.masks.overlap_patches import FAULTY_STATES, patch_overlaps
from counterstain.masks.thresholds import threshold_mask
from counterstain.plates.scaling import Histograms, PixelScaling
from counterstain.plates.simulate.coculture import simulate_coculture
from counterstain.plates.simulate.coculture_truth import TOKENS
from counterstain.plates.store import CropStore, CropWriter
from counterstain.run_folder import RunFolder
from counterstain.stages.overlap_classifier import learn_classes
from counterstain.stages.overlap_latent import learn_latents
from counterstain.stages.overlap_regressor import learn_overlap
from counterstain.training.patch_settings import PatchLearning

SEED = 11
PATCH_PX, PATCHES, BIN = 192, 9, 2
SOLVENT = "DMSO"
TARGETS = {"rmse_of_constant": 0.5, "wasserstein_of_range": 0.1, "accuracy": 0.9, "gap": 0.05}
STAGES = {"latents": learn_latents, "regressor": learn_overlap, "classifier": learn_classes}


def read_field(root: Path, field: Mapping[str, Any]) -> np.ndarray:
    well = field["well"]
    stem = f"{field['plate']} - {well[0]} - {well[1:]}(fld {field['site']} wv"
    return np.stack([tifffile.imread(root / "images" / f"{stem} {t}).tif") for t in TOKENS])


def scaling_of(root: Path, fields: list[dict[str, Any]], plate_map: pd.DataFrame) -> PixelScaling:
    """Scale by the negative controls without faults, as a screen is."""
    counts = Histograms(len(TOKENS), np.uint16)
    for field in fields:
        control = plate_map.loc[field["well"], "Metadata_control_type"] == "negcon"
        if control and not field["fault"]:
            counts.add(read_field(root, field))
    low, high, _ = counts.limits(fields[0]["plate"], TOKENS, (0.1, 99.9))
    return PixelScaling((fields[0]["plate"],), np.rint(low)[None], high[None])


def field_patches(
    pixels: np.ndarray, background: np.ndarray, fault: str
) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    debris = find_debris(pixels)
    masks = np.stack([threshold_mask(plane) for plane in without_debris(pixels, debris)])
    table = patch_overlaps(*masks, patch_px=PATCH_PX, n_patches=PATCHES, debris=debris, fault=fault)
    shown = {"plain": pixels, "masked": np.where(masks, pixels, background[:, None, None])}
    size = PATCH_PX // BIN
    cut = {}
    for kind, image in shown.items():
        whole = np.stack(
            [
                image[:, row : row + PATCH_PX, column : column + PATCH_PX]
                for row, column in zip(table["row_px"], table["column_px"], strict=True)
            ]
        )
        binned = whole.reshape(-1, len(TOKENS), size, BIN, size, BIN).mean((3, 5))
        cut[kind] = np.rint(binned).astype(np.uint16)
    return table, cut


def cut_plate(root: Path, out: Path) -> tuple[pd.DataFrame, dict[str, CropStore]]:
    """Cut a simulated plate into two stores and a table."""
    fields = json.loads((root / "truth.json").read_text())["fields"]
    plate_map = pd.read_csv(root / "platemap.csv").set_index("Metadata_Well")
    scaling = scaling_of(root, fields, plate_map)
    size = PATCH_PX // BIN
    writers = {
        kind: CropWriter(out / f"{kind}.zarr", (len(TOKENS), size, size), np.uint16)
        for kind in IMAGE_KINDS
    }
    tables = []
    for field in fields:
        pixels = read_field(root, field)
        table, cut = field_patches(pixels, scaling.low[0], field["fault"])
        place = {"Metadata_Well": field["well"], "Metadata_Site": field["site"]}
        table = table.assign(**place, **plate_map.loc[field["well"]].to_dict())
        tables.append(table)
        for kind, patches in cut.items():
            writers[kind].append(patches, np.zeros((len(patches), size, size), np.uint8), plate=0)
    attrs = {"channels": ["T cells", "dendritic cells"], "plates": list(scaling.plates)}
    for writer in writers.values():
        writer.close(attrs, scaling)
    patches = pd.concat(tables, ignore_index=True)
    untreated = patches["Metadata_Compound"] == SOLVENT
    patches["class_name"] = patches["Metadata_Stimulation"].where(untreated, "")
    patches["faulty"] = patches["state"].isin(FAULTY_STATES)
    return patches, {kind: CropStore.open(out / f"{kind}.zarr") for kind in IMAGE_KINDS}


def latent_line(found: Mapping[str, Any]) -> dict[str, Any]:
    keys = ("silhouette", "silhouette_p", "purity", "purity_chance", "purity_p")
    separation = {
        f"{space}_{label}": {key: row[key] for key in keys}
        for space, labels in found["separation"].items()
        for label, row in labels.items()
    }
    return {"test": found["reconstruction"]["test"], "separation": separation, "passed": True}


def regressor_line(found: Mapping[str, Any]) -> dict[str, Any]:
    test = found["test"]
    rmse = {model: row["rmse"] for model, row in test.items()}
    distance = test["network"]["wasserstein_of_range"]
    share = found["rmse_of_constant"]
    tried = {row["head"]: row["validation_rmse"] for row in found["tried"]}
    good = share <= TARGETS["rmse_of_constant"] and distance <= TARGETS["wasserstein_of_range"]
    numbers = {key: test["network"][key] for key in ("mae", "r2", "spearman")}
    return {
        "rmse": rmse,
        "rmse_of_constant": share,
        "wasserstein_of_range": distance,
        **numbers,
        "rmse_test_good": found["test_good"]["network"]["rmse"],
        "validation_rmse": tried,
        "chosen": found["chosen"],
        "passed": good,
    }


def classifier_line(found: Mapping[str, Any]) -> dict[str, Any]:
    accuracy, test = found["accuracy"], found["test"]
    names = ("start", "training", "reads", "weight_decay", "augmentation")
    tried = [
        [*(row[key] for key in names), row["train_accuracy"], row["validation_accuracy"]]
        for row in found["tried"]
    ]
    good = {
        level: row["test"] >= TARGETS["accuracy"] and row["gap"] <= TARGETS["gap"]
        for level, row in accuracy.items()
    }
    return {
        "accuracy": accuracy,
        "test_interval": {key: test["accuracy"][key] for key in ("crop", "well")},
        "confusion": test["confusion"],
        "class_names": found["class_names"],
        "faulty_recall": found["faulty_recall"],
        "chosen": {key: found["chosen"][key] for key in (*names, "step")},
        "tried": tried,
        "passed_by": good,
        "passed": good["patch"],
    }


LINES = {"latents": latent_line, "regressor": regressor_line, "classifier": classifier_line}


def run(
    folder: RunFolder,
    patches: pd.DataFrame,
    stores: dict[str, CropStore],
    settings: PatchLearning,
    parts: list[str],
) -> list[dict[str, Any]]:
    results = []
    for part in parts:
        stage = STAGES[part]
        start, cpu = time.perf_counter(), time.process_time()
        _, metrics = stage(settings, folder, patches, stores)
        seconds = {
            "seconds": round(time.perf_counter() - start),
            "cpu_seconds": round(time.process_time() - cpu),
            "load": round(os.getloadavg()[0], 1),
        }
        for kind, found in metrics.items():
            results.append({"part": part, "images": kind, **LINES[part](found), **seconds})
            print(json.dumps(results[-1]), flush=True)
    return results


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=SEED, help="of the plate and of the learning")
    parser.add_argument("--plate", type=Path, help="a simulated co-culture that is there already")
    parser.add_argument("--images", nargs="+", choices=IMAGE_KINDS, default=list(IMAGE_KINDS))
    parser.add_argument("--parts", nargs="+", choices=tuple(STAGES), default=list(STAGES))
    parser.add_argument("--json", type=Path, help="where to write the numbers")
    arguments = parser.parse_args()
    warnings.simplefilter("error")
    machine = (
        f"{platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads, "
        f"torch {torch.__version__}"
    )
    print(f"machine: {machine}; seed {arguments.seed}", flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        out, plate = Path(temporary), arguments.plate
        if plate is None:
            plate = simulate_coculture(out / "plate", seed=arguments.seed).parent
        patches, stores = cut_plate(plate, out)
        print(
            json.dumps({"patches": len(patches), **patches["state"].value_counts().to_dict()}),
            flush=True,
        )
        settings = PatchLearning(images=tuple(arguments.images), seed=arguments.seed)
        results = run(RunFolder(out / "run"), patches, stores, settings, arguments.parts)
    if arguments.json is not None:
        content = {"benchmark": "overlap_learning", "seed": arguments.seed, "machine": machine}
        arguments.json.write_text(json.dumps(content | {"parts": results}, indent=2) + "\n")
    return 0 if all(row["passed"] for row in results) else 1


if __name__ == "__main__":
    raise SystemExit(main())
