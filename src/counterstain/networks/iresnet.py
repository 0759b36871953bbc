"""The invertible residual network with the depth and stages of ResNet-50."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn

from counterstain.errors import InvalidInputError
from counterstain.networks.fixed_point import invert_residual
from counterstain.networks.generative import Decoded
from counterstain.networks.invertible import InvertibleNetwork
from counterstain.networks.layers import IntensityCompression
from counterstain.networks.log_determinant import draw_weights
from counterstain.networks.residual import (
    ContractionBlock,
    Whitening,
    haar_merge,
    haar_split,
)

__all__ = ["InvertibleResNet"]

_STAGES = (3, 4, 6, 3)
_SQUEEZED = (True, True, True, False)
_TOLERANCE = {torch.float32: 3e-7, torch.float64: 5e-15}
_EVALUATION_TERMS = 12
# Rounding errors of a block add up like those of a random walk; 8 units in the last place of the
# whole map is four times what was seen, layers between included.
_ROUNDING = 8.0
_FLOAT32_SAFETY = 4.0
_PORTION = 2**22


class InvertibleResNet(InvertibleNetwork):
    """Invertible residual network of 16 blocks in stages of 3, 4, 6 and 3, as in ResNet-50.

    Every block is ``x + g(x)`` with a certified Lipschitz constant of g below 1 (Behrmann et
    al. 2019, doi:10.48550/arXiv.1811.00995), trained by likelihood (Chen et al. 2019,
    doi:10.48550/arXiv.1906.02735). The first three stages start by halving the resolution. A
    contraction cannot tell by itself where in the image it is, and moving all places by the same
    latents moves too little of the image: crops on cells want ``places="rings"``.

    Parameters
    ----------
    arguments : mapping
        ``channels`` 1 to 8, ``size`` (pixels, a multiple of 8), ``n_classes``, and optionally
        ``hidden`` (64; channels inside the blocks of the last stages; the first has half),
        ``lipschitz`` (0.6; limit of every g), ``terms`` (2; of the log-determinant's series in
        training), ``continuation`` (0.3; chance of each further term), ``share`` (0.5; of the
        minibatch on which it is estimated) and ``softening`` (0.15).

    Raises
    ------
    InvalidInputError
        If the size is not a multiple of 8 or the limit not between 0 and 0.95.

    Examples
    --------
    >>> _ = torch.manual_seed(0)
    >>> network = InvertibleResNet({"channels": 1, "size": 8, "n_classes": 2, "hidden": 4}).eval()
    >>> images = torch.rand(2, 1, 8, 8)
    >>> decoded = network.decode_with_bound(network.encode(images))
    >>> error = (decoded.images - images).abs().flatten(1).amax(1)
    >>> bool((error <= decoded.error_bound).all() and (decoded.error_bound < 1e-4).all())
    True
    """

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        channels, side = int(arguments["channels"]), int(arguments["size"])
        hidden = int(arguments.get("hidden") or 64)
        limit = float(arguments.get("lipschitz") or 0.6)
        resolved = {
            "hidden": hidden,
            "lipschitz": limit,
            "terms": int(arguments.get("terms") or 2),
            "continuation": float(arguments.get("continuation", 0.3)),
            "share": float(arguments.get("share") or 0.5),
            "softening": float(arguments.get("softening") or 0.15),
        }
        whole = 2 ** sum(_SQUEEZED)
        if side % whole or side < whole:
            raise InvalidInputError(
                f"`size` must be a multiple of {whole} pixels for the invertible residual network; "
                f"got {side}: set `crops.size` to {max(whole, round(side / whole) * whole)}."
            )
        if not 0 < limit <= 0.95:
            raise InvalidInputError(
                f"`lipschitz` must lie above 0 and be at most 0.95; got {limit:g}: nearer to 1 the "
                "inverse cannot be certified."
            )
        shape = (channels * whole**2, side // whole, side // whole)
        super().__init__({**arguments, **resolved}, shape)
        self.compression = IntensityCompression(resolved["softening"])
        self.options = resolved
        self.stages = nn.ModuleList()
        for stage, (count, squeezed) in enumerate(zip(_STAGES, _SQUEEZED, strict=True)):
            if squeezed:
                channels, side = 4 * channels, side // 2
            width = max(4, hidden // 2) if stage == 0 else hidden
            layers = nn.ModuleList()
            for block in range(count):
                layers.append(Whitening(channels, rotate=block == 0))
                layers.append(ContractionBlock(channels, width, side, limit))
            self.stages.append(layers)

    def _layers(self) -> list[tuple[bool, list[Whitening | ContractionBlock]]]:
        stages = [
            [cast("Whitening | ContractionBlock", layer) for layer in cast("nn.ModuleList", stage)]
            for stage in self.stages
        ]
        return list(zip(_SQUEEZED, stages, strict=True))

    def transform(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Map images to latent maps and an estimate of the log-determinant.

        In training the probes are drawn from torch's global generator; in evaluation they are
        always the same, so that an image has one likelihood.
        """
        generator = None if self.training else torch.Generator().manual_seed(0)
        weights = (1.0,) * _EVALUATION_TERMS
        share = float(self.options["share"]) if self.training else 1.0
        x, total = self.compression(images)
        for squeezed, layers in self._layers():
            x = haar_split(x) if squeezed else x
            for layer in layers:
                if isinstance(layer, Whitening):
                    x, log_determinant = layer(x)
                else:
                    if self.training:
                        weights = self._drawn_weights()
                    x, log_determinant = layer.with_log_determinant(x, weights, share, generator)
                total = total + log_determinant
        return x, total

    def _drawn_weights(self) -> tuple[float, ...]:
        return draw_weights(int(self.options["terms"]), float(self.options["continuation"]))

    def latent_maps(self, images: Tensor) -> Tensor:
        """Map images to latent maps ``(N, c, h, w)``, without the log-determinant."""
        x: Tensor = self.compression(images)[0]
        for squeezed, layers in self._layers():
            x = haar_split(x) if squeezed else x
            for layer in layers:
                x = layer(x)[0] if isinstance(layer, Whitening) else layer(x)
        return x

    def encode(self, images: Tensor) -> Tensor:
        """Return all latents ``(N, D)`` of images ``(N, C, H, W)``."""
        self.check_images(images)
        return self.latent_maps(images).flatten(1)

    @torch.no_grad()
    def inverse_transform(self, maps: Tensor) -> Tensor:
        """Map latent maps back to images, in the dtype of the maps."""
        parts = [self._inverted(part, [])[0] for part in self._portions(maps)]
        return torch.cat(parts) if parts else maps.new_zeros(0, self.channels, self.size, self.size)

    def _portions(self, maps: Tensor) -> list[Tensor]:
        """Split a batch so that what the acceleration remembers stays within some 400 MB."""
        count = max(1, _PORTION // self.n_latents)
        return [maps[first : first + count] for first in range(0, len(maps), count)]

    def _inverted(self, maps: Tensor, starts: list[Tensor]) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Return images, their certified distance (of one pixel), and the solution of each block.

        The distance between what is here and what exact arithmetic would give is carried through
        the layers: a block multiplies it by 1 / (1 - c) and adds its own a-posteriori bound.
        """
        x, distance = maps, torch.zeros(len(maps), dtype=torch.float64, device=maps.device)
        epsilon = _ROUNDING * torch.finfo(maps.dtype).eps
        solutions: list[Tensor] = []
        guesses = iter(starts)
        for squeezed, layers in reversed(self._layers()):
            for layer in reversed(layers):
                if isinstance(layer, Whitening):
                    x = layer.inverse(x)
                    distance = distance * layer.inverse_lipschitz()
                    continue
                limit = layer.lipschitz()
                solution = invert_residual(
                    layer.contraction(x.dtype).value,
                    x,
                    limit,
                    tolerance=_TOLERANCE[x.dtype],
                    start=next(guesses, None),
                )
                rounding = epsilon * _norm(x)
                x = solution.x
                distance = (distance + rounding) / (1 - limit) + solution.bound.double()
                solutions.append(x)
            x = haar_merge(x) if squeezed else x
        return (*self._expanded(x, distance), solutions)

    def _expanded(self, x: Tensor, distance: Tensor) -> tuple[Tensor, Tensor]:
        """Undo the compression, whose slope is largest at the brightest pixel."""
        height, softening = self.compression.height, self.compression.softening
        brightest = x.abs().flatten(1).amax(1).double() + distance
        slope = softening * height * torch.cosh(brightest * height)
        return self.compression.inverse(x), distance * slope

    @torch.no_grad()
    def decode_with_bound(self, latents: Tensor) -> Decoded:
        """Return images and a certified bound on the error of every pixel.

        The inverse is computed in float32 and then, from there, in float64. Of the latter every
        block has the a-posteriori bound ``c / (1 - c) * norm(x_k - x_(k-1))``, with c
        from converged spectral norms; it is carried through all blocks before it, with their
        rounding. What float32 did to the latents is added as four times its measured effect on
        the images.
        """
        maps = self.maps(latents.detach())
        if maps.device.type == "mps":  # no float64 there
            decoded = _on_cpu(self).decode_with_bound(latents.cpu())
            return Decoded(decoded.images.to(maps.device), decoded.error_bound.to(maps.device))
        parts = [self._decoded(part) for part in self._portions(maps)]
        if not parts:
            return Decoded(self.inverse_transform(maps), maps.new_zeros(0))
        images, bounds = zip(*parts, strict=True)
        return Decoded(torch.cat(images), torch.cat(bounds))

    def _decoded(self, maps: Tensor) -> Decoded:
        rough, _, starts = self._inverted(maps.float(), [])
        exact, bound, _ = self._inverted(maps.double(), starts)
        images = exact.float()
        measured = _FLOAT32_SAFETY * (rough.double() - exact).abs().flatten(1).amax(1)
        rounding = (images.double() - exact).abs().flatten(1).amax(1)
        bound = bound + measured + rounding
        return Decoded(images, torch.nan_to_num(bound, nan=math.inf, posinf=math.inf).float())


def _on_cpu(network: InvertibleResNet) -> InvertibleResNet:
    copy = InvertibleResNet(network.arguments)
    copy.load_state_dict({name: value.cpu() for name, value in network.state_dict().items()})
    return copy.eval()


def _norm(x: Tensor) -> Tensor:
    norm: Tensor = x.double().flatten(1).norm(dim=1)
    return norm
