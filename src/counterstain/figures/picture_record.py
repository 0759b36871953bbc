"""The pictures of the boundary and of what a network generates, as a run holds them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from counterstain.errors import InvalidInputError

__all__ = ["BoundaryPictures", "GeneratedPictures"]


class _Rows:
    """Arrays of which those of a group share their number of rows."""

    __slots__ = ()

    def _check(self) -> None:
        lengths: dict[str, set[int]] = {}
        for name in self.__dataclass_fields__:  # type: ignore[attr-defined]
            group = name.split("_")[0]
            lengths.setdefault(group, set()).add(len(getattr(self, name)))
        uneven = sorted(group for group, found in lengths.items() if len(found) > 1)
        if uneven:
            raise InvalidInputError(
                f"Pictures must have a row each in every array; those of {', '.join(uneven)} "
                "differ in length: make the run's `explain` anew."
            )

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Make the record of what a file holds; a group that it lacks has no row.

        Raises
        ------
        InvalidInputError
            If a group is there in part, or its arrays differ in length.
        """
        names = cls.__dataclass_fields__  # type: ignore[attr-defined]
        return cls(**{name: arrays.get(name, np.empty(0)) for name in names})

    def take(self, group: str, rows: NDArray[np.intp]) -> Self:
        """Keep some rows of one group of arrays; the others stay as they are."""
        parts: dict[str, Any] = {}
        for name in self.__dataclass_fields__:  # type: ignore[attr-defined]
            value = getattr(self, name)
            parts[name] = value[rows] if name.split("_")[0] == group else value
        return type(self)(**parts)


@dataclass(frozen=True, slots=True)
class BoundaryPictures(_Rows):
    """Pictures around decision boundaries, as ``boundary.npz`` holds them.

    A pair of classes is (source, target); all log-odds are of target against source.

    Parameters
    ----------
    path_images : ndarray of float32, shape (p, m, C, H, W)
        A crop carried along the decision direction.
    path_log_odds, path_component : ndarray of float, shape (p, m)
        Coordinates of each picture in the boundary plane, read from the picture itself.
    path_original : ndarray of int, shape (p,)
        Which of the m pictures is the crop as imaged.
    path_credible : ndarray of bool, shape (p, m)
        Whether the picture is still like the training data.
    path_start, path_source, path_target : ndarray of int, shape (p,)
        Class of the crop, and the pair.
    path_well : ndarray of str, shape (p,)
        Where the crop comes from.
    path_error : ndarray of float, shape (p, m)
        Error bound of each picture.
    surface_images : ndarray of float32, shape (r, s, C, H, W)
        A crop moved along a within-class component; the log-odds stay.
    surface_log_odds, surface_shift, surface_error : ndarray of float, shape (r, s)
        Log-odds read from each picture, its shift in standard deviations, its error bound.
    surface_component, surface_start, surface_source, surface_target : ndarray of int, shape (r,)
        Component from 0, class of the crop, and the pair.
    surface_share : ndarray of float, shape (r,)
        Share of the variance within classes that the component holds.
    surface_well : ndarray of str, shape (r,)
        Where the crop comes from.
    """

    path_images: NDArray[np.float32]
    path_log_odds: NDArray[np.float64]
    path_component: NDArray[np.float64]
    path_credible: NDArray[np.bool_]
    path_original: NDArray[np.int64]
    path_start: NDArray[np.int64]
    path_source: NDArray[np.int64]
    path_target: NDArray[np.int64]
    path_well: NDArray[np.str_]
    path_error: NDArray[np.float64]
    surface_images: NDArray[np.float32]
    surface_log_odds: NDArray[np.float64]
    surface_shift: NDArray[np.float64]
    surface_error: NDArray[np.float64]
    surface_component: NDArray[np.int64]
    surface_start: NDArray[np.int64]
    surface_source: NDArray[np.int64]
    surface_target: NDArray[np.int64]
    surface_share: NDArray[np.float64]
    surface_well: NDArray[np.str_]

    def __post_init__(self) -> None:
        self._check()


@dataclass(frozen=True, slots=True)
class GeneratedPictures(_Rows):
    """Pictures that a network made up, as ``generated.npz`` holds them.

    Parameters
    ----------
    sample_images : ndarray of float32, shape (n, C, H, W)
        Drawn from the network's model of a class.
    sample_class : ndarray of int, shape (n,)
        The class.
    sample_outside : ndarray of bool, shape (n,)
        Whether it holds intensities that training never saw.
    sample_temperature : ndarray of float, shape (n,)
        Spread of the latents.
    real_images, real_class, real_well : ndarray
        Crops as imaged beside them: (q, C, H, W), class index and well (q,).
    morph_images : ndarray of float32, shape (p, m, C, H, W)
        From a crop to another; both ends are as imaged.
    morph_first, morph_second : ndarray of str, shape (p,)
        Wells of the two ends.
    morph_source, morph_target : ndarray of int, shape (p,)
        Their classes.
    rebuilt_original, rebuilt_images : ndarray of float32, shape (r, C, H, W)
        Crops, and what the network makes of them by way of its latents; only for networks that do
        not invert exactly.
    rebuilt_class, rebuilt_well, rebuilt_error : ndarray, shape (r,)
        Class, well, largest error of a pixel.
    """

    sample_images: NDArray[np.float32]
    sample_class: NDArray[np.int64]
    sample_outside: NDArray[np.bool_]
    sample_temperature: NDArray[np.float64]
    real_images: NDArray[np.float32]
    real_class: NDArray[np.int64]
    real_well: NDArray[np.str_]
    morph_images: NDArray[np.float32]
    morph_first: NDArray[np.str_]
    morph_second: NDArray[np.str_]
    morph_source: NDArray[np.int64]
    morph_target: NDArray[np.int64]
    rebuilt_original: NDArray[np.float32]
    rebuilt_images: NDArray[np.float32]
    rebuilt_class: NDArray[np.int64]
    rebuilt_well: NDArray[np.str_]
    rebuilt_error: NDArray[np.float64]

    def __post_init__(self) -> None:
        self._check()
