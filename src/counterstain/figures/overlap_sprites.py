"""Thumbnails of all patches in a few large sheets, so that a page can show any of them at once.

A browser that asks for ten thousand small files lags; a sheet of some thousand tiles is one file,
and showing a tile is moving it behind a window.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from counterstain.errors import InvalidInputError
from counterstain.figures.composite import compose_channels
from counterstain.figures.overlap_pixels import PatchPixels
from counterstain.files import atomic_path

__all__ = ["sheet_name", "shrink_patches", "write_sprites"]

_QUALITY = 82
_LARGEST_SIDE = 16_383
"""Pixels a side that WebP can hold."""


def sheet_name(number: int) -> str:
    """Return the file name of a sheet.

    Examples
    --------
    >>> sheet_name(2)
    'patches_002.webp'
    """
    return f"patches_{number:03d}.webp"


def shrink_patches(pixels: NDArray[np.floating], tile: int) -> NDArray[np.float32]:
    """Make square patches smaller (or larger) by the mean over the area that each pixel covers.

    Parameters
    ----------
    pixels : ndarray of float, shape (..., S, S)
        Patches.
    tile : int
        Pixels a side afterwards.

    Returns
    -------
    ndarray of float32, shape (..., tile, tile)
        The mean of a patch stays what it was.

    Examples
    --------
    >>> shrink_patches(np.arange(9.0).reshape(3, 3), 1).tolist()
    [[4.0]]
    """
    side = pixels.shape[-1]
    edges = np.linspace(0, side, tile + 1)
    low, high = edges[:-1, None], edges[1:, None]
    places = np.arange(side)[None, :]
    covered = np.clip(np.minimum(high, places + 1) - np.maximum(low, places), 0, None)
    weights = (covered / covered.sum(axis=1, keepdims=True)).astype(np.float32)
    return np.asarray(weights @ pixels.astype(np.float32) @ weights.T, dtype=np.float32)


def write_sprites(
    patches: PatchPixels,
    folder: Path,
    colours: Sequence[str],
    *,
    gamma: float = 1.0,
    tile: int = 48,
    tiles_a_side: int = 64,
) -> pd.DataFrame:
    """Write thumbnails of all patches, in the channels' colours, as WebP sheets.

    Memory holds one sheet and a few hundred patches, however many there are.

    Parameters
    ----------
    patches : PatchPixels
        The store.
    folder : Path
        Gets ``patches_000.webp`` and so on; older sheets in it are removed.
    colours : sequence of str
        A colour a channel.
    gamma : float
        Exponent of display, the same for every patch.
    tile, tiles_a_side : int
        Pixels of a thumbnail, and thumbnails of a sheet, a side.

    Returns
    -------
    DataFrame
        A row a patch: `patch`, `sheet` (file name), `row` and `column` of the tile in its sheet,
        from 0.

    Raises
    ------
    InvalidInputError
        If a sheet would be larger than WebP allows, or the disk is full.
    """
    if tile < 1 or tiles_a_side < 1 or tile * tiles_a_side > _LARGEST_SIDE:
        raise InvalidInputError(
            f"`tile` x `tiles_a_side` must lie between 1 and {_LARGEST_SIDE} px; got {tile} x "
            f"{tiles_a_side}: take smaller sheets."
        )
    for old in folder.glob("patches_*.webp"):
        old.unlink()
    n, each = len(patches), tiles_a_side**2
    sheet = _empty(n, 0, tile, tiles_a_side)
    for start, pixels in patches.blocks():
        rgb = compose_channels(shrink_patches(pixels, tile), colours, gamma)
        for number, picture in enumerate(np.rint(255 * rgb).astype(np.uint8), start=start):
            row, column = divmod(number % each, tiles_a_side)
            place = np.s_[row * tile : (row + 1) * tile, column * tile : (column + 1) * tile]
            sheet[place] = picture
            if (number + 1) % each == 0 or number + 1 == n:
                _write(sheet, folder / sheet_name(number // each))
                sheet = _empty(n, number + 1, tile, tiles_a_side)
    ids = np.arange(n)
    return pd.DataFrame({
        "patch": ids,
        "sheet": [sheet_name(int(k)) for k in ids // each],
        "row": (ids % each // tiles_a_side).astype(np.int32),
        "column": (ids % tiles_a_side).astype(np.int32),
    })  # fmt: skip


def _empty(n: int, done: int, tile: int, tiles_a_side: int) -> NDArray[np.uint8]:
    """Return a black sheet with as many rows of tiles as are left to fill."""
    rows = min(tiles_a_side, -(-max(n - done, 1) // tiles_a_side))
    return np.zeros((rows * tile, tiles_a_side * tile, 3), np.uint8)


def _write(sheet: NDArray[np.uint8], path: Path) -> None:
    with atomic_path(path) as temporary:
        Image.fromarray(sheet).save(temporary, format="webp", quality=_QUALITY, method=2)
