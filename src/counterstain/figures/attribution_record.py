"""Attribution maps of some crops, as a run holds them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from counterstain.errors import InvalidInputError

__all__ = ["AttributionPictures", "method_words"]

_WORDS = {
    "saliency": "saliency",
    "smooth_grad": "SmoothGrad",
    "integrated_gradients": "integrated gradients",
    "grad_cam": "Grad-CAM",
    "grad_cam_plus_plus": "Grad-CAM++",
    "occlusion": "occlusion",
}
_PERCENTILE = 99.0


def method_words(method: str) -> str:
    """Return the name of a method for readers.

    Examples
    --------
    >>> method_words("smooth_grad"), method_words("my_own")
    ('SmoothGrad', 'my own')
    """
    return _WORDS.get(method, method.replace("_", " "))


@dataclass(frozen=True, slots=True)
class AttributionPictures:
    """Crops and what each method says of them, as ``attributions.npz`` holds them.

    Parameters
    ----------
    images : ndarray of float32, shape (n, C, H, W)
        Scaled intensities; 0 to 1 is the range of the negative controls.
    nuclei : ndarray of uint8, shape (n, H, W)
        0 background, 1 the crop's own nucleus, 2 other nuclei.
    crop, source, called, target : ndarray of int, shape (n,)
        Number of the crop, its true class, the class that it was called, the class whose score is
        explained.
    plate, well, outcome : ndarray of str, shape (n,)
        Where the crop comes from; "right" or "wrong".
    score : ndarray of float, shape (n,)
        Log-odds of the target class.
    maps : mapping of str to ndarray of float32, shape (n, C, H, W)
        Signed map of each method: positive speaks for the target class. Its units are its own.

    Raises
    ------
    InvalidInputError
        If the arrays do not fit each other.
    """

    images: NDArray[np.float32]
    nuclei: NDArray[np.uint8]
    crop: NDArray[np.int64]
    plate: NDArray[np.str_]
    well: NDArray[np.str_]
    source: NDArray[np.int64]
    called: NDArray[np.int64]
    target: NDArray[np.int64]
    score: NDArray[np.float64]
    outcome: NDArray[np.str_]
    maps: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shape = self.images.shape
        uneven = [n for n in self.row_names() if len(getattr(self, n)) != len(self.images)]
        if len(shape) != 4 or self.nuclei.shape != (shape[0], *shape[2:]):
            uneven.append("nuclei")
        uneven += [f"map_{name}" for name, values in self.maps.items() if values.shape != shape]
        if uneven:
            raise InvalidInputError(
                f"`images` must be (n, C, H, W) and every array fit it; got {shape}, and "
                f"{', '.join(dict.fromkeys(uneven))} differ: make the run's attributions anew."
            )

    def __len__(self) -> int:
        return len(self.images)

    @classmethod
    def row_names(cls) -> tuple[str, ...]:
        """Return the names of the arrays that hold a row a crop, without the maps."""
        return tuple(name for name in cls.__dataclass_fields__ if name != "maps")

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Make the record of what a file holds.

        Raises
        ------
        KeyError
            If an array is not there.
        InvalidInputError
            If the arrays do not fit each other.
        """
        maps = {str(name): arrays[f"map_{name}"] for name in arrays["methods"]}
        return cls(**{name: arrays[name] for name in cls.row_names()}, maps=maps)

    @property
    def methods(self) -> tuple[str, ...]:
        """Methods in the order of the file."""
        return tuple(self.maps)

    def take(self, rows: NDArray[np.intp]) -> Self:
        """Return the pictures of some crops."""
        parts: dict[str, Any] = {name: getattr(self, name)[rows] for name in self.row_names()}
        return type(self)(**parts, maps={name: values[rows] for name, values in self.maps.items()})

    def summed(self, method: str) -> NDArray[np.float32]:
        """Return a method's signed maps summed over channels, shape (n, H, W)."""
        return np.asarray(self.maps[method].sum(axis=1), np.float32)

    def unit(self, method: str, *, per_channel: bool = False) -> float:
        """Return the one number that a method's maps are divided by to be drawn.

        Parameters
        ----------
        method : str
            One of `methods`.
        per_channel : bool
            Of the maps of single channels rather than of their sums.

        Returns
        -------
        float
            99th percentile of the size of the maps over all crops, so that maps of different units
            share a figure; NaN where no map has a size.

        Examples
        --------
        >>> pictures = AttributionPictures(
        ...     np.zeros((1, 1, 1, 2)), np.zeros((1, 1, 2)), *[np.zeros(1)] * 8,
        ...     maps={"saliency": np.full((1, 1, 1, 2), -0.5)})
        >>> pictures.unit("saliency")
        0.5
        """
        values = self.maps[method] if per_channel else self.summed(method)
        sizes = np.abs(values[np.isfinite(values)])
        if not sizes.size or not sizes.max() > 0:
            return math.nan
        unit = float(np.percentile(sizes, _PERCENTILE))
        # A map that is zero nearly everywhere has a percentile of zero, and still a size.
        return unit if unit > 0 else float(sizes.max())
