"""What the leakage audit keeps of the images of a well."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from counterstain.audit.field_features_light import block_means, fit_background, signal_level
from counterstain.audit.field_features_places import corner_patches, place_scores, pooled
from counterstain.audit.field_features_sharpness import band_powers, noise_products

__all__ = [
    "VALUES",
    "FieldFeatures",
    "ImageRecord",
    "WellRecord",
    "measure_images",
    "relative_values",
]

FloatArray = NDArray[np.float64]

VALUES: tuple[str, ...] = ("background", "tilt_y", "tilt_x", "vignette", "signal")
"""Numbers by channel: grey values, `signal` as their log."""
_DARK_SHARE = 0.1
_MOST_EDGE = 512
_LEAST_SIGNAL_TO_NOISE = 0.02
_LEAST_PIXELS = 400
_CROP_EDGE = 96


@dataclass(frozen=True)
class FieldFeatures:
    """What was measured of the images of every well; classes are not looked at.

    Parameters
    ----------
    wells : pandas.DataFrame
        A row per well with images: ``Metadata_Plate``, ``Metadata_Well``, ``class_name`` ("" for
        none), ``n_images``, ``height``, ``width`` (of its images; 0 where they differ) and other
        columns that were given.
    channels : tuple of str
        Names of the channels.
    values : dict of str to (wells, C) array
        ``background`` and ``signal`` (log of grey values), ``tilt_y``, ``tilt_x``, ``vignette``
        (shares of the background over the image), ``correlation`` (of neighbouring pixels'
        noise, 0 for raw counts). NaN where there is none.
    spectra, snr : (wells, C, bands) array
        Log of power without noise, and signal over noise.
    places : (wells, C, 4, h, w) array of float16
        Mean score of every place, see `place_scores`; `corners` (wells, C, 4, 4, k, k) finer.
    block : int
        Edge of a block of `corners` in pixels.
    place_px : int
        Edge of a place of `places` in pixels.
    centred : bool
        Images are crops around cells: what differs by distance from the centre is biology.
    notes : tuple of str
        What was left out.
    """

    wells: pd.DataFrame
    channels: tuple[str, ...]
    values: dict[str, FloatArray]
    spectra: FloatArray
    snr: FloatArray
    places: NDArray[np.float16]
    corners: NDArray[np.float16]
    block: int
    place_px: int
    centred: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ImageRecord:
    """Measures of one field, or of the crops of one well together."""

    values: FloatArray
    power: FloatArray
    noise: FloatArray
    products: FloatArray
    places: NDArray[np.float32]
    corners: NDArray[np.float32]
    size: tuple[int, int]


def _centre(planes: NDArray[Any]) -> NDArray[Any]:
    """Cut a window of at most 512 px out of the middle: enough for optics and noise."""
    height, width = planes.shape[-2:]
    high, wide = min(height, _MOST_EDGE), min(width, _MOST_EDGE)
    top, left = (height - high) // 2, (width - wide) // 2
    return planes[..., top : top + high, left : left + wide]


def _measure_field(plane: NDArray[Any], block: int) -> tuple[list[float], FloatArray, Any]:
    coarse = block * max(1, -(-max(plane.shape) // (96 * block)))
    blocks = block_means(plane, coarse)
    found = fit_background(blocks, coarse)
    values = [
        found.level, found.tilt_y, found.tilt_x, found.vignette,
        np.log(signal_level(blocks, found)),
    ]  # fmt: skip
    dark = np.zeros(plane.shape, bool)
    spread = np.repeat(np.repeat(found.dark, coarse, 0), coarse, 1)
    dark[: spread.shape[0], : spread.shape[1]] = spread
    products = np.array(noise_products(_centre(plane), _centre(dark)), np.float64)
    surface = np.repeat(np.repeat(found.surface, coarse // block, 0), coarse // block, 1)
    height, width = (edge // block for edge in plane.shape)
    missing = ((0, height - surface.shape[0]), (0, width - surface.shape[1]))
    surface = np.pad(surface, missing, mode="edge")
    return values, products, place_scores(plane, surface, block)


def _measure_crop(plane: NDArray[Any], block: int) -> tuple[list[float], FloatArray, Any]:
    """Measure a crop: it is too small, and too full of one cell, to find its background."""
    blocks = block_means(plane, block)
    height, width = blocks.shape
    y = ((np.arange(height) + 0.5) / height - 0.5)[:, None]
    x = ((np.arange(width) + 0.5) / width - 0.5)[None, :]
    tilts = [float((blocks * a).mean() / (a**2).mean()) for a in (y, x)]
    low, high = np.quantile(blocks, [0.1, 0.9])
    values = [
        float(low), *tilts, np.nan,
        np.log(high - low) if high > low else np.nan,
    ]  # fmt: skip
    dark = np.repeat(np.repeat(blocks <= np.quantile(blocks, 0.4), block, 0), block, 1)
    products = np.array(noise_products(plane[: dark.shape[0], : dark.shape[1]], dark), np.float64)
    scores = place_scores(plane, np.zeros_like(blocks), block)
    return values, products, scores


def measure_images(images: NDArray[Any], block: int) -> ImageRecord:
    """Measure one field (1, C, H, W), or all crops (n, C, H, W) of one well.

    Parameters
    ----------
    images : (n, C, H, W) array
        Grey values.
    block : int
        Edge of a block in pixels.

    Returns
    -------
    ImageRecord
        Means over the images.
    """
    small = min(images.shape[2:]) <= _CROP_EDGE
    measure = _measure_crop if small else _measure_field
    values, products, power, noise, places, corners = [], [], [], [], [], []
    with np.errstate(invalid="ignore", divide="ignore"):
        for planes in np.moveaxis(images, 1, 0):
            found = [measure(plane, block) for plane in planes]
            numbers = np.array([f[0] for f in found])
            known = np.isfinite(numbers)
            total = np.where(known, numbers, 0).sum(axis=0)
            values.append(total / known.sum(axis=0))
            products.append(sum(f[1] for f in found))
            scores = sum(f[2] for f in found) / len(found)
            places.append(pooled(scores))
            corners.append(corner_patches(scores))
            of_bands, of_noise = band_powers(_centre(planes))
            power.append(of_bands)
            noise.append(of_noise)
    return ImageRecord(
        np.stack(values), np.stack(power), np.array(noise), np.stack(products),
        np.stack(places), np.stack(corners), (images.shape[2], images.shape[3]),
    )  # fmt: skip


@dataclass
class WellRecord:
    """Gathers the images of one well, so that memory does not grow with their number."""

    sums: dict[str, NDArray[Any]] = field(default_factory=dict)
    sizes: set[tuple[int, int]] = field(default_factory=set)
    n: int = 0

    def add(self, found: ImageRecord, n_images: int = 1) -> None:
        """Add the measures of one field or one group of crops."""
        above = found.power - found.noise[:, None]
        floor = _LEAST_SIGNAL_TO_NOISE * found.noise[:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            log_power = np.log(np.maximum(above, floor))
            snr = above / found.noise[:, None]
        known = np.isfinite(found.values)
        parts: dict[str, NDArray[Any]] = {
            "values": np.where(known, found.values, 0), "known": known.astype(np.float64),
            "spectra": log_power, "snr": snr, "products": found.products,
            "places": found.places, "corners": found.corners,
        }  # fmt: skip
        for name, part in parts.items():
            held = self.sums.get(name)
            if held is None or name not in ("places",) or held.shape == part.shape:
                self.sums[name] = part if held is None else held + part
            else:
                shared = tuple(map(min, held.shape, part.shape))
                cut = tuple(slice(edge) for edge in shared)
                self.sums[name] = held[cut] + part[cut]
        self.sizes.add(found.size)
        self.n += 1
        self.n_images = getattr(self, "n_images", 0) + n_images

    def mean(self, name: str) -> NDArray[Any]:
        """Return the mean of a measure over the images."""
        return np.asarray(self.sums[name] / self.n)

    def values(self) -> dict[str, FloatArray]:
        """Return numbers by channel in grey values; NaN where no image has them."""
        with np.errstate(invalid="ignore", divide="ignore"):
            means = self.sums["values"] / self.sums["known"]
            smooth, rough, count = np.moveaxis(self.sums["products"], 1, 0)
            correlation = np.where(
                (count >= _LEAST_PIXELS) & (smooth > 0), 1 - rough / smooth, np.nan
            )
        return {**{name: means[:, k] for k, name in enumerate(VALUES)}, "correlation": correlation}


def relative_values(values: dict[str, FloatArray], centred: bool) -> dict[str, FloatArray]:
    """Turn grey values (wells, C) into shares of the background, and the background into its log.

    Where the camera's offset was taken off, the background is next to nothing and its changes
    would be huge: then a tenth of the signal is what it is compared with.

    Examples
    --------
    >>> grey = {name: np.ones((2, 1)) for name in VALUES}
    >>> grey["signal"] = np.full((2, 1), np.log(100.0))
    >>> relative_values(grey, False)["tilt_x"].ravel()
    array([0.1, 0.1])
    """
    level = values["background"]
    with np.errstate(invalid="ignore"):
        known = np.where(np.isfinite(values["signal"]), np.exp(values["signal"]), 0.0)
        typical = np.array([np.median(column[column > 0]) if (column > 0).any() else 0.0
                            for column in known.T])  # fmt: skip
        # Crops hold little background: their light is compared with cell and background together.
        floor = (1.0 if centred else _DARK_SHARE) * typical
        scale = np.maximum(level, floor)
        scale = np.where(scale > 0, scale, np.nan)
        added = np.where(np.nanmedian(level, axis=0) < floor, floor, 0.0)
        lifted = np.maximum(level, 0) + added
        background = np.log(np.where(lifted > 0, lifted, np.nan))
    shares = {name: values[name] / scale for name in ("tilt_y", "tilt_x", "vignette")}
    return {**values, **shares, "background": background}
