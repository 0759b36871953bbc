"""From the maps of a network to one number an object: pixels with the same centre are one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import NonNegativeInt
from scipy import ndimage

from counterstain.errors import InvalidInputError
from counterstain.masks.centre_votes import objects_by_votes
from counterstain.types import Share

__all__ = ["RADIUS", "InstanceSettings", "instances_from_maps"]

RADIUS = 12.0
"""Radius of the median cell in training, pixels of the network: the unit of ways to a centre."""


@dataclass(frozen=True, slots=True)
class InstanceSettings:
    """How maps become objects.

    Parameters
    ----------
    foreground : float
        Probability from which on a pixel belongs to an object, between 0 and 1.
    saddle : float
        Two centres are one where the votes between them reach this share of those for the lesser
        one, between 0 and 1: lower joins neighbours, higher breaks objects apart.
    min_area, min_votes : int
        Objects of fewer pixels are dropped, and centres that fewer pixels vote for; a pixel's vote
        weighs by how deep it lies in its object.
    certainty : float
        Mean probability from which on an object is kept, 0 to 1: what a network half believes to
        see is mostly dirt, or light from elsewhere. 0 keeps all.
    certainty_magnified : float, optional
        The same for fields that were magnified for the network; as `certainty` where not given.
        Small things there are as often noise, spread over more pixels, as they are micronuclei
        where nuclei are large.
    """

    foreground: Share = 0.5
    saddle: Share = 0.4
    min_area: NonNegativeInt = 30
    min_votes: NonNegativeInt = 4
    certainty: Share = 0.8
    certainty_magnified: Share | None = None

    def certainty_at(self, scale: float) -> float:
        """Return the certainty that counts at a magnification."""
        magnified = self.certainty_magnified
        return self.certainty if scale <= 1 or magnified is None else magnified


def instances_from_maps(
    maps: NDArray[Any], settings: InstanceSettings | None = None, *, scale: float = 1.0
) -> NDArray[np.int32]:
    """Part the foreground into objects.

    Each pixel votes for the centre of its object; pixels whose votes fall on one heap are one
    object. An island of foreground without such a heap is one object.

    Parameters
    ----------
    maps : (4, H, W) array of float
        Probability of foreground, and distance to the edge of the own object as a share of the
        largest in it, both 0 to 1; how far down and right the object's centre lies, in radii of
        the median cell in training (12 pixels of the network).
    settings : InstanceSettings, optional
        Levels and smallest sizes.
    scale : float
        Magnification at which sizes are meant: at 0.5 the smallest ones are four times as many
        pixels of the maps, and a radius is twice as long.

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
    See :mod:`counterstain.masks.centre_votes`.

    Examples
    --------
    >>> owner = np.repeat([[1, 2]], 9, axis=1).repeat(9, axis=0)  # two cells of 9 x 9 that touch
    >>> rows, columns = np.indices(owner.shape)
    >>> way = np.stack([4 - rows, np.where(owner == 1, 4, 13) - columns]) / RADIUS
    >>> maps = np.concatenate([np.ones((2, *owner.shape)), way])
    >>> bool((instances_from_maps(maps) == owner).all())
    True
    """
    settings = settings or InstanceSettings()
    _check(maps, settings)
    min_area = max(1, round(settings.min_area / scale**2))
    probability = maps[0]
    islands = _numbered(probability >= settings.foreground, min_area)
    voted = objects_by_votes(
        maps,
        islands > 0,
        radius=RADIUS / scale,
        fewest=settings.min_votes / scale**2,
        saddle=settings.saddle,
    )
    has_votes = np.bincount(islands.ravel(), weights=voted.ravel() > 0) > 0
    has_votes[0] = True
    objects = np.where(has_votes[islands], voted, islands + voted.max())
    return _renumbered(_certain(objects, probability, settings.certainty_at(scale)), min_area)


def _certain(labels: NDArray[Any], probability: NDArray[Any], certainty: float) -> NDArray[Any]:
    areas = np.bincount(labels.ravel())
    sums = np.bincount(labels.ravel(), weights=probability.ravel())
    keep = sums >= certainty * areas
    return np.where(keep[labels], labels, 0)


def _numbered(mask: NDArray[np.bool_], min_area: int) -> NDArray[np.int32]:
    """Give each island of a mask a number; pixels that meet at a corner are joined."""
    islands, _ = ndimage.label(mask, np.ones((3, 3), np.bool_))
    return _renumbered(islands, min_area)


def _renumbered(labels: NDArray[Any], min_area: int) -> NDArray[np.int32]:
    areas = np.bincount(labels.ravel())
    keep = areas >= max(1, min_area)
    keep[0] = False
    numbers = np.where(keep, np.cumsum(keep), 0).astype(np.int32)
    return np.asarray(numbers[labels])


def _check(maps: NDArray[Any], settings: InstanceSettings) -> None:
    if maps.ndim != 3 or len(maps) != 4:
        raise InvalidInputError(
            "`maps` must be (4, H, W): foreground, distance and the way to the centre; got "
            f"{maps.shape}: pass those of one field, from `UNetSegmenter.maps`."
        )
    levels = (settings.foreground, settings.saddle)
    certainties = (settings.certainty, settings.certainty_at(np.inf))
    if not (all(0 < x < 1 for x in levels) and all(0 <= x <= 1 for x in certainties)):
        raise InvalidInputError(
            "`foreground`, `saddle`, `certainty` and `certainty_magnified` must be between 0 and "
            f"1; got {(*levels, *certainties)}: start from 0.5, 0.4, 0.8 and 0.85."
        )
