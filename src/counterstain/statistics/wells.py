"""From rows to wells."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from counterstain.errors import InvalidInputError
from counterstain.statistics.inputs import as_values, as_well_codes

__all__ = ["paired_well_means", "well_classes", "well_means"]


def well_means(values: ArrayLike, wells: ArrayLike) -> NDArray[np.float64]:
    """Average rows within wells.

    Parameters
    ----------
    values : array-like of float, shape (n,)
        A finite value per row.
    wells : array-like, shape (n,)
        Well of each row.

    Returns
    -------
    ndarray of float64, shape (W,)
        Mean of each well, wells in sorted order.

    Raises
    ------
    InvalidInputError
        If a value is not finite or a row has no well.

    Examples
    --------
    >>> well_means([1, 3, 5], ["A01", "A01", "A02"])
    array([2., 5.])
    """
    array = as_values(values, "values")
    codes, n_wells = as_well_codes(wells, "wells", array.size)
    return np.bincount(codes, array, n_wells) / np.bincount(codes, minlength=n_wells)


def paired_well_means(
    before: ArrayLike, after: ArrayLike, wells: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Average rows before, and their changes, within wells.

    Parameters
    ----------
    before, after : array-like of float, shape (n,)
        A finite value per row, before and after.
    wells : array-like, shape (n,)
        Well of each row.

    Returns
    -------
    before, change : ndarray of float64, shape (W,)
        Wells in sorted order.

    Raises
    ------
    InvalidInputError
        If a value is not finite, a row has no well, or the lengths differ.

    Examples
    --------
    >>> paired_well_means([1, 1, 2], [2, 4, 3], ["A01", "A01", "A02"])
    (array([1., 2.]), array([2., 1.]))
    """
    first, second = as_values(before, "before"), as_values(after, "after")
    if first.size != second.size:
        raise InvalidInputError(
            f"`after` must have a value for each of the {first.size} rows of `before`; got "
            f"{second.size}: pass pairs."
        )
    return well_means(first, wells), well_means(second - first, wells)


def well_classes(
    class_index: NDArray[np.int64],
    codes: NDArray[np.intp],
    n_wells: int,
    wells: ArrayLike,
) -> NDArray[np.int64]:
    """Return the class of each well; a well whose rows are of two classes is an error.

    Parameters
    ----------
    class_index : ndarray of int, shape (n,)
        Class of each row.
    codes : ndarray of int, shape (n,)
        Well number of each row.
    n_wells : int
        Number of wells W.
    wells : array-like, shape (n,)
        Identifiers, for the message.

    Returns
    -------
    ndarray of int64, shape (W,)

    Raises
    ------
    InvalidInputError
        If a well holds two classes.

    Examples
    --------
    >>> well_classes(np.array([1, 1, 0]), np.array([0, 0, 1]), 2, ["A01", "A01", "A02"])
    array([1, 0])
    """
    of_well = np.zeros(n_wells, dtype=np.int64)
    of_well[codes] = class_index
    mixed = np.flatnonzero(of_well[codes] != class_index)
    if mixed.size:
        well = np.asarray(wells).tolist()[mixed[0]]
        raise InvalidInputError(
            f"`wells` must be of one class each; got two classes in well {well!r}: "
            f"with several plates, name plate and well together."
        )
    return of_well
