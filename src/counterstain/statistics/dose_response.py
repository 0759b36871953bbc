"""Dose-response curves with an EC50, or a reason why there is none.

A fitted curve always has an EC50, also where the doses hold nothing of the kind. It is only given
where the responses change with the dose, do not turn back, and the EC50 lies among the doses.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from counterstain.errors import InvalidInputError
from counterstain.statistics.inputs import as_values
from counterstain.statistics.log_logistic import CurveFit, fit_curve, log_logistic
from counterstain.statistics.monotone import turning_p_value
from counterstain.types import Estimate

__all__ = ["DoseResponse", "fit_dose_response"]

_Floats = NDArray[np.float64]
MIN_DOSES = 4
_TREND_LEVEL = 0.05
_TURNING_LEVEL = 0.01
_MAX_INTERVAL_FOLD = 1000.0
"""An interval of three decades says nothing that the list of doses does not."""


@dataclass(frozen=True, slots=True)
class DoseResponse:
    """A four-parameter log-logistic curve (`drc`'s LL.4), or the reason why none is given.

    Parameters
    ----------
    ec50 : Estimate
        In the unit of the doses; interval on the log scale (t). Undefined with its reason where
        there is no fit.
    slope : float
        `drc`'s b: positive where the response falls with the dose, negative where it rises.
    lower, upper : float
        Plateaus, lower <= upper.
    r_squared : float
        Share of the variance explained, at most 1.
    residual_sd : float
        Root of the residual sum of squares over its degrees of freedom.
    lack_of_fit_p : float
        Small where the dose means miss the curve by more than replicates spread; NaN without
        replicates or spare doses.
    turning_p : float
        Small where the dose means turn back, see `turning_p_value`.
    n_doses, n_wells : int
        Different doses (0 included) and wells.
    reason : str
        Why there is no fit; empty where there is one. The numbers above are NaN then.
    """

    ec50: Estimate
    slope: float = math.nan
    lower: float = math.nan
    upper: float = math.nan
    r_squared: float = math.nan
    residual_sd: float = math.nan
    lack_of_fit_p: float = math.nan
    turning_p: float = math.nan
    n_doses: int = 0
    n_wells: int = 0
    reason: str = ""

    @property
    def is_fit(self) -> bool:
        """Whether there is a curve."""
        return not self.reason

    def predict(self, concentrations: ArrayLike) -> _Floats:
        """Return the curve at some doses; NaN where there is no fit.

        Parameters
        ----------
        concentrations : array-like of float, shape (n,)
            Doses, 0 or more.

        Returns
        -------
        ndarray of float64, shape (n,)
        """
        doses = as_values(concentrations, "concentrations")
        if not self.is_fit:
            return np.full(doses.size, np.nan)
        return log_logistic(doses, self.slope, self.lower, self.upper, math.log(self.ec50.value))

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping; NaN becomes None, since JSON has no NaN."""
        found: dict[str, Any] = {"ec50": self.ec50.to_json()}
        for name in ("slope", "lower", "upper", "r_squared", "residual_sd", "lack_of_fit_p",
                     "turning_p", "n_doses", "n_wells", "reason"):  # fmt: skip
            value = getattr(self, name)
            found[name] = None if isinstance(value, float) and math.isnan(value) else value
        return found


def fit_dose_response(
    concentrations: ArrayLike,
    responses: ArrayLike,
    *,
    lower: float | None = None,
    upper: float | None = None,
    confidence: float = 0.95,
) -> DoseResponse:
    """Fit lower + (upper - lower) / (1 + exp(slope (log dose - log EC50))) by least squares.

    Parameters
    ----------
    concentrations : array-like of float, shape (W,)
        Dose of each well, 0 or more, in any one unit.
    responses : array-like of float, shape (W,)
        Response of each well, such as its rescue.
    lower, upper : float, optional
        A plateau that is known, such as ``lower=0`` for rescue, where untreated diseased wells are
        0 by definition. Knowing one makes the EC50 of an incomplete curve far more certain.
    confidence : float
        Coverage of the EC50's interval, between 0 and 1.

    Returns
    -------
    DoseResponse
        Without a fit, and with a reason, where there are fewer than four doses, the responses do
        not change with the dose (F-test against a constant, 5 %), turn back as it rises (1 %), or
        the EC50 lies outside the positive doses or has an interval of more than 1,000-fold.

    Raises
    ------
    InvalidInputError
        If a value is not finite, a dose is negative, the lengths differ, or a setting is out of
        range.

    References
    ----------
    Ritz et al. 2015, doi:10.1371/journal.pone.0146021 (the R package drc).

    Examples
    --------
    >>> doses = [0.1, 0.3, 1, 3, 10, 30]
    >>> curve = fit_dose_response(doses, [0.01, 0.11, 0.48, 0.92, 0.98, 1.01])
    >>> round(curve.ec50.value, 2), curve.slope < 0
    (1.04, True)
    >>> print(fit_dose_response(doses, [0.1, 0.0, 0.2, 0.1, 0.0, 0.1]).reason)
    the responses do not change with the dose (F-test against a constant, p = 0.96)
    """
    dose, response = _checked(concentrations, responses, lower, upper, confidence)
    n_doses = np.unique(dose).size
    turning = turning_p_value(dose, response) if dose.size else math.nan
    reason = _too_little(dose, lower, upper)
    if reason:
        return _no_fit(reason, dose, turning)
    fit = fit_curve(dose, response, lower=lower, upper=upper)
    freedom = dose.size - fit.n_parameters
    margin = float(stats.t.ppf(0.5 + confidence / 2, freedom)) * fit.log_ec50_error
    reason = _why_absurd(fit, dose, response, lower, upper, turning, margin)
    if reason:
        return _no_fit(reason, dose, turning)
    middle = fit.log_ec50
    total = float(((response - response.mean()) ** 2).sum())
    return DoseResponse(
        Estimate(math.exp(middle), math.exp(middle - margin), math.exp(middle + margin), dose.size),
        slope=fit.slope,
        lower=fit.lower,
        upper=fit.upper,
        r_squared=1 - fit.residual_sum / total,
        residual_sd=math.sqrt(fit.residual_sum / freedom),
        lack_of_fit_p=_lack_of_fit(fit, dose, response),
        turning_p=turning,
        n_doses=n_doses,
        n_wells=dose.size,
    )


def _checked(
    concentrations: ArrayLike,
    responses: ArrayLike,
    lower: float | None,
    upper: float | None,
    confidence: float,
) -> tuple[_Floats, _Floats]:
    dose, response = as_values(concentrations, "concentrations"), as_values(responses, "responses")
    problems = []
    if dose.size != response.size:
        problems.append(
            f"`responses` must have a value for each of the {dose.size} wells; got "
            f"{response.size}: pass both from one table."
        )
    if np.any(dose < 0):
        problems.append(
            f"`concentrations` must be 0 or more; got {dose.min()}: pass doses, not logarithms."
        )
    if lower is not None and upper is not None and not lower < upper:
        problems.append(f"`lower` must be below `upper`; got {lower} and {upper}: exchange them.")
    if not 0 < confidence < 1:
        problems.append(
            f"`confidence` must lie between 0 and 1; got {confidence}: pass 0.95 for 95 %."
        )
    if problems:
        raise InvalidInputError(problems)
    return dose, response


def _too_little(dose: _Floats, lower: float | None, upper: float | None) -> str:
    n_doses, n_positive = np.unique(dose).size, np.unique(dose[dose > 0]).size
    if n_doses < MIN_DOSES or n_positive < MIN_DOSES - 1:
        return f"a curve needs {MIN_DOSES} doses or more, got {n_doses}"
    n_parameters = 2 + (lower is None) + (upper is None)
    if dose.size <= n_parameters:
        return f"{dose.size} wells cannot determine {n_parameters} parameters and their spread"
    return ""


def _why_absurd(
    fit: CurveFit,
    dose: _Floats,
    response: _Floats,
    lower: float | None,
    upper: float | None,
    turning: float,
    margin: float,
) -> str:
    known = [plateau for plateau in (lower, upper) if plateau is not None]
    constants = known if known else [float(response.mean())]
    flat = min(float(((response - constant) ** 2).sum()) for constant in constants)
    if np.ptp(response) == 0:
        return "all responses are the same"
    if turning < _TURNING_LEVEL:
        return f"the responses turn back as the dose rises (p = {turning:.1g})"
    steps = fit.n_parameters - (not known)
    freedom = dose.size - fit.n_parameters
    ratio = (flat - fit.residual_sum) / steps / max(fit.residual_sum / freedom, 1e-300)
    p_value = float(stats.f.sf(max(ratio, 0.0), steps, freedom))
    if p_value > _TREND_LEVEL:
        return (
            f"the responses do not change with the dose (F-test against a constant, "
            f"p = {p_value:.2g})"
        )
    positive = dose[dose > 0]
    if fit.log_ec50 > math.log(positive.max()):
        return f"the EC50 lies beyond the highest dose ({positive.max():g}): no plateau was reached"
    if fit.log_ec50 < math.log(positive.min()):
        return f"the EC50 lies below the lowest dose ({positive.min():g}): start lower"
    if not 2 * margin <= math.log(_MAX_INTERVAL_FOLD):
        return "the doses do not determine the EC50: its interval spans more than 1,000-fold"
    return ""


def _no_fit(reason: str, dose: _Floats, turning: float) -> DoseResponse:
    return DoseResponse(
        Estimate.undefined(reason, dose.size),
        turning_p=turning,
        n_doses=np.unique(dose).size,
        n_wells=dose.size,
        reason=reason,
    )


def _lack_of_fit(fit: CurveFit, dose: _Floats, response: _Floats) -> float:
    _, code = np.unique(dose, return_inverse=True)
    counts = np.bincount(code)
    means = np.bincount(code, response) / counts
    within = float(((response - means[code]) ** 2).sum())
    spare, freedom = counts.size - fit.n_parameters, dose.size - counts.size
    if spare < 1 or freedom < 1 or within == 0:
        return math.nan
    ratio = max(fit.residual_sum - within, 0.0) / spare / (within / freedom)
    return float(stats.f.sf(ratio, spare, freedom))
