"""Fields cut into crops: centred on nuclei, tiles, or whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from counterstain.config import CropsConfig
from counterstain.errors import InvalidInputError

__all__ = ["Crops", "cut_crops"]

# A nucleus outside of these multiples of the field's median area is debris or a clump.
_AREA_RANGE = (0.3, 3.0)


@dataclass(frozen=True)
class Crops:
    """Crops of one field, and how many nuclei got none.

    Parameters
    ----------
    pixels : (n, C, H, W) array
        Grey values in the field's dtype.
    nuclei : (n, H, W) array of uint8
        0 background, 1 the crop's own nucleus (tiles and fields: every nucleus), 2 other nuclei.
    y, x : (n,) arrays of float64
        Centre of the crop in the field, pixels. For cells: the nucleus's centre of mass.
    n_border : int
        Nuclei whose window leaves the field.
    n_odd_size : int
        Nuclei much smaller or larger than the field's median.
    n_over_limit : int
        Crops beyond ``max_per_field``.
    """

    pixels: NDArray[Any]
    nuclei: NDArray[np.uint8]
    y: NDArray[np.float64]
    x: NDArray[np.float64]
    n_border: int = 0
    n_odd_size: int = 0
    n_over_limit: int = 0

    def __len__(self) -> int:
        return len(self.y)


def cut_crops(field: NDArray[Any], nuclei: NDArray[np.integer[Any]], config: CropsConfig) -> Crops:
    """Cut one field into crops as the configuration asks.

    With ``kind="cells"``, nuclei near the border or of odd size get no crop; they are counted.
    Tiles never overlap; the strip that fills no tile is left out evenly on both sides.

    Parameters
    ----------
    field : (C, H, W) array
        Grey values.
    nuclei : (H, W) array of int
        Labels of nuclei, 0 outside.
    config : CropsConfig
        Kind, size in pixels, most crops a field.

    Returns
    -------
    Crops
        The crops, top to bottom; the same field always gives the same ones.

    Raises
    ------
    InvalidInputError
        If `field` and `nuclei` do not lie on each other.

    Examples
    --------
    >>> field = np.zeros((1, 40, 40), np.uint8)
    >>> nuclei = np.zeros((40, 40), np.int32)
    >>> nuclei[10:14, 20:24] = 1
    >>> crops = cut_crops(field, nuclei, CropsConfig(size=16))
    >>> crops.pixels.shape, crops.y.tolist(), crops.x.tolist(), int(crops.nuclei.sum())
    ((1, 1, 16, 16), [11.5], [21.5], 16)
    """
    if field.ndim != 3 or field.shape[1:] != nuclei.shape:
        raise InvalidInputError(
            f"`field` must be (C, H, W) and `nuclei` (H, W) of the same field; got {field.shape} "
            f"and {nuclei.shape}: pass nuclei found in this field."
        )
    if config.kind == "cells":
        return _cells(field, nuclei, config.size, config.max_per_field)
    if config.kind == "tiles":
        return _tiles(field, nuclei, config.size, config.max_per_field)
    height, width = nuclei.shape
    return Crops(
        field[None],
        (nuclei > 0).astype(np.uint8)[None],
        np.array([(height - 1) / 2]),
        np.array([(width - 1) / 2]),
    )


def _chosen(n: int, limit: int | None) -> NDArray[np.intp]:
    """Spread a limited choice evenly over the field, so that no corner is preferred."""
    if limit is None or n <= limit:
        return np.arange(n)
    return ((np.arange(limit) + 0.5) * n / limit).astype(np.intp)


def _centres(
    nuclei: NDArray[np.integer[Any]],
) -> tuple[NDArray[np.intp], NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    y, x = np.nonzero(nuclei)
    label = nuclei[y, x]
    area = np.bincount(label)
    names = np.flatnonzero(area)
    centre_y = np.bincount(label, weights=y)[names] / area[names]
    centre_x = np.bincount(label, weights=x)[names] / area[names]
    return names, area[names], centre_y, centre_x


def _cells(
    field: NDArray[Any], nuclei: NDArray[np.integer[Any]], size: int, limit: int | None
) -> Crops:
    names, area, y, x = _centres(nuclei)
    median = float(np.median(area)) if len(area) else 0.0
    normal = (area >= _AREA_RANGE[0] * median) & (area <= _AREA_RANGE[1] * median)
    # The window's middle is the edge between pixels size / 2 - 1 and size / 2.
    top = np.round(y + 0.5 - size / 2).astype(np.intp)
    left = np.round(x + 0.5 - size / 2).astype(np.intp)
    height, width = nuclei.shape
    inside = (top >= 0) & (left >= 0) & (top + size <= height) & (left + size <= width)
    usable = np.flatnonzero(normal & inside)
    usable = usable[np.lexsort((x[usable], y[usable]))]
    taken = usable[_chosen(len(usable), limit)]
    pixels = np.empty((len(taken), field.shape[0], size, size), field.dtype)
    regions = np.empty((len(taken), size, size), np.uint8)
    for k, i in enumerate(taken):
        window = np.s_[top[i] : top[i] + size, left[i] : left[i] + size]
        pixels[k] = field[:, *window]
        labels = nuclei[window]
        regions[k] = np.where(labels == names[i], 1, np.where(labels > 0, 2, 0))
    return Crops(
        pixels,
        regions,
        y[taken],
        x[taken],
        n_border=int((normal & ~inside).sum()),
        n_odd_size=int((~normal).sum()),
        n_over_limit=len(usable) - len(taken),
    )


def _tiles(
    field: NDArray[Any], nuclei: NDArray[np.integer[Any]], size: int, limit: int | None
) -> Crops:
    channels, height, width = field.shape
    rows, columns = height // size, width // size
    top, left = (height - rows * size) // 2, (width - columns * size) // 2
    window = np.s_[top : top + rows * size, left : left + columns * size]
    pixels = field[:, *window].reshape(channels, rows, size, columns, size)
    pixels = pixels.transpose(1, 3, 0, 2, 4).reshape(-1, channels, size, size)
    blocks = (nuclei[window] > 0).astype(np.uint8).reshape(rows, size, columns, size)
    regions = blocks.transpose(0, 2, 1, 3).reshape(-1, size, size)
    y, x = np.divmod(np.arange(rows * columns), max(columns, 1))
    taken = _chosen(rows * columns, limit)
    return Crops(
        pixels[taken],
        regions[taken],
        top + y[taken] * size + (size - 1) / 2,
        left + x[taken] * size + (size - 1) / 2,
        n_over_limit=rows * columns - len(taken),
    )
