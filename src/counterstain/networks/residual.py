"""Blocks of the invertible residual network: Haar squeeze, normalisation, contraction."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from counterstain.networks.log_determinant import log_determinant, rademacher
from counterstain.networks.spectral import NormedConvolution

__all__ = [
    "Contraction",
    "ContractionBlock",
    "Whitening",
    "haar_merge",
    "haar_split",
]

_LEAST_SHRINKAGE = 0.05
_LEAST_SPREAD = 3e-3
_ROOT_HALF = math.sqrt(0.5)


def haar_split(x: Tensor) -> Tensor:
    """Halve the resolution by the orthonormal Haar transform: ``(N, C, H, W)`` to ``4 C``.

    Coarse channels come first, then the three kinds of detail. Other than a plain squeeze it hands
    on averages and differences instead of four pictures of every second pixel, so that channels
    that are treated differently do not print a checkerboard.

    Examples
    --------
    >>> haar_split(torch.ones(1, 1, 2, 2)).flatten().tolist()
    [2.0, 0.0, 0.0, 0.0]
    """
    a, b = x[:, :, ::2, ::2], x[:, :, ::2, 1::2]
    c, d = x[:, :, 1::2, ::2], x[:, :, 1::2, 1::2]
    return torch.cat([a + b + c + d, a - b + c - d, a + b - c - d, a - b - c + d], 1) / 2


def haar_merge(z: Tensor) -> Tensor:
    """Return the map that :func:`haar_split` took apart.

    Examples
    --------
    >>> x = torch.rand(2, 3, 4, 4)
    >>> bool(torch.allclose(haar_merge(haar_split(x)), x, atol=1e-6))
    True
    """
    p, q, r, s = z.chunk(4, 1)
    x = z.new_empty(p.shape[0], p.shape[1], 2 * p.shape[2], 2 * p.shape[3])
    x[:, :, ::2, ::2] = (p + q + r + s) / 2
    x[:, :, ::2, 1::2] = (p - q + r - s) / 2
    x[:, :, 1::2, ::2] = (p + q - r - s) / 2
    x[:, :, 1::2, 1::2] = (p - q - r + s) / 2
    return x


class Whitening(nn.Module):
    """Rotate the channels onto their principal axes and scale each: ``z = (R x - b) * exp(s)``.

    The rotation is fixed by the first minibatch; scale and shift start there and are learned. A
    contraction can change lengths by little, so the large differences of scale between coarse
    light and fine grain have to be taken out where it costs nothing: in a linear layer.

    Parameters
    ----------
    channels : int
        Channels of the map.
    rotate : bool
        Without, only scale and shift (ActNorm: Kingma and Dhariwal 2018,
        doi:10.48550/arXiv.1807.03039).
    """

    rotation: Tensor
    initialised: Tensor

    def __init__(self, channels: int, *, rotate: bool) -> None:
        super().__init__()
        self.rotate = rotate
        self.log_scale = nn.Parameter(torch.zeros(channels))
        self.shift = nn.Parameter(torch.zeros(channels))
        self.register_buffer("rotation", torch.eye(channels) if rotate else torch.ones(1, 1))
        self.register_buffer("initialised", torch.tensor(False))

    @torch.no_grad()
    def _start_from(self, x: Tensor) -> None:
        columns = x.detach().double().transpose(0, 1).flatten(1)
        covariance = torch.cov(columns)
        if covariance.ndim == 0:
            covariance = covariance[None, None]
        # Few places, many channels: a direction that happens to have no spread is not drawn out.
        channels, places = columns.shape
        shrinkage = max(_LEAST_SHRINKAGE, channels / (channels + places))
        diagonal = torch.diag(covariance.diagonal())
        covariance = (1 - shrinkage) * covariance + shrinkage * diagonal
        variance, rotation = covariance.diagonal(), torch.eye(len(covariance)).to(covariance)
        if self.rotate:
            variance, axes = torch.linalg.eigh(covariance)
            rotation = axes.T
            self.rotation.copy_(rotation)
        unseen = max(0.0, 1 - places / (2 * channels))
        variance = (1 - unseen) * variance + unseen * variance.mean()
        self.log_scale.copy_(-variance.clamp_min(0).sqrt().clamp_min(_LEAST_SPREAD).log())
        self.shift.copy_(rotation @ columns.mean(1))
        self.initialised.fill_(True)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the map and the log-determinant."""
        if self.training and not bool(self.initialised):
            self._start_from(x)
        scale, shift = self.log_scale.to(x.dtype).exp(), self.shift.to(x.dtype)
        # Outside of reduced precision: small differences of large values become the fine channels.
        with torch.autocast(x.device.type, enabled=False):
            if self.rotate:
                weight = self.rotation.to(x.dtype) * scale[:, None]
                z = functional.conv2d(x, weight[:, :, None, None], -shift * scale)
            else:
                z = (x - shift[:, None, None]) * scale[:, None, None]
        return z, self.log_scale.sum() * (x.shape[2] * x.shape[3])

    def inverse(self, z: Tensor) -> Tensor:
        """Return the map that forward came from, in the dtype of `z`."""
        scale = (-self.log_scale).to(z.dtype).exp()
        x = z * scale[:, None, None] + self.shift.to(z.dtype)[:, None, None]
        if not self.rotate:
            return x
        # Stored in float32, the rotation is orthogonal to 1e-7 only; its true inverse is exact.
        weight = torch.linalg.inv(self.rotation.double()).to(z.dtype)
        return functional.conv2d(x, weight[:, :, None, None])

    @torch.no_grad()
    def inverse_lipschitz(self) -> float:
        """Return the largest factor by which the inverse can stretch a distance."""
        stretch = float((-self.log_scale.double()).exp().max())
        if self.rotate:
            smallest = float(torch.linalg.svdvals(self.rotation.double())[-1])
            stretch *= 1 / smallest if smallest > 0 else math.inf
        return stretch


