"""Permutation test of many small groups of wells against one large group of controls.

For each group, its wells and the controls are shuffled together: how often do as many wells drawn
from all of them have a mean as high as the group's? Most draws hold controls only, and are shared
by all groups of one size; the rest are redrawn with the group's own wells.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from counterstain.errors import InvalidInputError
from counterstain.statistics.inputs import as_values

__all__ = ["draw_different", "group_p_values", "share_above"]

_Floats = NDArray[np.float64]
_BLOCK = 4_000_000
_FEW = 16
"""Numbers a draw up to which all draws are made at once; the work grows with the square."""


def group_p_values(
    groups: ArrayLike, controls: ArrayLike, *, seed: int, n_permutations: int = 9999
) -> _Floats:
    """Return one-sided p-values that each group's mean is no higher than the controls'.

    Parameters
    ----------
    groups : array-like of float, shape (T, n)
        Values of the n wells of each of T groups of one size.
    controls : array-like of float, shape (M,)
        Values of control wells; each as if its own plate had been normalised without it, else
        controls lie closer together than treated wells can.
    seed : int
        Seed of the permutations.
    n_permutations : int
        Permutations B; no p-value is below 1 / (B + 1).

    Returns
    -------
    ndarray of float64, shape (T,)
        (1 + permutations with a mean at least as high) / (B + 1); ties count against the group.

    Raises
    ------
    InvalidInputError
        If a value is not finite, there is no control, or B is below 99.

    References
    ----------
    Phipson & Smyth 2010, doi:10.2202/1544-6115.1585 (why one is added).

    Examples
    --------
    >>> controls = np.linspace(-1, 1, 40)
    >>> group_p_values([[2.0, 2.0, 2.0], [0.0, 0.1, -0.1]], controls, seed=0).round(3)
    array([0.   , 0.503])
    """
    values = np.asarray(groups, dtype=np.float64)
    known = as_values(controls, "controls")
    if values.ndim != 2 or values.shape[1] < 1 or not np.isfinite(values).all():
        raise InvalidInputError(
            f"`groups` must be finite and (groups, wells), all groups of one size; got shape "
            f"{values.shape}: pass groups of each size by themselves."
        )
    if known.size == 0 or n_permutations < 99:
        raise InvalidInputError(
            f"`controls` must hold wells, and `n_permutations` be 99 or more; got {known.size} "
            f"wells and {n_permutations}: 9999 is the usual number."
        )
    n = values.shape[1]
    rng = np.random.default_rng(seed)
    # How many of the n wells that a permutation draws come from the group itself.
    own = rng.hypergeometric(n, known.size, n, n_permutations) if n else np.zeros(0, np.int64)
    observed = values.sum(axis=1)
    slack = 1e-12 * max(float(np.abs(values).max(initial=0)), float(np.abs(known).max()))
    counts = np.zeros(len(values), np.int64)
    for k in range(n + 1):
        draws = int(np.count_nonzero(own == k))
        if draws:
            outside = _sums_without_replacement(known, n - k, draws, rng)
            counts += _count_at_least(values, k, outside, observed - slack, rng)
    return (1 + counts) / (n_permutations + 1)


def share_above(observed: ArrayLike, null: ArrayLike) -> _Floats:
    """Return (1 + values of the null at least as high) / (1 + all), for each observed value.

    Parameters
    ----------
    observed : array-like of float, shape (T,)
    null : array-like of float, shape (B,)

    Returns
    -------
    ndarray of float64, shape (T,)

    Examples
    --------
    >>> share_above([0.5, 9.0], [0, 1, 2])
    array([0.75, 0.25])
    """
    ordered = np.sort(as_values(null, "null"))
    at_least = ordered.size - np.searchsorted(ordered, as_values(observed, "observed"), "left")
    return np.asarray((1 + at_least) / (1 + ordered.size), dtype=np.float64)


def draw_different(
    total: int, size: int, draws: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Draw different numbers below `total`, every set of them as likely as any other.

    Parameters
    ----------
    total, size : int
        Numbers to draw from, and numbers a draw; `size` at most `total`.
    draws : int
        Independent draws.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray of int64, shape (draws, size)

    Examples
    --------
    >>> np.sort(draw_different(3, 3, 2, np.random.default_rng(0)), axis=1).tolist()
    [[0, 1, 2], [0, 1, 2]]
    """
    if size > _FEW:
        many = [rng.choice(total, size, replace=False, shuffle=False) for _ in range(draws)]
        return np.array(many, dtype=np.int64)
    picks = rng.integers(0, total - np.arange(size), (draws, size))
    for j in range(1, size):
        # The j-th pick counts among those not yet taken: step over each that is.
        taken = np.sort(picks[:, :j], axis=1)
        for i in range(j):
            picks[:, j] += picks[:, j] >= taken[:, i]
    return np.asarray(picks, dtype=np.int64)


def _sums_without_replacement(
    values: _Floats, size: int, draws: int, rng: np.random.Generator
) -> _Floats:
    if size == 0:
        return np.zeros(draws)
    # Fewer controls than the group has wells: the whole of them is the only draw there is.
    picks = draw_different(values.size, min(size, values.size), draws, rng)
    return np.asarray(values[picks].sum(axis=1))


def _count_at_least(
    groups: _Floats, k: int, outside: _Floats, threshold: _Floats, rng: np.random.Generator
) -> NDArray[np.int64]:
    if k == 0:
        ordered = np.sort(outside)
        return np.asarray(ordered.size - np.searchsorted(ordered, threshold, "left"))
    n = groups.shape[1]
    members = np.argsort(rng.random((outside.size, n)), axis=1)[:, :k]
    chosen = np.zeros((outside.size, n))
    np.put_along_axis(chosen, members, 1.0, axis=1)
    counts = np.empty(len(groups), np.int64)
    block = max(1, _BLOCK // outside.size)
    for start in range(0, len(groups), block):
        part = slice(start, start + block)
        sums = groups[part] @ chosen.T + outside
        counts[part] = (sums >= threshold[part, None]).sum(axis=1)
    return counts
