"""Is it true: audits of classifiers, and of the explanations made of them."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from counterstain.audit.empty_area import empty_area_audit as empty_area_audit
    from counterstain.audit.empty_look import EmptyAreaLook as EmptyAreaLook
    from counterstain.audit.empty_look import look_without_cells as look_without_cells
    from counterstain.audit.faithfulness_curves import faithfulness as faithfulness
    from counterstain.audit.field_reading import field_features as field_features
    from counterstain.audit.field_reading import image_features as image_features
    from counterstain.audit.leakage import leakage_audit as leakage_audit
    from counterstain.audit.null_halvings import null_claims as null_claims
    from counterstain.audit.null_training import NullScreen as NullScreen
    from counterstain.audit.null_training import null_screen as null_screen
    from counterstain.audit.randomisation import (
        label_randomisation_check as label_randomisation_check,
    )
    from counterstain.audit.randomisation import randomisation_check as randomisation_check
    from counterstain.audit.stability import stability_check as stability_check
    from counterstain.audit.verdict import AuditCheck as AuditCheck
    from counterstain.audit.verdict import AuditVerdict as AuditVerdict

_LAZY = {
    "AuditCheck": "verdict",
    "AuditVerdict": "verdict",
    "EmptyAreaLook": "empty_look",
    "NullScreen": "null_training",
    "empty_area_audit": "empty_area",
    "faithfulness": "faithfulness_curves",
    "field_features": "field_reading",
    "image_features": "field_reading",
    "label_randomisation_check": "randomisation",
    "leakage_audit": "leakage",
    "look_without_cells": "empty_look",
    "null_claims": "null_halvings",
    "null_screen": "null_training",
    "randomisation_check": "randomisation",
    "stability_check": "stability",
}
__all__ = [
    "AuditCheck",
    "AuditVerdict",
    "EmptyAreaLook",
    "NullScreen",
    "empty_area_audit",
    "faithfulness",
    "field_features",
    "image_features",
    "label_randomisation_check",
    "leakage_audit",
    "look_without_cells",
    "null_claims",
    "null_screen",
    "randomisation_check",
    "stability_check",
]


def __getattr__(name: str) -> object:
    if name in _LAZY:
        return getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
