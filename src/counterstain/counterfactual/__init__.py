"""The same image on the other side of the decision boundary, and whether that is the biology."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from counterstain.counterfactual.edits import Counterfactual as Counterfactual
    from counterstain.counterfactual.edits import counterfactual as counterfactual
    from counterstain.counterfactual.effects import population_effects as population_effects
    from counterstain.counterfactual.oracle import Oracle as Oracle
    from counterstain.counterfactual.oracle import choose_oracle as choose_oracle
    from counterstain.counterfactual.path import BoundaryPath as BoundaryPath
    from counterstain.counterfactual.path import boundary_path as boundary_path

_LAZY = {
    "BoundaryPath": "path",
    "Counterfactual": "edits",
    "Oracle": "oracle",
    "boundary_path": "path",
    "choose_oracle": "oracle",
    "counterfactual": "edits",
    "population_effects": "effects",
}
__all__ = [
    "BoundaryPath",
    "Counterfactual",
    "Oracle",
    "boundary_path",
    "choose_oracle",
    "counterfactual",
    "population_effects",
]


def __getattr__(name: str) -> object:
    if name in _LAZY:
        return getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
