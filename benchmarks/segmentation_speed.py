"""A segmenter against the same network in fp32 eager, whole field and MONAI's windows, paired."""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import tifffile
import torch
from monai.inferers import sliding_window_inference
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from counterstain.masks.unet import UNetSegmenter
from counterstain.masks.unet_network import inference_copy, side_multiple
from counterstain.masks.unet_scaling import network_input
from counterstain.masks.unet_windows import WindowSettings, run_windows

EDGE = 2048
SCALE = 0.5  # of the co-culture fields, 0.31 µm/px: cells as large as in training
REPEATS = 5
# Side and overlap of MONAI's windows. A quarter is MONAI's default; only with the second the
# masks no longer depend on where windows end.
BASELINES = {"eager_256_quarter": (256, 0.25), "eager_512_half": (512, 0.5)}
# The windows of the first baseline, so that the masks are the same but for rounding.
SAME_WINDOWS = WindowSettings(side=256, overlap=64, skip_empty=False)


def large_field(images: list[NDArray[Any]], edge: int, scale: float = SCALE) -> Tensor:
    """Make a square of fields on the network's scale, each mirrored so that it has no seams."""
    tile = 256
    blocks = []
    for image in images:
        plane = torch.from_numpy(network_input(image))[None]
        small = functional.interpolate(plane, scale_factor=scale, mode="bilinear", antialias=True)
        if min(small.shape[-2:]) >= tile:
            corner = small[..., :tile, :tile]
            half = torch.cat([corner, corner.flip(-1)], -1)
            blocks.append(torch.cat([half, half.flip(-2)], -2))
    count = -(-edge // (2 * tile))
    rows = [
        torch.cat([blocks[(row * count + column) % len(blocks)] for column in range(count)], -1)
        for row in range(count)
    ]
    return torch.cat(rows, -2)[..., :edge, :edge].contiguous()


def eager(segmenter: UNetSegmenter, image: Tensor, side: int, overlap: float) -> Tensor:
    """Logits of the network as trained: fp32, eager, MONAI's windows with its Gaussian weights."""
    with torch.no_grad():
        return sliding_window_inference(  # type: ignore[return-value]
            image, side, 4, segmenter.network, overlap=overlap, mode="gaussian"
        )


def whole(segmenter: UNetSegmenter, image: Tensor) -> Tensor:
    """Logits of the network as trained: fp32, eager, the field in one piece."""
    with torch.no_grad():
        return segmenter.network(image)  # type: ignore[no-any-return]


def compare_speed(
    segmenter: UNetSegmenter, images: list[NDArray[Any]], edge: int = EDGE
) -> dict[str, Any]:
    """Time both on one field, in turns; medians, paired ratios and the Dice between masks."""
    image = large_field(images, edge)
    fast = inference_copy(segmenter.network)
    multiple = side_multiple(segmenter.widths)
    calls: dict[str, Callable[[], Tensor]] = {
        name: partial(eager, segmenter, image, *windows) for name, windows in BASELINES.items()
    }
    # The masks a segmenter is to draw: of the whole field, which knows of no windows.
    calls["eager_whole"] = lambda: whole(segmenter, image)
    calls["segmenter"] = lambda: run_windows(fast, image, segmenter.window_settings, multiple)
    calls["same_windows"] = lambda: run_windows(fast, image, SAME_WINDOWS, multiple)
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    masks = {}
    for _ in range(REPEATS):
        for name, call in calls.items():
            start = time.perf_counter()
            logits = call()
            seconds[name].append(time.perf_counter() - start)
            masks[name] = (logits[0, 0] >= 0).numpy()
    report: dict[str, Any] = {"edge": edge, "threads": torch.get_num_threads()}
    report |= {f"{name}_s": statistics.median(times) for name, times in seconds.items()}
    for name in (*BASELINES, "eager_whole"):
        pairs = zip(seconds[name], seconds["segmenter"], strict=True)
        report[f"times_as_fast_as_{name}"] = statistics.median(a / b for a, b in pairs)
        report[f"dice_with_{name}"] = _dice(masks[name], masks["segmenter"])
    plain = next(iter(BASELINES))
    pairs = zip(seconds[plain], seconds["same_windows"], strict=True)
    report["same_windows_times_as_fast"] = statistics.median(a / b for a, b in pairs)
    report["same_windows_pairs"] = [
        a / b for a, b in zip(seconds[plain], seconds["same_windows"], strict=True)
    ]
    report["same_windows_dice"] = _dice(masks[plain], masks["same_windows"])
    first, second = BASELINES
    report["dice_between_baselines"] = _dice(masks[first], masks[second])
    return report


def _dice(first: NDArray[Any], second: NDArray[Any]) -> float:
    total = int(first.sum() + second.sum())
    return 2 * int((first & second).sum()) / total if total else float("nan")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True, help="folder of .npy or .tif fields")
    parser.add_argument("--edge", type=int, default=EDGE)
    arguments = parser.parse_args()
    images = [tifffile.imread(path)[::-1] for path in sorted(arguments.data.glob("*.tif"))]
    print(json.dumps({"machine": platform.processor() or platform.machine()}))
    print(json.dumps(compare_speed(UNetSegmenter.load(arguments.weights), images, arguments.edge)))


if __name__ == "__main__":
    main()