class Contraction(NamedTuple):
    """A contraction with its weights ready to use, for many evaluations at the same weights.

    Parameters
    ----------
    weights, biases : sequence of Tensor
        Three each; the weights behind an activation hold its factor of the root of a half.
    softness : sequence of Tensor
        Two ``(hidden, 1, 1)``: squared width of the bend of the activation.
    """

    weights: tuple[Tensor, ...]
    biases: tuple[Tensor, ...]
    softness: tuple[Tensor, ...]

    def value(self, x: Tensor) -> Tensor:
        """Return g(x)."""
        return self.value_and_slopes(x)[0]

    def value_and_slopes(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return g(x) and the slopes of both activations."""
        slopes = []
        x = _convolve(x, self.weights[0], self.biases[0])
        for weight, bias, softness in zip(
            self.weights[1:], self.biases[1:], self.softness, strict=True
        ):
            bend = torch.sqrt(x.square() + softness)
            slopes.append(x / bend)
            x = _convolve(torch.cat([x, bend], 1), weight, bias)
        return x, slopes

    def product(self, tangent: Tensor, slopes: list[Tensor]) -> Tensor:
        """Return the product of the Jacobian, where the slopes were taken, with a tangent."""
        tangent = _convolve(tangent, self.weights[0])
        for weight, slope in zip(self.weights[1:], slopes, strict=True):
            tangent = _convolve(torch.cat([tangent, slope * tangent], 1), weight)
        return tangent

    def detached(self) -> Contraction:
        """Return the same without a graph."""
        return Contraction(*(tuple(t.detach() for t in part) for part in self))


def _convolve(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    return functional.conv2d(x, weight, bias, padding=weight.shape[-1] // 2)


class ContractionBlock(nn.Module):
    """One block ``x + g(x)``: a bottleneck of limited norms around activations of slope at most 1.

    As in ResNet-50 three convolutions, of which one is 3x3; here it comes first, where it costs
    least, and every convolution is divided by what its norm exceeds its limit.

    The activation maps a to ``(a, sqrt(a**2 + s**2)) / sqrt(2)``, a smooth concatenated rectifier
    up to a rotation. Its slope has a length between ``sqrt(1/2)`` and 1 whatever s is, so the
    product of the norms limits g without wasting what the limit allows (concatenation against
    vanishing slopes: Perugachi-Diaz et al. 2021, doi:10.48550/arXiv.2102.02694).

    Parameters
    ----------
    channels, hidden : int
        Channels of the map and inside the block.
    side : int
        Height and width of the map.
    limit : float
        Largest Lipschitz constant of g, below 1.
    """

    def __init__(self, channels: int, hidden: int, side: int, limit: float) -> None:
        super().__init__()
        each = limit ** (1 / 3)
        self.convolutions = nn.ModuleList(
            [
                NormedConvolution(channels, hidden, 3, side, each),
                NormedConvolution(2 * hidden, hidden, 1, side, each),
                NormedConvolution(2 * hidden, channels, 1, side, each),
            ]
        )
        self.log_softness = nn.Parameter(torch.full((2, hidden, 1, 1), math.log(0.1)))
        with torch.no_grad():
            self._layers()[-1].weight.mul_(0.1)

    def _layers(self) -> list[NormedConvolution]:
        return [cast("NormedConvolution", layer) for layer in self.convolutions]

    def contraction(self, dtype: torch.dtype) -> Contraction:
        """Return g with normalised weights."""
        layers = self._layers()
        first, *others = (layer.normed_weight(dtype) for layer in layers)
        return Contraction(
            (first, *(weight * _ROOT_HALF for weight in others)),
            tuple(layer.bias.to(dtype) for layer in layers),
            tuple(self.log_softness.to(dtype).exp().unbind(0)),
        )

    def lipschitz(self) -> float:
        """Return an upper bound of the Lipschitz constant of g, from converged norms."""
        return math.prod(layer.lipschitz() for layer in self._layers())

    def forward(self, x: Tensor) -> Tensor:
        """Return the map alone."""
        return x + self.contraction(x.dtype).value(x)

    def with_log_determinant(
        self, x: Tensor, weights: Sequence[float], share: float, generator: torch.Generator | None
    ) -> tuple[Tensor, Tensor]:
        """Return the map and an estimate of the log-determinant.

        Parameters
        ----------
        x : Tensor
            ``(N, C, H, W)`` map.
        weights : sequence of float
            Weights of the terms of the series.
        share : float
            Share of the samples whose log-determinant is estimated; the others get their mean,
            which keeps the mean of the minibatch unbiased.
        generator : torch.Generator, optional
            Source of the probes; torch's global one where not given.
        """
        g = self.contraction(x.dtype)
        value, slopes = g.value_and_slopes(x)
        count = max(1, round(share * len(x)))
        probe = x.detach()
        if count < len(x):
            chosen = torch.randperm(len(x), device=x.device)[:count]
            probe, slopes = probe[chosen], [slope[chosen] for slope in slopes]
        fixed, fixed_slopes = g.detached(), [slope.detach() for slope in slopes]
        log_det = log_determinant(
            lambda tangent: fixed.product(tangent, fixed_slopes),
            rademacher(probe, generator),
            weights,
            (lambda tangent: g.product(tangent, slopes)) if torch.is_grad_enabled() else None,
        )
        if count < len(x):
            mean = log_det.mean().expand(len(x))
            log_det = mean.index_copy(0, chosen, log_det)
        return x + value, log_det
