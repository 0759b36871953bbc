"""Ledoit and Wolf's shrunk covariance from sums, so that groups of wells can be left out cheaply.

With fewer wells than latents the sample covariance cannot be inverted; shrunk towards a multiple of
the identity it can, by the weight that loses least.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["CovarianceSums", "inverse_root"]

_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CovarianceSums:
    """Sums over residuals from which the shrunk covariance is made; sums of two sets add up.

    Parameters
    ----------
    gram : ndarray of float64, shape (D, D)
        Sum of outer products.
    fourth : float
        Sum of squared squared norms.
    n : int
        Rows.
    freedom : float
        Rows less the means that were taken from them.
    """

    gram: _Floats
    fourth: float
    n: int
    freedom: float

    @classmethod
    def of(cls, residuals: _Floats, lost: float = 0.0) -> CovarianceSums:
        """Sum residuals of shape (n, D) from which `lost` degrees of freedom were spent."""
        norms = np.einsum("ij,ij->i", residuals, residuals)
        return cls(
            residuals.T @ residuals, float((norms**2).sum()), len(residuals), len(residuals) - lost
        )

    def __add__(self, other: CovarianceSums) -> CovarianceSums:
        return CovarianceSums(
            self.gram + other.gram,
            self.fourth + other.fourth,
            self.n + other.n,
            self.freedom + other.freedom,
        )

    def shrunk(self) -> tuple[_Floats, float]:
        """Return the covariance (D, D) and the weight of the identity in it, 0 to 1.

        References
        ----------
        Ledoit & Wolf 2004, doi:10.1016/S0047-259X(03)00096-4.

        Examples
        --------
        >>> rows = np.random.default_rng(0).normal(size=(30, 50))
        >>> covariance, weight = CovarianceSums.of(rows).shrunk()
        >>> weight > 0.9, bool(np.linalg.eigvalsh(covariance).min() > 0)
        (True, True)
        """
        size = len(self.gram)
        raw = self.gram / self.n
        mean = float(np.trace(raw)) / size
        squares = float((raw**2).sum())
        distance = max(squares - size * mean**2, 0.0)
        noise = max(self.fourth / self.n - squares, 0.0) / self.n
        weight = 1.0 if distance <= 0 else min(noise / distance, 1.0)
        shrunk = (1 - weight) * raw
        shrunk[np.diag_indices(size)] += weight * mean
        return shrunk * (self.n / max(self.freedom, 1.0)), weight


def inverse_root(covariance: _Floats) -> _Floats:
    """Return the symmetric inverse square root, which turns residuals into unit spread.

    Examples
    --------
    >>> inverse_root(np.diag([4.0, 0.25]))
    array([[0.5, 0. ],
           [0. , 2. ]])
    """
    values, vectors = np.linalg.eigh(covariance)
    floor = max(float(values[-1]), 1e-300) * 1e-10
    return np.asarray((vectors / np.sqrt(np.maximum(values, floor))) @ vectors.T)
