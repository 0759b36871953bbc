"""Fit a network, and score every crop with one that never saw its well."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from counterstain.training.folds import score_crops as score_crops
    from counterstain.training.folds import train_fold as train_fold
    from counterstain.training.loop import fit as fit

_LAZY = {"fit": "loop", "score_crops": "folds", "train_fold": "folds"}
__all__ = ["fit", "score_crops", "train_fold"]


def __getattr__(name: str) -> object:
    if name in _LAZY:
        return getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
