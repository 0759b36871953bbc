"""Something at one fixed place of the images of one class: a tag, a scale bar, a dead pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, stats

from counterstain.audit.field_features_places import KINDS
from counterstain.audit.field_reading import FieldFeatures

__all__ = ["PlaceFound", "oddest_place"]

FloatArray = NDArray[np.float64]

# The other side's own score at a place counts like this many wells of its surroundings.
_PRIOR_WELLS = 4.0
_NEIGHBOURHOOD = 5
_RING = 7
_LEAST_SCORE = 2.0
_WORDS = {
    "bright": "brighter than nearly all else",
    "dark": "darker than nearly all else",
    "flat": "without the camera's noise, as if pasted",
    "rough": "with edges sharper than optics draw",
}


@dataclass(frozen=True, slots=True)
class PlaceFound:
    """The place at which the images of a class are oddest, against the other classes.

    Parameters
    ----------
    p : float
        Corrected for all places, channels and kinds.
    score, other : float
        Mean over wells of -log of the share of places that are as odd: of the class, and what is
        expected there.
    kind, channel : str
        How it is odd, and where.
    y, x : int
        Its centre in pixels; from the lower and right edge where negative.
    """

    p: float
    score: float
    other: float
    kind: str
    channel: str
    y: int
    x: int

    @property
    def words(self) -> str:
        """How the place looks."""
        return _WORDS[self.kind]


def _around(scores: FloatArray) -> FloatArray:
    """Mean score of the surroundings, (C, kinds, h, w)."""
    size = (1, 1, _NEIGHBOURHOOD, _NEIGHBOURHOOD)
    return np.asarray(ndimage.uniform_filter(scores, size, mode="reflect"))


def _own_ring(score: FloatArray) -> FloatArray:
    """Median score a few places away, in the class itself, (C, kinds, h, w).

    Light that falls unevenly in one class makes whole regions odd; a mark is odd against them.
    """
    ring = np.ones((_RING, _RING), bool)
    ring[1:-1, 1:-1] = False
    if min(score.shape[-2:]) < _RING:
        return np.ones_like(score)
    return np.asarray(ndimage.median_filter(score, footprint=ring[None, None], mode="reflect"))


def _by_distance(scores: FloatArray) -> FloatArray:
    """Median score at the same distance from the centre, (C, kinds, h, w)."""
    height, width = scores.shape[-2:]
    y = np.abs(np.arange(height) - (height - 1) / 2)[:, None]
    x = np.abs(np.arange(width) - (width - 1) / 2)[None, :]
    # Corners of a square crop are as far from the centre as nothing else: rings of equal rank.
    ring = np.round(np.hypot(y, x)).astype(int)
    level = np.empty_like(scores)
    for radius in np.unique(ring):
        here = ring == radius
        level[..., here] = np.median(scores[..., here], axis=-1, keepdims=True)
    return level


def _tests(
    inside: FloatArray, outside: FloatArray, surroundings: FloatArray, own_ring: FloatArray | None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return log p, score and expected score of every place."""
    n_in, n_out = len(inside), len(outside)
    score = inside.mean(axis=0)
    expected = (outside.sum(axis=0) + _PRIOR_WELLS * surroundings) / (n_out + _PRIOR_WELLS)
    # Around a cell, what depends on the distance to it is the cell.
    local = _own_ring(score) if own_ring is None else own_ring
    expected = np.maximum(np.maximum(expected, local), 1.0)
    # A mean of n exponentials is a gamma variable.
    log_p = stats.gamma.logsf(n_in * score / expected, n_in)
    return np.asarray(log_p), score, expected


def oddest_place(
    features: FieldFeatures, member: NDArray[np.bool_], other: NDArray[np.bool_]
) -> PlaceFound:
    """Find the place at which images of a class are oddest.

    The null is that cells lie anywhere: then every place's score is exponential with the mean that
    the other classes show there, whatever the phenotype does to cells.

    Parameters
    ----------
    features : FieldFeatures
        Scores of places by well.
    member, other : (wells,) array of bool
        Wells of the class, and wells to compare with.

    Returns
    -------
    PlaceFound
        With `p` = 1 where nothing is odd.
    """
    best = PlaceFound(1.0, 1.0, 1.0, KINDS[0], features.channels[0], 0, 0)
    maps = features.places.astype(np.float64)
    corners = features.corners.astype(np.float64)
    inside, outside = maps[member], maps[other]
    ring = _by_distance(inside.mean(axis=0)) if features.centred else None
    found = _tests(inside, outside, _around(outside.mean(axis=0)), ring)
    best = _better(best, features, found, features.place_px, None)
    if features.place_px == features.block:
        return best
    for k in range(corners.shape[3]):
        inside, outside = corners[member, ..., k, :, :], corners[other, ..., k, :, :]
        wide = outside.mean(axis=(0, -2, -1), keepdims=True)[0] + np.zeros(outside.shape[1:])
        found = _tests(inside, outside, wide, None)
        best = _better(best, features, found, features.block, k)
    return best


def _better(
    best: PlaceFound,
    features: FieldFeatures,
    found: tuple[FloatArray, FloatArray, FloatArray],
    place_px: int,
    corner: int | None,
) -> PlaceFound:
    log_p, score, expected = found
    # What is odd in both classes, or hardly odd at all, is no tag.
    log_p = np.where(score - expected >= _LEAST_SCORE, log_p, 0.0)
    at = np.unravel_index(int(log_p.argmin()), log_p.shape)
    n_corners = 1 if corner is None else 4
    p = min(1.0, float(np.exp(log_p[at])) * log_p.size * n_corners)
    if not p < best.p:
        return best
    y, x = int((at[-2] + 0.5) * place_px), int((at[-1] + 0.5) * place_px)
    if corner is not None:
        far = log_p.shape[-1] * place_px
        y, x = (y - far if corner // 2 else y), (x - far if corner % 2 else x)
    return PlaceFound(
        p, float(score[at]), float(expected[at]), KINDS[at[1]], features.channels[at[0]], y, x
    )
