"""Where each plate's scores have their 0 and 1, and how certain that is.

Latents share one penalty on the effect of position, so that a drift of few latents may be left
standing; where these are the ones of the axis it is taken off here, from the scores.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from counterstain.errors import InvalidInputError
from counterstain.ranking.alignment import Alignment
from counterstain.ranking.plate_fit import fit_controls
from counterstain.ranking.well_table import HEALTHY

__all__ = ["PlateScales", "fit_scales"]

_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PlateScales:
    """Origin and scale of the scores of W wells on P plates.

    Parameters
    ----------
    scores : ndarray of float, shape (W,)
        Scores without their drift over the plate.
    origin, scale : ndarray of float, shape (P,)
        Score of a diseased well, and how much more a healthy one has; NaN for plates without
        controls.
    own : ndarray of float, shape (P,)
        How much of each scale is the plate's own, the rest being that of all plates of its fold.
    common_variance : ndarray of float, shape (P,)
        Variance of the fold's scale, relative to its square.
    uncertainty : ndarray of float, shape (P, K, K)
        Covariance of each plate's coefficients, in variances of a well.
    own_share : ndarray of float, shape (W,)
        How much each control pulls its own prediction.
    """

    scores: _Floats
    origin: _Floats
    scale: _Floats
    own: _Floats
    common_variance: _Floats
    uncertainty: _Floats
    own_share: _Floats


def fit_scales(
    scores: _Floats,
    aligned: Alignment,
    folds: NDArray[np.int64],
    known: NDArray[np.bool_],
    *,
    use_position: bool,
) -> PlateScales:
    """Find each plate's 0 and 1 on its controls.

    Parameters
    ----------
    scores : ndarray of float, shape (W,)
        Scores on axes that each plate took no part in finding.
    aligned : Alignment
        Aligned plates.
    folds : ndarray of int, shape (W,)
        From `find_folds`; axes of different folds differ in scale.
    known : ndarray of bool, shape (W,)
        Wells that have a score.
    use_position : bool
        Whether to take a drift of the scores off.

    Returns
    -------
    PlateScales

    Raises
    ------
    InvalidInputError
        If controls lie the wrong way round on axes found without them.
    """
    table = aligned.table
    n_plates = len(table.plate_names)
    settled, own_share = scores.copy(), aligned.own_share.copy()
    uncertainty = aligned.uncertainty.copy()
    ends = np.full((n_plates, 2), np.nan)
    fold_of_plate = np.full(n_plates, -1)
    residual = np.full(len(scores), np.nan)
    for number in range(n_plates):
        here = np.flatnonzero((table.plate == number) & known)
        control = here[table.kind[here] >= 0]
        if not control.size:
            continue
        fold_of_plate[number] = folds[here].max() if aligned.has_both.sum() > 1 else 0
        healthy = table.kind[control] == HEALTHY
        fit = fit_controls(
            scores[control, None], healthy, aligned.basis[control],
            use_position=use_position, weights=aligned.weights[control],
        )  # fmt: skip
        ends[number] = fit.coefficients[:2, 0]
        if np.isfinite(fit.penalty):
            settled[here] -= aligned.basis[here] @ fit.coefficients[2:, 0]
            uncertainty[number], own_share[control] = fit.uncertainty, fit.own_share
        residual[control] = settled[control] - ends[number, healthy.astype(int)]
    spread = weighted_variance(residual, aligned.weights, own_share, np.isfinite(residual))
    origin, scale, own, common = _shrink(ends, spread, uncertainty, fold_of_plate)
    return PlateScales(settled, origin, scale, own, common, uncertainty, own_share)


def weighted_variance(
    values: _Floats, weights: _Floats, own_share: _Floats, rows: NDArray[np.bool_]
) -> float:
    """Return the variance of a well that the uncertainty of weighted means is in units of.

    A sandwich estimate (HC2) from residuals `values`: the weights need not be right for it to be.

    Examples
    --------
    >>> values, one = np.array([-1.0, 1.0]), np.ones(2)
    >>> weighted_variance(values, one, one / 2, one > 0)
    2.0
    """
    squares = weights[rows] ** 2 * values[rows] ** 2 / (1 - own_share[rows])
    return float(squares.sum() / weights[rows].sum())


def _shrink(
    ends: _Floats, spread: float, uncertainty: _Floats, fold_of_plate: NDArray[np.int64]
) -> tuple[_Floats, _Floats, _Floats, _Floats]:
    """Move each plate's scale towards that of its fold by as much as plates agree."""
    step = ends[:, 1] - ends[:, 0]
    both = np.isfinite(step)
    contrast = np.zeros(uncertainty.shape[1])
    contrast[:2] = -1.0, 1.0
    error = np.maximum(spread * (uncertainty @ contrast @ contrast), 1e-300)
    precision = np.where(both, 1 / error, 0.0)
    common, common_variance = np.full(len(step), np.nan), np.full(len(step), np.nan)
    unlike = spare = 0.0
    for fold in np.unique(fold_of_plate[both]):
        members = fold_of_plate == fold
        total = precision[members].sum()
        common[members] = (precision * np.nan_to_num(step))[members].sum() / total
        common_variance[members] = 1 / total
        spare += total - (precision[members] ** 2).sum() / total
        unlike += float((precision * np.nan_to_num(step - common) ** 2)[members & both].sum())
    if not np.nanmean(common) > 0:
        raise InvalidInputError(
            f"`profiles` must tell the controls apart; got {np.nanmean(common):.2g} of the "
            f"distance due on axes found without them: no way leads from diseased to healthy, so "
            f"check the classes."
        )
    # DerSimonian and Laird's moment estimate of how far scales of plates truly differ.
    freedom = np.count_nonzero(both) - np.unique(fold_of_plate[both]).size
    between = max(0.0, (unlike - freedom) / spare) if freedom > 0 else np.inf
    own = np.where(both, 1.0 if np.isinf(between) else between / (between + error), 0.0)
    scale = own * np.where(both, step, 0.0) + (1 - own) * common
    # A plate with healthy controls only hangs from their end.
    origin = np.where(np.isnan(ends[:, 0]), ends[:, 1] - scale, ends[:, 0])
    return origin, scale, own, common_variance / common**2
