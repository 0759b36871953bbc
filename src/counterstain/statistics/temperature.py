"""A number that makes a network's probabilities honest: the temperature that divides its logits.

A network trained until its training crops are right is too sure of new ones. Dividing logits by a
temperature changes no call, only how sure it is (Guo et al. 2017, doi:10.48550/arXiv.1706.04599).
It is fitted on crops of wells the network did not see, by their likelihood. Crops of one well err
together, so a well counts as one observation however many crops it has, and a weak prior around 1
(one natural logarithm wide) keeps few wells, or classes that are told apart without an error, from
claiming certainty.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from counterstain.errors import InvalidInputError
from counterstain.statistics.inputs import as_well_codes

__all__ = ["Temperature", "cross_fitted_temperatures", "fit_temperature"]

_Floats = NDArray[np.float64]
_LIMIT = math.log(20.0)
_PRIOR_WIDTH = 1.0


@dataclass(frozen=True, slots=True)
class Temperature:
    """A temperature and what it was fitted to.

    Parameters
    ----------
    value : float
        Logits are divided by it; above 1 the network was too sure.
    n_crops, n_wells : int
        What it was fitted to.
    log_loss_before, log_loss_after : float
        Mean of minus the log-probability of the true class over these crops, nats.
    """

    value: float
    n_crops: int
    n_wells: int
    log_loss_before: float
    log_loss_after: float

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping."""
        return asdict(self)


def fit_temperature(logits: ArrayLike, true: ArrayLike, wells: ArrayLike) -> Temperature:
    """Fit the temperature of logits of crops that the network was not trained on.

    Parameters
    ----------
    logits : array-like of float, shape (n, K)
        A row a crop.
    true : array-like of int, shape (n,)
        True class index of each crop.
    wells : array-like, shape (n,)
        Well of each crop, or whatever was held out as a whole.

    Returns
    -------
    Temperature
        Between 1/20 and 20; the most probable one given the crops and the prior.

    Raises
    ------
    InvalidInputError
        If logits are not finite, lengths differ, a class has no column, or there is no crop.

    References
    ----------
    Guo et al. 2017, doi:10.48550/arXiv.1706.04599.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> logits = rng.normal(0, 2, (4000, 3))
    >>> chances = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    >>> true = [rng.choice(3, p=row) for row in chances]
    >>> round(fit_temperature(3 * logits, true, np.arange(4000)).value, 1)
    3.0
    """
    rows, index = _checked(logits, true)
    codes, n_wells = as_well_codes(wells, "wells", index.size)

    def loss(log_value: float) -> float:
        return _log_loss(rows, index, log_value)

    def objective(log_value: float) -> float:
        return n_wells * loss(log_value) + 0.5 * (log_value / _PRIOR_WIDTH) ** 2

    found = minimize_scalar(objective, bounds=(-_LIMIT, _LIMIT), method="bounded")
    best = float(found.x)
    return Temperature(math.exp(best), len(codes), n_wells, loss(0.0), loss(best))


def cross_fitted_temperatures(
    logits: ArrayLike, true: ArrayLike, wells: ArrayLike, folds: ArrayLike
) -> dict[int, Temperature]:
    """Fit the temperature of each fold on the held-out crops of all other folds.

    Each crop's logits come from the network that did not see its well. The temperature of a fold's
    network is fitted without the crops that this network will be judged on, so probabilities of
    held-out crops stay honest and no well has to be given up for calibration.

    Parameters
    ----------
    logits, true, wells
        As for `fit_temperature`: out-of-fold logits of crops of wells in a class.
    folds : array-like of int, shape (n,)
        Fold that held each crop out.

    Returns
    -------
    dict of int to Temperature
        An entry a fold.

    Raises
    ------
    InvalidInputError
        If the input is not that of `fit_temperature`, or there is only one fold.

    Examples
    --------
    >>> found = cross_fitted_temperatures(
    ...     [[2.0, 0.0], [0.0, 2.0], [1.0, 0.0], [0.0, 1.0]], [0, 1, 1, 1], list("wxyz"),
    ...     [0, 0, 1, 1])
    >>> sorted(found), found[0].n_crops, found[0].value > found[1].value
    ([0, 1], 2, True)
    """
    rows, index = _checked(logits, true)
    fold, names = np.asarray(folds, np.int64), np.asarray(wells)
    if fold.shape != index.shape or np.unique(fold).size < 2:
        raise InvalidInputError(
            f"`folds` must name the fold of each of the {index.size} crops, of two folds or more; "
            f"got shape {fold.shape} and {np.unique(fold).size} fold(s): pass out-of-fold logits."
        )
    return {
        int(number): fit_temperature(
            rows[fold != number], index[fold != number], names[fold != number]
        )
        for number in np.unique(fold)
    }


def _log_loss(logits: _Floats, index: NDArray[np.int64], log_value: float) -> float:
    scaled = log_softmax(logits * math.exp(-log_value), axis=1)
    return float(-scaled[np.arange(index.size), index].mean())


def _checked(logits: ArrayLike, true: ArrayLike) -> tuple[_Floats, NDArray[np.int64]]:
    rows, index = np.asarray(logits, np.float64), np.asarray(true, np.int64)
    if rows.ndim != 2 or rows.shape[1] < 2 or index.shape != rows.shape[:1] or not index.size:
        raise InvalidInputError(
            f"`logits` must be (n, K), K two or more, with a class in `true` for each of one row "
            f"or more; got {rows.shape} and {index.shape}: pass both from one table."
        )
    if not np.isfinite(rows).all():
        raise InvalidInputError(
            "`logits` must be finite; got some that are not: the network's weights are damaged, "
            "or its training diverged."
        )
    if index.min() < 0 or index.max() >= rows.shape[1]:
        raise InvalidInputError(
            f"`true` must lie between 0 and {rows.shape[1] - 1}, a column of `logits`; got "
            f"{index.min()} to {index.max()}: leave out crops of wells in no class."
        )
    return rows, index
