"""Overlap beyond chance: what is left once crowding alone is taken off.

Two numbers stand for it. The **excess** is observed minus expected. It still shrinks where cells
are crowded: where a bound pair lies already, nothing can overlap by chance any more. The overlap
**above chance** takes that into account. Think of three kinds of area that lie anywhere, each
independent of the others: of a alone, of b alone, and of bound pairs, where both are. With the
shares of the field that show both (p11), either (p10, p01) or neither (p00), chance gives
p10 p01 / p00, and the bound pairs cover p11 - p10 p01 / p00, however crowded the field. That is
(p11 - pa pb) / p00: the excess over what is free, as in Abbott's formula and in Cohen's kappa.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from counterstain.errors import InvalidInputError
from counterstain.masks.chance_shift import Null, default_reach, local_offsets, shift_overlaps
from counterstain.masks.mask_overlap import Overlap, as_mask, check_pair, overlap_of_areas
from counterstain.statistics.inputs import warn_undefined

__all__ = ["ExcessOverlap", "excess_overlap", "intersection_above_chance"]

_LOCAL_SHIFTS = 64


@dataclass(frozen=True, slots=True)
class ExcessOverlap:
    """Overlap against chance; all but `z` are on the scale of the overlap itself.

    Parameters
    ----------
    observed : Overlap
        What was measured.
    expected_iou, expected_share_a, expected_share_b : float
        Means over the shifts.
    excess_iou, excess_share_a, excess_share_b : float
        Observed minus expected: about 0 where only chance is at work, below 0 where cells avoid
        each other.
    iou_above_chance, share_a_above_chance, share_b_above_chance : float
        Overlap that chance does not explain, freed from crowding: compare fields by these.
    z : float
        Excess in standard deviations of the shifts. Grows with the number of cells: it says how
        sure a field is, not how much its cells touch.
    null : {'torus', 'local'}
        Which shifts stand for chance.
    n_shifts : int
        Number of shifts.
    reason : str
        Why numbers are NaN; empty otherwise.
    """

    observed: Overlap
    expected_iou: float = math.nan
    expected_share_a: float = math.nan
    expected_share_b: float = math.nan
    excess_iou: float = math.nan
    excess_share_a: float = math.nan
    excess_share_b: float = math.nan
    iou_above_chance: float = math.nan
    share_a_above_chance: float = math.nan
    share_b_above_chance: float = math.nan
    z: float = math.nan
    null: Null = "torus"
    n_shifts: int = 0
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping; NaN becomes None, since JSON has no NaN."""
        return {
            key: None if isinstance(item, float) and math.isnan(item) else item
            for key, item in (asdict(self) | {"observed": self.observed.to_json()}).items()
        }


