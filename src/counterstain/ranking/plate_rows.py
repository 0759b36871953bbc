"""How well each plate tells its controls apart, and whether it fails."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from counterstain.ranking.well_scores import ViewScores
from counterstain.ranking.well_table import DISEASED, HEALTHY, WellTable
from counterstain.statistics.response_window import v_factor
from counterstain.statistics.separation import robust_z_prime, ssmd, z_prime

__all__ = ["plate_rows"]

_Floats = NDArray[np.float64]


def plate_rows(
    rescue: _Floats, table: WellTable, views: list[ViewScores], *, min_z_prime: float
) -> pd.DataFrame:
    """Return a row per plate: counts, Z', robust Z', SSMD, V-factor, position, verdict.

    Controls are scored by axes that they took no part in finding. Measures that two wells a
    control cannot give are NaN, with the reason in ``note``.
    """
    rows = []
    for number, name in enumerate(table.plate_names):
        here = (table.plate == number) & np.isfinite(rescue) & table.counts
        controls = [rescue[here & (table.kind == kind)] for kind in (DISEASED, HEALTHY)]
        found = {
            "Metadata_Plate": name,
            "n_wells": int(np.count_nonzero(table.plate == number)),
            "n_diseased": controls[0].size,
            "n_healthy": controls[1].size,
            **_separation(rescue, table, here, controls),
            "position_share": float(np.mean([v.alignment.explained[number] for v in views])),
        }
        found["failed"], found["note"] = _verdict(found, min_z_prime)
        rows.append(found)
    return pd.DataFrame(rows)


def _separation(
    rescue: _Floats, table: WellTable, here: NDArray[np.bool_], controls: list[_Floats]
) -> dict[str, float]:
    if min(part.size for part in controls) < 2 or min(np.ptp(part) for part in controls) == 0:
        return dict.fromkeys(("z_prime", "robust_z_prime", "ssmd", "v_factor"), np.nan)
    # Controls are two groups more, whatever compound their wells are named after.
    groups = np.where(table.kind >= 0, -2 - table.kind, table.treatment)[here]
    return {
        "z_prime": z_prime(*controls),
        "robust_z_prime": robust_z_prime(*controls),
        "ssmd": ssmd(*controls),
        "v_factor": v_factor(rescue[here], groups),
    }


def _verdict(found: dict[str, object], min_z_prime: float) -> tuple[bool, str]:
    if found["n_diseased"] == found["n_healthy"] == 0:
        return True, "no usable control: its wells are not ranked"
    for kind in ("diseased", "healthy"):
        if found[f"n_{kind}"] == 0:
            return True, f"no usable {kind} control: its scale is that of the other plates"
    value = float(str(found["z_prime"]))
    if np.isnan(value):
        return True, "one well of a control, or controls without spread: Z' is unknown"
    if value < min_z_prime:
        return True, f"Z' {value:.2f} is below {min_z_prime:g}"
    return False, ""
