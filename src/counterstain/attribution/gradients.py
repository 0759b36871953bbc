"""Maps from the gradient of a score alone: saliency, and its average over noisy copies."""

from __future__ import annotations

from functools import partial

import torch
from captum.attr import NoiseTunnel, Saliency
from torch import Tensor

from counterstain.attribution.slices import finished, over_slices, slice_length
from counterstain.attribution.target import (
    ExplainedScore,
    Model,
    as_it_was,
    check_inputs,
    explained_score,
)
from counterstain.errors import InvalidInputError

__all__ = ["saliency", "smooth_grad"]


def saliency(
    model: Model,
    images: Tensor,
    target_class: int | str | None,
    *,
    absolute: bool = False,
    score: ExplainedScore = "logit",
    against: int | str | None = None,
    minibatch_size: int | None = None,
) -> Tensor:
    """Return the gradient of the score with respect to each pixel.

    It tells what an infinitesimal change of a pixel would do, not what the pixel contributes: a
    bright cell can matter and have no gradient. (Simonyan et al. 2014,
    doi:10.48550/arXiv.1312.6034; computed by captum.)

    Parameters
    ----------
    model : Classifier, torch.nn.Module or callable
        See :func:`~counterstain.attribution.target.explained_score`.
    images : Tensor
        ``(N, C, H, W)`` floats, or any shape ``(N, ...)`` for a plain model.
    target_class : int, str or None
        The class whose score is explained.
    absolute : bool
        Return magnitudes, as the paper does. The sign, which says whether brighter speaks for or
        against the class, is then lost.
    score, against
        See :func:`~counterstain.attribution.target.explained_score`.
    minibatch_size : int, optional
        Images at once; by default what fits some 260,000 values.

    Returns
    -------
    Tensor
        Float32 of the images' shape, score per unit of intensity.

    Raises
    ------
    InvalidInputError
        If the class does not exist, images do not fit, or scores are not finite.

    Examples
    --------
    >>> model = lambda images: images.flatten(1) @ torch.tensor([[1.0], [-2.0]])
    >>> saliency(model, torch.ones(1, 1, 1, 2), 0).flatten().tolist()
    [1.0, -2.0]
    """
    images = check_inputs(model, images)
    method = Saliency(explained_score(model, target_class, score=score, against=against))
    with as_it_was(model), torch.enable_grad():
        maps = over_slices(
            lambda part: method.attribute(part.clone().requires_grad_(), abs=absolute).detach(),
            slice_length(images, minibatch_size),
            images,
        )
    return finished(maps)


def smooth_grad(
    model: Model,
    images: Tensor,
    target_class: int | str | None,
    *,
    seed: int,
    samples: int = 16,
    noise: float = 0.1,
    score: ExplainedScore = "logit",
    against: int | str | None = None,
    minibatch_size: int | None = None,
) -> Tensor:
    """Return the gradient averaged over noisy copies of each image (SmoothGrad).

    It suppresses what is grain of the gradient rather than of the image; it costs `samples`
    gradients. (Smilkov et al. 2017, doi:10.48550/arXiv.1706.03825; computed by captum.)

    Parameters
    ----------
    model, images, target_class, score, against, minibatch_size
        As for :func:`saliency`.
    seed : int
        Seed of the noise.
    samples : int
        Noisy copies of an image, at least 1.
    noise : float
        Standard deviation of the noise in units of the images (1 is the range of the plate's
        negative controls), at least 0.

    Returns
    -------
    Tensor
        Float32 of the images' shape, score per unit of intensity, signed.

    Raises
    ------
    InvalidInputError
        If a number is out of range, or as for :func:`saliency`.

    Examples
    --------
    >>> model = lambda images: images.flatten(1).square().sum(1, keepdim=True)
    >>> smooth_grad(model, torch.ones(1, 1, 1, 2), 0, seed=0, noise=0.0).flatten().tolist()
    [2.0, 2.0]
    """
    if samples < 1 or not 0 <= noise < float("inf"):
        raise InvalidInputError(
            f"`samples` must be at least 1 and `noise` a finite number from 0 on; got {samples} "
            f"and {noise}: 16 copies with noise 0.1 are a start."
        )
    images = check_inputs(model, images)
    method = NoiseTunnel(
        Saliency(explained_score(model, target_class, score=score, against=against))
    )
    length = slice_length(images, minibatch_size)
    attribute = partial(
        method.attribute,
        nt_type="smoothgrad",
        nt_samples=samples,
        nt_samples_batch_size=max(1, min(samples, length // min(length, len(images)))),
        stdevs=float(noise),
        abs=False,
    )
    # The noise is drawn from torch's global generator, which is put back.
    with as_it_was(model), torch.enable_grad(), torch.random.fork_rng():
        torch.manual_seed(seed)
        maps = over_slices(
            lambda part: attribute(part.clone().requires_grad_()).detach(), length, images
        )
    return finished(maps)
