"""Classical measurements of cells: what judges a network without ever seeing it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from counterstain.errors import InvalidInputError
from counterstain.masks.regions import cell_regions

__all__ = ["measure_cells", "parse_feature"]

_REGIONS = ("nucleus", "ring", "cell", "background")
_BLOCK_PIXELS = 1 << 19
_FEATURE_NAMES = {
    "mean_intensity": "mean intensity",
    "sd": "standard deviation",
    "log2_ratio": "log2 ratio",
}


def parse_feature(column: str) -> tuple[str, str, str]:
    """Split a column of `measure_cells` into feature (in words), region and channel.

    Raises
    ------
    InvalidInputError
        If it is no such column.

    Examples
    --------
    >>> parse_feature("log2_ratio:nucleus/ring:GFP")
    ('log2 ratio', 'nucleus/ring', 'GFP')
    """
    parts = column.split(":", 2)
    if len(parts) != 3 or parts[0] not in _FEATURE_NAMES:
        raise InvalidInputError(
            f"{column!r} must be a column of measure_cells such as 'mean_intensity:cell:DNA': "
            f"start it with one of {', '.join(_FEATURE_NAMES)}."
        )
    return _FEATURE_NAMES[parts[0]], parts[1], parts[2]


def measure_cells(
    pixels: NDArray[Any],
    nuclei: NDArray[np.uint8],
    channels: Sequence[str],
    ring_width: int = 6,
    background: NDArray[np.floating[Any]] | None = None,
    *,
    floor: float = 0.01,
) -> pd.DataFrame:
    """Measure each crop's own cell, channel by channel.

    To judge a counterfactual, pass its pixels with the `nuclei` of the original: the places stay
    the same and only the intensities are asked about.

    Parameters
    ----------
    pixels : (N, C, H, W) array
        Scaled intensities (0 and 1 are percentiles of the negative controls), or grey values.
    nuclei : (N, H, W) array of uint8
        0 background, 1 the crop's own nucleus, 2 other nuclei.
    channels : sequence of str
        Names of the C channels.
    ring_width : int
        Width of the ring around the nucleus, pixels.
    background : (C,) array, optional
        Intensity of no signal, taken off before ratios; 0 where not given.
    floor : float
        Added above and below the line of ratios, so that cells without signal have a log ratio
        near 0 instead of noise: about 1 % of the range, in the unit of `pixels`.

    Returns
    -------
    DataFrame
        A row per crop, float64, columns ``mean_intensity:REGION:CHANNEL`` (nucleus, ring, cell,
        background), ``sd:REGION:CHANNEL`` (nucleus, ring, cell; texture and contrast) and
        ``log2_ratio:nucleus/ring:CHANNEL`` (doublings). NaN where a region has no pixel.

    Raises
    ------
    InvalidInputError
        If the shapes do not fit each other or `floor` is not positive.

    Examples
    --------
    >>> nuclei = np.zeros((1, 16, 16), np.uint8)
    >>> nuclei[0, 6:10, 6:10] = 1
    >>> pixels = np.where(nuclei == 1, 0.79, 0.19)[:, None]
    >>> table = measure_cells(pixels, nuclei, ["GFP"], ring_width=3)
    >>> float(table["log2_ratio:nucleus/ring:GFP"].iloc[0].round(3))
    2.0
    """
    _check(pixels, nuclei, channels, background, floor)
    level = np.zeros(len(channels)) if background is None else np.asarray(background, np.float64)
    n, _, height, width = pixels.shape
    step = max(1, _BLOCK_PIXELS // (height * width))
    blocks = [
        _measure_block(pixels[i : i + step], nuclei[i : i + step], ring_width)
        for i in range(0, n, step)
    ]
    shape = (n, len(channels), len(_REGIONS))
    mean = np.concatenate([block[0] for block in blocks]) if blocks else np.empty(shape)
    sd = np.concatenate([block[1] for block in blocks]) if blocks else np.empty(shape)
    signal = np.maximum(mean - level[:, None], 0.0) + floor
    columns: dict[str, NDArray[np.float64]] = {}
    for c, channel in enumerate(channels):
        for r, region in enumerate(_REGIONS):
            columns[f"mean_intensity:{region}:{channel}"] = mean[:, c, r]
            if region != "background":
                columns[f"sd:{region}:{channel}"] = sd[:, c, r]
        columns[f"log2_ratio:nucleus/ring:{channel}"] = np.log2(signal[:, c, 0] / signal[:, c, 1])
    return pd.DataFrame(columns)


def _check(
    pixels: NDArray[Any],
    nuclei: NDArray[np.uint8],
    channels: Sequence[str],
    background: NDArray[np.floating[Any]] | None,
    floor: float,
) -> None:
    if pixels.ndim != 4 or nuclei.shape != (len(pixels), *pixels.shape[2:]):
        raise InvalidInputError(
            f"`pixels` must be (N, C, H, W) and `nuclei` (N, H, W); got {pixels.shape} and "
            f"{nuclei.shape}: pass the nuclei of the same crops."
        )
    if pixels.shape[1] != len(channels):
        raise InvalidInputError(
            f"`channels` must name {pixels.shape[1]} channels; got {list(channels)}: name each."
        )
    if background is not None and np.shape(background) != (len(channels),):
        raise InvalidInputError(
            f"`background` must be ({len(channels)},); got {np.shape(background)}: one value a "
            "channel."
        )
    if not floor > 0:
        raise InvalidInputError(f"`floor` must be above 0; got {floor}: 1 % of the range will do.")


def _measure_block(
    pixels: NDArray[Any], nuclei: NDArray[np.uint8], ring_width: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation (N, C, regions) of some crops."""
    found = cell_regions(nuclei, ring_width)
    n, channels = pixels.shape[:2]
    masks = np.stack([getattr(found, region) for region in _REGIONS], axis=-1)
    weights = masks.reshape(n, -1, len(_REGIONS)).astype(np.float32)
    values = pixels.reshape(n, channels, -1).astype(np.float32)
    # Shifting by the crop's mean keeps the square of the mean from drowning the variance, so that
    # single precision is enough.
    shift = values.mean(axis=2, keepdims=True)
    values -= shift
    area = weights.sum(axis=1, dtype=np.float64)[:, None, :]
    with np.errstate(invalid="ignore"):  # 0 / 0 is the NaN of an empty region
        mean = values @ weights / area
        variance = (values**2) @ weights / area - mean**2
    return mean + shift, np.sqrt(np.maximum(variance, 0.0))
