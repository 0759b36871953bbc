"""How well masks fit the truth: overlap of pixels, and objects found."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from counterstain.errors import InvalidInputError
from counterstain.masks.agreement_matching import as_labels, match_counts
from counterstain.types import Estimate

__all__ = ["IOU_LEVELS", "MaskAgreement", "dice", "iou", "mask_agreement", "mean_agreement"]

IOU_LEVELS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))
"""Overlaps from which on an object counts as found: 0.5 to 0.95."""

_BOTH_EMPTY = "both masks are empty"


def iou(mask: NDArray[Any], truth: NDArray[Any]) -> Estimate:
    """Intersection over union of two masks.

    Parameters
    ----------
    mask, truth : (H, W) array of bool or int
        Masks or label images; what is not 0 counts.

    Returns
    -------
    Estimate
        0 to 1; undefined where both masks are empty: two empty masks show neither agreement nor
        disagreement.

    Raises
    ------
    InvalidInputError
        If the shapes differ, or a mask holds floats other than whole numbers.

    Examples
    --------
    >>> a, b = np.zeros((2, 10, 10), bool)
    >>> a[2:6, 2:6] = b[4:8, 4:8] = True
    >>> print(iou(a, b), dice(a, b))
    0.143 0.250
    """
    both, one, other = _areas(mask, truth)
    union = one + other - both
    return Estimate(both / union) if union else Estimate.undefined(_BOTH_EMPTY)


def dice(mask: NDArray[Any], truth: NDArray[Any]) -> Estimate:
    """Twice the intersection over the sum of the areas of two masks.

    Parameters, result and errors are those of :func:`iou`.

    Notes
    -----
    Dice 1945, doi:10.2307/1932409.

    Examples
    --------
    >>> print(dice(np.zeros((4, 4)), np.zeros((4, 4))))
    undefined (both masks are empty)
    """
    both, one, other = _areas(mask, truth)
    return Estimate(2 * both / (one + other)) if one + other else Estimate.undefined(_BOTH_EMPTY)


@dataclass(frozen=True, slots=True)
class MaskAgreement:
    """How well the objects of one field fit the true ones.

    Parameters
    ----------
    iou, dice : float
        Of all pixels in objects; NaN where both are empty.
    levels : tuple of float
        Overlaps from which on an object counts as found.
    average_precision : tuple of float
        ``TP / (TP + FP + FN)`` at each level; NaN where both are empty.
    found, spurious, missed : tuple of int
        TP, FP and FN at each level.
    n_objects, n_true : int
        Objects, and true ones.
    reason : str
        Why numbers are NaN; empty otherwise.
    """

    iou: float
    dice: float
    levels: tuple[float, ...]
    average_precision: tuple[float, ...]
    found: tuple[int, ...]
    spurious: tuple[int, ...]
    missed: tuple[int, ...]
    n_objects: int
    n_true: int
    reason: str = ""

    @property
    def count_error(self) -> int:
        """Objects too many; negative where too few."""
        return self.n_objects - self.n_true

    def precision_at(self, level: float) -> float:
        """Return the average precision at one of the levels.

        Raises
        ------
        InvalidInputError
            If it was not computed at that level.
        """
        for known, value in zip(self.levels, self.average_precision, strict=True):
            if math.isclose(known, level):
                return value
        raise InvalidInputError(
            f"`level` must be one of {list(self.levels)}; got {level}: pass it to `mask_agreement`."
        )


def mask_agreement(
    labels: NDArray[Any], truth: NDArray[Any], levels: Sequence[float] = IOU_LEVELS
) -> MaskAgreement:
    """Compare the objects of a field with the true ones.

    Objects are paired so that as many pairs as possible overlap enough, and among these the
    overlaps are largest; from 0.5 on a partner is unique anyway.

    Parameters
    ----------
    labels, truth : (H, W) array of int
        Label images, 0 background, one number an object.
    levels : sequence of float
        Intersection over union from which on a pair counts, above 0 and up to 1.

    Returns
    -------
    MaskAgreement
        Overlap, average precision and counts.

    Raises
    ------
    InvalidInputError
        If the shapes differ, labels are negative or no whole numbers, or a level is out of range.

    Notes
    -----
    Average precision as StarDist (Schmidt et al. 2018, doi:10.1007/978-3-030-00934-2_30) and
    Cellpose (Stringer et al. 2021, doi:10.1038/s41592-020-01018-x) report it; it is no area under
    a curve.

    Examples
    --------
    >>> truth = np.array([[1, 1, 0, 2, 2, 2]])
    >>> found = np.array([[5, 5, 0, 0, 7, 7]])
    >>> result = mask_agreement(found, truth, levels=(0.5, 0.75))
    >>> result.average_precision, result.count_error
    ((1.0, 0.3333333333333333), 0)
    """
    levels = tuple(float(level) for level in levels)
    if not levels or min(levels) <= 0 or max(levels) > 1:
        raise InvalidInputError(
            f"`levels` must be overlaps above 0 and up to 1; got {levels}: try (0.5, 0.75)."
        )
    first, second = as_labels(labels, "labels"), as_labels(truth, "truth")
    _same_shape(first, second)
    found, n_objects, n_true = match_counts(first, second, levels)
    spurious = tuple(n_objects - count for count in found)
    missed = tuple(n_true - count for count in found)
    precision = tuple(
        tp / (tp + fp + fn) if tp + fp + fn else math.nan
        for tp, fp, fn in zip(found, spurious, missed, strict=True)
    )
    overlap, twice = iou(first, second), dice(first, second)
    return MaskAgreement(
        iou=overlap.value,
        dice=twice.value,
        levels=levels,
        average_precision=precision,
        found=found,
        spurious=spurious,
        missed=missed,
        n_objects=n_objects,
        n_true=n_true,
        reason=overlap.reason,
    )


def mean_agreement(fields: Iterable[MaskAgreement], level: float = 0.5) -> dict[str, float]:
    """Average over fields, and pool their objects.

    Parameters
    ----------
    fields : iterable of MaskAgreement
        One a field.
    level : float
        Overlap at which average precision is reported.

    Returns
    -------
    dict of str to float
        ``fields`` and ``empty_fields`` (both masks empty: left out of the means); the means
        ``iou``, ``dice``, ``average_precision``; ``pooled_average_precision`` of all objects
        together; ``count_error`` and ``absolute_count_error``, means a field. NaN without fields.

    Raises
    ------
    InvalidInputError
        If a field was not compared at that level.

    Examples
    --------
    >>> truth = np.array([[1, 1, 0, 2]])
    >>> mean_agreement([mask_agreement(truth, truth)])["average_precision"]
    1.0
    """
    every = list(fields)
    defined = [field for field in every if not field.reason]
    hits = errors = 0
    for field in defined:
        field.precision_at(level)
        index = int(np.argmin([abs(known - level) for known in field.levels]))
        hits += field.found[index]
        errors += field.spurious[index] + field.missed[index]
    return {
        "fields": float(len(every)),
        "empty_fields": float(len(every) - len(defined)),
        "iou": _mean([field.iou for field in defined]),
        "dice": _mean([field.dice for field in defined]),
        "average_precision": _mean([field.precision_at(level) for field in defined]),
        "pooled_average_precision": hits / (hits + errors) if hits + errors else math.nan,
        "count_error": _mean([field.count_error for field in defined]),
        "absolute_count_error": _mean([abs(field.count_error) for field in defined]),
    }


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else math.nan


def _areas(mask: NDArray[Any], truth: NDArray[Any]) -> tuple[int, int, int]:
    first = mask if mask.dtype.kind == "b" else as_labels(mask, "mask") > 0
    second = truth if truth.dtype.kind == "b" else as_labels(truth, "truth") > 0
    _same_shape(first, second)
    both = int(np.count_nonzero(first & second))
    return both, int(np.count_nonzero(first)), int(np.count_nonzero(second))


def _same_shape(first: NDArray[Any], second: NDArray[Any]) -> None:
    if first.shape != second.shape:
        raise InvalidInputError(
            f"`labels` and `truth` must have one shape; got {first.shape} and {second.shape}: pass "
            "masks of the same field, at the same magnification."
        )
