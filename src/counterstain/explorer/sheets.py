"""Thumbnails of all crops in sheets: made when first asked for, kept in the run where it allows."""

from __future__ import annotations

import contextlib
import io
import threading
from collections import OrderedDict
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from counterstain.errors import InvalidInputError
from counterstain.explorer.run_cache import RunCache
from counterstain.explorer.run_reading import ExplorerRun
from counterstain.figures.composite import compose_channels
from counterstain.figures.overlap_sprites import sheet_name, shrink_patches

__all__ = ["GAMMA", "TILE", "Sheets"]

TILE: Final = 48
"""Pixels of a thumbnail, a side."""

GAMMA: Final = 0.7
"""Exponent of display, as in the report."""

_QUALITY = 82
_KEPT_BYTES = 64 << 20


class Sheets:
    """Thumbnails by sheet.

    Parameters
    ----------
    run : ExplorerRun
        The run.
    cache : RunCache
        Where sheets are kept.

    Attributes
    ----------
    side : int
        Thumbnails a side: 64 for patches, as the report of a co-culture writes them; else 32.
    """

    def __init__(self, run: ExplorerRun, cache: RunCache) -> None:
        self._run, self._cache, self._lock = run, cache, threading.Lock()
        self.side = 64 if run.kind == "patches" else 32
        self._memory: OrderedDict[int, bytes] = OrderedDict()

    @property
    def count(self) -> int:
        """Number of sheets."""
        return -(-len(self._run.catalogue.items) // self.side**2)

    def sheet(self, number: int) -> bytes:
        """Return a sheet as WebP.

        Raises
        ------
        InvalidInputError
            If there are no pixels.
        """
        with self._lock:
            if number in self._memory:
                self._memory.move_to_end(number)
                return self._memory[number]
            data = self._stored(number) or self._draw(number)
            self._memory[number] = data
            while sum(map(len, self._memory.values())) > _KEPT_BYTES and len(self._memory) > 1:
                self._memory.popitem(last=False)
            return data

    def _stored(self, number: int) -> bytes | None:
        """Return a sheet from the run: the report's own of patches, or one made before."""
        if self._run.kind == "patches":
            path = self._run.folder.explorer / sheet_name(number)
            with contextlib.suppress(OSError):
                return path.read_bytes()
        return self._cache.read(f"crops_{number:03d}.webp")

    def _draw(self, number: int) -> bytes:
        each = self.side**2
        first = number * each
        last = min(first + each, len(self._run.catalogue.items))
        rows = -(-(last - first) // self.side)
        canvas = np.zeros((rows * TILE, self.side * TILE, 3), np.uint8)
        for start in range(first, last, 256):
            ids = np.arange(start, min(start + 256, last))
            for at, picture in zip(ids - first, self.pictures(ids, TILE), strict=True):
                row, column = divmod(int(at), self.side)
                canvas[row * TILE : (row + 1) * TILE, column * TILE : (column + 1) * TILE] = picture
        data = to_webp(canvas)
        if self._run.kind == "crops":
            self._cache.write(f"crops_{number:03d}.webp", data)
        return data

    def pictures(self, ids: NDArray[np.int64], size: int) -> NDArray[np.uint8]:
        """Return colour pictures (n, size, size, 3) of items, in the order given."""
        if self._run.pixels is None:
            raise InvalidInputError(self._run.missing.get("pixels", "There are no pixels."))
        store, low, high = self._run.pixels, int(ids[0]), int(ids[-1])
        if high - low + 1 == len(ids):
            raw = np.asarray(store.pixels[low : high + 1])
            pixels = store.scaling.apply(raw, store.plate_index[low : high + 1])
        else:
            pixels = store.read(ids)[0]
        rgb = compose_channels(shrink_patches(pixels, size), self._run.colours, GAMMA)
        return np.rint(255 * rgb).astype(np.uint8)


def to_webp(picture: NDArray[np.uint8]) -> bytes:
    """Return a picture (H, W, 3) as WebP.

    Examples
    --------
    >>> to_webp(np.zeros((4, 4, 3), np.uint8))[8:12]
    b'WEBP'
    """
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, format="webp", quality=_QUALITY, method=2)
    return stream.getvalue()
