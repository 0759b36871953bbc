"""At which magnification a U-Net sees a field: its cells are to be as large as those it knows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from counterstain.errors import InvalidInputError

__all__ = ["checked_scale", "fitting_scale", "median_diameter", "scale_for"]

_SMALLEST, _LARGEST = 0.05, 20.0
# Outside of these a first look has found dirt, or a whole cluster as one.
_LOOKS = (0.25, 4.0)
_NEAR = 1.15
# Large cells are shrunk to twice the wanted diameter, no further: micronuclei beside them would be
# a pixel or two.
_LARGEST_TIMES = 2.0
_MOST_LOOKS = 3


def median_diameter(labels: NDArray[Any]) -> float:
    """Return the diameter of the object in which the median pixel lies, as a circle of its area.

    Half of all pixels of objects lie in larger objects: fragments hardly count.

    Parameters
    ----------
    labels : (H, W) array of int
        0 background, one number an object.

    Returns
    -------
    float
        Pixels; NaN without any object.

    Examples
    --------
    >>> round(median_diameter(np.array([[1, 1, 1, 1], [1, 1, 1, 1], [0, 0, 0, 2]])), 2)
    3.19
    """
    areas = np.sort(np.bincount(labels.ravel())[1:])
    if not areas.any():
        return float("nan")
    total = np.cumsum(areas)
    middle = areas[np.searchsorted(total, total[-1] / 2)]
    return float(2 * np.sqrt(middle / np.pi))


def scale_for(diameter: float, wanted: float) -> float:
    """Return the magnification at which a network sees objects of `diameter`.

    Smaller ones become as large as `wanted`; those between `wanted` and twice of it stay as they
    are; larger ones are shrunk to twice `wanted`, so that small pieces beside them stay visible.

    Parameters
    ----------
    diameter, wanted : float
        Pixels; NaN for an unknown `diameter` leaves the field as it is.

    Examples
    --------
    >>> scale_for(12.0, 24.0), scale_for(40.0, 24.0), scale_for(96.0, 24.0)
    (2.0, 1.0, 0.5)
    >>> scale_for(2.0, 24.0), scale_for(float("nan"), 24.0)
    (4.0, 1.0)
    """
    if not diameter > 0:
        return 1.0
    fitting = wanted / diameter
    return float(np.clip(max(fitting, min(1.0, _LARGEST_TIMES * fitting)), *_LOOKS))


def fitting_scale(
    instances_at: Callable[[float], NDArray[np.int32]], wanted: float, start: float = 0.7
) -> float:
    """Find the magnification of a field by looking at it.

    The objects found at one magnification tell the next one, until both agree.

    Parameters
    ----------
    instances_at : callable
        Magnification to label image of the field, in the field's own pixels.
    wanted : float
        Diameter that objects are to have, pixels of the network.
    start : float
        Magnification of the first look: rather too small than too large, where debris and small
        cells of another kind pass for those that are sought.

    Returns
    -------
    float
        `start` where no object is found.

    Examples
    --------
    >>> disc = (np.hypot(*np.mgrid[-30:31, -30:31]) < 24).astype(np.int32)
    >>> round(fitting_scale(lambda scale: disc, wanted=12.0), 1)
    0.5
    """
    scale = start
    for _ in range(_MOST_LOOKS):
        diameter = median_diameter(instances_at(scale))
        if np.isnan(diameter):
            return scale
        before, scale = scale, scale_for(diameter, wanted)
        if max(scale / before, before / scale) < _NEAR:
            break
    return scale


def checked_scale(scale: float) -> float:
    """Return a magnification as a float.

    Raises
    ------
    InvalidInputError
        If it is no number between 0.05 and 20.

    Examples
    --------
    >>> checked_scale(1)
    1.0
    """
    if isinstance(scale, str) or not _SMALLEST <= scale <= _LARGEST:
        raise InvalidInputError(
            f"`scale` must be a magnification between {_SMALLEST:g} and {_LARGEST:g}, or None; got "
            f"{scale!r}: 1 leaves fields as they are, None fits the magnification to the cells."
        )
    return float(scale)
