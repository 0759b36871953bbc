"""Stage: the overlap of wells beside another software's readout of the same wells."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from counterstain.config import ScreenConfig
from counterstain.errors import InvalidInputError
from counterstain.masks.overlap_readout import match_readout, read_readout
from counterstain.statistics.calibration import CalibrationKind, check_calibration
from counterstain.statistics.histograms import overlay_histograms, wasserstein

__all__ = ["compare_readout"]

_KINDS: tuple[CalibrationKind, ...] = ("linear", "monotone")


def compare_readout(
    config: ScreenConfig, wells: pd.DataFrame
) -> tuple[pd.DataFrame, dict[str, Any], list[str]]:
    """Calibrate the overlap of wells to a readout, and measure the agreement before and after.

    Parameters
    ----------
    config : ScreenConfig
        ``overlap.readout`` and ``overlap.readout_column``.
    wells : DataFrame
        ``tables/overlap_wells.parquet``.

    Returns
    -------
    wells : DataFrame
        With ``readout``, ``calibrated_linear`` and ``calibrated_monotone``, each well by the curve
        of the others; NaN where a well has no readout.
    content : dict
        For ``metrics.json``: agreement by kind of curve, histograms, wells that take no part; a
        reason where nothing could be compared.
    notes : list of str
        What does not fit, counted.

    Raises
    ------
    InvalidInputError
        If the readout cannot be read, or does not say which plate it is about.
    """
    path = config.overlap.readout
    if path is None:
        return wells, {"reason": "no readout of another software was given"}, []
    measure = config.overlap.measure
    match = match_readout(wells, read_readout(path, config.overlap.readout_column), value=measure)
    content: dict[str, Any] = {
        "file": path.name,
        "column": config.overlap.readout_column,
        "n_wells": len(match.both),
        "not_on_plate": list(match.not_on_plate),
        "without_readout": list(match.without_readout),
        "without_value": list(match.without_value),
    }
    joined, both = match.wells.copy(), match.both
    values, readout = (both[c].to_numpy(np.float64) for c in (measure, "readout"))
    samples = {"overlap": values, "readout": readout}
    content["curves"], reason = {}, ""
    for kind in _KINDS:
        column = f"calibrated_{kind}"
        joined[column] = np.nan
        try:
            checked = check_calibration(values, readout, kind=kind)
        except InvalidInputError as error:
            reason = str(error)
            continue
        joined.loc[both.index, column] = checked.calibrated
        samples[column] = np.array(checked.calibrated)
        content["curves"][kind] = checked.to_json() | {
            "wasserstein_before": wasserstein(values, readout, relative=True),
            "wasserstein_after": wasserstein(checked.calibrated, readout, relative=True),
        }
    if len(both):
        content["histograms"] = overlay_histograms(samples).to_json()
    return joined, content | {"reason": reason}, list(match.notes)
