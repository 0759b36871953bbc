"""One place where the screen's settings of measurement become a table."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from counterstain.config import ScreenConfig
from counterstain.masks.measure import measure_cells
from counterstain.plates.store import CropStore

__all__ = ["measure_pixels", "measure_real"]

_BLOCK = 512


def measure_pixels(
    pixels: NDArray[np.float32], ids: NDArray[np.int64], store: CropStore, config: ScreenConfig
) -> pd.DataFrame:
    """Measure pixels, real or edited, with the nuclei of the crops of these numbers."""
    return measure_cells(
        pixels,
        store.nuclei(ids),
        store.channels,
        config.crops.ring_width,
        nucleus_channel=config.crops.nucleus_channel,
    )


def measure_real(ids: NDArray[np.int64], store: CropStore, config: ScreenConfig) -> pd.DataFrame:
    """Measure crops as they were imaged, a block at a time."""
    blocks = [ids[start : start + _BLOCK] for start in range(0, len(ids), _BLOCK)]
    parts = [measure_pixels(store.scaled(block), block, store, config) for block in blocks]
    return pd.concat(parts, ignore_index=True)
