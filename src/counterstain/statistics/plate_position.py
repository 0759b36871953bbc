"""Effects of a plate's rows and columns: Tukey's median polish, and the B-score made of it.

Both believe that most wells of every row and column are inactive. A plate whose rows or columns
hold one compound at rising doses, or controls only, breaks that: fit the position on the controls
instead (:func:`counterstain.ranking.rank_treatments` does by default).

Sources: Tukey 1977, Exploratory Data Analysis; Brideau et al. 2003, doi:10.1177/1087057103258285.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from counterstain.errors import InvalidInputError
from counterstain.statistics.inputs import as_values, warn_undefined

__all__ = ["MedianPolish", "b_score", "median_polish"]

_Floats = NDArray[np.float64]
_MAD_TO_SD = 1.4826


@dataclass(frozen=True, slots=True)
class MedianPolish:
    """A table split into an overall value, row effects, column effects and what is left.

    Parameters
    ----------
    overall : float
        Common value.
    rows, columns : ndarray of float, shape (R,) and (C,)
        Effects; NaN for a row or column without any value.
    residuals : ndarray of float, shape (R, C)
        What is left; NaN where the table has no value.
    converged : bool
        Whether the residuals had settled when the rounds ended.
    """

    overall: float
    rows: _Floats
    columns: _Floats
    residuals: _Floats
    converged: bool


def median_polish(
    table: ArrayLike, *, max_rounds: int = 50, tolerance: float = 0.01
) -> MedianPolish:
    """Split a table into rows and columns by medians, so that single odd wells move nothing.

    Parameters
    ----------
    table : array-like of float, shape (R, C)
        Values of a plate; NaN for empty wells.
    max_rounds : int
        Rounds of row and column sweeps at most.
    tolerance : float
        Relative change of the summed absolute residuals below which the sweeps end (R's ``eps``).

    Returns
    -------
    MedianPolish
        As R's ``medpolish``: rows are swept first.

    Raises
    ------
    InvalidInputError
        If the table is not 2-D, has no value, or holds infinite ones.

    References
    ----------
    Tukey 1977, Exploratory Data Analysis.

    Examples
    --------
    >>> polished = median_polish([[14, 15, 14], [7, 4, 7], [8, 2, 10], [15, 9, 10], [0, 2, 0]])
    >>> polished.overall, polished.rows.tolist(), polished.columns.tolist()
    (8.0, [6.0, -1.0, 0.0, 2.0, -8.0], [0.0, -1.0, 0.0])
    """
    left = np.array(table, dtype=np.float64)
    if left.ndim != 2 or not np.isfinite(left).any() or np.isinf(left).any():
        raise InvalidInputError(
            f"`table` must be (rows, columns) with finite values, NaN for empty wells; got shape "
            f"{left.shape}: lay the wells of one plate out first."
        )
    rows, columns = np.zeros(left.shape[0]), np.zeros(left.shape[1])
    overall, before = 0.0, 0.0
    converged = False
    for _ in range(max_rounds):
        change = _medians(left, 1)
        left -= change[:, None]
        rows += change
        shift = float(np.nanmedian(columns))
        columns, overall = columns - shift, overall + shift
        change = _medians(left, 0)
        left -= change[None, :]
        columns += change
        shift = float(np.nanmedian(rows))
        rows, overall = rows - shift, overall + shift
        now = float(np.nansum(np.abs(left)))
        converged = now == 0 or abs(now - before) < tolerance * now
        before = now
        if converged:
            break
    return MedianPolish(overall, rows, columns, left, converged)


def b_score(values: ArrayLike, rows: ArrayLike, columns: ArrayLike) -> _Floats:
    """Return the B-score: residuals of a plate's median polish over their scaled MAD.

    Parameters
    ----------
    values : array-like of float, shape (W,)
        A finite value per well of **one** plate.
    rows, columns : array-like of int, shape (W,)
        Place of each well, 0 or more.

    Returns
    -------
    ndarray of float64, shape (W,)
        In robust SDs; NaN with an `UndefinedStatisticWarning` where at least half of the residuals
        are the same and no spread is left.

    Raises
    ------
    InvalidInputError
        If lengths differ, a value is not finite, or two wells lie at one place.

    References
    ----------
    Brideau et al. 2003, doi:10.1177/1087057103258285.

    Examples
    --------
    >>> rows, columns = np.divmod(np.arange(12), 4)
    >>> values = 3.0 * rows + columns + np.resize([0.1, -0.1, 0.0, 0.2, -0.3], 12)
    >>> values[5] += 9
    >>> int(np.argmax(b_score(values, rows, columns)))
    5
    """
    array = as_values(values, "values")
    row = _as_places(rows, "rows", array.size)
    column = _as_places(columns, "columns", array.size)
    if array.size == 0:
        return array
    table = np.full((row.max() + 1, column.max() + 1), np.nan)
    table[row, column] = array
    if np.count_nonzero(np.isfinite(table)) < array.size:
        raise InvalidInputError(
            "`rows` and `columns` must name each place once; got two wells at one place: pass one "
            "plate at a time."
        )
    residuals = np.asarray(median_polish(table).residuals[row, column])
    spread = _MAD_TO_SD * float(np.median(np.abs(residuals - np.median(residuals))))
    if spread <= 16 * np.finfo(np.float64).eps * float(np.abs(array).max()):
        warn_undefined("B-score", "half of the residuals of the median polish are the same")
        return np.full(array.size, np.nan)
    return residuals / spread


def _medians(table: _Floats, axis: int) -> _Floats:
    with warnings.catch_warnings():
        # A row of a plate may be empty: its effect is unknown, and numpy warns of each.
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.asarray(np.nanmedian(table, axis=axis))


def _as_places(places: ArrayLike, argument: str, n_wells: int) -> NDArray[np.int64]:
    array = np.asarray(places)
    if array.shape != (n_wells,) or array.dtype.kind not in "iu" or np.any(array < 0):
        raise InvalidInputError(
            f"`{argument}` must hold a whole number, 0 or more, for each of the {n_wells} wells; "
            f"got shape {array.shape} of {array.dtype}: count from 0."
        )
    return array.astype(np.int64)
