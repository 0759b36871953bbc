"""Turning, stretching and shifting of crops by amounts that are no whole pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

__all__ = ["AffineJitter"]


@dataclass(frozen=True, slots=True)
class AffineJitter:
    """How crops are turned, stretched and shifted in training, beyond quarter turns and mirrors.

    Resampling smooths noise, so this is for networks that only classify: one that also generates
    would learn the smoothing.

    Parameters
    ----------
    strength : float
        Sizes vary between ``exp(-strength)`` and ``exp(strength)``, height against width by half
        of that, and the centre by a third of it as a share of half the side. 0 does nothing. Any
        other strength turns by any angle.

    Examples
    --------
    >>> images = np.random.default_rng(0).random((2, 1, 8, 8), dtype=np.float32)
    >>> turned = AffineJitter(0.15).apply(images, np.random.default_rng(0))
    >>> turned.shape, bool(np.array_equal(turned, images))
    ((2, 1, 8, 8), False)
    >>> AffineJitter(0).apply(images, np.random.default_rng(0)) is images
    True
    """

    strength: float = 0.0

    def apply(
        self, images: NDArray[np.float32], generator: np.random.Generator
    ) -> NDArray[np.float32]:
        """Return changed images ``(N, C, H, W)``; what comes in from outside is mirrored."""
        if not self.strength:
            return images
        grid = functional.affine_grid(
            torch.from_numpy(self._matrices(len(images), generator)),
            list(images.shape),
            align_corners=False,
        )
        moved = functional.grid_sample(
            torch.from_numpy(np.ascontiguousarray(images)),
            grid,
            padding_mode="reflection",
            align_corners=False,
        )
        return np.asarray(moved.numpy(), np.float32)

    def _matrices(self, count: int, generator: np.random.Generator) -> NDArray[np.float32]:
        """Draw matrices ``(N, 2, 3)`` from places in the new image to places in the old one."""
        angle = generator.uniform(0, 2 * np.pi, count)
        size = np.exp(generator.uniform(-self.strength, self.strength, count))
        stretch = np.exp(generator.uniform(-self.strength, self.strength, count) / 2)
        shift = generator.uniform(-self.strength, self.strength, (2, count)) / 3
        cosine, sine = np.cos(angle), np.sin(angle)
        rows = [
            [cosine * size * stretch, -sine * size / stretch, shift[0]],
            [sine * size * stretch, cosine * size / stretch, shift[1]],
        ]
        return np.ascontiguousarray(np.array(rows).transpose(2, 0, 1), np.float32)
