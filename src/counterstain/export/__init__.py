"""A run for other tools: OME-TIFF for image programs, CSV for R, layers for napari."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from counterstain.export.csv_tables import write_csv_tables as write_csv_tables
    from counterstain.export.layers import well_layers as well_layers
    from counterstain.export.ome_tiff import write_ome_tiffs as write_ome_tiffs
    from counterstain.export.pictured import read_pictured as read_pictured

_LAZY = {
    "read_pictured": "counterstain.export.pictured",
    "well_layers": "counterstain.export.layers",
    "write_csv_tables": "counterstain.export.csv_tables",
    "write_ome_tiffs": "counterstain.export.ome_tiff",
}
__all__ = ["read_pictured", "well_layers", "write_csv_tables", "write_ome_tiffs"]


def __getattr__(name: str) -> object:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
