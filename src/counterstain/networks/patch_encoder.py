"""The encoder that the autoencoder, the classifier and the regressors of patches share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from counterstain.errors import InvalidInputError
from counterstain.networks.layers import IntensityCompression

__all__ = ["PatchEncoder", "PatchMaps"]

_STEP = 8
_SOFTENING = 0.15


class PatchMaps(NamedTuple):
    """What an encoder sees of patches, fine and coarse.

    Parameters
    ----------
    fine : Tensor
        ``(N, A, S / 4, S / 4)``: edges and rims of cells.
    coarse : Tensor
        ``(N, B, S / 8, S / 8)``: whole cells.
    """

    fine: Tensor
    coarse: Tensor


def _convolution(narrow: int, wide: int, stride: int = 1) -> list[nn.Module]:
    # The norm holds the offset, and the rectifier works in place: memory traffic is half the time.
    layer = nn.Conv2d(narrow, wide, 3, stride=stride, padding=1, bias=False)
    return [layer, nn.BatchNorm2d(wide), nn.ReLU(inplace=True)]


class PatchEncoder(nn.Module):
    """Convolutions from patches to maps of features, and on to the latents.

    Parameters
    ----------
    arguments : mapping
        ``channels``, ``size`` (pixels, a multiple of 8), and optionally ``widths`` ([16, 32, 48],
        features at a half, a quarter and an eighth of the size) and ``latents`` (16, latent maps).

    Raises
    ------
    InvalidInputError
        If the size is no multiple of 8.

    Examples
    --------
    >>> encoder = PatchEncoder({"channels": 2, "size": 16, "widths": [4, 6, 8], "latents": 3})
    >>> images = torch.rand(5, 2, 16, 16)
    >>> encoder(images).shape, encoder.pooled(images).shape, encoder.latent_shape
    (torch.Size([5, 12]), torch.Size([5, 22]), (3, 2, 2))
    """

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        super().__init__()
        channels, size = int(arguments["channels"]), int(arguments["size"])
        if size < _STEP or size % _STEP:
            raise InvalidInputError(
                f"`size` must be a multiple of {_STEP} pixels; got {size}: cut patches of "
                f"{max(_STEP, round(size / _STEP) * _STEP)}."
            )
        first, second, third = (int(width) for width in arguments.get("widths") or (16, 32, 48))
        latents = int(arguments.get("latents") or 16)
        self.arguments = {
            "channels": channels,
            "size": size,
            "widths": [first, second, third],
            "latents": latents,
        }
        self.widths = (first, second, third)
        self.latent_shape = (latents, size // _STEP, size // _STEP)
        self.compression = IntensityCompression(_SOFTENING)
        self.to_fine = nn.Sequential(
            nn.PixelUnshuffle(2),
            *_convolution(4 * channels, first),
            *_convolution(first, second, stride=2),
            *_convolution(second, second),
        )
        self.to_coarse = nn.Sequential(
            *_convolution(second, third, stride=2), *_convolution(third, third)
        )
        self.to_latents = nn.Conv2d(third, latents, 1)

    @property
    def pooled_width(self) -> int:
        """Entries of `pooled`."""
        return self.widths[1] + 2 * self.widths[2]

    def compress(self, images: Tensor) -> Tensor:
        """Return images on an asinh scale, on which dim cells count and debris does not burn."""
        return cast("Tensor", self.compression(images)[0])

    def maps(self, images: Tensor) -> PatchMaps:
        """Return the features of images ``(N, C, S, S)`` on the controls' scale, as maps."""
        fine = self.to_fine(self.compress(images))
        return PatchMaps(fine, self.to_coarse(fine))

    def pooled(self, images: Tensor) -> Tensor:
        """Return features ``(N, P)`` that do not depend on where in a patch something lies."""
        return self.pool(self.maps(images))

    @staticmethod
    def pool(maps: PatchMaps) -> Tensor:
        """Return means of fine features, then means and largest values of coarse ones."""
        fine, coarse = maps
        return torch.cat([fine.mean((2, 3)), coarse.mean((2, 3)), coarse.amax((2, 3))], 1)

    def forward(self, images: Tensor) -> Tensor:
        """Return the latents ``(N, D)`` of images ``(N, C, S, S)``."""
        return cast("Tensor", self.to_latents(self.maps(images).coarse)).flatten(1)
