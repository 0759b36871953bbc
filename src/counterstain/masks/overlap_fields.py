"""Overlap field by field: from masks to the rows of a table."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from counterstain.masks.chance_shift import Null, default_reach
from counterstain.masks.contact_excess import excess_contacts
from counterstain.masks.mask_overlap import as_mask, check_pair
from counterstain.masks.overlap_excess import excess_overlap
from counterstain.masks.overlap_patches import FAULTY_STATES, patch_overlaps
from counterstain.statistics.inputs import undefined_noted

__all__ = ["FieldMasks", "FieldOverlap", "measure_field", "measure_fields"]

_SHIFTS, _FEWEST_SHIFTS = 48, 12
_SMALL_PX = 512 * 512


@dataclass(frozen=True)
class FieldMasks:
    """The masks of one field.

    Parameters
    ----------
    mask_a, mask_b : ndarray of bool or int, shape (H, W)
        Masks of T cells and of dendritic cells. Integers are label images, of which contacts are
        counted too.
    metadata : mapping
        Columns that say which field it is, such as ``Metadata_Well``.
    debris : ndarray of bool, shape (H, W), optional
        Where no cell can be told.
    fault : str
        What is wrong with the whole field; empty for a good one.
    """

    mask_a: NDArray[Any]
    mask_b: NDArray[Any]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    debris: NDArray[np.bool_] | None = None
    fault: str = ""


@dataclass(frozen=True)
class FieldOverlap:
    """What was measured in one field.

    Parameters
    ----------
    row : dict
        A row of the table of fields, metadata first.
    patches : pandas.DataFrame
        The table of `patch_overlaps`, metadata first.
    """

    row: dict[str, Any]
    patches: pd.DataFrame


def measure_field(
    masks: FieldMasks,
    *,
    patch_px: int = 192,
    n_patches: int | None = 100,
    null: Null = "local",
    distance_px: float = 1.0,
) -> FieldOverlap:
    """Measure the overlap of a field: as a whole, against chance, by patch, and cell by cell.

    Parameters
    ----------
    masks : FieldMasks
        The field. Debris is taken out of both masks, and out of what is counted as a cell.
    patch_px, n_patches : int
        As in `patch_corners`.
    null : {'torus', 'local'}, default 'local'
        Shifts that stand for chance, as in `excess_overlap`; the torus where the field is too small
        for local ones (`null` in the row says which).
    distance_px : float, default 1
        Gap up to which cells touch, as in `contacts`.

    Returns
    -------
    FieldOverlap
        The row holds the metadata, `fault`, the numbers of patches by state, `patch_iou_sum` (as
        sums an image of patches' IoU are reported elsewhere) and `patch_iou_mean` (of patches that
        are not faulty), `area_a`, `area_b`, `intersection`, `iou`, `dice`, `share_a`, `share_b`,
        and the columns of `excess_overlap`; with label images also those of `excess_contacts`, and
        overlap above chance is then that of the cells whose contact chance does not explain.
        What is undefined is NaN, and `reason` says why. A faulty field has NaN throughout.

    Raises
    ------
    InvalidInputError
        If masks differ in size or hold floats, or a patch is larger than the field.

    Examples
    --------
    >>> a, b = np.zeros((2, 96, 96), bool)
    >>> a[10:20, 10:20] = b[10:20, 12:32] = True
    >>> found = measure_field(FieldMasks(a, b, {"Metadata_Well": "A01"}), patch_px=48, n_patches=4)
    >>> found.row["Metadata_Well"], round(found.row["iou"], 3), found.row["n_patches_contact"]
    ('A01', 0.364, 1)
    """
    a, b = as_mask(masks.mask_a, "mask_a"), as_mask(masks.mask_b, "mask_b")
    check_pair(a, b, ("mask_a", "mask_b"))
    patches = patch_overlaps(
        a, b, patch_px=patch_px, n_patches=n_patches, debris=masks.debris, fault=masks.fault
    )
    row: dict[str, Any] = dict(masks.metadata) | {"fault": masks.fault} | _patch_columns(patches)
    labels = (masks.mask_a, masks.mask_b)
    if masks.debris is not None:
        a, b = a & ~masks.debris, b & ~masks.debris
    if masks.fault:
        a, b = np.zeros_like(a), np.zeros_like(b)
    reach = default_reach(a, b)
    # Local shifts part no cells in a field that is hardly larger than they are.
    null = null if min(a.shape) > 2 * reach else "torus"
    row |= _whole_columns(a, b, null, reach)
    if all(np.asarray(label).dtype.kind in "iu" for label in labels):
        kept = [np.where(mask, label, 0) for mask, label in zip((a, b), labels, strict=True)]
        row |= _contact_columns(kept, distance_px, null, reach)
        row |= _above_by_cells(row)
    if masks.fault:
        row["reason"] = f"the field is faulty: {masks.fault}"
    for name in reversed(tuple(masks.metadata)):
        patches.insert(0, name, masks.metadata[name])
    return FieldOverlap(row, patches)


def measure_fields(fields: Iterable[FieldMasks], **settings: Any) -> Iterator[FieldOverlap]:
    """Measure one field after the other, and hold none of them.

    Parameters
    ----------
    fields : iterable of FieldMasks
        Best a generator that reads images as they are asked for: memory stays that of one field.
    **settings
        As in `measure_field`.

    Yields
    ------
    FieldOverlap
        In the order of the fields.

    Examples
    --------
    >>> empty = np.zeros((64, 64), bool)
    >>> found = list(measure_fields([FieldMasks(empty, empty)], patch_px=32, n_patches=None))
    >>> found[0].row["reason"], found[0].row["n_patches_empty"]
    ('both masks are empty', 4)
    """
    for masks in fields:
        yield measure_field(masks, **settings)


def _patch_columns(patches: pd.DataFrame) -> dict[str, Any]:
    states = patches["state"].value_counts()
    good = patches[~patches["state"].isin(FAULTY_STATES)]
    names = ("contact", "no contact", *FAULTY_STATES)
    counts = {f"n_patches_{name.replace(' ', '_')}": int(states.get(name, 0)) for name in names}
    return {
        "n_patches": len(patches),
        **counts,
        "patch_iou_sum": float(patches["iou"].sum()),
        "patch_iou_mean": float(good["iou"].mean()) if len(good) else math.nan,
    }


def _whole_columns(
    a: NDArray[np.bool_], b: NDArray[np.bool_], null: Null, reach: float
) -> dict[str, Any]:
    # The reasons go into the table; as warnings they would come once for every faulty field.
    with undefined_noted():
        found = excess_overlap(a, b, null=null, reach_px=reach)
    row = found.to_json()
    observed = {key: value for key, value in row.pop("observed").items() if key != "reason"}
    return {key: math.nan if item is None else item for key, item in (observed | row).items()}


def _contact_shifts(n_pixels: int) -> int:
    """Choose how many shifts: a large field shifts so many cells at once that it needs fewer."""
    return int(np.clip(_SHIFTS * _SMALL_PX / n_pixels, _FEWEST_SHIFTS, _SHIFTS))


def _contact_columns(
    labels: Sequence[NDArray[Any]], distance_px: float, null: Null, reach: float
) -> dict[str, Any]:
    with undefined_noted():
        found = excess_contacts(
            *labels,
            distance_px=distance_px,
            null=null,
            reach_px=reach,
            n_shifts=_contact_shifts(labels[0].size),
        ).to_json()
    observed = found.pop("observed")
    row = {key: observed[key] for key in observed if key not in ("reason", "distance_px")}
    row |= {
        f"contact_{key}": value
        for key, value in found.items()
        if key not in ("null", "n_shifts", "reason")
    }
    return {key: math.nan if item is None else item for key, item in row.items()}


def _above_by_cells(row: Mapping[str, Any]) -> dict[str, float]:
    """Return overlap above chance, told by cells.

    Told by areas it falls with crowding where most cells are bound: what hangs over the edge of a
    partner lies where the next partner cannot be, and meets fewer by chance than areas that lie
    anywhere. A cell is bound or not, wherever it lies; those of the kind with more cells count.
    """
    kind = "a" if row["n_a"] >= row["n_b"] else "b"
    touching, chance = row[f"share_{kind}_touching"], row[f"contact_expected_share_{kind}"]
    if not (touching > 0 and chance < 1):  # also where one of them is NaN
        return {}
    bound = (touching - chance) / (1 - chance)
    above = row["intersection"] * bound / touching
    area_a, area_b = row["area_a"], row["area_b"]
    return {
        "iou_above_chance": above / (area_a + area_b - above),
        "share_a_above_chance": above / area_a,
        "share_b_above_chance": above / area_b,
    }
