"""Where in a crop there is any cell at all, and where it is empty."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.filters import threshold_otsu

from counterstain.errors import InvalidInputError
from counterstain.masks.regions import cell_regions

__all__ = ["Foreground", "fit_foreground"]

_otsu: Callable[..., Any] = threshold_otsu  # scikit-image is typed in part only

_SMOOTHING = 1.0
# Below this distance of Otsu's two means, in standard deviations of the dark half, a channel shows
# noise or a gradient rather than cells; the same limit as for nuclei.
_MIN_CONTRAST = 3.0
_FLOOR = 0.01


@dataclass(frozen=True, slots=True)
class Foreground:
    """Levels above which a channel shows a cell; fitted to many crops of a screen.

    Parameters
    ----------
    levels : tuple of float
        A level a channel, in the unit of the images; infinite where the channel alone does not
        tell cells from empty places.
    """

    levels: tuple[float, ...]

    def cells(
        self, images: NDArray[Any], nuclei: NDArray[np.uint8], ring_width: int = 6
    ) -> NDArray[np.bool_]:
        """Return where cells are: bright in any channel, or at or near a nucleus.

        Parameters
        ----------
        images : (N, C, H, W) array
            Crops.
        nuclei : (N, H, W) array of uint8
            0 background, 1 the crop's own nucleus, 2 other nuclei.
        ring_width : int
            Width of the ring around a nucleus that counts as cell however dim it is, pixels.

        Returns
        -------
        (N, H, W) array of bool
            Everything else is empty.

        Raises
        ------
        InvalidInputError
            If the shapes do not fit each other or the levels.
        """
        _check(images, nuclei)
        if images.shape[1] != len(self.levels):
            raise InvalidInputError(
                f"`images` must have {len(self.levels)} channels, as those the levels were fitted "
                f"to; got {images.shape[1]}: fit them to images of the same channels."
            )
        smooth = _smoothed(images)
        levels = np.array(self.levels, np.float32)[None, :, None, None]
        bright = (smooth > levels).any(axis=1)
        near = cell_regions((nuclei > 0).astype(np.uint8), ring_width).cell
        return np.asarray(bright | near)


def fit_foreground(images: NDArray[Any], nuclei: NDArray[np.uint8]) -> Foreground:
    """Find the level of each channel that parts cells from empty places.

    Otsu's threshold on the logarithm of smoothed intensities, over all crops together: a single
    crop may show no empty place at all. A channel whose bright and dark pixels differ no more than
    noise does is left out.

    Parameters
    ----------
    images : (N, C, H, W) array
        A sample of a screen's crops of all kinds, on one scale.
    nuclei : (N, H, W) array of uint8
        Their nuclei; pixels in nuclei are left out of a channel's histogram, so that a nuclear
        stain does not hide fainter cytoplasm.

    Returns
    -------
    Foreground
        The levels.

    Raises
    ------
    InvalidInputError
        If the shapes do not fit each other, or there is no crop.

    Notes
    -----
    Threshold: Otsu 1979, doi:10.1109/TSMC.1979.4310076.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> images = 0.05 + 0.005 * rng.standard_normal((4, 1, 32, 32))
    >>> images[:, 0, 8:24, 8:24] += 0.5
    >>> nuclei = np.zeros((4, 32, 32), np.uint8)
    >>> nuclei[:, 14:18, 14:18] = 1
    >>> found = fit_foreground(images, nuclei)
    >>> 0.06 < found.levels[0] < 0.5, round(float(found.cells(images, nuclei, 2).mean()), 2)
    (True, 0.31)
    """
    _check(images, nuclei)
    if len(images) == 0:
        raise InvalidInputError("`images` must hold at least one crop; got none: pass a sample.")
    outside = nuclei == 0
    smooth = _smoothed(images)
    levels = [_level(smooth[:, channel][outside]) for channel in range(images.shape[1])]
    return Foreground(tuple(levels))


def _level(values: NDArray[np.float32]) -> float:
    if values.size < 2:
        return float("inf")
    shift = float(values.min()) - _FLOOR
    logs = np.log(values - shift)
    if float(np.ptp(logs)) <= 1e-4:
        return float("inf")
    threshold = float(_otsu(logs, nbins=512))
    dark, bright = logs[logs <= threshold], logs[logs > threshold]
    if dark.size < 2 or bright.size < 2:
        return float("inf")
    if bright.mean() - dark.mean() < _MIN_CONTRAST * dark.std():
        return float("inf")
    return float(np.exp(threshold) + shift)


def _smoothed(images: NDArray[Any]) -> NDArray[np.float32]:
    return np.asarray(
        ndimage.gaussian_filter(images.astype(np.float32), (0, 0, _SMOOTHING, _SMOOTHING))
    )


def _check(images: NDArray[Any], nuclei: NDArray[np.uint8]) -> None:
    if images.ndim != 4 or nuclei.shape != (len(images), *images.shape[2:]):
        raise InvalidInputError(
            f"`images` must be (N, C, H, W) and `nuclei` (N, H, W) of the same crops; got "
            f"{images.shape} and {nuclei.shape}: pass both from one store."
        )
