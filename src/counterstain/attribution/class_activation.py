"""Grad-CAM and Grad-CAM++: which places of the last maps speak for a class."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, cast

import torch
from captum.attr import (
    LayerActivation,
    LayerAttribution,
    LayerGradCam,
    LayerGradientXActivation,
)
from torch import Tensor, nn

from counterstain.attribution.map_layer import MapLayer, map_layer
from counterstain.attribution.slices import finished, over_slices, slice_length
from counterstain.attribution.target import (
    ExplainedScore,
    Model,
    Score,
    as_it_was,
    check_inputs,
    explained_score,
)
from counterstain.errors import InvalidInputError
from counterstain.networks.base import Classifier

__all__ = ["grad_cam", "grad_cam_plus_plus"]

_Weigh = Callable[[MapLayer, Score, Tensor, bool], Sequence[Tensor]]
_MODES = {3: "linear", 4: "bilinear", 5: "trilinear"}
# A layer that the score does not pass through has gradient zero, not none.
_UNUSED_IS_ZERO = {"materialize_grads": True}


def grad_cam(
    model: Model,
    images: Tensor,
    target_class: int | str | None,
    *,
    layer: nn.Module | str | None = None,
    layer_input: bool = False,
    output_index: int = 0,
    relu: bool = False,
    upsample: bool = True,
    score: ExplainedScore = "logit",
    against: int | str | None = None,
    minibatch_size: int | None = None,
) -> Tensor:
    """Return the last maps, each weighted by its mean gradient, and summed.

    ``L = sum_k w_k A_k``, where ``w_k`` is the mean over all places of ``dS / dA_k``.

    It sees no finer than the maps of the layer, and not which image channel a difference is in.
    For a network whose head is linear in averaged maps the map sums to the score, but for the
    head's offset and the number of places. (Selvaraju et al. 2017, doi:10.1109/ICCV.2017.74;
    computed by captum.)

    Parameters
    ----------
    model, images, target_class, score, against, minibatch_size
        As for :func:`~counterstain.attribution.gradients.saliency`.
    layer : torch.nn.Module or str, optional
        The layer whose maps are weighed. By default, for networks of the package: the latent maps
        (with one weight each ring where the head averages by rings), or what goes into the pooling.
    layer_input : bool
        Take what goes into `layer` instead of what comes out.
    output_index : int
        Which tensor, where `layer` gives several.
    relu : bool
        Cut off what speaks against the class, as the paper does. The default keeps the sign.
    upsample : bool
        Enlarge smoothly to the images' size. Without, the map as the layer has it is returned,
        with one channel.

    Returns
    -------
    Tensor
        Float32 of the images' shape: the map has no channels, so each image channel has an equal
        share, and the sum over channels is the map. Without `upsample` ``(N, 1, h, w)``.

    Raises
    ------
    InvalidInputError
        If a plain model has no `layer`, the layer has no maps, or as for saliency.

    Examples
    --------
    >>> layer = nn.Conv2d(1, 1, 1, bias=False)
    >>> _ = nn.init.constant_(layer.weight, 2.0)
    >>> model = nn.Sequential(layer, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    >>> grad_cam(model, torch.eye(2)[None, None], 0, layer=layer).flatten().tolist()
    [0.5, 0.0, 0.0, 0.5]
    """
    return _cam(
        _weighted_by_mean,
        model,
        images,
        (target_class, score, against),
        map_layer(model, layer, at_input=layer_input, output_index=output_index),
        (relu, upsample, minibatch_size),
    )


def grad_cam_plus_plus(
    model: Model,
    images: Tensor,
    target_class: int | str | None,
    *,
    layer: nn.Module | str | None = None,
    layer_input: bool = False,
    output_index: int = 0,
    relu: bool = False,
    upsample: bool = True,
    score: ExplainedScore = "logit",
    against: int | str | None = None,
    minibatch_size: int | None = None,
) -> Tensor:
    """Return the last maps, weighted so that small and repeated evidence counts as much as large.

    ``L = sum_k w_k A_k``, where ``w_k`` is the sum over all places of ``g / (2 + |g| sum(A_k))``,
    with g the gradient of the score. Chattopadhay et al. 2018, doi:10.1109/WACV.2018.00097,
    equations 19 and 21, whose powers of the gradient cancel to this where g is positive; `relu`
    keeps only such g and only positive L, as they do.

    Notes
    -----
    The paper assumes maps behind a rectifier. Latents have both signs, and the denominator may
    vanish; so every map counts as two, what is above zero and what is below. For maps behind a
    rectifier nothing changes.

    Parameters
    ----------
    model, images, target_class, layer, layer_input, output_index, relu, upsample, score, against
        As for :func:`grad_cam`.
    minibatch_size
        As for :func:`grad_cam`.

    Returns
    -------
    Tensor
        As for :func:`grad_cam`.

    Raises
    ------
    InvalidInputError
        As for :func:`grad_cam`.

    Examples
    --------
    >>> layer = nn.Conv2d(1, 1, 1, bias=False)
    >>> _ = nn.init.constant_(layer.weight, 2.0)
    >>> model = nn.Sequential(layer, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    >>> maps = grad_cam_plus_plus(model, torch.eye(2)[None, None], 0, layer=layer)
    >>> [round(value, 3) for value in maps.flatten().tolist()]
    [0.667, 0.0, 0.0, 0.667]
    """
    return _cam(
        _weighted_plus_plus,
        model,
        images,
        (target_class, score, against),
        map_layer(model, layer, at_input=layer_input, output_index=output_index),
        (relu, upsample, minibatch_size),
    )


def _cam(
    weigh: _Weigh,
    model: Model,
    images: Tensor,
    what: tuple[int | str | None, ExplainedScore, int | str | None],
    place: MapLayer,
    how: tuple[bool, bool, int | None],
) -> Tensor:
    (target_class, score, against), (relu, upsample, minibatch_size) = what, how
    images = check_inputs(model, images)
    if isinstance(model, Classifier):
        # The network is run through a layer of ours, which knows no names.
        target_class, against = (
            None if name is None else model.class_index(name, argument)
            for name, argument in ((target_class, "target_class"), (against, "against"))
        )
    explained = explained_score(place.model, target_class, score=score, against=against)
    one = partial(_one_slice, weigh, place, explained, relu)
    with as_it_was(model), torch.enable_grad():
        maps = over_slices(one, slice_length(images, minibatch_size), images)
    return finished(_enlarged(maps, images) if upsample else maps)


def _one_slice(
    weigh: _Weigh, place: MapLayer, explained: Score, relu: bool, part: Tensor
) -> Tensor:
    # Weights ask for no gradients: from the images on there has to be a graph, even where the
    # layer is not on the way to the score.
    weighted = list(weigh(place, explained, part.clone().requires_grad_(), relu))
    if place.output_index is not None:
        if not 0 <= place.output_index < len(weighted):
            raise InvalidInputError(
                f"`output_index` must be 0 to {len(weighted) - 1} for this layer; got "
                f"{place.output_index}: it gives {len(weighted)} tensor(s)."
            )
        weighted = [weighted[place.output_index]]
    if any(tensor.ndim < 2 or len(tensor) != len(part) for tensor in weighted):
        raise InvalidInputError(
            f"`layer` must give maps (N, channels, ...); got {tuple(weighted[0].shape)}: choose "
            "a layer before the average over places."
        )
    maps = place.assemble([tensor.sum(1, keepdim=True) for tensor in weighted])
    return (maps.clamp_min(0) if relu else maps).detach()


def _weighted_by_mean(
    place: MapLayer, explained: Score, part: Tensor, relu: bool
) -> Sequence[Tensor]:
    captum = LayerGradCam(explained, place.layer)
    return _tuple(
        captum.attribute(
            part,
            attribute_to_layer_input=place.at_input,
            attr_dim_summation=False,
            grad_kwargs=_UNUSED_IS_ZERO,
        )
    )


def _weighted_plus_plus(
    place: MapLayer, explained: Score, part: Tensor, relu: bool
) -> Sequence[Tensor]:
    at_input = place.at_input
    activations = LayerActivation(explained, place.layer).attribute(
        part, attribute_to_layer_input=at_input
    )
    gradients = LayerGradientXActivation(
        explained, place.layer, multiply_by_inputs=False
    ).attribute(part, attribute_to_layer_input=at_input, grad_kwargs=_UNUSED_IS_ZERO)
    pairs = zip(_tuple(activations), _tuple(gradients), strict=True)
    return [
        _plus_plus(maps.clamp_min(0), slope, relu) + _plus_plus((-maps).clamp_min(0), -slope, relu)
        for maps, slope in pairs
    ]


def _plus_plus(maps: Tensor, gradient: Tensor, relu: bool) -> Tensor:
    """Return maps of one sign, weighted."""
    if maps.ndim < 2:
        return maps * gradient
    places = tuple(range(2, maps.ndim))
    total = maps.sum(places, keepdim=True) if places else maps
    counted = gradient.clamp_min(0) if relu else gradient
    weights = counted / (2 + counted.abs() * total)
    return maps * (weights.sum(places, keepdim=True) if places else weights)


def _enlarged(maps: Tensor, images: Tensor) -> Tensor:
    if images.ndim == 1:
        return maps.reshape(len(images), -1).sum(1)
    if images.ndim > 2:
        if maps.ndim != images.ndim or images.ndim not in _MODES:
            raise InvalidInputError(
                f"`layer` must have maps with as many axes as the images {tuple(images.shape)}; "
                f"got {tuple(maps.shape)}: choose another layer, or pass upsample=False."
            )
        maps = LayerAttribution.interpolate(maps, tuple(images.shape[2:]), _MODES[images.ndim])
    channels = images.shape[1]
    return (maps / channels).expand(images.shape).contiguous()


def _tuple(found: Any) -> tuple[Tensor, ...]:
    return found if isinstance(found, tuple) else (cast("Tensor", found),)
