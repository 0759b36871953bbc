"""Plates with a planted truth, to try out and to test everything that reads a plate.

A simulated plate has the files of a real one (TIFFs, plate map, ``screen.toml``) and beside them
what no real plate has: ``truth.json`` with all that was planted.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from counterstain.plates.simulate.field import draw_field as draw_field
    from counterstain.plates.simulate.phenotypes import PHENOTYPES as PHENOTYPES
    from counterstain.plates.simulate.phenotypes import Phenotype as Phenotype
    from counterstain.plates.simulate.plate import simulate_plate as simulate_plate

_LAZY = {
    "PHENOTYPES": "counterstain.plates.simulate.phenotypes",
    "Phenotype": "counterstain.plates.simulate.phenotypes",
    "draw_field": "counterstain.plates.simulate.field",
    "simulate_plate": "counterstain.plates.simulate.plate",
}
__all__ = ["PHENOTYPES", "Phenotype", "draw_field", "simulate_plate"]


def __getattr__(name: str) -> object:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
