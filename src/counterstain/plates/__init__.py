"""What was imaged: wells, plate maps, images and the pixel store.

Public names are loaded at first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from counterstain.plates.images import read_field as read_field
    from counterstain.plates.labelled import LabelledCrops as LabelledCrops
    from counterstain.plates.labelled import read_labelled_crops as read_labelled_crops
    from counterstain.plates.screen import Screen as Screen
    from counterstain.plates.screen import read_screen as read_screen
    from counterstain.plates.simulate import simulate_plate as simulate_plate
    from counterstain.plates.store import CropStore as CropStore

_LAZY = {
    "CropStore": "counterstain.plates.store",
    "LabelledCrops": "counterstain.plates.labelled",
    "Screen": "counterstain.plates.screen",
    "read_field": "counterstain.plates.images",
    "read_labelled_crops": "counterstain.plates.labelled",
    "read_screen": "counterstain.plates.screen",
    "simulate_plate": "counterstain.plates.simulate",
}
__all__ = [
    "CropStore",
    "LabelledCrops",
    "Screen",
    "read_field",
    "read_labelled_crops",
    "read_screen",
    "simulate_plate",
]


def __getattr__(name: str) -> object:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
