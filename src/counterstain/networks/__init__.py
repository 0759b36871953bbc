"""Torch modules only: classifiers, and among them networks that run both ways.

Public names are loaded at first use; nothing here imports torch before that.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from counterstain.networks.base import Classifier as Classifier
    from counterstain.networks.build import build_network as build_network
    from counterstain.networks.checkpoint import load_network as load_network
    from counterstain.networks.checkpoint import save_network as save_network
    from counterstain.networks.generative import GenerativeClassifier as GenerativeClassifier
    from counterstain.networks.invertible import InvertibleNetwork as InvertibleNetwork

_LAZY = {
    "Classifier": "base",
    "GenerativeClassifier": "generative",
    "InvertibleNetwork": "invertible",
    "build_network": "build",
    "load_network": "checkpoint",
    "save_network": "checkpoint",
}
__all__ = [
    "Classifier",
    "GenerativeClassifier",
    "InvertibleNetwork",
    "build_network",
    "load_network",
    "save_network",
]


def __getattr__(name: str) -> object:
    if name in _LAZY:
        return getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
