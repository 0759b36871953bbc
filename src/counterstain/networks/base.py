"""The contracts that every network keeps.

A :class:`Classifier` answers with logits and a profile. An :class:`InvertibleNetwork` also maps an
image to latents and back without loss, gives a likelihood, and its logits are linear in the
spatially averaged latents: the decision boundary is a plane, and one edit applies at every place.
"""

from __future__ import annotations

import copy
import math
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from counterstain.errors import InvalidInputError, NotInvertibleError

__all__ = ["Classifier", "Decoded", "InvertibleNetwork"]

# Ten times a float64 round trip covers its own rounding: all the reference can be wrong by.
_REFERENCE_SAFETY = 10.0


class Decoded(NamedTuple):
    """Decoded images and how wrong each can be.

    Parameters
    ----------
    images : Tensor
        ``(N, C, H, W)`` float32.
    error_bound : Tensor
        ``(N,)`` largest absolute error of a pixel, in units of the image range.
    """

    images: Tensor
    error_bound: Tensor


class Classifier(nn.Module):
    """A network with logits for images.

    Parameters
    ----------
    arguments : mapping
        What :func:`counterstain.networks.build_network` needs to build the same network again:
        ``network``, ``channels``, ``size``, ``n_classes`` and options of the kind. JSON-ready.

    Attributes
    ----------
    channels, size, n_classes : int
        Image channels, image height and width in pixels, classes.
    """

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        super().__init__()
        self.arguments = dict(arguments)
        self.channels = int(arguments["channels"])
        self.size = int(arguments["size"])
        self.n_classes = int(arguments["n_classes"])

    @abstractmethod
    def logits_and_profile(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits ``(N, K)`` and features ``(N, P)`` of images ``(N, C, H, W)``, in one pass."""

    def class_logits(self, images: Tensor) -> Tensor:
        """Logits of images ``(N, C, H, W)`` as ``(N, K)``."""
        return self.logits_and_profile(images)[0]

    def profile(self, images: Tensor) -> Tensor:
        """Features of images ``(N, C, H, W)`` as ``(N, P)``, one row an image."""
        return self.logits_and_profile(images)[1]

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device

    def check_images(self, images: Tensor) -> None:
        """Refuse images of another shape than the network was built for.

        Raises
        ------
        InvalidInputError
            If the images are not ``(N, channels, size, size)`` floats.
        """
        expected = (self.channels, self.size, self.size)
        got = tuple(images.shape)
        if len(got) != 4 or got[1:] != expected:
            hint = "pass images as (N, C, H, W), cut to the size the network was trained on."
            if len(got) == 4 and got[-1] == self.channels and got[1] == got[2]:
                hint = "channels look last: pass `images.permute(0, 3, 1, 2)`."
            raise InvalidInputError(
                f"`images` must be (N, {expected[0]}, {expected[1]}, {expected[2]}); got {got}: "
                + hint
            )
        if not images.is_floating_point():
            raise InvalidInputError(
                f"`images` must be floats scaled by the plate's percentiles; got {images.dtype}: "
                "scale them with the scaling of the crop store."
            )


class InvertibleNetwork(Classifier):
    r"""A classifier that keeps all it sees, and so can be run backwards.

    Subclasses implement :meth:`transform` and :meth:`inverse_transform` on latent maps
    ``(N, c, h, w)``; this class adds the class-conditional prior, which is likelihood and
    classifier at once.

    Notes
    -----
    The latents of class k are modelled as a Gaussian of unit variance around a mean :math:`\mu_k`
    that is the same at every place. The log-ratio of two classes is then linear in the spatial
    mean :math:`\bar z`:

    .. math:: \ell_k = \tau\,(\mu_k \cdot \bar z - \tfrac12 \lVert\mu_k\rVert^2)

    with a learned temperature :math:`\tau`, since the places of an image are not independent
    pieces of evidence. The normal of the boundary is the difference of the class means, so moving
    along it is moving from one class's typical latents to the other's. Class-conditional priors:
    Ardizzone et al. 2020, doi:10.48550/arXiv.2001.06448.
    """

    def __init__(self, arguments: Mapping[str, Any], latent_shape: tuple[int, int, int]) -> None:
        super().__init__(arguments)
        self.latent_shape = latent_shape
        self.class_means = nn.Parameter(0.05 * torch.randn(self.n_classes, latent_shape[0]))
        self.log_temperature = nn.Parameter(torch.zeros(()))

    @abstractmethod
    def transform(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Map images to latent maps ``(N, c, h, w)`` and the log-determinant ``(N,)`` in nats."""

    @abstractmethod
    def inverse_transform(self, maps: Tensor) -> Tensor:
        """Map latent maps ``(N, c, h, w)`` back to images."""

    @property
    def n_latents(self) -> int:
        """Latents an image, equal to its pixels times channels."""
        return math.prod(self.latent_shape)

    def _maps(self, latents: Tensor) -> Tensor:
        if latents.ndim != 2 or latents.shape[1] != self.n_latents:
            raise InvalidInputError(
                f"`latents` must be (N, {self.n_latents}); got {tuple(latents.shape)}: pass what "
                "`encode` of this network returned."
            )
        return latents.reshape(-1, *self.latent_shape)

    def encode(self, images: Tensor) -> Tensor:
        """Return all latents ``(N, D)`` of images ``(N, C, H, W)``."""
        self.check_images(images)
        return self.transform(images)[0].flatten(1)

    def decode(self, latents: Tensor, *, tolerance: float = 1e-4) -> Tensor:
        """Return the images ``(N, C, H, W)`` of latents, or refuse.

        Parameters
        ----------
        latents : Tensor
            ``(N, D)`` as :meth:`encode` returns them.
        tolerance : float
            Largest error of a pixel that is let through, in units of the image range.

        Raises
        ------
        NotInvertibleError
            If the error bound of an image is above the tolerance.
        """
        decoded = self.decode_with_bound(latents)
        worst = float(decoded.error_bound.max()) if len(latents) else 0.0
        if not worst <= tolerance:
            raise NotInvertibleError(
                f"`latents` must decode to within {tolerance:g} of the image range; the error "
                f"bound is {worst:.3g}: no picture is made from them. Move them less far, or train "
                "the network with a lower learning rate."
            )
        return decoded.images

    @torch.no_grad()
    def decode_with_bound(self, latents: Tensor) -> Decoded:
        """Return images and their a-posteriori error bound, whatever it is.

        The same inverse is computed in float64; its own round trip, times ten, covers what the
        reference itself can be wrong by.
        """
        maps = self._maps(latents)
        images = self.inverse_transform(maps)
        if maps.device.type == "mps":  # no float64 there
            reference = copy.deepcopy(self).cpu().double()
        else:
            reference = copy.deepcopy(self).double()
        exact = reference.inverse_transform(maps.to(reference.device, torch.float64))
        again = reference.inverse_transform(reference.transform(exact)[0])
        error = (images.to(exact) - exact).abs().flatten(1).amax(1)
        slack = _REFERENCE_SAFETY * (again - exact).abs().flatten(1).amax(1)
        bound = torch.nan_to_num(error + slack, nan=math.inf)
        return Decoded(images, bound.to(images.device, torch.float32))

    def logits(self, latents: Tensor) -> Tensor:
        """Logits ``(N, K)`` of latents ``(N, D)``; linear in the spatially averaged latents."""
        return self.logits_of_means(self._maps(latents).mean((2, 3)))

    def logits_of_means(self, means: Tensor) -> Tensor:
        """Logits ``(N, K)`` of spatially averaged latents ``(N, c)``."""
        offset = self.class_means.pow(2).sum(1) / 2
        return self.log_temperature.exp() * (means @ self.class_means.T - offset)

    def log_prob_by_class(self, maps: Tensor, log_determinant: Tensor) -> Tensor:
        """Log-density ``(N, K)`` in nats of images given each class, from their latent maps."""
        centred = maps.unsqueeze(1) - self.class_means[None, :, :, None, None]
        energy = centred.pow(2).flatten(2).sum(2) / 2
        constant = 0.5 * self.n_latents * math.log(2 * math.pi)
        return log_determinant.unsqueeze(1) - energy - constant

    def log_prob(self, images: Tensor) -> Tensor:
        """Log-density ``(N,)`` of images in nats, classes equally likely, in the images' scale."""
        self.check_images(images)
        by_class = self.log_prob_by_class(*self.transform(images))
        return torch.logsumexp(by_class, 1) - math.log(self.n_classes)

    def logits_and_profile(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits ``(N, K)`` and spatially averaged latents ``(N, c)`` of images."""
        self.check_images(images)
        means = self.transform(images)[0].mean((2, 3))
        return self.logits_of_means(means), means

    def direction(self, source: int, target: int) -> tuple[Tensor, float]:
        """Return the normal of the boundary between two classes, and the logit gained along it.

        Returns
        -------
        direction : Tensor
            ``(D,)`` unit step to add to latents; the same at every place.
        gain : float
            Change of ``logit[target] - logit[source]`` when the whole direction is added.
        """
        step = (self.class_means[target] - self.class_means[source]).detach()
        gain = float(self.log_temperature.detach().exp() * step.pow(2).sum())
        maps = step[:, None, None].expand(self.latent_shape)
        return maps.reshape(-1), gain
