"""Crops with their attribution maps, as one stage hands them to the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["MappedCrops"]


@dataclass(frozen=True)
class MappedCrops:
    """Crops and their maps, each by the network that never saw the crop's well.

    Parameters
    ----------
    table : DataFrame
        A row a crop.
    images : (n, C, H, W) array of float32
        Pixels.
    nuclei : (n, H, W) array of uint8
        0 background, 1 the crop's own nucleus, 2 other nuclei.
    wells, targets : array of int, shape (n,)
        Number of the well, and the class that is explained.
    maps : mapping of str to (n, C, H, W) array of float32
        Signed maps by method.
    """

    table: pd.DataFrame
    images: NDArray[np.float32]
    nuclei: NDArray[np.uint8]
    wells: NDArray[np.int64]
    targets: NDArray[np.int64]
    maps: Mapping[str, NDArray[np.float32]]
