"""Minibatches: balanced, turned and mirrored, dequantised, made ready while the network works."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from counterstain.training.affine import AffineJitter

__all__ = [
    "BalancedSampler",
    "Minibatch",
    "PixelSource",
    "StainJitter",
    "dequantise",
    "dihedral",
    "minibatches",
]

# Cameras deliver 12 to 16 bits of which the lowest are noise; a likelihood that models them spends
# its capacity there. 256 grey levels of the controls' range keep all that an eye can see.
_GREY_LEVELS = 256
_READY = 3


class PixelSource(Protocol):
    """What training reads pixels from; the crop store is one."""

    def scaled(self, ids: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return crops ``(n, C, H, W)`` in units of the negative controls' range."""
        ...

    def count_step(self, ids: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the size of one camera count in these units, ``(n, C)``."""
        ...


@dataclass(frozen=True, slots=True)
class Minibatch:
    """Images and classes of one training step.

    Parameters
    ----------
    images : Tensor
        ``(N, C, H, W)`` float32, channels last in memory.
    classes : Tensor
        ``(N,)`` int64 class index.
    log_bin : Tensor
        ``(N,)`` log-volume of a dequantisation bin in nats, summed over all pixels.
    """

    images: Tensor
    classes: Tensor
    log_bin: Tensor


@dataclass(frozen=True, slots=True)
class StainJitter:
    """How much staining and background vary in training, beyond what the plate shows.

    Parameters
    ----------
    gain : float
        Gains lie between ``exp(-gain)`` and ``exp(gain)``, per crop and channel.
    offset : float
        Offsets lie between a third of this below zero and this above.
    """

    gain: float = 0.0
    offset: float = 0.0

    def apply(self, images: NDArray[np.float32], generator: np.random.Generator) -> None:
        """Change images ``(N, C, H, W)`` in place."""
        shape = (*images.shape[:2], 1, 1)
        if self.gain:
            draw = generator.uniform(-self.gain, self.gain, shape)
            images *= np.exp(draw).astype(np.float32)
        if self.offset:
            draw = generator.uniform(-self.offset / 3, self.offset, shape)
            images += draw.astype(np.float32)


class BalancedSampler:
    """Draw crops so that classes count the same, and within a class its wells, or partly so.

    Ten crops of a class beside ten thousand of another are seen a thousand times as often each if
    classes count the same, and hardly ever if crops do. In between, a class (and within it a well)
    is drawn in proportion to the number of its crops to the power of ``1 - balance``.

    Parameters
    ----------
    ids, classes, wells : array of int
        Crop, its class index and its well, one entry a crop.
    generator : numpy.random.Generator
        Source of randomness.
    balance : float
        1: classes count the same, and within a class its wells. 0: crops count the same.

    Examples
    --------
    >>> sampler = BalancedSampler(
    ...     np.arange(5), np.array([0, 0, 0, 0, 1]), np.array([0, 0, 0, 1, 2]),
    ...     np.random.default_rng(0),
    ... )
    >>> ids, classes = sampler.draw(4)
    >>> classes.tolist(), int((ids == 4).sum())
    ([0, 0, 1, 1], 2)
    """

    def __init__(
        self,
        ids: NDArray[np.int64],
        classes: NDArray[np.int64],
        wells: NDArray[np.int64],
        generator: np.random.Generator,
        *,
        balance: float = 1.0,
    ) -> None:
        self._generator = generator
        self._balance = balance
        self._classes = np.unique(classes)
        self._wells = [
            [
                ids[(classes == index) & (wells == well)]
                for well in np.unique(wells[classes == index])
            ]
            for index in self._classes
        ]
        self._turn = 0
        sizes = [np.array([len(crops) for crops in wells], float) for wells in self._wells]
        self._class_shares = _shares(np.array([size.sum() for size in sizes]), balance)
        self._well_shares = [_shares(size, balance) for size in sizes]

    def draw(self, count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return `count` crop ids and their classes; what does not divide evenly takes turns."""
        if self._balance < 1:
            return self._draw_partly(count)
        n_classes = len(self._classes)
        slots = np.sort((np.arange(count) + self._turn) % n_classes)
        self._turn = (self._turn + count) % n_classes
        chosen = np.empty(count, np.int64)
        for position, slot in enumerate(slots):
            wells = self._wells[slot]
            crops = wells[self._generator.integers(len(wells))]
            chosen[position] = crops[self._generator.integers(len(crops))]
        return chosen, self._classes[slots]

    def _draw_partly(self, count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        generator = self._generator
        slots = np.sort(generator.choice(len(self._classes), count, p=self._class_shares))
        chosen = np.empty(count, np.int64)
        for position, slot in enumerate(slots):
            wells, shares = self._wells[slot], self._well_shares[slot]
            crops = wells[generator.choice(len(wells), p=shares)]
            chosen[position] = crops[generator.integers(len(crops))]
        return chosen, self._classes[slots]


def _shares(sizes: NDArray[np.float64], balance: float) -> NDArray[np.float64]:
    weights = sizes ** (1 - balance)
    return np.asarray(weights / weights.sum(), np.float64)


_NO_JITTER = StainJitter()
_NO_AFFINE = AffineJitter()


def dihedral(images: NDArray[np.float32], operation: NDArray[np.int64]) -> NDArray[np.float32]:
    """Turn each image by quarter turns and mirror it, without resampling.

    Parameters
    ----------
    images : array
        ``(N, C, H, W)`` with H equal to W.
    operation : array of int
        ``(N,)`` 0 to 7: quarter turns, plus 4 for a mirrored image.

    Examples
    --------
    >>> image = np.arange(4, dtype=np.float32).reshape(1, 1, 2, 2)
    >>> dihedral(image, np.array([1])).ravel().tolist()
    [1.0, 3.0, 0.0, 2.0]
    """
    out = np.empty_like(images)
    for code in range(8):
        chosen = operation == code
        if chosen.any():
            turned = np.rot90(images[chosen], code % 4, axes=(2, 3))
            out[chosen] = turned[..., ::-1] if code >= 4 else turned
    return out


def dequantise(
    images: NDArray[np.float32],
    count_step: NDArray[np.float32],
    generator: np.random.Generator,
) -> NDArray[np.float32]:
    """Fill the bins of quantised images with noise, in place, so that they have a density.

    Parameters
    ----------
    images : array
        ``(N, C, H, W)`` in units of the negative controls' range.
    count_step : array
        ``(N, C)`` size of one camera count; a bin is never narrower than 1/256 of the range.
    generator : numpy.random.Generator
        Source of the noise.

    Returns
    -------
    array
        ``(N,)`` log-volume of an image's bins in nats, summed over all its pixels.

    Examples
    --------
    >>> images = np.zeros((1, 1, 2, 2), np.float32)
    >>> log_bin = dequantise(images, np.full((1, 1), 0.5, np.float32), np.random.default_rng(0))
    >>> bool(images.max() < 0.5), round(float(log_bin[0]), 3)
    (True, -2.773)
    """
    bins = np.maximum(count_step, np.float32(1 / _GREY_LEVELS))
    noise = generator.random(images.shape, dtype=np.float32)
    images += noise * bins[:, :, None, None]
    log_bin: NDArray[np.float32] = np.log(bins).sum(1) * (images.shape[2] * images.shape[3])
    return log_bin


def _assemble(
    source: PixelSource,
    ids: NDArray[np.int64],
    classes: NDArray[np.int64],
    jitter: StainJitter,
    affine: AffineJitter,
    generator: np.random.Generator,
) -> Minibatch:
    images = dihedral(source.scaled(ids), generator.integers(8, size=len(ids)))
    images = affine.apply(images, generator)
    jitter.apply(images, generator)
    log_bin = torch.from_numpy(dequantise(images, source.count_step(ids), generator))
    tensor = torch.from_numpy(images).contiguous(memory_format=torch.channels_last)
    return Minibatch(tensor, torch.from_numpy(classes), log_bin)


def minibatches(
    source: PixelSource,
    sampler: BalancedSampler,
    *,
    size: int,
    steps: int,
    generator: np.random.Generator,
    jitter: StainJitter = _NO_JITTER,
    affine: AffineJitter = _NO_AFFINE,
) -> Iterator[Minibatch]:
    """Yield `steps` minibatches, each made in a second thread while the one before is used.

    One thread draws and fills in order, so the sequence depends on the seed alone.
    """
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="minibatches") as pool:

        def make() -> Minibatch:
            return _assemble(source, *sampler.draw(size), jitter, affine, generator)

        queue: deque[Future[Minibatch]] = deque()
        for _ in range(min(_READY, steps)):
            queue.append(pool.submit(make))
        try:
            for step in range(steps):
                ready = queue.popleft().result()
                if step + _READY < steps:
                    queue.append(pool.submit(make))
                yield ready
        finally:
            for future in queue:
                future.cancel()
