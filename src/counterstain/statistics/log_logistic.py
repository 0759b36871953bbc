"""Least squares of the four-parameter log-logistic curve; no judgement of what it finds.

The curve is linear in its two plateaus. A grid over the other two parameters, with the plateaus
solved for, gives the start; Levenberg-Marquardt does the rest (own, since scipy's takes some twenty
times as long for problems this small, and a screen has thousands).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

__all__ = ["CurveFit", "fit_curve", "log_logistic"]

_Floats = NDArray[np.float64]
MAX_SLOPE = 8.0
"""A step between two doses has no finite slope; steeper than this is held here."""
MIN_SLOPE = 0.05
_START_SLOPES = (0.5, 1.0, 2.0, 4.0)


@dataclass(frozen=True, slots=True)
class CurveFit:
    """Parameters of a curve and their uncertainty.

    Parameters
    ----------
    slope, lower, upper, log_ec50 : float
        Parameters; `slope` is positive for a falling curve, and `lower` <= `upper`.
    log_ec50_error : float
        Standard error of `log_ec50`; infinite where the data do not determine it.
    residual_sum : float
        Sum of squared residuals.
    n_parameters : int
        Parameters that were free.
    """

    slope: float
    lower: float
    upper: float
    log_ec50: float
    log_ec50_error: float
    residual_sum: float
    n_parameters: int


def log_logistic(
    doses: _Floats, slope: float, lower: float, upper: float, log_ec50: float
) -> _Floats:
    """Return lower + (upper - lower) / (1 + exp(slope (log dose - log EC50))).

    Examples
    --------
    >>> log_logistic(np.array([0.0, 3.0, np.inf]), 2.0, 0.0, 1.0, math.log(3))
    array([1. , 0.5, 0. ])
    """
    return lower + (upper - lower) * _shape(_log(doses), slope, log_ec50)


def fit_curve(
    doses: _Floats, responses: _Floats, *, lower: float | None = None, upper: float | None = None
) -> CurveFit:
    """Fit the curve.

    Parameters
    ----------
    doses, responses : ndarray of float64, shape (W,)
        Finite; doses 0 or more, at least two of them positive and different.
    lower, upper : float, optional
        Plateaus that are known; fitted where left out.

    Returns
    -------
    CurveFit
    """
    log_doses = _log(doses)
    # Exchanged plateaus and the other sign are the same curve: with both free one will do.
    falling = _Problem(log_doses, responses, (lower, upper))
    problems = [falling]
    if lower is not None or upper is not None:
        problems.append(_Problem(log_doses, responses, (upper, lower)))
    starts = [(*problem.start(), problem) for problem in problems]
    _, theta, problem = min(starts, key=lambda found: found[0])
    theta = problem.descend(theta)
    slope, end, begin, middle = problem.unpack(theta)
    residuals, jacobian = problem.linearise(theta)
    at_limit = slope > 0.999 * MAX_SLOPE
    error = _standard_error(residuals, jacobian[:, 1:] if at_limit else jacobian, int(at_limit))
    sign, low, high = (1, end, begin) if end <= begin else (-1, begin, end)
    return CurveFit(
        sign * slope, low, high, middle, error, float(residuals @ residuals), theta.size
    )


class _Problem:
    """Residuals of a curve over theta = (log slope, log EC50, plateaus that are free).

    `fixed` are the plateaus at infinite and at no dose.
    """

    def __init__(
        self,
        log_doses: _Floats,
        responses: _Floats,
        fixed: tuple[float | None, float | None],
    ) -> None:
        self.log_doses, self.responses, self.fixed = log_doses, responses, fixed
        self.free = [i for i in (0, 1) if fixed[i] is None]
        positive = log_doses[np.isfinite(log_doses)]
        self.low, self.high = float(positive.min()), float(positive.max())

    def unpack(self, theta: _Floats) -> tuple[float, float, float, float]:
        """Return slope, plateau at infinite dose, plateau at no dose, log EC50."""
        plateaus = [math.nan if value is None else value for value in self.fixed]
        for place, value in zip(self.free, theta[2:], strict=True):
            plateaus[place] = float(value)
        return math.exp(theta[0]), plateaus[0], plateaus[1], float(theta[1])

    def linearise(self, theta: _Floats) -> tuple[_Floats, _Floats]:
        """Return residuals (W,) and their Jacobian (W, parameters)."""
        slope, end, begin, middle = self.unpack(theta)
        shape = _shape(self.log_doses, slope, middle)
        steep = (begin - end) * shape * (1 - shape) * slope
        # Dose 0 lies at minus infinity, where the shape is flat.
        distance = np.where(np.isfinite(self.log_doses), self.log_doses - middle, 0.0)
        plateaus = ((1 - shape, shape)[i] for i in self.free)
        jacobian = np.column_stack([-steep * distance, steep, *plateaus])
        return end + (begin - end) * shape - self.responses, jacobian

    def start(self) -> tuple[float, _Floats]:
        """Return the least residual sum on a grid of slopes and EC50s, and its theta."""
        best, least = np.empty(0), math.inf
        for slope in _START_SLOPES:
            for middle in np.linspace(self.low - 0.5, self.high + 0.5, 13):
                shape = _shape(self.log_doses, slope, middle)
                left, plateaus = self._plateaus(shape)
                if left < least:
                    least, best = left, np.r_[math.log(slope), middle, plateaus]
        return least, best

    def _plateaus(self, shape: _Floats) -> tuple[float, _Floats]:
        columns, target = [], self.responses
        for column, known in zip((1 - shape, shape), self.fixed, strict=True):
            if known is None:
                columns.append(column)
            else:
                target = target - known * column
        if not columns:
            return float(target @ target), np.empty(0)
        design = np.column_stack(columns)
        # A little ridge: a shape that is flat over the doses has no second plateau.
        gram = design.T @ design + 1e-9 * target.size * np.eye(len(columns))
        plateaus = np.asarray(np.linalg.solve(gram, design.T @ target), dtype=np.float64)
        left = target - design @ plateaus
        return float(left @ left), plateaus

    def descend(self, theta: _Floats, max_steps: int = 100) -> _Floats:
        """Run Levenberg-Marquardt within bounds."""
        reach = 2 * (self.high - self.low) + 5
        floor, ceiling = np.full(theta.size, -np.inf), np.full(theta.size, np.inf)
        floor[:2], ceiling[:2] = (
            (math.log(MIN_SLOPE), self.low - reach),
            (math.log(MAX_SLOPE), self.high + reach),
        )
        damping = 1e-3
        residuals, jacobian = self.linearise(theta)
        least = float(residuals @ residuals)
        for _ in range(max_steps):
            gram, gradient = jacobian.T @ jacobian, jacobian.T @ residuals
            scale = np.maximum(np.diag(gram), 1e-12 * max(float(np.trace(gram)), 1e-300))
            step = np.linalg.solve(gram + damping * np.diag(scale), gradient)
            moved = np.clip(theta - step, floor, ceiling)
            trial, steeper = self.linearise(moved)
            found = float(trial @ trial)
            if found <= least:
                settled = least - found <= 1e-14 * least and damping <= 1e-3
                theta, residuals, jacobian, least = moved, trial, steeper, found
                damping = max(damping / 10, 1e-12)
                if settled:
                    break
            else:
                damping *= 10
                if damping > 1e10:
                    break
        return theta


def _standard_error(residuals: _Floats, jacobian: _Floats, position_shift: int) -> float:
    freedom = residuals.size - jacobian.shape[1]
    if freedom < 1:
        return math.inf
    _, singular, right = np.linalg.svd(jacobian, full_matrices=False)
    if singular[-1] <= 1e-10 * singular[0]:
        return math.inf
    column = right[:, 1 - position_shift] / singular
    return float(np.sqrt((residuals @ residuals) / freedom * (column @ column)))


def _shape(log_doses: _Floats, slope: float, middle: float) -> _Floats:
    return np.asarray(expit(-slope * (log_doses - middle)))


def _log(doses: _Floats) -> _Floats:
    with np.errstate(divide="ignore"):
        return np.log(doses)
