"""The contract of networks that run both ways: image to latents, and latents to image.

Their logits are linear in the spatially averaged latents: the decision boundary is a plane, and one
edit applies at every place.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from torch import Tensor

from counterstain.errors import InvalidInputError, NotInvertibleError
from counterstain.networks.base import Classifier
from counterstain.networks.places import place_rings

__all__ = ["Decoded", "GenerativeClassifier"]


class Decoded(NamedTuple):
    """Decoded images and how wrong each can be.

    Parameters
    ----------
    images : Tensor
        ``(N, C, H, W)`` float32.
    error_bound : Tensor
        ``(N,)`` largest absolute error of a pixel, in units of the image range. What it is an
        error of, the network's `error_kind` says.
    """

    images: Tensor
    error_bound: Tensor


class GenerativeClassifier(Classifier):
    """A classifier whose latents can be turned into an image again.

    Parameters
    ----------
    arguments : mapping
        As for :class:`~counterstain.networks.base.Classifier`, and ``places``: whether latents are
        averaged over ``"all"`` places (the default) or over ``"rings"`` around the centre of the
        crop (:func:`~counterstain.networks.places.place_rings`).
    latent_shape : (c, h, w)
        Shape of the latent maps of one image.

    Attributes
    ----------
    width : int
        Entries of the averaged latents: c for each ring.
    error_kind : {'inverse', 'reconstruction'}
        What `Decoded.error_bound` bounds: the error of the computed inverse, certified; or how far
        the network's reconstruction of an image is from the image.
    """

    error_kind: ClassVar[Literal["inverse", "reconstruction"]] = "inverse"

    rings: Tensor
    ring_shares: Tensor

    def __init__(self, arguments: Mapping[str, Any], latent_shape: tuple[int, int, int]) -> None:
        rings = place_rings(latent_shape[1], arguments.get("places") or "all")
        counts = torch.bincount(rings.flatten())
        width = latent_shape[0] * len(counts)
        super().__init__(arguments, width)
        self.latent_shape = latent_shape
        self.width = width
        # They follow from the arguments, so the checkpoint need not hold them.
        self.register_buffer("rings", rings, persistent=False)
        self.register_buffer("ring_shares", counts / counts.sum(), persistent=False)

    @property
    def n_latents(self) -> int:
        """Latents an image."""
        return math.prod(self.latent_shape)

    @abstractmethod
    def encode(self, images: Tensor) -> Tensor:
        """Return all latents ``(N, D)`` of images ``(N, C, H, W)``."""

    @abstractmethod
    def decode_unchecked(self, latents: Tensor) -> Tensor:
        """Return images of latents ``(N, D)`` without a bound; for trials, never for pictures."""

    @abstractmethod
    def decode_with_bound(self, latents: Tensor) -> Decoded:
        """Return images of latents ``(N, D)`` and their error bound, whatever it is."""

    @abstractmethod
    def head(self) -> tuple[Tensor, Tensor]:
        """Return weights ``(K, width)`` and offsets ``(K,)`` of the logits of averaged latents."""

    @abstractmethod
    def typicality(self, images: Tensor) -> Tensor:
        """Return how typical images ``(N, C, H, W)`` are of the training data, ``(N,)``.

        Comparable between images of one network only; more is more typical.
        """

    def decode(self, latents: Tensor, *, tolerance: float = 1e-4) -> Tensor:
        """Return the images ``(N, C, H, W)`` of latents, or refuse.

        Parameters
        ----------
        latents : Tensor
            ``(N, D)`` as :meth:`encode` returns them.
        tolerance : float
            Largest error of a pixel that is let through, in units of the image range. Networks
            that only reconstruct (`error_kind`) are not held to it.

        Raises
        ------
        NotInvertibleError
            If the error bound of an image is above the tolerance.
        """
        decoded = self.decode_with_bound(latents)
        worst = float(decoded.error_bound.max()) if len(latents) else 0.0
        if self.error_kind == "inverse" and not worst <= tolerance:
            raise NotInvertibleError(
                f"`latents` must decode to within {tolerance:g} of the image range; the error "
                f"bound is {worst:.3g}: no picture is made from them. Move them less far, or train "
                "the network with a lower learning rate."
            )
        return decoded.images

    def edited(
        self, images: Tensor, before: Tensor, after: Tensor, *, certify: bool = True
    ) -> Decoded:
        """Return images whose latents were moved from `before` to `after`.

        Parameters
        ----------
        images : Tensor
            ``(N, C, H, W)`` originals.
        before, after : Tensor
            ``(N, D)`` their latents, and the latents wanted.
        certify : bool
            Whether to bound the error; without, the bound is infinite. For trials.
        """
        if certify:
            return self.decode_with_bound(after)
        return Decoded(self.decode_unchecked(after), after.new_full((len(after),), math.inf))

    def maps(self, latents: Tensor) -> Tensor:
        """Return latents ``(N, D)`` as maps ``(N, c, h, w)``."""
        if latents.ndim != 2 or latents.shape[1] != self.n_latents:
            raise InvalidInputError(
                f"`latents` must be (N, {self.n_latents}); got {tuple(latents.shape)}: pass what "
                "`encode` of this network returned."
            )
        return latents.reshape(-1, *self.latent_shape)

    def average(self, maps: Tensor) -> Tensor:
        """Return latent maps ``(N, c, h, w)`` averaged over places, ``(N, width)`` ring by ring."""
        if len(self.ring_shares) == 1:
            return maps.mean((2, 3))
        member = torch.nn.functional.one_hot(self.rings.flatten()).to(maps.dtype)
        sums = maps.flatten(2) @ member / member.sum(0)
        return sums.transpose(1, 2).reshape(len(maps), self.width)

    def spread_maps(self, means: Tensor) -> Tensor:
        """Return averaged latents ``(N, width)`` put at every place of their ring, as maps."""
        by_ring = means.reshape(len(means), -1, self.latent_shape[0])
        if by_ring.shape[1] == 1:
            return by_ring[:, 0, :, None, None].expand(-1, *self.latent_shape)
        return by_ring[:, self.rings].permute(0, 3, 1, 2)

    def spread(self, means: Tensor) -> Tensor:
        """Return averaged latents ``(N, width)`` put at every place, as latents ``(N, D)``."""
        return self.spread_maps(means).reshape(len(means), -1)

    def logits(self, latents: Tensor) -> Tensor:
        """Logits ``(N, K)`` of latents ``(N, D)``; linear in the spatially averaged latents."""
        return self.logits_of_means(self.average(self.maps(latents)))

    def logits_of_means(self, means: Tensor) -> Tensor:
        """Logits ``(N, K)`` of spatially averaged latents ``(N, width)``."""
        weights, offsets = self.head()
        return means @ weights.T + offsets

    def logits_and_profile(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits ``(N, K)`` and spatially averaged latents ``(N, width)`` of images."""
        means = self.average(self.maps(self.encode(images)))
        return self.logits_of_means(means), means