def intersection_above_chance(
    intersection: ArrayLike, expected: ArrayLike, area_a: ArrayLike, area_b: ArrayLike
) -> NDArray[np.float64]:
    """Return the area of overlap that chance does not explain.

    Parameters
    ----------
    intersection, expected : array-like of float
        Observed overlap and its mean under chance, in pixels.
    area_a, area_b : array-like of float
        Areas of the masks in pixels.

    Returns
    -------
    ndarray of float64
        Excess over the share of the field that is free; about the cells, where the expectation is
        local. NaN where a mask is empty or nothing is free.

    Examples
    --------
    >>> # Of 1000 px, 28 show both, 72 only a, 122 only b, 778 neither.
    >>> round(float(intersection_above_chance(28, 100 * 150 / 1000, 100, 150)), 3)
    16.71
    >>> round(28 - 72 * 122 / 778, 3)
    16.71
    """
    observed, chance = np.asarray(intersection, np.float64), np.asarray(expected, np.float64)
    a, b = np.asarray(area_a, np.float64), np.asarray(area_b, np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        # Chance covers the share chance / a of a: that is how dense b is there; and the reverse.
        free = 1 - chance / a - chance / b + observed * chance / (a * b)
        above = np.where(free > 1e-9, (observed - chance) / free, np.nan)
    return np.asarray(above, np.float64)


def excess_overlap(
    mask_a: NDArray[Any],
    mask_b: NDArray[Any],
    *,
    null: Null = "torus",
    reach_px: float | None = None,
    n_shifts: int = _LOCAL_SHIFTS,
) -> ExcessOverlap:
    """Compare the overlap of two masks with that after shifting one of them.

    Parameters
    ----------
    mask_a, mask_b : ndarray of bool or int, shape (H, W)
        Masks of one field, e.g. T cells and dendritic cells; which comes first changes no IoU.
    null : {'torus', 'local'}, default 'torus'
        ``torus`` takes all H x W shifts at once: right where cells may lie anywhere in the field.
        ``local`` shifts within the cells' own density, by a ring of offsets just far enough to part
        touching cells: right where both kinds gather in the same part of the field, which the torus
        takes for contact.
    reach_px : float, optional
        Least local shift in pixels; the sum of both kinds' typical diameters where not given.
    n_shifts : int, default 64
        Local shifts.

    Returns
    -------
    ExcessOverlap
        NaN with a reason and an `UndefinedStatisticWarning` where a mask is empty or one covers the
        whole field.

    Raises
    ------
    InvalidInputError
        If the masks differ in size, hold floats, the null is unknown, or the field is too small for
        local shifts.

    References
    ----------
    Shifting on a torus: Lotwick & Silverman 1982, doi:10.1111/j.2517-6161.1982.tb01221.x.
    Excess over what chance leaves free: Abbott 1925, doi:10.1093/jee/18.2.265a; Cohen 1960,
    doi:10.1177/001316446002000104.

    Examples
    --------
    >>> a, b = np.zeros((2, 60, 60), bool)
    >>> a[10:20, 10:20] = b[10:20, 12:22] = True
    >>> found = excess_overlap(a, b)
    >>> round(found.observed.share_a, 2), round(found.expected_share_a, 3)
    (0.8, 0.028)
    >>> round(found.share_a_above_chance, 3)
    0.799
    """
    a, b = as_mask(mask_a, "mask_a"), as_mask(mask_b, "mask_b")
    check_pair(a, b, ("mask_a", "mask_b"))
    if null not in ("torus", "local"):
        raise InvalidInputError(f"`null` must be 'torus' or 'local'; got {null!r}: take one.")
    both = int(np.count_nonzero(a & b))
    observed = overlap_of_areas(int(np.count_nonzero(a)), int(np.count_nonzero(b)), both)
    reason = observed.reason or _full(observed, a.size)
    if reason:
        warn_undefined("overlap above chance", reason)
        return ExcessOverlap(observed, null=null, reason=reason)
    if null == "torus":
        by_shift = shift_overlaps(a, b).ravel().astype(np.float64)
        # The mean over all shifts is known exactly; rounding in the FFT does not touch it.
        expected = observed.area_a * observed.area_b / a.size
    else:
        reach = default_reach(a, b) if reach_px is None else reach_px
        by_shift, expected = _local_overlaps(a, b, local_offsets(reach, n_shifts, a.shape))
    return _compare(observed, by_shift, expected, null)


def _full(observed: Overlap, size: int) -> str:
    full = [
        n for n, area in (("mask_a", observed.area_a), ("mask_b", observed.area_b)) if area == size
    ]
    return f"{' and '.join(full)} covers the whole field" if full else ""


def _local_overlaps(
    a: NDArray[np.bool_], b: NDArray[np.bool_], offsets: NDArray[np.intp]
) -> tuple[NDArray[np.float64], float]:
    """Return the overlap at each shift, as if all of `a` stayed in the field, and its mean."""
    height, width = a.shape
    hits, kept = np.zeros((2, len(offsets)))
    for k, (dy, dx) in enumerate(offsets.tolist()):
        moved = a[max(0, -dy) : height - max(0, dy), max(0, -dx) : width - max(0, dx)]
        under = b[max(0, dy) : height + min(0, dy), max(0, dx) : width + min(0, dx)]
        hits[k] = np.count_nonzero(moved & under)
        kept[k] = np.count_nonzero(moved)
    area = np.count_nonzero(a)
    by_shift = area * hits / np.maximum(kept, 1)
    return by_shift, float(area * hits.sum() / max(kept.sum(), 1))


def _compare(
    observed: Overlap, by_shift: NDArray[np.float64], expected: float, null: Null
) -> ExcessOverlap:
    area_a, area_b = observed.area_a, observed.area_b
    spread = float(by_shift.std())
    above = float(intersection_above_chance(observed.intersection, expected, area_a, area_b))
    expected_iou = float((by_shift / (area_a + area_b - by_shift)).mean())
    excess = observed.intersection - expected
    return ExcessOverlap(
        observed=observed,
        expected_iou=expected_iou,
        expected_share_a=expected / area_a,
        expected_share_b=expected / area_b,
        excess_iou=observed.iou - expected_iou,
        excess_share_a=excess / area_a,
        excess_share_b=excess / area_b,
        iou_above_chance=above / (area_a + area_b - above),
        share_a_above_chance=above / area_a,
        share_b_above_chance=above / area_b,
        z=excess / spread if spread > 0 else math.nan,
        null=null,
        n_shifts=by_shift.size,
        reason="" if spread > 0 else "every shift gives the same overlap, so that z is undefined",
    )
