"""What the counterfactuals change, and whether the real wells agree."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from counterstain.errors import UndefinedStatisticWarning
from counterstain.statistics import (
    benjamini_hochberg,
    difference_by_well,
    difference_p_value,
    paired_change_by_well,
    standardised_difference,
)
from counterstain.types import Estimate

__all__ = ["EditedCrops", "population_effects"]

_FALSE_DISCOVERY_RATE = 0.05
# Below this mean (share of the controls' range) a percentage would be one of almost nothing.
_SMALLEST_BASE = 0.02
_NAMES = {
    "mean_intensity": "mean intensity",
    "sd": "intensity spread (SD)",
    "log2_ratio": "log2 nucleus/ring",
}


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


def _finite(values: NDArray[np.float64], wells: NDArray[np.int64]) -> tuple[Any, Any]:
    good = np.isfinite(values)
    return values[good], wells[good]


def _verdict(real: Estimate, changed: Estimate, q: float) -> str:
    is_real = bool(q <= _FALSE_DISCOVERY_RATE) and _clear_of_zero(real)
    is_changed = _clear_of_zero(changed)
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
    difference = difference_by_well(*first, *second, seed=seed)
    change = paired_change_by_well(before[good], after[good], edited.wells[good], seed=seed)
    base = float(np.mean(first[0])) if len(first[0]) else np.nan
    relative = feature != "log2_ratio" and np.isfinite(base) and abs(base) >= _SMALLEST_BASE
    factor = 100 / abs(base) if relative else 1.0
    unit = "%" if relative else ("log2" if feature == "log2_ratio" else "control range")
    return {
        "channel": channel,
        "region": region,
        "feature": _NAMES.get(feature, feature.replace("_", " ")),
        "unit": unit,
        "real": _scaled(difference, factor),
        "counterfactual": _scaled(change, factor),
        "real_effect": standardised_difference(*first, *second),
        "p": difference_p_value(*first, *second),
    }


def _sentence(row: dict[str, Any], names: tuple[str, str]) -> str:
    where = "nucleus over ring" if row["region"] == "nucleus/ring" else row["region"]
    feature = "log2 ratio" if row["unit"] == "log2" else row["feature"]
    real, changed = _percent(row["real"], row["unit"]), _percent(row["counterfactual"], row["unit"])
    return (
        f"{row['channel']}: {feature}, {where}: {real} from {names[0]} to {names[1]} in real "
        f"wells; {changed} in the counterfactuals."
    )


def _table(rows: list[dict[str, Any]], names: tuple[str, str]) -> pd.DataFrame:
    q_values = np.full(len(rows), np.nan)
    p_values = np.array([row["p"] for row in rows])
    if np.isfinite(p_values).any():
        q_values[np.isfinite(p_values)] = benjamini_hochberg(p_values[np.isfinite(p_values)])
    flat = []
    for row, q in zip(rows, q_values, strict=True):
        verdict = _verdict(row["real"], row["counterfactual"], q)
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
                "q": q,
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
        class's mean, or the measurement's own unit), standardised effect of the real wells, q
        (Benjamini-Hochberg over all rows), ``verdict``, ``rank`` (confirmed rows first, among
        them those inside cells, each by effect) and a ``sentence`` for confirmed rows.

    Notes
    -----
    Verdicts: *confirmed* (real wells differ at q <= 0.05, the counterfactuals change the same way,
    both intervals clear of zero), *not confirmed by real wells*, *missed by the counterfactual*,
    *none*.
    """
    columns = [str(c) for c in measurements.columns if str(c).count(":") >= 2]
    names = (class_names[pair[0]], class_names[pair[1]])
    with warnings.catch_warnings():
        # A region without pixels gives NaN rows; the verdict "none" and the NaN say so.
        warnings.simplefilter("ignore", UndefinedStatisticWarning)
        rows = [
            _row(column, (measurements, classes, wells), edited, pair, seed) for column in columns
        ]
    table = _table(rows, names)
    # The background near a cell holds its neighbours: a shadow of the effect, never the headline.
    order = np.lexsort(
        (
            -table["real_effect"].abs().fillna(0),
            (table["region"] == "background").astype(int),
            (table["verdict"] != "confirmed").astype(int),
        )
    )
    table = table.iloc[order].reset_index(drop=True)
    table["rank"] = np.arange(1, len(table) + 1)
    return table
