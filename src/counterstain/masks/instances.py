"""From the maps of a network to one number an object: watershed from the middle of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.segmentation import watershed

from counterstain.errors import InvalidInputError

__all__ = ["InstanceSettings", "instances_from_maps"]

_watershed: Callable[..., Any] = watershed  # scikit-image is typed in part only


@dataclass(frozen=True, slots=True)
class InstanceSettings:
    """How maps become objects.

    Parameters
    ----------
    foreground : float
        Probability from which on a pixel belongs to an object, between 0 and 1.
    core : float
        Share of the largest distance to the edge from which on a pixel lies in the middle of its
        object, between 0 and 1: lower joins neighbours, higher breaks objects apart.
    min_area, min_core : int
        Objects, and middles of objects, of fewer pixels are dropped.
    certainty : float
        Mean probability from which on an object is kept, 0 to 1: what a network half believes to
        see is mostly dirt, or light from elsewhere. 0 keeps all.
    """

    foreground: float = 0.5
    core: float = 0.5
    min_area: int = 60
    min_core: int = 8
    certainty: float = 0.8


def instances_from_maps(
    maps: NDArray[Any], settings: InstanceSettings | None = None, *, scale: float = 1.0
) -> NDArray[np.int32]:
    """Part the foreground into objects.

    Each connected middle floods the foreground around it; an island of foreground without a middle
    is one object.

    Parameters
    ----------
    maps : (2, H, W) array of float
        Probability of foreground, and distance to the edge of the own object as a share of the
        largest in it, both 0 to 1.
    settings : InstanceSettings, optional
        Levels and smallest sizes.
    scale : float
        Magnification at which the smallest sizes are meant: at 0.5 they are four times as many
        pixels of the maps.

    Returns
    -------
    (H, W) array of int32
        0 background, then 1 to the number of objects without a gap.

    Raises
    ------
    InvalidInputError
        If the maps have another shape, or a level is not between 0 and 1.

    Notes
    -----
    Watershed: Meyer 1994, doi:10.1016/0165-1684(94)90060-4.

    Examples
    --------
    >>> row = np.array([0, 0.4, 0.9, 0.3, 0.9, 0.4, 0, 0])
    >>> maps = np.tile(np.stack([row > 0, row])[:, None], (1, 5, 1)).astype(float)
    >>> instances_from_maps(maps, InstanceSettings(min_area=1, min_core=1))[2].tolist()
    [0, 1, 1, 1, 2, 2, 0, 0]
    """
    settings = settings or InstanceSettings()
    _check(maps, settings)
    min_area, min_core = (
        max(1, round(size / scale**2)) for size in (settings.min_area, settings.min_core)
    )
    probability, distance = maps
    foreground = probability >= settings.foreground
    cores = _numbered((distance >= settings.core) & foreground, min_core, touching=False)
    islands = _numbered(foreground, min_area, touching=True)
    has_core = np.bincount(islands.ravel(), weights=cores.ravel() > 0) > 0
    has_core[0] = True
    alone = ~has_core[islands]
    seeds = np.where(alone, islands + cores.max(), cores)
    objects = _watershed(-distance, seeds, mask=islands > 0)
    return _renumbered(_certain(objects, probability, settings.certainty), min_area)


def _certain(labels: NDArray[Any], probability: NDArray[Any], certainty: float) -> NDArray[Any]:
    areas = np.bincount(labels.ravel())
    sums = np.bincount(labels.ravel(), weights=probability.ravel())
    keep = sums >= certainty * areas
    return np.where(keep[labels], labels, 0)


def _numbered(mask: NDArray[np.bool_], min_area: int, *, touching: bool) -> NDArray[np.int32]:
    """Give each island of a mask a number; `touching` joins pixels that meet at a corner."""
    structure = np.ones((3, 3), np.bool_) if touching else None
    islands, _ = ndimage.label(mask, structure)
    return _renumbered(islands, min_area)


def _renumbered(labels: NDArray[Any], min_area: int) -> NDArray[np.int32]:
    areas = np.bincount(labels.ravel())
    keep = areas >= max(1, min_area)
    keep[0] = False
    numbers = np.where(keep, np.cumsum(keep), 0).astype(np.int32)
    return np.asarray(numbers[labels])


def _check(maps: NDArray[Any], settings: InstanceSettings) -> None:
    if maps.ndim != 3 or len(maps) != 2:
        raise InvalidInputError(
            f"`maps` must be (2, H, W), foreground and distance; got {maps.shape}: pass those of "
            "one field, from `UNetSegmenter.maps`."
        )
    levels = (settings.foreground, settings.core, settings.certainty)
    if not (0 < levels[0] < 1 and 0 < levels[1] < 1 and 0 <= levels[2] <= 1):
        raise InvalidInputError(
            f"`foreground`, `core` and `certainty` must be between 0 and 1; got {levels}: start "
            "from 0.5, 0.5 and 0.8."
        )
