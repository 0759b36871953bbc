"""Fill removed pixels from their surroundings, so that the hole itself tells a network nothing."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from counterstain.errors import InvalidInputError

__all__ = ["impute"]

# Direct neighbours count twice as much as diagonal ones (Rong et al. 2022, equation 5).
_NEIGHBOURS = ((1 / 12, 1 / 6, 1 / 12), (1 / 6, 0.0, 1 / 6), (1 / 12, 1 / 6, 1 / 12))
_TOLERANCE = 1e-4
_ITERATIONS = 500


@torch.no_grad()
def impute(images: Tensor, removed: Tensor, *, noise: float = 0.01, seed: int) -> Tensor:
    """Return images whose removed pixels are the weighted mean of their neighbours, plus noise.

    Every removed pixel obeys ``sum_j w_ij (x_i - x_j) = 0`` over its eight neighbours; noise
    hides that it does. This is the noisy linear imputation of ROAD (Rong et al. 2022,
    doi:10.48550/arXiv.2202.00449); its sparse symmetric system is solved for all images at once by
    conjugate gradients.

    Parameters
    ----------
    images : Tensor
        ``(N, C, H, W)``.
    removed : Tensor
        ``(N, H, W)`` bool; in every image at least one pixel must be left.
    noise : float
        Standard deviation of the noise, in units of the images.
    seed : int
        Seed of the noise.

    Returns
    -------
    Tensor
        ``(N, C, H, W)``; pixels that were left are unchanged.

    Raises
    ------
    InvalidInputError
        If shapes do not fit or nothing of an image is left.

    Examples
    --------
    >>> images = torch.tensor([[[[0.0, 9.0, 1.0]]]])
    >>> filled = impute(images, torch.tensor([[[False, True, False]]]), noise=0.0, seed=0)
    >>> round(float(filled[0, 0, 0, 1]), 3)
    0.5
    """
    if images.ndim != 4 or removed.shape != (len(images), *images.shape[2:]):
        raise InvalidInputError(
            f"`removed` must be (N, H, W) for images (N, C, H, W); got {tuple(removed.shape)} for "
            f"{tuple(images.shape)}: pass one mask each image."
        )
    if bool(removed.flatten(1).all(1).any()):
        raise InvalidInputError(
            "`removed` must leave a pixel of every image; got an image without any: remove less."
        )
    hole = removed[:, None].to(images.dtype)
    filled = images * (1 - hole) + _solved(images, hole) * hole
    generator = torch.Generator().manual_seed(seed)
    grain = torch.randn(images.shape, generator=generator).to(images)
    return filled + noise * grain * hole


def _solved(images: Tensor, hole: Tensor) -> Tensor:
    kernel = torch.tensor(_NEIGHBOURS, dtype=images.dtype, device=images.device)[None, None]

    def around(x: Tensor) -> Tensor:
        planes = x.reshape(-1, 1, *x.shape[2:])
        return functional.conv2d(planes, kernel, padding=1).reshape(x.shape)

    weight = around(torch.ones_like(hole))  # less than 1 at the edge of the image
    left = 1 - hole
    mean = (images * left).sum((2, 3), keepdim=True) / left.sum((2, 3), keepdim=True)
    x = mean * hole  # near the solution already
    known = around(images * left) * hole

    def apply(v: Tensor) -> Tensor:
        return hole * (weight * v - around(v))

    residual = known - apply(x)
    direction, squared = residual, residual.square().sum((2, 3), keepdim=True)
    enough = _TOLERANCE**2 * known.square().sum((2, 3), keepdim=True) + 1e-20
    for _ in range(_ITERATIONS):
        if bool((squared <= enough).all()):
            break
        applied = apply(direction)
        curvature = (direction * applied).sum((2, 3), keepdim=True).clamp_min(1e-30)
        step = squared / curvature
        x = x + step * direction
        residual = residual - step * applied
        now = residual.square().sum((2, 3), keepdim=True)
        direction = residual + now / squared.clamp_min(1e-30) * direction
        squared = now
    return x
