"""Rescue of each well, and what moved it off the axis, from one network's profiles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from counterstain.ranking.alignment import Alignment, align_plates
from counterstain.ranking.axis import Scorer, find_folds, fit_scorers
from counterstain.ranking.plate_scales import PlateScales, fit_scales, weighted_variance
from counterstain.ranking.well_table import DISEASED, HEALTHY, WellTable

__all__ = ["ViewScores", "score_view"]

_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ViewScores:
    """Scores of W wells in one latent space; NaN for wells that it cannot score.

    Parameters
    ----------
    rescue : ndarray of float, shape (W,)
        0 diseased, 1 healthy. Controls are scored as if their plate had been aligned without them.
    off_axis : ndarray of float32, shape (W, D)
        What is left of each profile off the axis, in SDs of the controls' wells.
    noise : float
        Mean square length of `off_axis` of a control.
    axis_error : float
        Square length off the axis that a perfect rescue would show, since the axis is estimated.
    axis_length : float
        Way from diseased to healthy, in SDs of the controls' wells.
    score_variance : float
        Variance of the rescue of control wells.
    scales : PlateScales
        Origin and scale of each plate.
    alignment : Alignment
        How plates were aligned.
    """

    rescue: _Floats
    off_axis: NDArray[np.float32]
    noise: float
    axis_error: float
    axis_length: float
    score_variance: float
    scales: PlateScales
    alignment: Alignment

    def contrasts(self, rows: NDArray[np.intp], rescue: _Floats) -> _Floats:
        """Return what the rescue of some wells asks of their plate's coefficients, (n, 2 + N)."""
        own = self.scales.own[self.alignment.table.plate[rows]]
        return np.column_stack([1 - own * rescue, own * rescue, self.alignment.basis[rows]])

    def tilt_variance(self, side_effect: _Floats) -> _Floats:
        """Return the variance that rescue has from the error of the axis, for some side effects.

        A treatment far off the axis moves along it, too, where the axis is a little tilted.
        """
        spare = max(self.off_axis.shape[1] - 1, 1)
        tilt = self.axis_error / (self.axis_length**2 * spare)
        return np.asarray((np.nan_to_num(side_effect) / self.axis_length) ** 2 * tilt)


def score_view(
    profiles: NDArray[np.floating], table: WellTable, *, position: str, axis: str
) -> ViewScores:
    """Score all wells in one latent space.

    Parameters
    ----------
    profiles : ndarray of float, shape (W, D)
        Profiles; rows that are not finite are left out.
    table : WellTable
        What each well is.
    position, axis : str
        See `align_plates` and `fit_scorers`.

    Returns
    -------
    ViewScores

    Raises
    ------
    InvalidInputError
        If controls that took no part in finding the axis lie the wrong way round on it, or no
        plate has both.
    """
    known = np.isfinite(profiles).all(axis=1) & table.counts
    aligned = align_plates(profiles, table, known, position)
    known &= aligned.table.counts
    folds = find_folds(aligned, known)
    scorers = fit_scorers(aligned, folds, known, axis=axis)
    scores, off_axis = _score_wells(aligned, folds, known, scorers)
    fitted = fit_scales(scores, aligned, folds, known, use_position=position == "controls")
    plate, weights, own_share = table.plate, aligned.weights, fitted.own_share
    rescue = (fitted.scores - fitted.origin[plate]) / fitted.scale[plate]
    diseased, healthy = (known & aligned.table.controls(kind) for kind in (DISEASED, HEALTHY))
    centre = np.where(healthy, _plate_means(rescue, aligned, healthy)[plate], 0.0)
    spread = weighted_variance(rescue - centre, weights, own_share, diseased | healthy)
    distance = np.sqrt(np.einsum("ij,ij->i", off_axis, off_axis, dtype=np.float64))
    noise = weighted_variance(distance, weights, aligned.own_share, diseased)
    error = _axis_error(off_axis, aligned, healthy, noise)
    # A control pulls its plate's mean towards itself; this puts it where it lies without that.
    rescue = np.where(diseased | healthy, centre + (rescue - centre) / (1 - own_share), rescue)
    off_axis[diseased] /= (1 - aligned.own_share[diseased, None]).astype(np.float32)
    length = float(np.mean([np.linalg.norm(scorer.axis) for scorer in scorers]))
    return ViewScores(
        rescue=rescue,
        off_axis=off_axis,
        noise=noise,
        axis_error=error,
        axis_length=length * float(np.sqrt(np.nanmean(fitted.scale))),
        score_variance=spread,
        scales=fitted,
        alignment=aligned,
    )


def _score_wells(
    aligned: Alignment,
    folds: NDArray[np.int64],
    known: NDArray[np.bool_],
    scorers: list[Scorer],
) -> tuple[_Floats, NDArray[np.float32]]:
    scores = np.full(len(folds), np.nan)
    off_axis = np.full(aligned.deviation.shape, np.nan, np.float32)
    for number, scorer in enumerate(scorers):
        rows = np.flatnonzero(known & (folds == number))
        scores[rows], off_axis[rows] = scorer.score(aligned.deviation[rows])
    free = np.flatnonzero(known & (folds == -1))
    if free.size:
        found = [scorer.score(aligned.deviation[free]) for scorer in scorers]
        scores[free] = np.mean([part[0] for part in found], axis=0)
        off_axis[free] = np.mean([part[1] for part in found], axis=0)
    return scores, off_axis


def _plate_means(values: _Floats, aligned: Alignment, rows: NDArray[np.bool_]) -> _Floats:
    """Return the weighted mean of some wells on each plate, NaN where there are none."""
    n_plates = len(aligned.table.plate_names)
    plate, weights = aligned.table.plate[rows], aligned.weights[rows]
    total = np.bincount(plate, weights, n_plates)
    sums = np.bincount(plate, weights * values[rows], n_plates)
    return np.asarray(np.divide(sums, total, out=np.full(n_plates, np.nan), where=total > 0))


def _axis_error(
    off_axis: NDArray[np.float32], aligned: Alignment, healthy: NDArray[np.bool_], noise: float
) -> float:
    """Return the square length of what all healthy wells share off the estimated axis.

    From products of different wells, less what they share through their plate's diseased mean.
    """
    table = aligned.table
    found, pairs = 0.0, 0
    for number in np.unique(table.plate[healthy]):
        vectors = off_axis[healthy & (table.plate == number)].astype(np.float64)
        n = len(vectors)
        if n > 1:
            total = vectors.sum(axis=0)
            shared = noise * aligned.uncertainty[number][0, 0] * n * (n - 1)
            found += float(total @ total - (vectors**2).sum()) - shared
            pairs += n * (n - 1)
    return max(found / pairs, 0.0) if pairs else 0.0
