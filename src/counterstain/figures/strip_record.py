"""The pictures that counterfactual strips are drawn from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from counterstain.errors import InvalidInputError

__all__ = ["Strips", "change_limit"]


@dataclass(frozen=True, slots=True)
class Strips:
    """Pictures of counterfactuals, as ``counterfactuals.npz`` holds them.

    Parameters
    ----------
    original, boundary, counterfactual : ndarray of float32, shape (n, C, H, W)
        Scaled intensities; 0 to 1 is the range of the negative controls.
    source, target : ndarray of int, shape (n,)
        Class indices.
    well : ndarray of str, shape (n,)
        Where each crop comes from.
    logit_original, logit_boundary, logit_counterfactual : ndarray of float, shape (n,)
        What the network says of each picture.
    inverse_error : ndarray of float, shape (n,)
        Largest difference between a crop and its way through the network and back.
    """

    original: NDArray[np.float32]
    boundary: NDArray[np.float32]
    counterfactual: NDArray[np.float32]
    source: NDArray[np.int64]
    target: NDArray[np.int64]
    well: NDArray[np.str_]
    logit_original: NDArray[np.float64]
    logit_boundary: NDArray[np.float64]
    logit_counterfactual: NDArray[np.float64]
    inverse_error: NDArray[np.float64]

    def __post_init__(self) -> None:
        shape = self.original.shape
        if len(shape) != 4 or {self.boundary.shape, self.counterfactual.shape} != {shape}:
            raise InvalidInputError(
                "`original`, `boundary` and `counterfactual` must be (n, C, H, W) alike; got "
                f"{shape}, {self.boundary.shape} and {self.counterfactual.shape}."
            )

    def __len__(self) -> int:
        return len(self.original)

    def take(self, rows: NDArray[np.int64]) -> Strips:
        """Return the strips of some rows."""
        return Strips(**{name: getattr(self, name)[rows] for name in self.__dataclass_fields__})


def change_limit(strips: Strips) -> float:
    """Return the end of the symmetric scale of differences: 99.8th percentile of their size.

    Examples
    --------
    >>> one, none = np.ones((1, 1, 2, 2), np.float32), np.zeros(1)
    >>> change_limit(Strips(one, one, 1.5 * one, *[none] * 7))
    0.5
    """
    change = np.abs(strips.counterfactual - strips.original)
    change = change[np.isfinite(change)]
    return max(float(np.percentile(change, 99.8)), 1e-3) if change.size else 1.0
