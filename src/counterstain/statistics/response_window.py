"""The V-factor: Z' over all replicated wells of a plate, not over its two controls only.

Z' knows the spread of the two extremes; wells in between often spread more.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from counterstain.statistics.inputs import as_values, as_well_codes, warn_undefined

__all__ = ["v_factor"]


def v_factor(values: ArrayLike, groups: ArrayLike) -> float:
    """Return the V-factor, 1 - 6 times the mean SD of replicates over the range of their means.

    Parameters
    ----------
    values : array-like of float, shape (W,)
        A finite value per well.
    groups : array-like, shape (W,)
        What each well got, such as a control's name or compound and dose. Groups of one well have
        no spread and take no part.

    Returns
    -------
    float
        At most 1, and Z' itself where there are two groups; NaN with an
        `UndefinedStatisticWarning` for fewer than two groups of two wells, or equal means.

    Raises
    ------
    InvalidInputError
        If a value is not finite, or the lengths differ.

    References
    ----------
    Ravkin 2004, Quality measures for imaging-based cellular assays, Society for Biomolecular
    Screening, poster 12024 (no DOI); with sample SDs (ddof 1), as our Z'.

    Examples
    --------
    >>> values = [1, 1.2, 0.8, 1.1, 0.9, 5, 5.5, 4.5, 5.2, 4.8]
    >>> round(v_factor(values, ["neg"] * 5 + ["pos"] * 5), 6)
    0.595823
    """
    array = as_values(values, "values")
    codes, n_groups = as_well_codes(groups, "groups", array.size)
    counts = np.bincount(codes, minlength=n_groups)
    means = np.bincount(codes, array, n_groups) / np.maximum(counts, 1)
    squares = np.bincount(codes, (array - means[codes]) ** 2, n_groups)
    replicated = counts >= 2
    reason = ""
    if np.count_nonzero(replicated) < 2:
        reason = f"{np.count_nonzero(replicated)} group(s) of two wells or more, it needs two"
    else:
        window = float(np.ptp(means[replicated]))
        if window <= 16 * np.finfo(np.float64).eps * float(np.abs(array).max()):
            reason = "the means of all groups are the same"
    if reason:
        warn_undefined("V-factor", reason)
        return float("nan")
    deviations = np.sqrt(squares[replicated] / (counts[replicated] - 1))
    return float(1 - 6 * deviations.mean() / window)
