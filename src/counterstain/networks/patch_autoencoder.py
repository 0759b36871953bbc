"""The convolutional autoencoder of patches: small, fast, and only to look at patches with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from torch import Tensor, nn

from counterstain.networks.patch_encoder import PatchEncoder

__all__ = ["PatchAutoencoder"]


def _enlarged(wide: int, narrow: int) -> list[nn.Module]:
    return [
        nn.Conv2d(wide, narrow, 3, padding=1, bias=False),
        nn.BatchNorm2d(narrow),
        nn.ReLU(inplace=True),
        nn.Upsample(scale_factor=2, mode="nearest"),
    ]


class PatchAutoencoder(nn.Module):
    """Reconstruct patches from latents an eighth as many as their pixels, or so.

    Unlike `AutoencoderNetwork` it edits nothing and has no classes; its encoder is the start of
    the classifier's and the regressors'.

    Parameters
    ----------
    arguments : mapping
        As for `PatchEncoder`.

    Examples
    --------
    >>> import torch
    >>> network = PatchAutoencoder({"channels": 2, "size": 16, "widths": [4, 6, 8], "latents": 3})
    >>> network(torch.rand(5, 2, 16, 16)).shape
    torch.Size([5, 2, 16, 16])
    """

    kind = "patch_autoencoder"

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        super().__init__()
        self.encoder = PatchEncoder(arguments)
        self.arguments = dict(self.encoder.arguments)
        first, second, third = self.encoder.widths
        channels = int(self.arguments["channels"])
        self.decoder = nn.Sequential(
            nn.Unflatten(1, self.encoder.latent_shape),
            *_enlarged(self.encoder.latent_shape[0], third),
            *_enlarged(third, second),
            nn.Conv2d(second, first, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(first, 4 * channels, 3, padding=1),
            nn.PixelShuffle(2),
        )

    def compressed(self, latents: Tensor) -> Tensor:
        """Return the images of latents ``(N, D)`` on the asinh scale of `PatchEncoder.compress`."""
        return cast("Tensor", self.decoder(latents))

    def decode(self, latents: Tensor) -> Tensor:
        """Return the images ``(N, C, S, S)`` of latents ``(N, D)``, on the controls' scale."""
        return self.encoder.compression.inverse(self.compressed(latents))

    def forward(self, images: Tensor) -> Tensor:
        """Return the reconstructions of images ``(N, C, S, S)``, on the controls' scale."""
        return self.decode(self.encoder(images))
