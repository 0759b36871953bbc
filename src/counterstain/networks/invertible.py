"""The contract of invertible networks: nothing is lost, and every image has a likelihood."""

from __future__ import annotations

import copy
import math
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from counterstain.networks.generative import Decoded, GenerativeClassifier

__all__ = ["InvertibleNetwork"]

# Ten times a float64 round trip covers its own rounding: all the reference can be wrong by.
_REFERENCE_SAFETY = 10.0
# Rounding differs from pass to pass; its largest effect on an image varies by far less than this.
_ROUNDING_SAFETY = 10.0


class InvertibleNetwork(GenerativeClassifier):
    """A classifier that keeps all it sees, and so can be run backwards.

    Subclasses implement :meth:`transform` and :meth:`inverse_transform` on latent maps
    ``(N, c, h, w)``; this class adds the class-conditional prior, which is likelihood and
    classifier at once.

    Notes
    -----
    The latents of class k are modelled as a Gaussian of unit variance around a mean ``m_k``
    that is the same at every place, or at every place of a ring r with the share ``a_r`` of all
    places. The log-ratio of two classes is then linear in the spatial means ``z_r``:

    ``l_k = t * sum_r a_r (m_kr . z_r - |m_kr|**2 / 2)``

    with a learned temperature t, since the places of an image are not independent
    pieces of evidence. The normal of the boundary is the difference of the class means, so moving
    along it is moving from one class's typical latents to the other's. Class-conditional priors:
    Ardizzone et al. 2020, doi:10.48550/arXiv.2001.06448.
    """

    def __init__(self, arguments: Mapping[str, Any], latent_shape: tuple[int, int, int]) -> None:
        super().__init__(arguments, latent_shape)
        self.class_means = nn.Parameter(0.05 * torch.randn(self.n_classes, self.width))
        self.log_temperature = nn.Parameter(torch.zeros(()))

    @abstractmethod
    def transform(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Map images to latent maps ``(N, c, h, w)`` and the log-determinant ``(N,)`` in nats."""

    @abstractmethod
    def inverse_transform(self, maps: Tensor) -> Tensor:
        """Map latent maps ``(N, c, h, w)`` back to images."""

    def encode(self, images: Tensor) -> Tensor:
        """Return all latents ``(N, D)`` of images ``(N, C, H, W)``."""
        self.check_images(images)
        return self.transform(images)[0].flatten(1)

    def decode_unchecked(self, latents: Tensor) -> Tensor:
        """Return images of latents ``(N, D)`` without a bound."""
        return self.inverse_transform(self.maps(latents))

    @torch.no_grad()
    def decode_with_bound(self, latents: Tensor) -> Decoded:
        """Return images and their a-posteriori error bound, whatever it is.

        The inverse is computed in float64, and its own round trip, times ten, covers what it can
        be wrong by. The latents come from a float32 encoder: how far its rounding moves pixels is
        measured by encoding the images again, and counts ten times.
        """
        maps = self.maps(latents)
        # Apple's GPUs have no float64.
        place = torch.device("cpu") if maps.device.type == "mps" else maps.device
        reference = copy.deepcopy(self).to(place).double()
        exact = reference.inverse_transform(maps.to(place, torch.float64))
        again = reference.inverse_transform(reference.transform(exact)[0])
        images = exact.to(torch.float32)
        encoded = self.transform(images.to(maps.device))[0]
        rounded = reference.inverse_transform(encoded.to(place, torch.float64))
        error = (
            _REFERENCE_SAFETY * (again - exact).abs() + _ROUNDING_SAFETY * (rounded - exact).abs()
        )
        bound = torch.nan_to_num(error.flatten(1).amax(1), nan=math.inf)
        return Decoded(images.to(maps.device), bound.to(maps.device, torch.float32))

    def head(self) -> tuple[Tensor, Tensor]:
        """Return weights ``(K, width)`` and offsets ``(K,)``: log-ratio of the class priors."""
        weights = self.log_temperature.exp() * self.class_means
        if len(self.ring_shares) > 1:
            weights = weights * self.ring_shares.repeat_interleave(self.latent_shape[0])
        return weights, -(weights * self.class_means).sum(1) / 2

    def typicality(self, images: Tensor) -> Tensor:
        """Return the log-density of images, ``(N,)`` in nats."""
        return self.log_prob(images)

    def log_prob_by_class(self, maps: Tensor, log_determinant: Tensor) -> Tensor:
        """Log-density ``(N, K)`` in nats of images given each class, from their latent maps."""
        centred = maps.unsqueeze(1) - self.spread_maps(self.class_means)
        energy = centred.pow(2).flatten(2).sum(2) / 2
        constant = 0.5 * self.n_latents * math.log(2 * math.pi)
        return log_determinant.unsqueeze(1) - energy - constant

    def log_prob(self, images: Tensor) -> Tensor:
        """Log-density ``(N,)`` of images in nats, classes equally likely, in the images' scale."""
        self.check_images(images)
        by_class = self.log_prob_by_class(*self.transform(images))
        return torch.logsumexp(by_class, 1) - math.log(self.n_classes)
