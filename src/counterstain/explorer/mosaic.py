"""A field put together from its stored crops, each where it lies."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from counterstain.explorer.run_reading import ExplorerRun
from counterstain.explorer.sheets import GAMMA
from counterstain.figures.composite import compose_channels

__all__ = ["draw_mosaic"]

_GREY: Final = 40
_LARGEST: Final = 1600


def draw_mosaic(run: ExplorerRun, field: int) -> NDArray[np.uint8] | None:
    """Return a field (H, W, 3); what no crop shows is dark grey.

    The run folder does not hold whole fields, and the explorer reads nothing else.

    Parameters
    ----------
    run : ExplorerRun
        The run.
    field : int
        Number of the field.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3), or None
        At most 1600 pixels a side; None where no pixels are kept.
    """
    ids = run.catalogue.items_of("field", field)
    if run.pixels is None or not len(ids):
        return None
    row = run.catalogue.fields.loc[[field], ["height", "width"]].to_numpy(float)[0]
    height, width = (max(1, int(value)) for value in row)
    canvas = np.full((height, width, 3), _GREY, np.uint8)
    items = run.catalogue.items.iloc[ids]
    pixels = run.pixels.read(ids)[0]
    rgb = np.rint(255 * compose_channels(pixels, run.colours, GAMMA)).astype(np.uint8)
    shown = (
        items["patch_px"].to_numpy(int) if "patch_px" in items else np.full(len(ids), rgb.shape[1])
    )
    for picture, side, (y, x) in zip(rgb, shown, items[["y", "x"]].to_numpy(float), strict=True):
        _put(canvas, _resized(picture, int(side)), round(y - side / 2), round(x - side / 2))
    skip = -(-max(height, width) // _LARGEST)
    return np.ascontiguousarray(canvas[::skip, ::skip])


def _resized(picture: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    places = (np.arange(side) * picture.shape[0] / side).astype(int)
    return picture if len(picture) == side else picture[places][:, places]


def _put(canvas: NDArray[np.uint8], picture: NDArray[Any], top: int, left: int) -> None:
    y, x = max(0, top), max(0, left)
    part = picture[y - top : canvas.shape[0] - top, x - left : canvas.shape[1] - left]
    canvas[y : y + part.shape[0], x : x + part.shape[1]] = part
