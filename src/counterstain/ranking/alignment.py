"""Profiles of several plates made comparable: each minus a diseased well at the same place.

A plate with both controls is aligned on its own. One with a single kind of control borrows the way
from diseased to healthy from the others; one without controls cannot be aligned.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import polygamma

from counterstain.errors import InvalidInputError
from counterstain.ranking.plate_fit import N_POSITION, ControlFit, fit_controls, position_basis
from counterstain.ranking.well_table import DISEASED, HEALTHY, WellTable
from counterstain.statistics.plate_position import median_polish

__all__ = ["Alignment", "align_plates"]

_Floats = NDArray[np.float64]
_MAD_TO_SD = 1.4826
_CLIP = 2.5
_CLIPPED_TO_FULL = 1 / 0.9776
"""Variance of a normal deviate over that of the same clipped at 2.5."""


@dataclass(frozen=True, slots=True)
class Alignment:
    """Aligned profiles of W wells on P plates.

    Parameters
    ----------
    deviation : ndarray of float32, shape (W, D)
        Each profile minus its plate's diseased mean and its position's effect; NaN where the plate
        has no control.
    basis : ndarray of float, shape (W, N_POSITION)
        Position of each well, see `position_basis`.
    weights, own_share : ndarray of float, shape (W,)
        Weight of each control and its pull on its own prediction; 1 and 0 for other wells.
    uncertainty : ndarray of float, shape (P, 2 + N_POSITION, 2 + N_POSITION)
        Covariance of each plate's coefficients, in variances of a well.
    difference : ndarray of float, shape (P, D)
        Healthy minus diseased mean; NaN for plates without both.
    penalty, explained : ndarray of float, shape (P,)
        What was taken off for position, see `ControlFit`.
    table : WellTable
        Wells of plates without controls are marked.
    """

    deviation: NDArray[np.float32]
    basis: _Floats
    weights: _Floats
    own_share: _Floats
    uncertainty: _Floats
    difference: _Floats
    penalty: _Floats
    explained: _Floats
    table: WellTable

    @property
    def has_both(self) -> NDArray[np.bool_]:
        """Whether each plate has both controls."""
        return np.isfinite(self.difference[:, 0])


def align_plates(
    profiles: NDArray[np.floating], table: WellTable, known: NDArray[np.bool_], position: str
) -> Alignment:
    """Align every plate on its controls.

    Parameters
    ----------
    profiles : ndarray of float, shape (W, D)
        Profile of each well.
    table : WellTable
        What each well is.
    known : ndarray of bool, shape (W,)
        Wells whose profile can be used.
    position : {"controls", "median_polish", "none"}
        How the effect of rows and columns is found.

    Returns
    -------
    Alignment

    Raises
    ------
    InvalidInputError
        If no plate has both controls.
    """
    centre, scale = _feature_scale(profiles, table, known)
    n_plates, size = len(table.plate_names), profiles.shape[1]
    found = Alignment(
        deviation=np.full((len(profiles), size), np.nan, np.float32),
        basis=np.zeros((len(profiles), N_POSITION)),
        weights=np.ones(len(profiles)),
        own_share=np.zeros(len(profiles)),
        uncertainty=np.zeros((n_plates, 2 + N_POSITION, 2 + N_POSITION)),
        difference=np.full((n_plates, size), np.nan),
        penalty=np.full(n_plates, np.inf),
        explained=np.zeros(n_plates),
        table=table,
    )
    order = np.argsort(table.plate, kind="stable")
    parts = np.split(order, np.cumsum(np.bincount(table.plate, minlength=n_plates))[:-1])
    one_kind: list[tuple[int, NDArray[np.intp], ControlFit]] = []
    for number, rows in enumerate(parts):
        found.basis[rows] = position_basis(table.row[rows], table.column[rows])
        scaled = (profiles[rows].astype(np.float64) - centre) / scale
        if position == "median_polish":
            scaled -= _polished(scaled, table, rows, known)
        fit = _fit_plate(scaled, table, rows, known, found, position == "controls")
        if fit is None:
            continue
        _store(found, number, rows, fit, scaled)
        if np.isnan(fit.coefficients[:2]).any():
            one_kind.append((number, rows, fit))
    _borrow(found, one_kind)
    lost = ~np.isfinite(found.deviation[:, 0])
    return replace(found, table=table.marked(lost & known, "plate without usable controls"))


def _feature_scale(
    profiles: NDArray[np.floating], table: WellTable, known: NDArray[np.bool_]
) -> tuple[_Floats, _Floats]:
    """Return centre and within-plate spread of the controls, per feature."""
    left = []
    centre = np.zeros(profiles.shape[1])
    for kind in (DISEASED, HEALTHY):
        rows = np.flatnonzero(table.controls(kind) & known)
        values = profiles[rows].astype(np.float64)
        if kind == DISEASED and len(rows):
            centre = np.median(values, axis=0)
        for number in np.unique(table.plate[rows]):
            members = values[table.plate[rows] == number]
            if len(members) > 1:
                # Few wells lie closer to their own median than to the true one.
                widen = np.sqrt(len(members) / (len(members) - 1))
                left.append(widen * (members - np.median(members, axis=0)))
    if not left:
        return centre, np.ones(profiles.shape[1])
    return centre, _spread(np.concatenate(left))


def _spread(residuals: _Floats) -> _Floats:
    """Return a robust SD per feature, moved towards that of all features where these are alike.

    Few controls have some features in which they happen to lie close together: in units of these,
    every other well would seem far off.
    """
    rough = _MAD_TO_SD * np.median(np.abs(residuals), axis=0)
    rough = np.where(rough > 0, rough, residuals.std(axis=0))
    bound = _CLIP * rough
    variance = (np.clip(residuals, -bound, bound) ** 2).mean(axis=0) * _CLIPPED_TO_FULL
    varies = variance > 0
    if not varies.any():
        return np.ones(len(variance))
    logs = np.log(variance[varies])
    chance = float(polygamma(1, len(residuals) / 2))
    excess = max(float(logs.var()) - chance, 0.0)
    moderated = logs.mean() + (logs - logs.mean()) * excess / (excess + chance)
    scale = np.ones(len(variance))
    scale[varies] = np.exp(moderated / 2)
    return scale


def _fit_plate(
    scaled: _Floats,
    table: WellTable,
    rows: NDArray[np.intp],
    known: NDArray[np.bool_],
    found: Alignment,
    use_position: bool,
) -> ControlFit | None:
    is_control = (table.kind[rows] >= 0) & known[rows] & table.counts[rows]
    if not is_control.any():
        return None
    fit = fit_controls(
        scaled[is_control],
        table.kind[rows][is_control] == HEALTHY,
        found.basis[rows][is_control],
        use_position=use_position,
    )
    found.weights[rows[is_control]] = fit.weights
    found.own_share[rows[is_control]] = fit.own_share
    return fit


def _store(
    found: Alignment, number: int, rows: NDArray[np.intp], fit: ControlFit, scaled: _Floats
) -> None:
    diseased, healthy = fit.coefficients[:2]
    start = np.where(np.isnan(diseased), healthy, diseased)
    found.deviation[rows] = scaled - start - found.basis[rows] @ fit.coefficients[2:]
    found.difference[number] = healthy - diseased
    found.uncertainty[number] = fit.uncertainty
    found.penalty[number], found.explained[number] = fit.penalty, fit.explained


def _borrow(found: Alignment, one_kind: list[tuple[int, NDArray[np.intp], ControlFit]]) -> None:
    """Give plates with one kind of control the mean difference of the others."""
    both = found.has_both
    if not both.any():
        raise InvalidInputError(
            "`wells` must have both controls on one plate or more; got none: without, a plate's "
            "own shift cannot be told from the disease."
        )
    usual = found.difference[both].mean(axis=0)
    for number, rows, fit in one_kind:
        if np.isnan(fit.coefficients[0]).any():
            found.deviation[rows] += usual.astype(np.float32)
            # Its diseased mean is known as well as its healthy one.
            found.uncertainty[number][0, 0] = fit.uncertainty[1, 1]


def _polished(
    scaled: _Floats, table: WellTable, rows: NDArray[np.intp], known: NDArray[np.bool_]
) -> _Floats:
    """Return row and column effects of the treated wells' median polish, at every well.

    Controls take no part: a column that holds one control only would lose it as its own effect.
    """
    row, column = table.row[rows], table.column[rows]
    used = (table.kind[rows] < 0) & known[rows] & table.counts[rows]
    effects = np.zeros_like(scaled)
    if np.count_nonzero(used) < 2:
        return effects
    grid = np.full((row.max() + 1, column.max() + 1), np.nan)
    for feature in range(scaled.shape[1]):
        grid[row[used], column[used]] = scaled[used, feature]
        polish = median_polish(grid)
        effects[:, feature] = (
            np.nan_to_num(polish.rows)[row] + np.nan_to_num(polish.columns)[column]
        )
    return effects
