"""The U-Net for nuclei: trained by its recipe, scored on images held back, and timed.

Fields of the co-culture for training are chosen by a rule that looks at no result: of the eight
acquisitions with most fields (ties: first name) the field with most annotated nuclei.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tifffile
import torch
from numpy.typing import NDArray
from segmentation_speed import compare_speed

from counterstain.masks.agreement import mask_agreement, mean_agreement
from counterstain.masks.instances import InstanceSettings, instances_from_maps
from counterstain.masks.label_import import read_labels
from counterstain.masks.thresholds import threshold_mask
from counterstain.masks.unet import UNetSegmenter
from counterstain.training.segmenter_recipe import SegmenterRecipe, read_recipe
from counterstain.training.segmenter_split import split_by_look

HERE = Path(__file__).resolve().parent
Labelled = tuple[NDArray[Any], NDArray[np.int32]]
SADDLES = (0.4, 0.5, 0.6, 0.7, 0.8)


def dsb2018(data: Path, seed: int) -> tuple[dict[str, list[Labelled]], int]:
    """Return images and labels for training, validation and testing, and how many are left out."""
    index = pd.read_csv(data / "dsb2018" / "index.csv")
    sizes = list(zip(index["height"], index["width"], strict=True))
    split = split_by_look(sizes, index["mean_intensity"], seed=seed)
    parts = {
        use: [_dsb_image(data / "dsb2018", index["id"].iloc[i]) for i in getattr(split, use)]
        for use in ("train", "validation", "test")
    }
    return parts, len(split.left_out)


def _dsb_image(folder: Path, name: str) -> Labelled:
    plane = read_labels(folder / "images" / f"{name}.png")  # 8-bit grey: whole numbers as well
    image = np.stack([plane, np.zeros_like(plane)]).astype(np.uint16)
    return image, read_labels(folder / "labels" / f"{name}.png")


def coculture(data: Path) -> dict[str, list[Labelled]]:
    """Return eight fields to train on, and the others; channels are nuclei, effectors."""
    fields: dict[str, Labelled] = {}
    for path in sorted((data / "coculture" / "images").glob("*.tif")):
        labels = read_labels(data / "coculture" / "target_masks" / path.name)
        fields[path.stem] = (tifffile.imread(path)[::-1].copy(), labels)
    acquisitions = defaultdict(list)
    for name in fields:
        acquisitions["numbered" if name[0].isdigit() else re.split(r"[_\d]", name)[0]].append(name)
    largest = sorted(acquisitions, key=lambda key: (-len(acquisitions[key]), key))[:8]
    chosen = {
        max(acquisitions[key], key=lambda name: len(np.unique(fields[name][1]))) for key in largest
    }
    return {
        "train": [fields[name] for name in sorted(chosen)],
        "test": [fields[name] for name in sorted(set(fields) - chosen)],
    }


def train(recipe: SegmenterRecipe, groups: dict[str, list[Labelled]]) -> UNetSegmenter:
    """Train by the recipe, and say what it took."""
    segmenter = recipe.segmenter()
    fields = [
        recipe.field(image, labels, group)
        for group, pairs in groups.items()
        for image, labels in pairs
    ]
    wall, cpu = time.perf_counter(), time.process_time()
    history = recipe.fit(segmenter, fields, progress=_progress)
    segmenter.metadata = {"history": history, "seed": recipe.settings.seed}
    report(
        "training",
        steps=recipe.steps,
        fields=len(fields),
        loss=history[-1]["loss"],
        wall_s=time.perf_counter() - wall,
        cpu_s=time.process_time() - cpu,
    )
    return segmenter


def _progress(done: int, steps: int) -> None:
    if done % 50 == 0:
        print(f"step {done} of {steps}", flush=True)


def choose_saddle(segmenter: UNetSegmenter, pairs: list[Labelled]) -> InstanceSettings:
    """Choose how deep a pass parts two heaps of votes on images that are not scored."""
    scales = [segmenter.fitting_scale(image) for image, _ in pairs]
    maps = [
        segmenter.maps(image, scale=scale) for (image, _), scale in zip(pairs, scales, strict=True)
    ]
    tried = {}
    for saddle in SADDLES:
        settings = replace(segmenter.instance_settings, saddle=saddle)
        found = [
            mask_agreement(instances_from_maps(field, settings, scale=scale), labels)
            for field, scale, (_, labels) in zip(maps, scales, pairs, strict=True)
        ]
        tried[saddle] = mean_agreement(found)["average_precision"]
    best = max(tried, key=lambda saddle: tried[saddle])
    report("saddle", chosen=best, validation_ap50=tried)
    return replace(segmenter.instance_settings, saddle=best)


def score(name: str, segmenter: UNetSegmenter, pairs: list[Labelled], scale: float | None) -> None:
    """Print a line of scores of a set of fields, with Otsu's beside them."""
    found = [
        mask_agreement(segmenter.instances(image, scale=scale), labels) for image, labels in pairs
    ]
    otsu = [
        mask_agreement(threshold_mask(image[0], "otsu").astype(np.uint8), labels)
        for image, labels in pairs
    ]
    by_level = {
        f"ap{round(100 * level)}": mean_agreement(found, level)["average_precision"]
        for level in found[0].levels
    }
    report(
        name,
        **mean_agreement(found),
        **by_level,
        worst_ap50=min(field.precision_at(0.5) for field in found),
        otsu_dice=mean_agreement(otsu)["dice"],
    )


def shared_scale(recipe: SegmenterRecipe, pairs: list[Labelled], group: str) -> float:
    """Return the magnification of fields of one pixel size: that of the median training field."""
    return float(np.median([recipe.field(image, labels, group).scale for image, labels in pairs]))


def report(what: str, **numbers: Any) -> None:
    """Print one JSON line."""
    print(json.dumps({"what": what, **numbers}, default=float), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=HERE.parent.parent / "shared" / "data")
    parser.add_argument("--recipe", type=Path, default=HERE.parent / "examples/nuclei_unet.toml")
    parser.add_argument("--weights", type=Path, required=True, help="made where missing")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    recipe = read_recipe(arguments.recipe)
    nuclei, left_out = dsb2018(arguments.data, recipe.settings.seed)
    mixed = coculture(arguments.data)
    report(
        "setting",
        machine=platform.processor() or platform.machine(),
        threads=arguments.threads,
        seed=recipe.settings.seed,
        dsb2018={use: len(pairs) for use, pairs in nuclei.items()} | {"left_out": left_out},
        coculture={use: len(pairs) for use, pairs in mixed.items()},
    )
    if not arguments.weights.with_suffix(".json").exists():
        segmenter = train(recipe, {"dsb2018": nuclei["train"], "coculture": mixed["train"]})
        segmenter.instance_settings = choose_saddle(segmenter, nuclei["validation"])
        segmenter.save(arguments.weights)
    segmenter = UNetSegmenter.load(arguments.weights)
    score("dsb2018 held back", segmenter, nuclei["test"], recipe.scale.get("dsb2018"))
    # Its fields were imaged at one pixel size: no field is to be looked at for its own.
    scale = shared_scale(recipe, mixed["train"], "coculture")
    score("coculture held back", segmenter, mixed["test"], scale)
    report("inference", **compare_speed(segmenter, [image for image, _ in mixed["test"]]))


if __name__ == "__main__":
    main()
