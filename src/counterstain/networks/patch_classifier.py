"""The classifier of patches: encoder, 128 dense units, K classes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, cast

from torch import Tensor, nn

from counterstain.errors import InvalidInputError
from counterstain.networks.patch_encoder import PatchEncoder
from counterstain.networks.patch_pooling import (
    average_features,
    average_width,
    mask_features,
    mask_width,
)

__all__ = ["READS", "PatchClassifier"]

READS = ("masks", "averages", "latents")
"""What the dense layer can read."""

_HIDDEN = 128


class PatchClassifier(nn.Module):
    """Encoder, then 128 dense units, then K classes.

    The head reads features averaged over the masks that the encoder predicts, features averaged
    over the patch, or all latents, place by place. Where a cell lies says nothing about its class,
    and a head on thousands of places learns the training wells by heart: the last is there to be
    compared with.

    Parameters
    ----------
    arguments : mapping
        As for `PatchEncoder`, with ``class_names`` (K names) and optionally ``dropout``
        (0.3) and ``reads`` ("masks", "averages" or "latents").

    Raises
    ------
    InvalidInputError
        If there are fewer than two classes, or `reads` is none of these.

    Examples
    --------
    >>> import torch
    >>> network = PatchClassifier({"channels": 2, "size": 16, "class_names": ["a", "b", "faulty"]})
    >>> network(torch.rand(5, 2, 16, 16)).shape
    torch.Size([5, 3])
    """

    kind = "patch_classifier"

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        super().__init__()
        names = [str(name) for name in arguments["class_names"]]
        if len(names) < 2:
            raise InvalidInputError(
                f"`class_names` must be two classes or more; got {names}: add a class."
            )
        dropout, reads = float(arguments.get("dropout", 0.3)), arguments.get("reads", "masks")
        if reads not in READS:
            raise InvalidInputError(f"`reads` must be one of {list(READS)}; got {reads!r}.")
        self.reads = reads
        self.class_names = tuple(names)
        self.encoder = PatchEncoder(arguments)
        own = {"class_names": names, "dropout": dropout, "reads": reads}
        self.arguments = self.encoder.arguments | own
        widths = {
            "masks": mask_width(self.encoder),
            "averages": average_width(self.encoder),
            "latents": math.prod(self.encoder.latent_shape),
        }
        width = widths[reads]
        # Features of a frozen encoder have any scale; the norm gives all of them a say.
        self.head = nn.Sequential(
            nn.BatchNorm1d(width),
            nn.Dropout(dropout),
            nn.Linear(width, _HIDDEN),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(_HIDDEN, len(names)),
        )

    def features(self, images: Tensor) -> Tensor:
        """Return what the head reads of images ``(N, C, S, S)``, ``(N, P)``."""
        if self.reads == "latents":
            return cast("Tensor", self.encoder(images))
        maps = self.encoder.maps(images)
        return mask_features(maps) if self.reads == "masks" else average_features(maps)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits ``(N, K)`` of images ``(N, C, S, S)`` on the controls' scale."""
        return cast("Tensor", self.head(self.features(images)))
