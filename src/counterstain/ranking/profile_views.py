"""Profiles as they come: of one network, or of several that each may not score all wells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from counterstain.errors import InvalidInputError
from counterstain.ranking.well_table import WellTable

__all__ = ["as_views", "mark_profiles"]


def as_views(profiles: ArrayLike | Sequence[ArrayLike], n_wells: int) -> list[NDArray[np.floating]]:
    """Return one array (W, D) a network.

    Raises
    ------
    InvalidInputError
        If an array is not of numbers, or has not a row per well.

    Examples
    --------
    >>> len(as_views(np.zeros((3, 2)), 3)), len(as_views([np.zeros((3, 2))] * 4, 3))
    (1, 4)
    """
    spaces: list[Any] = [profiles]
    if isinstance(profiles, list | tuple) and len(profiles) > 0 and np.ndim(profiles[0]) == 2:
        spaces = list(profiles)
    found = []
    for space in spaces:
        array = np.asarray(space)
        if array.dtype.kind not in "fiu" or array.ndim != 2 or len(array) != n_wells:
            raise InvalidInputError(
                f"`profiles` must be numbers, ({n_wells} wells, latents); got {array.dtype} of "
                f"shape {array.shape}: average the latents of each well's crops first."
            )
        found.append(array if array.dtype.kind == "f" else array.astype(np.float64))
    return found


def mark_profiles(spaces: list[NDArray[np.floating]], table: WellTable) -> WellTable:
    """Mark wells without a profile, and copies of another well."""
    seen = np.any([np.isfinite(space).all(axis=1) for space in spaces], axis=0)
    table = table.marked(~seen, "no profile")
    first: dict[bytes, int] = {}
    copies = np.zeros(len(seen), bool)
    for row in np.flatnonzero(table.counts).tolist():
        key = b"".join(space[row].tobytes() for space in spaces)
        copies[row] = first.setdefault(key, row) != row
    return table.marked(copies, "same profile as another well: a copy is no replicate")
