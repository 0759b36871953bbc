"""Images without their cells, and cells on the background of other images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from counterstain.errors import InvalidInputError

__all__ = ["MIN_EMPTY", "remove_cells", "swap_backgrounds"]

MIN_EMPTY = 0.02
"""Least share of empty pixels from which a crop's empty places can be filled in."""


def remove_cells(
    images: NDArray[np.float32],
    removed: NDArray[np.bool_],
    empty: NDArray[np.bool_],
    generator: np.random.Generator,
) -> NDArray[np.float32]:
    """Replace pixels by draws from the same image's empty places, channels drawn together.

    The level and the noise of the empty places are kept; every structure in `removed` is gone.

    Parameters
    ----------
    images : (N, C, H, W) array of float32
        Crops.
    removed, empty : (N, H, W) array of bool
        Pixels to replace, and pixels to draw from.
    generator : numpy.random.Generator
        Source of the draws.

    Returns
    -------
    (N, C, H, W) array of float32
        Copies; an image without an empty pixel is NaN throughout.

    Raises
    ------
    InvalidInputError
        If the shapes do not fit each other.

    Examples
    --------
    >>> images = np.full((1, 1, 4, 4), 0.1, np.float32)
    >>> cell = np.zeros((1, 4, 4), bool)
    >>> cell[0, 1:3, 1:3] = True
    >>> images[0, 0, 1:3, 1:3] = 0.9
    >>> bool(remove_cells(images, cell, ~cell, np.random.default_rng(0)).max() < 0.11)
    True
    """
    _check(images, removed, empty)
    out = images.astype(np.float32, copy=True)
    for image, gone, source in zip(out, removed, empty, strict=True):
        pool = image[:, source]
        if pool.shape[1] == 0:
            image[:] = np.nan
            continue
        picks = generator.integers(pool.shape[1], size=int(gone.sum()))
        image[:, gone] = pool[:, picks]
    return out


def swap_backgrounds(
    images: NDArray[np.float32],
    cells: NDArray[np.bool_],
    backgrounds: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Put the cells of each image on the background of another.

    Parameters
    ----------
    images : (N, C, H, W) array of float32
        Images whose cells are kept.
    cells : (N, H, W) array of bool
        Where those are.
    backgrounds : (N, C, H, W) array of float32
        Images of which only empty places are left, as `remove_cells` makes them.

    Returns
    -------
    (N, C, H, W) array of float32
        Cells of the one on the empty places of the other.

    Raises
    ------
    InvalidInputError
        If the shapes do not fit each other.

    Examples
    --------
    >>> ones, zeros = np.ones((1, 1, 1, 2), np.float32), np.zeros((1, 1, 1, 2), np.float32)
    >>> swap_backgrounds(ones, np.array([[[True, False]]]), zeros).ravel().tolist()
    [1.0, 0.0]
    """
    _check(images, cells, cells)
    if backgrounds.shape != images.shape:
        raise InvalidInputError(
            f"`backgrounds` must be {images.shape}, as `images`; got {backgrounds.shape}: pass one "
            "background an image."
        )
    return np.where(cells[:, None], images, backgrounds).astype(np.float32)


def _check(
    images: NDArray[np.float32], first: NDArray[np.bool_], second: NDArray[np.bool_]
) -> None:
    expected = (len(images), *images.shape[2:])
    for name, mask in (("removed", first), ("empty", second)):
        if images.ndim != 4 or mask.shape != expected or mask.dtype != np.bool_:
            raise InvalidInputError(
                f"`{name}` must be masks (N, H, W) of bool of the images {images.shape}; got "
                f"{mask.shape} of {mask.dtype}: compare labels with 0 first."
            )
