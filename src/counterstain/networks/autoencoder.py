"""The convolutional autoencoder: latents smaller than the image, edits added to the original."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from counterstain.errors import InvalidInputError
from counterstain.networks.generative import Decoded, GenerativeClassifier
from counterstain.networks.layers import IntensityCompression

__all__ = ["AutoencoderNetwork"]


class _ResidualBlock(nn.Module):
    """``x + g(x)``; starts as the identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        last = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(cast("Tensor", last.bias))
        self.network = nn.Sequential(
            nn.GroupNorm(1, width),
            nn.SiLU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.SiLU(),
            last,
        )

    def forward(self, x: Tensor) -> Tensor:
        return cast("Tensor", x + self.network(x))


def _encoder(channels: int, widths: list[int], latents: int, blocks: int) -> nn.Sequential:
    layers: list[nn.Module] = [
        nn.PixelUnshuffle(2),
        nn.Conv2d(4 * channels, widths[0], 3, padding=1),
        _ResidualBlock(widths[0]),
    ]
    for narrow, wide in itertools.pairwise(widths):
        layers += [nn.Conv2d(narrow, wide, 4, stride=2, padding=1), _ResidualBlock(wide)]
    layers += [_ResidualBlock(widths[-1]) for _ in range(blocks - 1)]
    return nn.Sequential(*layers, nn.Conv2d(widths[-1], latents, 1))


def _decoder(channels: int, widths: list[int], latents: int, blocks: int) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Conv2d(latents, widths[-1], 3, padding=1)]
    layers += [_ResidualBlock(widths[-1]) for _ in range(blocks)]
    for wide, narrow in zip(widths[:0:-1], widths[-2::-1], strict=True):
        layers += [_enlarged(), nn.Conv2d(wide, narrow, 3, padding=1), _ResidualBlock(narrow)]
    half = widths[0] // 2
    layers += [nn.SiLU(), _enlarged(), nn.Conv2d(widths[0], half, 3, padding=1)]
    return nn.Sequential(*layers, nn.SiLU(), nn.Conv2d(half, channels, 3, padding=1))


def _enlarged() -> nn.Module:
    # Smoothly, before a convolution: strided convolutions, and pixel-shuffle still more, leave a
    # checkerboard in what is added to an image (Odena et al. 2016, doi:10.23915/distill.00003).
    return nn.Upsample(scale_factor=2, mode="bilinear")


def _levels(size: int) -> int:
    """Return how often resolution is halved: maps of 8 to 16 places a side see whole cells."""
    return max(2, round(math.log2(size / 16)))


