"""Invertible layers: intensity compression, normalised mixing, additive coupling.

Every layer that changes volume has ``forward(x) -> (z, log_determinant)`` and ``inverse(z) -> x``.
The log-determinant is that of forward, in nats.
"""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["AdditiveCoupling", "FlowStep", "IntensityCompression", "NormalisedMixing"]


class IntensityCompression(nn.Module):
    """Compress bright intensities: ``asinh(x / s) / asinh(1 / s)``.

    Fluorescence spans decades, and what distinguishes cells is more often a ratio than a
    difference. Linear near 0 and logarithmic above `softening`, the scale lets dim cells count as
    much as bright ones; 0 and 1 stay where they are. The scale is that of Lupton et al. 1999,
    doi:10.1086/301004.

    Parameters
    ----------
    softening : float
        Intensity s at which the scale turns from linear to logarithmic, in units of the range of
        the negative controls.

    Examples
    --------
    >>> layer = IntensityCompression(0.05)
    >>> z, _ = layer(torch.tensor([[0.0, 0.1, 1.0]]))
    >>> [round(value, 3) for value in z[0].tolist()]
    [0.0, 0.391, 1.0]
    >>> bool(torch.allclose(layer.inverse(z), torch.tensor([[0.0, 0.1, 1.0]])))
    True
    """

    def __init__(self, softening: float) -> None:
        super().__init__()
        self.softening = softening
        self.height = math.asinh(1 / softening)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return compressed images and the log-determinant of each, ``(N,)``."""
        ratio = x / self.softening
        slope = -0.5 * torch.log1p(ratio.square()) - math.log(self.softening * self.height)
        return torch.asinh(ratio) / self.height, slope.flatten(1).sum(1)

    def inverse(self, z: Tensor) -> Tensor:
        """Return the images that forward came from."""
        return self.softening * torch.sinh(z * self.height)


class NormalisedMixing(nn.Module):
    """Normalise each channel, then rotate the channels: ``z = Q (x - b) * exp(s)``.

    The scale and shift are learned, after a start from the first minibatch (ActNorm: Kingma and
    Dhariwal 2018, doi:10.48550/arXiv.1807.03039). The rotation is a fixed random orthogonal
    matrix, whose inverse is its transpose; both are one 1x1 convolution.

    Parameters
    ----------
    channels : int
        Channels of the map.

    Examples
    --------
    >>> layer = NormalisedMixing(4)
    >>> x = torch.rand(2, 4, 3, 3)
    >>> z, log_determinant = layer(x)
    >>> bool(torch.allclose(layer.inverse(z), x, atol=1e-5))
    True
    """

    rotation: Tensor
    initialised: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(channels))
        self.shift = nn.Parameter(torch.zeros(channels))
        rotation, _ = torch.linalg.qr(torch.randn(channels, channels))
        self.register_buffer("rotation", rotation)
        self.register_buffer("initialised", torch.tensor(False))

    @torch.no_grad()
    def _start_from(self, x: Tensor) -> None:
        spread = x.std((0, 2, 3)).clamp_min(1e-3)
        self.shift.copy_(x.mean((0, 2, 3)))
        self.log_scale.copy_(-spread.log())
        self.initialised.fill_(True)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mixed map and the log-determinant."""
        if self.training and not bool(self.initialised):
            self._start_from(x)
        weight = self.rotation * self.log_scale.exp()
        bias = -(weight @ self.shift)
        z = functional.conv2d(x, weight[:, :, None, None], bias)
        return z, self.log_scale.sum() * (x.shape[2] * x.shape[3])

    def inverse(self, z: Tensor) -> Tensor:
        """Return the map that forward came from."""
        # Stored in single precision the rotation is orthogonal to 1e-7 only. One Newton step makes
        # its transpose the inverse to 1e-14, which the reference in double precision rests on.
        transpose = self.rotation.T
        unrotate = 2 * transpose - transpose @ self.rotation @ transpose
        x = functional.conv2d(z, unrotate[:, :, None, None].contiguous())
        scale, shift = (-self.log_scale).exp(), self.shift
        return x * scale[:, None, None] + shift[:, None, None]


class AdditiveCoupling(nn.Module):
    """Add to one half of the channels what a small network reads off the other half.

    Volume-preserving and exactly invertible whatever the network is (Dinh et al. 2014,
    doi:10.48550/arXiv.1410.8516; Gomez et al. 2017, doi:10.48550/arXiv.1707.04585). The last
    convolution starts at zero, so the layer starts as the identity.

    Parameters
    ----------
    channels : int
        Channels of the map, at least 2.
    hidden : int
        Channels inside the small network.
    """

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.kept = channels // 2
        last = nn.Conv2d(hidden, channels - self.kept, 3, padding=1)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(cast("Tensor", last.bias))
        self.network = nn.Sequential(
            nn.Conv2d(self.kept, hidden, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(hidden, hidden, 1),
            nn.SiLU(),
            last,
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the coupled map; the log-determinant is zero."""
        kept, changed = x[:, : self.kept], x[:, self.kept :]
        return torch.cat([kept, changed + self.network(kept)], 1)

    def inverse(self, z: Tensor) -> Tensor:
        """Return the map that forward came from."""
        kept, changed = z[:, : self.kept], z[:, self.kept :]
        return torch.cat([kept, changed - self.network(kept)], 1)


class FlowStep(nn.Module):
    """One block: normalised mixing, then an additive coupling."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.mixing = NormalisedMixing(channels)
        self.coupling = AdditiveCoupling(channels, hidden)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the map and the log-determinant."""
        mixed, log_determinant = self.mixing(x)
        return self.coupling(mixed), log_determinant

    def inverse(self, z: Tensor) -> Tensor:
        """Return the map that forward came from."""
        return self.mixing.inverse(self.coupling.inverse(z))
