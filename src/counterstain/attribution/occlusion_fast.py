"""Fast occlusion: faint far effects cut off, and windows left out where their neighbours agree."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.interpolate import RBFInterpolator

from counterstain.attribution.occlusion_passes import Change, ImageScores
from counterstain.attribution.windows import Windows

__all__ = ["refined_drops"]

# Places beyond a window's own footprint on fine and on coarse maps; further out a change is faint.
_HALO = (2, 1)
# Windows whose exact drops say whether that holds for this network and image.
_PROBES = 5
_AGREEMENT = 0.95
# Share of the windows that is computed; the rest is interpolated.
_SHARE = 1.0
_ROUNDS = 2
_SMALLEST_GRID = 5


def refined_drops(scores: ImageScores, windows: Windows, change: Change) -> NDArray[np.float64]:
    """Return what each window costs the score, ``(W,)``, most of them computed cheaply or guessed.

    Every second window along rows and columns is computed first; then, in two rounds, those beside
    which the computed ones differ most, until `_SHARE` of all are; thin-plate splines through them
    give the rest. The computing cuts changes off at a halo around the window's footprint; a few
    windows are computed exactly beside it, which set the scale. Where the two do not
    agree (correlation below 0.95) all computing is exact. Nothing is random.

    Parameters
    ----------
    scores : ImageScores
        Of the image.
    windows : Windows
        The windows; the last two axes are refined, windows of others stand for themselves.
    change : callable
        From numbers of windows to covered copies.
    """
    halo = _HALO if scores.passes is not None else None
    grid = windows.counts[-2:] if len(windows.counts) > 1 else (1, windows.counts[-1])
    numbers = np.arange(len(windows)).reshape(-1, *grid)
    if min(grid) < _SMALLEST_GRID:
        return scores.before - scores.after(change, numbers.ravel())
    drops = np.full(numbers.shape, np.nan)
    first = _every_second(numbers.shape)
    drops[first] = scores.before - scores.after(change, numbers[first], halo=halo)
    slope, offset = 1.0, 0.0
    if halo is not None:
        fitted = _scale(scores, change, numbers[first], drops[first])
        if fitted is None:
            halo = None
            drops[first] = scores.before - scores.after(change, numbers[first])
        else:
            slope, offset = fitted
    for left in range(_ROUNDS, 0, -1):
        chosen = _most_uncertain(drops, left)
        drops[chosen] = scores.before - scores.after(change, numbers[chosen], halo=halo)
    return np.concatenate([_interpolated(part).ravel() for part in drops]) * slope + offset


def _every_second(shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Mark every second row and column, and the last of each."""
    lines = []
    for size in shape[1:]:
        line = np.arange(size) % 2 == 0
        line[-1] = True
        lines.append(line)
    marked: NDArray[np.bool_] = np.broadcast_to(lines[0][:, None] & lines[1], shape).copy()
    return marked


def _scale(
    scores: ImageScores,
    change: Change,
    numbers: NDArray[np.int64],
    cheap: NDArray[np.float64],
) -> tuple[float, float] | None:
    """Return slope and offset from cheap to exact drops, or None where they do not agree."""
    ranks = np.argsort(cheap, kind="stable")
    picked = ranks[np.linspace(0, len(ranks) - 1, _PROBES).round().astype(int)]
    exact = scores.before - scores.after(change, numbers[picked])
    if np.ptp(exact) == 0 and np.ptp(cheap) == 0:
        return 1.0, float(exact[0] - cheap[0])
    if np.ptp(exact) == 0 or np.ptp(cheap) == 0:
        return None
    if np.corrcoef(exact, cheap[picked])[0, 1] < _AGREEMENT:
        return None
    slope, offset = np.polyfit(cheap[picked], exact, 1)
    return float(slope), float(offset)


def _most_uncertain(drops: NDArray[np.float64], rounds_left: int) -> NDArray[np.bool_]:
    """Mark the open windows beside which the computed ones differ most: a round's share."""
    open_ = np.isnan(drops)
    budget = int(_SHARE * drops.size) - int((~open_).sum())
    around = (1, 3, 3)
    high = ndimage.maximum_filter(np.where(open_, -np.inf, drops), around, mode="nearest")
    low = ndimage.minimum_filter(np.where(open_, np.inf, drops), around, mode="nearest")
    spread = np.where(open_, high - low, -np.inf)
    take = max(0, -(-budget // rounds_left))
    chosen = np.zeros(drops.shape, bool)
    ranks = np.argsort(-spread, axis=None, kind="stable")[:take]
    chosen.ravel()[ranks] = True
    return chosen & open_


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
