"""Classical measurements of cells: what judges a network without ever seeing it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from counterstain.errors import InvalidInputError
from counterstain.masks.radial import radial_concentration
from counterstain.masks.regions import cell_regions
from counterstain.masks.shape import base_level, nucleus_shapes
from counterstain.masks.texture import granularity, texture_scale

__all__ = ["measure_cells", "parse_feature"]

_REGIONS = ("nucleus", "ring", "cell", "background")
_TEXTURE_REGIONS = ("nucleus", "cell")
_BLOCK_PIXELS = 1 << 19
_FEATURE_NAMES = {
    "mean_intensity": "mean intensity",
    "sd": "standard deviation",
    "log2_ratio": "log2 ratio",
    "texture_scale": "texture scale",
    "granularity": "granularity",
    "radial_concentration": "radial concentration",
    "area": "area",
    "form_factor": "form factor",
    "eccentricity": "eccentricity",
    "cell_count": "cell count",
}
# Least contrast of a nucleus, in multiples of the floor of ratios: 5 % of the range.
_NUCLEUS_CONTRAST = 5.0


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
    nucleus_channel: int | str | None = None,
) -> pd.DataFrame:
    """Measure each crop's own cell, channel by channel.

    To judge a counterfactual, pass its pixels with the `nuclei` of the original: intensities and
    textures are measured at the same places as before. Only area, shape and count are those of the
    nucleus as the pixels show it, found anew by the same rule in originals and counterfactuals
    (:func:`counterstain.masks.shape.nucleus_shapes`).

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
    nucleus_channel : int or str, optional
        Number or name of the channel that shows nuclei. Where not given, area, shape and count of
        nuclei are not measured.

    Returns
    -------
    DataFrame
        A row per crop, float64, NaN where a region has no pixel. For each channel
        ``mean_intensity:REGION:CHANNEL`` (nucleus, ring, cell, background),
        ``sd:REGION:CHANNEL`` (nucleus, ring, cell), ``texture_scale:REGION:CHANNEL`` (pixels) and
        ``granularity:REGION:CHANNEL`` (0 for lines, 0.1 to 0.3 for dots; both in nucleus, cell),
        ``radial_concentration:cell:CHANNEL`` (0 far from to 1 near the nucleus) and
        ``log2_ratio:nucleus/ring:CHANNEL`` (doublings). For the nucleus channel
        ``area:nucleus:CHANNEL`` (square pixels), ``form_factor:nucleus:CHANNEL`` (1 for a circle),
        ``eccentricity:nucleus:CHANNEL`` (0 for a circle) and ``cell_count:crop:CHANNEL``.

    Raises
    ------
    InvalidInputError
        If the shapes do not fit each other, `floor` is not positive or there is no such nucleus
        channel.

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
    shown = _channel_number(nucleus_channel, channels)
    n, _, height, width = pixels.shape
    step = max(1, _BLOCK_PIXELS // max(1, height * width))
    blocks = [
        _measure_block(
            pixels[i : i + step], nuclei[i : i + step], channels, ring_width, level, floor, shown
        )
        # Without crops, one empty block still names the columns.
        for i in range(0, max(n, 1), step)
    ]
    return pd.concat(blocks, ignore_index=True)


def _channel_number(channel: int | str | None, channels: Sequence[str]) -> int | None:
    if channel is None:
        return None
    number = (
        list(channels).index(channel)
        if isinstance(channel, str) and channel in channels
        else channel
    )
    if not isinstance(number, int) or not 0 <= number < len(channels):
        raise InvalidInputError(
            f"`nucleus_channel` must be one of {list(channels)} or its number; got {channel!r}."
        )
    return number


def _measure_block(
    pixels: NDArray[Any],
    nuclei: NDArray[np.uint8],
    channels: Sequence[str],
    ring_width: int,
    level: NDArray[np.float64],
    floor: float,
    nucleus_channel: int | None,
) -> pd.DataFrame:
    """Measure some crops; columns as `measure_cells` describes them."""
    values = pixels.astype(np.float32)
    weights = _region_weights(nuclei, ring_width)
    textured = weights[:, :, [_REGIONS.index(region) for region in _TEXTURE_REGIONS]]
    mean, sd = _mean_and_sd(values, weights)
    # Texture knows no offset; without it single precision is enough.
    contrast = values - values.mean(axis=(2, 3), keepdims=True)
    scale, grains = texture_scale(contrast, textured), granularity(contrast, textured)
    radial = radial_concentration(values, nuclei, base_level(values), ring_width, floor=floor)
    signal = np.maximum(mean - level[:, None], 0.0) + floor
    columns: dict[str, NDArray[np.float64]] = {}
    for c, channel in enumerate(channels):
        for r, region in enumerate(_REGIONS):
            columns[f"mean_intensity:{region}:{channel}"] = mean[:, c, r]
            if region != "background":
                columns[f"sd:{region}:{channel}"] = sd[:, c, r]
        for r, region in enumerate(_TEXTURE_REGIONS):
            columns[f"texture_scale:{region}:{channel}"] = scale[:, c, r]
            columns[f"granularity:{region}:{channel}"] = grains[:, c, r]
        columns[f"radial_concentration:cell:{channel}"] = radial[:, c]
        columns[f"log2_ratio:nucleus/ring:{channel}"] = np.log2(signal[:, c, 0] / signal[:, c, 1])
    if nucleus_channel is not None:
        name = channels[nucleus_channel]
        found = nucleus_shapes(values[:, nucleus_channel], nuclei, floor=_NUCLEUS_CONTRAST * floor)
        for shape in ("area", "form_factor", "eccentricity"):
            columns[f"{shape}:nucleus:{name}"] = getattr(found, shape)
        columns[f"cell_count:crop:{name}"] = found.count
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


def _region_weights(nuclei: NDArray[np.uint8], ring_width: int) -> NDArray[np.float32]:
    """Return 1 inside each region and 0 outside: (N, H * W, regions)."""
    found = cell_regions(nuclei, ring_width)
    masks = np.stack([getattr(found, region) for region in _REGIONS], axis=-1)
    n, height, width = nuclei.shape
    return masks.reshape(n, height * width, len(_REGIONS)).astype(np.float32)


def _mean_and_sd(
    images: NDArray[np.float32], weights: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation (N, C, regions) of some crops."""
    flat = images.reshape(*images.shape[:2], weights.shape[1])
    # Shifting by the crop's mean keeps the square of the mean from drowning the variance, so that
    # single precision is enough.
    shift = flat.mean(axis=2, keepdims=True)
    values = flat - shift
    area = weights.sum(axis=1, dtype=np.float64)[:, None, :]
    with np.errstate(invalid="ignore"):  # 0 / 0 is the NaN of an empty region
        mean = values @ weights / area
        variance = (values**2) @ weights / area - mean**2
    return mean + shift, np.sqrt(np.maximum(variance, 0.0))
