"""Spectral norms of zero-padded convolutions, at the size of the map they work on.

The norm of the unrolled kernel is not the norm of the convolution: it can be several times too
small or too large. Here the convolution itself and its adjoint are applied to maps.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from counterstain.errors import NotInvertibleError

__all__ = ["NormedConvolution", "convolution_norm"]

_SUBSPACE = 8
_ITERATIONS = 400
_CONVERGED = 1e-5
_PATIENCE = 4
# Power iteration approaches the norm from below; what is left when it has settled is far less.
_MARGIN = 1.01
_TINY = 1e-30


def _apply(weight: Tensor, maps: Tensor) -> Tensor:
    return functional.conv2d(maps, weight, padding=weight.shape[-1] // 2)


def _apply_adjoint(weight: Tensor, maps: Tensor) -> Tensor:
    return functional.conv_transpose2d(maps, weight, padding=weight.shape[-1] // 2)


def _orthonormal(maps: Tensor) -> Tensor:
    basis: Tensor = torch.linalg.qr(maps.flatten(1).T)[0]
    return basis.T.reshape(-1, *maps.shape[1:])


@torch.no_grad()
def convolution_norm(weight: Tensor, side: int, start: Tensor | None = None) -> float:
    """Largest singular value of a zero-padded convolution on a square map, to within 1 %.

    Subspace iteration: power iteration on eight orthonormal maps at once, which converges also
    where the largest singular values lie close together, and cannot start blind to the largest.
    It runs until the norm has settled to 1e-5.

    Parameters
    ----------
    weight : Tensor
        ``(out, in, k, k)`` with odd k; the padding is ``k // 2``.
    side : int
        Height and width of the map.
    start : Tensor, optional
        ``(1, in, side, side)`` map near the first singular vector.

    Returns
    -------
    float
        The norm as iterated, approached from below; infinite where the weights are not finite.

    Examples
    --------
    >>> identity = torch.zeros(1, 1, 3, 3)
    >>> identity[0, 0, 1, 1] = 2.0
    >>> round(convolution_norm(identity, 8), 4)
    2.0
    """
    if not bool(torch.isfinite(weight).all()):
        return math.inf
    with torch.autocast(weight.device.type, enabled=False):
        # Scaled first, so that neither tiny nor huge weights leave the range of the floats.
        largest = float(weight.abs().max())
        if largest == 0:
            return 0.0
        scaled = weight.detach().float() / largest
        return largest * _subspace_norm(scaled, side, start)


def _subspace_norm(weight: Tensor, side: int, start: Tensor | None) -> float:
    inputs = weight.shape[1]
    count = min(_SUBSPACE, inputs * side * side)
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(count, inputs, side, side, generator=generator).to(weight)
    if start is not None and bool(torch.isfinite(start).all()) and float(start.norm()) > 0:
        maps[:1] = start.detach().to(weight) * (maps[0].norm() / start.norm())
    norm, settled = 0.0, 0
    for _ in range(_ITERATIONS):
        images = _apply(weight, _orthonormal(maps))
        gram = images.flatten(1) @ images.flatten(1).T
        now = math.sqrt(max(0.0, float(torch.linalg.eigvalsh(gram.double())[-1])))
        settled = settled + 1 if now <= norm * (1 + _CONVERGED) else 0
        norm = max(norm, now)
        if settled >= _PATIENCE:
            break
        maps = _apply_adjoint(weight, images)
    return norm


class NormedConvolution(nn.Module):
    """A zero-padded convolution whose spectral norm never exceeds a limit.

    The weights are divided by ``max(1, sigma / limit)``. In training sigma, the norm, follows
    by normalised power iteration that is kept warm from step to step (Miyato et al. 2018,
    doi:10.48550/arXiv.1802.05957; on the convolution itself: Gouk et al. 2021,
    doi:10.1007/s10994-020-05929-w). In evaluation it is iterated until it converges, and a margin
    of 1 % is added; the result is kept until a weight changes, by whatever means.

    Parameters
    ----------
    inputs, outputs, kernel : int
        As of a convolution; odd `kernel`.
    side : int
        Height and width of the map.
    limit : float
        Largest spectral norm.

    Examples
    --------
    >>> _ = torch.manual_seed(0)
    >>> layer = NormedConvolution(3, 5, 3, side=8, limit=0.5).eval()
    >>> with torch.no_grad():
    ...     _ = layer.weight.mul_(100)
    >>> round(convolution_norm(layer.normed_weight(torch.float32), 8), 2)
    0.5
    """

    direction: Tensor

    def __init__(self, inputs: int, outputs: int, kernel: int, side: int, limit: float) -> None:
        super().__init__()
        reference = nn.Conv2d(inputs, outputs, kernel)
        self.weight = nn.Parameter(reference.weight.detach().clone())
        self.bias = nn.Parameter(torch.zeros(outputs))
        # A 1x1 convolution does the same at every place: one place tells its norm.
        self.side = side if kernel > 1 else 1
        self.limit = limit
        start = torch.randn(1, inputs, self.side, self.side)
        self.register_buffer("direction", start / start.norm())
        self._known: tuple[Tensor, float] | None = None

    def _warm_norm(self) -> Tensor:
        """One step of power iteration; the norm carries the gradient to the weights."""
        with torch.autocast(self.weight.device.type, enabled=False):
            with torch.no_grad():
                image = _apply(self.weight, self.direction)
                back = _apply_adjoint(self.weight, image)
                self.direction.copy_(back / back.norm().clamp_min(_TINY))
            norm: Tensor = _apply(self.weight, self.direction).norm()
            return norm

    @torch.no_grad()
    def norm(self) -> float:
        """Return an upper estimate of the spectral norm of the raw weights: converged, plus 1 %."""
        if self._known is None or not _same(self._known[0], self.weight):
            norm = _MARGIN * convolution_norm(self.weight, self.side, self.direction)
            if not math.isfinite(norm):
                raise NotInvertibleError(
                    "The weights of the network must be finite; some are not, so it has no "
                    "inverse: load a checkpoint of a training that ended well."
                )
            self._known = (self.weight.detach().clone(), norm)
        return self._known[1]

    def lipschitz(self) -> float:
        """Return the upper estimate of the norm of the weights as used."""
        return min(self.norm(), self.limit)

    def normed_weight(self, dtype: torch.dtype) -> Tensor:
        """Return the weights as used, ``(out, in, k, k)``."""
        if self.training:
            norm = self._warm_norm()
            return self.weight / (norm / self.limit).clamp_min(1.0)
        return self.weight.to(dtype) / max(1.0, self.norm() / self.limit)


def _same(known: Tensor, weight: Tensor) -> bool:
    return (
        known.device == weight.device
        and known.dtype == weight.dtype
        and bool(torch.equal(known, weight))
    )
