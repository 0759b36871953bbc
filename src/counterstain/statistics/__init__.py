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
    from counterstain.statistics.axis_comparison import AxisComparison as AxisComparison
    from counterstain.statistics.axis_comparison import compare_axes as compare_axes
    from counterstain.statistics.calibration import calibrate as calibrate
    from counterstain.statistics.calibration import check_calibration as check_calibration
    from counterstain.statistics.calls import CallRules as CallRules
    from counterstain.statistics.calls import call_hits as call_hits
    from counterstain.statistics.chance import ChanceTest as ChanceTest
    from counterstain.statistics.chance import is_at_chance as is_at_chance
    from counterstain.statistics.classification import (
        ClassificationSummary as ClassificationSummary,
    )
    from counterstain.statistics.classification import ClassRow as ClassRow
    from counterstain.statistics.classification import (
        classification_summary as classification_summary,
    )
    from counterstain.statistics.dose_response import DoseResponse as DoseResponse
    from counterstain.statistics.dose_response import fit_dose_response as fit_dose_response
    from counterstain.statistics.effects import difference_by_well as difference_by_well
    from counterstain.statistics.effects import mean_by_well as mean_by_well
    from counterstain.statistics.effects import paired_change_by_well as paired_change_by_well
    from counterstain.statistics.hierarchy import ClassHierarchy as ClassHierarchy
    from counterstain.statistics.hierarchy import class_hierarchy as class_hierarchy
    from counterstain.statistics.histograms import overlay_histograms as overlay_histograms
    from counterstain.statistics.histograms import wasserstein as wasserstein
    from counterstain.statistics.ordering import DoseTrend as DoseTrend
    from counterstain.statistics.ordering import dose_trend as dose_trend
    from counterstain.statistics.plate_position import b_score as b_score
    from counterstain.statistics.plate_position import median_polish as median_polish
    from counterstain.statistics.reliability import Reliability as Reliability
    from counterstain.statistics.reliability import (
        expected_calibration_error as expected_calibration_error,
    )
    from counterstain.statistics.resampling import share_by_well as share_by_well
    from counterstain.statistics.resampling import well_bootstrap as well_bootstrap
    from counterstain.statistics.response_window import v_factor as v_factor
    from counterstain.statistics.separation import Separation as Separation
    from counterstain.statistics.separation import measure_separation as measure_separation
    from counterstain.statistics.separation import robust_z_prime as robust_z_prime
    from counterstain.statistics.separation import ssmd as ssmd
    from counterstain.statistics.separation import z_prime as z_prime
    from counterstain.statistics.separation_matrix import SeparationMatrix as SeparationMatrix
    from counterstain.statistics.separation_matrix import z_prime_matrix as z_prime_matrix
    from counterstain.statistics.significance import benjamini_hochberg as benjamini_hochberg
    from counterstain.statistics.significance import difference_p_value as difference_p_value
    from counterstain.statistics.significance import paired_change_p_value as paired_change_p_value
    from counterstain.statistics.significance import (
        standardised_difference as standardised_difference,
    )
    from counterstain.statistics.temperature import Temperature as Temperature
    from counterstain.statistics.temperature import (
        cross_fitted_temperatures as cross_fitted_temperatures,
    )
    from counterstain.statistics.temperature import fit_temperature as fit_temperature
    from counterstain.statistics.threshold_roc import calls_by_threshold as calls_by_threshold
    from counterstain.statistics.threshold_roc import interaction_threshold as interaction_threshold
    from counterstain.statistics.wells import well_means as well_means

_LAZY = {
    "AxisComparison": "axis_comparison",
    "BlandAltman": "agreement",
    "CallRules": "calls",
    "ChanceTest": "chance",
    "ClassHierarchy": "hierarchy",
    "ClassRow": "classification",
    "ClassificationSummary": "classification",
    "DoseResponse": "dose_response",
    "DoseTrend": "ordering",
    "Reliability": "reliability",
    "Separation": "separation",
    "SeparationMatrix": "separation_matrix",
    "Temperature": "temperature",
    "b_score": "plate_position",
    "benjamini_hochberg": "significance",
    "bland_altman": "agreement",
    "calibrate": "calibration",
    "call_hits": "calls",
    "calls_by_threshold": "threshold_roc",
    "check_calibration": "calibration",
    "class_hierarchy": "hierarchy",
    "classification_summary": "classification",
    "compare_axes": "axis_comparison",
    "concordance": "agreement",
    "cross_fitted_temperatures": "temperature",
    "difference_by_well": "effects",
    "difference_p_value": "significance",
    "dose_trend": "ordering",
    "expected_calibration_error": "reliability",
    "fit_dose_response": "dose_response",
    "fit_temperature": "temperature",
    "interaction_threshold": "threshold_roc",
    "is_at_chance": "chance",
    "mean_by_well": "effects",
    "measure_separation": "separation",
    "median_polish": "plate_position",
    "overlay_histograms": "histograms",
    "paired_change_by_well": "effects",
    "paired_change_p_value": "significance",
    "rank_correlation": "agreement",
    "robust_z_prime": "separation",
    "share_by_well": "resampling",
    "ssmd": "separation",
    "standardised_difference": "significance",
    "v_factor": "response_window",
    "wasserstein": "histograms",
    "well_bootstrap": "resampling",
    "well_means": "wells",
    "z_prime": "separation",
    "z_prime_matrix": "separation_matrix",
}
__all__ = [
    "AxisComparison",
    "BlandAltman",
    "CallRules",
    "ChanceTest",
    "ClassHierarchy",
    "ClassRow",
    "ClassificationSummary",
    "DoseResponse",
    "DoseTrend",
    "Reliability",
    "Separation",
    "SeparationMatrix",
    "Temperature",
    "b_score",
    "benjamini_hochberg",
    "bland_altman",
    "calibrate",
    "call_hits",
    "calls_by_threshold",
    "check_calibration",
    "class_hierarchy",
    "classification_summary",
    "compare_axes",
    "concordance",
    "cross_fitted_temperatures",
    "difference_by_well",
    "difference_p_value",
    "dose_trend",
    "expected_calibration_error",
    "fit_dose_response",
    "fit_temperature",
    "interaction_threshold",
    "is_at_chance",
    "mean_by_well",
    "measure_separation",
    "median_polish",
    "overlay_histograms",
    "paired_change_by_well",
    "paired_change_p_value",
    "rank_correlation",
    "robust_z_prime",
    "share_by_well",
    "ssmd",
    "standardised_difference",
    "v_factor",
    "wasserstein",
    "well_bootstrap",
    "well_means",
    "z_prime",
    "z_prime_matrix",
]


def __getattr__(name: str) -> object:
    if name in _LAZY:
        return getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
