"""Two-means of 1,000 patches of 192 px against scikit-learn's KMeans, on the same pixels."""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning

from counterstain.masks.kmeans import kmeans_mask

SEED = 0
SIZE = 192
REPEATS = 5


def patches(count: int, channels: int, dtype: str) -> NDArray[Any]:
    """Draw patches with blurred cells on an uneven ground with camera noise, 12-bit counts."""
    generator = np.random.default_rng(SEED)
    out = np.empty((count, channels, SIZE, SIZE), np.float32)
    for patch in out:
        n_cells = generator.integers(3, 25)
        where = generator.integers(0, SIZE, (2, n_cells))
        seeds = np.zeros((SIZE, SIZE), np.float32)
        for plane in patch:  # the same cells, each brighter in one channel or the other
            seeds[where[0], where[1]] = generator.uniform(0.5, 1.5, n_cells)
            cells = np.minimum(ndimage.gaussian_filter(seeds, 6.0) * 400, 1.2)
            plane[:] = 200 + 1200 * cells + generator.normal(0, 30, plane.shape)
    counts = np.clip(out, 0, 4095).astype(np.uint16)
    return counts if dtype == "uint16" else counts.astype(np.float32) / np.float32(4095)


def sklearn_masks(images: NDArray[Any], pooled: bool) -> NDArray[np.bool_]:
    """Return masks of scikit-learn's KMeans with its own defaults for two clusters."""
    groups = [images] if pooled else [images[i : i + 1] for i in range(len(images))]
    masks = []
    for group in groups:
        pixels = np.moveaxis(group, 1, -1).reshape(-1, images.shape[1])
        model = KMeans(n_clusters=2, init="k-means++", random_state=SEED).fit(pixels)
        bright = int(model.cluster_centers_.sum(axis=1).argmax())
        masks.append((model.labels_ == bright).reshape(len(group), SIZE, SIZE))
    return np.concatenate(masks)


def _seconds(call: Callable[[], NDArray[np.bool_]]) -> tuple[float, NDArray[np.bool_]]:
    start = time.perf_counter()
    mask = call()
    return time.perf_counter() - start, mask


def _within(images: NDArray[Any], masks: NDArray[np.bool_], pooled: bool) -> float:
    """Return what two-means makes small: the squares within clusters, summed."""
    total = 0.0
    groups = [(images, masks)] if pooled else zip(images[:, None], masks[:, None], strict=True)
    for group, mask in groups:
        pixels = np.moveaxis(group, 1, -1).astype(np.float64)
        for side in (mask, ~mask):
            if side.any():
                chosen = pixels[side]
                total += float(((chosen - chosen.mean(axis=0)) ** 2).sum())
    return total


def compare(count: int, channels: int, dtype: str, pooled: bool) -> dict[str, Any]:
    """Time both, one after the other, several times; medians, and the share of equal pixels."""
    images = patches(count, channels, dtype)
    kmeans_mask(images[:2], SEED)
    ours, theirs, ratios = [], [], []
    for _ in range(REPEATS):
        first, mask = _seconds(lambda: kmeans_mask(images, SEED, pooled=pooled))
        second, other = _seconds(lambda: sklearn_masks(images, pooled))
        ours.append(first)
        theirs.append(second)
        ratios.append(second / first)
    within = _within(images, mask, pooled) / _within(images, other, pooled)
    same = (mask == other).reshape(count, -1).mean(axis=1)
    return {
        "patches": count,
        "channels": channels,
        "dtype": dtype,
        "pooled": pooled,
        "counterstain_s": round(statistics.median(ours), 3),
        "sklearn_s": round(statistics.median(theirs), 3),
        "ratio": round(statistics.median(ratios), 1),
        "variance_within_ratio": round(float(within), 7),
        "same_pixels": round(float(same.mean()), 6),
        "same_pixels_worst_patch": round(float(same.min()), 6),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patches", type=int, default=1000)
    parser.add_argument("--pooled", action="store_true", help="also one pair of clusters for all")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    print(json.dumps({"machine": platform.processor() or platform.machine(), "seed": SEED}))
    for channels in (1, 2):
        for dtype in ("uint16", "float32"):
            row = compare(arguments.patches, channels, dtype, pooled=False)
            print(json.dumps(row), flush=True)
    if arguments.pooled:
        print(json.dumps(compare(arguments.patches, 1, "uint16", pooled=True)), flush=True)


if __name__ == "__main__":
    main()
