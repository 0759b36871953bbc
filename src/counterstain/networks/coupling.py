"""The additive coupling network: RevNet-style blocks at several scales, all latents kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from counterstain.errors import InvalidInputError
from counterstain.networks.invertible import InvertibleNetwork
from counterstain.networks.layers import FlowStep, IntensityCompression

__all__ = ["CouplingNetwork"]


def _default_squeeze(side: int) -> tuple[int, ...]:
    """Return three halvings, two for tiny images: more would make the channels too many to mix."""
    return (2, 2, 2) if side >= 16 else (2, 2)


class CouplingNetwork(InvertibleNetwork):
    """Invertible network of additive couplings; the default of counterstain.

    Each level halves the resolution for four times the channels (pixel-unshuffle) and runs `blocks`
    blocks. Nothing is thrown away or factored out, so the latents hold the whole image, and the
    inverse costs the same as the forward pass. Small steps from level to level keep the squeeze
    from showing: a first level of 4 pixels left its blocks in the edits, and 0.1 bit per dimension.

    Parameters
    ----------
    arguments : mapping
        ``channels`` 1 to 8, ``size`` (pixels, a multiple of the product of `squeeze`),
        ``n_classes``, and optionally ``hidden`` (128, and at most four times a level's channels),
        ``blocks`` a level (6), ``squeeze`` ([2, 2, 2]) and ``softening`` (0.15), the intensity
        above which the scale is logarithmic.

    Raises
    ------
    InvalidInputError
        If the size cannot be squeezed.

    Examples
    --------
    >>> _ = torch.manual_seed(0)
    >>> network = CouplingNetwork(
    ...     {"channels": 2, "size": 16, "n_classes": 2, "hidden": 8, "blocks": 2}
    ... )
    >>> images = torch.rand(3, 2, 16, 16)
    >>> latents = network.encode(images)
    >>> latents.shape
    torch.Size([3, 512])
    >>> bool((network.decode(latents) - images).abs().max() < 1e-5)
    True
    """

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        given = arguments.get("squeeze") or _default_squeeze(int(arguments["size"]))
        squeeze = [int(factor) for factor in given]
        hidden = int(arguments.get("hidden") or 128)
        blocks = int(arguments.get("blocks") or 6)
        channels, side = int(arguments["channels"]), int(arguments["size"])
        softening = float(arguments.get("softening") or 0.15)
        whole = int(torch.tensor(squeeze).prod())
        if side % whole:
            raise InvalidInputError(
                f"`size` must be a multiple of {whole} pixels for the coupling network; got "
                f"{side}: set `crops.size` to {max(whole, round(side / whole) * whole)}."
            )
        widths = []
        for factor in squeeze:
            channels *= factor**2
            widths.append(channels)
        side //= whole
        resolved = {"squeeze": squeeze, "hidden": hidden, "blocks": blocks, "softening": softening}
        super().__init__({**arguments, **resolved}, (channels, side, side))
        self.compression = IntensityCompression(softening)
        self.squeeze = squeeze
        self.levels = nn.ModuleList(
            nn.ModuleList(FlowStep(width, min(hidden, 4 * width)) for _ in range(blocks))
            for width in widths
        )

    def _steps(self) -> list[tuple[int, list[FlowStep]]]:
        levels = [
            [cast("FlowStep", step) for step in cast("nn.ModuleList", level)]
            for level in self.levels
        ]
        return list(zip(self.squeeze, levels, strict=True))

    def transform(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Map images to latent maps and the log-determinant."""
        x, total = self.compression(images)
        for factor, steps in self._steps():
            x = functional.pixel_unshuffle(x, factor)
            for step in steps:
                x, log_determinant = step(x)
                total = total + log_determinant
        return x, total

    def inverse_transform(self, maps: Tensor) -> Tensor:
        """Map latent maps back to images."""
        for factor, steps in reversed(self._steps()):
            for step in reversed(steps):
                maps = step.inverse(maps)
            maps = functional.pixel_shuffle(maps, factor)
        return self.compression.inverse(maps)
