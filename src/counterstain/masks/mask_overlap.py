"""How much of the area of two cell types lies over each other."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from counterstain.errors import InvalidInputError
from counterstain.statistics.inputs import warn_undefined

__all__ = ["Overlap", "as_mask", "check_pair", "overlap", "overlap_of_areas"]

BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Overlap:
    """Overlap of two masks.

    Parameters
    ----------
    iou : float
        Intersection over union, 0 to 1; NaN where both masks are empty.
    dice : float
        Twice the intersection over the sum of both areas; NaN where both masks are empty.
    share_a, share_b : float
        Share of a mask's own area that the other one covers; NaN where that mask is empty.
    area_a, area_b, intersection, union : int
        Pixels.
    reason : str
        Why a number is NaN; empty otherwise.
    """

    iou: float
    dice: float
    share_a: float
    share_b: float
    area_a: int
    area_b: int
    intersection: int
    union: int
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping; NaN becomes None, since JSON has no NaN."""
        return {
            key: None if isinstance(item, float) and math.isnan(item) else item
            for key, item in asdict(self).items()
        }


def as_mask(mask: NDArray[Any], argument: str) -> BoolArray:
    """Return a mask (H, W) of bool; labels and 0/1 integers become "not background".

    Parameters
    ----------
    mask : ndarray of bool or int, shape (H, W)
        A mask, or a label image with 0 for the background.
    argument : str
        Name for the message.

    Returns
    -------
    ndarray of bool, shape (H, W)

    Raises
    ------
    InvalidInputError
        If it is no image, holds floats, or negative labels.

    Examples
    --------
    >>> as_mask(np.array([[0, 3]]), "mask_a")
    array([[False,  True]])
    """
    array = np.asarray(mask)
    if array.ndim != 2 or array.size == 0:
        raise InvalidInputError(
            f"`{argument}` must be one image (H, W) of at least one pixel; got shape "
            f"{array.shape}: pass one field and one channel at a time."
        )
    if array.dtype == bool:
        return array
    if array.dtype.kind not in "iu":
        raise InvalidInputError(
            f"`{argument}` must hold bool or whole numbers (0 is background); got "
            f"{array.dtype}: threshold probabilities, or convert labels with `.astype(int)`."
        )
    if array.dtype.kind == "i" and array.min() < 0:
        raise InvalidInputError(
            f"`{argument}` must hold 0 (background) and positive labels; got {array.min()}: "
            f"set what is no cell to 0."
        )
    return np.asarray(array != 0)


def check_pair(a: NDArray[Any], b: NDArray[Any], names: tuple[str, str]) -> None:
    """Raise InvalidInputError unless two images are of one size."""
    if a.shape != b.shape:
        raise InvalidInputError(
            f"`{names[1]}` must be of the size of `{names[0]}`, {a.shape}; got {b.shape}: pass "
            f"both masks of the same field at the same scale."
        )


def overlap_of_areas(area_a: int, area_b: int, intersection: int) -> Overlap:
    """Make the record from areas that were counted elsewhere.

    Parameters
    ----------
    area_a, area_b, intersection : int
        Pixels of each mask and of both.

    Returns
    -------
    Overlap
        NaN with a reason where a denominator is 0; no warning.

    Examples
    --------
    >>> overlap_of_areas(0, 4, 0).reason
    'mask_a is empty'
    """
    union = area_a + area_b - intersection
    empty = [name for name, area in (("mask_a", area_a), ("mask_b", area_b)) if area == 0]
    reason = "both masks are empty" if len(empty) == 2 else "".join(f"{n} is empty" for n in empty)
    return Overlap(
        iou=_ratio(intersection, union),
        dice=_ratio(2 * intersection, area_a + area_b),
        share_a=_ratio(intersection, area_a),
        share_b=_ratio(intersection, area_b),
        area_a=area_a,
        area_b=area_b,
        intersection=intersection,
        union=union,
        reason=reason,
    )


def overlap(mask_a: NDArray[Any], mask_b: NDArray[Any]) -> Overlap:
    """Measure how much two masks lie over each other.

    Cells that are merely many overlap by chance: `excess_overlap` takes that off.

    Parameters
    ----------
    mask_a, mask_b : ndarray of bool or int, shape (H, W)
        Masks or label images (0 is background) of one field, e.g. T cells and dendritic cells.

    Returns
    -------
    Overlap
        NaN with a reason and an `UndefinedStatisticWarning` where a mask is empty: IoU and Dice
        where both are, a mask's share where that one is.

    Raises
    ------
    InvalidInputError
        If the masks differ in size or hold floats.

    References
    ----------
    Jaccard 1912, doi:10.1111/j.1469-8137.1912.tb05611.x; Dice 1945, doi:10.2307/1932409.

    Examples
    --------
    >>> a, b = np.zeros((2, 10, 10), bool)
    >>> a[2:6, 2:6] = b[4:8, 4:8] = True
    >>> found = overlap(a, b)
    >>> round(found.iou, 4), found.dice, found.intersection
    (0.1429, 0.25, 4)
    """
    a, b = as_mask(mask_a, "mask_a"), as_mask(mask_b, "mask_b")
    check_pair(a, b, ("mask_a", "mask_b"))
    both = int(np.count_nonzero(a & b))
    found = overlap_of_areas(int(np.count_nonzero(a)), int(np.count_nonzero(b)), both)
    if found.reason:
        warn_undefined("overlap", found.reason)
    return found


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else math.nan
