"""A U-Net for inference, level by level in tiles that fit a processor's cache.

A large field's levels are far larger than a cache, and most of the time goes into waiting for
memory. Here each block of convolutions runs over tiles of its level, a tile a core, with as many
pixels around each as the block looks at: the answer is that of the whole field, up to rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor, nn

from counterstain.side_by_side import side_by_side

__all__ = ["LevelwiseUNet", "in_tiles"]

_HALO = 2  # two convolutions of 3 x 3; even, as levels above and below have twice or half of it
_TILE = 128
_WHOLE = 512  # pixels of the image, for which cores work together well without tiles
_DEEP_TILE = 64  # of levels with many channels
_DEEP_WIDTH = 40


class LevelwiseUNet(nn.Module):
    """Run a U-Net of :func:`~counterstain.masks.unet_network.build_unet` in tiles.

    Parameters
    ----------
    network : torch.nn.Sequential
        In evaluation mode, with norms folded; its weights are shared, not copied.
    tile : int
        Side of a tile of the first levels, pixels of the level.
    whole : int
        Largest side of an image that runs in one piece, pixels.

    Examples
    --------
    >>> from counterstain.masks.unet_network import build_unet, fold_norms
    >>> network = fold_norms(build_unet(1, (4, 4, 8, 8, 8)).eval())
    >>> images = torch.rand(1, 1, 64, 96)
    >>> tiled = LevelwiseUNet(network, tile=16, whole=32)(images)
    >>> bool((tiled - network(images)).abs().max() < 1e-5)
    True
    """

    def __init__(self, network: nn.Sequential, tile: int = _TILE, whole: int = _WHOLE) -> None:
        super().__init__()
        self.network = network
        self.tile = tile
        self.whole = whole

    def forward(self, images: Tensor) -> Tensor:
        """Images ``(N, C, H, W)`` to logits ``(N, K, H, W)``."""
        if max(images.shape[-2:]) <= self.whole:
            return self._in_one(images)
        return torch.cat([self._levels(images[i : i + 1]) for i in range(len(images))])

    def _in_one(self, images: Tensor) -> Tensor:
        logits: Tensor = self.network(images.contiguous(memory_format=torch.channels_last))
        return logits

    def _levels(self, image: Tensor) -> Tensor:
        parts: list[Any] = list(self.network)  # MONAI is typed in part only
        brightened, unshuffle, body, shuffle = parts
        encoder = [body.down_1, body.down_2, body.down_3, body.down_4]
        decoder = [body.upcat_4, body.upcat_3, body.upcat_2]

        def enter(part: Tensor) -> Tensor:
            blocks = unshuffle(brightened(part))
            entered: Tensor = body.conv_0(blocks.contiguous(memory_format=torch.channels_last))
            return entered

        def leave(below: Tensor, skipped: Tensor) -> Tensor:
            left: Tensor = shuffle(body.final_conv(body.upcat_1(below, skipped)))
            return left

        sides = [(image.shape[-2] >> level, image.shape[-1] >> level) for level in range(1, 6)]
        skips = [self._block(enter, [image], sides[0], _width(body.conv_0))]
        for block, size in zip(encoder, sides[1:], strict=True):
            skips.append(self._block(block, [skips[-1]], size, _width(block)))
        below = skips[-1]
        for block, skip, size in zip(decoder, skips[3:0:-1], sides[3:0:-1], strict=True):
            below = self._block(block, [below, skip], size, _width(block))
        outputs = body.final_conv.out_channels // shuffle.upscale_factor**2
        return in_tiles(
            leave, [below, skips[0]], sides[0], outputs, self.tile, shuffle.upscale_factor
        )

    def _block(
        self,
        block: Callable[..., Tensor],
        inputs: Sequence[Tensor],
        size: tuple[int, int],
        channels: int,
    ) -> Tensor:
        tile = self.tile if channels < _DEEP_WIDTH else min(self.tile, _DEEP_TILE)
        return in_tiles(block, inputs, size, channels, tile)


def in_tiles(
    block: Callable[..., Tensor],
    inputs: Sequence[Tensor],
    size: tuple[int, int],
    channels: int,
    tile: int,
    grow: int = 1,
) -> Tensor:
    """Run a block of two 3 x 3 convolutions over tiles of its level, some at once.

    Parameters
    ----------
    block : callable
        Parts of the inputs to a part of the output.
    inputs : sequence of Tensor
        ``(1, C, h, w)`` each, as large as the level, twice, or half of it.
    size : (H, W)
        Of the level; even, unless one tile holds it.
    channels : int
        Of the output.
    tile : int
        About the side of a tile, pixels of the level.
    grow : int
        How many times larger than the level the output is.

    Returns
    -------
    Tensor
        ``(1, channels, grow H, grow W)``.

    Examples
    --------
    >>> image = torch.rand(1, 1, 8, 12)
    >>> mean = nn.AvgPool2d(3, stride=1, padding=1)
    >>> tiled = in_tiles(lambda part: mean(mean(part)), [image], (8, 12), 1, tile=4)
    >>> bool((tiled - mean(mean(image))).abs().max() < 1e-6)
    True
    """
    height, width = size
    ratios = [Fraction(part.shape[-2], height) for part in inputs]
    steps = [_even_step(edge, tile) for edge in size]
    out = torch.empty(
        (1, channels, grow * height, grow * width), memory_format=torch.channels_last
    ).to(inputs[0])

    def one(corner: tuple[int, int]) -> None:
        row, column = corner
        bottom, right = min(height, row + steps[0]), min(width, column + steps[1])
        top, left = max(0, row - _HALO), max(0, column - _HALO)
        down, over = min(height, bottom + _HALO), min(width, right + _HALO)
        parts = [
            _cut(whole, ratio, (top, down), (left, over))
            for whole, ratio in zip(inputs, ratios, strict=True)
        ]
        found = block(*parts)
        inner = _cut(
            found, Fraction(grow), (row - top, bottom - top), (column - left, right - left)
        )
        _cut(out, Fraction(grow), (row, bottom), (column, right)).copy_(inner)

    corners = [
        (row, column) for row in range(0, height, steps[0]) for column in range(0, width, steps[1])
    ]
    side_by_side(one, corners, out.device)
    return out


def _even_step(edge: int, tile: int) -> int:
    count = -(-edge // tile)
    step = -(-edge // count)
    return step + step % 2


def _cut(whole: Tensor, ratio: Fraction, rows: tuple[int, int], columns: tuple[int, int]) -> Tensor:
    (top, bottom), (left, right) = (
        (int(start * ratio), int(stop * ratio)) for start, stop in (rows, columns)
    )
    return whole[..., top:bottom, left:right]


def _width(block: nn.Module) -> int:
    """Return the channels that a block ends in."""
    convolutions = [module for module in block.modules() if isinstance(module, nn.Conv2d)]
    return convolutions[-1].out_channels
