"""How alike two attribution maps are, measured so that a map that says nothing counts as the same.

Sanity checks ask whether a map changes when it has to. A careless measure lets a map pass that
cannot change (a constant one has no correlation with anything) or one whose grain changes while the
picture stays (Binder et al. 2023, doi:10.48550/arXiv.2211.12486).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata
from torch.nn import functional

from counterstain.errors import InvalidInputError

__all__ = ["SAME", "is_constant", "map_similarity"]

SAME = math.sqrt(0.5)
"""Rank correlation at which two maps share half of their variation."""

_PLACES = 8
_FLAT = 1e-6


def map_similarity(maps: Any, others: Any, *, signed: bool = False) -> NDArray[np.float64]:
    """Return how alike each map is to its partner, 0 to 1.

    Spearman's rank correlation over all channels and places, at full resolution and averaged to 8
    places a side, whichever is larger: noise from pixel to pixel makes maps different in number
    that are the same to the eye. Ranks know neither scale nor offset, so no normalisation is
    chosen. A constant map counts as the same as any (1), since it cannot tell two networks apart;
    a varying map against a constant partner as different (0).

    Parameters
    ----------
    maps, others : array-like or Tensor
        ``(N, C, H, W)``, ``(N, H, W)`` or any ``(N, ...)``; `others` are those of the changed
        network or image.
    signed : bool
        Whether an inverted map is different. By default it is the same picture: a random network
        turns the sign of a whole map by chance, and would make any map pass half of the time.

    Returns
    -------
    array
        ``(N,)`` float64.

    Raises
    ------
    InvalidInputError
        If shapes differ, or a map holds NaN or infinities.

    Examples
    --------
    >>> maps = np.arange(4.0).reshape(1, 1, 2, 2)
    >>> map_similarity(maps, 10 - maps**3), map_similarity(maps, -maps, signed=True)
    (array([1.]), array([0.]))
    >>> map_similarity(np.ones((1, 1, 2, 2)), maps)
    array([1.])
    """
    a, b = np.asarray(maps, dtype=np.float64), np.asarray(others, dtype=np.float64)
    if a.shape != b.shape or a.ndim < 2:
        raise InvalidInputError(
            f"`maps` and `others` must have one shape (N, ...); got {a.shape} and {b.shape}: "
            "compare maps of the same images."
        )
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise InvalidInputError(
            "`maps` must be finite; got NaN or infinity: such maps have no similarity."
        )
    found = _correlation(a, b, signed)
    if a.ndim >= 3 and max(a.shape[-2:]) > _PLACES:
        found = np.maximum(found, _correlation(_coarse(a), _coarse(b), signed))
    says_nothing, partner = is_constant(a), is_constant(b)
    return np.where(says_nothing, 1.0, np.where(partner, 0.0, found))


def is_constant(maps: Any) -> NDArray[np.bool_]:
    """Whether each map ``(N, ...)`` has one value everywhere, but for rounding.

    Examples
    --------
    >>> is_constant(np.array([[2.0, 2.0], [1.0, 2.0]]))
    array([ True, False])
    """
    values = np.asarray(maps, dtype=np.float64)
    flat = values.reshape(len(values), -1)
    constant: NDArray[np.bool_] = np.ptp(flat, axis=1) <= _FLAT * np.abs(flat).max(axis=1)
    return constant


def _correlation(a: NDArray[Any], b: NDArray[Any], signed: bool) -> NDArray[np.float64]:
    first, second = _ranks(a), _ranks(b)
    norm = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    r = np.divide((first * second).sum(axis=1), norm, out=np.zeros(len(a)), where=norm > 0)
    clipped: NDArray[np.float64] = np.clip(r if signed else np.abs(r), 0.0, 1.0).round(12)
    return clipped


def _ranks(maps: NDArray[Any]) -> NDArray[np.float64]:
    flat = maps.reshape(len(maps), -1)
    # Values that differ by rounding alone are ties, or the background of a map would be ranked.
    scale = np.abs(flat).max(axis=1, keepdims=True)
    ranks = rankdata(np.round(flat / np.where(scale > 0, scale, 1.0), 6), axis=1)
    centred: NDArray[np.float64] = ranks - ranks.mean(axis=1, keepdims=True)
    return centred


def _coarse(maps: NDArray[Any]) -> NDArray[np.float64]:
    planes = torch.from_numpy(maps.reshape(len(maps), -1, *maps.shape[-2:]))
    size = tuple(min(_PLACES, side) for side in maps.shape[-2:])
    return np.asarray(functional.adaptive_avg_pool2d(planes, size), dtype=np.float64)
