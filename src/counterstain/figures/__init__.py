"""Pictures of a run, one file a kind of picture, all in one style.

Every function takes plain tables and arrays and returns a :class:`matplotlib.figure.Figure` that
belongs to nobody else: there is no pyplot state to clean up.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from counterstain.figures.boundary import draw_boundary_plane as draw_boundary_plane
    from counterstain.figures.composite import compose_channels as compose_channels
    from counterstain.figures.confusion import draw_confusion_matrix as draw_confusion_matrix
    from counterstain.figures.dose import draw_dose_curves as draw_dose_curves
    from counterstain.figures.effects import draw_effects as draw_effects
    from counterstain.figures.faulty import draw_faulty_fields as draw_faulty_fields
    from counterstain.figures.generated import draw_morphs as draw_morphs
    from counterstain.figures.generated import draw_reconstructions as draw_reconstructions
    from counterstain.figures.generated import draw_samples as draw_samples
    from counterstain.figures.isosurface import draw_isosurface_strips as draw_isosurface_strips
    from counterstain.figures.plate_map import draw_plate_map as draw_plate_map
    from counterstain.figures.separation import draw_class_scores as draw_class_scores
    from counterstain.figures.separation import draw_control_scores as draw_control_scores
    from counterstain.figures.strips import draw_counterfactual_strips as draw_counterfactual_strips
    from counterstain.figures.style import save_figure as save_figure

_LAZY = {
    "compose_channels": "composite",
    "draw_boundary_plane": "boundary",
    "draw_class_scores": "separation",
    "draw_confusion_matrix": "confusion",
    "draw_control_scores": "separation",
    "draw_counterfactual_strips": "strips",
    "draw_dose_curves": "dose",
    "draw_effects": "effects",
    "draw_faulty_fields": "faulty",
    "draw_isosurface_strips": "isosurface",
    "draw_morphs": "generated",
    "draw_plate_map": "plate_map",
    "draw_reconstructions": "generated",
    "draw_samples": "generated",
    "save_figure": "style",
}
__all__ = [
    "compose_channels",
    "draw_boundary_plane",
    "draw_class_scores",
    "draw_confusion_matrix",
    "draw_control_scores",
    "draw_counterfactual_strips",
    "draw_dose_curves",
    "draw_effects",
    "draw_faulty_fields",
    "draw_isosurface_strips",
    "draw_morphs",
    "draw_plate_map",
    "draw_reconstructions",
    "draw_samples",
    "save_figure",
]


def __getattr__(name: str) -> object:
    if name in _LAZY:
        module = importlib.import_module(f"counterstain.figures.{_LAZY[name]}")
        return getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
