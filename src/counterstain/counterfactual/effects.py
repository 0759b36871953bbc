"""What the counterfactuals change, and whether the real wells agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from counterstain.counterfactual.shadows import Change, find_shadows
from counterstain.statistics import (
    benjamini_hochberg,
    difference_by_well,
    difference_p_value,
    paired_change_by_well,
    paired_change_p_value,
    standardised_difference,
)
from counterstain.statistics.inputs import undefined_noted
from counterstain.types import Estimate

__all__ = ["EditedCrops", "measurement_name", "population_effects"]

_FALSE_DISCOVERY_RATE = 0.05
# Below this mean (share of the controls' range) a percentage would be one of almost nothing.
_SMALLEST_BASE = 0.02
_INTENSITIES = ("mean_intensity", "sd")
_NAMES = {
    "mean_intensity": "mean intensity",
    "sd": "intensity spread (SD)",
    "log2_ratio": "log2 nucleus/ring",
    "texture_scale": "texture scale",
    "granularity": "granularity",
    "radial_concentration": "radial concentration",
    "area": "area",
    "form_factor": "form factor",
    "eccentricity": "eccentricity",
    "cell_count": "cell count",
}
_PLACES = {"nucleus/ring": "nucleus over ring", "crop": "in a crop"}


@dataclass(frozen=True, slots=True)
class EditedCrops:
    """Measurements of crops before and after the edit from one class to another.

    Parameters
    ----------
    before, after : DataFrame
        :func:`counterstain.masks.measure_cells` of the originals and their counterfactuals, with
        the same masks, row for row.
    wells : array of int
        Well of each row.
    """

    before: pd.DataFrame
    after: pd.DataFrame
    wells: NDArray[np.int64]


def measurement_name(feature: str) -> str:
    """Return the words for a measurement of :func:`counterstain.masks.measure_cells`.

    Examples
    --------
    >>> measurement_name("log2_ratio"), measurement_name("max_intensity")
    ('log2 nucleus/ring', 'max intensity')
    """
    return _NAMES.get(feature, feature.replace("_", " "))


def _finite(values: NDArray[np.float64], wells: NDArray[np.int64]) -> tuple[Any, Any]:
    good = np.isfinite(values)
    return values[good], wells[good]


def _verdict(real: Estimate, changed: Estimate, is_real: bool, is_changed: bool) -> str:
    if is_real and is_changed and np.sign(real.value) == np.sign(changed.value):
        return "confirmed"
    if is_changed:
        return "not confirmed by real wells"
    return "missed by the counterfactual" if is_real else "none"


def _clear_of_zero(estimate: Estimate) -> bool:
    return estimate.is_defined and (estimate.low > 0 or estimate.high < 0)


def _percent(estimate: Estimate, unit: str) -> str:
    if unit == "%":
        return f"{estimate.value:+.0f} % [{estimate.low:+.0f}, {estimate.high:+.0f}]"
    return f"{estimate.value:+.2f} [{estimate.low:+.2f}, {estimate.high:+.2f}]"


def _scaled(estimate: Estimate, factor: float) -> Estimate:
    ends = sorted((estimate.low * factor, estimate.high * factor))
    return Estimate(estimate.value * factor, ends[0], ends[1], estimate.n_wells, estimate.reason)


def _unit(feature: str, base: float) -> tuple[str, float]:
    """Return the unit of a difference and the factor to it; `base` is the source class's mean."""
    if feature == "log2_ratio":
        return "log2", 1.0
    smallest = _SMALLEST_BASE if feature in _INTENSITIES else 0.0
    if np.isfinite(base) and abs(base) > smallest:
        return "%", 100 / abs(base)
    return ("control range" if feature in _INTENSITIES else ""), 1.0


def _row(
    column: str,
    real: tuple[pd.DataFrame, NDArray[np.int64], NDArray[np.int64]],
    edited: EditedCrops,
    pair: tuple[int, int],
    seed: int,
) -> dict[str, Any]:
    feature, region, channel = column.split(":", 2)
    table, classes, wells = real
    values = table[column].to_numpy(float)
    first = _finite(values[classes == pair[0]], wells[classes == pair[0]])
    second = _finite(values[classes == pair[1]], wells[classes == pair[1]])
    before, after = edited.before[column].to_numpy(float), edited.after[column].to_numpy(float)
    good = np.isfinite(before) & np.isfinite(after)
    pairs = before[good], after[good], edited.wells[good]
    unit, factor = _unit(feature, float(np.mean(first[0])) if len(first[0]) else np.nan)
    difference = difference_by_well(*first, *second, seed=seed)
    return {
        "column": column,
        "channel": channel,
        "region": region,
        "feature": measurement_name(feature),
        "unit": unit,
        "real": _scaled(difference, factor),
        "amount": difference.value,
        "counterfactual": _scaled(paired_change_by_well(*pairs, seed=seed), factor),
        "real_effect": standardised_difference(*first, *second),
        "p": difference_p_value(*first, *second),
        "counterfactual_p": paired_change_p_value(*pairs),
    }


def _sentence(row: dict[str, Any], names: tuple[str, str]) -> str:
    where = _PLACES.get(row["region"], row["region"])
    feature = "log2 ratio" if row["unit"] == "log2" else row["feature"]
    real, changed = _percent(row["real"], row["unit"]), _percent(row["counterfactual"], row["unit"])
    return (
        f"{row['channel']}: {feature}, {where}: {real} from {names[0]} to {names[1]} in real "
        f"wells; {changed} in the counterfactuals."
    )


