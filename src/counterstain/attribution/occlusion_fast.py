"""Fast occlusion: faint far effects cut off, or windows left out where their neighbours agree.

A network that can be traced is computed near each window only; a window's change hardly reaches
farther, and the order of the windows stays (rank correlation 0.999 and more with all of it). Of any
other network every second window is computed first, then those beside which the map varies.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.interpolate import RBFInterpolator

from counterstain.attribution.fast_forward import Halo
from counterstain.attribution.occlusion_passes import Change, ImageScores
from counterstain.attribution.windows import Windows

__all__ = ["refined_drops"]

# Places beyond a window's own footprint, from fine maps to the coarsest.
_HALO: Halo = (2, 1, 1, 1, 1)
# Small rectangles leave the processor idle unless many go together.
_AT_ONCE = 48
# Windows whose exact drops say whether that holds for this network and image.
_PROBES = 4
_AGREEMENT = 0.95
# Neighbours that differ by less than this share of the map's range agree.
_FLAT = 0.03
_SMALLEST_GRID = 5
_BESIDE = np.array([[[0, 1, 0], [1, 0, 1], [0, 1, 0]]], bool)


def refined_drops(scores: ImageScores, windows: Windows, change: Change) -> NDArray[np.float64]:
    """Return what each window costs the score, ``(W,)``, cheaply.

    Parameters
    ----------
    scores : ImageScores
        Of the image.
    windows : Windows
        The windows; the last two axes are refined, windows of others stand for themselves.
    change : callable
        From numbers of windows to covered copies.

    Notes
    -----
    Where changes are cut off at a halo, four windows are computed exactly beside it and set the
    scale; where the two do not agree (correlation below 0.95), everything is computed exactly.
    Windows that are left out lie between computed ones that differ by less than 3 % of the map's
    range; a thin-plate spline gives their drops. Nothing is random.
    """
    grid = windows.counts[-2:] if len(windows.counts) > 1 else (1, windows.counts[-1])
    numbers = np.arange(len(windows)).reshape(-1, *grid)
    if scores.passes is not None:
        return _nearby(scores, change, numbers.ravel())
    if min(grid) < _SMALLEST_GRID:
        return scores.before - scores.after(change, numbers.ravel())
    return _where_it_varies(scores, change, numbers)


def _nearby(scores: ImageScores, change: Change, numbers: NDArray[np.int64]) -> NDArray[np.float64]:
    """Compute each window within a halo, or exactly where that does not hold."""
    cheap = scores.before - scores.after(change, numbers, halo=_HALO, at_once=_AT_ONCE)
    ranks = np.argsort(cheap, kind="stable")
    picked = ranks[np.linspace(0, len(ranks) - 1, min(_PROBES, len(ranks))).round().astype(int)]
    exact = scores.before - scores.after(change, numbers[picked])
    scale = _scale(cheap[picked], exact)
    if scale is None:
        return scores.before - scores.after(change, numbers)
    return scale[0] * cheap + scale[1]


def _scale(cheap: NDArray[np.float64], exact: NDArray[np.float64]) -> tuple[float, float] | None:
    """Return slope and offset from cheap to exact drops, or None where they do not agree."""
    if np.ptp(exact) == 0 and np.ptp(cheap) == 0:
        return 1.0, float(exact[0] - cheap[0])
    if np.ptp(exact) == 0 or np.ptp(cheap) == 0:
        return None
    if np.corrcoef(exact, cheap)[0, 1] < _AGREEMENT:
        return None
    slope, offset = np.polyfit(cheap, exact, 1)
    return float(slope), float(offset)


def _where_it_varies(
    scores: ImageScores, change: Change, numbers: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Compute a checkerboard of windows, then those beside which it varies; guess the rest."""
    drops = np.full(numbers.shape, np.nan)
    row, column = np.indices(numbers.shape[1:])
    first = np.broadcast_to((row + column) % 2 == 0, numbers.shape)
    drops[first] = scores.before - scores.after(change, numbers[first])
    varying = _varying(drops)
    drops[varying] = scores.before - scores.after(change, numbers[varying])
    return np.concatenate([_interpolated(part).ravel() for part in drops])


def _varying(drops: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Mark the open windows whose computed neighbours differ."""
    open_ = np.isnan(drops)
    high = ndimage.maximum_filter(
        np.where(open_, -np.inf, drops), footprint=_BESIDE, mode="nearest"
    )
    low = ndimage.minimum_filter(np.where(open_, np.inf, drops), footprint=_BESIDE, mode="nearest")
    span = np.nanmax(drops, axis=(1, 2), keepdims=True) - np.nanmin(
        drops, axis=(1, 2), keepdims=True
    )
    return np.asarray(open_ & (high - low > _FLAT * span))


def _interpolated(drops: NDArray[np.float64]) -> NDArray[np.float64]:
    known = ~np.isnan(drops)
    if known.all():
        return drops
    full = drops.copy()
    spline = RBFInterpolator(np.argwhere(known), drops[known], kernel="thin_plate_spline")
    guessed = spline(np.argwhere(~known))
    # A spline overshoots beside a lone peak; no window is guessed beyond all computed ones.
    full[~known] = np.clip(guessed, drops[known].min(), drops[known].max())
    return full
