"""Pixels of a few patches, or of all of them block by block, without decoding the whole store."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import ArrayLike, NDArray

from counterstain.plates.scaling import PixelScaling
from counterstain.plates.store import CropStore

__all__ = ["PatchPixels"]

_LARGEST_BLOCK = 256


@dataclass(frozen=True)
class PatchPixels:
    """Stored patches, read where they lie.

    Parameters
    ----------
    pixels, regions : zarr.Array
        Grey values (N, 2, S, S), and masks (N, S, S): 1 inside of the first kind, plus 2 inside of
        the second.
    plate_index : ndarray of int, shape (N,)
        Row of the scaling for each patch.
    scaling : PixelScaling
        From grey values to the scale of the negative controls.
    pixel_size_um : float or None
        Of a pixel of a patch.
    """

    pixels: zarr.Array[Any]
    regions: zarr.Array[Any]
    plate_index: NDArray[np.intp]
    scaling: PixelScaling
    pixel_size_um: float | None = None

    @classmethod
    def open(cls, path: Path) -> PatchPixels:
        """Open a store of patches.

        Raises
        ------
        MissingFileError
            If there is none.
        InvalidInputError
            If it is damaged or of another format.
        """
        with CropStore.open(path) as store:
            size = store.attrs.get("pixel_size_um")
            index, scaling = store.plate_index, store.scaling
        group: Any = zarr.open_group(path, mode="r")
        return cls(group["pixels"], group["nuclei"], index, scaling, float(size) if size else None)

    def __len__(self) -> int:
        return int(self.pixels.shape[0])

    def read(self, ids: ArrayLike) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Return scaled pixels and masks of the patches with these numbers, in their order."""
        wanted = np.asarray(ids, np.intp)
        found = [(self.pixels[int(i)], self.regions[int(i)]) for i in wanted]
        if not found:
            return np.zeros((0, *self.pixels.shape[1:]), np.float32), np.zeros(
                (0, *self.regions.shape[1:]), np.uint8
            )
        pixels, regions = (np.stack(part) for part in zip(*found, strict=True))
        return self.scaling.apply(pixels, self.plate_index[wanted]), regions

    def blocks(self) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Yield the number of the first patch and the scaled pixels of blocks, in their order."""
        shard = int((self.pixels.shards or self.pixels.chunks)[0])
        for start in range(0, len(self), shard):
            raw = np.asarray(self.pixels[start : start + shard])
            for low in range(0, len(raw), _LARGEST_BLOCK):
                part = raw[low : low + _LARGEST_BLOCK]
                ids = np.arange(start + low, start + low + len(part))
                yield start + low, self.scaling.apply(part, self.plate_index[ids])
