"""Tests on well means, and their correction for multiplicity."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from counterstain.errors import InvalidInputError
from counterstain.statistics.inputs import as_values, warn_undefined
from counterstain.statistics.wells import paired_well_means, well_means

__all__ = [
    "benjamini_hochberg",
    "difference_p_value",
    "paired_change_p_value",
    "standardised_difference",
]


def difference_p_value(
    values_a: ArrayLike, wells_a: ArrayLike, values_b: ArrayLike, wells_b: ArrayLike
) -> float:
    """Return the two-sided p-value of a difference of well means (Welch's t).

    A t-test rather than a permutation of wells: with four wells a class no permutation could pass
    a correction for many features.

    Parameters
    ----------
    values_a, values_b : array-like of float, shape (n,) and (m,)
        A finite value per row of either group.
    wells_a, wells_b : array-like, shape (n,) and (m,)
        Well of each row.

    Returns
    -------
    float
        0 to 1; NaN with an `UndefinedStatisticWarning` for fewer than two wells a group, or where
        neither group has any spread.

    Raises
    ------
    InvalidInputError
        If a value is not finite or a row has no well.

    References
    ----------
    Welch 1947, doi:10.1093/biomet/34.1-2.28.

    Examples
    --------
    >>> wells = ["A01", "A02", "A03"]
    >>> round(difference_p_value([1, 2, 3], wells, [5, 6, 7], wells), 4)
    0.008
    """
    first, second = well_means(values_a, wells_a), well_means(values_b, wells_b)
    reason = _why_no_test(first, second)
    if reason:
        warn_undefined("p-value", reason)
        return float("nan")
    return float(stats.ttest_ind(first, second, equal_var=False).pvalue)


def paired_change_p_value(before: ArrayLike, after: ArrayLike, wells: ArrayLike) -> float:
    """Return the two-sided p-value of a change, from a t-test on the changes of wells.

    Parameters
    ----------
    before, after : array-like of float, shape (n,)
        A finite value per row, before and after.
    wells : array-like, shape (n,)
        Well of each row.

    Returns
    -------
    float
        0 to 1; NaN with an `UndefinedStatisticWarning` for fewer than two wells, or where all
        wells change alike.

    Raises
    ------
    InvalidInputError
        If a value is not finite, a row has no well, or the lengths differ.

    Examples
    --------
    >>> round(paired_change_p_value([1, 1, 2], [2, 2, 4], ["A01", "A02", "A03"]), 4)
    0.0572
    """
    change = paired_well_means(before, after, wells)[1]
    reason = _why_no_test(change)
    if reason:
        warn_undefined("p-value", reason)
        return float("nan")
    return float(stats.ttest_1samp(change, 0.0).pvalue)


def standardised_difference(
    values_a: ArrayLike, wells_a: ArrayLike, values_b: ArrayLike, wells_b: ArrayLike
) -> float:
    """Return Hedges' g of well means: b minus a in pooled SDs, corrected for few wells.

    Parameters
    ----------
    values_a, values_b : array-like of float, shape (n,) and (m,)
        A finite value per row of either group.
    wells_a, wells_b : array-like, shape (n,) and (m,)
        Well of each row.

    Returns
    -------
    float
        In SDs *between wells*, not between cells; NaN with an `UndefinedStatisticWarning` for
        fewer than two wells a group, or where neither group has any spread.

    Raises
    ------
    InvalidInputError
        If a value is not finite or a row has no well.

    References
    ----------
    Hedges 1981, doi:10.3102/10769986006002107.

    Examples
    --------
    >>> wells = ["A01", "A02", "A03"]
    >>> standardised_difference([1, 2, 3], wells, [5, 6, 7], wells)
    3.2
    """
    first, second = well_means(values_a, wells_a), well_means(values_b, wells_b)
    reason = _why_no_test(first, second)
    if reason:
        warn_undefined("standardised difference", reason)
        return float("nan")
    freedom = first.size + second.size - 2
    squares = first.var() * first.size + second.var() * second.size
    correction = 1 - 3 / (4 * freedom - 1)
    return float(correction * (second.mean() - first.mean()) / np.sqrt(squares / freedom))


def benjamini_hochberg(p_values: ArrayLike) -> NDArray[np.float64]:
    """Return q-values: reject q <= 0.05 to keep the expected share of false findings at 5 %.

    Parameters
    ----------
    p_values : array-like of float, shape (n,)
        0 to 1; NaN where no test could be made.

    Returns
    -------
    ndarray of float64, shape (n,)
        Each at least its p-value; NaN stays NaN and is no part of the family.

    Raises
    ------
    InvalidInputError
        If a p-value is not 1-D or lies outside 0 to 1.

    References
    ----------
    Benjamini & Hochberg 1995, doi:10.1111/j.2517-6161.1995.tb02031.x.

    Examples
    --------
    >>> benjamini_hochberg([0.01, 0.04, 0.03, 0.5]).round(4)
    array([0.04  , 0.0533, 0.0533, 0.5   ])
    """
    # statsmodels takes half a second to import: only where it is needed.
    from statsmodels.stats.multitest import multipletests

    array = np.asarray(p_values, dtype=np.float64)
    q_values = np.full(array.shape, np.nan)
    tested = ~np.isnan(array)
    known = as_values(array[tested] if array.ndim == 1 else array, "p_values")
    if np.any((known < 0) | (known > 1)):
        raise InvalidInputError(
            f"`p_values` must lie between 0 and 1; got {known.min():g} to {known.max():g}: "
            f"pass p-values, not statistics."
        )
    if known.size:
        q_values[tested] = multipletests(known, method="fdr_bh")[1]
    return q_values


def _why_no_test(*groups: NDArray[np.float64]) -> str:
    smallest = min(group.size for group in groups)
    if smallest < 2:
        return f"a group has {smallest} well(s), and spread between wells needs two or more"
    scale = max(float(np.abs(group).max()) for group in groups)
    if all(np.ptp(group) <= 16 * np.finfo(np.float64).eps * scale for group in groups):
        return "the wells show no spread"
    return ""
