"""Images that nobody took: samples of a class, and morphs between two images."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from counterstain.errors import InvalidInputError, NotInvertibleError
from counterstain.networks.base import Classifier
from counterstain.networks.generative import GenerativeClassifier
from counterstain.networks.invertible import InvertibleNetwork

__all__ = ["Morphs", "Samples", "morph_images", "sample_images"]


@dataclass(frozen=True, slots=True)
class Samples:
    """Images drawn from a network's model of a class.

    Parameters
    ----------
    images : Tensor
        ``(N, C, H, W)`` as decoded: no value is cut off.
    error_bound : Tensor
        ``(N,)`` largest absolute error of a pixel by which the inverse can be wrong.
    outside : Tensor
        ``(N,)`` whether the image holds intensities beyond the trained range, as
        :meth:`~counterstain.networks.domain.TrainedDomain.outside` judges it.
    temperature : float
        Spread of the latents, in shares of what the network was trained on.
    """

    images: Tensor
    error_bound: Tensor
    outside: Tensor
    temperature: float

    @property
    def n_outside(self) -> int:
        """Images with intensities beyond the trained range."""
        return int(self.outside.sum())


@dataclass(frozen=True, slots=True)
class Morphs:
    """Images between pairs of images.

    Parameters
    ----------
    images : Tensor
        ``(N, S, C, H, W)``; the first and the last of each row are the originals themselves.
    error_bound : Tensor
        ``(N, S)`` as the network states it, see its `error_kind`.
    """

    images: Tensor
    error_bound: Tensor


def _check_sampling(
    network: Classifier, class_index: int, count: int, temperature: float
) -> InvertibleNetwork:
    if not isinstance(network, InvertibleNetwork):
        remedy = 'train `model.network = "coupling"` for samples.'
        if isinstance(network, GenerativeClassifier):
            remedy = "it makes morphs and reconstructions only; " + remedy
        raise InvalidInputError(
            "`network` must have a likelihood to draw samples from; "
            f"{network.arguments.get('network')!r} has none: {remedy}"
        )
    if not 0 <= class_index < network.n_classes:
        raise InvalidInputError(
            f"`class_index` must be from 0 to {network.n_classes - 1}; got {class_index}: the "
            "network knows no other class."
        )
    if count < 1:
        raise InvalidInputError(f"`count` must be at least 1; got {count}.")
    if not (math.isfinite(temperature) and temperature >= 0):
        raise InvalidInputError(
            f"`temperature` must be 0 or more; got {temperature}: 1 is the spread of the training "
            "images, 0.7 gives cleaner ones."
        )
    return network


@torch.no_grad()
def sample_images(
    network: Classifier,
    class_index: int,
    count: int,
    *,
    temperature: float,
    seed: int,
    tolerance: float = 1e-4,
) -> Samples:
    """Draw images of a class: its mean latents plus noise, decoded.

    Nothing is cut off and nothing is drawn again; how many images hold intensities that training
    never saw is counted in the result.

    Parameters
    ----------
    network : Classifier
        An invertible network.
    class_index : int
        The class.
    count : int
        Images to draw.
    temperature : float
        Standard deviation of the noise; below 1 the images are more typical and less varied
        (Kingma and Dhariwal 2018, doi:10.48550/arXiv.1807.03039).
    seed : int
        Makes the images repeat.
    tolerance : float
        Largest error of a pixel that is let through, in units of the image range.

    Returns
    -------
    Samples
        The images.

    Raises
    ------
    InvalidInputError
        If the network has no likelihood, or a number is out of range.
    NotInvertibleError
        If the error bound of an image is above the tolerance.

    Examples
    --------
    >>> from counterstain.networks import build_network
    >>> _ = torch.manual_seed(0)
    >>> network = build_network("coupling", channels=1, size=8, n_classes=2, hidden=4, blocks=1)
    >>> drawn = sample_images(network.eval(), 1, 3, temperature=0.7, seed=0)
    >>> tuple(drawn.images.shape), drawn.n_outside
    ((3, 1, 8, 8), 0)
    """
    invertible = _check_sampling(network, class_index, count, temperature)
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(count, invertible.n_latents, generator=generator).to(invertible.device)
    mean = invertible.spread(invertible.class_means[class_index : class_index + 1])
    decoded = invertible.decode_with_bound(mean + temperature * noise)
    worst = float(decoded.error_bound.max())
    if not worst <= tolerance:
        raise NotInvertibleError(
            f"Samples must decode to within {tolerance:g} of the image range; the error bound is "
            f"{worst:.3g}: no picture is made from them. Lower `temperature` (now "
            f"{temperature:g}), or train the network with a lower learning rate."
        )
    outside = _outside(invertible, decoded.images)
    return Samples(decoded.images, decoded.error_bound, outside, temperature)


def _outside(network: Classifier, images: Tensor) -> Tensor:
    """Judge by the trained range where it is known; else only refuse what is no number."""
    if bool(network.domain.fitted):
        return network.domain.outside(images)
    return ~torch.isfinite(images).flatten(1).all(1)


def _between(network: GenerativeClassifier, first: Tensor, second: Tensor, share: float) -> Tensor:
    """Return latents a share of the way.

    Gaussian latents lie near a sphere: the straight line between two of them passes through
    less-than-typical, empty images, the arc does not (White 2016, doi:10.48550/arXiv.1609.04468).
    """
    if not isinstance(network, InvertibleNetwork):
        return torch.lerp(first, second, share)
    lengths = [z.norm(dim=1, keepdim=True).clamp_min(1e-12) for z in (first, second)]
    a, b = first / lengths[0], second / lengths[1]
    angle = (a * b).sum(1, keepdim=True).clamp(-1, 1).acos()
    # Nearly parallel latents: the arc is the line, and its formula divides by zero.
    safe = angle.sin().clamp_min(1e-6)
    arc = ((1 - share) * angle).sin() / safe * a + (share * angle).sin() / safe * b
    arc = torch.where(angle.sin() > 1e-4, arc, torch.lerp(a, b, share))
    return arc * torch.lerp(lengths[0], lengths[1], share)


@torch.no_grad()
def morph_images(network: Classifier, first: Tensor, second: Tensor, steps: int) -> Morphs:
    """Turn images into others through the latents.

    Parameters
    ----------
    network : Classifier
        A network that runs both ways.
    first, second : Tensor
        ``(N, C, H, W)`` images, a row a pair.
    steps : int
        Images a pair, both ends among them; at least 2.

    Returns
    -------
    Morphs
        The ends are the originals. Where the network only reconstructs, what its reconstructions
        of the two ends miss is faded from one into the other.

    Raises
    ------
    InvalidInputError
        If the network cannot be run backwards, the images differ in shape, or `steps` is below 2.

    Examples
    --------
    >>> from counterstain.networks import build_network
    >>> _ = torch.manual_seed(0)
    >>> network = build_network("coupling", channels=1, size=8, n_classes=2, hidden=4, blocks=1)
    >>> pair = torch.rand(2, 1, 1, 8, 8)
    >>> morph_images(network.eval(), pair[0], pair[1], 5).images.shape
    torch.Size([1, 5, 1, 8, 8])
    """
    if not isinstance(network, GenerativeClassifier):
        raise InvalidInputError(
            f"`network` must run both ways; got {network.arguments.get('network')!r}: train "
            '`model.network = "coupling"` for morphs.'
        )
    if first.shape != second.shape:
        raise InvalidInputError(
            f"`first` and `second` must have one shape; got {tuple(first.shape)} and "
            f"{tuple(second.shape)}: give a pair a row."
        )
    if steps < 2:
        raise InvalidInputError(f"`steps` must be at least 2, the two ends; got {steps}.")
    ends = network.encode(first), network.encode(second)
    images, bounds = [first], [first.new_zeros(len(first))]
    for step in range(1, steps - 1):
        share = step / (steps - 1)
        latents = _between(network, *ends, share)
        towards = network.edited(first, ends[0], latents)
        back = network.edited(second, ends[1], latents)
        images.append(torch.lerp(towards.images, back.images, share))
        bounds.append(torch.maximum(towards.error_bound, back.error_bound))
    images.append(second)
    bounds.append(second.new_zeros(len(second)))
    return Morphs(torch.stack(images, 1), torch.stack(bounds, 1))
