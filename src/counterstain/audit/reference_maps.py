"""Maps that know nothing of the network, for every audit to be measured against."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["edge_maps", "random_maps"]

_SOBEL = ((-1.0, 0.0, 1.0), (-2.0, 0.0, 2.0), (-1.0, 0.0, 1.0))


def edge_maps(images: Tensor) -> Tensor:
    """Return the length of the Sobel gradient of each channel: an edge detector.

    Parameters
    ----------
    images : Tensor
        ``(N, C, H, W)``.

    Returns
    -------
    Tensor
        The same shape, from 0 on.

    Examples
    --------
    >>> edge_maps(torch.eye(3)[None, None])[0, 0, 1, 1] > 0
    tensor(False)
    >>> edge_maps(torch.tensor([[[[0.0, 0.0, 1.0]]]])).flatten().tolist()
    [0.0, 4.0, 4.0]
    """
    kernel = torch.tensor(_SOBEL, dtype=images.dtype, device=images.device)
    planes = functional.pad(images.reshape(-1, 1, *images.shape[2:]), (1, 1, 1, 1), "replicate")
    slopes = functional.conv2d(planes, torch.stack([kernel, kernel.T])[:, None])
    return slopes.square().sum(1).sqrt().reshape(images.shape)


def random_maps(images: Tensor, *, seed: int) -> Tensor:
    """Return standard normal noise of the images' shape.

    Examples
    --------
    >>> images = torch.zeros(2, 1, 4, 4)
    >>> bool(torch.equal(random_maps(images, seed=1), random_maps(images, seed=1)))
    True
    """
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(images.shape, generator=generator).to(images)
