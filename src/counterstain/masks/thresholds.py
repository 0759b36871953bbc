"""Masks by a threshold: Otsu's, the triangle's, mean and SD, over a moving mean, or a number."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.filters import threshold_otsu, threshold_triangle

from counterstain.errors import InvalidInputError
from counterstain.statistics.inputs import warn_undefined

__all__ = ["ThresholdMethod", "image_fault", "threshold_level", "threshold_mask"]

ThresholdMethod = Literal["otsu", "triangle", "mean_sd", "local"]
"""Ways to find a level from the image itself."""

_otsu: Callable[..., Any] = threshold_otsu  # scikit-image is typed in part only
_triangle: Callable[..., Any] = threshold_triangle
_BINS = 1024
_SATURATED = 0.5


def image_fault(image: NDArray[Any], *, saturation: float | None = None) -> str:
    """Say why no mask can be made of an image, as words for a table; empty where one can.

    Parameters
    ----------
    image : (H, W) array of numbers
        One channel.
    saturation : float, optional
        Level at which the camera saturates; that of the dtype for integers where not given. A
        12-bit camera that writes 16-bit files saturates at 4095.

    Returns
    -------
    str
        ``""``, or the reason: NaN or infinity, constant, or more than half of it saturated.

    Raises
    ------
    InvalidInputError
        If the image is not two-dimensional, has no pixel, or holds no numbers.

    Examples
    --------
    >>> image_fault(np.full((4, 4), 7, np.uint16))
    'every pixel is 7'
    >>> image_fault(np.eye(4))
    ''
    """
    _check(image)
    if image.dtype.kind == "f":
        bad = int(image.size - np.isfinite(image).sum())
        if bad:
            return f"{bad} of {image.size} pixels are NaN or infinite"
    low, high = image.min(), image.max()
    if low == high:
        return f"every pixel is {low:g}"
    if saturation is None and image.dtype.kind in "iu":
        saturation = float(np.iinfo(image.dtype).max)
    if saturation is not None and high >= saturation:
        share = float((image >= saturation).mean())
        if share > _SATURATED:
            return f"{share:.0%} of the pixels are saturated"
    return ""


def threshold_level(
    image: NDArray[Any], method: ThresholdMethod = "otsu", *, sd_factor: float = 1.0
) -> float:
    """Find the level above which an image shows cells.

    Each method finds a level in an image of noise too: a level is no proof of cells.

    Parameters
    ----------
    image : (H, W) array of numbers
        One channel.
    method : {"otsu", "triangle", "mean_sd"}
        Otsu's: least variance within the two sides. Triangle: the point of the histogram farthest
        below the line from its peak to its bright end; for few and dim cells. Mean plus
        `sd_factor` SDs of all pixels: as the co-culture reference system did; it rises with
        the share of the image that cells cover.
    sd_factor : float
        SDs (ddof 0) above the mean, for ``mean_sd``.

    Returns
    -------
    float
        The level, in the unit of the image; NaN, with a warning that says why, where
        :func:`image_fault` finds one.

    Raises
    ------
    InvalidInputError
        If the image is not two-dimensional, or the method is none of these.

    Notes
    -----
    Otsu 1979, doi:10.1109/TSMC.1979.4310076; Zack et al. 1977, doi:10.1177/25.7.70454.

    Examples
    --------
    >>> image = np.zeros((4, 4))
    >>> image[1:3, 1:3] = 1.0
    >>> round(threshold_level(image, "mean_sd"), 3)
    0.683
    """
    if method not in ("otsu", "triangle", "mean_sd"):
        raise InvalidInputError(
            f"`method` must be 'otsu', 'triangle' or 'mean_sd' for one level an image; got "
            f"{method!r}: 'local' has a level a pixel, call `threshold_mask`."
        )
    fault = image_fault(image)
    if fault:
        warn_undefined("the threshold", fault)
        return math.nan
    if method == "mean_sd":
        return float(image.mean(dtype=np.float64) + sd_factor * image.std(dtype=np.float64))
    find = _otsu if method == "otsu" else _triangle
    return float(find(image, nbins=_BINS))


def threshold_mask(
    image: NDArray[Any],
    method: ThresholdMethod | float = "otsu",
    *,
    sd_factor: float = 1.0,
    window: int = 101,
    smoothing: float = 0.0,
    min_area: int = 0,
) -> NDArray[np.bool_]:
    """Return where an image is brighter than a level.

    Parameters
    ----------
    image : (H, W) array of numbers
        One channel, any unit.
    method : {"otsu", "triangle", "mean_sd", "local"} or float
        See :func:`threshold_level`; ``local``: brighter than the mean of the `window` around the
        pixel by `sd_factor` SDs of that difference over the image, for uneven background. A number
        is the level itself, in the unit of the image.
    sd_factor : float
        For ``mean_sd`` and ``local``.
    window : int
        Side of the window of ``local``, pixels; several cells wide, else cells become hollow.
    smoothing : float
        Standard deviation of a Gaussian before the threshold, pixels; 0 for none.
    min_area : int
        Islands of fewer pixels (8-neighbours) are removed; 0 keeps all.

    Returns
    -------
    (H, W) array of bool
        True above the level. All False, with a warning that says why, where
        :func:`image_fault` finds one: such a field is faulty, it is not a field without cells.

    Raises
    ------
    InvalidInputError
        If the image is not two-dimensional, or an argument is out of range.

    Examples
    --------
    >>> image = np.zeros((4, 4), np.uint16)
    >>> image[1:3, 1:3] = 900
    >>> int(threshold_mask(image).sum()), int(threshold_mask(image, 1000).sum())
    (4, 0)
    """
    _check(image)
    _check_arguments(method, window, smoothing, min_area)
    fault = image_fault(image)
    if fault and (isinstance(method, str) or "NaN" in fault):
        warn_undefined("the mask", fault)
        return np.zeros(image.shape, np.bool_)
    smooth = image
    if smoothing > 0:
        smooth = ndimage.gaussian_filter(image.astype(np.float32), smoothing)
    if method == "local":
        mask = _local(smooth, window, sd_factor)
    elif isinstance(method, str):
        mask = smooth > threshold_level(smooth, method, sd_factor=sd_factor)
    else:
        mask = smooth > method
    return _without_islands(mask, min_area)


def _local(image: NDArray[Any], window: int, sd_factor: float) -> NDArray[np.bool_]:
    values = image.astype(np.float32, copy=False)
    difference = values - ndimage.uniform_filter(values, window, mode="reflect")
    return np.asarray(difference > sd_factor * float(difference.std(dtype=np.float64)))


def _without_islands(mask: NDArray[np.bool_], min_area: int) -> NDArray[np.bool_]:
    if min_area <= 1:
        return np.asarray(mask)
    islands, _ = ndimage.label(mask, np.ones((3, 3), np.bool_))
    large = np.bincount(islands.ravel()) >= min_area
    large[0] = False
    return np.asarray(large[islands])


def _check(image: NDArray[Any]) -> None:
    if image.ndim != 2 or image.size == 0:
        raise InvalidInputError(
            f"`image` must be (H, W) with at least one pixel; got {image.shape}: pass one channel, "
            "such as `field[0]`."
        )
    if image.dtype.kind not in "fiu":
        raise InvalidInputError(
            f"`image` must hold intensities; got {image.dtype}: pass the image, not a mask of it."
        )


def _check_arguments(method: object, window: int, smoothing: float, min_area: int) -> None:
    names = get_args(ThresholdMethod)
    if isinstance(method, str):
        known = method in names
    else:
        known = isinstance(method, (int, float, np.number)) and math.isfinite(method)
    if not known:
        raise InvalidInputError(
            f"`method` must be one of {list(names)} or a finite level; got {method!r}: choose one."
        )
    if window < 3 or smoothing < 0 or min_area < 0:
        raise InvalidInputError(
            f"`window` must be at least 3 px, `smoothing` and `min_area` at least 0; got {window}, "
            f"{smoothing} and {min_area}: correct them."
        )
