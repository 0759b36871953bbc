"""The contract that every network keeps: logits and a profile for images.

Networks that also run backwards add to it in :mod:`counterstain.networks.generative` and
:mod:`counterstain.networks.invertible`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from counterstain.errors import InvalidInputError
from counterstain.networks.domain import TrainedDomain

__all__ = ["Classifier"]


class Classifier(nn.Module):
    """A network with logits for images.

    Parameters
    ----------
    arguments : mapping
        What :func:`counterstain.networks.build_network` needs to build the same network again:
        ``network``, ``channels``, ``size``, ``n_classes``, optionally ``channel_names`` and
        ``class_names``, and options of the kind. JSON-ready.
    width : int
        Entries of the spatially averaged latents; 0 for networks without latents.

    Attributes
    ----------
    channels, size, n_classes : int
        Image channels, image height and width in pixels, classes.
    channel_names, class_names : tuple of str
        Names in the order of the axes; empty where the network was built without.
    domain : TrainedDomain
        What it was trained on.
    """

    def __init__(self, arguments: Mapping[str, Any], width: int = 0) -> None:
        super().__init__()
        self.arguments = dict(arguments)
        self.channels = int(arguments["channels"])
        self.size = int(arguments["size"])
        self.n_classes = int(arguments["n_classes"])
        self.channel_names = tuple(arguments.get("channel_names") or ())
        self.class_names = tuple(arguments.get("class_names") or ())
        self.domain = TrainedDomain(self.channels, self.n_classes, width)

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

    def check_channels(self, names: Sequence[str]) -> None:
        """Refuse channels other than, or in another order than, those of training.

        Raises
        ------
        InvalidInputError
            If the names differ; networks built without names are not checked.
        """
        if self.channel_names and tuple(names) != self.channel_names:
            same = sorted(names) == sorted(self.channel_names)
            raise InvalidInputError(
                f"`channels` must be {list(self.channel_names)}, in this order, as in training; "
                f"got {list(names)}: "
                + ("put the image channels in that order." if same else "pass those channels.")
            )

    def class_index(self, name: str | int, argument: str = "target_class") -> int:
        """Return the index of a class given by name or by index.

        Raises
        ------
        InvalidInputError
            If the network does not know the class.
        """
        if isinstance(name, str):
            if name in self.class_names:
                return self.class_names.index(name)
            known = list(self.class_names) or f"an index from 0 to {self.n_classes - 1}"
            raise InvalidInputError(
                f"`{argument}` must be one of {known}; got {name!r}: the network was not trained "
                "on that class; choose another or train again."
            )
        if isinstance(name, bool) or not 0 <= int(name) < self.n_classes:
            raise InvalidInputError(
                f"`{argument}` must be a class index from 0 to {self.n_classes - 1}; got {name}: "
                "choose a class that the network was trained on."
            )
        return int(name)
