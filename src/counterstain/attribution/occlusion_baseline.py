"""What comes in the place of occluded pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage, sparse
from scipy.sparse.linalg import splu
from torch import Tensor

from counterstain.errors import InvalidInputError

__all__ = ["Baseline", "background_levels", "baseline_images", "inpainted"]

NamedBaseline = Literal["background", "blurred", "inpainted"]
Baseline: TypeAlias = float | Sequence[float] | Tensor | NamedBaseline

_BACKGROUND_PERCENTILE = 5.0
# Wide enough that nothing of the size of a nucleus keeps its outline.
_BLUR_SHARE = 1 / 12


def background_levels(images: Tensor) -> Tensor:
    """Estimate the level of no signal of each image and channel: its 5th percentile.

    Cells rarely cover all of a crop, so its darkest pixels are background. Where they do, pass the
    plate's own background as numbers.

    Parameters
    ----------
    images : Tensor
        ``(N, C, ...)``.

    Returns
    -------
    Tensor
        ``(N, C)``, in the images' units.

    Examples
    --------
    >>> images = torch.tensor([[[[0.1, 0.1], [0.1, 0.9]]]])
    >>> [round(value, 3) for value in background_levels(images)[0].tolist()]
    [0.1]
    """
    return torch.quantile(images.flatten(2).float(), _BACKGROUND_PERCENTILE / 100, dim=2)


def baseline_images(baseline: Baseline, images: Tensor) -> Tensor:
    """Return what replaces each pixel, as images of the same shape.

    Parameters
    ----------
    baseline : float, sequence of float, Tensor or str
        A number; one number a channel; a tensor ``(C, ...)`` or ``(N, C, ...)`` that broadcasts to
        the images; ``"background"`` (:func:`background_levels`); ``"blurred"`` (Gaussian, sigma a
        twelfth of the side). ``"inpainted"`` depends on the hole: see :func:`inpainted`.
    images : Tensor
        ``(N, C, ...)``.

    Raises
    ------
    InvalidInputError
        If the baseline is of another shape, not finite, or of an unknown name.

    Examples
    --------
    >>> images = torch.rand(2, 3, 4, 4)
    >>> baseline_images([0.0, 0.5, 1.0], images)[:, 1].unique().tolist()
    [0.5]
    """
    if isinstance(baseline, str):
        return _named(baseline, images)
    if isinstance(baseline, Tensor):
        return _from_tensor(baseline, images)
    values = np.asarray(baseline, np.float64)
    if values.ndim == 0:
        filled = torch.full_like(images, float(values))
    elif values.shape == (images.shape[1],):
        levels = torch.as_tensor(values, dtype=images.dtype, device=images.device)
        filled = levels.reshape(1, -1, *([1] * (images.ndim - 2))).expand_as(images)
    else:
        raise _wrong_shape(tuple(values.shape), images)
    return _finite(filled)


def _named(name: str, images: Tensor) -> Tensor:
    if name in ("background", "blurred") and images.ndim >= 3:
        if name == "background":
            levels = background_levels(images).to(images)
            return levels.reshape(*levels.shape, *([1] * (images.ndim - 2))).expand_as(images)
        sides = images.shape[2:]
        sigma = (0.0, 0.0, *(side * _BLUR_SHARE for side in sides))
        blurred = ndimage.gaussian_filter(images.detach().cpu().numpy(), sigma, mode="nearest")
        return torch.from_numpy(blurred).to(images)
    raise InvalidInputError(
        f"`baseline` must be a number, one a channel, a tensor, 'background', 'blurred' or "
        f"'inpainted' (names for images (N, C, H, W) only); got {name!r} for images "
        f"{tuple(images.shape)}: choose one of them."
    )


def _from_tensor(baseline: Tensor, images: Tensor) -> Tensor:
    shape = tuple(baseline.shape)
    if baseline.ndim == 1 and images.ndim > 2 and shape == (images.shape[1],):
        baseline = baseline.reshape(1, -1, *([1] * (images.ndim - 2)))
    elif baseline.ndim == images.ndim - 1:
        baseline = baseline.unsqueeze(0)
    elif baseline.ndim not in {0, images.ndim}:
        raise _wrong_shape(shape, images)
    try:
        filled = baseline.detach().to(images).expand_as(images)
    except RuntimeError:
        raise _wrong_shape(shape, images) from None
    return _finite(filled)


def _finite(filled: Tensor) -> Tensor:
    if not bool(torch.isfinite(filled).all()):
        raise InvalidInputError(
            "`baseline` must be finite; got NaN or infinite values: pass a level in the images' "
            "units, as a rule between 0 and 1."
        )
    return filled


def _wrong_shape(shape: tuple[int, ...], images: Tensor) -> InvalidInputError:
    one = tuple(images.shape[1:])
    return InvalidInputError(
        f"`baseline` must be a number, one for each of the {one[0]} channels, or a tensor {one} "
        f"or {tuple(images.shape)}; got shape {shape}: pass one that fits the images."
    )


def inpainted(image: Tensor, hole: NDArray[np.bool_]) -> Tensor:
    """Fill a hole smoothly from the pixels around it, as a membrane over its rim.

    Parameters
    ----------
    image : Tensor
        ``(C, H, W)``.
    hole : (H, W) array of bool
        Pixels to fill, in every channel.

    Returns
    -------
    Tensor
        ``(C, H, W)``: in the hole the solution of Laplace's equation (each pixel the mean of its
        neighbours), so never brighter or darker than the rim; elsewhere the image itself. Where
        the hole is the whole image: the background level.

    Examples
    --------
    >>> image = torch.full((1, 6, 6), 0.5)
    >>> image[0, 2:4, 2:4] = 1.0
    >>> hole = np.zeros((6, 6), bool)
    >>> hole[2:4, 2:4] = True
    >>> bool((inpainted(image, hole) - 0.5).abs().max() < 1e-6)
    True
    """
    out = image.clone()
    if not hole.any():
        return out
    if hole.all():
        levels = background_levels(image[None])[0].to(image)
        return levels[:, None, None].expand_as(image).clone()
    pixels = image.detach().cpu().double().numpy()
    matrix, known = _laplace(pixels, hole)
    solution = splu(matrix).solve(known)
    out[:, torch.from_numpy(hole)] = torch.from_numpy(solution.T).to(image)
    return out


def _laplace(
    pixels: NDArray[np.float64], hole: NDArray[np.bool_]
) -> tuple[sparse.csc_matrix, NDArray[np.float64]]:
    """Return the equations of the pixels in the hole, and their known neighbours' sums."""
    height, width = hole.shape
    row, column = np.nonzero(hole)
    number = np.full(hole.shape, -1)
    number[hole] = np.arange(len(row))
    degree = np.zeros(len(row))
    known = np.zeros((len(row), len(pixels)))
    pairs: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
    for down, right in ((0, 1), (1, 0), (0, -1), (-1, 0)):
        y, x = row + down, column + right
        there = np.flatnonzero((y >= 0) & (y < height) & (x >= 0) & (x < width))
        degree[there] += 1
        beside = number[y[there], x[there]]
        given = there[beside < 0]
        known[given] += pixels[:, y[given], x[given]].T
        pairs.append((there[beside >= 0], beside[beside >= 0]))
    own = np.arange(len(row))
    rows = np.concatenate([own, *(pair[0] for pair in pairs)])
    columns = np.concatenate([own, *(pair[1] for pair in pairs)])
    entries = np.concatenate([degree, np.full(len(rows) - len(own), -1.0)])
    return sparse.csc_matrix((entries, (rows, columns)), shape=(len(own), len(own))), known
