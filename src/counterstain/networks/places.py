"""Which places of a latent map are averaged together."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from counterstain.errors import InvalidInputError

__all__ = ["PLACES", "place_rings"]

PLACES = ("all", "rings")
# Distance from the centre over half the side: inside of the first the crop's own cell, beyond the
# second the corners, which see the neighbours.
_EDGES = (0.5, 0.95)


def place_rings(side: int, places: Any) -> Tensor:
    """Return the ring ``(side, side)`` that each place belongs to, numbered from 0 without gaps.

    Parameters
    ----------
    side : int
        Places along a side of the latent map.
    places : {'all', 'rings'}
        One average over all places, or one each near the centre, around it and in the corners. A
        crop that is centred on a cell has a middle that differs from its surroundings; a turn or a
        mirror image leaves the rings as they are.

    Raises
    ------
    InvalidInputError
        If `places` is neither.

    Examples
    --------
    >>> place_rings(4, "rings").tolist()
    [[2, 1, 1, 2], [1, 0, 0, 1], [1, 0, 0, 1], [2, 1, 1, 2]]
    >>> int(place_rings(4, "all").max())
    0
    """
    if places not in PLACES:
        raise InvalidInputError(
            f"`places` must be one of {list(PLACES)}; got {places!r}: use 'rings' for crops that "
            "are centred on cells, 'all' for others."
        )
    if places == "all":
        return torch.zeros(side, side, dtype=torch.long)
    line = (torch.arange(side) - (side - 1) / 2) / (side / 2)
    distance = torch.hypot(line[:, None], line[None, :])
    rings = torch.bucketize(distance, torch.tensor(_EDGES), right=True)
    numbered: Tensor = torch.unique(rings, return_inverse=True)[1]
    return numbered
