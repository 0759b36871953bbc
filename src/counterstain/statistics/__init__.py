"""Pure numbers of a screen: NumPy in, frozen records out; knows no image.

Wells are the unit of every interval and every test here, never crops.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from counterstain.statistics.agreement import BlandAltman as BlandAltman
    from counterstain.statistics.agreement import bland_altman as bland_altman
    from counterstain.statistics.agreement import concordance as concordance
    from counterstain.statistics.agreement import rank_correlation as rank_correlation
    from counterstain.statistics.calibration import calibrate as calibrate
    from counterstain.statistics.calibration import check_calibration as check_calibration
    from counterstain.statistics.chance import ChanceTest as ChanceTest
    from counterstain.statistics.chance import is_at_chance as is_at_chance
    from counterstain.statistics.classification import (
        ClassificationSummary as ClassificationSummary,
    )
    from counterstain.statistics.classification import ClassRow as ClassRow
    from counterstain.statistics.classification import (
        classification_summary as classification_summary,
    )
    from counterstain.statistics.effects import difference_by_well as difference_by_well
    from counterstain.statistics.effects import mean_by_well as mean_by_well
    from counterstain.statistics.effects import paired_change_by_well as paired_change_by_well
    from counterstain.statistics.histograms import overlay_histograms as overlay_histograms
    from counterstain.statistics.histograms import wasserstein as wasserstein
    from counterstain.statistics.ordering import DoseTrend as DoseTrend
    from counterstain.statistics.ordering import dose_trend as dose_trend
    from counterstain.statistics.resampling import share_by_well as share_by_well
    from counterstain.statistics.resampling import well_bootstrap as well_bootstrap
    from counterstain.statistics.separation import Separation as Separation
    from counterstain.statistics.separation import measure_separation as measure_separation
    from counterstain.statistics.separation import robust_z_prime as robust_z_prime
    from counterstain.statistics.separation import ssmd as ssmd
    from counterstain.statistics.separation import z_prime as z_prime
    from counterstain.statistics.significance import benjamini_hochberg as benjamini_hochberg
    from counterstain.statistics.significance import difference_p_value as difference_p_value
    from counterstain.statistics.significance import paired_change_p_value as paired_change_p_value
    from counterstain.statistics.significance import (
        standardised_difference as standardised_difference,
    )
    from counterstain.statistics.threshold_roc import calls_by_threshold as calls_by_threshold
    from counterstain.statistics.threshold_roc import interaction_threshold as interaction_threshold
    from counterstain.statistics.wells import well_means as well_means

_LAZY = {
    "BlandAltman": "agreement",
    "ChanceTest": "chance",
    "ClassRow": "classification",
    "ClassificationSummary": "classification",
    "DoseTrend": "ordering",
    "Separation": "separation",
    "benjamini_hochberg": "significance",
    "bland_altman": "agreement",
    "calibrate": "calibration",
    "calls_by_threshold": "threshold_roc",
    "check_calibration": "calibration",
    "classification_summary": "classification",
    "concordance": "agreement",
    "difference_by_well": "effects",
    "difference_p_value": "significance",
    "dose_trend": "ordering",
    "interaction_threshold": "threshold_roc",
    "is_at_chance": "chance",
    "mean_by_well": "effects",
    "measure_separation": "separation",
    "overlay_histograms": "histograms",
    "paired_change_by_well": "effects",
    "paired_change_p_value": "significance",
    "rank_correlation": "agreement",
    "robust_z_prime": "separation",
    "share_by_well": "resampling",
    "ssmd": "separation",
    "standardised_difference": "significance",
    "wasserstein": "histograms",
    "well_bootstrap": "resampling",
    "well_means": "wells",
    "z_prime": "separation",
}
__all__ = [
    "BlandAltman",
    "ChanceTest",
    "ClassRow",
    "ClassificationSummary",
    "DoseTrend",
    "Separation",
    "benjamini_hochberg",
    "bland_altman",
    "calibrate",
    "calls_by_threshold",
    "check_calibration",
    "classification_summary",
    "concordance",
    "difference_by_well",
    "difference_p_value",
    "dose_trend",
    "interaction_threshold",
    "is_at_chance",
    "mean_by_well",
    "measure_separation",
    "overlay_histograms",
    "paired_change_by_well",
    "paired_change_p_value",
    "rank_correlation",
    "robust_z_prime",
    "share_by_well",
    "ssmd",
    "standardised_difference",
    "wasserstein",
    "well_bootstrap",
    "well_means",
    "z_prime",
]


def __getattr__(name: str) -> object:
    if name in _LAZY:
        return getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
