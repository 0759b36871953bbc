"""Where Grad-CAM looks: the last maps of a network before they are averaged over places."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from counterstain.attribution.target import Model
from counterstain.errors import InvalidInputError
from counterstain.networks.backbone import BackboneClassifier
from counterstain.networks.base import Classifier
from counterstain.networks.generative import GenerativeClassifier

__all__ = ["MapLayer", "map_layer"]


@dataclass(frozen=True, slots=True)
class MapLayer:
    """A layer, and how the model is run so that it passes through it.

    Parameters
    ----------
    model : callable
        Images to logits.
    layer : torch.nn.Module
        The layer that captum watches.
    at_input : bool
        Whether the maps are what goes into the layer instead of what comes out.
    output_index : int or None
        Which of the layer's tensors; None for all of them, put together by `assemble`.
    assemble : callable
        From the weighted maps of the tensors to one map ``(N, 1, ...)``.
    """

    model: Callable[[Tensor], Tensor]
    layer: nn.Module
    at_input: bool
    output_index: int | None
    assemble: Callable[[list[Tensor]], Tensor]


class _Parts(nn.Module):
    """Hands its inputs on; a place for captum to watch."""

    def forward(self, *parts: Tensor) -> tuple[Tensor, ...]:
        return parts


class _ThroughParts(nn.Module):
    """A network whose latent maps pass through a layer, as one tensor ``(N, c, places)`` a ring.

    The head averages each ring by itself, so each has a weight of its own, as if it were a map.
    """

    def __init__(self, network: GenerativeClassifier) -> None:
        super().__init__()
        self.network = network
        self.parts = _Parts()
        ring = network.rings.flatten()
        self.places = [(ring == index).nonzero()[:, 0] for index in range(int(ring.max()) + 1)]
        self.order = torch.argsort(torch.cat(self.places))

    def forward(self, images: Tensor) -> Tensor:
        latents = self.network.maps(self.network.encode(images)).flatten(2)
        parts = self.parts(*(latents[:, :, places] for places in self.places))
        return self.network.logits(torch.cat(parts, 2)[:, :, self.order].flatten(1))

    def assemble(self, maps: list[Tensor]) -> Tensor:
        """Put the rings' maps ``(N, 1, places)`` back into one ``(N, 1, h, w)``."""
        whole = torch.cat(maps, 2)[:, :, self.order]
        return whole.reshape(len(whole), 1, *self.network.latent_shape[1:])


def map_layer(
    model: Model, layer: nn.Module | str | None, *, at_input: bool, output_index: int
) -> MapLayer:
    """Return the layer asked for, or the one that fits the kind of network.

    Parameters
    ----------
    model : Classifier, torch.nn.Module or callable
        The model.
    layer : torch.nn.Module, str or None
        A module of the model, or its dotted name. None, for networks of the package: the latent
        maps of networks that run backwards (what their linear head averages), and what goes into
        the pooling of a backbone.
    at_input : bool
        Take what goes into the layer asked for.
    output_index : int
        Which tensor of a layer that gives several.

    Raises
    ------
    InvalidInputError
        If a plain model comes without a layer, or the name is not one of its modules.
    """
    if layer is not None:
        forward = model.class_logits if isinstance(model, Classifier) else model
        found = _named(model, layer) if isinstance(layer, str) else layer
        return MapLayer(forward, found, at_input, output_index, _only)
    if isinstance(model, GenerativeClassifier):
        through = _ThroughParts(model)
        return MapLayer(through, through.parts, False, None, through.assemble)
    if isinstance(model, BackboneClassifier) and isinstance(
        pooling := getattr(model.model, "global_pool", None), nn.Module
    ):
        return MapLayer(model.class_logits, pooling, True, 0, _only)
    raise InvalidInputError(
        "`layer` must be given for a model that is not a network of the package; got None: pass "
        "the module with the last maps before they are averaged over places."
    )


def _only(maps: list[Tensor]) -> Tensor:
    return maps[0]


def _named(model: Model, name: str) -> nn.Module:
    modules = dict(model.named_modules()) if isinstance(model, nn.Module) else {}
    if name not in modules:
        some = ", ".join(repr(known) for known in list(modules)[1:6]) or "none"
        raise InvalidInputError(
            f"`layer` must be a module of the model; got {name!r}: its modules are {some}, and "
            "so on (`dict(model.named_modules())`)."
        )
    return cast("nn.Module", modules[name])
