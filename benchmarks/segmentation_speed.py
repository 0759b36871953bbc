"""A segmenter against the same network in fp32 eager with MONAI's usual windows, paired."""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.inferers import sliding_window_inference
from numpy.typing import NDArray
from torch import Tensor

from counterstain.masks.unet import UNetSegmenter
from counterstain.masks.unet_network import side_multiple
from counterstain.masks.unet_scaling import network_input
from counterstain.masks.unet_windows import WindowSettings, run_windows

EDGE = 2048
REPEATS = 5
EAGER_SIDE = 256


def large_field(images: list[NDArray[Any]], edge: int) -> Tensor:
    """Lay fields side by side until they fill a square, each on the network's scale."""
    tiles = [network_input(image)[:, :512, :512] for image in images if min(image.shape[1:]) >= 512]
    count = -(-edge // 512)
    rows = [
        np.concatenate([tiles[(row * count + column) % len(tiles)] for column in range(count)], 2)
        for row in range(count)
    ]
    return torch.from_numpy(np.concatenate(rows, 1)[None, :, :edge, :edge].copy())


def eager(segmenter: UNetSegmenter, image: Tensor, overlap: float) -> Tensor:
    """Logits of the network as trained: fp32, eager, windows of 256 px."""
    with torch.no_grad():
        return sliding_window_inference(  # type: ignore[return-value]
            image, EAGER_SIDE, 4, segmenter.network, overlap=overlap, mode="gaussian"
        )


def compare_speed(
    segmenter: UNetSegmenter, images: list[NDArray[Any]], edge: int = EDGE
) -> dict[str, Any]:
    """Time both on one field, in turns; medians, ratios and the Dice between their masks."""
    image = large_field(images, edge)
    segmenter.maps(np.ones((len(segmenter.channels), 64, 64)))  # folds the norms
    folded = segmenter._folded
    assert folded is not None
    multiple = side_multiple(segmenter.widths)
    same = WindowSettings(side=EAGER_SIDE, overlap=EAGER_SIDE // 4, skip_empty=False)
    calls: dict[str, Callable[[], Tensor]] = {
        "eager": lambda: eager(segmenter, image, 0.25),
        "eager_half_overlap": lambda: eager(segmenter, image, 0.5),
        "folded_same_windows": lambda: run_windows(folded, image, same, multiple),
        "segmenter": lambda: run_windows(folded, image, segmenter.window_settings, multiple),
    }
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    masks = {}
    for _ in range(REPEATS):
        for name, call in calls.items():
            start = time.perf_counter()
            logits = call()
            seconds[name].append(time.perf_counter() - start)
            masks[name] = (logits[0, 0] >= 0).numpy()
    return {
        "edge": edge,
        "threads": torch.get_num_threads(),
        **{f"{name}_s": statistics.median(times) for name, times in seconds.items()},
        **{
            f"{name}_ratio": statistics.median(
                a / b for a, b in zip(seconds["eager"], times, strict=True)
            )
            for name, times in seconds.items()
        },
        "dice_between": {name: _dice(masks["eager"], mask) for name, mask in masks.items()},
    }


def _dice(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    total = int(first.sum() + second.sum())
    return 2 * int((first & second).sum()) / total if total else float("nan")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True, help="folder of .npy or .tif fields")
    parser.add_argument("--edge", type=int, default=EDGE)
    arguments = parser.parse_args()
    import tifffile

    images = [tifffile.imread(path)[::-1] for path in sorted(arguments.data.glob("*.tif"))]
    print(json.dumps({"machine": platform.processor() or platform.machine()}))
    print(json.dumps(compare_speed(UNetSegmenter.load(arguments.weights), images, arguments.edge)))


if __name__ == "__main__":
    main()
