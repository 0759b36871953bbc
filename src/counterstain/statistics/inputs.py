"""What every statistic asks of its input, checked in one place."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from counterstain.errors import InvalidInputError, UndefinedStatisticWarning

__all__ = ["as_class_index", "as_values", "as_well_codes", "undefined_noted", "warn_undefined"]

_NOTED: ContextVar[bool] = ContextVar("_NOTED", default=False)


def as_values(values: ArrayLike, argument: str) -> NDArray[np.float64]:
    """Return finite 1-D floats.

    Parameters
    ----------
    values : array-like of float, shape (n,)
        Numbers; may be empty.
    argument : str
        Name for the message.

    Returns
    -------
    ndarray of float64, shape (n,)

    Raises
    ------
    InvalidInputError
        If the values are no numbers, not 1-D, or not all finite.

    Examples
    --------
    >>> as_values([1, 2], "negative")
    array([1., 2.])
    """
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise InvalidInputError(
            f"`{argument}` must hold numbers; got values that are none: convert or leave them out."
        ) from None
    if array.ndim != 1:
        raise InvalidInputError(
            f"`{argument}` must be 1-D, a value per row; got shape {array.shape}: "
            f"select one column or pass `.ravel()`."
        )
    bad = np.flatnonzero(~np.isfinite(array))
    if bad.size:
        raise InvalidInputError(
            f"`{argument}` must be finite; got {array[bad[0]]} at position {bad[0]} "
            f"({bad.size} of {array.size} values are not finite): leave these rows out by name, "
            f"so that the loss is counted."
        )
    return array


def as_well_codes(wells: ArrayLike, argument: str, n_rows: int) -> tuple[NDArray[np.intp], int]:
    """Return the number of each row's well, in sorted order: the order of rows changes no result.

    Parameters
    ----------
    wells : array-like, shape (n,)
        Well of each row: any sortable identifiers. Several plates: plate and well together.
    argument : str
        Name for the message.
    n_rows : int
        Rows expected.

    Returns
    -------
    codes : ndarray of int, shape (n,)
        Number of the well of each row, 0 to n_wells - 1.
    n_wells : int

    Raises
    ------
    InvalidInputError
        If a row has no well, or the number of rows differs.

    Examples
    --------
    >>> as_well_codes(["B01", "A01", "B01"], "wells", 3)
    (array([1, 0, 1]), 2)
    """
    array = np.asarray(wells)
    if array.ndim != 1 or array.size != n_rows:
        raise InvalidInputError(
            f"`{argument}` must name the well of each of the {n_rows} rows; got shape "
            f"{array.shape}: pass one identifier a row."
        )
    codes, names = pd.factorize(array, sort=True)
    missing = np.flatnonzero(codes < 0)
    if missing.size:
        raise InvalidInputError(
            f"`{argument}` must name a well for every row; got none at position {missing[0]}: "
            f"leave the row out or name its well."
        )
    return codes, len(names)


def as_class_index(
    labels: ArrayLike, class_names: Sequence[str], argument: str
) -> NDArray[np.int64]:
    """Return class indices for labels that are class names or indices already.

    Parameters
    ----------
    labels : array-like of str or int, shape (n,)
        Class names, or indices into `class_names`.
    class_names : sequence of str
        The K classes in order.
    argument : str
        Name for the message.

    Returns
    -------
    ndarray of int64, shape (n,)

    Raises
    ------
    InvalidInputError
        If a label is no class, or classes repeat or are fewer than two.

    Examples
    --------
    >>> as_class_index(["healthy", "diseased"], ("diseased", "healthy"), "true")
    array([1, 0])
    """
    names = [str(name) for name in class_names]
    if len(names) < 2 or len(set(names)) != len(names):
        raise InvalidInputError(
            f"`class_names` must be two or more different names; got {names}: name each class once."
        )
    array = np.asarray(labels)
    if array.ndim != 1:
        raise InvalidInputError(
            f"`{argument}` must be 1-D, a class per row; got shape {array.shape}: pass one column."
        )
    if array.dtype.kind in "iu":
        index = array.astype(np.int64)
        wrong = np.flatnonzero((index < 0) | (index >= len(names)))
    else:
        index = np.asarray(pd.Index(names).get_indexer(pd.Index(array)), dtype=np.int64)
        wrong = np.flatnonzero(index < 0)
    if wrong.size:
        raise InvalidInputError(
            f"`{argument}` must hold the classes {names} or their indices; got "
            f"{array.tolist()[wrong[0]]!r} at position {wrong[0]}: leave rows of no class out."
        )
    return index


def warn_undefined(statistic: str, reason: str) -> None:
    """Warn that a statistic is NaN, and say why; not where the caller notes the reason itself."""
    if _NOTED.get():
        return
    warnings.warn(f"{statistic} is undefined: {reason}", UndefinedStatisticWarning, stacklevel=3)


@contextmanager
def undefined_noted() -> Iterator[None]:
    """Let undefined statistics pass without a warning, where their reasons are noted otherwise.

    Unlike filters of warnings it holds for the calling thread only, so that fields can be worked on
    side by side.

    Examples
    --------
    >>> with undefined_noted():
    ...     warn_undefined("the mean", "there is no value")
    """
    before = _NOTED.set(True)
    try:
        yield
    finally:
        _NOTED.reset(before)
