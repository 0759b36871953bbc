"""Pictures of a run, one file a kind of picture, all in one style.

Every function takes plain tables and arrays and returns a :class:`matplotlib.figure.Figure` that
belongs to nobody else: there is no pyplot state to clean up.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from counterstain.figures.attribution import draw_attribution_sheet as draw_attribution_sheet
    from counterstain.figures.attribution import draw_channel_maps as draw_channel_maps
    from counterstain.figures.attribution_gallery import (
        draw_outcome_gallery as draw_outcome_gallery,
    )
    from counterstain.figures.audits import draw_checks as draw_checks
    from counterstain.figures.audits import draw_inside_share as draw_inside_share
    from counterstain.figures.audits import draw_sanity_matrix as draw_sanity_matrix
    from counterstain.figures.boundary import draw_boundary_plane as draw_boundary_plane
    from counterstain.figures.cell_occlusion import draw_cell_occlusion as draw_cell_occlusion
    from counterstain.figures.composite import compose_channels as compose_channels
    from counterstain.figures.confusion import draw_confusion_matrix as draw_confusion_matrix
    from counterstain.figures.dose import draw_dose_curves as draw_dose_curves
    from counterstain.figures.effects import draw_effects as draw_effects
    from counterstain.figures.faithfulness import draw_faithfulness as draw_faithfulness
    from counterstain.figures.faulty import draw_faulty_fields as draw_faulty_fields
    from counterstain.figures.generated import draw_morphs as draw_morphs
    from counterstain.figures.generated import draw_reconstructions as draw_reconstructions
    from counterstain.figures.generated import draw_samples as draw_samples
    from counterstain.figures.isosurface import draw_isosurface_strips as draw_isosurface_strips
    from counterstain.figures.null_screen import draw_null_screen as draw_null_screen
    from counterstain.figures.overlap_calls import draw_interaction_calls as draw_interaction_calls
    from counterstain.figures.overlap_classifier import (
        draw_classifier_accuracy as draw_classifier_accuracy,
    )
    from counterstain.figures.overlap_crowding import draw_crowding as draw_crowding
    from counterstain.figures.overlap_groups import draw_overlap_groups as draw_overlap_groups
    from counterstain.figures.overlap_histograms import (
        draw_patch_histograms as draw_patch_histograms,
    )
    from counterstain.figures.overlap_latents import draw_latent_maps as draw_latent_maps
    from counterstain.figures.overlap_patches import draw_patch_examples as draw_patch_examples
    from counterstain.figures.overlap_plate import draw_overlap_plate as draw_overlap_plate
    from counterstain.figures.overlap_readout import (
        draw_readout_agreement as draw_readout_agreement,
    )
    from counterstain.figures.overlap_readout import (
        draw_readout_histograms as draw_readout_histograms,
    )
    from counterstain.figures.overlap_reconstructions import (
        draw_patch_reconstructions as draw_patch_reconstructions,
    )
    from counterstain.figures.overlap_regression import (
        draw_overlap_regression as draw_overlap_regression,
    )
    from counterstain.figures.overlap_sprites import write_sprites as write_sprites
    from counterstain.figures.overlap_treatments import (
        draw_overlap_treatments as draw_overlap_treatments,
    )
    from counterstain.figures.plate_map import draw_plate_map as draw_plate_map
    from counterstain.figures.plate_values import draw_plate_values as draw_plate_values
    from counterstain.figures.replicate_agreement import draw_replicates as draw_replicates
    from counterstain.figures.rescue_doses import draw_rescue_doses as draw_rescue_doses
    from counterstain.figures.rescue_plane import draw_rescue_plane as draw_rescue_plane
    from counterstain.figures.rescue_volcano import draw_rescue_volcano as draw_rescue_volcano
    from counterstain.figures.rescue_waterfall import draw_rescue_waterfall as draw_rescue_waterfall
    from counterstain.figures.separation import draw_class_scores as draw_class_scores
    from counterstain.figures.separation import draw_control_scores as draw_control_scores
    from counterstain.figures.strips import draw_counterfactual_strips as draw_counterfactual_strips
    from counterstain.figures.style import save_figure as save_figure

_LAZY = {
    "compose_channels": "composite",
    "draw_attribution_sheet": "attribution",
    "draw_boundary_plane": "boundary",
    "draw_cell_occlusion": "cell_occlusion",
    "draw_channel_maps": "attribution",
    "draw_checks": "audits",
    "draw_class_scores": "separation",
    "draw_classifier_accuracy": "overlap_classifier",
    "draw_confusion_matrix": "confusion",
    "draw_control_scores": "separation",
    "draw_counterfactual_strips": "strips",
    "draw_crowding": "overlap_crowding",
    "draw_dose_curves": "dose",
    "draw_effects": "effects",
    "draw_faithfulness": "faithfulness",
    "draw_faulty_fields": "faulty",
    "draw_inside_share": "audits",
    "draw_interaction_calls": "overlap_calls",
    "draw_isosurface_strips": "isosurface",
    "draw_latent_maps": "overlap_latents",
    "draw_morphs": "generated",
    "draw_null_screen": "null_screen",
    "draw_outcome_gallery": "attribution_gallery",
    "draw_overlap_groups": "overlap_groups",
    "draw_overlap_plate": "overlap_plate",
    "draw_overlap_regression": "overlap_regression",
    "draw_overlap_treatments": "overlap_treatments",
    "draw_patch_examples": "overlap_patches",
    "draw_patch_histograms": "overlap_histograms",
    "draw_patch_reconstructions": "overlap_reconstructions",
    "draw_plate_map": "plate_map",
    "draw_readout_agreement": "overlap_readout",
    "draw_readout_histograms": "overlap_readout",
    "draw_reconstructions": "generated",
    "draw_plate_values": "plate_values",
    "draw_replicates": "replicate_agreement",
    "draw_rescue_doses": "rescue_doses",
    "draw_rescue_plane": "rescue_plane",
    "draw_rescue_volcano": "rescue_volcano",
    "draw_rescue_waterfall": "rescue_waterfall",
    "draw_samples": "generated",
    "draw_sanity_matrix": "audits",
    "save_figure": "style",
    "write_sprites": "overlap_sprites",
}
__all__ = [
    "compose_channels",
    "draw_attribution_sheet",
    "draw_boundary_plane",
    "draw_cell_occlusion",
    "draw_channel_maps",
    "draw_checks",
    "draw_class_scores",
    "draw_classifier_accuracy",
    "draw_confusion_matrix",
    "draw_control_scores",
    "draw_counterfactual_strips",
    "draw_crowding",
    "draw_dose_curves",
    "draw_effects",
    "draw_faithfulness",
    "draw_faulty_fields",
    "draw_inside_share",
    "draw_interaction_calls",
    "draw_isosurface_strips",
    "draw_latent_maps",
    "draw_morphs",
    "draw_null_screen",
    "draw_outcome_gallery",
    "draw_overlap_groups",
    "draw_overlap_plate",
    "draw_overlap_regression",
    "draw_overlap_treatments",
    "draw_patch_examples",
    "draw_patch_histograms",
    "draw_patch_reconstructions",
    "draw_plate_map",
    "draw_plate_values",
    "draw_readout_agreement",
    "draw_readout_histograms",
    "draw_reconstructions",
    "draw_replicates",
    "draw_rescue_doses",
    "draw_rescue_plane",
    "draw_rescue_volcano",
    "draw_rescue_waterfall",
    "draw_samples",
    "draw_sanity_matrix",
    "save_figure",
    "write_sprites",
]


def __getattr__(name: str) -> object:
    if name in _LAZY:
        return getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
