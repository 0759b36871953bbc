"""Overlap patch by patch: a window that slides over a field, or a regular grid."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from counterstain.errors import InvalidInputError
from counterstain.masks.mask_overlap import as_mask, check_pair
from counterstain.masks.overlap_excess import intersection_above_chance

__all__ = ["FAULTY_STATES", "patch_corners", "patch_overlaps"]

FAULTY_STATES = ("empty", "debris", "faulty field")
"""States of patches whose overlap is 0 by definition, not by measurement."""

_LEAST_CELLS = 0.005
_MOST_DEBRIS = 0.02


def patch_corners(
    shape: tuple[int, ...], patch_px: int = 192, n_patches: int | None = 100
) -> NDArray[np.intp]:
    """Place square patches on a field.

    Parameters
    ----------
    shape : tuple of int
        Height and width of the field.
    patch_px : int, default 192
        Edge of a patch.
    n_patches : int or None, default 100
        Patches of a field, rounded up to a full grid of places from edge to edge: they overlap
        where the field is small. None lays a regular grid without overlap; what is left at the
        right and lower edge, less than a patch, is in none.

    Returns
    -------
    ndarray of int, shape (P, 2)
        Row and column of each upper left corner, row by row; no place twice.

    Raises
    ------
    InvalidInputError
        If a patch is larger than the field, or a number below 1.

    Examples
    --------
    >>> patch_corners((400, 600), 192, 4).tolist()
    [[0, 0], [0, 408], [208, 0], [208, 408]]
    >>> len(patch_corners((2048, 2048))), len(patch_corners((400, 600), n_patches=None))
    (100, 6)
    """
    height, width = shape
    if patch_px < 1 or (n_patches is not None and n_patches < 1):
        raise InvalidInputError(
            f"`patch_px` and `n_patches` must be 1 or more; got {patch_px} and {n_patches}."
        )
    if patch_px > min(height, width):
        raise InvalidInputError(
            f"`patch_px` must be at most the field's shorter edge, {min(height, width)} px; got "
            f"{patch_px}: take smaller patches, or {min(height, width)} for one a field."
        )
    if n_patches is None:
        places = [np.arange(0, edge - patch_px + 1, patch_px) for edge in (height, width)]
    else:
        rows = math.ceil(math.sqrt(n_patches))
        counts = (rows, math.ceil(n_patches / rows))
        places = [
            np.unique(np.rint(np.linspace(0, edge - patch_px, count)).astype(np.intp))
            for edge, count in zip((height, width), counts, strict=True)
        ]
    return np.array([(row, column) for row in places[0] for column in places[1]], np.intp)


def patch_overlaps(
    mask_a: NDArray[Any],
    mask_b: NDArray[Any],
    *,
    patch_px: int = 192,
    n_patches: int | None = 100,
    debris: NDArray[np.bool_] | None = None,
    fault: str = "",
) -> pd.DataFrame:
    """Measure the overlap of every patch of a field.

    Parameters
    ----------
    mask_a, mask_b : ndarray of bool or int, shape (H, W)
        Masks or label images of one field, e.g. T cells and dendritic cells.
    patch_px, n_patches : int
        As in `patch_corners`.
    debris : ndarray of bool, shape (H, W), optional
        Where no cell can be told, e.g. from `find_debris`.
    fault : str, default ''
        What is wrong with the whole field; every patch is faulty then.

    Returns
    -------
    pandas.DataFrame
        A row a patch: `row_px`, `column_px`, `patch_px`; `state`; `area_a`, `area_b` and
        `intersection` in pixels; `iou`, `dice`, `share_a`, `share_b`; `expected_iou` (of areas
        that lie anywhere in the patch), `iou_above_chance` and `share_a_above_chance`. States are
        ``contact``, ``no contact``, and those of `FAULTY_STATES`: ``empty`` (cells on less than
        0.5 % of the patch), ``debris`` (on 2 % or more), ``faulty field``. The overlap of faulty
        patches is 0 by definition, and NaN above chance. Shares of a kind that is not there are
        NaN.

    Raises
    ------
    InvalidInputError
        If the sizes differ, masks hold floats, or a patch is larger than the field.

    Examples
    --------
    >>> a, b = np.zeros((2, 8, 8), bool)
    >>> a[0:2, 0:2] = b[1:3, 0:2] = b[5, 5] = True
    >>> table = patch_overlaps(a, b, patch_px=4, n_patches=None)
    >>> table["state"].tolist(), table["iou"].round(3).tolist()
    (['contact', 'empty', 'empty', 'no contact'], [0.333, 0.0, 0.0, 0.0])
    """
    a, b = as_mask(mask_a, "mask_a"), as_mask(mask_b, "mask_b")
    check_pair(a, b, ("mask_a", "mask_b"))
    dirt = np.zeros(a.shape, bool) if debris is None else as_mask(debris, "debris")
    check_pair(a, dirt, ("mask_a", "debris"))
    corners = patch_corners(a.shape, patch_px, n_patches)
    both = a & b
    counts = [
        [np.count_nonzero(m[r : r + patch_px, c : c + patch_px]) for m in (a, b, both, dirt)]
        for r, c in corners.tolist()
    ]
    area_a, area_b, inter, dirty = np.array(counts, np.int64).T
    size = patch_px * patch_px
    state = np.where(inter > 0, "contact", "no contact").astype(object)
    state[area_a + area_b < max(1, _LEAST_CELLS * size)] = "empty"
    state[dirty >= max(1, _MOST_DEBRIS * size)] = "debris"
    if fault:
        state[:] = "faulty field"
    table = pd.DataFrame(
        {"row_px": corners[:, 0], "column_px": corners[:, 1], "patch_px": patch_px, "state": state}
    )
    return table.assign(**_measures(area_a, area_b, inter, size, np.isin(state, FAULTY_STATES)))


def _measures(
    area_a: NDArray[np.int64],
    area_b: NDArray[np.int64],
    inter: NDArray[np.int64],
    size: int,
    faulty: NDArray[np.bool_],
) -> dict[str, NDArray[Any]]:
    """Return the columns of overlap; 0 in faulty patches."""
    expected = area_a * area_b / size
    above = intersection_above_chance(inter, expected, area_a, area_b)
    with np.errstate(divide="ignore", invalid="ignore"):
        union = area_a + area_b - inter
        columns = {
            "iou": inter / union,
            "dice": 2 * inter / (area_a + area_b),
            "share_a": inter / area_a,
            "share_b": inter / area_b,
        }
        chance = {
            "expected_iou": expected / (area_a + area_b - expected),
            "iou_above_chance": above / (area_a + area_b - above),
            "share_a_above_chance": above / area_a,
        }
    found: dict[str, NDArray[Any]] = {"area_a": area_a, "area_b": area_b, "intersection": inter}
    found |= {name: np.where(faulty, 0.0, values) for name, values in columns.items()}
    found |= {name: np.where(faulty, np.nan, values) for name, values in chance.items()}
    return found