class AutoencoderNetwork(GenerativeClassifier):
    """Convolutional autoencoder with a linear head on its spatially averaged latents.

    Reconstruction loses detail; an edit does not. What is added to the original is the difference
    of two decoded images,

    ``x' = x + D(z') - D(z)``,

    on an asinh scale, so a step is the same ratio in dim and in bright cells. An autoencoder that
    was trained to reconstruct and to classify alone edits next to nothing: the edit is trained,
    too (:mod:`counterstain.training.edit_objective`).

    Parameters
    ----------
    arguments : mapping
        ``channels`` 1 to 8, ``size`` (pixels, a multiple of 4; of 8 from 91, of 16 from 182 on),
        ``n_classes``, and optionally ``hidden`` (64; width of the deepest layers), ``blocks`` (2;
        there), ``latents`` (32; maps) and ``softening`` (0.15), the intensity above which the scale
        is logarithmic.

    Raises
    ------
    InvalidInputError
        If the size cannot be halved often enough.

    Notes
    -----
    `decode_with_bound` and `edited` state the reconstruction error: the largest absolute
    difference of a pixel between an image (the decoded one; the original of an edit) and its
    reconstruction. It certifies nothing about the edit.

    Examples
    --------
    >>> _ = torch.manual_seed(0)
    >>> network = AutoencoderNetwork({"channels": 2, "size": 16, "n_classes": 2, "hidden": 8})
    >>> images = torch.rand(3, 2, 16, 16)
    >>> latents = network.encode(images)
    >>> latents.shape, network.latent_shape
    (torch.Size([3, 512]), (32, 4, 4))
    >>> same = network.edited(images, latents, latents)
    >>> bool((same.images - images).abs().max() < 1e-5)
    True
    """

    error_kind: ClassVar[Literal["inverse", "reconstruction"]] = "reconstruction"

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        hidden = int(arguments.get("hidden") or 64)
        blocks = int(arguments.get("blocks") or 2)
        latents = int(arguments.get("latents") or 32)
        softening = float(arguments.get("softening") or 0.15)
        channels, side = int(arguments["channels"]), int(arguments["size"])
        levels = _levels(side)
        whole = 2**levels
        if side % whole:
            raise InvalidInputError(
                f"`size` must be a multiple of {whole} pixels for the autoencoder; got {side}: "
                f"set `crops.size` to {max(whole, round(side / whole) * whole)}."
            )
        resolved = {
            "hidden": hidden,
            "blocks": blocks,
            "latents": latents,
            "softening": softening,
        }
        shape = (latents, side // whole, side // whole)
        # Its edit is trained, and learns what to do where; the head needs no rings.
        super().__init__({**arguments, **resolved, "places": "all"}, shape)
        # Narrow where places are many, so that no level outweighs the others.
        above = [max(4, 3 * hidden // 2**power) for power in range(levels + 1, 2, -1)]
        widths = [*above, hidden]
        self.compression = IntensityCompression(softening)
        self.encoder = _encoder(channels, widths, latents, blocks)
        self.decoder = _decoder(channels, widths, latents, blocks)
        self.linear = nn.Linear(latents, self.n_classes)

    def compress(self, images: Tensor) -> Tensor:
        """Return images on the asinh scale in which they are reconstructed and edited."""
        return cast("Tensor", self.compression(images)[0])

    def encode(self, images: Tensor) -> Tensor:
        """Return all latents ``(N, D)`` of images ``(N, C, H, W)``."""
        self.check_images(images)
        return cast("Tensor", self.encoder(self.compress(images))).flatten(1)

    def reconstructed(self, images: Tensor) -> Tensor:
        """Return the reconstructions of images ``(N, C, H, W)``."""
        self.check_images(images)
        return self.compression.inverse(self.decoder(self.encoder(self.compress(images))))

    @torch.no_grad()
    def decode_unchecked(self, latents: Tensor) -> Tensor:
        """Return the images ``(N, C, H, W)`` of latents ``(N, D)``, without their error."""
        return self.compression.inverse(self.decoder(self.maps(latents)))

    @torch.no_grad()
    def decode_with_bound(self, latents: Tensor) -> Decoded:
        """Return images and the error with which the network reconstructs each of them."""
        images = self.decode_unchecked(latents)
        return Decoded(images, _largest(self.reconstructed(images) - images))

    @torch.no_grad()
    def edited(
        self, images: Tensor, before: Tensor, after: Tensor, *, certify: bool = True
    ) -> Decoded:
        """Return the originals plus what decoding `after` rather than `before` changes.

        The error is that of reconstructing the original; it costs nothing, so `certify` makes no
        difference.
        """
        self.check_images(images)
        plain = self.decoder(self.maps(before))
        moved = self.decoder(self.maps(after))
        changed = self.compression.inverse(self.compress(images) + moved - plain)
        return Decoded(changed, _largest(self.compression.inverse(plain) - images))

    def head(self) -> tuple[Tensor, Tensor]:
        """Return weights ``(K, c)`` and offsets ``(K,)`` of the logits."""
        return self.linear.weight, self.linear.bias

    @torch.no_grad()
    def typicality(self, images: Tensor) -> Tensor:
        """Return the mean absolute reconstruction error on the asinh scale, negative, ``(N,)``."""
        self.check_images(images)
        compressed = self.compress(images)
        error = functional.l1_loss(
            self.decoder(self.encoder(compressed)), compressed, reduction="none"
        )
        return -error.flatten(1).mean(1)


def _largest(difference: Tensor) -> Tensor:
    return torch.nan_to_num(difference.abs().flatten(1).amax(1), nan=math.inf)
