"""From light to counts: optics, uneven illumination, camera."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import ndimage

__all__ = ["SATURATION", "Illumination", "expose"]

FloatArray = npt.NDArray[np.float32]

SATURATION = 4095
"""Highest count of the 12-bit camera."""

_OFFSET = 100.0
_GAIN = 0.6
_READ_NOISE = 4.0
_HAZE_SIGMA = 9.0
_COARSE = 4


@dataclass(frozen=True, slots=True)
class Illumination:
    """How one field is lit and focused.

    Parameters
    ----------
    intensity : tuple of float
        Factor on the light of each channel.
    background : tuple of float
        Light of the medium in each channel, in photons a pixel.
    tilt_y, tilt_x : float
        Relative change of the background over the field's height and width.
    vignette : float
        Share of light lost in the corners.
    vignette_centre : tuple of float
        Brightest place as a share of the field's edge.
    blur : float
        Width (sigma) of the point spread function in pixels.
    haze : float
        Share of the light that is spread widely, as in a wide-field microscope.
    """

    intensity: tuple[float, float, float] = (1.0, 1.0, 1.0)
    background: tuple[float, float, float] = (40.0, 36.0, 24.0)
    tilt_y: float = 0.0
    tilt_x: float = 0.0
    vignette: float = 0.12
    vignette_centre: tuple[float, float] = (0.5, 0.5)
    blur: float = 0.9
    haze: float = 0.12


def _crop(light: FloatArray, border: int) -> FloatArray:
    return light[..., border:-border, border:-border] if border else light


@lru_cache(maxsize=8)
def _enlarging(edge: int) -> FloatArray:
    """Return the matrix (edge, edge // 4) that enlarges a line fourfold by interpolation."""
    coarse = edge // _COARSE
    at = (np.arange(edge) + 0.5) / _COARSE - 0.5
    columns = np.eye(coarse)
    matrix = [np.interp(at, np.arange(coarse), column) for column in columns]
    return np.stack(matrix, axis=1).astype(np.float32)


def _haze(light: FloatArray) -> FloatArray:
    """Blur widely, on a coarse copy since nothing fine is left anyway."""
    edge = light.shape[-1]
    coarse = edge // _COARSE
    blocks = light[..., : coarse * _COARSE, : coarse * _COARSE]
    blocks = blocks.reshape(len(light), coarse, _COARSE, coarse, _COARSE).mean((2, 4))
    sigma = _HAZE_SIGMA / _COARSE
    blurred = ndimage.gaussian_filter(blocks, (0, sigma, sigma), truncate=3)
    enlarging = _enlarging(edge)
    return np.asarray(enlarging @ blurred @ enlarging.T, np.float32)


def _through_optics(light: FloatArray, lit: Illumination, border: int) -> FloatArray:
    sharp = ndimage.gaussian_filter(light, (0, lit.blur, lit.blur), truncate=3)
    image = _crop((1 - lit.haze) * sharp + lit.haze * _haze(light), border)
    size = image.shape[-1]
    at = (np.arange(size, dtype=np.float32) + 0.5) / size
    y, x = at[:, None], at[None, :]
    far = (y - lit.vignette_centre[0]) ** 2 + (x - lit.vignette_centre[1]) ** 2
    flat = 1 - 2 * lit.vignette * far
    plane = 1 + lit.tilt_y * (y - 0.5) + lit.tilt_x * (x - 0.5)
    intensity = np.asarray(lit.intensity, np.float32)[:, None, None]
    background = np.asarray(lit.background, np.float32)[:, None, None]
    return np.asarray((image * intensity + background * plane) * flat, np.float32)


def expose(
    light: FloatArray,
    lit: Illumination,
    rng: np.random.Generator,
    *,
    border: int = 0,
    exposure: float = 1.0,
) -> npt.NDArray[np.uint16]:
    """Take a picture with a 12-bit camera: offset, shot noise and read noise.

    Parameters
    ----------
    light : ndarray of float32, shape (C, H, W)
        Photons a pixel at perfect focus.
    lit : Illumination
        Illumination and focus.
    rng : numpy.random.Generator
        Source of the noise.
    border : int, default 0
        Pixels to cut off on each side after blurring.
    exposure : float, default 1
        Factor on the time of exposure.

    Returns
    -------
    ndarray of uint16, shape (C, H - 2 * border, W - 2 * border)
        Counts from 0 to 4095.

    Examples
    --------
    >>> dark = expose(np.zeros((3, 8, 8), np.float32), Illumination(), np.random.default_rng(0))
    >>> dark.shape, bool(dark.mean() > 100)
    ((3, 8, 8), True)
    """
    photons = np.maximum(_through_optics(light, lit, border) * exposure, 0)
    # Shot noise as its normal limit: there are tens of photons everywhere, and it is much faster.
    noise = np.sqrt(_GAIN**2 * photons + _READ_NOISE**2)
    counts = _OFFSET + _GAIN * photons + noise * rng.standard_normal(photons.shape, np.float32)
    return np.asarray(np.clip(np.rint(counts), 0, SATURATION), np.uint16)
