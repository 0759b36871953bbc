"""Explainable phenotyping of microscopy screens.

Public names are loaded at first use, so that importing the package stays instant: no torch until a
network is touched.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from counterstain.pipeline import run as run
    from counterstain.plates import read_screen as read_screen
    from counterstain.plates import simulate_plate as simulate_plate

__version__ = "0.1.0"

_LAZY = {
    "run": "counterstain.pipeline",
    "read_screen": "counterstain.plates",
    "simulate_plate": "counterstain.plates",
}
__all__ = ["__version__", "read_screen", "run", "simulate_plate"]


def __getattr__(name: str) -> object:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
