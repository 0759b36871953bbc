"""Images are explained a few at a time, so that the slice bounds the memory, not their number.

Also what every map is checked for before it is handed out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from counterstain.errors import InvalidInputError

__all__ = ["baseline_like", "finished", "over_slices", "slice_length"]

# Values of the images of one slice: 8 images of 2 channels and 128 pixels, or 54 of 3 and 40. A
# backward pass through ResNeXt50 then holds some 400 MB.
_VALUES = 2**18


def slice_length(images: Tensor, minibatch_size: int | None) -> int:
    """Return how many images go through the model at once.

    Parameters
    ----------
    images : Tensor
        ``(N, ...)``.
    minibatch_size : int, optional
        As the caller wants it; by default so many that a slice holds some 260,000 values.

    Raises
    ------
    InvalidInputError
        If it is below 1.

    Examples
    --------
    >>> slice_length(torch.zeros(100, 3, 40, 40), None)
    54
    """
    if minibatch_size is None:
        return max(1, _VALUES // max(1, math.prod(images.shape[1:])))
    if minibatch_size < 1:
        raise InvalidInputError(
            f"`minibatch_size` must be at least 1; got {minibatch_size}: leave it out for a size "
            "that fits the images."
        )
    return int(minibatch_size)


def over_slices(function: Callable[..., Tensor], length: int, *tensors: Tensor) -> Tensor:
    """Call a function on slices of tensors that share their first axis, and join the results."""
    count = len(tensors[0])
    parts = [
        function(*(tensor[first : first + length] for tensor in tensors))
        for first in range(0, count, length)
    ]
    return torch.cat(parts)


def baseline_like(images: Tensor, baseline: float | Sequence[float] | Tensor) -> Tensor:
    """Return a baseline of the images' shape.

    Parameters
    ----------
    images : Tensor
        ``(N, C, ...)``.
    baseline : float, sequence of float or Tensor
        A number; a number each channel; one image ``(C, ...)``; or an image each, ``(N, C, ...)``.

    Raises
    ------
    InvalidInputError
        If it has another shape or holds NaN or infinities.

    Examples
    --------
    >>> baseline_like(torch.zeros(2, 2, 1, 1), [0.5, 1.0])[0].flatten().tolist()
    [0.5, 1.0]
    """
    given = torch.as_tensor(baseline, dtype=images.dtype, device=images.device)
    shape = tuple(images.shape)
    one = {(), shape, shape[1:], (1, *shape[1:])}
    if tuple(given.shape) not in one:
        if given.ndim != 1 or images.ndim < 3 or len(given) != shape[1]:
            raise InvalidInputError(
                f"`baseline` must be a number, a number each channel, or of shape {shape} or "
                f"{shape[1:]}; got {tuple(given.shape)}: cut it to the size of the images."
            )
        given = given.reshape(-1, *[1] * (images.ndim - 2))
    if not bool(torch.isfinite(given).all()):
        raise InvalidInputError(
            "`baseline` must be finite; got NaN or infinity: pass the grey value that stands for "
            "'nothing there', 0 for images that are scaled by the plate."
        )
    return given.expand(shape).contiguous()


def finished(maps: Tensor) -> Tensor:
    """Return maps as float32 without a graph; no picture is drawn from NaN.

    Raises
    ------
    InvalidInputError
        If a map is not finite: the model's scores or gradients are not.
    """
    if not bool(torch.isfinite(maps).all()):
        raise InvalidInputError(
            "`model` must have finite scores and gradients on these images; got NaN or infinity "
            "in the map: load a checkpoint of a training that ended well."
        )
    return maps.detach().to(torch.float32)