def _findings(
    rows: list[dict[str, Any]], estimate: str, p_value: str
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return q over all rows, and which are clear of zero both by q and by their interval."""
    q_values = benjamini_hochberg(np.array([row[p_value] for row in rows], np.float64))
    clear = np.array([_clear_of_zero(row[estimate]) for row in rows], bool)
    return q_values, clear & (np.nan_to_num(q_values, nan=1.0) <= _FALSE_DISCOVERY_RATE)


def _doublings(row: dict[str, Any]) -> float:
    """Return the real difference in doublings; as it is where it is no percentage."""
    value = float(row["real"].value)
    return float(np.log2(max(1 + value / 100, 1e-3))) if row["unit"] == "%" else value


def _agreement(real: float, changed: float) -> float:
    """Return 1 where both are alike, towards 0 where one is much smaller or of another sign."""
    if not np.isfinite(real) or not np.isfinite(changed) or real * changed <= 0:
        return 0.0
    return min(abs(real), abs(changed)) / max(abs(real), abs(changed))


def _table(rows: list[dict[str, Any]], names: tuple[str, str]) -> pd.DataFrame:
    q_values, is_real = _findings(rows, "real", "p")
    changed_q, is_changed = _findings(rows, "counterfactual", "counterfactual_p")
    shadows = find_shadows(
        {
            row["column"]: Change(_doublings(row), row["amount"], row["real_effect"], bool(clear))
            for row, clear in zip(rows, is_real, strict=True)
        }
    )
    flat = []
    for i, row in enumerate(rows):
        verdict = _verdict(row["real"], row["counterfactual"], is_real[i], is_changed[i])
        flat.append(
            {
                "source_class": names[0],
                "target_class": names[1],
                **{key: row[key] for key in ("channel", "region", "feature", "unit")},
                "real": row["real"].value,
                "real_low": row["real"].low,
                "real_high": row["real"].high,
                "real_effect": row["real_effect"],
                "counterfactual": row["counterfactual"].value,
                "counterfactual_low": row["counterfactual"].low,
                "counterfactual_high": row["counterfactual"].high,
                "q": q_values[i],
                "counterfactual_q": changed_q[i],
                "agreement": _agreement(row["real"].value, row["counterfactual"].value),
                "shadow_of": shadows[row["column"]],
                "verdict": verdict,
                "sentence": _sentence(row, names) if verdict == "confirmed" else "",
            }
        )
    return pd.DataFrame(flat)


def population_effects(
    measurements: pd.DataFrame,
    classes: NDArray[np.int64],
    wells: NDArray[np.int64],
    edited: EditedCrops,
    *,
    pair: tuple[int, int],
    class_names: Sequence[str],
    seed: int,
) -> pd.DataFrame:
    """Compare what counterfactuals change with how the real wells differ.

    Parameters
    ----------
    measurements : DataFrame
        :func:`counterstain.masks.measure_cells` of all real crops, a row a crop.
    classes, wells : array of int
        Class index and well of each row.
    edited : EditedCrops
        The same measurements of crops of the first class and of their counterfactuals.
    pair : tuple of int
        Source and target class.
    class_names : sequence of str
        Names of the classes.
    seed : int
        Seed of the resamples.

    Returns
    -------
    DataFrame
        A row a measurement: ``real`` and ``counterfactual`` with intervals (percent of the source
        class's mean, or the measurement's own unit), ``real_effect`` (Hedges' g of well means),
        ``q`` and ``counterfactual_q`` (Benjamini-Hochberg over all rows), ``agreement`` (0 to 1),
        ``shadow_of`` (the measurement it follows from, or empty), ``verdict``, ``rank`` and a
        ``sentence`` for confirmed rows.

    Notes
    -----
    A row is a finding where its interval (bootstrap by well) is clear of zero and its t-test on
    well means, Welch's between classes and the paired one for counterfactuals, has q <= 0.05 over
    all rows: bootstrap intervals of few wells alone would find too much. Verdicts: *confirmed* (a
    finding in both, of the same sign), *not confirmed by real wells*, *missed by the
    counterfactual*, *none*. A plate without effect has no confirmed row in at least 95 % of plates,
    whatever the counterfactuals change: where nothing differs, q <= 0.05 in any row is that rare.

    Ranks: confirmed rows first; among them those that follow from no other one
    (:func:`counterstain.counterfactual.shadows.find_shadows`); then by real effect times agreement.
    """
    columns = [str(c) for c in measurements.columns if str(c).count(":") >= 2]
    names = (class_names[pair[0]], class_names[pair[1]])
    # A region without pixels gives NaN rows; the verdict "none" and the NaN say so.
    with undefined_noted():
        rows = [
            _row(column, (measurements, classes, wells), edited, pair, seed) for column in columns
        ]
    table = _table(rows, names)
    confirmed = table["verdict"] == "confirmed"
    strength = table["real_effect"].abs().fillna(0.0)
    order = np.lexsort(
        (
            -np.where(confirmed, strength * table["agreement"], strength),
            (table["shadow_of"] != "").astype(int),
            (~confirmed).astype(int),
        )
    )
    table = table.iloc[order].reset_index(drop=True)
    table["rank"] = np.arange(1, len(table) + 1)
    return table
