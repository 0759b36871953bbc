"""How much of what the disease changed a treatment puts right, measurement by measurement."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from counterstain.errors import InvalidInputError
from counterstain.types import Estimate

__all__ = ["restored_shares"]

_FEWEST_WELLS = 2
_CLEAR = 0.99


def restored_shares(
    values: ArrayLike,
    plates: ArrayLike,
    diseased: ArrayLike,
    healthy: ArrayLike,
    treated: ArrayLike,
    *,
    seed: int,
    confidence: float = 0.95,
    n_resamples: int = 2000,
) -> list[Estimate]:
    """Return the share of the difference between diseased and healthy that treated wells have gone.

    0 where treated wells measure as diseased ones of their plate do, 1 where they measure as
    healthy ones do; more than 1 has gone too far. Undefined where diseased and healthy wells do not
    differ for certain: a share of nothing means nothing.

    Parameters
    ----------
    values : array-like of float, shape (W, F)
        Well means of F measurements.
    plates : array-like, shape (W,)
        Plate of each well.
    diseased, healthy, treated : array-like of bool, shape (W,)
        Wells of each group.
    seed : int
        Seed of the resamples.
    confidence : float
        Coverage of the intervals, between 0 and 1.
    n_resamples : int
        Bootstrap resamples of wells within each group.

    Returns
    -------
    list of Estimate, length F
        Percentile intervals; `n_wells` counts the treated wells.

    Raises
    ------
    InvalidInputError
        If lengths differ.

    References
    ----------
    Percentile bootstrap: Efron & Tibshirani 1993, doi:10.1201/9780429246593.

    Examples
    --------
    >>> values = np.array([[1.0], [1.2], [3.0], [3.2], [2.0], [2.2]])
    >>> groups = [np.array(list("ddhhtt")) == letter for letter in "dht"]
    >>> share, = restored_shares(values, ["P1"] * 6, *groups, seed=0)
    >>> round(share.value, 2), share.n_wells
    (0.5, 2)
    """
    table = np.asarray(values, np.float64)
    names = np.asarray(plates).astype(str)
    groups = [np.asarray(group, bool) for group in (diseased, healthy, treated)]
    if table.ndim != 2 or any(len(one) != len(table) for one in (names, *groups)):
        raise InvalidInputError(
            f"`values` must be (wells, measurements), and the others a row a well; got "
            f"{table.shape} and lengths {[len(one) for one in (names, *groups)]}: pass one table."
        )
    centred = _beside_diseased(table, names, groups[0])
    rng = np.random.default_rng(seed)
    return [
        _share(centred[:, k], groups, rng, confidence, n_resamples) for k in range(table.shape[1])
    ]


def _beside_diseased(
    values: NDArray[np.float64], plates: NDArray[np.str_], diseased: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return values less the mean of the diseased wells of the same plate; NaN without any."""
    out = np.full_like(values, np.nan)
    for plate in np.unique(plates):
        own = plates == plate
        controls = values[own & diseased]
        known = np.isfinite(controls)
        n_known = known.sum(axis=0)
        means = np.full(values.shape[1], np.nan)
        sums = np.where(known, controls, 0).sum(axis=0)
        np.divide(sums, n_known, out=means, where=n_known > 0)
        out[own] = values[own] - means
    return out


def _share(
    values: NDArray[np.float64],
    groups: Sequence[NDArray[np.bool_]],
    rng: np.random.Generator,
    confidence: float,
    n_resamples: int,
) -> Estimate:
    wells = [values[group & np.isfinite(values)] for group in groups]
    n_treated = len(wells[2])
    if min(len(one) for one in wells) < _FEWEST_WELLS:
        return Estimate.undefined("fewer than two wells of a group", n_treated)
    means = [one[rng.integers(len(one), size=(n_resamples, len(one)))].mean(1) for one in wells]
    way = means[1] - means[0]
    low, high = np.quantile(way, [(1 - _CLEAR) / 2, (1 + _CLEAR) / 2])
    if low <= 0 <= high:
        return Estimate.undefined("diseased and healthy wells do not differ for certain", n_treated)
    base = float(wells[0].mean())
    value = (float(wells[2].mean()) - base) / (float(wells[1].mean()) - base)
    ends = np.quantile((means[2] - means[0]) / way, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Estimate(value, float(ends[0]), float(ends[1]), n_treated)
