"""Directions from diseased to healthy, each judged on controls that took no part in finding it.

An axis found and judged on the same controls sets them too far apart, the more so the more latents
there are. Plates are therefore left out in turn (a single plate: parts of its controls), and a well
is scored by the axis of the others. The axis is Fisher's: the difference of the means over a shrunk
covariance, so that latents which vary from well to well count less.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from counterstain.ranking.alignment import Alignment
from counterstain.ranking.well_table import DISEASED, HEALTHY
from counterstain.statistics.shrinkage import CovarianceSums, inverse_root

__all__ = ["Scorer", "find_folds", "fit_scorers"]

_Floats = NDArray[np.float64]
_MAX_FOLDS = 5


@dataclass(frozen=True, slots=True)
class Scorer:
    """One axis.

    Parameters
    ----------
    direction : ndarray of float, shape (D,)
        Scores are ``deviation @ direction``: 0 diseased, about 1 healthy.
    whitener : ndarray of float, shape (D, D)
        Turns deviations into units of the controls' well-to-well spread.
    axis : ndarray of float, shape (D,)
        Whitened way from diseased to healthy.
    shrinkage : float
        Weight of the identity in the covariance, 0 to 1.
    """

    direction: _Floats
    whitener: _Floats
    axis: _Floats
    shrinkage: float

    def score(self, deviation: NDArray[np.floating]) -> tuple[_Floats, NDArray[np.float32]]:
        """Return scores (n,) and whitened off-axis vectors (n, D)."""
        scores = np.asarray(deviation @ self.direction, dtype=np.float64)
        off = deviation @ self.whitener.astype(deviation.dtype)
        off -= np.outer(scores, self.axis).astype(deviation.dtype)
        return scores, np.asarray(off, dtype=np.float32)


def find_folds(aligned: Alignment, known: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the fold of each well, shape (W,); -1 for wells that every axis may score.

    Whole batches where there are two with both controls, else whole plates, else parts of the
    controls of the one plate.
    """
    table = aligned.table
    for unit in (table.batch, table.plate):
        complete = np.unique(unit[aligned.has_both[table.plate]])
        if complete.size >= 2:
            fold_of_unit = np.zeros(unit.max() + 1, np.int64)
            fold_of_unit[complete] = np.arange(complete.size) % _MAX_FOLDS
            return fold_of_unit[unit]
    folds = np.full(len(table.plate), -1, np.int64)
    for kind in (DISEASED, HEALTHY):
        rows = np.flatnonzero(table.controls(kind) & known)
        folds[rows] = np.arange(rows.size) % min(_MAX_FOLDS, rows.size)
    return folds


def fit_scorers(
    aligned: Alignment, folds: NDArray[np.int64], known: NDArray[np.bool_], *, axis: str
) -> list[Scorer]:
    """Fit an axis for each fold on the controls of all other folds.

    Parameters
    ----------
    aligned : Alignment
        Aligned profiles.
    folds : ndarray of int, shape (W,)
        From `find_folds`.
    known : ndarray of bool, shape (W,)
        Wells whose profile can be used.
    axis : {"discriminant", "means"}
        Fisher's direction, or the plain difference of the means.

    Returns
    -------
    list of Scorer, one a fold
    """
    table = aligned.table
    is_control = known & (table.controls(DISEASED) | table.controls(HEALTHY))
    numbers = np.arange(folds[is_control].max() + 1)
    sums = [_sums(aligned, is_control & (folds == number)) for number in numbers]
    scorers = []
    for number in numbers:
        others = [part for i, part in enumerate(sums) if i != number]
        total = others[0]
        for part in others[1:]:
            total = total + part
        covariance, shrinkage = total.shrunk()
        difference = _difference(aligned, is_control & (folds != number))
        whitener = inverse_root(covariance)
        way = whitener @ difference
        ahead = whitener @ way if axis == "discriminant" else difference
        scorers.append(Scorer(ahead / (ahead @ difference), whitener, way, shrinkage))
    return scorers


def _sums(aligned: Alignment, rows: NDArray[np.bool_]) -> CovarianceSums:
    """Sum residuals of controls from their own plate's mean, odd wells weighing less."""
    table = aligned.table
    residuals = aligned.deviation[rows].astype(np.float64)
    healthy = table.kind[rows] == HEALTHY
    residuals[healthy] -= np.nan_to_num(aligned.difference[table.plate[rows][healthy]])
    residuals *= np.sqrt(aligned.weights[rows])[:, None]
    return CovarianceSums.of(residuals, lost=float(aligned.own_share[rows].sum()))


def _difference(aligned: Alignment, rows: NDArray[np.bool_]) -> _Floats:
    """Return the mean healthy minus the mean diseased deviation over plates that have both."""
    table = aligned.table
    total, weight = np.zeros(aligned.deviation.shape[1]), 0.0
    for number in np.unique(table.plate[rows]):
        means, sizes = [], []
        for kind in (DISEASED, HEALTHY):
            members = np.flatnonzero(rows & (table.plate == number) & (table.kind == kind))
            if not members.size:
                break
            weights = aligned.weights[members]
            means.append(weights @ aligned.deviation[members].astype(np.float64) / weights.sum())
            sizes.append(members.size)
        if len(means) == 2:
            share = sizes[0] * sizes[1] / (sizes[0] + sizes[1])
            total, weight = total + share * (means[1] - means[0]), weight + share
    return np.asarray(total / weight)
