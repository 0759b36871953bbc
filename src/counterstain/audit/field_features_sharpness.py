"""What optics and the camera leave in a field: sharpness and the grain of its noise."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import fft

__all__ = ["BANDS", "band_centres", "band_powers", "noise_products"]

BANDS: tuple[float, ...] = (0.08, 0.10, 0.12, 0.14, 0.16, 0.18, 0.20, 0.22, 0.25, 0.28)
"""Limits of the bands of spatial frequency, cycles a pixel."""
_NOISE_BAND = 0.45


@lru_cache(maxsize=8)
def _rings(height: int, width: int) -> NDArray[np.intp]:
    fy, fx = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :]
    radius = np.hypot(fy, fx)
    ring = np.searchsorted(BANDS, radius, side="right")
    ring[radius > _NOISE_BAND] = len(BANDS) + 1
    # Frequencies on the axes hold what the image's edges cut.
    ring[(np.abs(fy) < 2 / height) | (np.abs(fx) < 2 / width)] = 0
    return np.asarray(ring.ravel())


@lru_cache(maxsize=8)
def _window(height: int, width: int) -> NDArray[np.float32]:
    return np.outer(np.hanning(height), np.hanning(width)).astype(np.float32)


def band_centres() -> NDArray[np.float64]:
    """Return the mean squared frequency of each band, 1 / px², shape (len(BANDS) - 1,)."""
    low, high = np.array(BANDS[:-1]), np.array(BANDS[1:])
    return np.asarray((low**2 + high**2) / 2, np.float64)


def band_powers(planes: NDArray[np.generic]) -> tuple[NDArray[np.float64], float]:
    """Return the power in bands of spatial frequency, and that of white noise.

    A Gaussian blur of width s multiplies the power at frequency f by exp(-(2 pi f s)²), in every
    channel alike: that is how a shift of focus is told from a change of texture.

    Parameters
    ----------
    planes : (N, H, W) array
        Images of one channel.

    Returns
    -------
    power : (len(BANDS) - 1,) array
        Mean power of a frequency in each band, over the images, noise included.
    noise : float
        Mean power beyond what optics pass.
    """
    height, width = planes.shape[1:]
    ring = _rings(height, width)
    size = len(BANDS) + 2
    counts = np.maximum(np.bincount(ring, minlength=size), 1)
    total = np.zeros(size)
    for plane in planes:
        values = plane.astype(np.float32)
        values = (values - values.mean()) * _window(height, width)
        spectrum = fft.rfft2(values)
        power = spectrum.real**2 + spectrum.imag**2
        total += np.bincount(ring, power.ravel(), minlength=size)
    means = total / counts / len(planes)
    return means[1 : len(BANDS)], float(means[-1])


def noise_products(plane: NDArray[np.generic], dark: NDArray[np.bool_]) -> tuple[float, float, int]:
    """Return what tells how alike neighbouring pixels of the background are.

    Raw counts of a camera are independent from pixel to pixel. Filters, resampling and lossy
    compression tie neighbours together, and no biology does that.

    Parameters
    ----------
    plane : (H, W) array
        One channel.
    dark : (H, W) array of bool
        Background.

    Returns
    -------
    smooth, rough : float
        Sums of two squared contrasts of four pixels in a row, blind to gradients of the light;
        equal for independent pixels, where both are the noise's variance times `count`. Blurring
        lowers the second more.
    count : int
        Rows of four.
    """
    values = plane.astype(np.float32)
    smooth, rough, count = 0.0, 0.0, 0
    for v, d in ((values, dark), (values.T, dark.T)):
        inside = d[:-3] & d[1:-2] & d[2:-1] & d[3:]
        first, second, third, fourth = (v[i : i - 3 or None][inside] for i in range(4))
        near = first - second - third + fourth
        far = first - fourth - 3 * (second - third)
        smooth += float(near @ near) / 4
        rough += float(far @ far) / 20
        count += len(near)
    return smooth, rough, count
