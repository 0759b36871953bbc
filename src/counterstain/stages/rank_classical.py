"""The classical profile of wells, ranked as the network's is: to see what the network adds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from counterstain.config import ScreenConfig
from counterstain.plates.store import CropStore
from counterstain.ranking import Ranking
from counterstain.stages.measuring import measure_real
from counterstain.stages.rows import group_wells, thin_wells
from counterstain.statistics.agreement import rank_correlation

__all__ = ["classical_profiles", "compare_rankings"]

_KEY = ["Metadata_Plate", "Metadata_Well"]
_TREATMENT = ["Metadata_Compound", "Metadata_Concentration"]
_SIDE_BY_SIDE = ("call", "rescue", "rescue_low", "rescue_high", "q_value", "side_effect")
_BLOCK = 2048
_MOST_MISSING = 0.05


def classical_profiles(
    wells: pd.DataFrame,
    crops: pd.DataFrame,
    store: CropStore,
    config: ScreenConfig,
    progress: Callable[[int, int], None],
) -> tuple[NDArray[np.float64], list[str]]:
    """Average the classical measurements of each well's crops, a block of crops at a time.

    Parameters
    ----------
    wells : DataFrame, W rows
        The wells, in their order.
    crops : DataFrame
        ``tables/crops.parquet``.
    store : CropStore
        Pixels.
    config : ScreenConfig
        At most ``ranking.classical_crops`` a well are measured.
    progress : callable
        Told how many crops are done, and of how many.

    Returns
    -------
    profiles : ndarray of float64, shape (W, F)
        NaN rows for wells without usable crops.
    features : list of str, length F
        Measurements that vary and that at most 5 % of the wells lack.
    """
    chosen = thin_wells(crops[crops["usable"]], config.ranking.classical_crops)
    codes, rows = group_wells(chosen)
    sums, counts, names = np.empty(0), np.empty(0), list[str]()
    for start in range(0, len(chosen), _BLOCK):
        part = slice(start, start + _BLOCK)
        table = measure_real(chosen["crop"].to_numpy(np.int64)[part], store, config)
        values = table.to_numpy(np.float64)
        if not names:
            names = [str(name) for name in table]
            sums, counts = np.zeros((len(rows), len(names))), np.zeros((len(rows), len(names)))
        known = np.isfinite(values)
        np.add.at(sums, codes[part], np.where(known, values, 0.0))
        np.add.at(counts, codes[part], known)
        progress(min(start + _BLOCK, len(chosen)), len(chosen))
    means = np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)
    missing = ~np.isfinite(means)
    kept = (missing.mean(axis=0) <= _MOST_MISSING) & (
        np.nanmax(np.where(missing, -np.inf, means), axis=0)
        > np.nanmin(np.where(missing, np.inf, means), axis=0)
    )
    found = pd.MultiIndex.from_frame(rows[_KEY].astype(str)).get_indexer(
        pd.MultiIndex.from_frame(wells[_KEY].astype(str))
    )
    profiles = means[found][:, kept]
    profiles[found < 0] = np.nan
    return profiles, [name for name, good in zip(names, kept, strict=True) if good]


def compare_rankings(
    ranking: Ranking, classical: Ranking | None
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Set a classical ranking beside the network's.

    Parameters
    ----------
    ranking, classical : Ranking
        Of the same wells; the second may be None, and its columns are empty then.

    Returns
    -------
    treatments : DataFrame
        Those of `ranking` with ``classical_call``, ``classical_rescue``, ``classical_rescue_low``,
        ``classical_rescue_high``, ``classical_q_value``, ``classical_side_effect``.
    summary : dict
        ``rank_correlation`` of rescue over treatments, ``n_called`` by both, ``n_alike`` calls,
        and ``differing``: at most 20 pairs of calls as compound, concentration, both calls.
    """
    if classical is None:
        empty = {f"classical_{name}": np.nan for name in _SIDE_BY_SIDE} | {"classical_call": ""}
        return ranking.treatments.assign(**empty), {}
    columns = classical.treatments[[*_TREATMENT, *_SIDE_BY_SIDE]].rename(
        columns={name: f"classical_{name}" for name in _SIDE_BY_SIDE}
    )
    both = ranking.treatments.merge(columns, on=_TREATMENT, how="left")
    known = both[both["rescue"].notna() & both["classical_rescue"].notna()]
    alike = known["call"] == known["classical_call"]
    differing = known[~alike].head(20)
    summary = {
        "axis_length": classical.axis_length,
        "z_prime": [_number(value) for value in classical.plates["z_prime"]],
        "rank_correlation": rank_correlation(known["rescue"], known["classical_rescue"]).to_json(),
        "n_treatments": len(known),
        "n_alike": int(alike.sum()),
        "calls": {str(k): int(v) for k, v in known["classical_call"].value_counts().items()},
        "differing": [
            {
                "compound": str(row["Metadata_Compound"]),
                "concentration": _number(row["Metadata_Concentration"]),
                "call": str(row["call"]),
                "classical_call": str(row["classical_call"]),
            }
            for row in differing.to_dict("records")
        ],
    }
    return both, summary


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
