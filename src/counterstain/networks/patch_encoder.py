"""The encoder that the autoencoder, the classifier and the regressors of patches share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, cast

from torch import Tensor, nn
from torch.nn import functional

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
    rims : Tensor
        ``(N, A, S / 4, S / 4)``: fine features that know the coarse ones around them.
    areas : Tensor
        ``(N, 3, S / 4, S / 4)`` logits of the shares of each place that the first mask, the
        second, and both cover; they mean that only once a regressor has trained them.
    """

    fine: Tensor
    coarse: Tensor
    rims: Tensor
    areas: Tensor


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
    >>> import torch
    >>> encoder = PatchEncoder({"channels": 2, "size": 16, "widths": [4, 6, 8], "latents": 3})
    >>> images = torch.rand(5, 2, 16, 16)
    >>> encoder(images).shape, encoder.latent_shape, encoder.maps(images).areas.shape
    (torch.Size([5, 12]), (3, 2, 2), torch.Size([5, 3, 4, 4]))
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
        self.arguments: dict[str, Any] = {
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
        self.context = nn.Conv2d(third, second, 1)
        self.to_rims = nn.Sequential(nn.Conv2d(second, second, 3, padding=1), nn.ReLU())
        self.to_areas = nn.Conv2d(second, 3, 1)

    def compress(self, images: Tensor) -> Tensor:
        """Return images on an asinh scale, on which dim cells count and debris does not burn."""
        return cast("Tensor", self.compression(images)[0])

    def maps(self, images: Tensor) -> PatchMaps:
        """Return the features of images ``(N, C, S, S)`` on the controls' scale, as maps."""
        fine = self.to_fine(self.compress(images))
        coarse = self.to_coarse(fine)
        around = functional.interpolate(self.context(coarse), scale_factor=2)
        rims = self.to_rims(functional.relu(fine + around))
        return PatchMaps(fine, coarse, rims, self.to_areas(rims))

    def forward(self, images: Tensor) -> Tensor:
        """Return the latents ``(N, D)`` of images ``(N, C, S, S)``."""
        coarse = self.to_coarse(self.to_fine(self.compress(images)))
        return cast("Tensor", self.to_latents(coarse)).flatten(1)
