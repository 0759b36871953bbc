"""Controls of one plate: their profiles as two class means plus a smooth effect of position.

The effect of rows and columns is a quadratic surface and a step at the plate's edge, shrunk by as
much as predicts left-out controls best, which may be altogether.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["N_POSITION", "ControlFit", "fit_controls", "position_basis"]

_Floats = NDArray[np.float64]
N_POSITION = 5
_PENALTIES = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
_MIN_CONTROLS = 8
"""Controls of a plate below which a surface would follow single wells."""
_FREEDOM = 4.0
"""Degrees of freedom of the multivariate t that wells are weighted by: heavy tails are expected."""
_TOLERANCE = 1.5
_ROUNDS = 3
_MAX_SHARE = 0.95
"""A well that is all its own prediction says nothing when it is left out."""


@dataclass(frozen=True, slots=True)
class ControlFit:
    """The controls of one plate, n wells in D features.

    Parameters
    ----------
    coefficients : ndarray of float, shape (2 + N_POSITION, D)
        Diseased mean, healthy mean, position; NaN means for a control without wells.
    uncertainty : ndarray of float, shape (2 + N_POSITION, 2 + N_POSITION)
        Covariance of the coefficients, in units of the variance of a well.
    weights : ndarray of float, shape (n,)
        Mean 1; wells far from all others weigh less.
    own_share : ndarray of float, shape (n,)
        How much each well pulls its own prediction, below 1.
    penalty : float
        Ridge of the position; infinite where none is taken off.
    explained : float
        Share of the controls' spread, when left out, that the position predicts; 0 or more.
    """

    coefficients: _Floats
    uncertainty: _Floats
    weights: _Floats
    own_share: _Floats
    penalty: float
    explained: float


def position_basis(row: NDArray[np.int64], column: NDArray[np.int64]) -> _Floats:
    """Return slopes, bowls and edge of a plate at each well, shape (W, N_POSITION).

    Examples
    --------
    >>> rows, columns = np.divmod(np.arange(12), 4)
    >>> position_basis(rows, columns)[:, 0].tolist()[::4]
    [-1.0, 0.0, 1.0]
    """
    scaled = []
    for place in (row, column):
        span = place.max() - place.min()
        scaled.append(2 * (place - place.min()) / span - 1 if span else np.zeros(len(place)))
    edge = np.max(np.abs(scaled), axis=0) >= 1
    r, c = scaled
    return np.column_stack([r, c, 1.5 * r**2 - 0.5, 1.5 * c**2 - 0.5, edge.astype(np.float64)])


def fit_controls(
    profiles: _Floats,
    is_healthy: NDArray[np.bool_],
    basis: _Floats,
    *,
    use_position: bool,
    weights: _Floats | None = None,
) -> ControlFit:
    """Fit class means and position to a plate's controls by reweighted ridge regression.

    Parameters
    ----------
    profiles : ndarray of float64, shape (n, D)
        Profiles of the controls in comparable units per feature.
    is_healthy : ndarray of bool, shape (n,)
        The kind of each.
    basis : ndarray of float64, shape (n, N_POSITION)
        Rows of `position_basis`.
    use_position : bool
        Whether to fit a position at all.
    weights : ndarray of float, shape (n,), optional
        Weights of the wells; found by how far off each lies where left out.

    Returns
    -------
    ControlFit

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> rows, columns = np.divmod(np.arange(24), 6)
    >>> basis, healthy = position_basis(rows, columns), np.arange(24) % 2 == 1
    >>> profiles = healthy[:, None] * 9.0 + basis[:, :1] + 0.1 * rng.normal(size=(24, 3))
    >>> fit = fit_controls(profiles, healthy, basis, use_position=True)
    >>> fit.coefficients[:3].round(0).T.tolist()[0]
    [0.0, 9.0, 1.0]
    """
    classes = np.column_stack([~is_healthy, is_healthy]).astype(np.float64)
    present = np.r_[classes.any(axis=0), basis.std(axis=0) > 1e-9]
    if not use_position or len(profiles) < _MIN_CONTROLS:
        present[2:] = False
    design = np.column_stack([classes, basis])[:, present]
    is_position = np.arange(len(present))[present] >= 2
    # All that is asked of residuals are their lengths and products, and these n x n numbers hold.
    gram = profiles @ profiles.T
    fixed = weights is not None
    if weights is None:
        start = _from_medians(profiles, is_healthy)
        weights = _weights(start @ start.T)
    for _ in range(1 if fixed else _ROUNDS):
        penalty, explained = _choose_penalty(design, is_position, gram, weights)
        kept = ~is_position if np.isinf(penalty) else np.ones(len(is_position), bool)
        inverse, smoother = _ridge(design[:, kept], is_position[kept], weights, penalty)
        hat = design[:, kept] @ smoother
        weights = weights if fixed else _weights(_residual_gram(gram, hat))
    places = np.flatnonzero(present)[kept]
    coefficients = np.zeros((len(present), profiles.shape[1]))
    coefficients[:2] = np.nan
    coefficients[places] = smoother @ profiles
    uncertainty = np.zeros((len(present), len(present)))
    uncertainty[np.ix_(places, places)] = inverse
    own_share = np.minimum(np.diag(hat), _MAX_SHARE)
    return ControlFit(coefficients, uncertainty, weights, own_share, penalty, explained)


def _choose_penalty(
    design: _Floats, is_position: NDArray[np.bool_], gram: _Floats, weights: _Floats
) -> tuple[float, float]:
    """Return the penalty that predicts left-out controls best, and what it explains of them."""
    losses = {}
    for penalty in (np.inf, *_PENALTIES) if is_position.any() else (np.inf,):
        kept = ~is_position if np.isinf(penalty) else np.ones(len(is_position), bool)
        _, smoother = _ridge(design[:, kept], is_position[kept], weights, penalty)
        hat = design[:, kept] @ smoother
        left = 1 - np.minimum(np.diag(hat), _MAX_SHARE)
        losses[penalty] = float((weights * np.diag(_residual_gram(gram, hat)) / left**2).sum())
    best = min(losses, key=lambda penalty: losses[penalty])
    return best, 1 - losses[best] / losses[np.inf] if losses[np.inf] > 0 else 0.0


def _residual_gram(gram: _Floats, hat: _Floats) -> _Floats:
    left = np.eye(len(hat)) - hat
    return np.asarray(left @ gram @ left.T)


def _ridge(
    design: _Floats, is_position: NDArray[np.bool_], weights: _Floats, penalty: float
) -> tuple[_Floats, _Floats]:
    ridge = np.where(is_position, penalty, 0.0) if is_position.any() else np.zeros(len(is_position))
    weighted = design.T * weights
    inverse = np.linalg.inv(weighted @ design + np.diag(ridge))
    return inverse, inverse @ weighted


def _from_medians(profiles: _Floats, is_healthy: NDArray[np.bool_]) -> _Floats:
    left = np.empty_like(profiles)
    for kind in (False, True):
        members = is_healthy == kind
        if members.any():
            left[members] = profiles[members] - np.median(profiles[members], axis=0)
    return left


def _weights(gram: _Floats) -> _Floats:
    """Weigh wells as a multivariate t does, over as many dimensions as the residuals fill.

    `gram` holds the products (n, n) of the wells' residuals.
    """
    squares = np.maximum(np.diag(gram), 0.0)
    usual = float(np.median(squares))
    if len(squares) < 4 or usual <= 0:
        return np.ones(len(squares))
    filled = float(squares.sum()) ** 2 / float((gram**2).sum())
    # Wells within the usual range weigh alike: weights that follow every chance difference in
    # length make the spread that is computed with them too small.
    beyond = np.maximum(squares / usual / _TOLERANCE, 1.0)
    weights = (_FREEDOM + filled) / (_FREEDOM + filled * beyond)
    return np.asarray(weights / weights.mean())
