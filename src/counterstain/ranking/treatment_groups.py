"""Wells grouped by treatment, and sums over the wells of each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["TreatmentGroups", "group_treatments"]

_Floats = NDArray[np.float64]
_BLOCK_ROWS = 20_000
_FREEDOM = 4.0
"""Degrees of freedom of the multivariate t that wells are weighted by."""


@dataclass(frozen=True, slots=True)
class TreatmentGroups:
    """Rows of the wells that count, sorted by treatment.

    Parameters
    ----------
    rows : ndarray of int, shape (M,)
        Row of each well in the table of wells.
    start : ndarray of int, shape (T + 1,)
        Wells of treatment t are ``rows[start[t]:start[t + 1]]``.
    """

    rows: NDArray[np.intp]
    start: NDArray[np.intp]

    @property
    def sizes(self) -> NDArray[np.intp]:
        """Wells of each treatment, shape (T,)."""
        return np.diff(self.start)

    @property
    def owner(self) -> NDArray[np.intp]:
        """Treatment of each of the sorted rows, shape (M,)."""
        return np.repeat(np.arange(len(self.start) - 1), self.sizes)

    def sums(self, values: _Floats) -> _Floats:
        """Sum values of the sorted rows, (M,) or (M, k), over each treatment."""
        if values.ndim == 1:
            return np.bincount(self.owner, values, len(self.start) - 1).astype(np.float64)
        return np.column_stack([self.sums(column) for column in values.T])

    def means(self, values: _Floats) -> _Floats:
        """Average values of the sorted rows, (M,), over each treatment; NaN for those without."""
        found = np.full(len(self.start) - 1, np.nan)
        np.divide(self.sums(values), self.sizes, out=found, where=self.sizes > 0)
        return found

    def of_size(self, n: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the treatments of n wells, (k,), and their rows, (k, n)."""
        chosen = np.flatnonzero(self.sizes == n)
        return chosen, self.rows[self.start[chosen][:, None] + np.arange(n)]

    def pair_products(self, vectors: NDArray[np.float32], noise: float) -> _Floats:
        """Return the mean product of two different wells' vectors, per treatment.

        Parameters
        ----------
        vectors : ndarray of float32, shape (W, D)
            A vector per well of the whole table.
        noise : float
            Usual square length of a well's own noise.

        Returns
        -------
        ndarray of float64, shape (T,)
            NaN for treatments of fewer than two wells.
        """
        found = np.full(len(self.start) - 1, np.nan)
        for n in np.unique(self.sizes[self.sizes > 1]):
            chosen, rows = self.of_size(int(n))
            step = max(1, _BLOCK_ROWS // int(n))
            for begin in range(0, len(chosen), step):
                part = slice(begin, begin + step)
                found[chosen[part]] = pair_product(vectors[rows[part]], noise)
        return found


def pair_product(vectors: NDArray[np.floating], noise: float) -> _Floats:
    """Return the mean product over pairs of different members, for (groups, members, D).

    Noise of single wells has mean 0 in it, so that only what replicates share remains. A well that
    is far from all others of its group weighs less: as in a multivariate t, by the square of that
    distance over the usual one.

    Examples
    --------
    >>> pair_product(np.array([[[1.0, 0.0], [1.0, 1.0], [1.0, -1.0]]]), noise=1.0)
    array([0.66666667])
    >>> pair_product(np.array([[[1.0, 0.0], [1.0, 0.0], [1.0, 99.0]]]), noise=1.0).round(2)
    array([1.])
    """
    n, size = vectors.shape[1:]
    products = (vectors @ vectors.transpose(0, 2, 1)).astype(np.float64)
    own = np.diagonal(products, axis1=1, axis2=2)
    apart = (own[:, :, None] + own[:, None, :]) / 2 - products
    apart[:, np.arange(n), np.arange(n)] = np.inf
    nearest = np.maximum(apart.min(axis=2), 0.0)
    weights = np.minimum((_FREEDOM + size) / (_FREEDOM + size * nearest / max(noise, 1e-300)), 1.0)
    pairs = weights[:, :, None] * weights[:, None, :]
    pairs[:, np.arange(n), np.arange(n)] = 0.0
    total = pairs.sum(axis=(1, 2))
    # A single latent has nothing off its axis, no noise there, and so no weight either.
    mean = np.zeros(len(total))
    np.divide((pairs * products).sum(axis=(1, 2)), total, out=mean, where=total > 0)
    return mean


def group_treatments(
    treatment: NDArray[np.int64], usable: NDArray[np.bool_], n_treatments: int
) -> TreatmentGroups:
    """Group the usable wells by the number of their treatment.

    Parameters
    ----------
    treatment : ndarray of int, shape (W,)
        Number of each well's treatment; -1 for none.
    usable : ndarray of bool, shape (W,)
        Wells that count.
    n_treatments : int
        Treatments T, some of which may have no usable well.

    Returns
    -------
    TreatmentGroups

    Examples
    --------
    >>> groups = group_treatments(np.array([1, -1, 0, 1]), np.ones(4, bool), 3)
    >>> groups.rows.tolist(), groups.sizes.tolist()
    ([2, 0, 3], [1, 2, 0])
    """
    kept = np.flatnonzero((treatment >= 0) & usable)
    rows = kept[np.argsort(treatment[kept], kind="stable")]
    start = np.searchsorted(treatment[rows], np.arange(n_treatments + 1))
    return TreatmentGroups(rows, start)
