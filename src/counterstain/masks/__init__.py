"""What is a cell: regions around nuclei, and what is measured in them."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from counterstain.masks.measure import measure_cells as measure_cells
    from counterstain.masks.measure import parse_feature as parse_feature
    from counterstain.masks.regions import CellRegions as CellRegions
    from counterstain.masks.regions import cell_regions as cell_regions

_LAZY = {
    "CellRegions": "counterstain.masks.regions",
    "cell_regions": "counterstain.masks.regions",
    "measure_cells": "counterstain.masks.measure",
    "parse_feature": "counterstain.masks.measure",
}
__all__ = ["CellRegions", "cell_regions", "measure_cells", "parse_feature"]


def __getattr__(name: str) -> object:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
