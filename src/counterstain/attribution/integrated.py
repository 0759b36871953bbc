"""Integrated gradients: what each pixel adds to the score on the way from a baseline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from captum.attr import IntegratedGradients
from torch import Tensor

from counterstain.attribution.slices import baseline_like, finished, over_slices, slice_length
from counterstain.attribution.target import (
    ExplainedScore,
    Model,
    as_it_was,
    check_inputs,
    explained_score,
)
from counterstain.errors import InvalidInputError

__all__ = ["Quadrature", "integrated_gradients"]

Quadrature = Literal[
    "gausslegendre", "riemann_left", "riemann_right", "riemann_middle", "riemann_trapezoid"
]


def integrated_gradients(
    model: Model,
    images: Tensor,
    target_class: int | str | None,
    *,
    baseline: float | Sequence[float] | Tensor = 0.0,
    steps: int = 32,
    method: Quadrature = "gausslegendre",
    multiply_by_inputs: bool = True,
    score: ExplainedScore = "logit",
    against: int | str | None = None,
    minibatch_size: int | None = None,
) -> Tensor:
    """Return how much each pixel adds to the score, from a baseline to the image.

    ``a_i = (x_i - b_i)`` times the mean of ``df / dx_i`` at ``b + t (x - b)``, t from 0 to 1.

    The map of an image sums to the score of the image minus that of the baseline (completeness),
    up to the error of the integral. What the baseline is decides what is explained: a pixel that
    equals it gets nothing. (Sundararajan et al. 2017, doi:10.48550/arXiv.1703.01365; computed by
    captum.)

    Parameters
    ----------
    model, images, target_class, score, against
        As for :func:`~counterstain.attribution.gradients.saliency`.
    baseline : float, sequence of float or Tensor
        What stands for "nothing there": a number, a number each channel, or a tensor of the shape
        of one image or of all. 0 is the background of images that are scaled by the plate.
    steps : int
        Points of the integral, at least 2.
    method : str
        How the integral is taken: ``gausslegendre``, most exact for smooth networks, or
        ``riemann_left``, ``riemann_right``, ``riemann_middle``, ``riemann_trapezoid``.
    multiply_by_inputs : bool
        Without it the integral alone is returned: a sensitivity, not a contribution.
    minibatch_size : int, optional
        Points of images through the model at once.

    Returns
    -------
    Tensor
        Float32 of the images' shape, in units of the score, signed.

    Raises
    ------
    InvalidInputError
        If the baseline has another shape or a setting is out of range, or as for saliency.

    Examples
    --------
    >>> model = lambda images: images.flatten(1).square().sum(1, keepdim=True)
    >>> maps = integrated_gradients(model, torch.tensor([[[[1.0, 2.0]]]]), 0)
    >>> [round(value, 4) for value in maps.flatten().tolist()]
    [1.0, 4.0]
    """
    if method not in get_args(Quadrature):
        raise InvalidInputError(
            f"`method` must be one of {list(get_args(Quadrature))}; got {method!r}: "
            "'gausslegendre' is right for most."
        )
    if steps < 2:
        raise InvalidInputError(f"`steps` must be at least 2; got {steps}: 32 is a start.")
    images = check_inputs(model, images)
    baselines = baseline_like(images, baseline)
    captum = IntegratedGradients(
        explained_score(model, target_class, score=score, against=against),
        multiply_by_inputs=multiply_by_inputs,
    )
    at_once = slice_length(images, minibatch_size)
    length = max(1, at_once // steps)

    def attribute(part: Tensor, start: Tensor) -> Tensor:
        # captum wants room for both ends of the path of every image.
        room = max(at_once, 2 * len(part))
        maps: Tensor = captum.attribute(
            part, start, n_steps=steps, method=method, internal_batch_size=room
        )
        return maps.detach()

    with as_it_was(model), torch.enable_grad():
        maps = over_slices(attribute, length, images, baselines)
    return finished(maps)
