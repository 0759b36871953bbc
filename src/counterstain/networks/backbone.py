"""Classifiers from timm, with any number of channels."""

from __future__ import annotations

import contextlib
import functools
import os
import socket
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import timm
from huggingface_hub import constants
from torch import Tensor

from counterstain.networks.base import Classifier

__all__ = ["BACKBONES", "BackboneClassifier"]

BACKBONES = {"resnext50": "resnext50_32x4d"}


@functools.cache
def _hub_answers() -> bool:
    """Ask once, briefly: the hub's own client retries for a minute where there is no network."""
    if os.environ.get("HTTPS_PROXY") or os.environ.get("https_proxy"):
        return True
    parts = urlsplit(constants.ENDPOINT)
    try:
        with socket.create_connection((parts.hostname or "", parts.port or 443), timeout=3):
            return True
    except OSError:
        return False


@contextlib.contextmanager
def _cache_only_where_offline() -> Iterator[None]:
    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = before or not _hub_answers()
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def _create(name: str, arguments: Mapping[str, Any]) -> tuple[Any, str]:
    options: dict[str, Any] = {
        "in_chans": int(arguments["channels"]),
        "num_classes": int(arguments["n_classes"]),
    }
    if not arguments.get("pretrained"):
        return timm.create_model(name, pretrained=False, **options), "from scratch, as asked"
    try:
        with _cache_only_where_offline():
            return timm.create_model(name, pretrained=True, **options), "pretrained on ImageNet"
    # Whatever keeps the weights away (no network, no cache, a proxy), the remedy is the same.
    except Exception as error:
        model = timm.create_model(name, pretrained=False, **options)
        return model, f"from scratch: pretrained weights not reachable ({type(error).__name__})"


class BackboneClassifier(Classifier):
    """A backbone of timm with a linear head; not invertible, so it has no counterfactuals.

    Parameters
    ----------
    arguments : mapping
        ``network`` (a key of `BACKBONES`), ``channels``, ``size``, ``n_classes`` and
        ``pretrained``. Where pretrained weights cannot be reached the network starts from
        scratch, and `origin` says so.

    Examples
    --------
    >>> import torch
    >>> network = BackboneClassifier(
    ...     {"network": "resnext50", "channels": 3, "size": 32, "n_classes": 2}
    ... )
    >>> network.eval().class_logits(torch.rand(2, 3, 32, 32)).shape
    torch.Size([2, 2])
    """

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        super().__init__(arguments)
        self.model, self.origin = _create(BACKBONES[arguments["network"]], arguments)

    def logits_and_profile(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits ``(N, K)`` and pooled features ``(N, 2048)`` of images ``(N, C, H, W)``."""
        self.check_images(images)
        features = self.model.forward_features(images)
        pooled = self.model.forward_head(features, pre_logits=True)
        return self.model.get_classifier()(pooled), pooled
