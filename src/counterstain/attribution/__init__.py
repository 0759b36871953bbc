"""Attributions: which pixels, places or cells a score rests on.

All take ``(model, images, target_class)`` and return a signed map of the images' shape; positive
speaks for the target class. Public names are loaded at first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from counterstain.attribution.class_activation import grad_cam as grad_cam
    from counterstain.attribution.class_activation import grad_cam_plus_plus as grad_cam_plus_plus
    from counterstain.attribution.gradients import saliency as saliency
    from counterstain.attribution.gradients import smooth_grad as smooth_grad
    from counterstain.attribution.integrated import integrated_gradients as integrated_gradients
    from counterstain.attribution.occlusion_regions import RegionDrop as RegionDrop
    from counterstain.attribution.occlusion_regions import occlude_regions as occlude_regions
    from counterstain.attribution.share import InsideShares as InsideShares
    from counterstain.attribution.share import share_inside as share_inside
    from counterstain.attribution.sliding_occlusion import occlusion as occlusion
    from counterstain.attribution.target import explained_score as explained_score
    from counterstain.attribution.views import over_views as over_views

_LAZY = {
    "InsideShares": "share",
    "RegionDrop": "occlusion_regions",
    "explained_score": "target",
    "grad_cam": "class_activation",
    "grad_cam_plus_plus": "class_activation",
    "integrated_gradients": "integrated",
    "occlude_regions": "occlusion_regions",
    "occlusion": "sliding_occlusion",
    "over_views": "views",
    "saliency": "gradients",
    "share_inside": "share",
    "smooth_grad": "gradients",
}
__all__ = [
    "InsideShares",
    "RegionDrop",
    "explained_score",
    "grad_cam",
    "grad_cam_plus_plus",
    "integrated_gradients",
    "occlude_regions",
    "occlusion",
    "over_views",
    "saliency",
    "share_inside",
    "smooth_grad",
]


def __getattr__(name: str) -> object:
    if name in _LAZY:
        return getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
