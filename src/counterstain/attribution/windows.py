"""Where occlusion windows lie, and how what they cost the score becomes a map."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from counterstain.errors import InvalidInputError

__all__ = ["Windows", "lay_windows"]

Sizes: TypeAlias = int | Sequence[int]


@dataclass(frozen=True)
class Windows:
    """Boxes that are occluded one at a time.

    Parameters
    ----------
    shape : tuple of int
        Shape of one image, without the axis of images.
    low, high : (W, R) array of int
        First index of each box along each of the R axes, and the one after its last.
    counts : tuple of int
        Boxes along each axis; their product is W, and the last axis runs fastest.
    channels : tuple of int, optional
        The only channels that are occluded; None: those inside the box.
    """

    shape: tuple[int, ...]
    low: NDArray[np.int64]
    high: NDArray[np.int64]
    counts: tuple[int, ...]
    channels: tuple[int, ...] | None = None

    def __len__(self) -> int:
        return len(self.low)

    def cover(self, image: Tensor, fill: Callable[[int], Tensor], numbers: Sequence[int]) -> Tensor:
        """Return the image with one box filled in each copy.

        Parameters
        ----------
        image : Tensor
            One image, ``(C, ...)``.
        fill : callable
            From a box's number to what comes in its place, of the image's shape.
        numbers : sequence of int
            Boxes, one a copy.

        Returns
        -------
        Tensor
            ``(len(numbers), C, ...)``.
        """
        copies = image.unsqueeze(0).repeat(len(numbers), *([1] * image.ndim))
        for copy, number in zip(copies, numbers, strict=True):
            box, filled = self.box(number), fill(int(number))
            if self.channels is None:
                copy[box] = filled[box]
            else:
                for channel in self.channels:
                    copy[channel][box[1:]] = filled[channel][box[1:]]
        return copies

    def average(self, drops: Tensor) -> Tensor:
        """Return the map: at each place the mean drop of the boxes over it, 0 where there is none.

        Parameters
        ----------
        drops : Tensor
            ``(W,)`` float64: what each box costs the score.

        Returns
        -------
        Tensor
            Float32, of the image's shape.
        """
        total = torch.zeros(self.shape, dtype=torch.float64)
        weight = torch.zeros(self.shape, dtype=torch.float64)
        for number, drop in enumerate(drops.tolist()):
            box = self.box(number)
            total[box] += drop
            weight[box] += 1
        # captum leaves places that no window covers at 0, and so does a list of channels.
        mean = total / weight.clamp_min(1)
        if self.channels is not None:
            kept = torch.zeros(self.shape[0], dtype=torch.bool)
            kept[list(self.channels)] = True
            mean[~kept] = 0.0
        return mean.float()

    def box(self, number: int) -> tuple[slice, ...]:
        """Return a box as an index into one image."""
        pairs = zip(self.low[number].tolist(), self.high[number].tolist(), strict=True)
        return tuple(slice(low, high) for low, high in pairs)


def lay_windows(
    shape: Sequence[int],
    window: Sizes,
    stride: Sizes | None = None,
    channels: str | Sequence[int] = "together",
) -> Windows:
    """Lay windows over an image as captum does: from the first corner on, until all is covered.

    The last window along an axis may hang over the edge; what is outside is left out.

    Parameters
    ----------
    shape : sequence of int
        Shape of one image, ``(C, H, W)`` or any other of rank 1 or more.
    window, stride : int or sequence of int
        Size and step. One number, or one for each axis after the first: the windows lie in the
        image plane, and `channels` says through which channels they go. One number for every
        axis, the first included: exactly captum's windows; `channels` must be left alone then. On
        inputs of rank 1 there are no channels. A stride of None is 1.
    channels : {"together", "each"} or sequence of int
        All channels at once; one window a channel; or only these, at once.

    Raises
    ------
    InvalidInputError
        If a window is larger than the image or not positive, or a stride exceeds its window,
        which would leave places out.

    Examples
    --------
    >>> windows = lay_windows((2, 4, 4), window=2)
    >>> windows.counts, windows.high[0].tolist()
    ((1, 3, 3), [2, 2, 2])
    >>> lay_windows((2, 5, 4), window=2, stride=2, channels="each").counts
    (2, 3, 2)
    """
    shape = tuple(int(size) for size in shape)
    sizes, full = _per_axis(window, shape, "window")
    if full and len(shape) > 1 and channels != "together":
        raise InvalidInputError(
            f"`channels` must be left alone where `window` has a size for the channel axis; got "
            f"{channels!r} with window {tuple(sizes)}: give the window as (height, width)."
        )
    steps = _steps(stride, shape, full)
    if not full:
        first = 1 if isinstance(channels, str) and channels == "each" else shape[0]
        sizes, steps = [first, *sizes], [first, *steps]
    _check(shape, sizes, steps)
    counts = tuple(
        -(-(size - box) // step) + 1 for size, box, step in zip(shape, sizes, steps, strict=True)
    )
    places = itertools.product(*(range(count) for count in counts))
    low = np.array(list(places), np.int64).reshape(-1, len(shape)) * np.array(steps)
    high = np.minimum(low + np.array(sizes), np.array(shape))
    only = None if isinstance(channels, str) else tuple(channels)
    return Windows(shape, low, high, counts, only)


def _per_axis(given: Sizes, shape: tuple[int, ...], name: str) -> tuple[list[int], bool]:
    """Return a size for each axis, and whether the first axis is among them."""
    if isinstance(given, int | np.integer):
        return ([int(given)] * max(1, len(shape) - 1)), len(shape) == 1
    sizes = [int(size) for size in given]
    if len(sizes) not in {len(shape), max(1, len(shape) - 1)}:
        raise InvalidInputError(
            f"`{name}` must be one number, or one for each axis of an image {shape}, with or "
            f"without the first; got {tuple(sizes)}: pass {len(shape)} numbers."
        )
    return sizes, len(sizes) == len(shape)


def _steps(stride: Sizes | None, shape: tuple[int, ...], full: bool) -> list[int]:
    axes = len(shape) if full else len(shape) - 1
    if stride is None or isinstance(stride, int | np.integer):
        return [1 if stride is None else int(stride)] * axes
    steps = [int(step) for step in stride]
    if len(steps) != axes:
        raise InvalidInputError(
            f"`stride` must be one number, or one for each of the {axes} axes of the window; got "
            f"{tuple(steps)}: pass as many numbers as for `window`."
        )
    return steps


def _check(shape: tuple[int, ...], sizes: list[int], steps: list[int]) -> None:
    for size, box, step in zip(shape, sizes, steps, strict=True):
        if not 1 <= box <= size:
            raise InvalidInputError(
                f"`window` must be at least 1 and at most the image, {shape}; got {tuple(sizes)}: "
                "choose a smaller window."
            )
        if step < 1 or (step > box and box < size):
            raise InvalidInputError(
                f"`stride` must be at least 1 and at most the window, {tuple(sizes)}; got "
                f"{tuple(steps)}: a longer stride would leave places out; choose a shorter one."
            )
