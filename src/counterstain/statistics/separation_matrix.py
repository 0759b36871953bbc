"""How far each class lies from each other one: Z' for every pair, by well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from counterstain.errors import InvalidInputError
from counterstain.statistics.inputs import as_class_index
from counterstain.statistics.separation import measure_separation
from counterstain.types import Estimate

__all__ = ["SeparationMatrix", "z_prime_matrix"]

_FEWEST = 2


@dataclass(frozen=True, slots=True, eq=False)
class SeparationMatrix:
    """Z' of every pair of classes.

    Parameters
    ----------
    class_names : tuple of str
        The K classes in order.
    estimates : tuple of tuple of Estimate
        K rows of K: entry (i, j) is Z' between the wells of classes i and j; the matrix is
        symmetric. Undefined, with its reason, on the diagonal and where a class has too few wells.
    """

    class_names: tuple[str, ...]
    estimates: tuple[tuple[Estimate, ...], ...]

    @property
    def values(self) -> NDArray[np.float64]:
        """Z' as a (K, K) array; NaN where undefined."""
        return np.array([[cell.value for cell in row] for row in self.estimates])

    def against(self, control: str) -> dict[str, Estimate]:
        """Return Z' of every other class against a control.

        Raises
        ------
        InvalidInputError
            If the control is no class.
        """
        if control not in self.class_names:
            raise InvalidInputError(
                f"`control` must be one of {list(self.class_names)}; got {control!r}: name a class."
            )
        row = self.estimates[self.class_names.index(control)]
        return {n: e for n, e in zip(self.class_names, row, strict=True) if n != control}

    def to_json(self) -> list[list[dict[str, Any]]]:
        """Return JSON-ready rows."""
        return [[cell.to_json() for cell in row] for row in self.estimates]


def z_prime_matrix(
    log_probabilities: ArrayLike,
    classes: ArrayLike,
    class_names: Sequence[str],
    *,
    seed: int,
    n_resamples: int = 2000,
    confidence: float = 0.95,
) -> SeparationMatrix:
    """Measure Z' between every two classes on the log-odds of one against the other.

    The row of a control is the one-against-control table of an assay with many classes.

    Parameters
    ----------
    log_probabilities : array-like of float, shape (W, K)
        Mean log-probability (or logit) of each class over the crops of each well, from networks
        that never saw the well. Only differences between columns count.
    classes : array-like of str or int, shape (W,)
        Class of each well, by name or index.
    class_names : sequence of str
        The K classes in order.
    seed : int
        Seed of the resamples.
    n_resamples : int
        Resamples of each pair.
    confidence : float
        Coverage, between 0 and 1.

    Returns
    -------
    SeparationMatrix
        A class with fewer than two wells leaves its row undefined; the rest goes on.

    Raises
    ------
    InvalidInputError
        If shapes differ, a value is not finite or a label is no class.

    References
    ----------
    Zhang, Chung & Oldenburg 1999, doi:10.1177/108705719900400206.

    Examples
    --------
    >>> wells = [[1.0, 0, 0], [1.2, 0, 0], [0, 1, 0], [0, 1.2, 0], [0, 0, 1]]
    >>> found = z_prime_matrix(wells, [0, 0, 1, 1, 2], ["a", "b", "c"], seed=0)
    >>> round(found.against("a")["b"].value, 3), found.against("a")["c"].reason
    (0.614, 'Z′ needs two wells a class or more; c has 1')
    """
    names = tuple(str(name) for name in class_names)
    index = as_class_index(classes, names, "classes")
    table = np.asarray(log_probabilities, np.float64)
    if table.shape != (index.size, len(names)) or not np.isfinite(table).all():
        raise InvalidInputError(
            f"`log_probabilities` must be ({index.size}, {len(names)}) finite numbers, a row a "
            f"well and a column a class; got {table.shape}: leave out wells without a score."
        )
    members = [np.flatnonzero(index == k) for k in range(len(names))]
    own = [Estimate.undefined("a class has no distance from itself", m.size) for m in members]
    cells = [[own[i]] * len(names) for i in range(len(names))]
    pair = partial(_pair, seed=seed, n_resamples=n_resamples, confidence=confidence)
    for i in range(len(names)):
        for j in range(i + 1, len(names)):
            odds = table[:, j] - table[:, i]
            wells = ((names[i], odds[members[i]]), (names[j], odds[members[j]]))
            cells[i][j] = cells[j][i] = pair(*wells)
    return SeparationMatrix(names, tuple(tuple(row) for row in cells))


def _pair(
    first: tuple[str, NDArray[np.float64]],
    second: tuple[str, NDArray[np.float64]],
    *,
    seed: int,
    n_resamples: int,
    confidence: float,
) -> Estimate:
    few = [f"{name} has {wells.size}" for name, wells in (first, second) if wells.size < _FEWEST]
    if few:
        reason = f"Z′ needs two wells a class or more; {', '.join(few)}"
        return Estimate.undefined(reason, first[1].size + second[1].size)
    return measure_separation(
        first[1], second[1], seed=seed, n_resamples=n_resamples, confidence=confidence
    ).z_prime
