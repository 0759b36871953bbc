"""Whether responses turn back as the dose rises."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from scipy.optimize import isotonic_regression

from counterstain.errors import InvalidInputError
from counterstain.statistics.inputs import as_values

__all__ = ["turning_p_value"]


def turning_p_value(doses: ArrayLike, responses: ArrayLike) -> float:
    """Return the p-value of "the mean response is monotone in the dose", in either direction.

    Parameters
    ----------
    doses, responses : array-like of float, shape (W,)
        Dose and response of each well; wells of the same dose are replicates.

    Returns
    -------
    float
        Small where means turn back by more than the replicates' spread explains; 1 where they do
        not turn back at all; NaN where no dose is replicated, so that spread is unknown.

    Raises
    ------
    InvalidInputError
        If a value is not finite or the lengths differ.

    Notes
    -----
    The distance from the dose means to their isotonic fit, over the spread of replicates. Given the
    number of means that the fit pools it is F distributed on the border of the hypothesis (all
    means alike), hence conservative elsewhere.

    References
    ----------
    Robertson, Wright & Dykstra 1988, Order Restricted Statistical Inference (chi-bar-square).

    Examples
    --------
    >>> turning_p_value([1, 1, 2, 2, 3, 3], [0.0, 0.2, 0.5, 0.7, 1.1, 0.9])
    1.0
    >>> turning_p_value([1, 1, 2, 2, 3, 3], [0.0, 0.2, 1.1, 0.9, 0.0, 0.1]) < 0.01
    True
    """
    dose, response = as_values(doses, "doses"), as_values(responses, "responses")
    if dose.size != response.size:
        raise InvalidInputError(
            f"`responses` must have a value for each of the {dose.size} wells; got "
            f"{response.size}: pass both from one table."
        )
    _, code = np.unique(dose, return_inverse=True)
    counts = np.bincount(code)
    means = np.bincount(code, response) / counts
    freedom = dose.size - counts.size
    within = float(((response - means[code]) ** 2).sum())
    found = [_distance(means, counts, increasing=direction) for direction in (True, False)]
    distance, pooled = min(found)
    if pooled == 0:
        return 1.0
    if freedom < 1:
        return float("nan")
    if within == 0:
        return 0.0
    return float(stats.f.sf(distance / pooled / (within / freedom), pooled, freedom))


def _distance(
    means: NDArray[np.float64], counts: NDArray[np.int64], *, increasing: bool
) -> tuple[float, int]:
    """Return the weighted squared distance to the isotonic fit, and the means it pools."""
    fit = isotonic_regression(means, weights=counts.astype(np.float64), increasing=increasing)
    return float((counts * (means - fit.x) ** 2).sum()), means.size - (fit.blocks.size - 1)
